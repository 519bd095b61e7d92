"""Backward passes that are wrong in a well-known way, run beside the right one.

Each is a few lines of its own on the edges of a graph: what every node passes on to which operand,
in the order of the right pass. `grad` holds what the passes before have left in the nodes. The
graph itself is never touched.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from micrograd import ops
from micrograd.engine import Value
from micrograd.explain.names import called
from micrograd.explain.report import Cell, Table
from micrograd.explain.what_if.reevaluate import Replay
from micrograd.graph.steps import backward_steps
from micrograd.native.gc_pause import uncollected
from micrograd.value.errors import ARITHMETIC_ERRORS

# Of every node: its operands with the local derivatives. A node comes after all its consumers.
Edges = dict[Value, list[tuple[Value, float]]]
Grads = defaultdict[Value, float]
Pass = Callable[[Value, Edges, Grads], None]


def right(root: Value, edges: Edges, grad: Grads) -> None:
    """The chain rule: leaves add to what they hold, the other nodes start afresh."""
    start_afresh(root, edges, grad)
    for node, operands in edges.items():
        arrived = grad[node]
        for operand, slope in operands:
            grad[operand] += slope * arrived


def start_afresh(root: Value, edges: Edges, grad: Grads) -> None:
    for node in edges:
        if node.parents:
            grad[node] = 0.0
    grad[root] = 1.0


# The wrong passes --------------------------------------------------------------------------------


def in_order_of_meeting(root: Value, edges: Edges, grad: Grads) -> None:
    """A queue from the root: a node has its turn when it was met first, complete or not."""
    start_afresh(root, edges, grad)
    queue, met = deque([root]), {root}
    while queue:
        node = queue.popleft()
        for operand, slope in edges[node]:
            grad[operand] += slope * grad[node]
            if operand not in met:
                met.add(operand)
                queue.append(operand)


def in_depth_first(root: Value, edges: Edges, grad: Grads) -> None:
    """A recursion that marks what it has visited, and passes on before it has come back."""
    start_afresh(root, edges, grad)
    stack, visited = [root], set()
    while stack:
        node = stack.pop()
        if node not in visited:
            visited.add(node)
            for operand, slope in edges[node]:
                grad[operand] += slope * grad[node]
            stack.extend(operand for operand, _ in reversed(edges[node]))


def assigning(root: Value, edges: Edges, grad: Grads) -> None:
    start_afresh(root, edges, grad)
    for node, operands in edges.items():
        arrived = grad[node]
        for operand, slope in operands:
            grad[operand] = slope * arrived  # should be +=


def operands_in_a_set(root: Value, edges: Edges, grad: Grads) -> None:
    start_afresh(root, edges, grad)
    for node, operands in edges.items():
        arrived = grad[node]
        for operand, slope in dict(reversed(operands)).items():  # each operand once
            grad[operand] += slope * arrived


def keeping_interior(root: Value, edges: Edges, grad: Grads) -> None:
    grad[root] = 1.0  # the other nodes keep what the last pass has left in them
    for node, operands in edges.items():
        arrived = grad[node]
        for operand, slope in operands:
            grad[operand] += slope * arrived


def adding_for_subtracting(root: Value, edges: Edges, grad: Grads) -> None:
    start_afresh(root, edges, grad)
    for node, operands in edges.items():
        arrived = grad[node]
        for operand, slope in operands:
            grad[operand] += (1.0 if node.op is ops.subtract else slope) * arrived


def without_visited(root: Value, edges: Edges, grad: Grads) -> None:
    """A recursion without a mark: a node has a turn for every path that leads to it."""
    start_afresh(root, edges, grad)
    stack = [root]
    while stack:
        node = stack.pop()
        for operand, slope in edges[node]:
            grad[operand] += slope * grad[node]
        stack.extend(operand for operand, _ in reversed(edges[node]))


# What each is called, and why it is wrong --------------------------------------------------------


class Misconception(NamedTuple):
    """A well-known mistake: how it comes about, and which graphs do not show it."""

    name: str
    passes: tuple[Pass, ...]  # in the ways in which it is written; the first one is shown
    why: str
    hidden: str  # what holds for a graph on which it makes no difference


NO_ORDER = Misconception(
    "no topological order",
    (in_order_of_meeting, in_depth_first),
    "a consumer of {node} passed its gradient on before all of it had arrived",
    "every node is complete when it is met",
)
ASSIGNED = Misconception(
    "= for +=",
    (assigning,),
    "{node} gets {shares} shares; each overwrites the one before, and the last one is left",
    "no Value gets more than one share",
)
IN_A_SET = Misconception(
    "operands in a set",
    (operands_in_a_set,),
    "an operation has {node} as an operand more than once; a set holds it once",
    "no operation has one Value as two operands",
)
NO_ZERO_GRAD = Misconception(
    "no zero_grad",
    (right,),
    "the second pass adds to what the first has left in {node}: set leaves to 0 in between",
    "all derivatives of leaves are 0",
)
INTERIOR_KEPT = Misconception(
    "interior gradients kept",
    (keeping_interior,),
    "the second pass begins while {node} holds the gradient of the first, and passes both on",
    "no node lies between the output and the leaves",
)
SUBTRACTED = Misconception(
    "subtraction as addition",
    (adding_for_subtracting,),
    "{node} is subtracted: when it rises the difference falls, so its local derivative is -1",
    "nothing is subtracted",
)
OLD_DATA = Misconception(
    "old data after an update",
    (right,),
    "the leaves have moved, but what is between holds the old data, on which {node}'s share "
    "depends: compute the output again before the next pass",
    "no local derivative depends on the data",
)
NOT_VISITED = Misconception(
    "recursion without a visited mark",
    (without_visited,),
    "a consumer of {node} has a turn for each path to it, and passes on again what it had: "
    "{visits} turns for {nodes} nodes",
    "a single path leads to every node that has operands",
)
MISCONCEPTIONS = (
    NO_ORDER,
    ASSIGNED,
    IN_A_SET,
    NO_ZERO_GRAD,
    INTERIOR_KEPT,
    SUBTRACTED,
    OLD_DATA,
    NOT_VISITED,
)


# Running them ------------------------------------------------------------------------------------

_RATE = 0.1  # of the update after which the data are old
MANY_TURNS = 100_000  # more than a recursion without a visited mark is left to take
_START = 1000  # nodes that are tried before all are
_COUNTED = 10**15  # turns beyond this are not told apart


class Mistake(NamedTuple):
    """What a wrong pass does to a graph: the first node where it goes wrong, in the right order."""

    name: str
    node: Value | None  # None where this graph does not show the mistake
    wrong: float | None
    right: float | None
    why: str


class Mistakes:
    """What `mistakes` found: `.data`, a Mistake for each of the well-known ones."""

    def __init__(self, root: Value) -> None:
        self.root = root
        edges = edges_of(root)
        expected = grads_by(right, root, edges)
        self.data = [_run(m, root, edges, expected) for m in MISCONCEPTIONS]

    def table(self) -> Table:
        """Lay them out, with the reasons below."""
        rows: list[list[Cell]] = []
        for m in self.data:
            if m.node is None or m.wrong is None or m.right is None:
                rows.append([m.name, "not seen here", "", ""])
            else:
                rows.append([m.name, called(m.node), m.wrong, m.right])
        return Table(
            f"Well-known mistakes in the backward pass from {called(self.root)}",
            ["mistake", "goes wrong first at", "its gradient then", "the right one"],
            rows,
            "\n".join(f"{m.name}: {m.why}" for m in self.data),
        )

    def __str__(self) -> str:
        return self.table().text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table().html()


@uncollected()
def mistakes(root: Value) -> Mistakes:
    """Run well-known wrong backward passes from `root` beside the right one, on copies.

    For each: the first node where it goes wrong, both numbers, and why; or why this graph does
    not show it. Those about a second pass run two. Nothing in the graph is changed. Raises
    TypeError if `root` is not a Value, and what `backward()` raises.

    >>> a = Value(3.0, label="a")
    >>> for mistake in mistakes(a + a).data[1:3]:
    ...     print(mistake.name, mistake.node.label, mistake.wrong, mistake.right)
    = for += a 1.0 2.0
    operands in a set a 1.0 2.0
    """
    if not isinstance(root, Value):
        raise TypeError(f"mistakes: a recorded Value is needed, the output, got {root!r}")
    return Mistakes(root)


def edges_of(root: Value) -> Edges:
    """What every node of the graph passes on, in the order of `backward()`, the leaves last."""
    steps = backward_steps(root)
    edges: Edges = {root: [], **{step.consumer: [] for step in steps}}
    for step in steps:
        slope = step.local
        if slope is None:  # a function assigned by hand told only what it adds
            slope = step.product / step.upstream if step.upstream else 0.0
        edges[step.consumer].append((step.operand, slope))
        edges.setdefault(step.operand, [])
    return edges


def turns(root: Value, edges: Edges) -> dict[Value, int]:
    """How often a recursion without a visited mark comes to each node: its paths from the root."""
    counted = dict.fromkeys(edges, 0)
    counted[root] = 1
    for node in edges:
        for operand, _ in edges[node]:
            counted[operand] = min(counted[operand] + counted[node], _COUNTED)
    return counted


def grads_by(backward_pass: Pass, root: Value, edges: Edges) -> Grads:
    """The gradients that a pass leaves where all were 0 before."""
    grad = Grads(float)
    backward_pass(root, edges, grad)
    return grad


def _run(misconception: Misconception, root: Value, edges: Edges, expected: Grads) -> Mistake:
    if misconception is OLD_DATA:
        return _run_on_old_data(root, edges, expected)
    counted = turns(root, edges) if misconception is NOT_VISITED else {}
    for part in [_in_reach(edges, counted)] if counted else _parts(edges):
        found = _found(misconception, root, part)
        mistake = _first_wrong(misconception, expected, found, part)
        if mistake.node is not None:
            break
    else:
        return mistake
    about = {"visits": sum(counted.values()), "nodes": len(edges)}
    if misconception is ASSIGNED:
        about["shares"] = sum([mistake.node is x for xs in edges.values() for x, _ in xs])
    return mistake._replace(why=mistake.why.format(node=called(mistake.node), **about))


def _found(misconception: Misconception, root: Value, edges: Edges) -> Grads:
    """The gradients that the mistake leaves; of the second pass where that is what it is about."""
    wrong_pass = misconception.passes[0]
    found = grads_by(wrong_pass, root, edges)
    if misconception is INTERIOR_KEPT:
        zero_leaves(edges, found)
    if misconception in (INTERIOR_KEPT, NO_ZERO_GRAD):
        wrong_pass(root, edges, found)
    return found


def _parts(edges: Edges) -> list[Edges]:
    """The nodes next to the root, in which most mistakes are seen already, and all of them."""
    start = dict(islice(edges.items(), _START))
    return [_closed(start), edges] if len(edges) > _START else [edges]


def _closed(part: Edges) -> Edges:
    """The first nodes without what they pass on to others: their own gradients are the same."""
    return {node: [edge for edge in part[node] if edge[0] in part] for node in part}


def _in_reach(edges: Edges, counted: dict[Value, int]) -> Edges:
    """The first nodes, as many as take no more than MANY_TURNS."""
    part: Edges = {}
    taken = 0
    for node in edges:
        taken += counted[node]
        if taken > MANY_TURNS:
            break
        part[node] = edges[node]
    return _closed(part)


def _run_on_old_data(root: Value, edges: Edges, grad: Grads) -> Mistake:
    leaves = [node for node in edges if not node.parents]
    moved = [leaf.data - _RATE * grad[leaf] for leaf in leaves]
    try:
        new = Replay(root, leaves).everything(moved)
        old = {**{node: node.data for node in new}, **dict(zip(leaves, moved))}
        for part in _parts(edges):
            expected = grads_by(right, root, _edges_on(part, new))
            found = grads_by(right, root, _edges_on(part, old))
            mistake = _first_wrong(OLD_DATA, expected, found, part)
            if mistake.node is not None:
                return mistake._replace(why=mistake.why.format(node=called(mistake.node)))
    except (TypeError, *ARITHMETIC_ERRORS) as error:
        return Mistake(OLD_DATA.name, None, None, None, f"cannot be tried here: {error}")
    return mistake


def _edges_on(edges: Edges, data: dict[Value, float]) -> Edges:
    """The edges with the local derivatives on other data; every node is a leaf or made by a row."""
    found: Edges = {}
    for node in edges:
        arguments = [data[x] if isinstance(x, Value) else x for x in node.args]
        arguments.append(data[node])
        rules = node.op.derivatives if node.op else ()
        found[node] = [
            (x, float(rule(*arguments)))
            for x, rule in zip(node.args, rules)
            if rule is not None and isinstance(x, Value)
        ]
    return found


def zero_leaves(edges: Edges, grad: Grads) -> None:
    for node in edges:
        if not node.parents:
            grad[node] = 0.0


def _first_wrong(
    misconception: Misconception, expected: Grads, found: Grads, nodes: Iterable[Value]
) -> Mistake:
    rounding = 1e-12 * max(map(abs, expected.values()))
    for node in nodes:
        wrong, right_one = found[node], expected[node]
        if not math.isclose(wrong, right_one, rel_tol=1e-9, abs_tol=rounding) and not (
            math.isnan(wrong) and math.isnan(right_one)
        ):
            return Mistake(misconception.name, node, wrong, right_one, misconception.why)
    return Mistake(
        misconception.name, None, None, None, f"no difference here: {misconception.hidden}"
    )
