#!/usr/bin/env python3
"""What images are made of: one picture for each question of the structure experiments."""

from __future__ import annotations

from typing import Any

import figures
import missive
from figures import plt

MIB, KIB = 2.0**20, 2.0**10
AXES = ("block_size", "packing", "placement", "units", "degree")
COLOURS = (figures.BLUE, figures.ORANGE, figures.GREEN, figures.RED, figures.PINK, figures.SKY)


def _size(value: float) -> str:
    return f"{value / MIB:g} MiB" if value >= MIB else f"{value / KIB:g} KiB"


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
        ax.set_title(image.replace(">", " →\n"), loc="left", fontsize=7)
        panels.append((ax, image, wide[wide.of == image]))
    return figure, panels


def _legend(figure: Any, panels: Any, columns: int = 5) -> None:
    handles: dict[str, Any] = {}
    for ax, _, _ in panels:
        for handle, label in zip(*ax.get_legend_handles_labels()):
            handles.setdefault(label, handle)
    strip = 0.06 + 0.15 * -(-len(handles) // columns)  # inches below the axes
    height = figure.get_figheight()
    figure.get_layout_engine().set(rect=(0, strip / height, 1, 1 - strip / height))
    figure.legend(list(handles.values()), list(handles), loc="lower center", ncols=columns, fontsize=7)


def _blocks(ax: Any, values: Any) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(list(values), [_size(v).replace(" KiB", "K").replace(" MiB", "M") for v in values], fontsize=5)
    ax.minorticks_off()


def _block_size(wide: Any) -> Any:
    """What block size adds to the bytes that no design saves: recipe, and padding or lost sharing."""
    figure, panels = _panels(wide, 2.0)
    for ax, image, rows in panels:
        network = "network" in rows and rows.network.notna().all()
        name = "network" if network else "image"
        least = rows[name].min()
        ax.plot(rows.block_size, rows.recipe / MIB, "o-", color=figures.ORANGE, markersize=3, label="recipe")
        ax.plot(rows.block_size, (rows[name] - least) / MIB, "s-", color=figures.BLUE, markersize=3, label="padding and lost sharing")
        cost = (rows.cost - least) / MIB
        ax.plot(rows.block_size, cost, "-", color="black", linewidth=1.6, label="both (counted)")
        ax.plot(rows.block_size, (rows.cost_model - least) / MIB, "x", color=figures.RED, markersize=5, label="both (predicted)")
        best = cost.idxmin()
        ax.annotate(f"least: {_size(rows.block_size[best])}", (rows.block_size[best], cost[best]), xytext=(0.1, 0.85),
                    textcoords="axes fraction", arrowprops={"arrowstyle": "->", "linewidth": 0.7}, fontsize=7)  # fmt: skip
        _blocks(ax, rows.block_size)
        ax.set(ylabel=f"MiB over {least / MIB:.0f}", xlabel="block size")
        ax.set_ylim(bottom=0)
    _legend(figure, panels)
    return figure


def _bars(wide: Any, axis: str, metric: str, what: str, scale: float, height: float = 2.0, log: bool = True) -> Any:
    figure, panels = _panels(wide[wide[metric].notna()], height)
    for ax, image, rows in panels:
        names, sizes = list(dict.fromkeys(rows[axis])), sorted(set(rows.block_size))
        width = 0.8 / len(sizes)
        for i, size in enumerate(sizes):
            own = rows[rows.block_size == size].set_index(axis).reindex(names)
            at = [n + (i - (len(sizes) - 1) / 2) * width for n in range(len(names))]
            ax.barh(at, own[metric] / scale, width, color=COLOURS[i % len(COLOURS)], label=f"{_size(size)} blocks")
            if metric + "_model" in own:
                ax.plot(own[metric + "_model"] / scale, at, "|", color="black", markersize=5, markeredgewidth=1.4, label="predicted")
        ax.set_yticks(range(len(names)), names)
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)
        if log:
            ax.set_xscale("log")
        ax.set_xlabel(what)
    _legend(figure, panels)
    return figure


def _degree(wide: Any) -> Any:
    figure, panels = _panels(wide, 2.4)
    for ax, image, rows in panels:
        for size, style in zip(sorted(set(rows.block_size)), ("-", "--", ":")):
            own = rows[rows.block_size == size]
            for name, colour, label in (("recipe", figures.GREY, "all leaves (recipe)"), ("start_proof", figures.BLUE, "proof of a start's blocks"),
                                        ("proof", figures.ORANGE, "proof of one block"), ("tree", figures.GREEN, "inner nodes, were they sent")):  # fmt: skip
                if name not in own or own[name].isna().all():
                    continue
                ax.plot(own.degree, own[name] / KIB, style, color=colour, label=f"{label}, {_size(size)}")
                if name == "start_proof":
                    ax.plot(own.degree, own.start_proof_model / KIB, "x", color="black", markersize=4, label="predicted")
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.set_xticks(sorted(set(rows.degree)), [str(d) for d in sorted(set(rows.degree))])
        ax.minorticks_off()
        ax.set(xlabel="degree of the tree", ylabel="KiB")
    _legend(figure, panels, 3)
    return figure


def _update(wide: Any) -> Any:
    figure, panels = _panels(wide, 2.2)
    for ax, image, rows in panels:
        for units, colour in zip(dict.fromkeys(rows.units), COLOURS):
            own = rows[rows.units == units]
            ax.plot(own.block_size, own.network / MIB, "o-", color=colour, markersize=3, label=f"fetched, {units}")
            ax.plot(own.block_size, own.copied / MIB, ":", color=colour, linewidth=1, label=f"copied, {units}")
            if "network_model" in own and own.network_model.notna().any():
                ax.plot(own.block_size, own.network_model / MIB, "x", color="black", markersize=4, label="fetched, predicted")
        _blocks(ax, sorted(set(rows.block_size)))
        ax.set_yscale("log")
        ax.set(xlabel="block size", ylabel="MiB")
    _legend(figure, panels, 4)
    return figure


def draw(result: missive.Result) -> Any:
    """Bytes of images by design: the picture that answers the experiment's question."""
    wide = _wide(result)
    question = result.document["experiment"]["effective"]["question"]
    if question == "packing":
        return _bars(wide, "packing", "padding", "padding (MiB)", MIB)
    if question == "degree":
        return _degree(wide)
    if question == "placement":
        return _bars(wide, "placement", "copied", "to copy after the update (MiB)", MIB, 1.8, log=False)
    return _update(wide) if question == "update" else _block_size(wide)


if __name__ == "__main__":
    figures.main("structure", draw)
