"""Launch plans: what a launch has to do, as steps with demands and never a duration; and a pure walk
over them, with the models' costs or with your own.
"""

from __future__ import annotations

import heapq
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Mapping, NamedTuple, Sequence

from missive import _missive, _program, costs as _costs
from missive._run import as_file, options
from missive.errors import InputError, NotAvailable
from missive._parameters import Parameters

if TYPE_CHECKING:
    import pandas

__all__ = ["Demand", "Transfer", "Step", "Plan", "Record", "Walk", "plan", "points"]

Cost = Callable[[int, int, int], float]
"""A cost model of your own: ``cost(calls, bytes, items)`` gives seconds."""


class Demand(NamedTuple):
    """So much work for one cost model; ``missive.costs.models()[cost].what`` says what an item is."""

    cost: str
    calls: int
    bytes: int
    items: int


class Transfer(NamedTuple):
    """Bytes over a link, after the step's demands."""

    link: str
    bytes: int


@dataclass(frozen=True)
class Step:
    """One step: its demands one after the other on one core, then its transfer."""

    name: str
    phase: str
    place: str
    """"launcher", "cache", "origin" or "application"."""
    after: tuple[int, ...]
    """Indices of the earlier steps it waits for."""
    demands: tuple[Demand, ...]
    transfer: Transfer | None
    amounts: Mapping[str, int]
    """What both worlds count exactly: bytes_fetched, blocks_hashed ..."""
    once: str = ""
    """Steps that name the same work do it once: the first that comes to it does it; one that comes
    meanwhile waits for that one's end, or does it too if that is sooner; one that comes later has
    nothing to do."""


class Record(NamedTuple):
    """When a step ran, in seconds from the start of the launch."""

    step: str
    phase: str
    place: str
    start: float
    end: float


@dataclass(frozen=True)
class Walk:
    """A plan with durations."""

    records: Sequence[Record]

    @property
    def total(self) -> float:
        """Seconds from the first start to the last end, without what goes on in the background."""
        launch = [r for r in self.records if r.phase != "background"]
        return max(r.end for r in launch) - min(r.start for r in launch) if launch else 0.0

    def phases(self) -> dict[str, float]:
        """Seconds of each phase: the length of the union of its steps' intervals, without what a later phase hides.

        Phase ``background`` is counted whole, and hides nothing (``phase_time`` in models/plan.h)."""
        order = [p for p in dict.fromkeys(r.phase for r in self.records) if p != "background"]
        times = {phase: self._covered(order[i:]) - self._covered(order[i + 1 :]) for i, phase in enumerate(order)}
        if any(r.phase == "background" for r in self.records):
            times["background"] = self._covered(["background"])
        return times

    def _covered(self, phases: Sequence[str]) -> float:
        """Length of the union of the intervals of steps in ``phases``, in seconds."""
        reached, length = float("-inf"), 0.0
        for r in sorted((r for r in self.records if r.phase in phases), key=lambda r: r.start):
            length += max(0.0, r.end - max(r.start, reached))
            reached = max(reached, r.end)
        return length

    def frame(self) -> pandas.DataFrame:
        """One row per step: ``step``, ``phase``, ``place``, ``start``, ``end`` in seconds."""
        import pandas

        return pandas.DataFrame(list(self.records), columns=list(Record._fields))


