"""The table: every row on floats, Values and arrays, its derivatives, its conventions."""

from __future__ import annotations

import math
import pickle
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Op, Value, ops
from micrograd.value.operators import Operators

REAL = (-3.0, 3.0)
POSITIVE = (0.1, 4.0)
INSIDE = (-0.9, 0.9)  # of arcsin and its like
BETWEEN = (0.1, 0.4)  # of whole numbers and halves, where rounding jumps
TRUTH = (0.0, 1.0)  # a condition is one or the other

# The domain that each row is tested on: an interval per operand. A new row needs only a line here.
DOMAINS: dict[str, list[tuple[float, float]]] = {
    "add": [REAL, REAL],
    "subtract": [REAL, REAL],
    "multiply": [REAL, REAL],
    "divide": [REAL, POSITIVE],
    "negative": [REAL],
    "less": [REAL, REAL],
    "less_equal": [REAL, REAL],
    "equal": [REAL, REAL],
    "where": [TRUTH, REAL, REAL],
    "stop_gradient": [REAL],
    "sign": [REAL],
    "abs": [REAL],
    "maximum": [REAL, REAL],
    "minimum": [REAL, REAL],
    "relu": [REAL],
    "exp": [REAL],
    "expm1": [REAL],
    "log": [POSITIVE],
    "log1p": [POSITIVE],
    "log2": [POSITIVE],
    "log10": [POSITIVE],
    "power": [POSITIVE, REAL],
    "sqrt": [POSITIVE],
    "cbrt": [POSITIVE],
    "hypot": [REAL, REAL],
    "sin": [REAL],
    "cos": [REAL],
    "tan": [INSIDE],
    "arcsin": [INSIDE],
    "arccos": [INSIDE],
    "arctan": [REAL],
    "arctan2": [REAL, POSITIVE],
    "sinh": [REAL],
    "cosh": [REAL],
    "tanh": [REAL],
    "arcsinh": [REAL],
    "arccosh": [(1.1, 4.0)],
    "arctanh": [INSIDE],
    "sigmoid": [REAL],
    "softplus": [REAL],
    "logaddexp": [REAL, REAL],
    "erf": [REAL],
    "erfc": [REAL],
    "floor": [BETWEEN],
    "ceil": [BETWEEN],
    "trunc": [BETWEEN],
    "round": [BETWEEN],
    "mod": [BETWEEN, (1.1, 1.4)],
    "copysign": [POSITIVE, POSITIVE],
    "exp2": [REAL],
    "logit": [(0.05, 0.95)],
    "sinc": [REAL],
    "xlogy": [REAL, POSITIVE],
    "gamma": [POSITIVE],
    "lgamma": [(2.5, 6.0)],
    "digamma": [POSITIVE],
    "polygamma": [(1.0, 1.0), POSITIVE],
    "ndtr": [REAL],
    "log_ndtr": [(-6.0, 6.0)],
    "ndtri": [(0.05, 0.95)],
    "erfinv": [INSIDE],
}

OPERATORS = {
    "add": "__add__",
    "subtract": "__sub__",
    "multiply": "__mul__",
    "divide": "__truediv__",
    "power": "__pow__",
    "negative": "__neg__",
    "abs": "__abs__",
}

rows = pytest.mark.parametrize("op", ops.TABLE.values(), ids=str)


def points(op: Op, count: int = 20) -> list[tuple[float, ...]]:
    """Draw points of the row's domain, the same in every run."""
    draw = random.Random(op.name)
    return [
        tuple(
            float(draw.randint(0, 1)) if interval is TRUTH else draw.uniform(*interval)
            for interval in DOMAINS[op.name]
        )
        for _ in range(count)
    ]


def slope(op: Op, point: tuple[float, ...], i: int, step: float = 1e-5) -> float:
    """Return the central difference of a row in its operand `i`."""
    above, below = list(point), list(point)
    above[i] += step
    below[i] -= step
    return float(op(*above) - op(*below)) / (above[i] - below[i])


def test_every_row_has_a_domain_and_every_domain_a_row() -> None:
    assert DOMAINS.keys() == ops.TABLE.keys()


@rows
def test_a_row_has_the_name_of_its_variable_and_is_exported(op: Op) -> None:
    assert getattr(mg, op.name) is op
    assert op.name in mg.__all__ or op.name in ("abs", "round")  # star imports keep Python's own


