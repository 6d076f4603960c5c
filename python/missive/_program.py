"""Starts the program. Every simulation and every measurement runs in a process of its own: SimGrid's
engine is a singleton whose clock does not start again at zero, and a crash must not take the
interpreter with it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from missive.errors import Error, InputError, NotAvailable, RunError

try:
    from missive import _where
except ImportError:  # the source tree itself, not built
    _where = None  # type: ignore[assignment]

OK, RUN_FAILED, BAD_INPUT, CLAIM_FAILED, NOT_AVAILABLE, INTERRUPTED = 0, 1, 2, 3, 4, 130
# How long an interrupted program may take to write what it has, in seconds.
GRACE = 10.0


def program() -> Path:
    """The program: ``$MISSIVE_PROGRAM``, else the one this package was built or installed with,
    else ``missive-sim`` on the path."""
    named = os.environ.get("MISSIVE_PROGRAM")
    if named:
        if not os.access(named, os.X_OK):
            raise InputError(f"MISSIVE_PROGRAM={named}: not a program; name missive-sim or unset it")
        return Path(named)
    if _where is not None:
        beside = (Path(__file__).parent / _where.PROGRAM).resolve()
        if os.access(beside, os.X_OK):
            return beside
    found = shutil.which("missive-sim")
    if found:
        return Path(found)
    raise NotAvailable(
        "missive-sim: the program is neither beside this package nor on the path; "
        "build it (make build) or set MISSIVE_PROGRAM"
    )


def data_dir() -> Path:
    """The folder that holds ``experiments/`` and ``traces/``."""
    named = os.environ.get("MISSIVE_DATA_DIR")
    candidates = [Path(named)] if named else []
    if not named and _where is not None:
        candidates.append((Path(__file__).parent / _where.DATA).resolve())
    for candidate in candidates:
        if (candidate / "experiments/schema/experiment.schema.json").exists():
            return candidate
    looked = ", ".join(map(str, candidates)) or "nothing"
    raise NotAvailable(
        f"the project's data (experiments/) is not in {looked}; "
        "set MISSIVE_DATA_DIR to the folder that holds experiments/"
    )


@dataclass(frozen=True)
class Outcome:
    """How a child ended. ``status`` is negative when a signal ended it."""

    status: int
    out: str
    err: str

    def line(self) -> str:
        """What it said is wrong, without the program's name in front."""
        text = self.err.strip() or self.out.strip()
        lines = [line.removeprefix("missive-sim: ") for line in text.splitlines()]
        return "\n".join(lines[-20:])


def start(arguments: Sequence[str], timeout: float | None = None) -> Outcome:
    """Runs the program to its end.

    The child leads a process group of its own and dies with this process. Ctrl-C (or any other
    exception here) reaches it as SIGINT, so that it can write what it has; what is left of the
    group after GRACE seconds is killed.
    """
    command = [str(program()), *arguments]
    dying = shutil.which("setpriv")  # util-linux; prctl(2), PR_SET_PDEATHSIG
    if dying:
        command = [dying, "--pdeathsig", "TERM", *command]
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = child.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        stop(child)
        raise RunError(f"missive-sim: no end within {timeout:g} s; it was stopped") from None
    except BaseException:
        stop(child)
        raise
    return Outcome(child.returncode, out, err)


def stop(child: subprocess.Popen[str]) -> None:
    """Ends the child and everything in its group. A second Ctrl-C does not wait."""
    try:
        os.killpg(child.pid, signal.SIGINT)
        child.communicate(timeout=GRACE)
    except subprocess.TimeoutExpired:
        pass
    except ProcessLookupError:
        pass
    finally:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.communicate()


def error_of(outcome: Outcome) -> Error:
    """The exception that stands for a child's failure."""
    line = outcome.line()
    if outcome.status == BAD_INPUT:
        return InputError(line)
    if outcome.status == NOT_AVAILABLE:
        return NotAvailable(line)
    if outcome.status < 0:
        name = signal.Signals(-outcome.status).name
        return RunError(f"missive-sim: ended by {name}" + (f" ({line})" if line else ""))
    return RunError(line or f"missive-sim: ended with status {outcome.status} and said nothing")


def ask(arguments: Sequence[str], timeout: float | None = None) -> str:
    """Standard output of a run that has to end well."""
    outcome = start(arguments, timeout)
    if outcome.status == INTERRUPTED:
        raise KeyboardInterrupt
    if outcome.status != OK:
        raise error_of(outcome)
    return outcome.out


def shipped(name: str | os.PathLike[str]) -> Path:
    """The file or folder of that name, seen from here, else among the shipped ones, so that
    ``experiments/launch.json`` works from any folder."""
    path = Path(name)
    if not path.exists() and not path.is_absolute():
        try:
            other = data_dir() / path
        except NotAvailable:
            return path
        if other.exists():
            return other
    return path
