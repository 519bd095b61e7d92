"""The mistakes that a grade recognises: what a class that makes one of them computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from micrograd import ops
from micrograd.engine import Value
from micrograd.explain.known_mistakes.graphs import Graph, Numbers, run
from micrograd.explain.known_mistakes.time_limit import TimeIsUp
from micrograd.explain.known_mistakes.wrong_passes import (
    KNOWN_MISTAKES,
    MANY_VISITS,
    NO_ZERO_GRAD,
    NOT_VISITED,
    OLD_DATA,
    Edges,
    Grads,
    Pass,
    edges_of,
    reset_interior,
    right,
    visits_of,
)
from micrograd.ops import Op


class Suspect(NamedTuple):
    """A mistake as it is written in one way: its name, why, and what differs in a run."""

    name: str
    why: str
    change: dict[str, Any]

    def numbers(self, graph: Graph) -> Numbers | None:
        """Return what a class with this mistake computes; None if that takes too long."""
        try:
            return run(graph, Value, **self.change)
        except TimeIsUp:
            return None


def _backward_by(wrong_pass: Pass) -> Callable[[Value], None]:
    """Make a backward() from a wrong pass."""

    def backward(root: Value) -> None:
        edges = edges_of(root)
        if wrong_pass in NOT_VISITED.passes and sum(visits_of(root, edges).values()) > MANY_VISITS:
            raise TimeIsUp
        grad = Grads((v, v.grad) for v in edges)
        wrong_pass(root, edges, grad)
        for v in edges:
            v.grad = grad[v]

    return backward


# Wrong rules -------------------------------------------------------------------------------------

# Of an operation: what is wrong with its rule, and the slopes that it gives, from x, y and out.
_WRONG_RULES: list[tuple[Op, str, Callable[..., tuple[float, ...]]]] = [
    (
        ops.multiply,
        "the factors are swapped: the slope of each is the other one",
        lambda x, y, out: (x, y),
    ),
    (ops.multiply, "the slopes are 1, as for a sum", lambda x, y, out: (1.0, 1.0)),
    (ops.add, "the slopes are the operands: for a sum they are 1", lambda x, y, out: (x, y)),
    (ops.divide, "the slope of the divisor lacks its minus", lambda x, y, out: (1 / y, x / y**2)),
    (ops.divide, "the slope of the divisor is that of x", lambda x, y, out: (1 / y, 1 / y)),
    (ops.negative, "the slope lacks its minus", lambda x, out: (1.0,)),
    (ops.power, "the exponent stays: it is n * x ** (n - 1)", lambda x, y, out: (y * x**y,)),
    (ops.power, "the factor n is missing: n * x ** (n - 1)", lambda x, y, out: (x ** (y - 1),)),
    (
        ops.power,
        "the sign of the base is lost: it is n * x ** (n - 1)",
        lambda x, y, out: (y * abs(x) ** (y - 1),),
    ),
    (ops.relu, "all is let through: the slope is 0 where x is below 0", lambda x, out: (1.0,)),
    (ops.relu, "the slope is out: it is 1 where x is above 0", lambda x, out: (out,)),
    (ops.tanh, "the slope is taken at x: it is 1 - out ** 2", lambda x, out: (1 - x * x,)),
    (ops.tanh, "the square is missing: it is 1 - out ** 2", lambda x, out: (1 - out,)),
    (ops.sigmoid, "the slope is taken at x: it is out * (1 - out)", lambda x, out: (x * (1 - x),)),
    (ops.exp, "the slope is x: it is out", lambda x, out: (x,)),
    (ops.exp, "the slope is that of a power: it is out", lambda x, out: (x * out,)),
    (ops.log, "the slope is 1 / out: it is 1 / x", lambda x, out: (1 / out,)),
]


def _with_rule(op: Op, slopes: Callable[..., tuple[float, ...]]) -> Pass:
    """Make the pass of a class whose rule of one operation is wrong."""

    def wrong_pass(root: Value, edges: Edges, grad: Grads) -> None:
        changed = Edges(edges)
        for node in edges:
            if node.op is op:
                numbers = [x.data if isinstance(x, Value) else x for x in node.args]
                wrong = slopes(*numbers, node.data)
                changed[node] = [
                    (x, slope) for x, slope in zip(node.args, wrong) if isinstance(x, Value)
                ]
        right(root, changed, grad)

    return wrong_pass


def upstream_forgotten(root: Value, edges: Edges, grad: Grads) -> None:
    """Add the slope alone, without the gradient that arrived."""
    reset_interior(root, edges, grad)
    for operands in edges.values():
        for operand, slope in operands:
            grad[operand] += slope


SUSPECTS = [
    *(
        Suspect(m.name, m.why, {"backward": _backward_by(wrong_pass)})
        for m in KNOWN_MISTAKES
        for wrong_pass in m.passes
        if m not in (NO_ZERO_GRAD, OLD_DATA)
    ),
    Suspect(NO_ZERO_GRAD.name, NO_ZERO_GRAD.why, {"zeroing": False}),
    Suspect(OLD_DATA.name, OLD_DATA.why, {"recording_again": False}),  # rules read the data anew
    Suspect(OLD_DATA.name, OLD_DATA.why, {"updating": False}),  # it keeps all numbers
    Suspect(
        "out.grad forgotten",
        "the slope alone is added: multiply it by the gradient that arrived, out.grad",
        {"backward": _backward_by(upstream_forgotten)},
    ),
    *(
        Suspect(f"wrong rule of {op.symbol}", why, {"backward": _backward_by(_with_rule(op, rule))})
        for op, why, rule in _WRONG_RULES
    ),
]
