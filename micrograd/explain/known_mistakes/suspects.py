"""The mistakes that a grade recognises: what a class that makes one of them computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from micrograd import ops
from micrograd.engine import Value
from micrograd.explain.known_mistakes.graphs import Graph, Numbers, run
from micrograd.explain.known_mistakes.time_limit import TimeIsUp
from micrograd.explain.known_mistakes.wrong_passes import (
    ASSIGNED,
    KNOWN_MISTAKES,
    MANY_VISITS,
    NO_ORDER,
    NO_ZERO_GRAD,
    NOT_VISITED,
    OLD_DATA,
    Edges,
    Grads,
    Pass,
    edges_of,
    pass_on,
    reset_interior,
    right,
    visits_of,
)
from micrograd.ops import Op
from micrograd.value.identity import IdentityDict, IdentitySet


class Suspect(NamedTuple):
    """A mistake as it is written in one way: its name, why, and what differs in a run."""

    name: str
    why: str
    change: dict[str, Any]
    op: Op | None = None  # if it is one of a single operation

    def concerns(self, graph: Graph) -> bool:
        """Tell whether a graph may show it."""
        return self.op is None or not graph.operations.isdisjoint((self.op.name, self.op.symbol))

    def numbers(self, graph: Graph) -> Numbers | None:
        """Return what a class with this mistake computes; None if that takes too long."""
        known = _KNOWN.setdefault(id(self), {})  # of a suspect of this module, which stays
        if graph not in known:
            try:
                known[graph] = run(graph, Value, **self.change)
            except TimeIsUp:
                known[graph] = None
        return known[graph]


_KNOWN: dict[int, dict[Graph, Numbers | None]] = {}


def _backward_by(wrong_pass: Pass, visits: bool = False) -> Callable[[Value], None]:
    """Make a backward() from a wrong pass; `visits`: it takes one for each path to a node."""

    def backward(root: Value) -> None:
        edges = edges_of(root)
        if visits and sum(visits_of(root, edges).values()) > MANY_VISITS:
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


# Mistakes in backward(), or in the rules of one operation -----------------------------------------


def _reversed_forgotten(root: Value, edges: Edges, grad: Grads) -> None:
    """Walk from the leaves to the root: what arrives in between is not passed on."""
    reset_interior(root, edges, grad)
    pass_on(reversed(list(edges)), edges, grad)


def _last_operand_first(wrong_pass: Pass) -> Pass:
    """Make the pass of a class that keeps operands in another order, in a set say."""

    def other_pass(root: Value, edges: Edges, grad: Grads) -> None:
        wrong_pass(root, Edges((v, operands[::-1]) for v, operands in edges.items()), grad)

    return other_pass


def _a_set_without_visited_mark(root: Value, edges: Edges, grad: Grads) -> None:
    """Recurse without marking visited nodes, over a set of operands: each is visited once."""
    reset_interior(root, edges, grad)
    stack = [root]
    while stack:
        node = stack.pop()
        for operand, slope in edges[node]:
            grad[operand] += slope * grad[node]
        stack.extend(IdentityDict(reversed(edges[node])))


def _nothing_passed_on(root: Value, edges: Edges, grad: Grads) -> None:
    """Leave all gradients as they are."""


def _silent(op: Op) -> Pass:
    """Make the pass of a class in which an operation passes nothing on."""

    def wrong_pass(root: Value, edges: Edges, grad: Grads) -> None:
        right(root, Edges((v, [] if v.op is op else edges[v]) for v in edges), grad)

    return wrong_pass


def _upstream_forgotten(op: Op | None = None) -> Pass:
    """Add the slope alone, without the gradient that arrived, in all rules or in that of `op`."""

    def wrong_pass(root: Value, edges: Edges, grad: Grads) -> None:
        reset_interior(root, edges, grad)
        for node, operands in edges.items():
            arrived = 1.0 if op in (None, node.op) else grad[node]
            for operand, slope in operands:
                grad[operand] += slope * arrived

    return wrong_pass


def _assigning(op: Op, last_first: bool) -> Pass:
    """Assign the shares of an operation, in one of the two orders in which a walk may come."""

    def wrong_pass(root: Value, edges: Edges, grad: Grads) -> None:
        reset_interior(root, edges, grad)
        for node in _walk(root, edges, last_first):
            arrived = grad[node]
            for operand, slope in edges[node]:
                grad[operand] = slope * arrived + (0.0 if node.op is op else grad[operand])

    return wrong_pass


def _seeded(seed: Callable[[Value], float]) -> Pass:
    """Begin with another number than 1 in the output."""

    def wrong_pass(root: Value, edges: Edges, grad: Grads) -> None:
        reset_interior(root, edges, grad)
        grad[root] = seed(root)
        pass_on(edges, edges, grad)

    return wrong_pass


def _with_shares(op: Op | None, factors: tuple[float, float]) -> Pass:
    """Multiply the shares of the first and the other operand, in all rules or in that of `op`."""

    def wrong_pass(root: Value, edges: Edges, grad: Grads) -> None:
        changed = Edges(edges)
        for node, operands in edges.items():
            if op in (None, node.op):
                signs = (factors[0], *[factors[1]] * len(operands))
                changed[node] = [(x, f * slope) for f, (x, slope) in zip(signs, operands)]
        right(root, changed, grad)

    return wrong_pass


def _unnamed_operand(op: Op | None, kept: int) -> Pass:
    """Walk as if results named one of their operands, all results or those of `op`."""

    def wrong_pass(root: Value, edges: Edges, grad: Grads) -> None:
        reset_interior(root, edges, grad)
        named = Edges(
            (v, [operands[kept]] if operands and op in (None, v.op) else operands)
            for v, operands in edges.items()
        )
        pass_on(_walk(root, named, False), edges, grad)

    return wrong_pass


def _walk(root: Value, edges: Edges, last_first: bool) -> list[Value]:
    """List the nodes as a depth-first visit of the operands does, from the root to the leaves."""
    order, seen, stack = list[Value](), IdentitySet[Value](), [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            operands = [operand for operand, _ in edges[node]]
            stack.append((node, True))
            stack.extend((x, False) for x in (operands if last_first else reversed(operands)))
    return order[::-1]


_OPERATIONS = (
    *(ops.add, ops.multiply, ops.subtract, ops.divide, ops.negative, ops.power),
    *(ops.relu, ops.tanh, ops.sigmoid, ops.exp, ops.log),
)
OF_ONE_OPERATION = ("wrong rule of ", "nothing passed on by ")  # how their names begin


_BINARY = (ops.add, ops.multiply)  # - and / are made of others in many classes
_ONE_OF_TWO = ((1.0, 0.0), (0.0, 1.0))
_TAKEN_OFF = "-= for +="
_UNNAMED = "operand missing in _prev"


def _in_one_operation(op: Op) -> list[Suspect]:
    silent = "its operands get nothing: write the rule, and store it, out._backward = _backward"
    assigned = f"in the rule of {op.symbol}, a share overwrites what was there: add it"
    forgotten = f"in the rule of {op.symbol}, the slope alone is added: multiply it by out.grad"
    taken_off = f"in the rule of {op.symbol}, a share is taken off: add it, +="
    passes = [
        (f"nothing passed on by {op.symbol}", silent, _silent(op)),
        (ASSIGNED.name, assigned, _assigning(op, False)),
        (ASSIGNED.name, assigned, _assigning(op, True)),
        (_UPSTREAM_FORGOTTEN, forgotten, _upstream_forgotten(op)),
        (_TAKEN_OFF, taken_off, _with_shares(op, (-1.0, -1.0))),
    ]
    if op in _BINARY:
        missing = "an operand gets nothing: self.grad and other.grad have a line each"
        unnamed = f"the result of {op.symbol} names both, (self, other): else {_NOT_REACHED}"
        for first, other in _ONE_OF_TWO:
            one, signs = _with_shares(op, (first, other)), (1 - 2 * first, 1 - 2 * other)
            passes += [
                (f"wrong rule of {op.symbol}", missing, one),
                (_TAKEN_OFF, taken_off, _with_shares(op, signs)),
                (_UNNAMED, unnamed, _unnamed_operand(op, int(other))),
            ]
    return [Suspect(name, why, {"backward": _backward_by(p)}, op) for name, why, p in passes]


_UPSTREAM_FORGOTTEN = "out.grad forgotten"
_NOT_REACHED = "what is behind the other one is never reached"

SUSPECTS = [
    *(
        Suspect(m.name, m.why, {"backward": _backward_by(wrong_pass, m is NOT_VISITED)})
        for m in KNOWN_MISTAKES
        for wrong_pass in m.passes
        if m not in (NO_ZERO_GRAD, OLD_DATA)
    ),
    *(
        Suspect(NO_ORDER.name, NO_ORDER.why, {"backward": _backward_by(_last_operand_first(p))})
        for p in NO_ORDER.passes
    ),
    *(
        Suspect(NOT_VISITED.name, NOT_VISITED.why, {"backward": _backward_by(p, visits=True)})
        for p in (_a_set_without_visited_mark, _last_operand_first(_a_set_without_visited_mark))
    ),
    Suspect(NO_ZERO_GRAD.name, NO_ZERO_GRAD.why, {"zeroing": False}),
    Suspect(OLD_DATA.name, OLD_DATA.why, {"recording_again": False}),  # rules read the data anew
    Suspect(OLD_DATA.name, OLD_DATA.why, {"updating": False}),  # it keeps all numbers
    Suspect(
        _UPSTREAM_FORGOTTEN,
        "the slope alone is added: multiply it by the gradient that arrived, out.grad",
        {"backward": _backward_by(_upstream_forgotten())},
    ),
    Suspect(
        "reversed() forgotten",
        "the walk goes from the leaves to the output, which is to come first",
        {"backward": _backward_by(_reversed_forgotten)},
    ),
    Suspect(
        "nothing passed on",
        "no leaf gets a gradient: in backward(), set self.grad = 1 and call each _backward, which "
        "each operation stores, out._backward = _backward",
        {"backward": _backward_by(_nothing_passed_on)},
    ),
    *(
        Suspect(
            "wrong seed",
            "the walk begins with self.grad = 1, the derivative of the output by itself",
            {"backward": _backward_by(_seeded(seed))},
        )
        for seed in (lambda root: -1.0, lambda root: root.data)
    ),
    Suspect(
        _TAKEN_OFF,
        "the shares are taken off: add them, +=",
        {"backward": _backward_by(_with_shares(None, (-1.0, -1.0)))},
    ),
    *(
        Suspect(
            _UNNAMED,
            f"a result names all of its operands, (self, other): else {_NOT_REACHED}",
            {"backward": _backward_by(_unnamed_operand(None, kept))},
        )
        for kept in (0, -1)
    ),
    *(
        Suspect(
            f"wrong rule of {op.symbol}", why, {"backward": _backward_by(_with_rule(op, rule))}, op
        )
        for op, why, rule in _WRONG_RULES
    ),
    *(suspect for op in _OPERATIONS for suspect in _in_one_operation(op)),
]
