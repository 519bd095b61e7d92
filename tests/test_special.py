"""The functions of special/ and mpmath agree to third order: on arrays, in C, in JavaScript."""

from __future__ import annotations

import functools
import itertools
import json
import math
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, grad, ops
from micrograd.symbolic.formula import c_definitions
from micrograd.symbolic.javascript import javascript
from micrograd.value.selection import logsumexp_of

inf, nan = math.inf, math.nan

# Each function, by mpmath, and where the two are compared.
EXACT: list[tuple[Any, Any, list[tuple[float, ...]]]] = [
    (mg.exp2, lambda x: mpmath.mpf(2) ** x, [(-1000.0,), (-1.0,), (0.5,), (3.0,)]),
    (
        mg.logit,
        lambda x: mpmath.log(x / (1 - x)),
        [(1e-3,), (0.1,), (0.29,), (0.31,), (0.5,), (0.5000001,), (0.71,), (0.999,)],
    ),
    (
        mg.sinc,
        mpmath.sincpi,
        [(x,) for x in (-7.3, -1.0, -0.64, -1e-9, 0.0, 1e-5, 0.5, 0.63, 0.64, 1.0, 10.0)],
    ),
    (mg.xlogy, lambda x, y: x * mpmath.log(y), [(0.5, 2.0), (0.0, 3.0), (-2.0, 1e-3)]),
    (mg.gamma, mpmath.gamma, [(0.1,), (1.0,), (1.5,), (5.0,), (20.5,)]),
    (
        mg.lgamma,
        lambda x: mpmath.log(abs(mpmath.gamma(x))),
        [(x,) for x in (1e-3, 0.1, 1.0, 1.5, 2.5, 30.0, 1e5)],
    ),
    (mg.digamma, mpmath.digamma, [(x,) for x in (1e-3, 0.1, 0.49, 0.51, 1.46, 3.0, 10.0, 1e6)]),
    (mg.ndtr, mpmath.ncdf, [(x,) for x in (-37.0, -8.0, -1.0, 0.0, 0.3, 2.0, 8.0)]),
    (
        mg.log_ndtr,
        lambda x: mpmath.log(mpmath.erfc(-x / mpmath.sqrt(2)) / 2),
        [(x,) for x in (-1e3, -40.0, -10.0, -4.01, -3.99, -1.0, 0.0, 0.5, 3.0, 8.0)],
    ),
    (
        mg.ndtri,
        lambda p: mpmath.sqrt(2) * mpmath.erfinv(2 * p - 1),
        [(p,) for p in (1e-17, 1e-5, 0.01, 0.24, 0.26, 0.5, 0.5 + 1e-10, 0.74, 0.76, 0.999)],
    ),
    (
        mg.erfinv,
        mpmath.erfinv,
        [(x,) for x in (-0.9999999, -0.51, -0.49, -1e-10, 0.0, 1e-5, 0.3, 0.6, 0.99)],
    ),
    (
        lambda *x: mg.logsumexp(x),
        lambda *x: mpmath.log(sum(map(mpmath.exp, x))),
        [(1.0, 2.0, 3.0), (-700.0, 700.0, 699.0), (0.0, 0.0, 0.0)],
    ),
]
CASES = [
    pytest.param(f, exact, at, id=f"{getattr(f, 'name', 'logsumexp')}{at}")
    for f, exact, points in EXACT
    for at in points
]
# Of one operand, with the points, for the languages.
UNARY = [(f, [x for (x,) in points]) for f, _, points in EXACT if len(points[0]) == 1]


@pytest.mark.parametrize(("f", "exact", "at"), CASES)
def test_value_and_derivatives_to_third_order_are_mpmaths(f: Any, exact: Any, at: Any) -> None:
    x = [Value(v) for v in at]
    derivatives: dict[tuple[int, ...], Any] = {(): f(*x)}
    largest = 0.0
    for order in range(4):
        for way in itertools.combinations_with_replacement(range(len(x)), order):
            if way:
                derivatives[way] = grad(derivatives[way[:-1]], x[way[-1]])
            counts = tuple(way.count(i) for i in range(len(x)))
            with mpmath.workdps(60):
                point = tuple(map(mpmath.mpf, at))
                wanted = float(mpmath.diff(exact, point, counts) if way else exact(*point))
            largest = max(largest, abs(wanted))
            error = abs(derivatives[way].data - wanted)
            assert error <= 1e-12 * largest + 1e-15, (way, derivatives[way].data, wanted)


