"""Parameters of the cost models, and what others published."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Mapping

from missive import _missive, _program
from missive.errors import InputError

if TYPE_CHECKING:
    import pandas

__all__ = ["Parameter", "Parameters", "parameters", "published"]

FORMAT = "missive-sim/parameters/1"


@dataclass(frozen=True)
class Parameter:
    """One parameter, in SI units, and where its value comes from."""

    value: float
    unit: str
    provenance: str
    """"measured" (on the host named by its file), "published" or "assumed"."""
    source: str
    """Micro-measurement, citation or reason."""
    low: float
    """Lower end of the 95 % interval; equal to ``value`` where none is known."""
    high: float
    date: str = ""


class Parameters(Mapping[str, Parameter]):
    """A set of parameters by name ("gmac.byte_s" is seconds per byte). Does not change;
    :meth:`changed` gives another one."""

    def __init__(self, entries: Mapping[str, Parameter], where: str = "parameters") -> None:
        """Raises InputError when an entry is not what it should be; ``where`` begins its message."""
        self._entries = dict(sorted(entries.items()))
        self._native = _missive.ParameterSet(self.to_json(), where)

    @classmethod
    def from_json(cls, text: str, where: str = "parameters") -> Parameters:
        """Reads the text of a parameter file."""
        document = json.loads(_missive.ParameterSet(text, where).to_json())
        return cls(
            {
                name: Parameter(
                    value=p["value"],
                    unit=p["unit"],
                    provenance=p["provenance"],
                    source=p["source"],
                    low=p.get("ci95", [p["value"]])[0],
                    high=p.get("ci95", [p["value"], p["value"]])[1],
                    date=p.get("date", ""),
                )
                for name, p in document["parameters"].items()
            },
            where,
        )

    def to_json(self) -> str:
        """The text of a parameter file, for ``run(parameters=...)``."""
        entries = {}
        for name, p in self._entries.items():
            entry: dict[str, Any] = {"value": p.value, "unit": p.unit, "provenance": p.provenance, "source": p.source}
            if p.low != p.high:
                entry["ci95"] = [p.low, p.high]
            if p.date:
                entry["date"] = p.date
            entries[name] = entry
        return json.dumps({"format": FORMAT, "parameters": entries}, indent=1) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes a parameter file."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    def value(self, name: str) -> float:
        """Value in SI units. InputError with the nearest name when there is none."""
        return self._native.value(name)

    def changed(self, why: str = "set in Python", **values: float) -> Parameters:
        """The same with other values, marked "assumed" for the reason ``why``.

        Names have dots, so write ``changed(**{"gmac.byte_s": 1e-10})``. An unknown name is an
        InputError: a misspelt parameter would change nothing.
        """
        entries = dict(self._entries)
        for name, value in values.items():
            self.value(name)
            number = float(value)
            entries[name] = replace(
                entries[name], value=number, low=number, high=number, provenance="assumed", source=why, date=""
            )
        return Parameters(entries)

    def frame(self) -> pandas.DataFrame:
        """One row per parameter: ``name``, ``value``, ``unit``, ``low``, ``high``, ``provenance``,
        ``source``, ``date``."""
        import pandas

        columns = ["name", "value", "unit", "low", "high", "provenance", "source", "date"]
        rows = [{"name": name, **asdict(p)} for name, p in self._entries.items()]
        return pandas.DataFrame(rows, columns=columns)

    @property
    def native(self) -> _missive.ParameterSet:
        """The set as the models take it."""
        return self._native

    def __getitem__(self, name: str) -> Parameter:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<missive.Parameters: {len(self)}>"

    def _repr_html_(self) -> str:
        html: str = self.frame().to_html(index=False, escape=True, float_format="{:.4g}".format)
        return html


def parameters(source: str | os.PathLike[str] | None = None) -> Parameters:
    """Parameters: None for this host's (NotAvailable when it was never calibrated), "reference" for
    those that ship with the project and were measured on another machine, else a file."""
    if source is None:
        return Parameters.from_json(_program.ask(["parameters", "--format", "json"]), "this host")
    if source == "reference":
        shipped = _program.data_dir() / "experiments/parameters/reference.json"
        return _of_another_host(Parameters.from_json(_read(shipped), str(shipped)))
    return Parameters.from_json(_read(Path(source)), os.fspath(source))


def _of_another_host(shipped: Parameters) -> Parameters:
    """What was measured elsewhere is an assumption here, as in the program."""
    return Parameters(
        {
            name: replace(
                p, provenance="assumed", source="measured on the reference machine, not on this host: " + p.source
            )
            if p.provenance == "measured"
            else p
            for name, p in shipped.items()
        }
    )


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not text"
        raise InputError(f"{file}: {why}; name a parameter file") from None


def published(word: str = "") -> pandas.DataFrame:
    """Published values with their sources: those in whose mechanism, quantity or source ``word``
    occurs, "" for all.

    Columns: ``mechanism``, ``quantity``, ``value``, ``low``, ``high`` (a bound has only one of
    these), ``unit`` (as printed), ``source``, ``year``, ``url``, ``checked`` (read in the source).
    """
    import pandas

    file = _program.data_dir() / "experiments/parameters/published.json"
    columns = ["mechanism", "quantity", "value", "low", "high", "unit", "source", "year", "url", "checked"]
    rows = _missive.published(_read(file), str(file), word)
    frame = pandas.DataFrame(rows, columns=columns)
    return frame.astype({"value": "float64", "low": "float64", "high": "float64"})
