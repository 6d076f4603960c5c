#!/usr/bin/env python3
"""Simulated over measured, every phase and every whole launch, and how errors are distributed."""

from __future__ import annotations

from typing import Any

import figures
import missive
from figures import plt


def draw(result: missive.Result) -> Any:
    """Simulated against measured times, and the errors beside those of a line over the bytes alone."""
    frame = result.frame()
    both = frame[(frame.unit == "s") & frame.relative_error.notna() & (frame.measured > 0) & (frame.simulated > 0)]
    figures.need(len(both) > 0, result, "nothing that both worlds answered; run it with --backend both")
    both = both[both.metric == both.phase] if (both.metric == both.phase).any() else both
    groups = [g for g in (*figures.PHASE_COLOURS, "total") if (both.phase == g).any()] or sorted(set(both.phase))
    extra = [figures.BLUE, figures.RED, figures.GREEN, figures.ORANGE, figures.PINK, figures.GREY]
    figure, (left, right) = plt.subplots(1, 2, figsize=(figures.PAGE, 3.3), width_ratios=(1, 1))
    markers = "osD^vP*Xph"
    for i, group in enumerate(groups):
        rows, faint = (both[(both.phase == group) & judged] for judged in (both.within_tolerance.notna(), both.within_tolerance.isna()))
        colour = figures.PHASE_COLOURS.get(group, "black" if group == "total" else extra[i % len(extra)])
        left.errorbar(rows.measured, rows.simulated, xerr=[rows.measured - rows.low, rows.high - rows.measured],
                      fmt=markers[i % len(markers)], color=colour, markersize=3.5, markeredgecolor="black", markeredgewidth=0.3,
                      elinewidth=0.5, label=f"{group} ({len(rows)})" if len(rows) else None)  # fmt: skip
        left.plot(faint.measured, faint.simulated, markers[i % len(markers)], color="white", markeredgecolor="#777777",
                  markersize=3.5, markeredgewidth=0.5, zorder=1, label=f"{group}, not judged ({len(faint)})" if len(faint) else None)  # fmt: skip
    ends = [both[["simulated", "measured"]].min().min() * 0.8, both[["simulated", "measured"]].max().max() * 1.25]
    left.plot(ends, ends, color="black", linewidth=0.7, zorder=0)
    left.fill_between(ends, [e * 0.8 for e in ends], [e * 1.2 for e in ends], color="#E8E8E8", linewidth=0, zorder=0)
    left.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="measured (s), 95 % interval", ylabel="simulated (s)")
    left.set_title("grey: within 20 %", loc="left", color="#555555")
    left.legend(fontsize=6.5, loc="upper left", handletextpad=0.2)

    judged = both[both.within_tolerance.notna()] if both.within_tolerance.notna().any() else both
    _distribution(right, judged.relative_error.abs(), figures.BLUE, "model")
    baseline = judged.baseline_relative_error.abs().dropna()
    if len(baseline):
        _distribution(right, baseline, figures.ORANGE, "line over the bytes alone", "--")
    floor = judged.noise_floor.dropna()
    if len(floor):
        _distribution(right, floor, figures.GREY, "noise floor of the machine", ":")
    right.set(xscale="log", xlim=(0.1, 1000), ylim=(0, 101), xlabel="absolute relative error (%)", ylabel="comparisons below (%)")
    right.legend(fontsize=6.5, loc="lower left", bbox_to_anchor=(0.0, 1.0))
    height = figure.get_figheight()
    figure.get_layout_engine().set(rect=(0, 0.16 / height, 1, 1 - 0.16 / height))  # a strip below the axes
    figure.text(0.995, 0.05 / height, figures.host_note(result), ha="right", color="#555555", fontsize=6)
    return figure


def _distribution(ax: Any, errors: Any, colour: str, label: str, style: str = "-") -> None:
    values = sorted(100 * e for e in errors if e > 0)
    share = [100 * (i + 1) / len(values) for i in range(len(values))]
    median = values[len(values) // 2]
    ax.step(values, share, where="post", color=colour, linestyle=style, linewidth=1.2, label=f"{label} (median {median:.1f} %)")


if __name__ == "__main__":
    figures.main("error_scatter", draw)
