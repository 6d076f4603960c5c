"""Every test runs with a home of its own: no test sees this host's calibration, and none makes one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("MPLBACKEND", "agg")


@pytest.fixture(autouse=True, scope="session")
def _home(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["MISSIVE_HOME"] = str(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def source() -> Path:
    """The project's folder."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture
def fake_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a shell script in the place of the program."""

    def use(script: str) -> Path:
        program = tmp_path / "fake-missive-sim"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)
        monkeypatch.setenv("MISSIVE_PROGRAM", str(program))
        return program

    return use
