#!/usr/bin/env python3
"""What images are made of: one picture for each question of the structure experiments."""

from __future__ import annotations

import re
from typing import Any

import figures
import missive
from figures import plt

MIB, KIB = 2.0**20, 2.0**10
AXES = ("block_size", "packing", "placement", "units", "degree")
COLOURS = (figures.BLUE, figures.ORANGE, figures.GREEN, figures.RED, figures.PINK, figures.SKY)
CALLED = {"stable": "by hashing", "cdc": "content-defined chunks", "strings": "strings (whole files)"}


def _size(value: float) -> str:
    return f"{value / MIB:g} MiB" if value >= MIB else f"{value / KIB:g} KiB"


def _tree(name: str) -> str:
    """What a tree is called: "list:geany~1" is made from a list of sizes, after an update with invented edits."""
    name = name.removeprefix("list:")
    return re.sub(r"^(.*)~(\d)$", r"\1, invented update \2", name).replace("@", ", ")


def _image(name: str) -> str:
    before, arrow, after = name.partition(">")
    return f"{_tree(before)} →\n{_tree(after)}" if arrow else _tree(before)


def _wide(result: missive.Result) -> Any:
    """One row a point: counted where it was, and NAME_model beside it."""
    frame = result.frame()
    figures.need("placement" in frame.columns and "image" in frame.columns, result,
                 "no images; give the result of an experiment of kind 'structure'")  # fmt: skip
    frame = frame[frame.metric != "units"]  # their number; the column says their kind
    keys = ["point", *AXES, "of"]
    frame = frame.rename(columns={"image": "of"})
    counted = frame.assign(value=frame.measured.fillna(frame.simulated)).pivot_table(index=keys, columns="metric", values="value", sort=False)
    model = frame.pivot_table(index=keys, columns="metric", values="simulated", sort=False).add_suffix("_model")
    return counted.join(model).reset_index()


def _panels(wide: Any, height: float) -> tuple[Any, list[tuple[Any, str, Any]]]:
    images = list(dict.fromkeys(wide.of))
    columns = 2 if len(images) == 4 else min(3, len(images))
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(figures.PAGE, height * rows), squeeze=False)
    flat = list(axes.flat)
    for ax in flat[len(images):]:
        ax.set_visible(False)
    panels = []
    for ax, image in zip(flat, images):
        ax.set_title(_image(image), loc="left", fontsize=7)
        panels.append((ax, image, wide[wide.of == image]))
    return figure, panels


def _blocks(ax: Any, values: Any) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(list(values), [f"{v / KIB:g}" for v in values], fontsize=6)
    ax.minorticks_off()
    ax.set_xlabel("block size (KiB)")


def _block_size(wide: Any) -> Any:
    """What block size adds to the bytes that no design saves: recipe, and padding or lost sharing."""
    figure, panels = _panels(wide, 2.1)
    colours = {"padding, or sharing lost": figures.SKY, "recipe": figures.ORANGE}
    for ax, image, rows in panels:
        network = "network" in rows and rows.network.notna().all()
        name = "network" if network else "image"
        least = rows[name].min()
        cost = (rows.cost - least) / MIB
        ax.stackplot(rows.block_size, (rows[name] - least) / MIB, rows.recipe / MIB, colors=list(colours.values()))
        ax.plot(rows.block_size, cost, color="black", linewidth=1, **figures.MEASURED)
        ax.plot(rows.block_size, (rows.cost_model - least) / MIB, color=figures.RED, **figures.SIMULATED)
        best = cost.idxmin()
        ax.annotate(f"least: {_size(rows.block_size[best])}", (rows.block_size[best], cost[best]), xytext=(0.06, 0.85),
                    textcoords="axes fraction", arrowprops={"arrowstyle": "->", "linewidth": 0.7}, fontsize=7)  # fmt: skip
        _blocks(ax, rows.block_size)
        ax.set_ylabel(f"MiB beyond {least / MIB:.0f}{' to fetch' if network else ''}", fontsize=7)
        ax.set_ylim(bottom=0)
    figures.legend_below(figure, figures.swatches(colours) | figures.marks("both, counted", "both, predicted"), 4)
    return figure


