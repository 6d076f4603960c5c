"""The route of batch schedulers: 4 shards of 200 points, one of them killed and resumed, merged; the same
digest as every other route."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

import missive
from missive import _program
from sweep_points import EXPERIMENT, GRID


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The experiment with the grid as its own sweep, and parameters beside it."""
    folder = tmp_path_factory.mktemp("experiment")
    document = json.loads((_program.data_dir() / EXPERIMENT).read_text())
    del document["profiles"], document["$schema"]
    (folder / "experiment.json").write_text(json.dumps({**document, "sweep": GRID}))
    missive.parameters("reference").save(folder / "parameters.json")
    return folder / "experiment.json"


def start(file: Path, shard: int, out: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [str(_program.program()), "run", str(file), "--backend", "sim", "--quiet", "--shard", f"{shard}/4"]
    command += ["--parameters", str(file.with_name("parameters.json")), "--out", str(out), *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def killed_midway(file: Path, shard: int, folder: Path) -> Path:
    """A folder in which a shard was killed after its first points and before its last."""
    for attempt in range(10):
        out = folder / f"killed{attempt}"
        child = start(file, shard, out)
        deadline = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < deadline:
            if out.is_dir() and sum(p.is_file() and p.suffix == ".json" for p in out.rglob("*")) >= 2:
                child.kill()
                break
        child.communicate()
        if child.returncode == -9 and not (out / "result.json").exists():
            return out
    raise AssertionError("the shard was never caught midway")


def test_four_shards_one_killed_and_resumed_give_the_digest_of_the_pool(file: Path, tmp_path: Path) -> None:
    program = str(_program.program())
    if "--shard" not in subprocess.run([program, "run", "--help"], capture_output=True, text=True).stdout:
        pytest.skip("this program has no --shard")
    outs = {i: tmp_path / f"shard{i}" for i in (1, 3, 4)}
    children = [start(file, i, out) for i, out in outs.items()]
    for child in children:
        _, said = child.communicate()
        assert child.returncode == 0, said
    outs[2] = killed_midway(file, 2, tmp_path)
    resumed = start(file, 2, outs[2], "--resume")
    _, said = resumed.communicate()
    assert resumed.returncode == 0, said
    merged = subprocess.run(
        [program, "merge", *(str(outs[i]) for i in (1, 2, 3, 4)), "--out", str(tmp_path / "whole")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert merged.returncode == 0, merged.stderr
    pool = missive.sweep(EXPERIMENT, GRID, parameters="reference")
    assert pool.complete, pool.errors
    whole = missive.load(tmp_path / "whole")
    assert len(whole.points) == 200
    assert whole.digest == pool.digest
