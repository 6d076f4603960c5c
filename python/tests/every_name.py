"""An example that uses every public name once, with types: mypy accepts it, and it runs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import missive
from missive import costs, zar


def slow_hash(calls: int, bytes: int, items: int) -> float:
    """A cost model of one's own: 1 GB/s."""
    return bytes / 1e9


def runs(folder: Path) -> None:
    result: missive.Result = missive.run(
        "experiments/launch-quick.json", backend="sim", sets={"/temperature": "hot"}, profile="kick", repetitions=2,
        seed=3, parameters="reference", jobs=2, out=folder / "out", timeout=100.0,
    )  # fmt: skip
    again: missive.Result = missive.load(folder / "out")
    same: bool = again.digest == result.digest == missive.digest(result.points)
    assert same
    rows: Any = result.frame().merge(result.observations(), on=["point", "metric"])
    assert len(rows) > 0
    result.plot().figure.savefig(folder / "plot.png")
    facts: list[object] = [
        result.name, result.summary, result.context, result.claims, result.parameters_used, result.document,
        result.path, result.status, result._repr_html_(), result.parameters.value("gmac.byte_s"),
    ]  # fmt: skip
    assert len(facts) == 10


def sweeps() -> None:
    sweep: missive.Sweep = missive.sweep(
        "experiments/launch-quick.json", {"/origin_link/rtt": ["1ms", "2ms"]}, repetitions=1, parameters="reference"
    )
    assert sweep.complete and len(sweep.errors) == 0 and len(sweep.frame()) > 0
    names: tuple[str, str, float] = (sweep.name, sweep.digest, sweep.seconds)
    assert names[0] == "launch-quick" and len(sweep.points) == 8


def models(folder: Path) -> None:
    p: missive.Parameters = missive.parameters("reference")
    one: missive.Parameter = p["gmac.byte_s"]
    p.changed("faster", **{"gmac.byte_s": one.value / 2}).save(folder / "p.json")
    assert missive.parameters(folder / "p.json").value("gmac.byte_s") == one.value / 2
    text: missive.Parameters = missive.Parameters.from_json(p.to_json())
    assert len(text.frame()) == len(p) and text._repr_html_()
    model: costs.CostModel = costs.models()["sha256_blocks"]
    time: npt.NDArray[np.float64] = costs.seconds(model.name, bytes=np.arange(10), items=1, parameters=p)
    assert time.shape == (10,) and len(costs.frame()) == len(costs.models())
    mechanism: str = costs.mechanisms()[0]
    operation: str = costs.operations()[0]
    assert isinstance(costs.isolation_text(operation, mechanism, 1.0), str)
    try:
        costs.isolation(operation, mechanism, 1.0, p)
    except missive.InputError as error:
        assert "missing" in str(error)  # the reference file has no primitives of isolation
    forms: list[Any] = [
        costs.mm1_response(1, 2), costs.mm1_mean_number(1, 2), costs.mg1_wait(1, 2, 1), costs.md1_response(1, 2),
        costs.mg1_shared_response(1, 2), costs.erlang_c(1, 2, 1), costs.mmc_response(1, 2, 1),
        costs.break_even_switch_rate(0.07, 1e-6),
    ]  # fmt: skip
    assert all(f > 0 for f in forms)
    assert len(missive.published("Firecracker")) > 0


def plans() -> None:
    listed: list[dict[str, Any]] = missive.points("experiments/launch-quick.json")
    plan: missive.Plan = missive.plan("experiments/launch-quick.json", point=listed[0]["id"])
    step: missive.Step = plan.steps[0]
    demand: missive.Demand = step.demands[0]
    transfers: list[missive.Transfer] = [s.transfer for s in plan.steps if s.transfer is not None]
    assert demand.calls == 1 and sum(t.bytes for t in transfers) > 0 and len(plan.frame()) > 0
    walk: missive.Walk = plan.walk(costs={"sha256_blocks": slow_hash})
    record: missive.Record = walk.records[0]
    assert record.end > record.start and walk.total > 0 and sum(walk.phases().values()) > 0 and len(walk.frame()) > 0


def images(folder: Path) -> None:
    (folder / "tree").mkdir()
    (folder / "tree/file").write_bytes(b"x" * 10000)
    report: zar.Report = zar.build(folder / "tree", folder / "image", block_size=4096)
    image: zar.Image = zar.open(folder / "image")
    entry: zar.Entry = image.stat("/file")
    content: npt.NDArray[np.uint8] = image.content("/file")
    runs: list[zar.Run] = image.launch_runs()
    assert entry.size == len(content) == len(image.read("/file")) and runs == [] and image.name == report.name
    assert len(image.entries()) == len(image.frame()) and len(image.data()) == image.length
    assert image.block_hashes().shape == (image.blocks, 32) and len(image.blocks_of("/file")) == 3
    comparison: zar.Comparison = zar.compare(image, image)
    assert (comparison.commonality, comparison.missing, comparison.missing_bytes) == (1.0, 0, 0)


def errors() -> None:
    for kind in (missive.InputError, missive.NotAvailable, missive.RunError):
        error: missive.Error = kind("WHERE: WHAT; WHAT TO DO")
        assert isinstance(error, missive.Error)
    assert missive.RunError("x").result is None


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs(folder)
        sweeps()
        models(folder)
        plans()
        images(folder)
        errors()


if __name__ == "__main__":
    main()
