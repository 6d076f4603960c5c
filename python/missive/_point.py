"""One point of a sweep, as any worker runs it: a function of this module, a dictionary in, a
dictionary out, and the work in a child process. Imports nothing heavy: workers start often.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Iterator, Mapping

from missive import _program, _scratch
from missive.errors import Error


def run_point(spec: Mapping[str, Any], home: str | None = None) -> dict[str, Any]:
    """Runs one point.

    ``spec`` has everything, so that a worker on another machine needs only the program: ``key``,
    ``experiment`` (text of the file), ``name`` (of the file, for messages), ``sets``,
    ``parameters`` (text of the file), ``seed``, ``repetition``, ``backend``, ``timeout``.

    ``home`` is the sweep's folder for what is temporary, which the sweep removes whatever becomes of
    its workers. On a machine that does not see it the point makes one of its own; what is left
    of one that is killed goes with the next there.

    Returns ``key``, ``status``, ``seconds``, ``points`` (as in result.json) and ``error`` (None when
    it went well). Never raises for what the child did: a crash is an answer, too.
    """
    begin = time.monotonic()
    try:
        status, points, error = _run(spec, home)
    except (Error, OSError) as failure:
        status, points, error = None, [], f"{failure}"
    return {
        "key": spec["key"],
        "status": status,
        "seconds": time.monotonic() - begin,
        "points": points,
        "error": error,
    }


@contextlib.contextmanager
def _folder(home: str | None) -> Iterator[Path]:
    if home is None or not Path(home).is_dir():
        with _scratch.folder() as own:
            yield own
        return
    with tempfile.TemporaryDirectory(prefix="missive-point-", dir=home) as name:
        yield Path(name)


def run_point_of(file: str, home: str) -> dict[str, Any]:
    """As run_point(), of a specification that lies in a file of this machine."""
    return run_point(json.loads(Path(file).read_text(encoding="utf-8")), home)


def _run(spec: Mapping[str, Any], home: str | None) -> tuple[int | None, list[dict[str, Any]], str | None]:
    with _folder(home) as folder:
        file = folder / spec["name"]
        file.write_text(spec["experiment"], encoding="utf-8")
        words = ["run", str(file), "--out", str(folder / "out"), "--quiet", "--format", "csv"]
        words += ["--backend", spec["backend"], "--seed", str(spec["seed"])]
        parameters = folder / "parameters.json"
        parameters.write_text(spec["parameters"], encoding="utf-8")
        words += ["--parameters", str(parameters)]
        for pointer, value in spec["sets"].items():
            words += ["--set", f"{pointer}={json.dumps(value)}"]
        outcome = _program.start(words, spec["timeout"])
        if outcome.status == _program.INTERRUPTED:
            return outcome.status, [], "interrupted"
        judged = (_program.OK, _program.CLAIM_FAILED, _program.NOT_AVAILABLE)
        result = folder / "out/result.json"
        if outcome.status not in judged or not result.exists():
            message = str(_program.error_of(outcome)).replace(f"{folder}/", "")
            return outcome.status, [], message
        document = json.loads(result.read_text(encoding="utf-8"))
        points = [{**p, "repetition": spec["repetition"]} for p in document["points"]]
        return outcome.status, points, None
