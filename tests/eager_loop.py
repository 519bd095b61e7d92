"""The eager loop that a program must agree with: its function, called on one row after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pytest
from plan_checks import assert_plans_hold

from micrograd import Value, program
from micrograd.programs.api import Program

Function = Callable[..., Any]


class Outcome(NamedTuple):
    """A function's results for all rows, and the gradients by each array of parameters."""

    data: np.ndarray[Any, Any]
    grads: list[np.ndarray[Any, Any]]


def assert_agree(function: Function, arguments: Iterable[Any], parameters: Sequence[Any]) -> None:
    """Check a program's results and gradients against the eager loop's.

    `parameters` are lists of Values, nested or not; each list is compared as one array, whose
    largest gradient sets the scale.
    """
    assert_same(program(function), arguments, parameters)


def assert_same(traced: Program, arguments: Iterable[Any], parameters: Sequence[Any]) -> None:
    """Check a program that may have been called before, when the parameters were others."""
    looped = by_loop(traced.__wrapped__, arguments, parameters)
    ran = by_program(traced, arguments, parameters)
    assert_plans_hold(traced)
    assert ran.data.shape == looped.data.shape
    assert ran.data == close(looped.data)
    for i, (found, expected) in enumerate(zip(ran.grads, looped.grads)):
        assert found == close(expected), f"parameters[{i}]"


def by_loop(function: Function, arguments: Iterable[Any], parameters: Sequence[Any]) -> Outcome:
    """Call the function on Values for each row, and go backward from the mean of all rows."""
    rows = [function(*map(values, row)) for row in zip(*arguments)]
    several = isinstance(rows[0], (list, tuple))
    columns = [*zip(*rows)] if several else [rows]
    means: list[Any] = [sum(column) / len(column) for column in columns]
    data = np.array(
        [[v.data if isinstance(v, Value) else v for v in column] for column in columns]
    ).T
    return Outcome(data if several else data[:, 0], gradients(_mix(means), parameters))


def by_program(traced: Program, arguments: Iterable[Any], parameters: Sequence[Any]) -> Outcome:
    """Call the program on all rows at once, and go backward from the same mean."""
    result = traced(*arguments)
    columns = [result] if result.ndim == 1 else [result[:, k] for k in range(result.shape[1])]
    means = [column.mean() for column in columns]
    return Outcome(result.data, gradients(_mix(means), parameters))


def gradients(root: Value, parameters: Sequence[Any]) -> list[np.ndarray[Any, Any]]:
    """Return the gradients that one backward pass leaves in these parameters."""
    arrays = [list(leaves(array)) for array in parameters]
    for p in leaves(parameters):
        p.grad = 0
    root.backward()
    return [np.array([p.grad for p in array]) for array in arrays]


def values(numbers: Any) -> Any:
    """Put Values in the place of numbers, in lists nested like the array."""
    if np.ndim(numbers):
        return [values(x) for x in numbers]
    return Value(float(numbers))


def leaves(nested: Any) -> Iterable[Value]:
    """List the Values in nested lists, in order."""
    if isinstance(nested, Value):
        yield nested
    else:
        for part in nested:
            yield from leaves(part)


def close(expected: np.ndarray[Any, Any]) -> Any:
    """Check that arrays are equal to 1e-12 of the largest number; NaN equals NaN."""
    largest = np.max(np.abs(expected), initial=0, where=np.isfinite(expected))
    return pytest.approx(expected, rel=0, abs=1e-12 * max(largest, 1e-300), nan_ok=True)


def _mix(means: Sequence[Value]) -> Value:
    """Weigh all columns differently into one root."""
    return sum(((k + 1.0) * mean for k, mean in enumerate(means)), Value(0.0))
