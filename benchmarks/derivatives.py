"""Time derivatives of graphs against the graph itself: python benchmarks/derivatives.py."""

from __future__ import annotations

import random
import statistics
import time
from typing import Any

import numpy as np

import micrograd as mg
from micrograd import Value

ROUNDS = 15


def network_loss() -> tuple[Value, list[Value]]:
    """Build the 2-16-16-1 network of the original's demo on ten points, as a fresh graph."""
    points = [[0.1 * i, 1 - 0.15 * i] for i in range(10)]
    losses = [(1 - network(x)).relu() for x in points]
    return sum(losses, Value(0.0)), network.parameters()


def smooth_chain() -> tuple[Value, list[Value]]:
    """Build a graph of exponentials, quotients and roots of twenty variables."""
    out = Value(1.0)
    for _ in range(100):
        for x in variables:
            out = (out * x + x.tanh()) / (1 + x * x) + x.sqrt()
    return out, variables


def forward_and_backward(make: Any) -> None:
    out, _ = make()
    out.backward()


def seconds(run: Any) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def measure(make: Any) -> dict[str, float]:
    """Time one round."""
    out, inputs = make()
    directions = [1.0] * len(inputs)
    x = np.array([v.data for v in inputs])
    return {
        "recorded": seconds(make),
        "fresh forward and backward": seconds(lambda: forward_and_backward(make)),
        "grad, as a graph": seconds(lambda: mg.grad(out, inputs)),
        "hvp": seconds(lambda: mg.hvp(out, inputs, directions)),
        "jvp": seconds(lambda: mg.jvp(out, inputs, directions)),
        "value_and_grad of a function": seconds(lambda: mg.value_and_grad(lambda _: make()[0])(x)),
    }


def report(make: Any) -> None:
    """Print the medians of each round's ratios."""
    measure(make)
    rounds = [measure(make) for _ in range(ROUNDS)]
    nodes = sum(bool(v.parents) for v in mg.toposort(make()[0]))
    print(f"{make.__doc__} {nodes} operations")
    for name in list(rounds[0])[2:]:
        base = "recorded" if name in ("hvp", "jvp") else "fresh forward and backward"
        ratio = statistics.median(times[name] / times[base] for times in rounds)
        print(f"    {name:29} {ratio:6.1f} times {base}")
    value = statistics.median(times["recorded"] for times in rounds) / nodes
    print(f"    {'one recorded operation':29} {1e6 * value:6.2f} microseconds")


random.seed(1)
network = mg.nn.MLP(2, [16, 16, 1])
variables = [Value(0.5 + 0.05 * i) for i in range(20)]

if __name__ == "__main__":
    report(network_loss)
    report(smooth_chain)
