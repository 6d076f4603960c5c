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
