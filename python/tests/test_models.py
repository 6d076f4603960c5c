"""Costs, parameters, published values and plans: the models themselves, in this process."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import missive
from missive import costs


def test_an_affine_cost_is_its_equation() -> None:
    p = missive.parameters("reference")
    bytes_ = np.arange(1000, dtype=np.int64) * 4096
    expected = p.value("gmac.call_s") * 2 + p.value("gmac.byte_s") * bytes_
    assert costs.seconds("gmac", 2, bytes_, parameters=p) == pytest.approx(expected, abs=1e-12)


def test_costs_broadcast_like_numpy() -> None:
    assert costs.seconds("sha256_blocks", bytes=4096, items=1).shape == ()
    grid = costs.seconds("sha256_blocks", bytes=np.arange(3)[:, None], items=np.arange(4))
    assert grid.shape == (3, 4)
    assert grid[2, 3] == costs.seconds("sha256_blocks", bytes=2, items=3)
    assert costs.seconds("gmac", bytes=np.array([], dtype=np.int64)).shape == (0,)


def test_arrays_are_read_where_they_lie() -> None:
    # Every other element of a larger array, and one value repeated: neither is copied.
    array = np.arange(20, dtype=np.int64)
    assert np.shares_memory(costs._counts(array, "bytes"), array)
    assert (costs.seconds("gmac", 0, array[::2]) == costs.seconds("gmac", 0, array[::2].copy())).all()
    repeated = costs._flat_repeat(np.broadcast_to(array[3:4], (4, 9)))
    assert repeated.shape == (36,) and repeated.strides == (0,) and repeated[35] == 3
    small = costs.seconds("gmac", 0, array.astype(np.uint8))
    assert (small == costs.seconds("gmac", 0, array)).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: costs.seconds("gmacc"), "no cost model is called 'gmacc'; did you mean 'gmac'"),
        (lambda: costs.seconds("gmac", -1), "-1 is negative"),
        (lambda: costs.seconds("gmac", 1.5), "give integers, not float64"),
        (lambda: costs.seconds("gmac", bytes=np.uint64(2**63)), "beyond 2"),
        (lambda: costs.seconds("gmac", items=3), "has no cost per item"),
        (lambda: costs.mm1_response(3, 2), "grows without end"),
        (lambda: costs.isolation("crossing", "pies"), "did you mean 'pie'"),
        (lambda: costs.isolation("crosing", "pie"), "did you mean 'crossing'"),
        (lambda: missive.parameters("/nowhere"), "/nowhere: No such file"),
        (lambda: missive.parameters("reference").value("gmac.byte"), "did you mean"),
        (lambda: missive.parameters("reference").changed(**{"gmac.bite_s": 1.0}), "did you mean"),
        (lambda: missive.parameters("reference").changed(**{"gmac.byte_s": float("nan")}), "finite|JSON|NaN"),
        (lambda: missive.plan(), "24 points .* fix swept keys"),
        (lambda: missive.plan(point="nothing"), "no such point"),
        (lambda: missive.plan(sets={"/sweep": {}}).walk(costs={"sha1": lambda c, b, i: 0.0}), "no step demands 'sha1'"),
        (lambda: missive.plan(sets={"/sweep": {}}).walk(costs={"gmac": lambda c, b, i: -1.0}), "not negative"),
    ],
)
def test_bad_input_is_one_line_that_says_what_to_do(call, message: str) -> None:
    with pytest.raises(missive.InputError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_every_cost_model_can_be_asked_with_the_reference_parameters() -> None:
    p = missive.parameters("reference")
    models = costs.models()
    assert len(models) == len(costs.frame())
    for model in models.values():
        if model.name == "native_ready":
            continue  # the application's own time goes by another name
        time = costs.seconds(model.name, int(model.per_call), int(model.per_byte), int(model.per_item), p)
        assert time == pytest.approx(sum(p.value(n) for n in model.parameters), abs=2e-12) or not model.affine


def test_long_calls_leave_the_interpreter_to_others() -> None:
    bytes_ = np.zeros(10_000_000, dtype=np.int64)
    started = threading.Event()
    order = []

    def work() -> None:
        order.append("before")
        started.set()
        costs.seconds("gmac", bytes=bytes_)
        order.append("after")

    # Nobody is made to give up the interpreter: the other thread gets it only when the call does.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        started.wait()
        order.append("main")
        thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert order == ["before", "main", "after"]


def test_isolation_costs_are_sums_of_primitives() -> None:
    mechanism = next(m for m in costs.mechanisms() if m.startswith("process"))
    text = costs.isolation_text("crossing", mechanism)
    names = [term.rpartition(" ")[2] for term in text.split(" + ")]
    entries = {
        n: missive.Parameter(value=1e-6, unit="s", provenance="assumed", source="a test", low=1e-6, high=1e-6)
        for n in names
    }
    p = missive.Parameters(entries)
    counts = [float(t.split(" x ")[0]) if " x " in t else 1.0 for t in text.split(" + ")]
    assert costs.isolation("crossing", mechanism, parameters=p) == pytest.approx(sum(counts) * 1e-6)
    with pytest.raises(missive.InputError, match="missing"):
        costs.isolation("crossing", mechanism, parameters=missive.parameters("reference"))


def test_closed_forms_agree_with_each_other() -> None:
    rho = np.linspace(0.05, 0.95, 19)
    assert costs.mm1_response(rho, 1.0) == pytest.approx(1 / (1 - rho))
    assert costs.mg1_wait(rho, 1.0, 1.0) + 1 == pytest.approx(costs.mm1_response(rho, 1.0))
    assert costs.md1_response(rho, 1.0) == pytest.approx(costs.mg1_wait(rho, 1.0, 0.0) + 1)
    assert costs.mg1_shared_response(rho, 1.0) == pytest.approx(costs.mm1_response(rho, 1.0))
    assert costs.mm1_mean_number(rho, 1.0) == pytest.approx(rho * costs.mm1_response(rho, 1.0))  # Little
    assert costs.erlang_c(rho, 1.0, 1) == pytest.approx(rho)
    assert costs.mmc_response(rho, 1.0, 1) == pytest.approx(costs.mm1_response(rho, 1.0))
    assert costs.break_even_switch_rate(0.07, 1e-6) > 0


def test_parameters_survive_their_file(tmp_path: Path) -> None:
    p = missive.parameters("reference")
    assert "gmac.byte_s" in p and len(p) == len(p.frame()) == len(list(p))
    assert {e.provenance for e in p.values()} == {"assumed"}  # measured elsewhere
    p.save(tmp_path / "p.json")
    assert dict(missive.parameters(tmp_path / "p.json")) == dict(p)
    slower = p.changed("what if", **{"gmac.byte_s": np.float64(1e-9)})
    assert slower.value("gmac.byte_s") == 1e-9 and slower["gmac.byte_s"].source == "what if"
    assert p.value("gmac.byte_s") != 1e-9
    assert "gmac.byte_s" in p._repr_html_()


def test_a_host_that_was_never_calibrated_has_no_parameters() -> None:
    with pytest.raises(missive.NotAvailable, match="missive-sim calibrate"):
        missive.parameters()


def test_published_values_have_sources() -> None:
    everything, some = missive.published(), missive.published("Firecracker")
    assert 0 < len(some) < len(everything)
    assert everything.source.str.len().min() > 0
    assert everything[["value", "low", "high"]].notna().any(axis=1).all()


@pytest.mark.parametrize("over_link", [False, True])
def test_the_walk_agrees_with_the_simulator_to_a_few_picoseconds(over_link: bool) -> None:
    result = missive.run("experiments/launch.json", backend="sim", parameters="reference")
    metric = "total_over_link" if over_link else "total"
    for point in result.points:
        simulated = next(m["simulated"] for m in point["metrics"] if m["name"] == metric)
        walk = missive.plan(point=point["id"], over_link=over_link).walk()
        assert walk.total == pytest.approx(simulated, abs=10e-12), point["label"]
        if not over_link:
            phases = {m["name"]: m["simulated"] for m in point["metrics"] if m["name"] in walk.phases()}
            assert walk.phases() == pytest.approx(phases, abs=10e-12), point["label"]


LAZY = {"/sweep": {}, "/temperature": "hot", "/verification": "lazy"}


def test_the_walk_of_a_lazy_start_agrees_with_the_simulator_about_who_brings_the_pages() -> None:
    result = missive.run("experiments/launch.json", backend="sim", parameters="reference", sets=LAZY)
    walk = missive.plan(sets=LAZY).walk()
    metrics = {m["name"]: m["simulated"] for m in result.points[0]["metrics"]}
    assert walk.total == pytest.approx(metrics["total"], abs=100e-12)
    assert walk.phases() == pytest.approx({p: metrics[p] for p in walk.phases()}, abs=100e-12)


def test_an_application_that_needs_its_pages_at_once_waits_for_the_thread_behind_it() -> None:
    plan = missive.plan(sets=LAZY)
    at_once = plan.walk(costs={"native_ready": lambda calls, bytes, items: 0.0})
    ends = {r.step: r.end for r in at_once.records}
    parts = {s.once for s in plan.steps if s.once}
    brought = [max(ends[s.name] for s in plan.steps if s.once == part) for part in parts]
    assert len(parts) == 64
    assert max(brought) <= at_once.total + 1e-12, "the last part comes before the application is ready"


def test_an_application_does_not_wait_for_a_thread_that_is_slower_than_its_own_page_faults() -> None:
    plan = missive.plan(sets=LAZY)
    stuck = {"fuse_store": lambda calls, bytes, items: 1.0}
    none = {"fuse_store": lambda calls, bytes, items: 0.0, "fuse_read": lambda calls, bytes, items: 0.0}
    assert plan.walk(costs=stuck).total < plan.walk(costs=none).total + 0.1
    for_ever = plan.walk(costs={**stuck, "fuse_read": lambda calls, bytes, items: 2.0})
    assert 64 <= for_ever.total < 66, "and for that thread where the file server is slower yet"


def test_a_cost_of_ones_own_changes_exactly_its_steps() -> None:
    plan = missive.plan(sets={"/sweep": {}, "/temperature": "hot", "/verifier": "sha256"})
    frame = plan.frame()
    hashed = int(frame[frame.cost == "sha256_blocks"].bytes.sum())
    assert hashed > 90e6
    before, after = plan.walk(), plan.walk(costs={"sha256_blocks": lambda calls, bytes, items: bytes / 1e9})
    own = costs.seconds("sha256_blocks", bytes=hashed, items=int(frame[frame.cost == "sha256_blocks"]["items"].sum()))
    assert after.total - before.total == pytest.approx(hashed / 1e9 - float(own), abs=1e-9)
    changed = {p for p in before.phases() if abs(before.phases()[p] - after.phases()[p]) > 1e-12}
    assert changed == {"verify"}
    assert len(after.frame()) == len(plan.steps)


def test_points_lists_without_running() -> None:
    listed = missive.points("experiments/launch.json", sets={"/temperature": "hot"})
    assert len(listed) == 8 and {p["parameters"]["temperature"] for p in listed} == {"hot"}


def test_plans_of_what_was_never_built_say_so() -> None:
    with pytest.raises(missive.NotAvailable, match="never built"):
        missive.plan(sets={"/sweep": {}, "/image/block_size": "32KiB"})
