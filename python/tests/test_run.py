"""run and load: results, errors with the program's own line, children that crash or are stopped."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import missive

LAUNCH = "experiments/launch.json"
ONE = {"/sweep": {}}


@pytest.fixture(scope="module")
def hot() -> missive.Result:
    return missive.run(LAUNCH, backend="sim", parameters="reference", sets={"/temperature": "hot"})


def test_a_simulated_launch_is_a_frame_with_one_row_per_point_and_metric(hot: missive.Result) -> None:
    frame = hot.frame()
    assert hot.status == 0
    assert frame.point.nunique() == 8
    assert set(frame.temperature) == {"hot"}
    assert not frame.duplicated(["point", "metric"]).any()
    totals = frame[frame.metric == "total"]
    assert (totals.unit == "s").all() and totals.simulated.between(0.2, 0.5).all()
    assert totals.measured.isna().all()  # a world that did not answer is no number
    # The launch is a chain: its phases add up.
    phases = frame[(frame.metric == frame.phase) & (frame.phase != "total") & (frame.unit == "s")]
    added = phases.groupby("point").simulated.sum()
    assert added.to_numpy() == pytest.approx(totals.set_index("point").loc[added.index].simulated.to_numpy(), rel=1e-9)


def test_observations_are_tidy(hot: missive.Result) -> None:
    rows = hot.observations()
    assert list(rows.columns) == ["experiment", "point", "backend", "phase", "metric", "unit", "repetition", "value"]
    assert set(rows.backend) == {"sim"}
    frame = hot.frame().set_index(["point", "metric"]).simulated
    total = rows[rows.metric == "total"].set_index("point").value
    assert all(total[point] == frame[point, "total"] for point in total.index)


def test_ids_of_digits_stay_text() -> None:
    # An id such as 013842e9 would be read as the number 13842000000.
    result = missive.run(LAUNCH, backend="sim", parameters="reference")
    assert set(result.observations().point) == {p["id"] for p in result.points}


def test_the_same_run_gives_the_same_digest_and_another_parameter_another(hot: missive.Result) -> None:
    again = missive.run(LAUNCH, backend="sim", parameters="reference", sets={"/temperature": "hot"}, jobs=2)
    assert again.digest == hot.digest
    slower = missive.parameters("reference").changed(**{"gmac.byte_s": 1e-9})
    assert missive.run(LAUNCH, backend="sim", parameters=_file(slower), sets={"/temperature": "hot"}).digest != hot.digest


def _file(parameters: missive.Parameters) -> str:
    path = Path(os.environ["MISSIVE_HOME"]) / "changed.json"
    parameters.save(path)
    return str(path)


def test_a_dictionary_is_an_experiment_and_sets_take_numpy_values(source: Path) -> None:
    import numpy as np

    document = json.loads((source / LAUNCH).read_text())
    document["sweep"] = {}
    result = missive.run(
        document,
        backend="sim",
        parameters="reference",
        sets={"/temperature": "cold", "/seed": np.int64(7), "/repetitions": np.arange(5)[3]},
    )
    assert len(result.points) == 1
    assert result.points[0]["parameters"]["temperature"] == "cold"
    assert result.document["experiment"]["seed"] == 7


def test_shipped_experiments_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert missive.run(LAUNCH, backend="sim", parameters="reference", sets=ONE).name == "launch"
    assert list(tmp_path.iterdir()) == []  # nothing is left where the user works


def test_out_keeps_the_files_and_load_reads_them(tmp_path: Path, hot: missive.Result) -> None:
    made = missive.run(
        LAUNCH, backend="sim", parameters="reference", sets={"/temperature": "hot"}, out=tmp_path / "out"
    )
    loaded = missive.load(tmp_path / "out")
    assert loaded.path == tmp_path / "out"
    assert loaded.digest == made.digest == hot.digest
    assert loaded.frame().equals(made.frame())
    assert missive.load(tmp_path / "out/result.json").digest == made.digest


def test_errors_are_the_programs_own_line() -> None:
    with pytest.raises(missive.InputError, match="did you mean '/temperature'"):
        missive.run(LAUNCH, sets={"/temprature": "hot"})
    with pytest.raises(missive.InputError, match=r"experiment:1:\d+: /colour: unknown key"):
        missive.run({"format": "missive-sim/experiment/1", "name": "x", "kind": "launch", "colour": 1})
    with pytest.raises(missive.InputError, match="nowhere.json: cannot be opened"):
        missive.run("nowhere.json")
    with pytest.raises(ValueError, match="not JSON serializable"):
        missive.run(LAUNCH, sets={"/seed": object()})
    with pytest.raises(missive.InputError, match="MISSIVE_PROGRAM=/nowhere"):
        os.environ["MISSIVE_PROGRAM"] = "/nowhere"
        try:
            missive.run(LAUNCH)
        finally:
            del os.environ["MISSIVE_PROGRAM"]


def test_a_crash_of_the_child_is_an_error_with_the_signal(fake_program) -> None:
    fake_program("kill -SEGV $$\n")
    with pytest.raises(missive.RunError, match="ended by SIGSEGV"):
        missive.run(LAUNCH)


def test_a_failed_run_keeps_what_was_done(fake_program, tmp_path: Path) -> None:
    missive.run(LAUNCH, backend="sim", parameters="reference", sets=ONE, out=tmp_path / "good")
    good = json.loads((tmp_path / "good/result.json").read_text())
    good["summary"]["failures"] = ["hot: the launcher died"]
    (tmp_path / "partial.json").write_text(json.dumps(good))
    fake_program(
        f'while [ "$1" != --out ]; do shift; done; mkdir -p "$2"; cp {tmp_path}/partial.json "$2/result.json"; exit 1\n'
    )
    with pytest.raises(missive.RunError, match="the launcher died") as caught:
        missive.run(LAUNCH)
    assert caught.value.result is not None and len(caught.value.result.points) == 1


def test_an_old_result_in_the_folder_is_not_taken_for_the_new_one(fake_program, tmp_path: Path) -> None:
    missive.run(LAUNCH, backend="sim", parameters="reference", sets=ONE, out=tmp_path / "out")
    fake_program("echo 'missive-sim: no such thing here' >&2; exit 4\n")
    with pytest.raises(missive.NotAvailable, match="^no such thing here$"):
        missive.run(LAUNCH, out=tmp_path / "out")


def test_a_tolerance_that_does_not_hold_is_a_result_not_an_exception(fake_program, tmp_path: Path) -> None:
    missive.run(LAUNCH, backend="sim", parameters="reference", sets=ONE, out=tmp_path / "out")
    fake_program(
        f'while [ "$1" != --out ]; do shift; done; mkdir -p "$2"; cp {tmp_path}/out/*.json "$2"; exit 3\n'
    )
    assert missive.run(LAUNCH).status == 3


def test_a_run_that_takes_too_long_is_stopped_with_its_children(
    fake_program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missive._program, "GRACE", 0.5)  # a shell's background job does not hear SIGINT
    fake_program(f"sleep 600 & echo $! > {tmp_path}/pid; wait\n")
    begin = time.monotonic()
    with pytest.raises(missive.RunError, match="no end within 0.5 s"):
        missive.run(LAUNCH, timeout=0.5)
    assert time.monotonic() - begin < 60
    assert not _alive(int((tmp_path / "pid").read_text()))


def _alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (OSError, IndexError):
        return False


INTERRUPTED = """
import os, sys
os.environ["MISSIVE_PROGRAM"] = sys.argv[1]
import missive
try:
    missive.run("experiments/launch.json", out=sys.argv[2])
