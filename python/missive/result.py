"""The result of an experiment: ``result.json`` and ``observations.csv`` of one run, in memory."""

from __future__ import annotations

import hashlib
import html
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterable, Mapping, Sequence

from missive import _program
from missive.errors import InputError

if TYPE_CHECKING:
    import matplotlib.axes
    import pandas

    from missive._parameters import Parameters

__all__ = ["Result", "load", "digest"]

SCHEMA = "missive-sim/result/1"

# Phases of a launch in their order, then what is not one.
PHASES = ("create", "lookup", "fetch", "assemble", "map", "tag_lookup", "verify", "tag_store", "boot")

_METRIC_COLUMNS = (
    "metric", "phase", "unit", "simulated", "measured", "low", "high", "n", "noise_floor",
    "relative_error", "within_tolerance", "provenance", "baseline_relative_error", "note",
    "simulated_low", "simulated_high",
)  # fmt: skip


class Result:
    """What one run found. Times are seconds, sizes bytes, errors relative (0.05 is 5 %).

    A world that did not answer is NaN in frames and None in ``points``; nothing stands in its place.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        observations: str | None = None,
        path: Path | None = None,
        status: int | None = None,
    ) -> None:
        """``document``: a parsed ``result.json``; ``observations``: the text of
        ``observations.csv``. Use :func:`missive.run` or :func:`missive.load`."""
        self._document = document
        self._observations = observations
        self.path = path
        """Folder of the files, None when they were not kept."""
        self.status = status
        """Exit status of the program: 0, 3 (outside a tolerance), 4 (cannot be judged on this
        host); None when it was loaded."""

    @property
    def document(self) -> Mapping[str, Any]:
        """The whole of ``result.json``."""
        return self._document

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return str(self._document["experiment"]["name"])

    @property
    def points(self) -> Sequence[Mapping[str, Any]]:
        """Points as in ``result.json``: id, label, parameters, metrics."""
        points: Sequence[Mapping[str, Any]] = self._document["points"]
        return points

    @property
    def summary(self) -> Mapping[str, Any]:
        """How far the worlds are apart, what failed, what is not available here and why."""
        summary: Mapping[str, Any] = self._document["summary"]
        return summary

    @property
    def context(self) -> Mapping[str, Any]:
        """Host, program and settings."""
        context: Mapping[str, Any] = self._document["context"]
        return context

    @property
    def claims(self) -> Sequence[Mapping[str, Any]]:
        """Claims that were judged, with verdicts."""
        claims: Sequence[Mapping[str, Any]] = self._document.get("claims", [])
        return claims

    @property
    def parameters_used(self) -> Mapping[str, Mapping[str, Any]]:
        """Parameters behind the simulated numbers: value, unit, provenance, source."""
        used: Mapping[str, Mapping[str, Any]] = self._document.get("parameters_used", {})
        return used

    @property
    def parameters(self) -> Parameters:
        """The same as a set that cost models and plans take."""
        from missive._parameters import Parameters

        text = json.dumps({"format": "missive-sim/parameters/1", "parameters": self.parameters_used})
        return Parameters.from_json(text, f"{self.path or self.name}: parameters_used")

    @property
    def digest(self) -> str:
        """SHA-256 over every simulated value of every point; see :func:`missive.digest`."""
        return digest(self.points)

    def frame(self) -> pandas.DataFrame:
        """One row per point and metric.

        Columns: ``point``, ``label``, one for each parameter of a point (``temperature``,
        ``image.block_size`` in bytes ...), then ``metric``, ``phase``, ``unit`` ("s", "B" or "1"),
        ``simulated``, ``measured`` (the median), ``low`` and ``high`` (its 95 % interval), ``n``,
        ``noise_floor``, ``relative_error``, ``within_tolerance``, ``provenance``,
        ``baseline_relative_error``, ``note``, ``simulated_low`` and ``simulated_high`` (where the
        model draws: what it says nine of ten measured values lie between).
        """
        import pandas

        rows = [row for point in self.points for row in _rows(point)]
        parameters = list(dict.fromkeys(key for p in self.points for key in p["parameters"]))
        columns = ["point", "label", *parameters, *_METRIC_COLUMNS]
        frame = pandas.DataFrame(rows, columns=columns)
        numbers = ["simulated", "measured", "low", "high", "n", "noise_floor", "relative_error",
                   "baseline_relative_error", "simulated_low", "simulated_high"]  # fmt: skip
        frame[numbers] = frame[numbers].astype("float64")
        return frame

    def observations(self) -> pandas.DataFrame:
        """Every single value, tidy: ``experiment``, ``point``, ``backend`` ("sim" or "real"),
        ``phase``, ``metric``, ``unit``, ``repetition`` (from 0), ``value``."""
        import io

        import pandas

        if self._observations is None:
            raise InputError(
                f"{self.path or self.name}: observations.csv is not there; "
                "load the folder of a run, not result.json alone"
            )
        text = {"experiment": str, "point": str}  # an id such as "12345678" is no number
        try:
            return pandas.read_csv(
                io.StringIO(self._observations), dtype=text, float_precision="round_trip"
            )
        except ValueError as error:
            raise InputError(
                f"{self.path or self.name}: observations.csv: {error}; run it again"
            ) from None

    def plot(self, ax: matplotlib.axes.Axes | None = None) -> matplotlib.axes.Axes:
        """Launches, one pair of stacked bars per point: simulated above, measured below, by phase,
        in milliseconds. Without launches: simulated over measured with the line of equality.

        ``ax``: where to draw; a new figure without it. Returns the axes.
        """
        from missive import _plot

        return _plot.plot(self, ax)

    def _repr_html_(self) -> str:
        from missive import _html

        return _html.result(self)

    def __repr__(self) -> str:
        worlds = [
            world
            for world in ("simulated", "measured")
            if any(m[world] is not None for p in self.points for m in p["metrics"])
        ]
        return f"<missive.Result {html.escape(self.name)}: {len(self.points)} points, {' and '.join(worlds) or 'no answer'}>"


def _rows(point: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for m in point["metrics"]:
        measured = m["measured"] or {}
        low, high = measured.get("ci95", (None, None))
        simulated_low, simulated_high = m.get("simulated_interval") or (None, None)
        yield {
            "point": point["id"],
            "label": point["label"],
            **point["parameters"],
            "metric": m["name"],
            "phase": m["phase"],
            "unit": m["unit"],
            "simulated": m["simulated"],
            "measured": measured.get("median"),
            "low": low,
            "high": high,
            "n": measured.get("n"),
            "noise_floor": measured.get("noise_floor"),
            "relative_error": m["relative_error"],
            "within_tolerance": m["within_tolerance"],
            "provenance": m["provenance"],
            "baseline_relative_error": m.get("baseline_relative_error"),
            "note": m.get("note"),
            "simulated_low": simulated_low,
            "simulated_high": simulated_high,
        }


def digest(points: Iterable[Mapping[str, Any]]) -> str:
    """SHA-256 (hexadecimal) over the simulated values of points as ``result.json`` has them.

    The order of points and metrics does not count, nor does anything measured or said of the host:
    two sweeps with the same digest computed the same numbers, bit for bit.
    """
    lines = sorted(
        f"{point['id']} {point.get('repetition', 0)} {m['name']} {m['unit']} {m['simulated']!r}\n"
        for point in points
        for m in point["metrics"]
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def check_document(document: Any, where: str) -> Mapping[str, Any]:
    """The document when it is a result this version reads, else InputError."""
    schema = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(schema, str) or not schema.startswith("missive-sim/result/"):
        raise InputError(f"{where}: not a result of missive-sim; name the folder of a run")
    if schema != SCHEMA:
        raise InputError(
            f"{where}: written as '{schema}', this version reads '{SCHEMA}'; "
            "use the version that wrote it, or run the experiment again"
        )
    missing = [k for k in ("experiment", "context", "points", "summary") if k not in document]
    if missing:
        raise InputError(f"{where}: has no '{missing[0]}'; run the experiment again")
    checked: Mapping[str, Any] = document
    return checked


def load(path: str | os.PathLike[str]) -> Result:
    """The result in a folder (what ``--out`` named), or a ``result.json``; seen from here, else among
    the shipped ones ("experiments/recorded/launch").

    Raises InputError when there is none, when it is truncated, or when another version wrote it.
    """
    folder = _program.shipped(path)
    file = folder / "result.json" if folder.is_dir() else folder
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}; name the folder of a run") from None
    except UnicodeDecodeError:
        raise InputError(f"{file}: not text; name the folder of a run") from None
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{file}:{error.lineno}:{error.colno}: {error.msg}; "
            "the file is cut short or was edited, run the experiment again"
        ) from None
    checked = check_document(document, str(file))
    rows = file.with_name("observations.csv")
    observations = rows.read_text(encoding="utf-8") if rows.exists() else None
    return Result(checked, observations, file.parent)
