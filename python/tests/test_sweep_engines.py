"""Sweeps through Dask distributed and MPI, each in a process of its own: 200 points, the same digest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import missive
from missive import _program
from sweep_points import EXPERIMENT, GRID

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def expected() -> str:
    """The digest by one run of all points, no executor."""
    document = json.loads((_program.data_dir() / EXPERIMENT).read_text())
    document["sweep"] = GRID
    del document["profiles"]
    return missive.run(document, backend="sim", parameters="reference").digest


def script(folder: Path, text: str) -> Path:
    file = folder / "script.py"
    file.write_text(text)
    return file


def start(words: list[object], **environment: str) -> dict[str, object]:
    child = subprocess.run(
        list(map(str, words)), capture_output=True, text=True, timeout=280,
        env={**os.environ, "PYTHONPATH": f"{os.environ['PYTHONPATH']}:{HERE}", **environment},
    )  # fmt: skip
    assert child.returncode == 0, child.stdout[-2000:] + child.stderr[-4000:]
    answer: dict[str, object] = json.loads(child.stdout.strip().splitlines()[-1])
    return answer


DASK = """
import missive
from distributed import Client, LocalCluster
from sweep_points import EXPERIMENT, GRID, say

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        say(missive.sweep(EXPERIMENT, GRID, client.get_executor(pure=False), parameters="reference"))
"""


def test_dask(tmp_path: Path, expected: str) -> None:
    pytest.importorskip("distributed", reason="python3-distributed is not installed")
    answer = start([sys.executable, script(tmp_path, DASK)])
    assert answer == {"digest": expected, "points": 200, "errors": []}


MPI = """
import missive
from mpi4py.futures import MPIPoolExecutor
from sweep_points import EXPERIMENT, GRID, say

if __name__ == "__main__":
    with MPIPoolExecutor() as executor:
        say(missive.sweep(EXPERIMENT, GRID, executor, parameters="reference"))
"""


def test_mpi(tmp_path: Path, expected: str) -> None:
    pytest.importorskip("mpi4py", reason="python3-mpi4py is not installed")
    words = ["mpiexec", "--oversubscribe", "-n", 3, sys.executable, "-m", "mpi4py.futures", script(tmp_path, MPI)]
    # Open MPI asks root to say so twice; without it, the test would not run in a container.
    answer = start(words, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    assert answer == {"digest": expected, "points": 200, "errors": []}


CRASH = """
import os, missive
from distributed import Client, LocalCluster
from sweep_points import EXPERIMENT, say

if __name__ == "__main__":
    grid = {"/temperature": ["cold", "hot"], "/verifier": ["mac"], "/origin_link/rtt": ["1ms", "20ms", "50ms"]}
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        say(missive.sweep(EXPERIMENT, grid, client.get_executor(pure=False), parameters="reference"))
"""


def test_a_crash_under_dask_costs_one_point(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="python3-distributed is not installed")
    program = tmp_path / "crashing"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *run*hot*50ms*|*run*50ms*hot*) kill -SEGV $$;; esac\nexec {_program.program()} "$@"\n'
    )
    program.chmod(0o755)
    answer = start([sys.executable, script(tmp_path, CRASH)], MISSIVE_PROGRAM=str(program))
    assert answer["points"] == 5
    assert answer["errors"] == ["missive-sim: ended by SIGSEGV"]