def _by_choice(wide: Any, axis: str, metric: str, what: str, height: float, bars: bool) -> Any:
    """A row for each choice: bars where lengths compare, dots where only a logarithmic axis holds them all."""
    figure, panels = _panels(wide[wide[metric].notna()], height)
    colours: dict[str, str] = {}
    for ax, image, rows in panels:
        names, sizes = list(dict.fromkeys(rows[axis])), sorted(set(rows.block_size))
        width = 0.8 / len(sizes)
        for i, size in enumerate(sizes):
            colour = colours.setdefault(f"{_size(size)} blocks", COLOURS[i % len(COLOURS)])
            own = rows[rows.block_size == size].set_index(axis).reindex(names)
            at = [n + (i - (len(sizes) - 1) / 2) * width for n in range(len(names))]
            if bars:
                ax.barh(at, own[metric] / MIB, width * 0.9, color=colour)
                ax.barh(at, own.network / MIB, width * 0.3, color="white", alpha=0.75)
            else:
                ax.plot(own[metric] / MIB, at, color=colour, linestyle="", **figures.MEASURED | {"markersize": 5})
            if metric + "_model" in own:
                ax.plot(own[metric + "_model"] / MIB, at, color="black", **figures.SIMULATED)
            for y, row in zip(at, own.itertuples()):
                if bars and getattr(row, "scrap_items", None) == getattr(row, "scrap_items", 0):
                    ax.text(max(row.copied, row.copied_model) / MIB, y, f"  {row.scrap_items:,.0f} of {row.items:,.0f} items in the scrap list", va="center", fontsize=5)
        ax.set_yticks(range(len(names)), [CALLED.get(n, n) for n in names])
        ax.invert_yaxis()
        ax.set_xlabel(what)
        if bars:
            ax.grid(axis="y", visible=False)
            ax.margins(x=0.4 if "scrap_items" in rows and rows.scrap_items.notna().any() else 0.05)
            ax.set_xlim(left=0)
        else:
            ax.set_xscale("log")
            figures.plain_log(ax.xaxis, (1,) if rows[metric].max() > 300 * rows[metric].min() else (1, 2, 5))
    handles = figures.swatches(colours)
    if bars:
        handles |= {"white: of it fetched over the network": plt.Rectangle((0, 0), 1, 1, facecolor="white", edgecolor=figures.GREY)}
    figures.legend_below(figure, handles | figures.marks("bars: counted" if bars else "counted", "predicted", bars), 5)
    return figure


def _degree(wide: Any) -> Any:
    figure, panels = _panels(wide, 2.6)
    kinds = {"recipe": ("all leaves: the recipe", figures.GREY), "start_proof": ("proof of the blocks of a start", figures.BLUE),
             "proof": ("proof of one block", figures.ORANGE), "tree": ("inner nodes, were they sent", figures.GREEN)}  # fmt: skip
    sizes = sorted(set(wide.block_size))
    styles = dict(zip(sizes, ("-", "--", ":")))
    for ax, image, rows in panels:
        for size, style in styles.items():
            own = rows[rows.block_size == size]
            for name, (_, colour) in kinds.items():
                if name not in own or own[name].isna().all():
                    continue
                ax.plot(own.degree, own[name] / KIB, linestyle=style, linewidth=1.1, color=colour, **figures.MEASURED | {"markersize": 3})
                ax.plot(own.degree, own[name + "_model"] / KIB, color="black", **figures.SIMULATED | {"markersize": 4, "markeredgewidth": 0.9})
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.set_xticks(sorted(set(rows.degree)), [str(d) for d in sorted(set(rows.degree))])
        ax.minorticks_off()
        figures.plain_log(ax.yaxis)
        ax.set(xlabel="degree of the tree", ylabel="KiB")
    shown = {label: colour for name, (label, colour) in kinds.items() if name in wide and wide[name].notna().any()}
    handles = figures.swatches(shown) | {f"{_size(s)} blocks": plt.Line2D([], [], color="black", linestyle=styles[s]) for s in sizes if s in styles}
    figures.legend_below(figure, handles | figures.marks("counted", "predicted"), 4)
    return figure


