"""Jacobians of four fits, beside SciPy's 2-point differences: python benchmarks/jacobians.py."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import least_squares
from scipy.optimize._numdiff import approx_derivative

import micrograd as mg

ROUNDS = 15


def epidemic(p: Any, m: Any) -> list[Any]:
    """Simulate SIR, 300 steps of Euler's method, 60 results of 3 parameters."""
    s, i, results = 0.99, 0.01, []
    for _ in range(60):
        for _ in range(5):
            infected, recovered = p[0] * s * i * p[2], p[1] * i
            s, i = s - 0.2 * infected, i + 0.2 * (infected - recovered)
        results.append(i)
    return results


def drug(p: Any, m: Any) -> list[Any]:
    """Follow a drug through one compartment with absorption, 8 results of 5 parameters."""
    scale = p[0] * p[1] / (p[2] * (p[1] - p[3]))
    times = (0.5, 1, 2, 3, 4, 6, 8, 10)
    return [scale * (m.exp(-p[3] * t) - m.exp(-p[1] * t)) + p[4] * t for t in times]


def interest(p: Any, m: Any) -> list[Any]:
    """Compute the yield curve of Nelson and Siegel, 11 results of 4 parameters."""
    results = []
    for years in (0.25, 0.5, 1, 2, 3, 5, 7, 10, 15, 20, 30):
        decay = m.exp(-years / p[3])
        load = (1 - decay) / (years / p[3])
        results.append(p[0] + p[1] * load + p[2] * (load - decay))
    return results


def orbit(p: Any, m: Any) -> list[Any]:
    """Compute a star's radial velocities by Kepler's equation, 100 results of 6 parameters."""
    results = []
    for k in range(100):
        mean = p[0] + p[1] * k * 0.1
        e = mean
        for _ in range(5):
            e = e - (e - p[2] * m.sin(e) - mean) / (1 - p[2] * m.cos(e))
        up, down = m.sqrt(1 + p[2]) * m.sin(e / 2), m.sqrt(1 - p[2]) * m.cos(e / 2)
        angle = 2 * (m.arctan2 if m is mg else m.atan2)(up, down)
        results.append(p[3] * (m.cos(angle + p[4]) + p[2] * m.cos(p[4])) + p[5])
    return results


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    for _ in range(10):
        run()
    return time.process_time() - start


def report(f: Callable[[Any, Any], list[Any]], at: list[float]) -> None:
    """Print the median of each round's ratio; the functions run on floats for SciPy."""
    x = np.array(at)

    def differences() -> Any:
        return approx_derivative(lambda p: np.array(f(p.tolist(), math)), x, method="2-point")

    exact = mg.jacobian(lambda p: f(p, mg))
    error = abs(exact(x) - differences()).max() / abs(exact(x)).max()
    ratio = statistics.median(
        seconds(lambda: exact(x)) / seconds(differences) for _ in range(ROUNDS)
    )
    print(f"{f.__doc__} {ratio:.2f} times 2-point differences, whose error is {error:.1e}")


def fit(days: int = 60) -> None:
    """Fit an epidemic, 300 steps of Runge and Kutta's method, to noisy counts of the ill."""

    def simulate(p: Any) -> list[Any]:
        s, i, h, results = 1 - p[2], p[2], 0.2, []

        def rates(s: Any, i: Any) -> tuple[Any, Any]:
            infected = p[0] * s * i
            return -infected, infected - p[1] * i

        for _ in range(days):
            for _ in range(5):
                a, b = rates(s, i)
                c, d = rates(s + h / 2 * a, i + h / 2 * b)
                e, f = rates(s + h / 2 * c, i + h / 2 * d)
                u, v = rates(s + h * e, i + h * f)
                s, i = s + h / 6 * (a + 2 * c + 2 * e + u), i + h / 6 * (b + 2 * d + 2 * f + v)
            results.append(i)
        return results

    noise = np.random.default_rng(0).normal(size=days)
    seen = (np.array(simulate([0.5, 0.12, 0.01])) * (1 + 0.02 * noise)).tolist()

    def residuals(p: Any) -> list[Any]:
        return [x - y for x, y in zip(simulate(p), seen)]

    def on_floats(p: Any) -> Any:
        return np.array(residuals(p.tolist()))

    def by(jacobian: Any) -> Any:
        return least_squares(on_floats, [0.4, 0.2, 0.005], jac=jacobian)

    exact = mg.jacobian(residuals)
    ours, theirs = by(exact), by("2-point")
    np.testing.assert_allclose(ours.x, theirs.x, rtol=1e-4)
    ratios = [seconds(lambda: by(exact)) / seconds(lambda: by("2-point")) for _ in range(ROUNDS)]
    taken = statistics.median(seconds(lambda: by(exact)) for _ in range(ROUNDS)) / 10
    print(f"{fit.__doc__} {taken:.2f} s, {statistics.median(ratios):.2f} times by differences")


if __name__ == "__main__":
    report(epidemic, [0.5, 0.1, 1.2])
    report(drug, [10.0, 1.5, 20.0, 0.3, 0.01])
    report(interest, [5.0, -1.0, 1.0, 2.0])
    report(orbit, [0.3, 1.1, 0.2, 50.0, 0.7, 3.0])
    fit()
