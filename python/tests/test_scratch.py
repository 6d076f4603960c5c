"""Working folders: whose go, and whose do not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from missive import _scratch
from missive.errors import RunError

OWNER = """
import time
from missive import _scratch
with _scratch.folder() as folder:
    (folder / "a").mkdir()
    (folder / "a/file").write_text("content")
    print(folder, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return _scratch.parent()


def owner() -> tuple[subprocess.Popen[str], Path]:
    """A process with a working folder, and that folder."""
    process = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def kill(process: subprocess.Popen[str]) -> None:
    with process:
        process.kill()


def test_it_goes_with_its_block(temporary: Path) -> None:
    with pytest.raises(ValueError), _scratch.folder() as folder:
        assert folder.parent == temporary
        (folder / "file").write_text("content")
        raise ValueError
    assert list(temporary.iterdir()) == []


def test_that_of_a_killed_process_goes_with_the_next_and_that_of_a_living_one_stays(temporary: Path) -> None:
    (killed, of_killed), (living, of_living) = owner(), owner()
    try:
        with _scratch.folder():
            assert (of_killed / "a/file").exists()  # it lives
        kill(killed)
        assert (of_killed / "a/file").exists()  # nobody tidied up after it yet
        with _scratch.folder():
            pass
        assert not of_killed.exists()
        assert (of_living / "a/file").exists()
        assert len(list(temporary.iterdir())) == 2  # the living one's folder and lock
    finally:
        kill(killed)
        kill(living)


def test_it_is_not_made_where_others_could_exchange_it(temporary: Path) -> None:
    elsewhere = temporary.parent / "elsewhere"
    elsewhere.mkdir()
    temporary.symlink_to(elsewhere)
    with pytest.raises(RunError, match="set TMPDIR"), _scratch.folder():
        pass
    assert list(elsewhere.iterdir()) == []
    temporary.unlink()
    temporary.mkdir()
    temporary.chmod(0o777)
    with _scratch.folder():
        assert temporary.stat().st_mode & 0o777 == 0o755
    if os.geteuid() == 0:
        os.chown(temporary, 65534, 65534)
        with pytest.raises(RunError, match="another user's"), _scratch.folder():
            pass
