"""What a function returns for one row: its numbers in a list, and their form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from micrograd.engine import Value
from micrograd.programs.run.results import Lease, Result
from micrograd.value.numbers import is_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


class Parts(tuple[Any, ...]):
    """What a function returns whose program gives a tuple of results: scalars, arrays, Parts."""


# What one row gives: the shape of an array, () for a scalar; a list where it is several of these.
Form = Union[tuple[int, ...], list["Form"]]


def outputs_of(returned: Any) -> tuple[list[Any], Form]:
    """Return the results of a function as a list, and their form."""
    if isinstance(returned, Parts):
        found = [outputs_of(part) for part in returned]
        return [x for outputs, _ in found for x in outputs], [form for _, form in found]
    if isinstance(returned, (list, tuple)):
        return [_output(x) for x in returned], (len(returned),)
    if getattr(returned, "ndim", 0):
        return [_output(x) for x in returned.ravel().tolist()], returned.shape
    return [_output(returned)], ()


def _output(x: Any) -> Any:
    if isinstance(x, Value) or is_number(x):
        return x
    raise TypeError(
        "the function of a program returns a scalar, or a list or tuple of scalars, or an array of "
        f"them; got {x!r}{': does it end with a return?' if x is None else ''}"
    )


def shaped(data: Array, form: Form, call: Lease, positions: Array | None = None) -> Any:
    """Return numbers, one line per row, in their form: a Result, or a tuple of these."""
    if isinstance(form, tuple):
        shape = (len(data), *form)
        places = None if positions is None else positions.reshape(shape)
        return Result(data.reshape(shape), call, places)
    if positions is None:
        positions = np.arange(data.size).reshape(data.shape)
    parts, at = [], 0
    for part in form:
        end = at + size_of(part)
        parts.append(shaped(data[:, at:end], part, call, positions[:, at:end]))
        at = end
    return tuple(parts)


def lease_of(results: Any) -> Lease:
    """Return the hold of a call's results, be they one or a tuple."""
    while isinstance(results, tuple):
        results = results[0]
    call: Lease = results._made_by
    return call


def lines_of(results: Any) -> Array:
    """Return the numbers of a call's results, one line per row."""
    if isinstance(results, tuple):
        return np.concatenate([lines_of(part) for part in results], axis=1)
    numbers: Array = results.data
    return numbers.reshape(len(numbers), math.prod(numbers.shape[1:]))


def size_of(form: Form) -> int:
    """Return how many numbers a form has."""
    return math.prod(form) if isinstance(form, tuple) else sum(map(size_of, form))
