"""Graphs that the stepper is tested on, each built afresh, and what the engine leaves in them."""

from __future__ import annotations

import random
from collections.abc import Callable

from micrograd import Value, ops, toposort
from micrograd.nn import MLP


def neuron() -> Value:
    """Build a neuron with labels."""
    x1, x2 = Value(2.0, label="x1"), Value(0.0, label="x2")
    w1, w2 = Value(-3.0, label="w1"), Value(1.0, label="w2")
    b = Value(6.8813735870195432, label="b")
    out = (w1 * x1 + w2 * x2 + b).tanh()
    out.label = "out"
    return out


def twice() -> Value:
    """Use one operand twice."""
    a = Value(3.0, label="a")
    return a + a


def network() -> Value:
    """Build the loss of two inputs, two neurons and one."""
    random.seed(3)
    model = MLP(2, [2, 1], activation="tanh")
    loss: Value = (model([0.5, -1.0]) - 1.0) ** 2
    loss.label = "loss"
    loss.model = model  # type: ignore[attr-defined]  # a scope holds its module weakly
    return loss


def by_hand() -> Value:
    """Build a node with its own backward function, and one with given local derivatives."""
    a, b = Value(3.0, label="a"), Value(-4.0, label="b")
    out = Value(a.data * b.data, (a, b), "mul")

    def pass_on() -> None:
        a.grad += b.data * out.grad
        b.grad += a.data * out.grad

    out._backward = pass_on
    return Value.node(5.0, (out, a), (0.6, -0.8)) * 2


def strange() -> Value:
    """Use numbers that are not finite, and labels that are not names."""
    huge = Value(1e308, label='<b>"big" & {bold}</b></script>')
    return huge * 10 * Value(0.0, label="zero\n|é∑\x00") + Value(1e-5, label="") ** 3


def mixed(seed: int) -> Value:
    """Draw a random graph that shares nodes."""
    rng = random.Random(seed)
    values = [Value(0.5, label="a"), Value(-1.25, label="b"), Value(2.0)]
    for _ in range(12):
        x, y = rng.choice(values), rng.choice(values)
        row = rng.choice([ops.add, ops.multiply, ops.subtract, ops.tanh, ops.maximum, ops.relu])
        values.append(row(*[x, y][: len(row.derivatives)]))
    return values[-1]


WORKS: dict[str, Callable[[], Value]] = {
    "neuron": neuron,
    "twice": twice,
    "network": network,
    "by hand": by_hand,
    "strange": strange,
    "mixed 1": lambda: mixed(1),
    "mixed 2": lambda: mixed(2),
}


def engine_trace(root: Value) -> list[tuple[Value, dict[Value, float]]]:
    """Run the engine's backward pass node by node: each node, and all grads after its turn."""
    order = toposort(root)
    for v in order:
        v.grad = 0.0
    root.grad = 1.0
    trace = []
    for v in reversed(order):
        v._backward()
        trace.append((v, {x: x.grad for x in order}))
    return trace
