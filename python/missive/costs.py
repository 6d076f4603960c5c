"""The models' cost functions over arrays. Times are seconds, sizes bytes.

Arrays of NumPy's integer type (int64) and of float64 are read in place; the loop runs in native code
and without the interpreter's lock. ``parameters`` is a set of :func:`missive.parameters`; None is
the shipped reference, the same numbers on every host.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from missive import _missive
from missive.errors import InputError
from missive._parameters import Parameters, parameters as _parameters

if TYPE_CHECKING:
    import pandas

__all__ = [
    "CostModel", "models", "frame", "seconds", "isolation", "isolation_text", "mechanisms",
    "operations", "mm1_response", "mm1_mean_number", "mg1_wait", "md1_response",
    "mg1_shared_response", "erlang_c", "mmc_response", "break_even_switch_rate",
]  # fmt: skip

Seconds = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CostModel:
    """A kind of work: seconds = calls * call_s + bytes * byte_s + items * item_s where ``affine``."""

    name: str
    what: str
    source: str
    per_call: bool
    per_byte: bool
    per_item: bool
    affine: bool
    parameters: list[str]
    """Names of its coefficients."""


def models() -> dict[str, CostModel]:
    """Every cost model of the program, by name."""
    made = (CostModel(**d) for d in _missive.cost_models())
    return {model.name: model for model in made}


def frame() -> pandas.DataFrame:
    """:func:`models` as a frame, one row each."""
    import pandas

    return pandas.DataFrame([vars(m) for m in models().values()])


@functools.lru_cache(maxsize=1)
def reference() -> Parameters:
    """The shipped parameters, read once."""
    return _parameters("reference")


def _native(parameters: Parameters | None) -> _missive.ParameterSet:
    return (reference() if parameters is None else parameters).native


def _counts(value: npt.ArrayLike, what: str) -> npt.NDArray[np.int64]:
    array = np.asarray(value)
    if array.dtype == np.int64:
        return array
    if array.dtype.kind not in "iu":
        raise InputError(f"{what} are counted; give integers, not {array.dtype}")
    if array.dtype.kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise InputError(f"{what} are beyond 2^63; give fewer")
    return array.astype(np.int64)


def seconds(
    cost: str,
    calls: npt.ArrayLike = 0,
    bytes: npt.ArrayLike = 0,
    items: npt.ArrayLike = 0,
    parameters: Parameters | None = None,
) -> Seconds:
    """Time of so much work on an idle core, element by element, to the picosecond.

    cost     name of a cost model (:func:`models`): "gmac", "sha256_blocks", "extract" ...
    calls, bytes, items
             integers of any shapes that broadcast; a count the model has no term for must be 0

    Returns float64 seconds of the broadcast shape (0-dimensional for plain numbers). Raises
    InputError for an unknown cost, a negative count, or a parameter that is missing.
    """
    arrays = np.broadcast_arrays(
        _counts(calls, "calls"), _counts(bytes, "bytes"), _counts(items, "items")
    )
    shape = arrays[0].shape
    # A flat view where the strides allow one, which they do for plain arrays and repeated scalars.
    flat = [a.reshape(-1) if 0 not in a.strides else _flat_repeat(a) for a in arrays]
    return _missive.cost(cost, _native(parameters), *flat).reshape(shape)


def _flat_repeat(array: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Flat without a copy when the array repeats one value, else with one."""
    if array.size and not any(array.strides):
        return np.broadcast_to(array.flat[0], (array.size,))
    return array.reshape(-1)


def mechanisms() -> list[str]:
    """Isolation mechanisms that have models."""
    return _missive.modelled_mechanisms()


def operations() -> list[str]:
    """What :func:`isolation` can be asked for."""
    return _missive.isolation_operations()


def isolation(
    operation: str,
    mechanism: str,
    size: npt.ArrayLike = 0.0,
    parameters: Parameters | None = None,
) -> Seconds:
    """Time of something an isolated domain does, composed from primitives.

    operation  "crossing" (a null call and its return), "crossing_elsewhere" (the service on another
               CPU), "crossing_among" (``size`` domains in turn), "chain" (through ``size`` domains),
               "creation", "teardown" (``size`` pages that the process which makes the domain
               has to itself: a fork copies their entries), "message" (``size`` bytes, nobody reads
               them),
               "sharing_local", "sharing_copy", "sharing_marshalled", "sharing_sealed",
               "sharing_shared", "sharing_pointer" (``size`` bytes, read)
    mechanism  one of :func:`mechanisms`
    size       float64, any shape
    parameters must hold the primitives: calibrate an isolation experiment, or give your own

    Returns float64 seconds of the shape of ``size``. NotAvailable where the mechanism has no model
    of the operation.
    """
    sizes = np.asarray(size, dtype=np.float64)
    flat = _missive.isolation_cost(operation, mechanism, _native(parameters), sizes.reshape(-1))
    return flat.reshape(sizes.shape)


def isolation_text(operation: str, mechanism: str, size: float = 0.0) -> str:
    """The sum of primitives behind :func:`isolation`: "2 x wake_process.call_s + ..."."""
    return _missive.isolation_text(operation, mechanism, size)


# Closed forms of queues in equilibrium (Kleinrock, "Queueing Systems", volume 1). `arrivals` and
# `service` are rates per second. A queue without equilibrium is an InputError.


def mm1_response(arrivals: npt.ArrayLike, service: npt.ArrayLike) -> Any:
    """Mean response time of M/M/1, seconds; element-wise, shapes broadcast."""
    return _missive.mm1_response(arrivals, service)


def mm1_mean_number(arrivals: npt.ArrayLike, service: npt.ArrayLike) -> Any:
    """Mean number of jobs in M/M/1; element-wise."""
    return _missive.mm1_mean_number(arrivals, service)


def mg1_wait(arrivals: npt.ArrayLike, service: npt.ArrayLike, scv: npt.ArrayLike) -> Any:
    """Mean waiting time of M/G/1, seconds; ``scv`` is the service time's squared coefficient of
    variation (0 constant, 1 exponential)."""
    return _missive.mg1_wait(arrivals, service, scv)


def md1_response(arrivals: npt.ArrayLike, service: npt.ArrayLike) -> Any:
    """Mean response time of M/D/1 (constant service), seconds."""
    return _missive.md1_response(arrivals, service)


def mg1_shared_response(arrivals: npt.ArrayLike, service: npt.ArrayLike) -> Any:
    """Mean response time of M/G/1 with the processor shared equally, seconds."""
    return _missive.mg1_shared_response(arrivals, service)


def erlang_c(arrivals: npt.ArrayLike, service: npt.ArrayLike, servers: npt.ArrayLike) -> Any:
    """Probability that an arrival has to wait in M/M/c."""
    return _missive.erlang_c(arrivals, service, servers)


def mmc_response(arrivals: npt.ArrayLike, service: npt.ArrayLike, servers: npt.ArrayLike) -> Any:
    """Mean response time of M/M/c, seconds."""
    return _missive.mmc_response(arrivals, service, servers)


def break_even_switch_rate(slow_down: npt.ArrayLike, switch_s: npt.ArrayLike) -> Any:
    """Switches per second at which software isolation that slows everything by ``slow_down`` (0.07)
    costs as much as a boundary of ``switch_s`` seconds a round trip."""
    return _missive.break_even_switch_rate(slow_down, switch_s)