def _update(wide: Any) -> Any:
    figure, panels = _panels(wide, 2.2)
    colours = {units: COLOURS[i] for i, units in enumerate(dict.fromkeys(wide.units))}
    for ax, image, rows in panels:
        for units, colour in colours.items():
            own = rows[rows.units == units]
            ax.plot(own.block_size, own.cost / MIB, linestyle="-", color=colour, **figures.MEASURED)
            ax.plot(own.block_size, own.copied / MIB, linestyle=":", linewidth=0.9, color=colour, **figures.MEASURED | {"markersize": 1.8})
            if "cost_model" in own and own.cost_model.notna().any():
                ax.plot(own.block_size, own.cost_model / MIB, color="black", **figures.SIMULATED | {"markersize": 4})
        _blocks(ax, sorted(set(rows.block_size)))
        ax.set_ylim(bottom=0)
        ax.set_ylabel("MiB")
    lines = {"to fetch, with the recipe": "-", "to copy in a buffer with the old image": ":"}
    handles = figures.swatches({CALLED.get(u, f"fixed {u}"): c for u, c in colours.items()}) | figures.marks("counted", "predicted")
    figures.legend_below(figure, handles | {t: plt.Line2D([], [], color="black", linestyle=s) for t, s in lines.items()}, 4)
    return figure


NUMBERS = {"network": "to fetch", "copied": "to copy"}
FROM = {"": "from strangers", "_seen": "seen elsewhere", "_told": "told one size"}


def _coverage_panels(result: missive.Result) -> list[list[tuple[str, Any]]]:
    """What was drawn and counted: a line for each number and placement, in it each prediction with its rows, by image and block size."""
    frame = result.frame()
    figures.need("placement" in frame.columns and "simulated_low" in frame.columns, result,
                 "no images; give the result of an experiment of kind 'structure'")  # fmt: skip
    frame = frame[frame.metric.isin([number + end for number in NUMBERS for end in FROM]) & frame.simulated.notna() & (frame.measured > 0)]
    figures.need(len(frame) > 0, result, "nothing is both predicted and counted; run it with --backend both")
    ends = [end for end in FROM if frame.metric.isin([number + end for number in NUMBERS]).any()]
    lines = []
    for number, called in NUMBERS.items():
        for placement in dict.fromkeys(frame.placement):
            own = frame[frame.placement == placement]
            lines.append([(f"{called}, {CALLED.get(placement, placement.replace('-', ' '))}: {FROM[end]}", own[own.metric == number + end]) for end in ends])
    return lines


def _amounts(lines: list[list[tuple[str, Any]]], images: list[str]) -> list[str]:
    """What each image is called, with what its update fetches in the largest blocks up to 64 KiB: errors of little are no errors of weight."""
    names = []
    for image in images:
        rows = next((rows for line in lines for _, rows in line if (rows.image == image).any()))
        rows = rows[rows.image == image].sort_values("block_size")
        rows = rows[rows.block_size <= max(64 * KIB, rows.block_size.min())]
        names.append(f"{_tree(image.partition('>')[0]).partition(',')[0]} ({rows.measured.iloc[-1] / MIB:.1f} MiB)")
    return names


