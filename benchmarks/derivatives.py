"""Time derivatives against the graph they are taken of: python benchmarks/derivatives.py.

Times are of the processor.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

import micrograd as mg
from micrograd import Value

ROUNDS = 15
SHAPE = [2, 16, 16, 1]
POINTS = [[0.1 * i, 1 - 0.15 * i] for i in range(10)]


def network_loss(parameters: Sequence[Any]) -> Any:
    """Compute the loss of the network of the original's demo, 2-16-16-1, on ten points."""
    return sum((1 - network(parameters, x)).relu() for x in POINTS)


def network(parameters: Sequence[Any], x: Sequence[Any]) -> Any:
    at = 0
    for layer, (n, m) in enumerate(pairwise(SHAPE), start=1):
        rows = [parameters[at + k * (n + 1) : at + (k + 1) * (n + 1)] for k in range(m)]
        at += m * (n + 1)
        x = [mg.dot(row[:-1], x, row[-1]) for row in rows]
        x = [v.relu() for v in x] if layer < len(SHAPE) - 1 else x
    return x[0]


def smooth_chain(variables: Sequence[Any]) -> Any:
    """Compute a chain of tanh, quotients and roots of twenty variables."""
    out: Any = 1.0
    for _ in range(100):
        for x in variables:
            out = (out * x + mg.tanh(x)) / (1 + x * x) + mg.sqrt(x)
    return out


def forward_and_backward(f: Callable[[Any], Any], inputs: Any) -> None:
    f(inputs).backward()


def seconds(run: Any) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def measure(f: Callable[[Any], Any], x: Any) -> dict[str, float]:
    """Time one round."""
    inputs = np.array([Value(number) for number in x])  # as functions get them
    out, vector = f(inputs), np.ones(len(x))
    return {
        "recorded": seconds(lambda: f(inputs)),
        "fresh forward and backward": seconds(lambda: forward_and_backward(f, inputs)),
        "grad, as a graph": seconds(lambda: mg.grad(out, inputs)),
        "hvp, as a graph": seconds(lambda: mg.hvp(out, inputs, vector)),
        "jvp, as a graph": seconds(lambda: mg.jvp(out, inputs, vector)),
        "hvp of a function": seconds(lambda: mg.hvp(f)(x, vector)),
        "value_and_grad of a function": seconds(lambda: mg.value_and_grad(f)(x)),
    }


def report(f: Callable[[Any], Any], x: Any) -> None:
    """Print the medians of each round's ratios."""
    measure(f, x)
    rounds = [measure(f, x) for _ in range(ROUNDS)]
    nodes = sum(bool(v.parents) for v in mg.toposort(f([Value(number) for number in x])))
    print(f"{f.__doc__} {nodes} operations")
    for name in list(rounds[0])[2:]:
        base = "fresh forward and backward" if "grad" in name else "recorded"
        ratio = statistics.median(times[name] / times[base] for times in rounds)
        print(f"    {name:29} {ratio:6.1f} times {base}")
    value = statistics.median(times["recorded"] for times in rounds) / nodes
    print(f"    {'one recorded operation':29} {1e6 * value:6.2f} microseconds")


if __name__ == "__main__":
    random.seed(1)
    n_parameters = sum(m * (n + 1) for n, m in pairwise(SHAPE))
    report(network_loss, np.array([random.uniform(-1, 1) for _ in range(n_parameters)]))
    report(smooth_chain, np.linspace(0.5, 1.45, 20))
