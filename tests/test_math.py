"""micrograd.math has every name of Python's math, and computes the same, with derivatives."""

from __future__ import annotations

import ast
import math as own
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, math

NAMES = [name for name in dir(own) if not name.startswith("_")]
LATER = {"integer", "isnormal", "issubnormal", "signbit", "fmax", "fmin"}  # of Python 3.15

# Arguments for every function that takes Values.
AT: dict[str, list[tuple[float, ...]]] = {
    "acosh": [(1.5,)],
    "atan2": [(1.0, 2.0), (-1.0, -2.0)],
    "copysign": [(1.5, -2.0), (-1.5, -0.0), (1.5, 2.0)],
    "fma": [(2.0, 3.0, 4.0)],
    "fmod": [(7.5, 2.0), (-7.5, 2.0), (7.5, -2.0), (-7.4, -2.0)],
    "hypot": [(3.0, 4.0), (1.0, 2.0, 2.5), (-2.0,)],
    "ldexp": [(0.75, 3)],
    "log": [(2.5,), (2.5, 2.0), (2.5, 10)],
    "pow": [(2.0, 3.0), (0.3, -1.5)],
    "remainder": [(7.4, 2.0), (-7.4, 2.0), (5.0, 2.0), (7.0, 2.0), (4.9, -2.0), (2.5, 0.75)],
}
AT_A_JUMP = [(-1.5, -0.0), (5.0, 2.0), (7.0, 2.0)]  # where differences say nothing
NUMBERS_ONLY = ["comb", "factorial", "frexp", "gcd", "isqrt", "lcm", "nextafter", "perm", "ulp"]
OTHERS = {
    *("pi", "e", "tau", "inf", "nan", "dist", "fsum", "isclose", "prod", "sumprod", "modf"),
    *("isfinite", "isinf", "isnan"),
}
FUNCTIONS = [name for name in NAMES if name not in {*NUMBERS_ONLY, *OTHERS, *LATER}]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_pythons_math_is_there(name: str) -> None:
    if name not in LATER:
        assert hasattr(math, name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numbers_give_what_python_gives_and_values_the_same_with_slopes(name: str) -> None:
    f, python = getattr(math, name), getattr(own, name)
    for at in AT.get(name, [(0.3,), (0.7,)]):
        assert f(*at) == python(*at)
        assert type(f(*at)) is type(python(*at))
        free = [i for i, x in enumerate(at) if isinstance(x, float)]

        def of(x: Any, at: Any = at, free: Any = free, f: Any = f) -> Any:
            given = list(at)
            for i, v in zip(free, x):
                given[i] = v
            return f(*given)

        out = of([Value(at[i]) for i in free])
        assert out.data == pytest.approx(python(*at), rel=1e-15, abs=1e-15)
        if at not in AT_A_JUMP:
            mg.check_grads(of, [at[i] for i in free], order=1)


@pytest.mark.parametrize("name", NUMBERS_ONLY)
def test_functions_of_whole_numbers_refuse_values_and_say_why(name: str) -> None:
    f = getattr(math, name)
    takes_two = name in ("comb", "gcd", "lcm", "perm", "nextafter")
    at = (6, 4) if takes_two else (6,)
    assert f(*at) == getattr(own, name)(*at)
    with pytest.raises(TypeError, match=f"math.{name} has no derivative, and takes numbers only: "):
        f(Value(6.0), *at[1:])


def test_the_rest() -> None:
    x, y = Value(2.0), Value(-3.5)
    assert math.dist([x, 1.0], [y, 1.0]).data == 5.5
    assert math.fsum([x, y, 1]).data == -0.5
    assert math.prod([x, y], start=2).data == -14.0
    assert math.sumprod([x, y], [1.0, 2.0]).data == -5.0
    assert [v.data for v in math.modf(y)] == list(own.modf(-3.5))
    assert (math.isnan(x), math.isinf(x), math.isfinite(x)) == (False, False, True)
    assert math.isclose(x, 2.0) is True
    assert (math.isnan(own.nan), math.fsum([0.1] * 10), math.prod([])) == (True, 1.0, 1)
    with pytest.raises(ValueError, match="got 1 and 2"):
        math.dist([1.0], [1.0, 2.0])
    with pytest.raises(AttributeError, match="nonsense"):
        math.nonsense  # noqa: B018
    np.testing.assert_allclose(math.atan2(np.array([1.0, 2.0]), 2.0), np.arctan2([1.0, 2.0], 2.0))
    with mg.ieee():
        assert math.log(0.0) == -own.inf
    with pytest.raises(ValueError, match=r"math domain|positive|expected"):
        math.log(0.0)


def test_one_changed_line_is_enough() -> None:
    """Differentiate a program of navigation, the great-circle distance, as it was written."""
    source = """
import math
def distance(lat1, lon1, lat2, lon2):
    a, b = math.radians(lat1), math.radians(lat2)
    h = math.pow(math.sin((b - a) / 2), 2)
    h += math.cos(a) * math.cos(b) * math.sin(math.radians(lon2 - lon1) / 2) ** 2
    return 6371.0 * 2 * math.asin(math.sqrt(h))
"""
    plain: dict[str, Any] = {}
    exec(compile(ast.parse(source), "plain", "exec"), plain)
    changed: dict[str, Any] = {}
    exec(source.replace("import math", "from micrograd import math"), changed)
    at = [52.52, 13.405, 48.8566, 2.3522]
    value, slope = mg.value_and_grad(lambda x: changed["distance"](*x))(at)
    assert value == plain["distance"](*at) == changed["distance"](*at)
    assert value == pytest.approx(877.46, abs=0.01)  # Berlin to Paris
    for i in range(4):
        up, down = list(at), list(at)
        up[i] += 1e-5
        down[i] -= 1e-5
        difference = (plain["distance"](*up) - plain["distance"](*down)) / 2e-5
        assert slope[i] == pytest.approx(difference, rel=1e-7)


@pytest.mark.parametrize("name", ["fmod", "remainder"])
@pytest.mark.parametrize("x", [7.3, -7.4, 5.0, -1e-17, -1e-9, -0.5, 1e300, 0.0])
@pytest.mark.parametrize("y", [2.0, -0.75, 1.0, 1e300, own.inf])
def test_remainders_have_pythons_bits(name: str, x: float, y: float) -> None:
    expected = getattr(own, name)(x, y)
    assert getattr(math, name)(Value(x), y).data == expected
    assert getattr(math, name)(x, Value(y)).data == expected


@pytest.mark.parametrize(("f", "at"), [(math.fmod, [4.0, 2.0]), (math.remainder, [5.0, 2.0])])
def test_remainders_jump(f: Any, at: list[float]) -> None:
    with pytest.raises(TypeError, match="kink or jump"):
        mg.hessian(lambda z: f(z[0], z[1]))(at)