@pytest.mark.parametrize("n", range(12))
def test_polygamma_is_mpmaths_at_any_order(n: int) -> None:
    for x in (0.01, 0.3, 1.0, 2.5, 9.0, 50.0, 1e4):
        value, slope = mg.value_and_grad(lambda x: mg.polygamma(n, x))(x)
        assert value == pytest.approx(float(mpmath.polygamma(n, x)), rel=1e-12)
        assert slope == pytest.approx(float(mpmath.polygamma(n + 1, x)), rel=1e-12)


@pytest.mark.parametrize(
    ("n", "x"), [(1, -1e-40), (1, -1e-150), (3, -1e-50), (1, 1e200), (1, 1e300), (2, 1e120)]
)
def test_polygamma_is_mpmaths_near_zero_and_far_out(n: int, x: float) -> None:
    wanted = float(mpmath.polygamma(n, mpmath.mpf(x)))
    assert mg.polygamma(n, x) == pytest.approx(wanted, rel=1e-12, abs=0.0)
    assert Value(x).digamma().data == pytest.approx(float(mpmath.digamma(x)), rel=1e-12)
    with np.errstate(all="ignore"):
        found = mg.polygamma(float(n), np.array([x]))
    assert found[0] == pytest.approx(wanted, rel=1e-12, abs=0.0)
    by_rows = mg.program(lambda x: mg.polygamma(n, x))
    assert by_rows([x, 2.0]).data[0] == pytest.approx(wanted, rel=1e-12, abs=0.0)


@pytest.mark.parametrize("x", [-0.5, -1.5, -3.3, -10.2, -20.5, -1e-3, -30.001])
def test_below_zero_there_are_derivatives_of_high_orders(x: float) -> None:
    for n in range(9):
        wanted = float(mpmath.polygamma(n, x))
        assert mg.polygamma(n, x) == pytest.approx(wanted, rel=1e-12)
        assert mg.polygamma(float(n), np.array([x, 2.0]))[0] == pytest.approx(wanted, rel=1e-12)
    for f, exact in (
        (mg.lgamma, lambda x: mpmath.log(abs(mpmath.gamma(x)))),
        (mg.gamma, mpmath.gamma),
    ):
        derivative: Any = f
        for order in range(1, 5):
            derivative = mg.grad(derivative)
            with mpmath.workdps(60):
                wanted = float(mpmath.diff(exact, mpmath.mpf(x), order))
            assert derivative(x) == pytest.approx(wanted, rel=1e-11)
    with pytest.raises(ValueError, match="polygamma"):
        mg.polygamma(9, Value(x))


# Conventions and errors -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "x", "y"),
    [
        (mg.floor, -0.5, -1.0),
        (mg.ceil, -0.5, -0.0),
        (mg.trunc, -2.7, -2.0),
        (mg.round, 2.5, 2.0),
        (mg.round, -0.4, -0.0),
        (mg.floor, inf, inf),
        (mg.round, nan, nan),
    ],
)
def test_rounding_gives_floats_and_is_flat(f: Any, x: float, y: float) -> None:
    v = Value(x)
    out = f(v)
    out.backward()
    np.testing.assert_equal([f(x), out.data, f(np.array([x]))[0]], [y] * 3)
    assert math.copysign(1, f(x)) == math.copysign(1, out.data) == math.copysign(1, y)
    assert v.grad == 0.0


def test_python_and_numpy_find_the_operations() -> None:
    v, array = Value(2.5), np.array([Value(1.5), Value(-2.5)])
    assert math.floor(v).op is mg.floor
    assert math.ceil(v).op is mg.ceil
    assert math.trunc(v).op is mg.trunc
    assert (v % 2).data == 0.5
    assert (-7 % v).data == -7 % 2.5
    for f in (np.floor, np.ceil, np.trunc, np.round, np.rint, np.exp2, np.sinc):
        np.testing.assert_allclose([w.data for w in f(array)], f(np.array([1.5, -2.5])), rtol=1e-15)
    assert [w.data for w in np.mod(array, 2)] == [1.5, 1.5]


@pytest.mark.parametrize(("x", "y"), [(7.5, 2.0), (-7.5, 2.0), (7.5, -2.0), (-1e-20, 3.0), (4, -2)])
def test_the_remainder_is_pythons_and_has_its_slopes(x: float, y: float) -> None:
    assert mg.mod(Value(x), Value(y)).data == x % y
    if x % y not in (0, y):
        assert mg.grad(lambda v: mg.mod(v[0], v[1]))([x, y]).tolist() == [1.0, -math.floor(x / y)]


