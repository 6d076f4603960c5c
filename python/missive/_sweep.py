"""Sweeps that outgrow one processor: any ``concurrent.futures.Executor``, one child process a point.

    missive.sweep("experiments/launch.json", {"/image/block_size": ["64KiB"], "/temperature": ["cold", "hot"]})
    missive.sweep(..., executor=dask_client.get_executor(pure=False))        # Dask distributed
    missive.sweep(..., executor=MPIPoolExecutor())    # under mpiexec -n N python3 -m mpi4py.futures

Every point computes with the same parameters, which travel with it, so that every route gives the same
numbers bit for bit (``.digest``).
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import hashlib
import itertools
import json
import os
import tempfile
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Generator, Mapping, Sequence

from missive import _program, _scratch
from missive._point import run_point, run_point_of
from missive._run import as_file, options, plain, to_json
from missive.errors import InputError, NotAvailable, RunError
from missive._parameters import Parameters, parameters as _parameters
from missive.result import Result, digest

if TYPE_CHECKING:
    import pandas

__all__ = ["Sweep", "sweep"]

Answers = Generator[dict[str, Any], None, None]
Submit = Callable[[Executor, dict[str, Any], str], "Future[Any]"]

# How often a point whose worker was lost is given to another one.
RETRIES = 2


class Sweep:
    """What a sweep found: rows for the points that answered, and why the others did not."""

    def __init__(self, name: str, answers: Sequence[Mapping[str, Any]], specs: Sequence[Mapping[str, Any]]) -> None:
        self.name = name
        self._answers = answers
        self._specs = {spec["key"]: spec for spec in specs}

    @property
    def points(self) -> list[Mapping[str, Any]]:
        """Points as in ``result.json``, with ``repetition``, in the order of the grid."""
        return [p for answer in self._answers for p in answer["points"]]

    @property
    def errors(self) -> pandas.DataFrame:
        """One row per point that did not answer: ``repetition``, the swept keys, ``status`` (of the
        program; negative: the signal that ended it; None: it never ran), ``error``."""
        import pandas

        failed = [a for a in self._answers if a["error"] is not None]
        rows = [
            {
                "repetition": self._specs[a["key"]]["repetition"],
                **self._specs[a["key"]]["sets"],
                "status": a["status"],
                "error": a["error"],
            }
            for a in failed
        ]
        keys = list(dict.fromkeys(k for s in self._specs.values() for k in s["sets"]))
        return pandas.DataFrame(rows, columns=["repetition", *keys, "status", "error"])

    @property
    def complete(self) -> bool:
        """Whether every point answered."""
        return len(self._answers) == len(self._specs) and all(a["error"] is None for a in self._answers)

    @property
    def digest(self) -> str:
        """SHA-256 over every simulated value; see :func:`missive.digest`."""
        return digest(self.points)

    @property
    def seconds(self) -> float:
        """Time of all children together."""
        return float(sum(a["seconds"] for a in self._answers))

    def frame(self) -> pandas.DataFrame:
        """As :meth:`missive.Result.frame`, with the column ``repetition`` after ``label``."""
        import pandas

        document = {"experiment": {"name": self.name}, "points": self.points, "context": {}, "summary": {}}
        frame = Result(document).frame()
        repetition = {id(p): p["repetition"] for p in self.points}
        column = [repetition[id(p)] for p in self.points for _ in p["metrics"]]
        frame.insert(2, "repetition", pandas.Series(column, dtype="int64"))
        return frame

    def __repr__(self) -> str:
        failed = sum(a["error"] is not None for a in self._answers)
        state = f", {failed} failed" if failed else ""
        return f"<missive.Sweep {self.name}: {len(self._answers)} of {len(self._specs)} points{state}>"


def sweep(
    experiment: str | os.PathLike[str] | Mapping[str, Any],
    grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]] | None = None,
    executor: Executor | None = None,
    *,
    repetitions: int = 1,
    backend: str = "sim",
    profile: str | None = None,
    seed: int | None = None,
    parameters: str | os.PathLike[str] | Parameters | None = None,
    on_error: str = "record",
    timeout: float | None = 600.0,
    out: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Sweep:
    """Runs an experiment at every point of a grid, each in a child process of its own.

    grid         JSON pointer -> values, every combination of them; or a list of dictionaries pointer
                 -> value, one for each point. Axes of the file's own sweep that the grid does not
                 name are swept, too; None is the file's sweep alone
    executor     any concurrent.futures.Executor; default: a process pool with one worker a core
    repetitions  how often each point is run; repetition 0 has the seed of the experiment, the others
                 one that is derived from it and the point, never from a position in the grid
    backend      "sim"; "real" and "both" only without an executor, one point after the other: two
                 launches on one machine disturb each other
    parameters   as for :func:`missive.run`, or a Parameters; read once, the same for all points.
                 Default: what the file asks for, else this host's, else the shipped reference
    on_error     "record": points that fail are rows of ``.errors``; "raise": the first one is raised
    timeout      seconds a point may take
    out          folder that keeps each point's answer as a file; points found there are not run again
    progress     called with (done, all) after each point

    A child that crashes costs its point, a lost worker is replaced (its points are given out again,
    up to twice). Ctrl-C cancels what has not begun; with ``out`` the next call goes on from there.
    """
    if on_error not in ("record", "raise"):
        raise InputError(f"on_error='{on_error}': there is 'record' and 'raise'")
    if backend != "sim" and executor is not None:
        raise InputError(
            f"backend='{backend}' with an executor: launches that run at the same time disturb each "
            "other; leave the executor out, or use backend='sim'"
        )
    _refuse_lonely_mpi(executor)
    specs = _specs(experiment, grid, repetitions, backend, profile, seed, parameters, timeout)
    store = _Store(Path(out) if out is not None else None)
    answers: dict[str, dict[str, Any]] = {}
    for spec in specs:
        if (kept := store.read(spec["key"])) is not None:
            answers[spec["key"]] = kept
    todo = [spec for spec in specs if spec["key"] not in answers]
    # One folder for all that is temporary: a worker that is killed cannot tidy up after itself. The
    # workers are gone (closing) before it goes, but for those of another's executor that are running.
    with _scratch.folder() as home:
        with contextlib.closing(_answers(todo, executor, backend, str(home))) as found:
            for answer in found:
                if answer["error"] is not None and on_error == "raise":
                    raise RunError(f"{_label(specs, answer['key'])}: {answer['error']}")
                answers[answer["key"]] = answer
                store.write(answer)
                if progress is not None:
                    progress(len(answers), len(specs))
    name = specs[0]["name"].removesuffix(".json")
    return Sweep(name, [answers[s["key"]] for s in specs], specs)


def _label(specs: Sequence[Mapping[str, Any]], key: str) -> str:
    sets = next(s["sets"] for s in specs if s["key"] == key)
    return ", ".join(f"{k}={v}" for k, v in sets.items()) or "the only point"


def _refuse_lonely_mpi(executor: Executor | None) -> None:
    """Outside mpiexec an MPI pool tries to spawn its workers and may wait for slots for ever."""
    if executor is None or not type(executor).__module__.startswith("mpi4py"):
        return
    variables = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK", "SLURM_NTASKS")
    if not any(v in os.environ for v in variables):
        raise InputError(
            "an MPI executor outside mpiexec can wait for ever; start the script with: "
            "mpiexec -n N python3 -m mpi4py.futures SCRIPT"
        )


def _pinned(parameters: str | os.PathLike[str] | Parameters | None, effective: Mapping[str, Any]) -> str:
    """The text of one parameter file for all points."""
    if isinstance(parameters, Parameters):
        return parameters.to_json()
    if parameters is None:
        try:
            if (effective.get("parameters") or {}).get("from") == "reference":
                return _parameters("reference").to_json()
            return _parameters().to_json()
        except NotAvailable:
            parameters = "reference"
    return _parameters(parameters).to_json()


def _specs(
    experiment: str | os.PathLike[str] | Mapping[str, Any],
    grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]] | None,
    repetitions: int,
    backend: str,
    profile: str | None,
    seed: int | None,
    parameters: str | os.PathLike[str] | Parameters | None,
    timeout: float | None,
) -> list[dict[str, Any]]:
    if repetitions < 1:
        raise InputError(f"repetitions={repetitions}: at least 1")
    with as_file(experiment) as file:
        words = options(None, None, profile, None, seed, None)
        effective = json.loads(_program.ask(["show", str(file), *words]))
    effective.pop("profiles", None)
    combinations = _combinations(grid, effective)
    base_seed = int(effective["seed"])
    text = json.dumps(effective)
    pinned = _pinned(parameters, effective)
    specs = []
    for sets in combinations:
        identity = json.dumps(sets, sort_keys=True)
        for repetition in range(repetitions):
            spec: dict[str, Any] = {
                "experiment": text,
                "name": f"{effective['name']}.json",
                "sets": sets,
                "parameters": pinned,
                "seed": base_seed if repetition == 0 else _seed(base_seed, identity, repetition),
                "repetition": repetition,
                "backend": backend,
                "timeout": timeout,
            }
            spec["key"] = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:24]
            specs.append(spec)
    if len({s["key"] for s in specs}) != len(specs):
        raise InputError("grid: two of its points are the same; remove one of the equal values")
    return specs


def _seed(base: int, identity: str, repetition: int) -> int:
    text = f"{base} {repetition} {identity}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:6], "little")


def _combinations(
    grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]] | None, effective: dict[str, Any]
) -> list[dict[str, Any]]:
    """Pointer -> value for each point: the grid, and the file's own axes that it does not name."""
    axes: dict[str, list[Any]] = dict(effective.pop("sweep", None) or {})
    excluded: list[dict[str, Any]] = effective.pop("exclude", None) or []
    rows: list[dict[str, Any]]
    if grid is None:
        rows = [{}]
    elif isinstance(grid, Mapping):
        for pointer, values in grid.items():
            if isinstance(values, (str, bytes)) or not hasattr(values, "__iter__"):
                raise InputError(f"grid['{pointer}']: give a list of values, not {values!r}")
        rows = [dict(zip(grid, values)) for values in itertools.product(*grid.values())]
    else:
        rows = [dict(row) for row in grid]
    made = []
    for row in rows:
        to_json(row, "grid")
        own = {k: v for k, v in axes.items() if k not in row}
        for values in itertools.product(*own.values()):
            point = {**dict(zip(own, values)), **plain(row)}
            if not any(all(k in point and point[k] == v for k, v in e.items()) for e in excluded):
                made.append(point)
    if not made:
        raise InputError("grid: no point is left; give every axis at least one value")
    return made


