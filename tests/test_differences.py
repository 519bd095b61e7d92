"""check_grads: it finds what is wrong, and only that."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Op, Value, check_grads, ops

POINTS = {1: (0.3,), 2: (0.7, 1.3), 3: (1.0, 0.7, 1.3)}


def operands(row: Op) -> tuple[float, ...]:
    if row.name == "polygamma":
        return (1.0, 1.3)  # its first operand is a whole number
    return (1.7,) if row.name == "arccosh" else POINTS[len(row.derivatives)]


@pytest.mark.parametrize("row", ops.TABLE.values(), ids=ops.TABLE)
def test_every_row_passes(row: Op) -> None:
    check_grads(row, operands(row))


def planted(row: Op, position: int, wrong: Callable[[Any], Any]) -> Op:
    """Return the row with one of its derivatives spoilt."""
    rules = list(row.derivatives)
    right = rules[position]
    assert right is not None
    rules[position] = lambda *operands: wrong(right(*operands))
    return Op(row.name, row.value, *rules)


RULES = [
    pytest.param(row, i, id=f"{row.name}-{i}")
    for row in ops.TABLE.values()
    for i, rule in enumerate(row.derivatives)
    if rule is not None
]


@pytest.mark.parametrize(("row", "position"), RULES)
@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_a_small_error_in_any_row_is_found(row: Op, position: int, mode: str) -> None:
    x = operands(row)
    rule = row.derivatives[position]
    assert rule is not None
    if rule(*x, row(*x)) == 0:  # a relative error would leave it 0
        wrongs: list[Callable[[Any], Any]] = [lambda slope: slope + 1e-4]
    else:
        wrongs = [lambda slope: slope * 1.0001, lambda slope: slope * 0.9999]
    for wrong in wrongs:
        with pytest.raises(AssertionError, match=rf"{row.name}: .*\({mode}"):
            check_grads(planted(row, position, wrong), x, modes=(mode,))


def rosenbrock(x: Any) -> Any:
    return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))


def test_badly_scaled_functions_pass() -> None:
    check_grads(rosenbrock, [1e6, 1e6])
    check_grads(rosenbrock, [1e6, -2e6, 3.1e6])
    check_grads(lambda x: rosenbrock(x * 1e8), [1.2e-8, 1e-8, -3e-8])
    check_grads(lambda x: (x[0] * 1e8).sin() * (x[1] * 1e8).exp(), [0.0, 1e-8])
    check_grads(lambda x: (1e6 * x).sin(), 1.0)
    check_grads(lambda x: x.sin(), 1e6)
    check_grads(lambda x: (1e10 + x) - 1e10, 0.3)
    check_grads(lambda x: 1e8 + x * x, 1e-3)
    check_grads(lambda x: x.exp(), 1e-20)
    check_grads(lambda x: x.sqrt(), 1e-12)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        (lambda x, square: 1e8 + square(x), 3.0),
        (lambda x, square: square(x), 1e-20),
        (lambda x, square: square(x * 1e8), 1e-8),
        (lambda x, square: (square(x) * 1e6).sin(), 1.0),
        (lambda x, square: square(x) * 1e20, 1e6),
    ],
)
def test_a_wrong_rule_is_found_in_badly_scaled_functions_too(f: Any, x: float) -> None:
    square = Op("square", lambda x: x * x, lambda x, out: 2.0002 * x)
    with pytest.raises(AssertionError):
        check_grads(lambda x: f(x, square), x, order=1)


def test_a_wrong_second_derivative_is_found() -> None:
    # The slope is right as a number, but says nothing of how it changes.
    frozen = Op(
        "frozen",
        lambda x: x * x,
        lambda x, out: 2 * x.stop_gradient() if hasattr(x, "_apply") else 2 * x,
    )
    check_grads(frozen, 1.5, order=1)
    with pytest.raises(AssertionError, match=r"derivative of output 0 by x with .* order 2"):
        check_grads(frozen, 1.5)


def test_the_message_says_which_and_how_much() -> None:
    half = Op("half", lambda x, y: x * y, lambda x, y, out: y, lambda x, y, out: 0.5 * x)

    def f(x: Any) -> Any:
        return [x[0, 0] + x[0, 1], half(x[0, 0], x[0, 1])]

    with pytest.raises(AssertionError) as caught:
        check_grads(f, [[3.0, 4.0]])
    assert str(caught.value).startswith(
        "f: the derivative of output 1 with respect to x[0, 1] is 1.5 by the rules (fwd, order 1) "
        "but 3.0"
    )
    assert str(caught.value).endswith("relative difference 0.5")


@pytest.mark.parametrize("x", [0.0, 3.0])
def test_a_kink_is_named(x: float) -> None:
    with pytest.raises(AssertionError, match=r"kink .* slope is 0 on the left of it and 1 on the"):
        check_grads(lambda v: (v - x).relu(), x)


@pytest.mark.parametrize(
    ("f", "x"),
    [
        *((mg.floor, 1.0), (mg.floor, 0.0), (mg.ceil, -2.0), (mg.trunc, 4.0), (mg.round, 0.5)),
        *((mg.sign, 0.0), (mg.mod, [4.0, 2.0]), (lambda x: mg.where(x > 0, x + 1, x), 0.0)),
    ],
)
def test_a_jump_is_named(f: Any, x: Any) -> None:
    with pytest.raises(AssertionError, match="There is a jump at or near this point"):
        check_grads(f, x)


def test_beside_a_kink_all_is_well() -> None:
    check_grads(lambda x: (x - 1).relu(), 1 + 1e-9)
    check_grads(lambda x: (x - 1).relu(), 1 - 1e-9)
    check_grads(lambda x: abs(x), 1e-3)
    check_grads(lambda x: x * x.relu(), 0.0, order=1)


def test_a_derivative_that_is_not_a_number_is_a_mismatch() -> None:
    broken = Op("broken", lambda x: x * x, lambda x, out: math.nan * x)
    with pytest.raises(AssertionError, match="is nan by the rules"):
        check_grads(broken, 1.0)


def test_the_edge_of_the_domain_is_not_crossed() -> None:
    check_grads(ops.arcsin, 1 - 1e-9)
    check_grads(ops.log, 1e-300, order=1)
    check_grads(ops.arccosh, 1 + 1e-7)


def test_many_outputs_and_arrays() -> None:
    check_grads(lambda x: mg.tanh(x @ x).ravel(), np.array([[0.1, 0.2], [0.3, 0.4]]))


def test_rows_of_constants_have_nothing_to_check() -> None:
    check_grads(ops.less, (1.0, 2.0))
    check_grads(ops.stop_gradient, 2.0)


def test_grads_of_captured_values_stay() -> None:
    w = Value(2.0)
    w.grad = 3.0
    check_grads(lambda x: 1e8 + w * x * x, 1e-3)
    assert w.grad == 3.0


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="modes"):
        check_grads(ops.exp, 1.0, modes=("forward",))
    with pytest.raises(ValueError, match="modes"):
        check_grads(ops.exp, 1.0, modes=())
    with pytest.raises(ValueError, match="order"):
        check_grads(ops.exp, 1.0, order=0)
    with pytest.raises(ValueError, match="2 operand"):
        check_grads(ops.hypot, [1.0])
    with pytest.raises(ValueError, match=r"both sides of x = 0.0"):
        check_grads(lambda x: x**1.5, 0.0, order=1)
    with pytest.raises(TypeError, match="not a Value"):
        check_grads(lambda x: x.data, 1.0)


@pytest.mark.parametrize(
    ("f", "at", "sides"),
    [
        (lambda v: mg.maximum(v[0], v[1]), [1.0, 1.0], ("0", "1")),
        (lambda v: mg.minimum(2 * v[0], v[1]), [1.0, 2.0], ("2", "0")),
        (lambda v: mg.maximum(v[0], -v[0]), [0.0], ("-1", "1")),
        (lambda v: abs(v[0]), [0.0], ("-1", "1")),
        (lambda v: mg.hypot(v[0], v[1]), [0.0, 0.0], ("-1", "1")),
        (lambda v: mg.relu(v[0]), [0.0], ("0", "1")),
    ],
)
@pytest.mark.parametrize("order", [1, 2])
def test_a_kink_is_told_even_where_the_rule_takes_the_middle(
    f: Any, at: list[float], sides: tuple[str, str], order: int
) -> None:
    left, right = sides
    with pytest.raises(AssertionError, match=f"kink .* is {left} on the left of it and {right} on"):
        check_grads(f, at, order=order)


@pytest.mark.parametrize("x", [0.0, 1e-30, 1e-3, 5.0, 1e9])
def test_what_is_smooth_has_no_kink(x: float) -> None:
    check_grads(lambda x: x * x, x)
    check_grads(lambda x: x**3, x)
    check_grads(lambda x: (x - 1e-4).tanh() * 1e-9, min(x, 10.0))
