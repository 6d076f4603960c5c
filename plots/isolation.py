#!/usr/bin/env python3
"""Isolation mechanisms, one row each: switch, creation, execution and sharing, as dots on log axes."""

from __future__ import annotations

import math
from typing import Any

import figures
import missive
from figures import plt

# Column: title, metric (a prefix for several that are averaged geometrically), axis, factor.
COLUMNS = (
    ("switch, round trip", "switch.round_trip.hot", "time (µs)", 1e6),
    ("creation to first answer", "creation.first_call", "time (µs)", 1e6),
    ("execution, slow-down", "execution.slowdown.", "over native (×)", 1.0),
    ("64 KiB passed by copy", "sharing.message.copy.65536", "time (µs)", 1e6),
)


def _value(frame: Any, mechanism: str, name: str, column: str) -> float:
    rows = frame[(frame.mechanism == mechanism)]
    values = rows[rows.metric.str.startswith(name) if name.endswith(".") else rows.metric == name][column].dropna()
    values = [v for v in values if v > 0]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def draw(result: missive.Result) -> Any:
    """Isolation mechanisms compared, predicted and measured."""
    frame = result.frame()
    figures.need("mechanism" in frame.columns, result, "no mechanisms; give the result of an experiment of kind 'isolation'")
    first = COLUMNS[0][1]
    mechanisms = list(dict.fromkeys(frame.mechanism))
    known = {m: _value(frame, m, first, "measured") for m in mechanisms}
    known = {m: v if v == v else _value(frame, m, first, "simulated") for m, v in known.items()}
    mechanisms.sort(key=lambda m: (known[m] != known[m], known[m] if known[m] == known[m] else 0.0))
    columns = [c for c in COLUMNS if any(_value(frame, m, c[1], w) == _value(frame, m, c[1], w) for m in mechanisms for w in ("simulated", "measured"))]
    figures.need(bool(columns), result, "no cell was answered; run the experiment first")
    figure, axes = plt.subplots(1, len(columns), figsize=(figures.PAGE, 1.1 + 0.19 * len(mechanisms)), sharey=True, squeeze=False)
    for ax, (title, name, unit, factor) in zip(axes[0], columns):
        for i, m in enumerate(mechanisms):
            simulated, measured = (_value(frame, m, name, w) * factor for w in ("simulated", "measured"))
            low, high = (_value(frame, m, name, w) * factor for w in ("low", "high"))
            if measured == measured:
                ax.plot([low, high], [i, i], color=figures.BLUE, linewidth=1.6, solid_capstyle="butt")
                ax.plot(measured, i, color=figures.BLUE, **figures.MEASURED)
            if simulated == simulated:
                ax.plot(simulated, i, color=figures.RED, **figures.SIMULATED)
            if measured != measured and simulated != simulated:
                ax.text(0.02, i, "–", transform=ax.get_yaxis_transform(), va="center", color="#888888")
        if name.endswith("."):
            ax.axvline(1.0, color="#888888", linewidth=0.6)
        else:
            ax.set_xscale("log")
        ax.set_title(title, loc="left")
        ax.set_xlabel(unit)
    axes[0][0].set_yticks(range(len(mechanisms)), mechanisms)
    axes[0][0].set_ylim(len(mechanisms) - 0.4, -0.6)
    handles = [plt.Line2D([], [], color=figures.BLUE, linewidth=1.6, **figures.MEASURED),
               plt.Line2D([], [], color=figures.RED, **figures.SIMULATED)]  # fmt: skip
    height = figure.get_figheight()
    figure.get_layout_engine().set(rect=(0, 0.26 / height, 1, 1 - 0.26 / height))  # a strip below the axes
    figure.legend(handles, ["measured, 95 %", "simulated, from primitives"], loc="lower left", ncols=2)
    figure.text(0.995, 0.09 / height, figures.host_note(result), ha="right", color="#555555", fontsize=6)
    return figure


if __name__ == "__main__":
    figures.main("isolation", draw)