@dataclass(frozen=True)
class Plan:
    """The steps of one launch."""

    point: Mapping[str, Any]
    """The point it stands for: id, label, parameters."""
    steps: tuple[Step, ...]
    own: Mapping[str, float] = field(default_factory=dict)
    """Parameters the point itself sets: its link, seconds and bytes per second."""

    def frame(self) -> pandas.DataFrame:
        """One row per demand or transfer: ``step``, ``phase``, ``place``, ``cost`` (of a transfer
        "link.NAME"), ``calls``, ``bytes``, ``items``."""
        import pandas

        rows: list[tuple[Any, ...]] = []
        for s in self.steps:
            rows += [(s.name, s.phase, s.place, *d) for d in s.demands]
            if s.transfer:
                rows.append((s.name, s.phase, s.place, f"link.{s.transfer.link}", 0, s.transfer.bytes, 0))
        columns = ["step", "phase", "place", "cost", "calls", "bytes", "items"]
        return pandas.DataFrame(rows, columns=columns)

    def walk(self, parameters: Parameters | None = None, costs: Mapping[str, Cost] | None = None) -> Walk:
        """Runs the plan without contention: a step starts when all it waits for have ended, and
        nobody else wants its core or link. The simulator gives the same where nothing contends.

        parameters  None: the shipped reference
        costs       cost models of your own, by the name of the demand they are to serve:
                    ``{"sha256_blocks": lambda calls, bytes, items: bytes / 2e9}``; a name that no
                    step of this plan demands is an InputError, for it would change nothing
        """
        given = _costs.reference() if parameters is None else parameters
        own = dict(costs or {})
        demanded = {d.cost for s in self.steps for d in s.demands}
        for name in own:
            if name not in demanded:
                raise InputError(f"costs: no step demands '{name}'; this plan has {', '.join(sorted(demanded))}")
        times = [sum(self._seconds(d, given, own) for d in s.demands) for s in self.steps]
        times = [t + (self._transfer(s.transfer, given) if s.transfer else 0.0) for s, t in zip(self.steps, times)]
        spans = self._spans(times)
        return Walk([Record(s.name, s.phase, s.place, *spans[i]) for i, s in enumerate(self.steps)])

    def _spans(self, times: Sequence[float]) -> dict[int, tuple[float, float]]:
        """From and to of each step that takes so long, in the order in which they start."""
        followers: dict[int, list[int]] = {}
        open_ends = [len(set(s.after)) for s in self.steps]
        for i, s in enumerate(self.steps):
            for before in set(s.after):
                followers.setdefault(before, []).append(i)
        spans: dict[int, tuple[float, float]] = {}
        done: dict[str, float] = {}  # when each piece of work that is done once ends
        ready = [(0.0, i) for i, n in enumerate(open_ends) if n == 0]
        heapq.heapify(ready)
        while ready:
            start, i = heapq.heappop(ready)
            end, once = start + times[i], self.steps[i].once
            if once:
                done[once] = min(end, done.get(once, end))
                end = max(start, done[once])
            spans[i] = (start, end)
            for f in followers.get(i, []):
                open_ends[f] -= 1
                if open_ends[f] == 0:
                    heapq.heappush(ready, (max(spans[b][1] for b in self.steps[f].after), f))
        return spans

    def _value(self, name: str, parameters: Parameters) -> float:
        return self.own[name] if name in self.own else parameters.value(name)

    def _seconds(self, d: Demand, parameters: Parameters, own: Mapping[str, Cost]) -> float:
        if d.cost in own:
            seconds = float(own[d.cost](d.calls, d.bytes, d.items))
            if not 0 <= seconds < float("inf"):
                raise InputError(f"costs['{d.cost}'] gave {seconds} for {d}; a cost is finite and not negative")
            return seconds
        if d.cost == "native_ready" and "native_ready.call_s" not in parameters:
            # The application's own time goes by the application's name in parameter files.
            name = f"application.{self.point['parameters']['application']}.native_ready_s"
            return (d.calls + d.items * 1e-6) * parameters.value(name)
        return float(_costs.seconds(d.cost, d.calls, d.bytes, d.items, parameters))

    def _transfer(self, t: Transfer, parameters: Parameters) -> float:
        latency = self._value(f"link.{t.link}.latency_s", parameters)
        return latency + t.bytes / self._value(f"link.{t.link}.bandwidth_bytes_per_s", parameters)

    def __repr__(self) -> str:
        return f"<missive.Plan {self.point['label']}: {len(self.steps)} steps>"


