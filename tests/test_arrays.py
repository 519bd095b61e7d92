"""NumPy's functions on arrays of Values: they work, or an error says what to write."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.special

import micrograd as mg
from micrograd import Value

X = [0.5, -2.0, 1.5]


def clipped_log(x: Any) -> Any:
    return mg.log(np.clip(x, 0.25, 1.0))  # a mixture of numbers and Values


WORK: list[Any] = [
    lambda x: np.clip(x, -1.0, 1.0),
    lambda x: np.sign(x) * x,
    lambda x: np.polyval(x, 2.0),
    lambda x: np.polyval(x, x[0]),
    lambda x: np.polyval([1.0, 2.0], x),
    lambda x: np.linalg.norm(x),
    lambda x: np.linalg.norm(x, 1),
    lambda x: np.linalg.norm(x, np.inf),
    lambda x: np.dot(x, x),
    lambda x: np.array([[1.0, 2.0, 3.0]]) @ x,
    lambda x: np.cumsum(x),
    lambda x: np.cumprod(x),
    lambda x: np.diff(x),
    lambda x: np.prod(x),
    lambda x: np.var(x),
    lambda x: np.std(x),
    lambda x: np.maximum(x, 0.0),
    lambda x: np.where(x > 0, x, 0.0),
    lambda x: np.hypot(x, 2.0),
    lambda x: np.arctan2(x, 2.0),
    lambda x: np.einsum("i,i", x, x),
    lambda x: np.outer(x, x),
    lambda x: np.convolve(x, x),
    lambda x: np.radians(x) + np.rad2deg(x),
    lambda x: np.mod(x, 0.7),
    lambda x: x // 0.7 + x,
    lambda x: 2.3 // x + x,
    lambda x: np.interp(0.3, [0.0, 1.0], [1.0, 3.0]) * x,
    lambda x: np.sort(x),
    lambda x: np.fabs(-x),
    lambda x: np.square(x) + np.reciprocal(x) + np.cbrt(x),
    clipped_log,
]


@pytest.mark.parametrize("f", WORK)
def test_these_work_and_have_their_derivatives(f: Any) -> None:
    found = mg.jacobian(f)(X)
    for j in range(3):
        up, down = np.array(X), np.array(X)
        up[j] += 1e-6
        down[j] -= 1e-6
        difference = (np.array(f(up), float) - np.array(f(down), float)) / 2e-6
        np.testing.assert_allclose(found[..., j], difference, rtol=1e-7, atol=1e-8)


def garch(x: Any) -> Any:
    variance = np.zeros(3)
    variance[0] = x[0]
    return variance.sum()


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (garch, r"make it with np.empty\(n, dtype=object\), or use a list"),
        (lambda x: np.array([x[0]], dtype=float), r"np.empty\(n, dtype=object\)"),
        (lambda x: x.astype(float), r"np.empty\(n, dtype=object\)"),
        (lambda x: np.log(np.clip(x, 0.25, 1.0)), r"no mixture .* write micrograd.log\(x\)"),
        (lambda x: np.isnan(x), "np.isnan takes no Values: write x != x"),
        (lambda x: np.isfinite(x), r"write abs\(x\) < np.inf"),
        (lambda x: np.logaddexp(x, 1.0), r"write micrograd.logaddexp\(x, y\), of arrays too"),
        (lambda x: np.linalg.norm(x, 3), r"write \(abs\(x\) \*\* p\).sum\(\) \*\* \(1 / p\)"),
        (lambda x: np.interp(x, [0, 1], [0, 2]), r"np.interp takes no Values: write fp\[i\]"),
        (lambda x: np.linalg.solve(np.diag(x), X), r"write micrograd.solve\(A, b\)"),
        (lambda x: np.linalg.inv(np.diag(x)), r"write micrograd.solve\(A, np.eye\(n\)\)"),
        (lambda x: np.linalg.det(np.diag(x)), r"np.linalg.det takes no Values: write the product"),
        (
            lambda x: scipy.special.erf(x),
            r"scipy.special.erf takes no Values: write micrograd.erf\(x\)",
        ),
        (lambda x: scipy.special.gammaln(x), r"write micrograd.lgamma\(x\)"),
        (lambda x: scipy.special.expit(x), r"write micrograd.sigmoid\(x\)"),
    ],
)
def test_others_say_what_to_write(f: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        mg.jacobian(f)(X)
    with pytest.raises(TypeError, match=words):
        mg.program(lambda x: f(np.array(x)))([X])


def test_what_the_messages_say_is_right() -> None:
    x = np.array([Value(v) for v in X])
    assert list(x != x) == [False] * 3
    assert list(abs(x) < np.inf) == [True] * 3
    norm = (abs(x) ** 3).sum() ** (1 / 3)
    assert norm.data == pytest.approx(np.linalg.norm(X, 3))
    xp, fp = np.array([0.0, 1.0, 3.0]), np.array([1.0, 3.0, 2.0])
    v = Value(1.7)
    i = np.clip(np.searchsorted(xp, v.data) - 1, 0, len(xp) - 2)
    out = fp[i] + (v - xp[i]) * (fp[i + 1] - fp[i]) / (xp[i + 1] - xp[i])
    assert out.data == pytest.approx(np.interp(1.7, xp, fp))
    assert sum(mg.log(np.array([2.0, Value(2.0)]))).data == 2 * math.log(2.0)
    variance = np.empty(2, dtype=object)
    variance[0] = Value(2.0)
    assert variance[0].data == 2.0


def test_an_array_of_floats_names_the_reason() -> None:
    variance = np.zeros(2)
    with pytest.raises(ValueError, match="array element") as caught:
        variance[0] = Value(1.0)
    assert "np.empty(n, dtype=object)" in str(caught.value.__cause__)


def test_errors_of_the_users_own_stay() -> None:
    def f(x: Any) -> Any:
        raise TypeError("mine")

    with pytest.raises(TypeError, match=r"^mine$"):
        mg.grad(f)(1.0)


@pytest.mark.parametrize(("x", "y"), [(7.5, 2.0), (-7.5, 2.0), (1.0, 0.1), (7.5, -2.0)])
def test_whole_quotients_are_pythons_and_flat(x: float, y: float) -> None:
    assert (Value(x) // y).data == (x // Value(y)).data == x // y
    assert mg.grad(lambda v: v[0] // v[1])([x, y]).tolist() == [0.0, 0.0]