@rows
def test_a_row_is_a_method_or_an_operator_of_whatever_applies_rows(op: Op) -> None:
    class Spy(Operators[Any]):
        def _apply(self, op: Op, operands: tuple[Any, ...]) -> Any:
            return op

    arguments = [0.5] * (len(op.derivatives) - 1)
    assert getattr(Spy(), OPERATORS.get(op.name, op.name))(*arguments) is op
    assert hasattr(Value, OPERATORS.get(op.name, op.name))


@rows
def test_values_hold_what_floats_give(op: Op) -> None:
    for point in points(op):
        out = op(*map(Value, point))
        assert out.data == op(*point)
        assert out.op is op
        assert out.args == out.parents


@rows
def test_arrays_hold_what_floats_give(op: Op) -> None:
    batch = points(op)
    columns = [np.array(column) for column in zip(*batch)]
    result = op(*columns)
    assert isinstance(result, np.ndarray)
    rtol = 1e-14 if op is mg.lgamma else 1e-15  # SciPy's is not Python's
    np.testing.assert_allclose(result, [op(*point) for point in batch], rtol=rtol, atol=1e-16)


@rows
def test_arrays_of_values_give_arrays_of_values(op: Op) -> None:
    batch = points(op, 3)
    columns = [np.array([Value(x) for x in column]) for column in zip(*batch)]
    result = op(*columns)
    assert [v.data for v in result] == [op(*point) for point in batch]
    assert all(v.op is op for v in result)


@rows
def test_the_derivatives_are_the_slopes(op: Op) -> None:
    for point in points(op):
        operands = [Value(x) for x in point]
        op(*operands).backward()
        for i, operand in enumerate(operands):
            if op.derivatives[i] is not None:
                assert operand.grad == pytest.approx(slope(op, point, i), rel=1e-6, abs=1e-7)


@rows
def test_where_a_row_has_no_derivative_no_gradient_arrives(op: Op) -> None:
    operands = [Value(x) for x in points(op)[0]]
    out = op(*operands)
    out.backward()
    for operand, rule in zip(operands, op.derivatives):
        assert rule is not None or operand.grad == 0.0


@rows
def test_rules_record_graphs_of_their_own(op: Op) -> None:
    """Check that a rule called on Values gives the second derivative too, and works on arrays."""
    for point in points(op, 5):
        for rule in op.derivatives:
            if rule is None:
                continue
            operands = [Value(x) for x in point]
            first = rule(*operands, op(*operands))
            if not isinstance(first, Value):
                continue  # a constant
            first.backward()

            def derivative(*at: float, rule: Any = rule) -> Any:
                return rule(*at, op(*at))

            for j, operand in enumerate(operands):
                if op.derivatives[j] is None:
                    continue
                numeric = slope(Op("d", derivative, *op.derivatives), point, j)
                assert operand.grad == pytest.approx(numeric, rel=1e-5, abs=1e-6)
            arrays = [np.array([x, x]) for x in point]
            batch = np.broadcast_to(rule(*arrays, op(*arrays)), 2)
            np.testing.assert_allclose(batch, first.data, rtol=1e-14)


@rows
def test_rows_pickle_by_reference(op: Op) -> None:
    assert pickle.loads(pickle.dumps(op)) is op


@rows
def test_a_wrong_number_of_operands_is_named(op: Op) -> None:
    with pytest.raises(TypeError, match=rf"{op.name} takes {len(op.derivatives)} operand"):
        op(*[0.5] * (len(op.derivatives) + 1))


# Conventions -----------------------------------------------------------------------------------


def gradients(op: Op, *point: float) -> tuple[float, ...]:
    operands = [Value(x) for x in point]
    op(*operands).backward()
    return tuple(operand.grad for operand in operands)


