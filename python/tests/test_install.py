"""The package where users meet it: installed, from any folder, and with the wrong interpreter."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import missive

BUILD = Path(missive.__file__).parents[2]


def clean(**more: str) -> dict[str, str]:
    """The environment without what points at the build folder."""
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "MISSIVE_DATA_DIR", "MISSIVE_PROGRAM")}
    return {**kept, **more}


def test_an_installed_package_finds_its_program_and_data_from_any_folder(tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    said = subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], capture_output=True, text=True, check=True).stdout
    (package,) = prefix.glob("lib/python3*/*-packages/missive")
    assert f"PYTHONPATH={package.parent}" in said  # nobody would find it there
    assert {"py.typed", "_missive.pyi", "__init__.py", "_where.py"} <= {p.name for p in package.iterdir()}
    moved = tmp_path / "elsewhere"  # an installation may be moved as a whole
    shutil.move(prefix, moved)
    line = (
        "import missive; from missive import _program; "
        "r = missive.run('experiments/launch.json', backend='sim', parameters='reference'); "
        "print(len(r.frame()), r.digest, _program.program(), _program.data_dir())"
    )
    done = subprocess.run(
        [sys.executable, "-c", line], capture_output=True, text=True, cwd="/",
        env=clean(PYTHONPATH=str(moved / package.parent.relative_to(prefix))),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows, digest, program, data = done.stdout.split()
    assert int(rows) > 24
    assert digest == missive.run("experiments/launch.json", backend="sim", parameters="reference").digest
    assert Path(program) == moved / "bin/missive-sim" and Path(data) == moved / "share/missive-sim"


def test_the_wrong_interpreter_is_told_which_is_right() -> None:
    # Without site-packages no NumPy is found, as in an interpreter that is not the distribution's.
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import missive"], capture_output=True, text=True,
        env=clean(PYTHONPATH=str(BUILD / "python")),
    )  # fmt: skip
    last = done.stderr.strip().splitlines()[-1]
    if "numpy" not in last:
        pytest.skip("this interpreter finds NumPy without site-packages")
    assert done.returncode == 1
    for text in ("ImportError: missive:", sys.executable, "apt-get install python3-numpy", "/usr/bin/python3"):
        assert text in last


def test_the_source_folder_says_that_it_was_not_built(source: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import missive"], capture_output=True, text=True, env=clean(PYTHONPATH=str(source / "python"))
    )
    assert done.returncode == 1
    assert "this is the source folder, use build/PRESET/python" in done.stderr.strip().splitlines()[-1]


def test_without_a_program_the_models_still_work_and_runs_say_what_is_missing(tmp_path: Path) -> None:
    package = tmp_path / "missive"
    shutil.copytree(BUILD / "python/missive", package)
    line = (
        "import missive\n"
        "p = missive.Parameters({'gmac.call_s': missive.Parameter(1.0, 's', 'assumed', 'x', 1.0, 1.0), "
        "'gmac.byte_s': missive.Parameter(0.0, 's', 'assumed', 'x', 0.0, 0.0)})\n"
        "assert missive.costs.seconds('gmac', 2, parameters=p) == 2.0\n"
        "try: missive.run('x.json')\n"
        "except missive.NotAvailable as e: print(e)\n"
        "try: missive.published()\n"
        "except missive.NotAvailable as e: print(e)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", line], capture_output=True, text=True, env=clean(PYTHONPATH=str(tmp_path), PATH="/usr/bin:/bin")
    )
    assert done.returncode == 0, done.stderr
    assert "set MISSIVE_PROGRAM" in done.stdout and "set MISSIVE_DATA_DIR" in done.stdout
