"""What a notebook shows of a result: small tables, everything escaped."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from missive.result import Result

_MOST_POINTS = 30


def quantity(value: float | None, unit: str) -> str:
    """Three significant digits with a unit that people read: "23.0 ms", "97.9 MiB"."""
    if value is None:
        return "–"
    if unit == "s":
        for name, factor in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6), ("ns", 1e-9)):
            if abs(value) >= factor:
                return f"{value / factor:.3g} {name}"
        return f"{value / 1e-9:.3g} ns"
    if unit == "B":
        for name, factor in (("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10)):
            if abs(value) >= factor:
                return f"{value / factor:.3g} {name}"
        return f"{value:.0f} B"
    return f"{value:.4g}" + ("" if unit in ("1", "") else f" {unit}")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.1f} %"


def _headline(result: Result) -> str:
    s = result.summary
    parts = []
    if s.get("compared"):
        parts.append(f"{s['compared']} comparisons, median error {100 * s['median_abs_relative_error']:.1f} %")
    if s.get("within_tolerance") is not None:
        parts.append("within tolerance" if s["within_tolerance"] else "NOT within tolerance")
    if s.get("amounts_equal") is not None:
        parts.append("amounts equal" if s["amounts_equal"] else "amounts DIFFER")
    if s.get("interrupted"):
        parts.append("interrupted, partial")
    return "; ".join(parts) or "one world only: nothing to compare"


def _table(head: list[str], rows: list[list[str]]) -> str:
    cells = "".join(f'<th scope="col" style="text-align:left">{html.escape(h)}</th>' for h in head)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{html.escape(c)}</td>' for c in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _chosen(point: Any) -> dict[str, Any] | None:
    """The metric that stands for a point: the whole launch, else the first there is."""
    by_name = {m["name"]: m for m in point["metrics"]}
    for name in ("total", *by_name):
        if name in by_name:
            chosen: dict[str, Any] = by_name[name]
            return chosen
    return None


def result(r: Result) -> str:
    """The result as a table of its points."""
    rows = []
    for point in r.points[:_MOST_POINTS]:
        m = _chosen(point)
        if m is None:
            rows.append([point["label"], "–", "–", "–", "–"])
            continue
        measured = m["measured"] or {}
        rows.append(
            [
                point["label"],
                m["name"],
                quantity(m["simulated"], m["unit"]),
                quantity(measured.get("median"), m["unit"]),
                _percent(m["relative_error"]),
            ]
        )
    table = _table(["point", "metric", "simulated", "measured", "error"], rows)
    more = len(r.points) - _MOST_POINTS
    notes = [f"{more} more points in .frame()"] if more > 0 else []
    notes += [f"not available here: {text}" for text in r.summary.get("not_available", [])[:5]]
    notes += [f"failed: {text}" for text in r.summary.get("failures", [])[:5]]
    weakest = sorted({p["provenance"] for p in r.parameters_used.values()})
    if weakest:
        notes.append("parameters: " + ", ".join(weakest))
    context = r.context
    host = ", ".join(str(context[k]) for k in ("cpu", "kernel", "commit", "date") if context.get(k))
    return (
        f"<div><strong>{html.escape(r.name)}</strong>: {html.escape(_headline(r))}{table}"
        + "".join(f"<div>{html.escape(n)}</div>" for n in notes)
        + f"<small>{html.escape(host)}</small></div>"
    )
