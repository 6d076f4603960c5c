"""missive-sim in Python: launch and isolation costs, predicted and measured side by side.

    import missive
    result = missive.run("experiments/launch.json", backend="sim")
    result.frame()        # pandas: one row per point and metric
    result.plot()         # matplotlib: simulated against measured, by phase

Runs happen in child processes, by the program ``missive-sim``; models, plans, parameters and zarfiles
are read in this one. Times are seconds, sizes bytes, everywhere.
"""

from __future__ import annotations

import sys as _sys


def _explain(error: ImportError) -> ImportError:
    """A wrong interpreter shows up late, as something missing: say which one this is."""
    try:
        from missive import _where

        built = f"it was built for Python {_where.PYTHON}"
    except ImportError:
        built = "it was not built: this is the source folder, use build/PRESET/python"
    what = "its extension module cannot be loaded" if "_missive" in str(error) else str(error)
    return ImportError(
        f"missive: {what} in {_sys.executable} (Python {_sys.version_info[0]}.{_sys.version_info[1]}); {built}. "
        "On Debian: apt-get install python3-numpy python3-pandas python3-matplotlib, and run /usr/bin/python3"
    )


try:
    import numpy as _numpy  # noqa: F401

    from missive import _missive  # noqa: F401
except ImportError as _error:
    raise _explain(_error) from None

from missive import costs, zar
from missive._run import run
from missive.errors import Error, InputError, NotAvailable, RunError
from missive._parameters import Parameter, Parameters, parameters, published
from missive.plans import Demand, Plan, Record, Step, Transfer, Walk, plan, points
from missive.result import Result, digest, load
from missive._sweep import Sweep, sweep

__all__ = [
    "Demand", "Error", "InputError", "NotAvailable", "Parameter", "Parameters", "Plan", "Record",
    "Result", "RunError", "Step", "Sweep", "Transfer", "Walk", "costs", "digest", "load",
    "parameters", "plan", "points", "published", "run", "sweep", "zar",
]  # fmt: skip
