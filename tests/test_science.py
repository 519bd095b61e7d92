"""Ten scalar programs of science: value, gradient and Hessian against 40 digits of mpmath."""

from __future__ import annotations

import math as python_math
from typing import Any

import mpmath
import numpy as np
import pytest
from problems import science

import micrograd as mg
from micrograd import math

PROGRAMS = [pytest.param(f, at, id=f.__name__) for f, at in science.AT.items()]


def exact(f: Any, at: list[float], *by: int) -> float:
    """Differentiate by mpmath, by the parameters at these positions."""
    counts = tuple(by.count(i) for i in range(len(at)))
    with mpmath.workdps(40):
        point = tuple(map(mpmath.mpf, at))
        if not by:
            return float(f(list(point), mpmath))
        return float(mpmath.diff(lambda *p: f(list(p), mpmath), point, counts))


@pytest.mark.parametrize(("f", "at"), PROGRAMS)
def test_ten_programs_have_the_derivatives_of_forty_digits(f: Any, at: list[float]) -> None:
    n = len(at)
    value, gradient = mg.value_and_grad(f)(at, math)
    assert value == f(at, python_math) == pytest.approx(exact(f, at), rel=1e-12)
    wanted = np.array([exact(f, at, i) for i in range(n)])
    size = np.abs(wanted).max()
    np.testing.assert_allclose(gradient, wanted, rtol=1e-12, atol=1e-12 * size)
    hessian = np.array([[exact(f, at, i, j) for j in range(n)] for i in range(n)])
    size = max(size, np.abs(hessian).max())
    np.testing.assert_allclose(mg.hessian(f)(at, math), hessian, rtol=1e-11, atol=1e-11 * size)


@pytest.mark.parametrize(("f", "at"), PROGRAMS)
def test_they_run_as_programs_over_rows(f: Any, at: list[float]) -> None:
    rows = np.array(at) * np.array([[1.0], [1.01], [0.98]])
    of_all = mg.program(lambda p: f(p, math))(rows)
    np.testing.assert_allclose(of_all.data, [f(list(row), python_math) for row in rows], 1e-11)
