"""Figures: drawn from result files alone, the same bytes every time, with fonts that papers may have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
}


def draw(name: str, result: Path, out: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(HERE / f"{name}.py"), str(result), "--out", str(out)],
        capture_output=True, text=True, cwd=out.parent, env={**os.environ, **environment},
    )  # fmt: skip


def test_every_script_is_tested() -> None:
    scripts = {p.stem for p in HERE.glob("*.py")} - {"figures", "test_figures"}
    assert scripts == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_the_same_bytes_twice_and_at_another_time_and_place(name: str, tmp_path: Path) -> None:
    result = RECORDED / FIGURES[name]
    once = draw(name, result, tmp_path / "a")
    again = draw(name, result, tmp_path / "b", TZ="Asia/Tokyo", SOURCE_DATE_EPOCH="1", PYTHONHASHSEED="7", LC_ALL="C")
    assert once.returncode == again.returncode == 0, once.stderr + again.stderr
    assert once.stderr == ""
    for kind in ("svg", "pdf"):
        first, second = ((tmp_path / x / f"{name}.{kind}").read_bytes() for x in "ab")
        assert first == second, kind
        assert len(first) > 5000
        assert str(tmp_path).encode() not in first
    pdf = (tmp_path / "a" / f"{name}.pdf").read_bytes()
    assert b"/Type3" not in pdf.replace(b" ", b"") and b"/CreationDate" not in pdf
    assert b"<dc:date>" not in (tmp_path / "a" / f"{name}.svg").read_bytes()


def test_numbers_of_the_result_are_in_the_picture(tmp_path: Path) -> None:
    # Another result is another picture, and not only in its caption.
    document = json.loads((RECORDED / "launch/result.json").read_text())
    for point in document["points"]:
        for metric in point["metrics"]:
            if metric["name"] == "verify" and metric["simulated"] is not None:
                metric["simulated"] *= 2
    (tmp_path / "changed").mkdir()
    (tmp_path / "changed/result.json").write_text(json.dumps(document))
    for name in ("launch_phases", "error_scatter"):
        assert draw(name, RECORDED / "launch", tmp_path / "a").returncode == 0
        assert draw(name, tmp_path / "changed", tmp_path / "b").returncode == 0
        assert (tmp_path / f"a/{name}.svg").read_bytes() != (tmp_path / f"b/{name}.svg").read_bytes()


def test_a_result_with_one_world_only_is_drawn_or_refused_in_one_line(tmp_path: Path) -> None:
    missive.run(
        "experiments/launch.json", backend="sim", parameters="reference", sets={"/temperature": "hot"}, out=tmp_path / "sim"
    )
    for name in ("launch_phases", "cache_cost"):
        done = draw(name, tmp_path / "sim", tmp_path / "a")
        assert done.returncode == 0, done.stderr
    refused = draw("error_scatter", tmp_path / "sim", tmp_path / "a")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1 and "--backend both" in refused.stderr


@pytest.mark.parametrize("name", FIGURES)
def test_wrong_files_are_one_line_and_status_two(name: str, tmp_path: Path) -> None:
    other = "isolation-table" if FIGURES[name] == "launch" else "launch"
    cases = [tmp_path / "nowhere"]
    if name != "error_scatter":  # which takes results of every kind
        cases.append(RECORDED / other)
    for result in cases:
        done = draw(name, result, tmp_path / "a")
        assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = subprocess.run(
        [sys.executable, str(HERE / "launch_phases.py"), str(RECORDED / "launch"), "--out", str(tmp_path / "file/x")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "--out" in done.stderr
