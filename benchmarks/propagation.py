"""Time standard deviations to first order beside the package `uncertainties`, in one run.

    pip install uncertainties
    python benchmarks/propagation.py

What is printed is the median of each round's ratio; the deviations agree. Filters and simulations
are left out: where each step uses the last one several times, the package takes about three times
as long for one step more.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import uncertainties
from uncertainties import umath

import micrograd as mg
from micrograd import math

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from problems import science

ROUNDS = 9
umath.pi = math.pi


def gravity(x: Any, m: Any) -> Any:
    """Return gravity by a pendulum's length and period."""
    length, period = x
    return 4 * 9.869604401089358 * length / period**2


def seconds(call: Callable[[], object], count: int) -> float:
    start = time.process_time()
    for _ in range(count):
        call()
    return time.process_time() - start


def compare(f: Any, x: list[float], count: int) -> None:
    """Propagate a relative error of a thousandth of each number."""
    sigma = [1e-3 * abs(v) for v in x]
    covariance = np.diag(sigma) ** 2

    def ours() -> float:
        slope = mg.grad(f)(x, math)
        return float(np.sqrt(slope @ covariance @ slope))

    def theirs() -> float:
        result = f([uncertainties.ufloat(v, s) for v, s in zip(x, sigma)], umath)
        return float(result.std_dev)

    np.testing.assert_allclose(ours(), theirs(), rtol=1e-12)
    ratio = statistics.median(seconds(theirs, count) / seconds(ours, count) for _ in range(ROUNDS))
    print(f"{f.__name__:12} uncertainties takes {ratio:.1f} times as long")


if __name__ == "__main__":
    compare(gravity, [1.0, 2.006], 300)
    for program in (science.dose, science.sabr, science.truss, science.ray):
        compare(program, science.AT[program], 10)