def _coverage_panel(ax: Any, title: str, rows: Any, images: list[str], names: list[str], sizes: list[int], tolerance: float) -> None:
    """One line a prediction, as a share of what was counted; nothing off the picture without an arrow."""
    stated = held = near = 0
    for row in rows.itertuples():
        y = images.index(row.image) + (sizes.index(row.block_size) - (len(sizes) - 1) / 2) * 0.8 / len(sizes)
        low, high = (100 * (end / row.measured - 1) for end in (row.simulated_low, row.simulated_high))
        drawn = low == low
        inside = low <= 0 <= high if drawn else None
        stated, held = stated + drawn, held + (inside is True)
        near += abs(row.relative_error) <= tolerance
        colour = figures.GREY if inside is None else figures.BLUE if inside else figures.RED
        if drawn:
            ax.plot([low, high], [y, y], color=colour, linewidth=1.6 if inside else 1.2, solid_capstyle="butt")
        beyond = abs(row.relative_error) > tolerance
        ax.plot(100 * row.relative_error, y, color=colour if drawn else "black", **figures.SIMULATED | {"markersize": 5 if beyond else 3, "markeredgewidth": 1.1 if beyond else 0.7})
    ax.axvspan(-100 * tolerance, 100 * tolerance, color="#EEEEEE", zorder=0)
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(range(len(images)), names)
    ax.set_ylim(len(images) - 0.5, -0.5)
    ax.set_title(f"{title}\n{held} of {stated} hold; {near} of {len(rows)} within {100 * tolerance:g} %", loc="left", fontsize=6.5)


def _coverage(result: missive.Result) -> Any:
    """Do the intervals hold? Each should lie across the line: what was counted."""
    lines = _coverage_panels(result)
    images = list(dict.fromkeys(i for line in lines for _, rows in line for i in rows.image))
    sizes = sorted({int(s) for line in lines for _, rows in line for s in rows.block_size})
    names = _amounts(lines, images)
    height = 0.9 + 0.06 * len(sizes) * len(images)
    figure, axes = plt.subplots(len(lines), len(lines[0]), figsize=(figures.PAGE, len(lines) * height), sharey=True, squeeze=False)
    tolerance = result.document["experiment"]["effective"]["tolerance"]["statistical"]
    for ax, (title, rows) in zip(axes.flat, (panel for line in lines for panel in line)):
        _coverage_panel(ax, title, rows, images, names, sizes, tolerance)
        ax.tick_params(labelsize=6)
    for ax in axes[-1]:
        ax.set_xlabel("predicted, beyond the count (%)", fontsize=7)
    line = {"linewidth": 1.6}
    handles = {"interval of nine tenths holds the count": plt.Line2D([], [], color=figures.BLUE, **line), "does not": plt.Line2D([], [], color=figures.RED, **line),
               f"predicted (large: beyond {100 * tolerance:g} %)": plt.Line2D([], [], color="black", **figures.SIMULATED)}  # fmt: skip
    handles |= {f"of each, from above: blocks of {', '.join(_size(s) for s in sizes)}": plt.Line2D([], [], linestyle=""),
                f"(MiB): to fetch in blocks of {_size(max([s for s in sizes if s <= 64 * KIB] or sizes[:1]))}": plt.Line2D([], [], linestyle="")}  # fmt: skip
    figures.legend_below(figure, handles, 2)
    return figure


def draw(result: missive.Result) -> Any:
    """Bytes of images by design: the picture that answers the experiment's question."""
    if result.document["experiment"].get("effective", {}).get("leave_one_out"):
        return _coverage(result)
    wide = _wide(result)
    question = result.document["experiment"]["effective"]["question"]
    if question == "packing":
        return _by_choice(wide, "packing", "padding", "padding (MiB)", 2.0, bars=False)
    if question == "degree":
        return _degree(wide)
    if question == "placement":
        return _by_choice(wide, "placement", "copied", "to copy after the update (MiB)", 1.9, bars=True)
    return _update(wide) if question == "update" else _block_size(wide)


if __name__ == "__main__":
    figures.main("structure", draw)
