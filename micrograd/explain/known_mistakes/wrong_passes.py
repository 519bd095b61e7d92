"""Well-known wrong backward passes, run beside the right one.

Each is a few lines of its own over the edges of a graph, in the order of the right pass. `grad`
holds what earlier passes have left in the nodes. The graph itself is never changed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from micrograd import ops
from micrograd.engine import Value
from micrograd.graph.steps import backward_steps
from micrograd.value.identity import IdentityDict, IdentitySet

# For each node, its operands with the local derivatives. A node comes after all its consumers.
Edges = IdentityDict[Value, list[tuple[Value, float]]]


class Grads(IdentityDict[Value, float]):
    """The gradients of Values, 0 at first."""

    __slots__ = ()

    def __getitem__(self, v: Value) -> float:
        return super().__getitem__(v) if v in self else 0.0


Pass = Callable[[Value, Edges, Grads], None]


def right(root: Value, edges: Edges, grad: Grads) -> None:
    """Apply the chain rule: leaves add to what they hold, other nodes start at 0."""
    reset_interior(root, edges, grad)
    pass_on(edges, edges, grad)


def pass_on(nodes: Iterable[Value], edges: Edges, grad: Grads) -> None:
    """Let each of these nodes, in this order, add its shares to its operands."""
    for node in nodes:
        arrived = grad[node]
        for operand, slope in edges[node]:
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
    queue, met = deque([root]), IdentitySet([root])
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
    stack, visited = [root], IdentitySet[Value]()
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
        for operand, slope in IdentityDict(reversed(operands)).items():  # each once
            grad[operand] += slope * arrived


def interior_grads_kept(root: Value, edges: Edges, grad: Grads) -> None:
    """Let interior nodes keep what the last pass has left in them."""
    grad[root] = 1.0
    pass_on(edges, edges, grad)


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


# Running one ------------------------------------------------------------------------------------

MANY_VISITS = 100_000  # of a recursion without a visited mark; beyond these it is stopped
_COUNTED = 10**15  # visits beyond this are not counted


def edges_of(root: Value) -> Edges:
    """Return the edges of a graph in the order of `backward()`, the leaves last."""
    steps = backward_steps(root)
    edges: Edges = IdentityDict((v, []) for v in (root, *[step.consumer for step in steps]))
    for step in steps:
        slope = step.local
        if slope is None:  # a _backward assigned by hand tells only what it adds
            slope = step.product / step.upstream if step.upstream else 0.0
        edges[step.consumer].append((step.operand, slope))
        edges.setdefault(step.operand, [])
    return edges


def visits_of(root: Value, edges: Edges) -> IdentityDict[Value, int]:
    """Count the visits of a recursion without a visited mark: the paths to each node."""
    counted = IdentityDict((v, 0) for v in edges)
    counted[root] = 1
    for node in edges:
        for operand, _ in edges[node]:
            counted[operand] = min(counted[operand] + counted[node], _COUNTED)
    return counted


def run_pass(backward_pass: Pass, root: Value, edges: Edges) -> Grads:
    """Return the gradients that a pass leaves if all were 0 before."""
    grad = Grads()
    backward_pass(root, edges, grad)
    return grad
