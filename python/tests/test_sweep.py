"""Sweeps on one machine: every way of running the points gives the same numbers, and what goes wrong
costs what it must and no more."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

import missive
from missive import _program, _scratch
from sweep_points import EXPERIMENT, GRID

SMALL = {"/temperature": ["cold", "hot"], "/origin_link/rtt": ["1ms", "20ms", "50ms"]}
FIXED = {"/verifier": ["mac"], "/delivery": ["fuse"]}


def small(**more: object) -> missive.Sweep:
    return missive.sweep(EXPERIMENT, {**SMALL, **FIXED}, parameters="reference", **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def expected() -> str:
    """The digest by one child for all points at once: no executor, no sweep."""
    import json

    document = json.loads((_program.data_dir() / EXPERIMENT).read_text())
    document["sweep"] = {**SMALL, **FIXED}
    del document["profiles"]
    return missive.run(document, backend="sim", parameters="reference").digest


def test_pool_threads_and_one_run_agree_bit_for_bit(expected: str) -> None:
    done: list[tuple[int, int]] = []
    pool = small(progress=lambda n, of: done.append((n, of)))
    assert pool.digest == expected
    assert done == [(i, 6) for i in range(1, 7)]
    assert pool.complete and len(pool.errors) == 0 and len(pool.points) == 6
    with ThreadPoolExecutor(2) as threads:
        assert small(executor=threads).digest == expected
    with ProcessPoolExecutor(1) as processes:
        assert small(executor=processes).digest == expected


def test_the_frame_has_every_point_and_repetition() -> None:
    sweep = small(repetitions=2)
    frame = sweep.frame()
    assert list(frame.columns[:3]) == ["point", "label", "repetition"]
    assert frame.groupby("repetition").point.nunique().to_dict() == {0: 6, 1: 6}
    assert not frame.duplicated(["point", "metric", "repetition"]).any()
    assert sorted(set(frame["origin_link.rtt"])) == pytest.approx([0.001, 0.02, 0.05])


def test_order_and_neighbours_of_a_point_change_nothing_of_it() -> None:
    few = missive.sweep(EXPERIMENT, {"/origin_link/rtt": ["50ms", "1ms"], "/temperature": ["cold"], **FIXED},
                        parameters="reference", repetitions=2)  # fmt: skip
    more = small(repetitions=2)
    values = more.frame().set_index(["point", "repetition", "metric"]).simulated
    for row in few.frame().itertuples():
        assert values[row.point, row.repetition, row.metric] == row.simulated


def test_a_list_of_points_is_a_grid_and_the_files_own_sweep_is_swept() -> None:
    sweep = missive.sweep(EXPERIMENT, [{"/temperature": "hot"}, {"/temperature": "cold", "/verifier": "mac"}],
                          parameters="reference")  # fmt: skip
    labels = sorted((p["parameters"]["temperature"], p["parameters"]["verifier"]) for p in sweep.points)
    assert labels == [("cold", "mac"), ("hot", "mac"), ("hot", "sha256")]


def test_a_crash_costs_one_point(fake_program, tmp_path: Path, expected: str) -> None:
    real = _program.program()
    fake_program(f'case "$*" in *run*1ms*hot*|*run*hot*1ms*) kill -SEGV $$;; esac; exec {real} "$@"\n')
    sweep = small(out=tmp_path / "out")
    assert len(sweep.points) == 5 and not sweep.complete
    error = sweep.errors.iloc[0]
    assert error["/temperature"] == "hot" and error["/origin_link/rtt"] == "1ms"
    assert error.status == -11 and "SIGSEGV" in error.error
    with pytest.raises(missive.RunError, match="/origin_link/rtt=1ms.*SIGSEGV"):
        small(on_error="raise")
    # Run again after the repair: only the failed point is computed, and nothing shows.
    fake_program(f'[ "$1" = show ] || echo x >> {tmp_path}/calls; exec {real} "$@"\n')
    assert small(out=tmp_path / "out").digest == expected
    assert (tmp_path / "calls").read_text().count("x") == 1


def test_a_worker_that_dies_is_replaced(fake_program, tmp_path: Path, expected: str) -> None:
    # The child kills its parent, the pool's worker, the first time; the pool is broken for good then.
    real = _program.program()
    fake_program(
        f'if [ "$1" = run ] && mkdir {tmp_path}/once 2>/dev/null; then kill -KILL $PPID; sleep 5; fi; exec {real} "$@"\n'
    )
    assert small().digest == expected
    assert (tmp_path / "once").exists()


def test_workers_that_die_beside_a_full_queue_are_replaced(fake_program, tmp_path: Path) -> None:
    # More than a pipe holds waits for the workers that are killed.
    import json

    document = json.loads((_program.data_dir() / EXPERIMENT).read_text())
    document["description"] = "long " * 40_000
    file = tmp_path / "long.json"
    file.write_text(json.dumps(document))
    real = _program.program()
    fake_program(f'if [ "$1" = run ] && mkdir {tmp_path}/once 2>/dev/null; then sleep 1; kill -KILL $PPID; sleep 5; fi; [ "$1" != run ] || sleep 2; exec {real} "$@"\n')
    sweep = missive.sweep(file, {**SMALL, **FIXED}, parameters="reference")
    assert sweep.complete and len(sweep.points) == 6
    assert (tmp_path / "once").exists()


def test_a_point_that_kills_every_worker_takes_no_other_with_it(fake_program) -> None:
    real = _program.program()
    fake_program(f'case "$*" in *run*hot*50ms*|*run*50ms*hot*) kill -KILL $PPID; sleep 5;; esac; exec {real} "$@"\n')
    sweep = small()
    assert len(sweep.points) == 5
    assert "worker was lost" in sweep.errors.iloc[0].error
    assert sweep.errors.iloc[0].status is None


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for what is temporary."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def left(temporary: Path) -> list[Path]:
    """What lies in it, beside the folder for working folders, which stays."""
    return [p for p in temporary.rglob("*") if p != _scratch.parent()]


def test_killed_workers_leave_nothing_behind(fake_program, temporary: Path) -> None:
    seen = temporary.parent / "seen"
    real = _program.program()
    fake_program(f'[ "$1" = run ] && {{ ls -d {temporary}/*/*/* >> {seen}; kill -KILL $PPID; sleep 5; }}; exec {real} "$@"\n')
    assert len(small().errors) == 6
    assert "missive-point-" in seen.read_text()  # they were there
    assert left(temporary) == []


def test_an_interrupted_sweep_leaves_nothing_behind(temporary: Path) -> None:
    def interrupt(done: int, all_of_them: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small(progress=interrupt)
    assert left(temporary) == []


def test_a_worker_that_does_not_see_the_sweeps_folder_makes_its_own(expected: str, temporary: Path) -> None:
    class Elsewhere(ThreadPoolExecutor):
        def submit(self, fn, /, spec, home):  # type: ignore[no-untyped-def]
            assert Path(home).is_dir()
            return super().submit(fn, spec, f"{home}-of-another-machine")

    with Elsewhere(2) as executor:
        assert small(executor=executor).digest == expected
    assert left(temporary) == []


class Losing(ThreadPoolExecutor):
    """An executor that answers some calls with a lost worker."""

    def __init__(self, losses: int) -> None:
        super().__init__(2)
        self.losses = losses

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        if self.losses > 0:
            self.losses -= 1
            future: Future[object] = Future()
            future.set_exception(RuntimeError("worker gone"))
            return future
        return super().submit(fn, *args, **kwargs)


def test_points_of_lost_workers_go_to_others_and_not_for_ever(expected: str) -> None:
    with Losing(3) as executor:
        assert small(executor=executor).digest == expected
    with Losing(10**6) as executor:
        sweep = small(executor=executor)
    assert len(sweep.points) == 0
    assert set(sweep.errors.error) == {"its worker was lost (RuntimeError: worker gone)"}


def test_points_found_in_the_folder_are_not_run_again_and_half_files_are(tmp_path: Path, expected: str) -> None:
    assert small(out=tmp_path).digest == expected
    kept = sorted(tmp_path.glob("point-*.json"))
    assert len(kept) == 6 and len(list(tmp_path.iterdir())) == 6
    kept[0].write_text(kept[0].read_text()[:100])
    kept[1].unlink()
    times = {p: p.stat().st_mtime_ns for p in kept[2:]}
    assert small(out=tmp_path).digest == expected
    assert {p: p.stat().st_mtime_ns for p in kept[2:]} == times
    # Other parameters are other points: nothing old is taken for new.
    slower = missive.parameters("reference").changed(**{"gmac.byte_s": 1e-9})
    other = missive.sweep(EXPERIMENT, {**SMALL, **FIXED}, parameters=slower, out=tmp_path)
    assert other.digest != expected and len(list(tmp_path.iterdir())) == 12


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: missive.sweep(EXPERIMENT, {"/temperature": "hot"}), "give a list of values"),
        (lambda: missive.sweep(EXPERIMENT, {"/temperature": []}), "no point is left"),
        (lambda: missive.sweep(EXPERIMENT, {"/temperature": ["hot", "hot"]}), "two of its points are the same"),
        (lambda: missive.sweep(EXPERIMENT, on_error="ignore"), "'record' and 'raise'"),
        (lambda: missive.sweep(EXPERIMENT, repetitions=0), "at least 1"),
        (lambda: missive.sweep(EXPERIMENT, parameters="/nowhere"), "/nowhere"),
        (lambda: missive.sweep(EXPERIMENT, out="/proc/nowhere"), "cannot be written"),
        (lambda: missive.sweep(EXPERIMENT, backend="real", executor=ThreadPoolExecutor(1)), "disturb each other"),
    ],
)
def test_bad_input_is_said_before_anything_runs(call, message: str) -> None:
    with pytest.raises(missive.InputError, match=message):
        call()


def test_wrong_values_of_a_grid_are_errors_of_their_points() -> None:
    sweep = missive.sweep(EXPERIMENT, {"/temperature": ["hot", "lukewarm"], **FIXED}, parameters="reference")
    assert len(sweep.points) == 1
    error = sweep.errors.iloc[0]
    assert error.status == 2 and "lukewarm" in error.error and "/tmp" not in error.error


def test_a_point_that_takes_too_long_is_an_error(fake_program) -> None:
    real = _program.program()
    fake_program(f'case "$*" in *run*hot*) sleep 60;; esac; exec {real} "$@"\n')
    begin = time.monotonic()
    grid = {"/temperature": ["cold", "hot"], **FIXED}
    sweep = missive.sweep(EXPERIMENT, grid, parameters="reference", timeout=3)
    assert "no end within 3 s" in sweep.errors.iloc[0].error
    assert time.monotonic() - begin < 50


class MPIPoolExecutor(ThreadPoolExecutor):
    """Looks like mpi4py's to the check."""


