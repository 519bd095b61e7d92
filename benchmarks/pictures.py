"""Time pictures: python benchmarks/pictures.py.

Each line is the median of the rounds, in seconds of processor time, Graphviz's included: from the
Value to the SVG, for the large graphs from the Value to the folded picture's source.
"""

from __future__ import annotations

import math
import operator
import os
import random
import statistics
from collections.abc import Callable
from functools import reduce

from micrograd import Value, core, toposort
from micrograd.draw import decision_boundary, graph
from micrograd.nn import MLP

ROUNDS = 3


def seconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = os.times()
        work()
        times.append(sum(os.times()[:4]) - sum(start[:4]))  # of this process and its children
    return statistics.median(times)


def report(what: str, work: Callable[[], object]) -> None:
    print(f"{what:55s} {seconds(work):8.3f} s", flush=True)


def chain(length: int) -> Value:
    x = Value(0.5, label="x")
    for _ in range(length // 3):
        x = (x * 1.01).sin()
    return x


def tangle(length: int) -> Value:
    """Build a random graph without modules."""
    recent = [Value(0.5)] * 100
    operations = (operator.add, operator.mul, lambda a, b: a.tanh())
    for i in range(length):
        a, b = random.choice(recent), random.choice(recent)
        recent[i % 100] = random.choice(operations)(a, b)
    return reduce(operator.add, recent)


def main() -> None:
    """Time the pictures that are promised to be quick, and the folding of large graphs."""
    random.seed(1)
    print(f"the {core} core")
    model = MLP(2, [16, 16, 1])
    two = model([1.0, -2.0]) + model([0.5, 3.0])
    two.backward()
    report("an empty picture", lambda: graph(Value(1.0)).svg)
    values = f"{len(toposort(two)):,} Values of 2-16-16-1"
    report(f"{values}, unfolded", lambda: graph(two, fold=None).svg)
    report(f"{values}, folded", lambda: graph(two).svg)
    wide = MLP(784, [128, 10])
    digit = reduce(operator.add, wide([Value(random.random()) for _ in range(784)])).tanh()
    for name, root in (
        ("784-128-10", digit),
        ("chain", chain(300_000)),
        ("tangle", tangle(430_000)),
    ):
        root.backward()
        report(f"{len(toposort(root)):,} Values, {name}: fold", lambda: graph(root).source)  # noqa: B023
    points = [[math.cos(t), math.sin(t)] for t in range(20)]
    labels = [i % 2 for i in range(20)]
    report("decision boundary, 200 x 200", lambda: decision_boundary(model, points, labels))


if __name__ == "__main__":
    main()
