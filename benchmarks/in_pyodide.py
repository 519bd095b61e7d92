"""Time both cores in Pyodide: node .ci/pyodide.mjs WHEEL benchmarks/in_pyodide.py.

Run it where the npm package pyodide is installed, on a wheel with the C core that
tools/pyodide_core builds. The work is a step of the original's demo, on twenty points.
"""

from __future__ import annotations

import importlib
import os
import random
import sys
import time
from typing import Any

ROUNDS = 8


def step_of(core: str) -> Any:
    """Import micrograd anew, on a core, and return a step of training without an update."""
    os.environ["MICROGRAD_PURE"] = str(int(core == "python"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "micrograd"]:
        del sys.modules[name]
    micrograd = importlib.import_module("micrograd")
    assert micrograd.core == core, micrograd.core
    random.seed(1)
    model = micrograd.nn.MLP(2, [16, 16, 1])
    points = [[random.random(), random.random()] for _ in range(20)]
    labels = [random.choice([-1, 1]) for _ in points]

    def step() -> float:
        scores = [model([micrograd.Value(x) for x in point]) for point in points]
        losses = [(1 + -label * score).relu() for label, score in zip(labels, scores)]
        total = sum(losses) / len(losses) + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        total.backward()
        return float(total.data)

    return step


def best_of(step: Any) -> tuple[float, float]:
    """Return the shortest time of a step, and its loss."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        loss = step()
        times.append(time.perf_counter() - start)
    return min(times), loss


in_python, in_c = best_of(step_of("python")), best_of(step_of("c"))
assert in_python[1] == in_c[1]
print(f"the Python core takes {in_python[0] / in_c[0]:.1f} times as long as the C core")
