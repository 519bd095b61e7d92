"""Values and derivatives at published points, many at the edges of the domain."""

from __future__ import annotations

import math
from typing import Any

import pytest
from conftest import known

from micrograd import Value, ops

NUMPY_NAMES = {
    "mul": "multiply",
    "div": "divide",
    "pow": "power",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "atan2": "arctan2",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
}

ROWS = [tuple(row) for row in known("derivatives.json")["rows"]]


def applied(name: str, operands: list[Value]) -> Value:
    """Apply an operation of the file, such as tanh, atan2, x**-3 or 2**x."""
    if "**" not in name:
        result: Value = ops.TABLE[NUMPY_NAMES.get(name, name)](*operands)
        return result
    base, exponent = name.split("**")
    (x,) = operands
    return x ** float(exponent) if base == "x" else float(base) ** x


def as_list(x: Any) -> list[float]:
    return x if isinstance(x, list) else [x]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]} at {row[1]}")
def test_value_and_first_derivatives(row: tuple[Any, ...]) -> None:
    name, point, value, slopes = row[:4]
    operands = [Value(x) for x in as_list(point)]
    out = applied(name, operands)
    assert abs(out.data - value) <= 4 * math.ulp(value)
    out.backward()
    for operand, expected in zip(operands, as_list(slopes)):
        if math.isinf(expected):
            assert operand.grad == expected
        else:
            assert abs(operand.grad - expected) <= 1e-12 * abs(expected) + 1e-15


def second_derivative(name: str, x: Value) -> float:
    """Differentiate the row's own rule, called on Values."""
    out = applied(name, [x])
    assert out.op is not None
    rule = next(rule for rule, arg in zip(out.op.derivatives, out.args) if arg is x)
    assert rule is not None
    slope = rule(*out.args, out)
    if not isinstance(slope, Value):
        return 0.0
    slope.backward()
    return x.grad


@pytest.mark.parametrize(
    "row", [row for row in ROWS if len(row) == 5], ids=lambda row: f"{row[0]} at {row[1]}"
)
def test_second_derivatives(row: tuple[Any, ...]) -> None:
    name, point, _, first, expected = row
    if (name, point) == ("x**0.5", 1e-300):
        # Where floats overflow in a power, eager Python raises; the true value is -infinity.
        with pytest.raises(OverflowError, match="derivative of power"):
            second_derivative(name, Value(point))
        return
    found = second_derivative(name, Value(point))
    if math.isinf(expected):
        assert found == expected
    else:
        assert abs(found - expected) <= 1e-12 * (abs(expected) + abs(first)) + 1e-15
