#!/usr/bin/env python3
"""Launch by phase: for each temperature one pair of bars, simulated and measured."""

from __future__ import annotations

from typing import Any

import figures
import missive
from figures import plt

ORDER = ("cold", "warm", "hot")


def _choose(result: missive.Result) -> Any:
    """One launch for each temperature: MAC, FUSE and a sealed hand-over where the sweep has them."""
    frame = result.frame()
    figures.need("temperature" in frame.columns, result, "no launches; give the result of an experiment of kind 'launch'")
    for column, liked in (("verifier", "mac"), ("delivery", "fuse"), ("handover", "sealed")):
        if (frame[column] == liked).any():
            frame = frame[frame[column] == liked]
    first = frame.drop_duplicates("temperature").point
    return frame[frame.point.isin(first)]


def draw(result: missive.Result) -> Any:
    """Launch phases by temperature, simulated against measured."""
    frame = _choose(result)
    phases = [p for p in figures.PHASE_COLOURS if ((frame.metric == p) & (frame.simulated.notna() | frame.measured.notna())).any()]
    figures.need(bool(phases), result, "no phase was answered; run the experiment first")
    temperatures = [t for t in ORDER if (frame.temperature == t).any()]
    figure, ax = plt.subplots(figsize=(figures.PAGE, max(0.65 + 0.58 * len(temperatures), 0.8 + 0.15 * len(phases))))
    ticks, labels = [], []
    for i, temperature in enumerate(temperatures):
        rows = frame[frame.temperature == temperature].set_index("metric")
        for j, world in enumerate(("simulated", "measured")):
            if rows.loc["total", world] != rows.loc["total", world]:
                continue
            at, left = 2.5 * i + j, 0.0
            for phase in phases:
                value = 1e3 * rows.loc[phase, world] if phase in rows.index else 0.0
                if value != value:
                    continue
                ax.barh(at, value, left=left, height=0.85, color=figures.PHASE_COLOURS[phase], edgecolor="white",
                        linewidth=0.4, hatch="////" if world == "measured" else None)  # fmt: skip
                if value > 35:
                    ax.text(left + value / 2, at, f"{value:.0f}", ha="center", va="center", fontsize=6.5,
                            bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.85})  # fmt: skip
                left += value
            total = rows.loc["total"]
            if world == "measured":
                ax.errorbar(1e3 * total.measured, at, xerr=[[1e3 * (total.measured - total.low)], [1e3 * (total.high - total.measured)]],
                            color="black", linewidth=0.8, capsize=2)  # fmt: skip
            end = 1e3 * max(total[world], total.high if world == "measured" else 0.0)
            ax.text(end + 6, at, f"{1e3 * total[world]:.0f} ms", va="center", fontsize=7)
            ticks.append(at)
            labels.append(f"{temperature}, {world}")
    ax.set_yticks(ticks, labels)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.margins(x=0.12)
    ax.set_xlim(left=0)
    ax.set_xlabel("time from request to ready mark (ms); whiskers: 95 % interval of the median total")
    handles = [plt.Rectangle((0, 0), 1, 1, color=figures.PHASE_COLOURS[p]) for p in phases]
    ax.legend(handles, phases, loc="center left", bbox_to_anchor=(1.0, 0.5), title="phase", alignment="left")
    p = frame.iloc[0]
    ax.set_title(f"{p.application}: {p.verifier}, {p.delivery}, {p.handover}; {figures.host_note(result)}", loc="left", color="#555555", fontsize=7)
    return figure


if __name__ == "__main__":
    figures.main("launch_phases", draw)
