"""Published functions: value and gradient at published points (tests/known/functions.json)."""

from __future__ import annotations

import math
from typing import Any

import pytest
from conftest import known

from micrograd import Value, erfc, exp, log, ops, sqrt

FUNCTIONS = known("functions.json")
WITH_EXPRESSION = {name: f for name, f in FUNCTIONS.items() if "expr" in f}

# The names that the expressions of the file use.
NAMES = {**ops.TABLE, "atan": ops.arctan, "pi": math.pi, "__builtins__": {}}


def nearly(expected: Any) -> Any:
    return pytest.approx(expected, rel=1e-11, abs=1e-12)


def evaluate(function: dict[str, Any]) -> tuple[Value, list[Value]]:
    variables = [Value(x, label=name) for name, x in zip(function["vars"], function["point"])]
    return eval(function["expr"], NAMES, {v.label: v for v in variables}), variables


@pytest.mark.parametrize("name", WITH_EXPRESSION)
def test_value_and_gradient_at_the_published_point(name: str) -> None:
    function = WITH_EXPRESSION[name]
    f, variables = evaluate(function)
    f.backward()
    assert f.data == nearly(function["f"])
    assert [v.grad for v in variables] == nearly(function["grad"])


# Black-Scholes ----------------------------------------------------------------------------------


def normal_cdf(x: Any) -> Any:
    return erfc(-x / math.sqrt(2)) / 2


def black_scholes(inputs: list[Value], sign: float) -> Any:
    """Compute the price of a European call (sign 1) or put (sign -1)."""
    s, k, r, q, sigma, t = inputs
    d1 = (log(s / k) + (r - q + sigma * sigma / 2) * t) / (sigma * sqrt(t))
    d2 = d1 - sigma * sqrt(t)
    forward, strike = s * exp(-q * t), k * exp(-r * t)
    return sign * (forward * normal_cdf(sign * d1) - strike * normal_cdf(sign * d2))


@pytest.mark.parametrize("case", FUNCTIONS["black_scholes"], ids=lambda case: case["case"])
def test_price_and_greeks_of_black_scholes(case: Any) -> None:
    *numbers, sign = case["args(S,K,r,q,sigma,T,call=+1/put=-1)"]
    inputs = [Value(number) for number in numbers]
    price = black_scholes(inputs, sign)
    price.backward()
    assert price.data == nearly(case["price"])
    greeks = [case[f"d_{name}"] for name in ("S", "K", "r", "q", "sigma", "T")]
    assert [v.grad for v in inputs] == nearly(greeks)


# Determinants and products ----------------------------------------------------------------------


def determinant(rows: list[list[Any]]) -> Any:
    """Compute a determinant by elimination without exchanges: a Hilbert matrix needs none."""
    if not rows:
        return 1.0
    (pivot, *top), *rest = rows
    below = [[x - row[0] / pivot * t for x, t in zip(row[1:], top)] for row in rest]
    return pivot * determinant(below)


@pytest.mark.parametrize("case", FUNCTIONS["hilbert"], ids=lambda case: f"n={case['n']}")
def test_gradient_of_a_hilbert_determinant_is_the_determinant_times_the_inverse(case: Any) -> None:
    n, inverse = case["n"], case["inverse_integers"]
    rows = [[Value(1 / (i + j + 1)) for j in range(n)] for i in range(n)]
    det = determinant(rows)
    det.backward()
    # The elements are rounded, so both are known to the condition number times the last digit.
    condition = sum(map(sum, [[1 / (i + j + 1) for j in range(n)] for i in range(n)]))
    condition *= max(abs(x) for row in inverse for x in row)
    tolerance = max(1e-15 * condition, 1e-14)
    assert det.data == pytest.approx(case["det_float"], rel=tolerance)
    for i in range(n):
        expected = [case["det_float"] * inverse[j][i] for j in range(n)]
        assert [x.grad for x in rows[i]] == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("n", FUNCTIONS["speelpenning"]["n"])
def test_product_of_speelpenning(n: int) -> None:
    xs = [Value((i + 1) / (i + 2)) for i in range(n)]
    f: Any = math.prod(xs)
    f.backward()
    assert f.data == pytest.approx(1 / (n + 1), rel=1e-13)
    assert [x.grad for x in xs] == pytest.approx([1 / (n + 1) / x.data for x in xs], rel=1e-13)
