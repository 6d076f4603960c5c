#!/usr/bin/env python3
"""What the n-th application brings that a cache lacks: expected and counted, beside the seed's 64 -> 1 MiB."""

from __future__ import annotations

from typing import Any

import figures
import missive
from figures import plt

MIB = 1 << 20
TICKS = (1, 2, 3, 5, 10, 20, 50, 100)
COLOURS = (figures.BLUE, figures.ORANGE, figures.RED)


def draw(result: missive.Result) -> Any:
    """Mean new data of the n-th application: lines expected, points counted."""
    frame = result.frame()
    figures.need("content" in frame.columns and (frame.metric == "alone").any(), result,
                 "no metric 'alone' by content; give the result of an experiment of kind 'commonality'")  # fmt: skip
    figure, ax = plt.subplots(figsize=(figures.COLUMN * 1.35, 2.6))
    places = {"alone": 1} | {f"new.{n}": n for n in TICKS}
    most = 1
    for i, ((content, units), rows) in enumerate(frame[frame.metric.isin(places)].groupby(["content", "units"], sort=False)):
        rows = rows.assign(n=rows.metric.map(places)).sort_values("n")
        most = max(most, rows.n.max())
        colour = COLOURS[i % len(COLOURS)]
        ax.plot(rows.n, rows.simulated / MIB, "-", color=colour, linewidth=1, label=f"{content}, {units}")
        ax.plot(rows.n, rows.measured / MIB, "o", color=colour, markersize=3.5)
    for mib, text in ((64, "Missive, 2014: 64 MiB before"), (1, "and 1 MiB after")):
        ax.axhline(mib, color="#555555", linestyle=":", linewidth=0.7)
        ax.text(6 if mib > 1 else 1, mib * 1.06, text, color="#555555", fontsize=6)
    ax.set(xscale="log", yscale="log", xlabel="n-th application to arrive", ylabel="new data, MiB (mean)")
    ax.minorticks_off()
    ticks = [n for n in TICKS if n <= most]
    ax.set_xticks(ticks, [str(n) for n in ticks])
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=6.5)
    ax.text(1.0, -0.28, figures.host_note(result), transform=ax.transAxes, ha="right", va="top", color="#555555", fontsize=5.5)
    return figure


if __name__ == "__main__":
    figures.main("commonality", draw)