class _Store:
    """Answers kept as files, one a point, each complete or not there."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder is None:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError as error:
            raise InputError(f"{folder}: results cannot be written there: {error.strerror}; name another folder") from None

    def read(self, key: str) -> dict[str, Any] | None:
        """A kept answer. Failures are not kept as such: the point is run again."""
        if self._folder is None:
            return None
        try:
            answer: dict[str, Any] = json.loads((self._folder / f"point-{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return answer if answer.get("key") == key and answer.get("error") is None else None

    def write(self, answer: Mapping[str, Any]) -> None:
        if self._folder is None:
            return
        file = self._folder / f"point-{answer['key']}.json"
        temporary = file.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(answer), encoding="utf-8")
        temporary.replace(file)


def _answers(specs: list[dict[str, Any]], executor: Executor | None, backend: str, home: str) -> Answers:
    if backend != "sim":
        for spec in specs:
            yield run_point(spec, home)
    elif executor is not None:
        yield from _through(executor, specs, home)
    else:
        yield from _through_pools(specs, home)


def _lost(spec: Mapping[str, Any], error: BaseException) -> dict[str, Any]:
    text = f"its worker was lost ({type(error).__name__}" + (f": {error})" if str(error) else ")")
    return {"key": spec["key"], "status": None, "seconds": 0.0, "points": [], "error": text}


def _submit_text(executor: Executor, spec: dict[str, Any], home: str) -> Future[Any]:
    return executor.submit(run_point, spec, home)


def _submit_file(executor: Executor, spec: dict[str, Any], home: str) -> Future[Any]:
    """For pools of processes on this machine. When a worker is killed, what lies in the pool's queue has to
    fit into a pipe, or the pool waits for ever (https://github.com/python/cpython/issues/94777)."""
    file = Path(home) / f"spec-{spec['key']}.json"
    file.write_text(json.dumps(spec), encoding="utf-8")
    return executor.submit(run_point_of, str(file), home)


def _submit(executor: Executor, specs: Sequence[dict[str, Any]], home: str, submit: Submit) -> tuple[dict[Future[Any], dict[str, Any]], list[tuple[dict[str, Any], BaseException]]]:
    """Futures, and what could not even be submitted."""
    futures: dict[Future[Any], dict[str, Any]] = {}
    refused: list[tuple[dict[str, Any], BaseException]] = []
    for spec in specs:
        try:
            futures[submit(executor, spec, home)] = spec
        except Exception as error:  # a broken pool refuses work
            refused.append((spec, error))
    return futures, refused


def _collect(
    executor: Executor, specs: Sequence[dict[str, Any]], home: str, submit: Submit, lost: list[tuple[dict[str, Any], BaseException]]
) -> Answers:
    """Answers as they come; points whose worker was lost go to ``lost``."""
    futures, refused = _submit(executor, specs, home, submit)
    lost += refused
    try:
        for future in concurrent.futures.as_completed(futures):
            try:
                yield future.result()
            except (KeyboardInterrupt, GeneratorExit):
                raise
            except BaseException as error:  # of the engine: run_point itself never raises
                lost.append((futures[future], error))
    except BaseException:
        for future in futures:
            future.cancel()
        raise


def _through(executor: Executor, specs: Sequence[dict[str, Any]], home: str) -> Answers:
    """An executor of the caller's: points of lost workers are submitted again, while it takes any."""
    todo, lost = list(specs), []  # type: ignore[var-annotated]
    for _ in range(1 + RETRIES):
        lost = []
        yield from _collect(executor, todo, home, _submit_text, lost)
        todo = [spec for spec, _ in lost]
        if not todo:
            return
    for spec, error in lost:
        yield _lost(spec, error)


def _through_pools(specs: Sequence[dict[str, Any]], home: str) -> Answers:
    """Process pools of our own. One lost worker breaks a pool for good: the next one takes over. What
    brought several down goes to a pool of one worker, so that it takes no others with it."""
    workers = os.cpu_count() or 1
    todo, lost = list(specs), []  # type: ignore[var-annotated]
    for attempt in range(1 + RETRIES):
        lost = []
        batches = [todo] if attempt < RETRIES else [[spec] for spec in todo]
        for batch in batches:
            pool = ProcessPoolExecutor(min(workers, len(batch)))
            try:
                yield from _collect(pool, batch, home, _submit_file, lost)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        todo = [spec for spec, _ in lost]
        if not todo:
            return
    for spec, error in lost:
        yield _lost(spec, error)
