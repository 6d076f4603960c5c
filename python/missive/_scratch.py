"""Working folders that leave nothing behind, also when their owner was killed.

The program does the same (real/measure/scratch.h), in the same place: a folder NAME, and beside it
the file NAME.lock, locked for as long as its owner lives. Whoever makes the next one, here or
there, removes those whose lock is free.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Iterator

from missive.errors import RunError

_PREFIX, _LOCK = "scratch-", ".lock"


def parent() -> Path:
    """missive-sim-UID in $TMPDIR or /var/tmp."""
    return Path(os.environ.get("TMPDIR") or "/var/tmp") / f"missive-sim-{os.geteuid()}"


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder that goes at the end of the block. Raises RunError where there can be none."""
    home = parent()
    try:
        _make(home)
        _sweep(home)
        lock, file = _new_lock(home)
    except OSError as error:
        raise RunError(f"cannot make a working folder in {home}: {error.strerror}; set TMPDIR to another") from None
    name = file.with_suffix("")
    try:
        name.mkdir(0o700)
        yield name
    finally:
        shutil.rmtree(name, ignore_errors=True)
        if not name.exists():
            file.unlink(missing_ok=True)
        os.close(lock)


def _make(home: Path) -> None:
    """What is removed in it is found by name: nobody else may put or exchange names there."""
    home.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        home.mkdir(0o755)
    opened = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(opened)
        if found.st_uid != os.geteuid():
            raise RunError(f"the folder for working directories {home} is another user's; set TMPDIR to a directory of yours")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            os.fchmod(opened, found.st_mode & 0o755)
    finally:
        os.close(opened)


def _take(lock: int) -> bool:
    """Whether it is ours now, and still has its name: who had it first may have removed it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    found = os.fstat(lock)
    return stat.S_ISREG(found.st_mode) and found.st_nlink > 0 and found.st_uid == os.geteuid()


def _new_lock(home: Path) -> tuple[int, Path]:
    while True:  # another's sweep may come before the lock is ours, and takes the file away
        lock, name = tempfile.mkstemp(prefix=_PREFIX, suffix=_LOCK, dir=home)
        if _take(lock):
            return lock, Path(name)
        os.close(lock)


def _sweep(home: Path) -> None:
    for file in home.glob(f"{_PREFIX}*{_LOCK}"):
        try:
            lock = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            if _take(lock):
                shutil.rmtree(file.with_suffix(""), ignore_errors=True)
                if not file.with_suffix("").exists():
                    file.unlink(missing_ok=True)
        finally:
            os.close(lock)
