"""Figures: drawn from result files alone, the same bytes every time, with fonts that papers may have."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import missive

HERE = Path(__file__).resolve().parent
RECORDED = HERE.parent / "experiments/recorded"
FIGURES = {
    "launch_phases": "launch",
    "error_scatter": "launch",
    "cache_cost": "launch",
    "isolation": "isolation-table",
    "structure": "zar-block-size",
    "commonality": "commonality",
}


def draw(name: str, result: Path, out: Path) -> int:
    """Runs a script in this process; gives its exit status."""
    before = sys.argv, sys.path[:], warnings.filters[:]
    sys.argv = [f"{name}.py", str(result), "--out", str(out)]
    sys.path.insert(0, str(HERE))
    try:
        warnings.simplefilter("error")  # a layout that does not fit is only a warning
        runpy.run_path(str(HERE / f"{name}.py"), run_name="__main__")
        return 0
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv, sys.path[:], warnings.filters[:] = before


ALL = """
import runpy, sys
out, here, recorded = sys.argv[1:4]
sys.path.insert(0, here)
for pair in sys.argv[4:]:
    name, result = pair.split("=")
    sys.argv = [name, f"{recorded}/{result}", "--out", out]
    runpy.run_path(f"{here}/{name}.py", run_name="__main__")
"""


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Folders with every figure, drawn by two processes in different places, times and languages."""
    folders = []
    for environment in ({}, {"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "7", "LC_ALL": "C"}):
        folder = tmp_path_factory.mktemp("figures")
        pairs = [f"{name}={result}" for name, result in FIGURES.items()]
        done = subprocess.run(
            [sys.executable, "-c", ALL, str(folder), str(HERE), str(RECORDED), *pairs],
            capture_output=True, text=True, cwd=folder, env={**os.environ, **environment},
        )  # fmt: skip
        assert done.returncode == 0 and done.stderr == "", done.stderr
        folders.append(folder)
    return folders[0], folders[1]


def test_every_script_is_tested() -> None:
    scripts = {p.stem for p in HERE.glob("*.py")} - {"figures", "test_figures"}
    assert scripts == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_bytes_twice_and_at_another_time_and_place(name: str, twice: tuple[Path, Path]) -> None:
    for kind in ("svg", "pdf"):
        first, second = ((folder / f"{name}.{kind}").read_bytes() for folder in twice)
        assert first == second, kind
        assert len(first) > 5000
        assert str(twice[0]).encode() not in first
    pdf, svg = ((twice[0] / f"{name}.{kind}").read_bytes() for kind in ("pdf", "svg"))
    assert b"/Type3" not in pdf.replace(b" ", b"") and b"/CreationDate" not in pdf
    assert b"<dc:date>" not in svg


def test_numbers_of_the_result_are_in_the_picture(twice: tuple[Path, Path], tmp_path: Path) -> None:
    document = json.loads((RECORDED / "launch/result.json").read_text())
    for point in document["points"]:
        for metric in point["metrics"]:
            if metric["name"] == "verify" and metric["simulated"] is not None:
                metric["simulated"] *= 2
    (tmp_path / "changed").mkdir()
    (tmp_path / "changed/result.json").write_text(json.dumps(document))
    for name in ("launch_phases", "error_scatter"):
        assert draw(name, tmp_path / "changed", tmp_path / "out") == 0
        assert (twice[0] / f"{name}.svg").read_bytes() != (tmp_path / f"out/{name}.svg").read_bytes()


def test_a_result_with_one_world_only_is_drawn_or_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missive.run(
        "experiments/launch.json", backend="sim", parameters="reference", sets={"/temperature": "hot"}, out=tmp_path / "sim"
    )
    for name in ("launch_phases", "cache_cost"):
        assert draw(name, tmp_path / "sim", tmp_path / "out") == 0
    capsys.readouterr()
    assert draw("error_scatter", tmp_path / "sim", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "--backend both" in said


@pytest.mark.parametrize("name", FIGURES)
def test_wrong_files_are_one_line_and_status_two(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cases = [tmp_path / "nowhere"]
    if name != "error_scatter":  # which takes results of every kind
        cases.append(RECORDED / ("isolation-table" if FIGURES[name] == "launch" else "launch"))
    for result in cases:
        assert draw(name, result, tmp_path / "out") == 2
        assert capsys.readouterr().err.count("\n") == 1


CUTS = ("zar-blocks-vs-strings", "zar-versions")
QUESTIONS = {
    "zar-packing": "structure",
    "zar-merkle-degree": "structure",
    "zar-placement": "structure",
    "updates": "structure",
    "update-coverage": "structure",
    "update-blind": "structure",
    "zar-blocks-vs-strings": "commonality",
    "zar-versions": "commonality",
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_about_images_has_a_picture(name: str, tmp_path: Path) -> None:
    missive.run(f"experiments/{name}.json", profile="kick", sets={"/repetitions": 20} if name in CUTS else {}, out=tmp_path / name)
    assert draw(QUESTIONS[name], tmp_path / name, tmp_path / "out") == 0
    assert (tmp_path / f"out/{QUESTIONS[name]}.svg").stat().st_size > 5000


def test_no_experiment_about_images_is_without_a_picture() -> None:
    names = {p.stem for p in (HERE.parent / "experiments").glob("*.json") if json.loads(p.read_text()).get("kind") in ("structure", "commonality")}
    in_figures = {"zar-block-size", "commonality"}
    assert names == set(QUESTIONS) | in_figures


def test_an_update_that_changes_nothing_has_a_picture(tmp_path: Path) -> None:
    images = ["list:xterm>list:xterm"]
    missive.run("experiments/updates.json", profile="kick", sets={"/images": images}, out=tmp_path / "none")
    assert draw("structure", tmp_path / "none", tmp_path / "out") == 0


def test_ways_of_cutting_without_the_counted_half_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missive.run("experiments/zar-versions.json", backend="sim", out=tmp_path / "sim")
    assert draw("commonality", tmp_path / "sim", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "--backend both" in said


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert draw("launch_phases", RECORDED / "launch", tmp_path / "file/out") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "--out" in said
