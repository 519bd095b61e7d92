"""Time the first call of a program, in microseconds for each node of the tape.

    python benchmarks/tracing.py

It traces the function and its reverse pass, lifts and plans them, and makes the buffers and calls
for 100 examples. The nodes are those on the tape: leaves, and what the function and its reverse
pass compute, each number once. Each round takes all works once, each made anew; the median over the
rounds is reported, the range, how much of it is not spent on plan and buffers, and the median of
the ratios to the large network within the rounds.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import micrograd as mg
from micrograd import Value, nn
from micrograd.native.gc_pause import uncollected
from micrograd.programs.lift.lifted import Lifted
from micrograd.programs.lower.plan import Plan
from micrograd.programs.run.executor import Workspace

Function = Callable[..., Any]


def network(sizes: list[int]) -> tuple[Function, int]:
    """Make the squared error of a perceptron, and the number of its inputs."""
    random.seed(1)
    model = nn.MLP(sizes[0], sizes[1:])

    def loss(x: Any) -> Any:
        return sum(out * out for out in model(x))

    return loss, sizes[0]


def lines(steps: int) -> tuple[Function, int]:
    """Make a chain of steps `s w + 0.1`, each with its own weight."""
    weights = [Value(random.uniform(0.9, 1.0)) for _ in range(steps)]

    def loss(x: Any) -> Any:
        s = x[0]
        for w in weights:
            s = s * w + 0.1
        return s * s

    return loss, 1


def biased(steps: int) -> tuple[Function, int]:
    """Make a chain of steps `s w + b`, each with its own weight and bias."""
    weights = [Value(random.uniform(0.9, 1.0)) for _ in range(steps)]
    biases = [Value(0.1) for _ in range(steps)]

    def loss(x: Any) -> Any:
        s = x[0]
        for w, b in zip(weights, biases):
            s = s * w + b
        return s * s

    return loss, 1


def tanhs(steps: int) -> tuple[Function, int]:
    """Make a chain of steps `tanh(0.999 s + w)`, all with one weight."""
    w = Value(0.1)

    def loss(x: Any) -> Any:
        s = x[0]
        for _ in range(steps):
            s = mg.tanh(0.999 * s + w)
        return s * s

    return loss, 1


def mixture(steps: int) -> tuple[Function, int]:
    """Make a chain of different operations: sin, times a weight, exp, plus a number, tanh, ..."""
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
    "chain of s w + 0.1": (lines, 4_000),
    "chain of s w + b": (biased, 4_000),
    "chain of tanh(0.999 s + w)": (tanhs, 4_000),
    "chain of different rows": (mixture, 12_000),
}


def measure(work: str) -> tuple[float, float, int]:
    """Time the first call for 100 examples, and the part in plan and buffers; count the nodes."""
    make, size = WORKS[work]
    function, width = make(size)
    program = mg.program(function)
    examples = np.random.default_rng(0).normal(size=(100, width))
    gc.collect()
    start = time.perf_counter()
    program(examples)
    taken = time.perf_counter() - start
    version = program._known.version
    assert version is not None
    [paths] = version.paths.values()
    [path] = paths.found
    lifted = Lifted(path.tape, path.outputs, [], path.slopes, path.program.parameters, {})
    nodes = len(lifted.group_of)
    with uncollected():  # as it is in the call
        start = time.perf_counter()
        workspace = Workspace(Plan(lifted), len(examples))
        planning = time.perf_counter() - start
    del workspace
    return taken, planning, nodes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    nodes: dict[str, int] = {}
    taken: dict[str, list[float]] = {work: [] for work in WORKS}  # microseconds a node
    lifting: dict[str, list[float]] = {work: [] for work in WORKS}  # of these, before the plan
    for _ in range(rounds):
        for work in WORKS:
            seconds, planning, nodes[work] = measure(work)
            taken[work].append(1e6 * seconds / nodes[work])
            lifting[work].append(1e6 * (seconds - planning) / nodes[work])
    for work, each in taken.items():
        ratio = statistics.median(x / y for x, y in zip(each, taken["network 784-128-10"]))
        print(
            f"{work:28} {nodes[work]:7} nodes {statistics.median(each):6.1f} us a node "
            f"({min(each):.1f}-{max(each):.1f}), tracing and lifting "
            f"{statistics.median(lifting[work]):4.1f}   {ratio:.2f} times the large network's"
        )


if __name__ == "__main__":
    main()