def test_an_mpi_pool_outside_mpiexec_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK", "SLURM_NTASKS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(MPIPoolExecutor, "__module__", "mpi4py.futures.pool")
    with MPIPoolExecutor(1) as executor, pytest.raises(missive.InputError, match="mpiexec -n N"):
        small(executor=executor)


HERE = Path(__file__).parent


def route(words: list[str], script: str, **environment: str) -> dict[str, object]:
    import json

    text = "import missive\nfrom sweep_points import *\n" + script
    child = subprocess.run(
        [*words, text],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "PYTHONPATH": f"{os.environ['PYTHONPATH']}:{HERE}", **environment},
    )
    assert child.returncode == 0, child.stderr[-2000:]
    answer: dict[str, object] = json.loads(child.stdout.strip().splitlines()[-1])
    return answer


def test_200_points_through_the_pool_and_in_one_run() -> None:
    import json

    document = json.loads((_program.data_dir() / EXPERIMENT).read_text())
    document["sweep"] = GRID
    del document["profiles"]
    one = missive.run(document, backend="sim", parameters="reference")
    pool = missive.sweep(EXPERIMENT, GRID, parameters="reference")
    assert len(one.points) == len(pool.points) == 200 and pool.complete
    assert pool.digest == one.digest


def test_a_main_module_without_guard_can_sweep() -> None:
    answer = route([sys.executable, "-c"], f"say(missive.sweep(EXPERIMENT, {({**SMALL, **FIXED})!r}, parameters='reference'))")
    assert answer["points"] == 6
