"""Notebooks run from top to bottom, from any folder, and are committed without what they print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert {n.stem for n in NOTEBOOKS} >= {"launch", "zarfile", "isolation", "tax"}


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.stem)
def test_it_is_committed_without_outputs_and_ends_with_a_conclusion(notebook: Path) -> None:
    cells = json.loads(notebook.read_text())["cells"]
    code = [c for c in cells if c["cell_type"] == "code"]
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in code)
    assert cells[0]["cell_type"] == "markdown" and "".join(cells[0]["source"]).startswith("# ")
    assert any("## Conclusion" in "".join(c["source"]) for c in cells)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda n: n.stem)
def test_it_runs_from_another_folder_and_says_something(notebook: Path, tmp_path: Path) -> None:
    words = ["-m", "nbconvert", "--to", "notebook", "--execute", notebook, "--output-dir", tmp_path, "--output", "done"]
    done = subprocess.run(
        [sys.executable, *map(str, words)], capture_output=True, text=True, cwd=tmp_path,
        # Not the tests' own back end: figures belong into the notebook.
        env={**{k: v for k, v in os.environ.items() if k != "MPLBACKEND"},
             "PYDEVD_DISABLE_FILE_VALIDATION": "1", "JUPYTER_CONFIG_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    cells = json.loads((tmp_path / "done.ipynb").read_text())["cells"]
    outputs = [o for c in cells if c["cell_type"] == "code" for o in c["outputs"]]
    assert any("image/png" in o.get("data", {}) for o in outputs)
    # The conclusion is made of numbers; nothing is said on stderr, warnings neither.
    assert "nan" not in "".join("".join(o.get("text", "")) for o in outputs)
    assert [o for o in outputs if o.get("name") == "stderr"] == []
    last = "".join("".join(o.get("text", "")) for o in cells[-1]["outputs"])
    assert any(character.isdigit() for character in last)
    # It leaves nothing where the reader works but what nbconvert was asked for.
    assert {p.name for p in tmp_path.iterdir()} <= {"done.ipynb", "migrated"}
