"""What a function returns for one row: its numbers in a list, and their form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from micrograd.engine import Value
from micrograd.programs.run.results import Columns, Lease, Result
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


def shaped(data: Array, form: Form, call: Lease) -> Any:
    """Return numbers, one line per row, in their form: a Result, or a tuple of these."""
    if isinstance(form, tuple):
        return Result(data.reshape(len(data), *form), call)
    return _parts(data, form, call, 0)[0]


def _parts(data: Array, form: list[Form], call: Lease, at: int) -> tuple[Any, int]:
    """Return a tuple of results that begin in some column, and the column behind the last."""
    rows, width = data.shape
    found: list[Any] = []
    for part in form:
        if isinstance(part, tuple):
            first, at = at, at + math.prod(part)
            numbers = data[:, first:at].reshape(rows, *part)
            found.append(Result(numbers, call, Columns(first, width)))
        else:
            inner, at = _parts(data, part, call, at)
            found.append(inner)
    return tuple(found), at


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
