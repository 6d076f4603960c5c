"""Pictures of a result, for notebooks. Figures for papers are in the project's plots/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

from missive.result import PHASES

if TYPE_CHECKING:
    import matplotlib.axes

    from missive.result import Result

# Okabe and Ito's colours, which colour-blind readers tell apart; a phase has the same everywhere.
PHASE_COLOURS = dict(
    zip(
        PHASES,
        ("#999999", "#56B4E9", "#0072B2", "#CC79A7", "#F0E442", "#000000", "#D55E00", "#7F3C00", "#009E73"),
    )
)


def _axes(ax: matplotlib.axes.Axes | None, height: float) -> matplotlib.axes.Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    _, made = plt.subplots(figsize=(8, height), constrained_layout=True)
    return made


def _times(point: Mapping[str, Any], world: str) -> dict[str, float]:
    times = {}
    for m in point["metrics"]:
        if m["unit"] != "s" or m["name"] != m["phase"] or m["name"] not in PHASE_COLOURS:
            continue
        value = m["simulated"] if world == "simulated" else (m["measured"] or {}).get("median")
        if value is not None:
            times[m["name"]] = value
    return times


def _bars(result: Result, ax: matplotlib.axes.Axes | None) -> matplotlib.axes.Axes:
    bars = [
        (point, world, times)
        for point in result.points
        for world in ("simulated", "measured")
        if (times := _times(point, world))
    ]
    ax = _axes(ax, 1.2 + 0.32 * len(bars))
    at, ticks, labels, seen = 0.0, [], [], set()
    previous = None
    for point, world, times in bars:
        at += 0.0 if previous is None else (1.0 if point is previous else 1.5)
        previous = point
        left = 0.0
        for phase in PHASES:
            width = 1e3 * times.get(phase, 0.0)
            if width > 0:
                ax.barh(at, width, left=left, color=PHASE_COLOURS[phase], edgecolor="white", linewidth=0.4,
                        hatch=None if world == "simulated" else "//", alpha=1.0 if world == "simulated" else 0.75,
                        label=phase if phase not in seen else None)  # fmt: skip
                seen.add(phase)
            left += width
        ticks.append(at)
        labels.append(f"{point['label']}, {world}")
    ax.set_yticks(ticks, labels)
    ax.invert_yaxis()
    ax.set_xlabel("time (ms); hatched: measured")
    ax.set_title(result.name)
    handles = dict(zip(*reversed(ax.get_legend_handles_labels())))
    ax.legend([handles[p] for p in PHASES if p in handles], [p for p in PHASES if p in handles],
              loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)  # fmt: skip
    return ax


def _scatter(result: Result, ax: matplotlib.axes.Axes | None) -> matplotlib.axes.Axes:
    ax = _axes(ax, 6)
    pairs = [
        (m["measured"]["median"], m["simulated"])
        for p in result.points
        for m in p["metrics"]
        if m["measured"] and m["simulated"] and m["unit"] == "s" and m["measured"]["median"] > 0
    ]
    if pairs:
        measured, simulated = zip(*pairs)
        ax.loglog(measured, simulated, "o", color="#0072B2", markersize=4, alpha=0.8)
        ends = [min(measured + simulated), max(measured + simulated)]
        ax.loglog(ends, ends, color="black", linewidth=0.8, label="equal")
        ax.legend(frameon=False)
    else:
        ax.text(0.5, 0.5, "nothing that both worlds answered", ha="center", transform=ax.transAxes)
    ax.set_xlabel("measured (s)")
    ax.set_ylabel("simulated (s)")
    ax.set_title(result.name)
    return ax


def plot(result: Result, ax: matplotlib.axes.Axes | None) -> matplotlib.axes.Axes:
    """See Result.plot."""
    launches = any(_times(p, w) for p in result.points for w in ("simulated", "measured"))
    return _bars(result, ax) if launches else _scatter(result, ax)