def test_a_second_derivative_at_a_jump_raises() -> None:
    for f, x in [(mg.floor, 2.0), (mg.ceil, 2.0), (mg.trunc, -1.0), (mg.round, 0.5)]:
        assert mg.grad(lambda v, f=f: f(v) * v)(x) == f(x)
        with pytest.raises(TypeError, match=f"{f.name} has a kink or jump"):
            mg.hessian(lambda v, f=f: f(v) * v)(x)
    with pytest.raises(TypeError, match="mod has a kink or jump"):
        mg.hessian(lambda v: mg.mod(v, 2.0) ** 2)(4.0)
    assert mg.hessian(lambda v: mg.trunc(v) * v)(0.0) == 0.0


def test_xlogy_is_zero_where_x_is() -> None:
    assert [mg.xlogy(0, y) for y in (0.0, 3.0, inf)] == [0.0] * 3
    assert math.isnan(mg.xlogy(0.0, nan))
    assert mg.grad(lambda y: mg.xlogy(0.0, y))(0.0) == 0.0
    with pytest.raises(ValueError, match="derivative of xlogy"):
        mg.xlogy(Value(0.0), 0.0).backward()
    with pytest.raises(TypeError, match="xlogy has a kink"):
        mg.hessian(lambda y: mg.xlogy(0.0, y))(0.0)


def test_sinc_and_logsumexp_have_their_limits() -> None:
    assert mg.sinc(0.0) == 1.0
    assert mg.logsumexp([-inf, -inf]) == -inf
    assert mg.logsumexp([1.0, -inf]) == 1.0
    assert mg.logsumexp([inf, 1.0]) == inf
    assert math.isnan(mg.logsumexp([nan, 1.0]))
    assert mg.logsumexp(np.array([3.0])) == 3.0
    with pytest.raises(ValueError, match="at least one value"):
        mg.logsumexp([])


@pytest.mark.parametrize("choose", [mg.max, mg.min, mg.logsumexp])
@pytest.mark.parametrize("values", [3.0, Value(3.0), None, np.float64(3.0), np.array(3.0)])
def test_what_is_no_list_is_told_what_to_write(choose: Any, values: Any) -> None:
    name = choose.__name__
    with pytest.raises(TypeError, match=rf"{name} takes a list .*: write {name}\(\[x, y\]\)"):
        choose(values)
    with pytest.raises(
        TypeError, match=rf"{name}: too many .*; write micrograd.{name}\(\[x, y\]\)"
    ):
        choose(1.0, 2.0)
    for strings in (np.array(["a"]), ["a", 1.0], "ab"):
        with pytest.raises(TypeError, match=f"{name} takes a list of numbers or Values, got .*'a'"):
            choose(strings)


@pytest.mark.parametrize("index", [0.5, "a", None, Value(1.0)])
def test_take_says_what_an_index_and_a_table_are(index: Any) -> None:
    with pytest.raises(TypeError, match="take: an index is an integer"):
        mg.take([1.0, 2.0], index)
    for table in (3.0, None, {0: 1.0}, "ab", Value(2.0)):
        with pytest.raises(TypeError, match="take: a table is a list of scalars or of rows"):
            mg.take(table, 0)
    assert mg.take([1.0, 2.0], np.int64(-1)) == 2.0


@pytest.mark.parametrize(
    ("at", "slopes"),
    [
        ([-inf], [1.0]),
        ([inf, -inf], [1.0, 0.0]),
        ([inf, inf, 0.0], [0.5, 0.5, 0.0]),
        ([-inf, -inf, -inf, -inf], [0.25] * 4),
        ([-inf, 0.0], [0.0, 1.0]),
        ([nan, 0.0], [nan, nan]),
    ],
)
def test_equal_infinities_share_the_slope_of_logsumexp(at: list[float], slopes: Any) -> None:
    assert mg.grad(mg.logsumexp)(at) == pytest.approx(slopes, nan_ok=True)
    values = [Value(x) for x in at]
    mg.logsumexp(values).backward()
    assert [v.grad for v in values] == pytest.approx(slopes, nan_ok=True)


