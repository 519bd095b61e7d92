"""Time programs of float32 beside the same of float64, as ratios within rounds; compare results.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/float32.py

In processor time, on one thread: value and gradient. What is given are arrays of float32 to the
one, of float64 to the other; below 1 float32 is faster. The differences are the largest, of the
results and of the gradients, by the largest result and gradient.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import micrograd as mg
from micrograd import Value, nn
from micrograd.losses import cross_entropy

Work = tuple[Callable[..., Any], list[Value], list[Any]]  # a function, its parameters, the rows


def network(sizes: list[int], rows: int) -> Work:
    """Make a classifier with tanh and cross-entropy, and rows for it."""
    random.seed(1)
    model = nn.MLP(sizes[0], sizes[1:], activation="tanh")
    rng = np.random.default_rng(1)
    labels = np.eye(sizes[-1])[rng.integers(sizes[-1], size=rows)]
    examples = rng.normal(size=(rows, sizes[0]))
    return lambda x, y: cross_entropy(model(x), y), model.parameters(), [examples, labels]


def options(rows: int) -> Work:
    """Make the price of Black and Scholes."""
    volatility, rate = Value(0.2), Value(0.05)

    def call(spot: Any, strike: Any, years: Any) -> Any:
        spread = volatility * mg.sqrt(years)
        d = (mg.log(spot / strike) + (rate + volatility**2 / 2) * years) / spread
        return spot * mg.ndtr(d) - strike * mg.exp(-rate * years) * mg.ndtr(d - spread)

    rng = np.random.default_rng(2)
    numbers = [rng.uniform(a, b, rows) for a, b in ((80, 120), (80, 120), (0.1, 2))]
    return call, [volatility, rate], numbers


def logistic(rows: int) -> Work:
    """Make a logistic regression on five numbers."""
    w = [Value(0.3 * k - 0.5) for k in range(6)]

    def loss(x: Any, y: Any) -> Any:
        z = sum((a * b for a, b in zip(w, x)), w[5])
        return mg.softplus(z) - y * z

    rng = np.random.default_rng(3)
    return loss, w, [rng.normal(size=(rows, 5)), (rng.random(rows) < 0.5) * 1.0]


def garch(rows: int) -> Work:
    """Make the likelihood of a GARCH model over 500 days, which starts from each row."""
    w = [Value(0.1), Value(0.8), Value(0.05)]
    days = np.random.default_rng(4).normal(size=500).tolist()

    def likelihood(variance: Any) -> Any:
        total = 0.0
        for r in days:
            variance = w[2] + w[0] * r * r + w[1] * variance
            total = total + mg.log(variance) + r * r / variance
        return total

    return likelihood, w, [np.linspace(0.5, 1.5, rows)]


WORKS: dict[str, tuple[Callable[[], Work], int]] = {  # and how many steps a round has
    "network 2-16-16-2, 100 rows": (lambda: network([2, 16, 16, 2], 100), 50),
    "network 64-32-10, 100 rows": (lambda: network([64, 32, 10], 100), 50),
    "network 64-32-10, 1,797 rows": (lambda: network([64, 32, 10], 1797), 10),
    "network 64-32-10, 100,000 rows": (lambda: network([64, 32, 10], 100_000), 1),
    "network 784-128-10, 128 rows": (lambda: network([784, 128, 10], 128), 5),
    "logistic regression, 100,000 rows": (lambda: logistic(100_000), 1),
    "Black and Scholes, 100,000 rows": (lambda: options(100_000), 1),
    "GARCH, 1 row": (lambda: garch(1), 50),
    "GARCH, 1,000 rows": (lambda: garch(1000), 1),
}


def grads(parameters: list[Value]) -> Any:
    """Return the gradients, and set them to 0."""
    found = np.array([p.grad for p in parameters])
    for p in parameters:
        p.grad = 0.0
    return found


def main() -> None:
    """Print a line for each work."""
    for name, (make, steps) in WORKS.items():
        function, parameters, rows = make()
        contestants = [
            (mg.program(function, threads=1, dtype=dtype), [x.astype(dtype) for x in rows])
            for dtype in ("float64", "float32")
        ]
        results = []
        for program, given in contestants:
            result = program(*given)
            result.mean().backward()
            results.append((result.data, grads(parameters)))
        apart = [abs(x - y).max() / abs(x).max() for x, y in zip(*results)]
        ratios, best = [], [float("inf")] * 2
        for _ in range(15):
            times = []
            for program, given in contestants:
                begin = time.process_time()
                for _ in range(steps):
                    program(*given).mean().backward()
                times.append((time.process_time() - begin) / steps)
            best = [min(pair) for pair in zip(best, times)]
            ratios.append(times[1] / times[0])
        print(
            f"{name:34s} {statistics.median(ratios):.2f} of float64's time "
            f"({best[1] * 1e6:,.0f} and {best[0] * 1e6:,.0f} us); apart by {apart[0]:.0e} in "
            f"results, {apart[1]:.0e} in gradients",
            flush=True,
        )


if __name__ == "__main__":
    main()
