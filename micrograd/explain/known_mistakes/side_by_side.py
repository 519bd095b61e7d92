"""Run well-known mistakes beside the right backward pass, and show where each goes wrong first."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from micrograd.engine import Value
from micrograd.explain.known_mistakes.wrong_passes import (
    ASSIGNED,
    INTERIOR_KEPT,
    KNOWN_MISTAKES,
    MANY_VISITS,
    NO_ZERO_GRAD,
    NOT_VISITED,
    OLD_DATA,
    Edges,
    Grads,
    KnownMistake,
    edges_of,
    right,
    run_pass,
    visits_of,
)
from micrograd.explain.names import name_of
from micrograd.explain.what_if.reevaluate import Reevaluation
from micrograd.native.gc_pause import uncollected
from micrograd.value.errors import ARITHMETIC_ERRORS
from micrograd.value.identity import IdentityDict
from micrograd.value.words.calls import called_as
from micrograd.value.words.tables import Cell, Table

if TYPE_CHECKING:
    from micrograd.explain.course.textbook import Deltas

_RATE = 0.1  # of the update after which the data are old
_SHOWN = 9  # mistakes in a table
_START = 1000  # nodes that are tried first


class Mistake(NamedTuple):
    """The effect of a wrong pass on a graph: the first node where it goes wrong."""

    name: str
    node: Value | None  # None if it makes no difference here
    wrong: float | None
    right: float | None
    why: str
    weight: str = ""  # of a network of the course, in place of a node


class Mistakes:
    """The result of `mistakes`: `.data`, a Mistake for each well-known one.

    It shows those that make a difference here.
    """

    data: list[Mistake]
    title: str

    def __init__(self, title: str, data: list[Mistake]) -> None:
        self.title, self.data = title, data

    def table(self) -> Table:
        """Lay out the mistakes that make a difference."""
        rows: list[list[Cell]] = [
            [m.name, name_of(m.node) if m.node else m.weight, m.wrong, m.right, m.why]
            for m in self.data
            if m.wrong is not None and m.right is not None
        ]
        title = self.title
        if len(rows) > _SHOWN:
            title += f" ({_SHOWN} of {len(rows)}; all are in .data)"
        elif not rows:
            title += ": none of them makes a difference here"
        header = ["mistake", "goes wrong first at", "its gradient then", "the right one", "why"]
        return Table(title, header, rows[:_SHOWN])

    def __str__(self) -> str:
        return self.table().text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table().html()


@uncollected()
@called_as("mistakes(loss), for the Value at the end of a graph")
def mistakes(root: Value | Deltas) -> Mistakes:
    """Run well-known wrong backward passes from `root` beside the right one, on copies.

    For each: the first node where it goes wrong, both numbers, and why; or why this graph does
    not show it. Mistakes about a second pass run two. If `root` is what `deltas` returned, they are
    the usual mistakes in the course's algorithm, and the weight where each is furthest off. No data
    or grad changes. Raises TypeError if `root` is neither, and what `backward()` raises.

    >>> a = Value(3.0, label="a")
    >>> for mistake in mistakes(a + a).data[1:3]:
    ...     print(mistake.name, mistake.node.label, mistake.wrong, mistake.right)
    = for += a 1.0 2.0
    operands in a set a 1.0 2.0
    """
    if isinstance(root, Value):
        edges = edges_of(root)
        expected = run_pass(right, root, edges)
        title = f"Well-known mistakes in the backward pass from {name_of(root)}"
        return Mistakes(title, [_run(m, root, edges, expected) for m in KNOWN_MISTAKES])
    from micrograd.explain.course.textbook import Deltas  # with NumPy, when it is needed
    from micrograd.explain.known_mistakes.gradient_check import course_mistakes

    if not isinstance(root, Deltas):
        raise TypeError(f"mistakes: a recorded Value is needed, the output, got {root!r}")
    found = [
        Mistake(name, None, wrong, right, why, weight)
        for name, weight, wrong, right, why in course_mistakes(root)
    ]
    return Mistakes("The usual mistakes in the course's algorithm, on this network", found)


def _run(known: KnownMistake, root: Value, edges: Edges, expected: Grads) -> Mistake:
    if known is OLD_DATA:
        return _run_on_old_data(root, edges, expected)
    counted = visits_of(root, edges) if known is NOT_VISITED else IdentityDict[Value, int]()
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
    start = Edges(islice(edges.items(), _START))
    return [_closed(start), edges] if len(edges) > _START else [edges]


def _closed(part: Edges) -> Edges:
    """Cut the edges to other nodes: the gradients of these nodes stay the same."""
    return Edges((node, [edge for edge in part[node] if edge[0] in part]) for node in part)


def _in_reach(edges: Edges, counted: IdentityDict[Value, int]) -> Edges:
    """Return the first nodes that together take at most MANY_VISITS."""
    part = Edges()
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
        old = IdentityDict((node, node.data) for node in new)
        old.update(zip(leaves, moved))
        for part in _parts(edges):
            expected = run_pass(right, root, _edges_on(part, new))
            found = run_pass(right, root, _edges_on(part, old))
            mistake = _first_wrong(OLD_DATA, expected, found, part)
            if mistake.node is not None:
                return mistake._replace(why=mistake.why.format(node=name_of(mistake.node)))
    except (TypeError, *ARITHMETIC_ERRORS) as error:
        return Mistake(OLD_DATA.name, None, None, None, f"cannot be tried here: {error}")
    return mistake


def _edges_on(edges: Edges, data: IdentityDict[Value, float]) -> Edges:
    """Return the edges with local derivatives on other data; operations made all nodes."""
    found = Edges()
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
