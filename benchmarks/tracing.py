"""What tracing and lifting take: microseconds for each node of the tape, at the first call.

    python benchmarks/tracing.py

The first call of a program traces its function and the reverse pass, lifts and plans them, and
makes the buffers and calls for its examples. A node is one on the tape: the leaves, and what the
function and its reverse pass compute from them, each number once. Every round makes each work anew;
the median is reported, and the spread.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import micrograd as mg
from micrograd import Value, nn

Function = Callable[..., Any]


def network(sizes: list[int]) -> tuple[Function, int]:
    """The squared error of a perceptron; how many numbers it takes."""
    random.seed(1)
    model = nn.MLP(sizes[0], sizes[1:])

    def loss(x: Any) -> Any:
        return sum(out * out for out in model(x))

    return loss, sizes[0]


def lines(steps: int) -> tuple[Function, int]:
    """A chain of steps `s w + a`, each with a weight of its own."""
    weights = [Value(random.uniform(0.9, 1.0)) for _ in range(steps)]

    def loss(x: Any) -> Any:
        s = x[0]
        for w in weights:
            s = s * w + 0.1
        return s * s

    return loss, 1


def tanhs(steps: int) -> tuple[Function, int]:
    """A chain of steps `tanh(0.999 s + w)`, all with one weight."""
    w = Value(0.1)

    def loss(x: Any) -> Any:
        s = x[0]
        for _ in range(steps):
            s = mg.tanh(0.999 * s + w)
        return s * s

    return loss, 1


def mixture(steps: int) -> tuple[Function, int]:
    """A chain of rows that differ: sin, times a weight, exp, plus a number, tanh, divided."""
    weights = [Value(random.uniform(0.5, 1.0)) for _ in range(steps // 6)]

    def loss(x: Any) -> Any:
        s = x[0]
        for w in weights:
            s = mg.tanh(mg.exp(mg.sin(s) * w) + 0.1) / 1.5
        return s * s

    return loss, 1


WORKS: dict[str, tuple[Callable[..., tuple[Function, int]], Any]] = {
    "network 64-32-10": (network, [64, 32, 10]),
    "network 784-128-10": (network, [784, 128, 10]),
    "chain of s w + a": (lines, 4_000),
    "chain of tanh(0.999 s + w)": (tanhs, 4_000),
    "chain of different rows": (mixture, 12_000),
}


def measure(work: str) -> tuple[float, int]:
    """Seconds of the first call, for 100 examples; the nodes on the tape."""
    make, size = WORKS[work]
    function, width = make(size)
    program = mg.program(function)
    examples = np.random.default_rng(0).normal(size=(100, width))
    start = time.perf_counter()
    program(examples)
    taken = time.perf_counter() - start
    version = program._known.version
    assert version is not None
    [paths] = version.paths.values()
    [path] = paths.found
    return taken, len(path.tape.ops)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="one work")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for work in [options.only] if options.only else WORKS:
        measured = [measure(work) for _ in range(options.rounds)]
        nodes = measured[0][1]
        each = sorted(1e6 * taken / nodes for taken, _ in measured)
        seconds = statistics.median(taken for taken, _ in measured)
        print(
            f"{work:28} {nodes:8} nodes {seconds:6.2f} s   {statistics.median(each):5.1f} us a node"
            f"   ({each[0]:.1f}-{each[-1]:.1f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
