"""What every figure of this folder has in common: one look, and files that are the same bytes every time.

    PYTHONPATH=build/release/python python3 plots/launch_phases.py results/launch --out figures

writes figures/launch_phases.svg and .pdf (and .png with --png). Figures are drawn from result files alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Callable

try:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    import matplotlib.ticker

    import missive
except ImportError as error:
    sys.exit(f"figures: {error}; on Debian: make build, then PYTHONPATH=build/release/python /usr/bin/python3 ...")

# Okabe and Ito's colours: told apart by colour-blind readers, and in grey by their lightness.
BLUE, ORANGE, GREEN, RED, SKY, PINK, YELLOW, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#F0E442", "#8A8A8A",
)  # fmt: skip

PHASE_COLOURS = {
    "create": GREY, "lookup": "#C8C8C8", "fetch": BLUE, "assemble": PINK, "map": YELLOW,
    "tag_lookup": "#404040", "verify": RED, "tag_store": "#000000", "boot": GREEN,
}  # fmt: skip

STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "pdf.fonttype": 42,  # TrueType: many submission systems refuse Type 3
    "svg.fonttype": "path",
    "svg.hashsalt": "missive-sim",  # else ids are random
    "savefig.dpi": 150,
}

# The two worlds have the same marks in every figure: what the model says is a cross, what this machine did or
# counted is a dot (or a bar, where lengths compare).
MEASURED: dict[str, Any] = {"marker": "o", "markersize": 3.5}
SIMULATED: dict[str, Any] = {"marker": "x", "markersize": 5, "markeredgewidth": 1.3, "linestyle": ""}

COLUMN, PAGE = 3.35, 7.0  # widths of a column and of a page, inches


def save(figure: Any, folder: Path, name: str, png: bool = False) -> list[Path]:
    """Writes the figure; nothing of it depends on when or where."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.svg", folder / f"{name}.pdf"]
    figure.savefig(files[0], metadata={"Date": None, "Creator": "missive-sim"})
    figure.savefig(files[1], metadata={"CreationDate": None, "Creator": "missive-sim", "Producer": None})
    if png:
        files.append(folder / f"{name}.png")
        figure.savefig(files[2], metadata={"Software": None})
    plt.close(figure)
    return files


def host_note(result: missive.Result) -> str:
    """Who measured: small, below every figure that shows a measurement."""
    c = result.context
    kernel = " ".join(str(c.get("kernel", "unknown kernel")).split()[:2])
    return f"{c.get('cpu', 'unknown CPU')}, {c.get('cores', '?')} cores, {kernel}, {str(c.get('date') or '')[:10]}"


def marks(measured: str = "measured", simulated: str = "simulated", bars: bool = False) -> dict[str, Any]:
    """Entries of a legend for the two worlds, by label; without colour, which means something else."""
    dot = plt.Rectangle((0, 0), 1, 1, color=GREY) if bars else plt.Line2D([], [], color="black", linestyle="", **MEASURED)
    return {measured: dot, simulated: plt.Line2D([], [], color="black", **SIMULATED)}


def swatches(colours: dict[str, str]) -> dict[str, Any]:
    """Entries of a legend for what colours mean."""
    return {label: plt.Rectangle((0, 0), 1, 1, color=colour) for label, colour in colours.items()}


def legend_below(figure: Any, handles: dict[str, Any], columns: int, note: str = "") -> None:
    """A legend in a strip of its own below the axes, and who measured below that."""
    lines = -(-len(handles) // columns)
    strip, height = 0.06 + 0.15 * lines + (0.13 if note else 0.0), figure.get_figheight()
    figure.get_layout_engine().set(rect=(0, strip / height, 1, 1 - strip / height))
    figure.legend(list(handles.values()), list(handles), loc="lower center", ncols=columns, fontsize=7,
                  bbox_to_anchor=(0.5, 0.1 / height if note else 0.0))  # fmt: skip
    if note:
        figure.text(0.995, 0.03 / height, note, ha="right", color="#555555", fontsize=5.5)


def plain_log(axis: Any, steps: tuple[float, ...] = (1,)) -> None:
    """Ticks of a logarithmic axis as numbers: 0.1, 1, 10."""
    axis.set_major_locator(matplotlib.ticker.LogLocator(subs=steps))
    axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(matplotlib.ticker.NullFormatter())


def main(name: str, draw: Callable[[missive.Result], Any]) -> None:
    """Command line of a figure."""
    parser = argparse.ArgumentParser(description=(draw.__doc__ or name).strip())
    parser.add_argument("result", help="folder of a run, or its result.json")
    parser.add_argument("--out", default="figures", help="folder for the pictures (default: figures)")
    parser.add_argument("--png", action="store_true", help="a PNG, too")
    arguments = parser.parse_args()
    try:
        result = missive.load(arguments.result)
        with plt.rc_context(STYLE):
            figure = draw(result)
            for file in save(figure, Path(arguments.out), name, arguments.png):
                print(file)
    except missive.InputError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"{name}: {error.filename}: {error.strerror}; name another folder with --out", file=sys.stderr)
        sys.exit(2)


def need(condition: bool, result: missive.Result, what: str) -> None:
    """Refuses a result that does not have what the figure shows."""
    if not condition:
        raise missive.InputError(f"{result.path or result.name}: {what}")