@pytest.mark.parametrize(
    ("op", "point", "expected"),
    [
        (ops.relu, (0.0,), (0.0,)),
        (ops.abs, (0.0,), (0.0,)),
        (ops.sign, (0.0,), (0.0,)),
        (ops.sign, (2.0,), (0.0,)),
        (ops.hypot, (0.0, 0.0), (0.0, 0.0)),
        (ops.maximum, (1.5, 1.5), (0.5, 0.5)),
        (ops.minimum, (1.5, 1.5), (0.5, 0.5)),
        (ops.power, (0.0, 0.0), (0.0, 0.0)),
        (ops.power, (0.0, 2.0), (0.0, 0.0)),
        (ops.power, (0.0, 1.0), (1.0, 0.0)),
        (ops.where, (1.0, 2.0, 3.0), (0.0, 1.0, 0.0)),
        (ops.where, (0.0, 2.0, 3.0), (0.0, 0.0, 1.0)),
    ],
)
def test_conventions_at_kinks_and_corners(
    op: Op, point: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    assert gradients(op, *point) == expected


def test_a_negative_base_has_no_slope_in_its_exponent() -> None:
    base, exponent = Value(-2.0), Value(3.0)
    out = base**exponent
    out.backward()
    assert (out.data, base.grad) == (-8.0, 12.0)
    assert math.isnan(exponent.grad)


def test_a_number_exponent_has_no_rule_to_evaluate() -> None:
    x = Value(-2.0)
    (x**2).backward()
    assert x.grad == -4.0


@pytest.mark.parametrize("x", [0.5, 2.0, 3.0])
def test_the_mixed_second_derivative_of_power_survives_its_convention(x: float) -> None:
    base, exponent = Value(x), Value(0.0)
    rule = ops.power.derivatives[0]
    assert rule is not None
    rule(base, exponent, base**exponent).backward()
    assert exponent.grad == pytest.approx(1 / x, rel=1e-15)  # d2/dxdy x**y at y = 0


@pytest.mark.parametrize("op", [ops.maximum, ops.minimum])
def test_nan_is_not_lost(op: Op) -> None:
    assert math.isnan(op(math.nan, 1.0))
    assert math.isnan(op(1.0, math.nan))
    assert math.isnan(ops.relu(math.nan))
    assert math.isnan(ops.sign(math.nan))


@pytest.mark.parametrize("x", [-1e308, -1000.0, -745.0, 0.0, 745.0, 1000.0, 1e308])
def test_these_never_overflow(x: float) -> None:
    for op in (ops.sigmoid, ops.softplus, ops.tanh):
        assert math.isfinite(op(x))
        assert math.isfinite(gradients(op, x)[0])
    assert math.isfinite(ops.logaddexp(x, -x / 2))
    assert all(map(math.isfinite, gradients(ops.logaddexp, x, -x / 2)))


@pytest.mark.parametrize("x", [math.inf, -math.inf])
def test_logaddexp_of_two_infinities_is_that_infinity(x: float) -> None:
    assert ops.logaddexp(x, x) == x


@given(st.floats(-1e300, 1e300).filter(lambda x: x == 0 or abs(x) > 1e-300))
def test_cbrt_is_accurate(x: float) -> None:
    root = ops.cbrt(x)
    exact = float(np.cbrt(x))
    assert abs(root - exact) <= 2 * math.ulp(exact)


# Errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compute", "kind", "words"),
    [
        (lambda: Value(1.0, label="a") / Value(0.0), ZeroDivisionError, r"divide\(a=1.0, 0.0\)"),
        (lambda: Value(0.0) ** -1, ZeroDivisionError, r"power\(0.0, -1\)"),
        (lambda: Value(-8.0) ** (1 / 3), ValueError, r"power\(-8.0, 0.33.*not a real number"),
        (lambda: Value(10.0) ** 400, OverflowError, r"power\(10.0, 400\).*too large"),
        (lambda: Value(710.0).exp(), OverflowError, r"exp\(710.0\).*too large"),
        (lambda: Value(-1.0).log(), ValueError, r"log\(-1.0\).*not defined"),
        (lambda: Value(0.0).log(), ValueError, r"log\(0.0\)"),
        (lambda: Value(-1.0).sqrt(), ValueError, r"sqrt\(-1.0\)"),
        (lambda: Value(2.0).arcsin(), ValueError, r"arcsin\(2.0\)"),
        (lambda: Value(math.inf).sin(), ValueError, r"sin\(inf\)"),
    ],
)
def test_eager_arithmetic_raises_where_floats_do(compute: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        compute()
    assert type(caught.value) is kind
    assert type(caught.value.__cause__) is kind


@rows
@pytest.mark.parametrize("x", [-1.0, 0.0, 1.0, 710.0, 1e200, math.inf, -math.inf, math.nan])
def test_values_raise_exactly_when_floats_do(op: Op, x: float) -> None:
    operands = [x] * len(op.derivatives)
    try:
        expected = op(*operands)
    except (ArithmeticError, ValueError) as error:
        with pytest.raises(type(error), match=op.name):
            op(*map(Value, operands))
    else:
        np.testing.assert_equal(op(*map(Value, operands)).data, float(expected))


@pytest.mark.parametrize(
    ("op", "point", "words"),
    [
        (ops.sqrt, (0.0,), r"derivative of sqrt\(x=0.0\) \(label 'y'\) with respect to x=0.0"),
        (ops.cbrt, (0.0,), "derivative of cbrt"),
        (ops.arcsin, (1.0,), "derivative of arcsin"),
        (ops.arctan2, (0.0, 0.0), "derivative of arctan2"),
    ],
)
def test_a_derivative_that_floats_cannot_compute_is_named(
    op: Op, point: tuple[float, ...], words: str
) -> None:
    operands = [Value(x, label="x") for x in point]
    out = op(*operands)
    out.label = "y"
    with pytest.raises(ZeroDivisionError, match=words):
        out.backward()


def test_arrays_follow_ieee_arithmetic() -> None:
    with np.errstate(all="ignore"):
        assert ops.log(np.array([0.0, -1.0])).tolist()[0] == -math.inf
        assert np.isinf(ops.divide(np.array([1.0]), np.array([0.0])))[0]
        assert np.isnan(ops.power(np.array([-8.0]), 1 / 3))[0]


# Rows of one's own -----------------------------------------------------------------------------

cube = Op("cube", lambda x: x * x * x, lambda x, out: 3 * x * x)
clipped = Op("clipped", lambda x: x if x < 1 else 1.0, lambda x, out: ops.less(x, 1), symbol="clip")
gamma = Op("gamma", math.gamma, lambda x, out: out)  # the slope is wrong and not looked at
log = Op("log", math.log2, lambda x, out: 1 / (x * math.log(2)))  # NumPy means another


def test_a_row_of_ones_own_works_on_floats_values_and_arrays() -> None:
    x = Value(2.0)
    out = cube(x)
    out.backward()
    assert (cube(2.0), out.data, x.grad, out._op) == (8.0, 8.0, 12.0, "cube")
    assert cube(np.array([1.0, 2.0])).tolist() == [1.0, 8.0]
    assert clipped(np.array([0.5, 2.0])).tolist() == [0.5, 1.0]
    assert clipped(np.array([2.0])).tolist() == [1.0]
    assert clipped(Value(3.0))._op == "clip"
    assert gamma(np.array([4.0, 5.0])).tolist() == [6.0, 24.0]


def test_a_row_of_ones_own_is_never_taken_for_numpys() -> None:
    assert log(np.array([8.0])).tolist() == [3.0]


def test_erf_runs_on_arrays_with_and_without_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.linspace(-2, 2, 9)
    expected = [math.erf(t) for t in x]
    np.testing.assert_allclose(ops.erf(x), expected, rtol=1e-14, atol=1e-16)
    monkeypatch.setitem(__import__("sys").modules, "scipy.special", None)
    assert ops.erf(x).tolist() == expected
    assert ops.erf(np.float32(0.5)) == math.erf(0.5)


def test_a_slope_that_is_no_number_is_refused() -> None:
    scale = Value(2.0)
    wrong = Op("wrong", lambda x: x, lambda x, out: scale)
    with pytest.raises(TypeError, match=r"a local derivative of wrong must be a real number"):
        wrong(Value(1.0)).backward()


def test_a_value_that_is_no_number_is_refused() -> None:
    wrong = Op("wrong", lambda x: "text", lambda x, out: 1.0)
    with pytest.raises(TypeError, match=r"the value of wrong must be a real number"):
        wrong(Value(1.0))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((math.sin, math.cos), "the name comes first"),
        (("f", 3.0, math.cos), "the value is a function"),
        (("f", math.sin), "one derivative per operand"),
        (("f", math.sin, 1.0), "a derivative is a function"),
    ],
)
def test_a_malformed_row_is_refused(arguments: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        Op(*arguments)


def test_operands_that_a_row_cannot_take_are_named() -> None:
    with pytest.raises(TypeError, match=r"hypot takes numbers, Values or arrays, got \(Value, str"):
        ops.hypot(Value(1.0), "a")
    with pytest.raises(TypeError):
        Value(1.0) + "a"


def test_the_most_derived_operand_applies_the_row() -> None:
    class Traced(Value):
        def _apply(self, op: Op, operands: tuple[Any, ...]) -> Any:
            return "traced", op.name

    x: Any = Value(1.0)
    t: Any = Traced(2.0)
    assert ops.add(x, t) == x + t == t + x == ("traced", "add")
    assert ops.where(x, x, t) == ("traced", "where")
    assert 2 * t == ("traced", "multiply")


@pytest.mark.parametrize("name", sorted(ops.TABLE))
def test_a_numpy_number_counts_as_the_float_that_it_is(name: str) -> None:
    row = ops.TABLE[name]
    operands = [low for low, _ in DOMAINS[name]]
    result = row(*map(np.float64, operands))
    assert type(result) is type(row(*operands))
    assert result == row(*operands)


def test_a_numpy_number_raises_where_a_float_does() -> None:
    with pytest.raises(ZeroDivisionError):
        ops.divide(np.float64(1.0), np.float64(0.0))
