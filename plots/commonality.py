#!/usr/bin/env python3
"""What applications share: new data of the n-th to arrive; and, where files are cut in several ways, which way pays."""

from __future__ import annotations

from typing import Any

import figures
import missive
from figures import plt

MIB = 1 << 20
TICKS = (1, 2, 3, 5, 10, 20, 50, 100)
CONTENTS = {"whole": "all files", "opened": "files its start opens", "touched": "blocks its start touches"}
COLOURS = (figures.BLUE, figures.ORANGE, figures.RED)
# Ways of cutting, with colours that say which are fixed blocks.
CUTS = {"cdc": ("content-defined chunks", figures.ORANGE), "strings": ("whole files", figures.GREEN)}
BLOCKS = {"image ": (figures.BLUE, figures.SKY), "": (figures.GREY, "#C8C8C8")}


def draw(result: missive.Result) -> Any:
    """What is new to a cache: by the number of applications it holds, or by how files are cut."""
    frame = result.frame()
    figures.need("content" in frame.columns and (frame.metric == "alone").any(), result,
                 "no metric 'alone' by content; give the result of an experiment of kind 'commonality'")  # fmt: skip
    return _arrivals(result, frame) if frame.units.nunique() == 1 else _cuts(result, frame)


def _arrivals(result: missive.Result, frame: Any) -> Any:
    figure, ax = plt.subplots(figsize=(figures.COLUMN * 1.45, 3.0))
    places = {"alone": 1} | {f"new.{n}": n for n in TICKS}
    colours, most = {}, 1
    for i, (content, rows) in enumerate(frame[frame.metric.isin(places)].groupby("content", sort=False)):
        rows = rows.assign(n=rows.metric.map(places)).sort_values("n")
        most = max(most, rows.n.max())
        colour = COLOURS[i % len(COLOURS)]
        colours[f"{CONTENTS.get(content, content)} ({rows.units.iloc[0]})"] = colour
        ax.plot(rows.n, rows.measured / MIB, color=colour, linewidth=1, **figures.MEASURED)
        ax.plot(rows.n, rows.simulated / MIB, color="black", **figures.SIMULATED)
    for mib, text in ((64, "64 MiB before"), (1, "1 MiB after")):
        ax.axhline(mib, color="#555555", linestyle=":", linewidth=0.9)
        ax.text(1.01, mib, f"Missive, 2014:\n{text}", color="#555555", fontsize=6, transform=ax.get_yaxis_transform(), va="center")
    ax.set(xscale="log", yscale="log", ylim=(0.7, None), xlabel="n-th application to arrive", ylabel="new data, MiB (mean)")
    ax.minorticks_off()
    ticks = [n for n in TICKS if n <= most]
    ax.set_xticks(ticks, [str(n) for n in ticks])
    figures.plain_log(ax.yaxis)
    figures.legend_below(figure, figures.swatches(colours) | figures.marks("counted", "predicted"), 2, figures.host_note(result))
    return figure


def _cut(units: str, number: int) -> tuple[str, str]:
    """What a way of cutting is called, and its colour."""
    if units in CUTS:
        return CUTS[units]
    image = "image " if units.startswith("image ") else ""
    size = units.removeprefix("image ").replace("KiB", " KiB").replace("MiB", " MiB")
    return f"{size} blocks of {'an image' if image else 'each file'}", BLOCKS[image][number % 2]


def _cuts(result: missive.Result, frame: Any) -> Any:
    """Left: bytes to fetch, everything counted. Right: the same against the first way of cutting."""
    frame = frame[frame.content == frame.content.iloc[0]]
    units = list(dict.fromkeys(frame.units))
    names = {u: _cut(u, sum(o.startswith("image ") == u.startswith("image ") for o in units[:i])) for i, u in enumerate(units)}
    all_in = frame[frame.metric.str.startswith("left_out_all")].set_index(["metric", "units"]).measured
    families = [m for m in dict.fromkeys(m for m, _ in all_in.index) if m == "left_out_all" or m.split(".")[-1] not in ("median", "p10", "p90")]
    figures.need(all_in.notna().all() and len(families) > 0, result, "no metric 'left_out_all'; run the experiment again, with --backend both or real")
    families.sort(key=lambda m: m != "left_out_all")
    content = frame.set_index(["metric", "units"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(figures.PAGE, 0.75 + 0.135 * len(families) * (len(units) + 1)),
                                         sharey=True, width_ratios=(1.6, 1))  # fmt: skip
    step = 1 / (len(units) + 1)
    for row, metric in enumerate(families):
        base = all_in[metric, units[0]]
        for i, u in enumerate(units):
            at, total = row + (i - (len(units) - 1) / 2) * step, all_in[metric, u]
            part = content.loc[(metric.replace("_all", ""), u)]
            left.barh(at, part.measured / MIB, step * 0.9, color=names[u][1])
            left.barh(at, (total - part.measured) / MIB, step * 0.9, left=part.measured / MIB, color=names[u][1], alpha=0.35)
            left.plot(part.simulated / MIB, at, color="black", **figures.SIMULATED | {"markersize": 3.5, "markeredgewidth": 0.9})
            left.text(total / MIB, at, f"   {total / MIB:.1f}", va="center", fontsize=5.5)
            if i > 0:
                right.barh(at, 100 * (total / base - 1), step * 0.9, color=names[u][1])
                right.text(100 * (total / base - 1), at, f"{100 * (total / base - 1):+.0f} % ", va="center", ha="right", fontsize=5.5)
    versions = result.document["experiment"]["effective"]["lists"] == "versions"
    labels = ["all others" if m == "left_out_all" else m.removeprefix("left_out_all.") for m in families]
    left.set_yticks(range(len(labels)), labels)
    left.set_ylabel("the cache holds" + (" the other version of" if versions else " the others of this toolkit"), fontsize=7)
    left.set_ylim(len(labels) - 0.45, -0.55)
    left.margins(x=0.12)
    left.set_xlabel("to fetch, MiB: mean of the applications")
    right.axvline(0, color=names[units[0]][1], linewidth=1.5)
    right.margins(x=0.15)
    right.set_xlabel(f"against {names[units[0]][0]}, %")
    for ax in (left, right):
        ax.grid(axis="y", visible=False)
    handles = figures.swatches({names[u][0]: names[u][1] for u in units})
    handles |= {"light: metadata and recipe": plt.Rectangle((0, 0), 1, 1, color=figures.GREY, alpha=0.35)}
    handles |= figures.marks("bars: counted", "content, predicted", bars=True)
    figures.legend_below(figure, handles, 4, figures.host_note(result))
    return figure


if __name__ == "__main__":
    figures.main("commonality", draw)