except KeyboardInterrupt as error:
    print("KeyboardInterrupt:", error)
    raise SystemExit(7)
"""


def test_ctrl_c_stops_the_child_keeps_what_it_wrote_and_raises(fake_program, tmp_path: Path) -> None:
    missive.run(LAUNCH, backend="sim", parameters="reference", sets=ONE, out=tmp_path / "good")
    program = fake_program(
        f'while [ "$1" != --out ]; do shift; done; out=$2; mkdir -p "$out"\n'
        f'trap \'cp {tmp_path}/good/result.json "$out"; exit 130\' INT\n'
        f"echo $$ > {tmp_path}/pid\n"
        "while :; do sleep 0.1; done\n"
    )
    script = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(program), str(tmp_path / "out")], stdout=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline and script.poll() is None
        time.sleep(0.05)
    script.send_signal(signal.SIGINT)
    said, _ = script.communicate(timeout=60)
    assert script.returncode == 7
    assert f"what was done is in {tmp_path / 'out'}" in said
    assert missive.load(tmp_path / "out").name == "launch"
    assert not _alive(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "result.json:1:1: .*cut short"),
        ('{"schema": "missive-sim/result/1", "points": [', "cut short"),
        ("[]", "not a result of missive-sim"),
        ('{"schema": "missive-sim/result/2"}', "written as 'missive-sim/result/2'.*use the version"),
        ('{"schema": "missive-sim/result/1"}', "has no 'experiment'"),
        ("\xff", "not text"),
    ],
)
def test_files_that_are_no_result_are_one_clear_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "result.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(missive.InputError, match=message) as caught:
        missive.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_observations_says_so(tmp_path: Path, hot: missive.Result) -> None:
    (tmp_path / "result.json").write_text(json.dumps(hot.document))
    with pytest.raises(missive.InputError, match="observations.csv is not there"):
        missive.load(tmp_path).observations()


def test_html_escapes_everything_that_comes_from_files(hot: missive.Result) -> None:
    document = json.loads(json.dumps(hot.document))
    document["points"][0]["label"] = "<script>alert(1)</script>"
    document["context"]["cpu"] = "<b>"
    document["summary"]["not_available"] = ["<i>real</i>"]
    page = missive.Result(document)._repr_html_()
    assert "<script>" not in page and "<b>" not in page and "<i>" not in page
    assert "&lt;script&gt;" in page and "simulated" in page


def test_the_plot_has_a_bar_of_each_phase_for_each_world(hot: missive.Result) -> None:
    document = json.loads(json.dumps(hot.document))
    for m in document["points"][0]["metrics"]:
        if m["unit"] == "s":
            m["measured"] = {"median": 2 * m["simulated"], "ci95": [0, 1], "n": 3, "noise_floor": None}
    ax = missive.Result(document).plot()
    labels = [t.get_text() for t in ax.get_yticklabels()]
    assert len(labels) == 9 and sum("measured" in label for label in labels) == 1
    total = next(m["simulated"] for m in document["points"][0]["metrics"] if m["name"] == "total")
    ends = {round(b.get_y() + b.get_height() / 2, 6): b.get_x() + b.get_width() for b in ax.patches}
    widths = [end for _, end in sorted(ends.items())][:2]
    assert widths == pytest.approx([1e3 * total, 2e3 * total], rel=1e-6)
    plt.close("all")