@pytest.mark.parametrize(
    "f",
    [
        lambda: mg.logit(Value(1.5)),
        lambda: mg.logit(Value(0.0)),
        lambda: mg.ndtri(Value(0.0)),
        lambda: mg.erfinv(Value(1.5)),
        lambda: mg.gamma(Value(0.0)),
        lambda: mg.lgamma(Value(-1.0)),
        lambda: mg.digamma(Value(-2.0)),
        lambda: mg.polygamma(1, Value(-1.0)),
        lambda: mg.polygamma(0.5, Value(1.0)),
        lambda: mg.polygamma(-1, Value(1.0)),
        lambda: mg.mod(Value(1.0), 0.0),
    ],
)
def test_outside_of_the_domain_an_error_names_the_operation(f: Any) -> None:
    with pytest.raises((ValueError, ZeroDivisionError), match=r"\w+\(.*\): it (is|divides)"):
        f()


# On arrays, in programs, in C and JavaScript ------------------------------------------------------


@pytest.mark.parametrize("scipy_is_there", [True, False])
def test_arrays_need_no_scipy(scipy_is_there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not scipy_is_there:
        monkeypatch.setitem(sys.modules, "scipy.special", None)
    for f, points in UNARY:
        np.testing.assert_allclose(f(np.array(points)), [f(x) for x in points], 1e-13, 1e-15)


@pytest.mark.parametrize(("f", "points"), UNARY)
def test_programs_give_what_the_loop_gives(f: Any, points: list[float]) -> None:
    def scaled(x: Any) -> Any:
        return f(x * w)

    rows = {}
    runs: list[Any] = [lambda x: mg.program(scaled)(x).sum(), lambda x: sum(map(scaled, x))]
    for run in runs:
        w = Value(1.0)
        total = run(points)
        total.backward()
        rows[run] = total.data, w.grad
    first, second = rows.values()
    np.testing.assert_allclose(first, second, rtol=1e-11)


def test_logsumexp_and_rounding_run_in_programs() -> None:
    @mg.program
    def f(x: Any, y: Any) -> Any:
        return mg.logsumexp([x * w, y, 1.0]) + mg.mod(y, 0.7) * w + mg.floor(x)

    w = Value(1.5)
    x, y = [0.2, 1.3, -3.0], [1.0, 2.0, 0.1]
    f(x, y).sum().backward()
    by_program, w.grad = w.grad, 0.0
    total: Any = sum(f.__wrapped__(*row) for row in zip(x, y))
    total.backward()
    assert by_program == pytest.approx(w.grad, rel=1e-14)


@pytest.mark.parametrize("at", [[inf, 1.0], [inf, inf], [-inf, -inf, -inf], [inf], [inf, 800.0]])
def test_derivatives_of_logsumexp_by_rows_have_its_limits(at: list[float]) -> None:
    slopes, bends = mg.grad(mg.logsumexp)(at), mg.hessian(mg.logsumexp)(at)
    traced = mg.program(mg.logsumexp)
    assert mg.grad(traced)([at, [0.5] * len(at)]).data[0].tolist() == slopes.tolist()
    assert mg.hessian(traced)([at, [0.5] * len(at)]).data[0].tolist() == bends.tolist()
    graph = mg.grad(mg.logsumexp(values := [Value(x) for x in at]), values)
    assert [g.data for g in graph] == slopes.tolist()


def test_logsumexp_of_infinities_is_in_a_program_what_it_is_in_the_loop() -> None:
    w = [Value(1.0), Value(2.0)]

    def f(x: Any, y: Any) -> Any:
        return mg.logsumexp([w[0] * x, w[1] * y, x])

    for at in ([1.0, inf], [inf, inf], [-inf, -inf], [-inf, inf], [-inf, 3.0], [nan, 1.0]):
        for v in w:
            v.grad = 0
        with mg.ieee():
            out = f(*map(Value, at))
            out.backward()
        eager = [v.grad for v in w]
        for v in w:
            v.grad = 0
        result = mg.program(f)([at[0], 0.5], [at[1], 0.5])
        result[0].backward()
        np.testing.assert_array_equal([result.data[0], *(v.grad for v in w)], [out.data, *eager])


def test_lgamma_is_on_arrays_what_it_is_on_numbers() -> None:
    at = [-inf, inf, -5e-324, 5e-324, 1e-310, -1e-307, 0.0, -0.0, -1.0, -2.5, 1e308, nan]
    with mg.ieee():
        eager = [mg.lgamma(Value(x)).data for x in at]
    assert eager[0] == math.lgamma(-inf) == inf
    by_program = mg.program(mg.lgamma)
    by_program(at)
    by_library, _ = by_program.function(np)([], np.array(at))
    for found in (mg.lgamma(np.array(at)), by_program(at).data, by_library):
        np.testing.assert_allclose(found, eager, rtol=2e-14)


@pytest.mark.parametrize("scale", [1.0, 1e3, 1e8, 1e12, 1e16, 1e100, -1e16, -1e300])
def test_the_slopes_of_logsumexp_keep_their_digits(scale: float) -> None:
    """They are the softmax, which depends on differences alone: here these are exact."""
    rng = random.Random(int(math.log2(abs(scale))))
    step = max(0.25, math.ulp(scale))
    for count in (1, 2, 3, 5):
        gaps = [step * rng.randrange(-20, 20) for _ in range(count)]
        at = [scale + gap for gap in gaps]
        gaps = [x - at[0] for x in at]
        powers = [math.exp(gap - max(gaps)) for gap in gaps]
        shares = np.array([power / math.fsum(powers) for power in powers])
        bends = np.diag(shares) - np.outer(shares, shares)
        values = [Value(x) for x in at]
        out = mg.logsumexp(values)
        out.backward()
        weights = [Value(x) for x in at]
        mg.program(lambda k, w=weights: mg.logsumexp([p * k for p in w]))([1.0]).sum().backward()
        traced = mg.program(mg.logsumexp)
        for found in (
            [v.grad for v in values],
            [g.data for g in mg.grad(out, values)],
            mg.grad(mg.logsumexp)(at),
            mg.grad(traced)([at]).data[0],
            [w.grad for w in weights],
        ):
            np.testing.assert_allclose(found, shares, rtol=1e-12, atol=0)
        for found in (mg.hessian(mg.logsumexp)(at), mg.hessian(traced)([at]).data[0]):
            np.testing.assert_allclose(found, bends, rtol=1e-12, atol=1e-15)


def test_logsumexp_is_made_of_few_operations_that_pickle() -> None:
    import pickle

    v = mg.logsumexp([Value(float(i)) for i in range(1000)])
    assert len(mg.toposort(v)) < 2020
    assert pickle.loads(pickle.dumps(logsumexp_of(3))) is logsumexp_of(3)
    softmax = mg.grad(mg.logsumexp)(np.arange(4.0))
    np.testing.assert_allclose(softmax, np.exp(np.arange(4)) / np.exp(np.arange(4)).sum(), 1e-14)


NAMES = [f.name for f, _ in UNARY]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc compiles the C text; there is none")
def test_the_c_text_computes_them(tmp_path: Path) -> None:
    calls = "".join(
        f'printf("%.17g\\n", {f.name}_value({x!r}));\n' for f, points in UNARY for x in points
    )
    source, binary = tmp_path / "special.c", tmp_path / "special"
    source.write_text(
        f"#include <math.h>\n#include <stdio.h>\n{c_definitions()}\nint main() {{ {calls} }}"
    )
    options = ["-std=gnu11", "-O1", "-ffp-contract=off"]
    subprocess.run(["gcc", *options, str(source), "-o", str(binary), "-lm"], check=True)
    printed = subprocess.run([str(binary)], check=True, capture_output=True, text=True).stdout
    expected = [f(x) for f, points in UNARY for x in points]
    np.testing.assert_allclose([float(line) for line in printed.split()], expected, 1e-12, 1e-15)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node runs JavaScript; there is none")
def test_the_javascript_computes_values_and_slopes() -> None:
    used = [f for f, _ in UNARY] + [mg.floor, mg.ceil, mg.trunc, mg.round]
    points = [points for _, points in UNARY] + [[-2.5, -0.5, 0.5, 1.5, 2.5, 2.4, 7.0]] * 4
    calls = [[f.name, x] for f, at in zip(used, points) for x in at]
    text = f"""{javascript([*used, mg.mod])}
        const out = {json.dumps(calls)}.map(([f, x]) => {{
            const y = F[f](x);
            return [y, RULES[f][0](x, y)];
        }});
        out.push([F.mod(-7.5, 2), F.mod(7.5, -2)]);
        console.log(JSON.stringify(out));"""
    done = subprocess.run(["node", "-e", text], check=True, capture_output=True, text=True)
    *found, remainders = json.loads(done.stdout)
    assert remainders == [0.5, -0.5]
    expected = [mg.value_and_grad(f)(x) for f, at in zip(used, points) for x in at]
    np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-14)


def test_they_are_in_the_table_and_have_methods() -> None:
    for name in NAMES:
        assert ops.TABLE[name] is getattr(mg, name)
        assert getattr(Value(0.5), name)().op is ops.TABLE[name]
    assert functools.reduce(lambda a, b: a + b, [Value(1.0).xlogy(2.0), Value(3.0).mod(2)]).data > 0
