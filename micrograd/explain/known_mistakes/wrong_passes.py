"""Well-known wrong backward passes, run beside the right one.

Each is a few lines of its own over the edges of a graph, in the order of the right pass. `grad`
holds what earlier passes have left in the nodes. The graph itself is never changed.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from micrograd import ops
from micrograd.engine import Value
from micrograd.explain.names import name_of
from micrograd.explain.report import Cell, Table
from micrograd.explain.what_if.reevaluate import Reevaluation
from micrograd.graph.steps import backward_steps
from micrograd.native.gc_pause import uncollected
from micrograd.value.errors import ARITHMETIC_ERRORS

# For each node, its operands with the local derivatives. A node comes after all its consumers.
Edges = dict[Value, list[tuple[Value, float]]]
Grads = defaultdict[Value, float]
Pass = Callable[[Value, Edges, Grads], None]


def right(root: Value, edges: Edges, grad: Grads) -> None:
    """Apply the chain rule: leaves add to what they hold, other nodes start at 0."""
    reset_interior(root, edges, grad)
    for node, operands in edges.items():
        arrived = grad[node]
        for operand, slope in operands:
            grad[operand] += slope * arrived


def reset_interior(root: Value, edges: Edges, grad: Grads) -> None:
    """Set the gradients of interior nodes to 0, and that of the root to 1."""
    for node in edges:
        if node.parents:
            grad[node] = 0.0
    grad[root] = 1.0


# The wrong passes --------------------------------------------------------------------------------


def breadth_first(root: Value, edges: Edges, grad: Grads) -> None:
    """Use a queue from the root: a node passes on when it is met first, complete or not."""
    reset_interior(root, edges, grad)
    queue, met = deque([root]), {root}
    while queue:
        node = queue.popleft()
        for operand, slope in edges[node]:
            grad[operand] += slope * grad[node]
            if operand not in met:
                met.add(operand)
                queue.append(operand)


def depth_first(root: Value, edges: Edges, grad: Grads) -> None:
    """Recurse, marking visited nodes, but pass on before the recursion has returned."""
    reset_interior(root, edges, grad)
    stack, visited = [root], set()
    while stack:
        node = stack.pop()
        if node not in visited:
            visited.add(node)
            for operand, slope in edges[node]:
                grad[operand] += slope * grad[node]
            stack.extend(operand for operand, _ in reversed(edges[node]))


def assigning(root: Value, edges: Edges, grad: Grads) -> None:
    """Assign a share instead of adding it."""
    reset_interior(root, edges, grad)
    for node, operands in edges.items():
        arrived = grad[node]
        for operand, slope in operands:
            grad[operand] = slope * arrived  # should be +=


def operands_as_a_set(root: Value, edges: Edges, grad: Grads) -> None:
    """Keep the operands in a set, so that `a + a` has one."""
    reset_interior(root, edges, grad)
    for node, operands in edges.items():
        arrived = grad[node]
        for operand, slope in dict(reversed(operands)).items():  # each operand once
            grad[operand] += slope * arrived


def interior_grads_kept(root: Value, edges: Edges, grad: Grads) -> None:
    """Let interior nodes keep what the last pass has left in them."""
    grad[root] = 1.0
    for node, operands in edges.items():
        arrived = grad[node]
        for operand, slope in operands:
            grad[operand] += slope * arrived


def subtraction_as_addition(root: Value, edges: Edges, grad: Grads) -> None:
    """Give both operands of a subtraction the local derivative 1."""
    reset_interior(root, edges, grad)
    for node, operands in edges.items():
        arrived = grad[node]
        for operand, slope in operands:
            grad[operand] += (1.0 if node.op is ops.subtract else slope) * arrived


def without_visited_mark(root: Value, edges: Edges, grad: Grads) -> None:
    """Recurse without marking visited nodes: a node passes on once for each path to it."""
    reset_interior(root, edges, grad)
    stack = [root]
    while stack:
        node = stack.pop()
        for operand, slope in edges[node]:
            grad[operand] += slope * grad[node]
        stack.extend(operand for operand, _ in reversed(edges[node]))


# Their names, and why they are wrong --------------------------------------------------------


class KnownMistake(NamedTuple):
    """A well-known mistake: its passes, why it is wrong, and which graphs do not show it."""

    name: str
    passes: tuple[Pass, ...]  # the ways in which it is written; the first one is shown
    why: str
    hidden: str  # what is true of a graph on which it makes no difference


NO_ORDER = KnownMistake(
    "no topological order",
    (breadth_first, depth_first),
    "a consumer of {node} passed its gradient on before all of it had arrived",
    "every node is complete when it is met",
)
ASSIGNED = KnownMistake(
    "= for +=",
    (assigning,),
    "{node} gets {shares} shares; each overwrites the one before, and the last one is left",
    "no Value gets more than one share",
)
IN_A_SET = KnownMistake(
    "operands in a set",
    (operands_as_a_set,),
    "an operation has {node} as an operand more than once; a set holds it once",
    "no operation has one Value as two operands",
)
NO_ZERO_GRAD = KnownMistake(
    "no zero_grad",
    (right,),
    "the second pass adds to what the first has left in {node}: set leaves to 0 in between",
    "all derivatives of leaves are 0",
)
INTERIOR_KEPT = KnownMistake(
    "interior gradients kept",
    (interior_grads_kept,),
    "the second pass finds in {node} the gradient of the first, adds to it, and passes both on",
    "no node lies between the output and the leaves",
)
SUBTRACTED = KnownMistake(
    "subtraction as addition",
    (subtraction_as_addition,),
    "{node} is subtracted: when it rises the difference falls, so its local derivative is -1",
    "nothing is subtracted",
)
OLD_DATA = KnownMistake(
    "old data after an update",
    (right,),
    "the leaves have moved, but what is between holds the old data, on which {node}'s share "
    "depends: compute the output again before the next pass",
    "no local derivative depends on the data",
)
NOT_VISITED = KnownMistake(
    "recursion without a visited mark",
    (without_visited_mark,),
    "a consumer of {node} is visited once for each path to it, and passes on again what it had: "
    "{visits} visits for {nodes} nodes",
    "a single path leads to every node that has operands",
)
KNOWN_MISTAKES = (
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
MANY_VISITS = 100_000  # of a recursion without a visited mark; beyond these it is stopped
_START = 1000  # nodes that are tried first
_COUNTED = 10**15  # visits beyond this are not counted


class Mistake(NamedTuple):
    """The effect of a wrong pass on a graph: the first node where it goes wrong."""

    name: str
    node: Value | None  # None if this graph does not show the mistake
    wrong: float | None
    right: float | None
    why: str


class Mistakes:
    """The result of `mistakes`: `.data`, a Mistake for each well-known one."""

    def __init__(self, root: Value) -> None:
        self.root = root
        edges = edges_of(root)
        expected = run_pass(right, root, edges)
        self.data = [_run(m, root, edges, expected) for m in KNOWN_MISTAKES]

    def table(self) -> Table:
        """Lay them out, with the reasons below."""
        rows: list[list[Cell]] = []
        for m in self.data:
            if m.node is None or m.wrong is None or m.right is None:
                rows.append([m.name, "not seen here", "", ""])
            else:
                rows.append([m.name, name_of(m.node), m.wrong, m.right])
        return Table(
            f"Well-known mistakes in the backward pass from {name_of(self.root)}",
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
    not show it. Mistakes about a second pass run two. No data or grad changes. Raises TypeError
    if `root` is not a Value, and what `backward()` raises.

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
    """Return the edges of a graph in the order of `backward()`, the leaves last."""
    steps = backward_steps(root)
    edges: Edges = {root: [], **{step.consumer: [] for step in steps}}
    for step in steps:
        slope = step.local
        if slope is None:  # a _backward assigned by hand tells only what it adds
            slope = step.product / step.upstream if step.upstream else 0.0
        edges[step.consumer].append((step.operand, slope))
        edges.setdefault(step.operand, [])
    return edges


def visits_of(root: Value, edges: Edges) -> dict[Value, int]:
    """Count the visits of a recursion without a visited mark: the paths to each node."""
    counted = dict.fromkeys(edges, 0)
    counted[root] = 1
    for node in edges:
        for operand, _ in edges[node]:
            counted[operand] = min(counted[operand] + counted[node], _COUNTED)
    return counted


def run_pass(backward_pass: Pass, root: Value, edges: Edges) -> Grads:
    """Return the gradients that a pass leaves if all were 0 before."""
    grad = Grads(float)
    backward_pass(root, edges, grad)
    return grad


def _run(known: KnownMistake, root: Value, edges: Edges, expected: Grads) -> Mistake:
    if known is OLD_DATA:
        return _run_on_old_data(root, edges, expected)
    counted = visits_of(root, edges) if known is NOT_VISITED else {}
    for part in [_in_reach(edges, counted)] if counted else _parts(edges):
        found = _found(known, root, part)
        mistake = _first_wrong(known, expected, found, part)
        if mistake.node is not None:
            break
    else:
        return mistake
    about = {"visits": sum(counted.values()), "nodes": len(edges)}
    if known is ASSIGNED:
        about["shares"] = sum([mistake.node is x for xs in edges.values() for x, _ in xs])
    return mistake._replace(why=mistake.why.format(node=name_of(mistake.node), **about))


def _found(known: KnownMistake, root: Value, edges: Edges) -> Grads:
    """Return the gradients that the mistake leaves, after a second pass if it is about one."""
    wrong_pass = known.passes[0]
    found = run_pass(wrong_pass, root, edges)
    if known is INTERIOR_KEPT:
        zero_leaves(edges, found)
    if known in (INTERIOR_KEPT, NO_ZERO_GRAD):
        wrong_pass(root, edges, found)
    return found


def _parts(edges: Edges) -> list[Edges]:
    """Yield the nodes next to the root, where most mistakes show already, then all of them."""
    start = dict(islice(edges.items(), _START))
    return [_closed(start), edges] if len(edges) > _START else [edges]


def _closed(part: Edges) -> Edges:
    """Cut the edges to other nodes: the gradients of these nodes stay the same."""
    return {node: [edge for edge in part[node] if edge[0] in part] for node in part}


def _in_reach(edges: Edges, counted: dict[Value, int]) -> Edges:
    """Return the first nodes that together take at most MANY_VISITS."""
    part: Edges = {}
    taken = 0
    for node in edges:
        taken += counted[node]
        if taken > MANY_VISITS:
            break
        part[node] = edges[node]
    return _closed(part)


def _run_on_old_data(root: Value, edges: Edges, grad: Grads) -> Mistake:
    leaves = [node for node in edges if not node.parents]
    moved = [leaf.data - _RATE * grad[leaf] for leaf in leaves]
    try:
        new = Reevaluation(root, leaves).everything(moved)
        old = {**{node: node.data for node in new}, **dict(zip(leaves, moved))}
        for part in _parts(edges):
            expected = run_pass(right, root, _edges_on(part, new))
            found = run_pass(right, root, _edges_on(part, old))
            mistake = _first_wrong(OLD_DATA, expected, found, part)
            if mistake.node is not None:
                return mistake._replace(why=mistake.why.format(node=name_of(mistake.node)))
    except (TypeError, *ARITHMETIC_ERRORS) as error:
        return Mistake(OLD_DATA.name, None, None, None, f"cannot be tried here: {error}")
    return mistake


def _edges_on(edges: Edges, data: dict[Value, float]) -> Edges:
    """Return the edges with local derivatives on other data; operations made all nodes."""
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
    known: KnownMistake, expected: Grads, found: Grads, nodes: Iterable[Value]
) -> Mistake:
    rounding = 1e-12 * max(map(abs, expected.values()))
    for node in nodes:
        wrong, right_one = found[node], expected[node]
        if not math.isclose(wrong, right_one, rel_tol=1e-9, abs_tol=rounding) and not (
            math.isnan(wrong) and math.isnan(right_one)
        ):
            return Mistake(known.name, node, wrong, right_one, known.why)
    return Mistake(known.name, None, None, None, f"no difference here: {known.hidden}")
