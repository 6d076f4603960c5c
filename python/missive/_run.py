"""missive.run: one experiment, by the program, in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, Iterator, Mapping

from missive import _program, _scratch
from missive.errors import InputError, RunError
from missive.result import Result, load



def plain(value: Any) -> Any:
    """The value with NumPy's scalars and arrays as Python's own, so that it is JSON."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value


def to_json(value: Any, what: str) -> str:
    """JSON text of a value that came from Python."""
    try:
        return json.dumps(plain(value), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"{what}: {error}; write text, numbers, lists or dictionaries") from None


@contextlib.contextmanager
def as_file(experiment: Any) -> Iterator[Path]:
    """The experiment as a file: itself, or a temporary one for a dictionary."""
    if not isinstance(experiment, Mapping):
        yield _program.shipped(experiment)
        return
    text = to_json(experiment, "experiment")
    with _scratch.folder() as folder:
        file = folder / "experiment.json"
        file.write_text(text + "\n", encoding="utf-8")
        try:
            yield file
        except InputError as error:  # its author never saw that file
            raise InputError(str(error).replace(str(file), "experiment")) from None


def options(
    backend: str | None,
    sets: Mapping[str, Any] | None,
    profile: str | None,
    repetitions: int | None,
    seed: int | None,
    parameters: str | os.PathLike[str] | None,
) -> list[str]:
    """Command-line options for what differs from the file."""
    words: list[str] = []
    for pointer, value in (sets or {}).items():
        words += ["--set", f"{pointer}={to_json(value, f'sets[{pointer!r}]')}"]
    for name, option in (
        ("--backend", backend),
        ("--profile", profile),
        ("--repetitions", repetitions),
        ("--seed", seed),
        ("--parameters", None if parameters is None else os.fspath(parameters)),
    ):
        if option is not None:
            words += [name, str(option)]
    return words


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def run(
    experiment: str | os.PathLike[str] | Mapping[str, Any],
    *,
    backend: str | None = None,
    sets: Mapping[str, Any] | None = None,
    profile: str | None = None,
    repetitions: int | None = None,
    seed: int | None = None,
    parameters: str | os.PathLike[str] | None = None,
    jobs: int | None = None,
    out: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
) -> Result:
    """Runs an experiment and gives its result.

    experiment   file, seen from here or among the shipped ones ("experiments/launch.json"), or a
                 dictionary of the same form
    backend      "sim" (predict), "real" (measure) or "both"; default: as the file says
    sets         JSON pointer -> value, {"/temperature": "hot"}; a swept key is fixed
    profile      "kick", "short" or "full"
    repetitions  real launches per point
    seed         start of all random numbers
    parameters   file of parameters, or "reference" (the shipped ones); default: this host's, which
                 are calibrated first (about a minute) when there are none
    jobs         simulated points at a time
    out          folder for result.json and its companions; without it they are not kept
    timeout      seconds until the run is stopped with RunError

    Returns the result also when a tolerance does not hold (``status`` 3) or when some of it cannot
    be judged on this host (``status`` 4). Raises InputError, NotAvailable when nothing can be done
    here, RunError when a part failed (``error.result`` has the rest). Ctrl-C stops the run; what
    was done by then is in ``out``, or in a temporary folder that the message names.
    """
    words = options(backend, sets, profile, repetitions, seed, parameters)
    if jobs is not None:
        words += ["--jobs", str(jobs)]
    keep = out is not None
    stack = contextlib.ExitStack()
    folder = Path(out) if out is not None else stack.enter_context(_scratch.folder())
    file = folder / "result.json"
    before = _stamp(file)
    try:
        with as_file(experiment) as source:
            arguments = ["run", str(source), "--out", str(folder), "--quiet", "--format", "json"]
            outcome = _program.start([*arguments, *words], timeout)
            if outcome.status == _program.BAD_INPUT:
                raise _program.error_of(outcome)
        if outcome.status == _program.INTERRUPTED:
            raise KeyboardInterrupt
        result = None
        if _stamp(file) not in (None, before):
            result = load(folder)
            result.status = outcome.status
            if not keep:
                result.path = None
        judged = (_program.OK, _program.CLAIM_FAILED, _program.NOT_AVAILABLE)
        if result is not None and outcome.status in judged:
            return result
        error = _program.error_of(outcome)
        if isinstance(error, RunError) and result is not None:
            failures = "; ".join(result.summary.get("failures", [])[:3])
            error = RunError(failures or str(error), result)
        raise error
    except KeyboardInterrupt:
        if _stamp(file) in (None, before):
            raise
        stays = folder if keep else _copy_of(folder)
        raise KeyboardInterrupt(f"interrupted; what was done is in {stays}") from None
    finally:
        stack.close()


def _copy_of(folder: Path) -> Path:
    """In a folder that stays."""
    import shutil

    copy = Path(tempfile.mkdtemp(prefix="missive-run-"))
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    return copy