def points(
    experiment: str | os.PathLike[str] | Mapping[str, Any],
    *,
    sets: Mapping[str, Any] | None = None,
    profile: str | None = None,
) -> list[dict[str, Any]]:
    """The points of an experiment, with nothing run: ``id``, ``label``, ``parameters``."""
    with as_file(experiment) as file:
        words = options(None, sets, profile, None, None, None)
        text = _program.ask(["run", str(file), "--dry-run", "--format", "json", *words])
    listed: list[dict[str, Any]] = json.loads(text)
    return listed


def plan(
    experiment: str | os.PathLike[str] | Mapping[str, Any] = "experiments/launch.json",
    *,
    sets: Mapping[str, Any] | None = None,
    point: str | None = None,
    over_link: bool = False,
) -> Plan:
    """The plan of one launch.

    experiment  of kind "launch"
    sets        JSON pointer -> value; together with the file they have to leave one point, unless
    point       names one by its id
    over_link   the origin is behind the experiment's ``origin_link``; else on this machine

    NotAvailable when the facts of the image (sizes, blocks, look-ups) neither ship nor were ever
    gathered on this host.
    """
    listed = points(experiment, sets=sets)
    if point is not None:
        chosen = [p for p in listed if p["id"] == point]
        if not chosen:
            raise InputError(f"point '{point}': the experiment has no such point; missive.points() lists them")
    else:
        chosen = listed
    if len(chosen) != 1:
        labels = "; ".join(p["label"] for p in chosen[:4])
        raise InputError(f"{len(chosen)} points ({labels} ...): fix swept keys with sets=, or name one with point=")
    return _plan_of(chosen[0], over_link)


def _plan_of(point: Mapping[str, Any], over_link: bool) -> Plan:
    p = point["parameters"]
    if "temperature" not in p:
        raise InputError("only an experiment of kind 'launch' has plans of launches")
    facts = _facts(p)
    missing = 0 if p["temperature"] == "hot" else facts["missing"][p["temperature"]]
    steps = _missive.plan_launch(
        image=facts["image"],
        lookups=facts["lookups"],
        temperature=p["temperature"],
        keyed=p["verifier"] == "mac",
        lazy=p.get("verification") == "lazy",
        delivery=p["delivery"],
        hand_over=p["handover"],
        missing_blocks=missing,
        origin_link="origin" if over_link else "loopback",
    )
    own = {
        "link.origin.latency_s": p["origin_link.rtt"] / 2,
        "link.origin.bandwidth_bytes_per_s": p["origin_link.bandwidth"],
    }
    return Plan(point, tuple(_step(s) for s in steps), own)


def _step(s: Mapping[str, Any]) -> Step:
    return Step(
        name=s["name"],
        phase=s["phase"],
        place=s["place"],
        after=tuple(s["after"]),
        demands=tuple(Demand(*d) for d in s["demands"]),
        transfer=Transfer(*s["transfer"]) if s["transfer"] else None,
        amounts=s["amounts"],
        once=s["once"],
    )


def _facts(p: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the image of a point is like: written by real runs, or shipped in traces/facts/."""
    packed = "packed" if p["image.pack_small_files"] else "unpacked"
    key = f"{p['application']}+{p['warm_with']}-{p['image.block_size']}-{p['image.degree']}-{packed}.json"
    for folder in (_home() / "facts", _program.data_dir() / "traces/facts"):
        if (folder / key).exists():
            facts: Mapping[str, Any] = json.loads((folder / key).read_text(encoding="utf-8"))
            if facts.get("format") == "missive-sim/launch-facts/4":  # else another version kept it
                return facts
    raise NotAvailable(
        f"the image of {p['application']} with these options was never built, and its facts do not "
        "ship; run the experiment with backend='both' once"
    )


def _home() -> Any:
    from pathlib import Path

    for variable, below in (("MISSIVE_HOME", ""), ("XDG_CACHE_HOME", "missive-sim"), ("HOME", ".cache/missive-sim")):
        if os.environ.get(variable):
            return Path(os.environ[variable]) / below
    return Path.home() / ".cache/missive-sim"
