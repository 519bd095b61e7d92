"""Time the first call of a program, in microseconds of processor time for each node.

    python benchmarks/tracing.py

It traces the function and its reverse pass, lifts and plans them, and makes the buffers and calls
for 100 examples. The nodes are leaves and what the function and its reverse pass compute, each
number once. Each round takes all works once, each made anew; the median over the rounds is
reported, the range, the median of the ratios to the large network within the rounds, and how much
memory is allocated for each node at one example: most at a time, and in the end.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

import micrograd as mg
from micrograd import Value, nn
from micrograd.programs import Program
from micrograd.programs.lift.lifted import Lifted

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
    "loop of 100,000 steps": (tanhs, 100_000),
}
LARGE = "network 784-128-10"


def made(work: str) -> tuple[Program, int]:
    """Make the program of a work anew, and return the number of its inputs."""
    make, size = WORKS[work]
    function, width = make(size)
    return mg.program(function), width


def first_call(work: str) -> float:
    """Time the first call for 100 examples."""
    program, width = made(work)
    examples = np.random.default_rng(0).normal(size=(100, width))
    gc.collect()
    start = time.process_time()
    program(examples)
    return time.process_time() - start


def nodes_of(work: str) -> int:
    """Count the nodes."""
    program, width = made(work)
    program(np.zeros((1, width)))
    version = program._known.version
    assert version is not None
    [paths] = version.paths.values()
    [path] = paths.found
    lifted = Lifted(path.tape, path.outputs, [], path.slopes, path.program.parameters, {})
    return len(lifted.group_of)


def memory(work: str) -> tuple[int, int]:
    """Return the bytes that the first call for one example allocates: at a time, and in the end."""
    program, width = made(work)
    tracemalloc.start()
    result = program(np.zeros((1, width)))
    gc.collect()
    kept, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del result
    return most, kept


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[float]] = {work: [] for work in WORKS}
    for _ in range(rounds):
        for work in WORKS:
            taken[work].append(first_call(work))
    large = nodes_of(LARGE)
    for work, each in taken.items():
        nodes = nodes_of(work)
        own = [1e6 * seconds / nodes for seconds in each]
        by_large = statistics.median(x / y for x, y in zip(each, taken[LARGE]))
        ratio = by_large * large / nodes
        most, kept = (size // nodes for size in memory(work))
        print(
            f"{work:28} {nodes:7} nodes {statistics.median(own):6.1f} us a node "
            f"({min(own):.1f}-{max(own):.1f}), {ratio:.2f} times the large network's; "
            f"{most} bytes a node, {kept} kept",
            flush=True,
        )


if __name__ == "__main__":
    main()
