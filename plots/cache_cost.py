#!/usr/bin/env python3
"""The cost of the untrusted cache: a launch minus its native twin, for every variant."""

from __future__ import annotations

from typing import Any

import figures
import missive
from figures import plt

METRIC = "untrusted_cache_cost"
COLOURS = {"cold": figures.BLUE, "warm": figures.ORANGE, "hot": figures.RED}
MISSIVE_2014 = 100  # ms: "about 100 ms", the seed's figure for a 100 MiB application


def draw(result: missive.Result) -> Any:
    """Cost of the untrusted cache by variant and temperature, simulated and measured."""
    frame = result.frame()
    rows = frame[frame.metric == METRIC]
    figures.need(len(rows) > 0 and "temperature" in frame.columns, result,
                 f"no metric '{METRIC}'; give the result of an experiment of kind 'launch'")  # fmt: skip
    variants = rows[["verifier", "delivery", "handover"]].drop_duplicates()
    height = 0.9 + 0.17 * len(rows)
    figure, ax = plt.subplots(figsize=(figures.COLUMN * 1.35, height))
    at, ticks, labels = 0.0, [], []
    for variant in variants.itertuples(index=False):
        own = rows[(rows.verifier == variant.verifier) & (rows.delivery == variant.delivery) & (rows.handover == variant.handover)]
        ticks.append(at + (len(own) - 1) / 2)
        labels.append(f"{variant.verifier}, {variant.delivery}, {variant.handover}")
        for row in own.itertuples():
            colour = COLOURS.get(row.temperature, "black")
            ax.plot(1e3 * row.simulated, at, color=colour, **figures.SIMULATED)
            if row.measured == row.measured:
                ax.errorbar(1e3 * row.measured, at, xerr=[[1e3 * (row.measured - row.low)], [1e3 * (row.high - row.measured)]],
                            color=colour, **figures.MEASURED, elinewidth=0.8, capsize=1.5)  # fmt: skip
            at += 1
        at += 0.8
    ax.axvline(MISSIVE_2014, color="#555555", linewidth=0.7, linestyle=":")
    ax.set_yticks(ticks, labels)
    ax.invert_yaxis()
    ax.set_xlim(left=0)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("launch minus native twin (ms)")
    line = plt.Line2D
    handles = [line([], [], color=COLOURS[t], linewidth=3) for t in COLOURS if (rows.temperature == t).any()]
    names = [t for t in COLOURS if (rows.temperature == t).any()]
    handles += [line([], [], color="black", **figures.SIMULATED)]
    names += ["simulated"]
    if rows.measured.notna().any():
        handles += [line([], [], color="black", linewidth=0.8, **figures.MEASURED)]
        names += ["measured, 95 %"]
    handles += [line([], [], color="#555555", linestyle=":", linewidth=0.7)]
    names += ["Missive, 2014: about 100 ms"]
    ax.legend(handles, names, loc="lower center", bbox_to_anchor=(0.35, 1.0), ncols=3, fontsize=6.5)
    ax.text(1.0, -0.5 / height, figures.host_note(result), transform=ax.transAxes, ha="right", va="top", color="#555555", fontsize=5.5)
    return figure


if __name__ == "__main__":
    figures.main("cache_cost", draw)
