"""Measure what scopes cost: training steps of the moons with the scopes of modules and without.

    python benchmarks/scopes.py

Each round takes a step of either kind, in turns; printed are the median and the quartiles of the
ratios. With `MICROGRAD_PURE=1` in the environment it is the Python core that is measured.
"""

from __future__ import annotations

import random
import statistics
import time
from typing import Any

from micrograd import core
from micrograd.nn import MLP, Layer, Neuron

MODULES: tuple[Any, ...] = (Neuron, Layer, MLP)
WITH = [module.__call__ for module in MODULES]
WITHOUT = [call.__wrapped__ for call in WITH]
ROUNDS = 400

random.seed(1)
model = MLP(2, [16, 16, 1])
X = [[random.random(), random.random()] for _ in range(100)]
Y = [random.choice([-1, 1]) for _ in X]


def step() -> None:
    """Take one step of training, as in the original's demo."""
    losses = [(1 - y * model(x)).relu() for x, y in zip(X, Y)]
    loss: Any = sum(losses) * (1 / len(losses)) + 1e-4 * sum(p * p for p in model.parameters())
    model.zero_grad()
    loss.backward()
    for p in model.parameters():
        p.data -= 1e-6 * p.grad


def seconds(calls: list[Any]) -> float:
    """Time the second of two steps; the first one finds that the classes have changed."""
    for module, call in zip(MODULES, calls):
        module.__call__ = call
    step()
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


ratios = []
for i in range(ROUNDS):
    if i % 2:
        without, with_scopes = seconds(WITHOUT), seconds(WITH)
    else:
        with_scopes, without = seconds(WITH), seconds(WITHOUT)
    ratios.append(with_scopes / without)
low, median, high = statistics.quantiles(ratios, n=4)
print(f"{core} core: a step takes {median:.3f} times as long (quartiles {low:.3f}, {high:.3f})")
