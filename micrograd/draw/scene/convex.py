"""Split groups of a graph until no path leaves one and comes back: then no arrows lead both ways.

A module called twice in a row is such a group: what lies between the calls depends on the first and
is used by the second. Nodes are numbered in an order in which operands come first.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence

LEAVES = -1  # the piece of leaves that several pieces use

Operands = Sequence[Sequence[int]]


def convex_pieces(operands: Operands, groups: Sequence[int | None]) -> list[int]:
    """Return the piece of its group that each node belongs to, such that all pieces are convex.

    Contracting every piece to one node leaves a graph without cycles. A group that is convex
    already is one piece, 0; leaves used by several pieces of a group are a piece of their own.

    >>> f_g_f = [[], [0], [1], [2]]  # x, f(x), g(f(x)), f(g(f(x)))
    >>> convex_pieces(f_g_f, [None, 0, None, 0])
    [0, 0, 0, 1]
    """
    count = len(groups)
    unit = [i if group is None else count + group for i, group in enumerate(groups)]
    pieces = [0] * count
    tangled = _tangled(operands, unit)
    if not tangled:
        return pieces
    leaves = [i for i in range(count) if unit[i] in tangled and not operands[i]]
    for i in leaves:
        unit[i] = i
    tangled = _tangled(operands, unit)
    region = [i for i in range(count) if unit[i] in tangled]
    members: dict[int, list[int]] = {}
    for i in region:
        group = groups[i]
        if group is not None:
            members.setdefault(group, []).append(i)
            unit[i] = i
    free = 2 * count  # the next unused name of a unit
    for inside in members.values():
        levels = _levels(operands, unit, region, set(inside))
        for i in inside:
            pieces[i] = levels[i]
        for i in inside:
            unit[i] = free + pieces[i]
        free += 1 + max(pieces[i] for i in inside)
    _place_leaves(operands, groups, leaves, pieces)
    return pieces


def topological(before: Mapping[int, Iterable[int]]) -> list[int]:
    """Order what depends on each other, the lowest first; leave out cycles and what is behind them.

    >>> topological({2: [1], 1: [], 3: [4], 4: [3]})
    [1, 2]
    """
    after: dict[int, list[int]] = {node: [] for node in before}
    waiting = {}
    for node, needed in before.items():
        waiting[node] = 0
        for other in needed:
            after[other].append(node)
            waiting[node] += 1
    ready = sorted(node for node in before if not waiting[node])  # a heap
    order = []
    while ready:
        order.append(heapq.heappop(ready))
        for other in after[order[-1]]:
            waiting[other] -= 1
            if not waiting[other]:
                heapq.heappush(ready, other)
    return order


def quotient(
    operands: Operands, unit: Sequence[int], nodes: Sequence[int] | None = None
) -> dict[int, set[int]]:
    """Return the other units that each unit uses directly; only those of some nodes, if given.

    >>> quotient([[], [0], [0, 1]], [5, 5, 6])
    {5: set(), 6: {5}}
    """
    nodes = range(len(unit)) if nodes is None else nodes
    before: dict[int, set[int]] = {unit[i]: set() for i in nodes}
    for i in nodes:
        mine = unit[i]
        for x in operands[i]:
            other = unit[x]
            if other != mine and other in before:
                before[mine].add(other)
    return before


def _tangled(operands: Operands, unit: Sequence[int]) -> set[int]:
    """Return the units on cycles, and between them."""
    before = quotient(operands, unit)
    left = before.keys() - topological(before)
    users: dict[int, list[int]] = {u: [] for u in left}
    for u in left:
        for x in before[u]:
            if x in left:
                users[x].append(u)
    return left - set(topological(users))


def _levels(
    operands: Operands, unit: Sequence[int], region: Sequence[int], inside: set[int]
) -> dict[int, int]:
    """Count how often a path to each node has left the nodes `inside` and come back.

    A node that only these use counts as often as the first of its users, which it is made for.
    """
    before = quotient(operands, unit, region)
    order = topological(before)
    level: dict[int, int] = {}
    users: dict[int, list[int]] = {u: [] for u in order}
    for u in order:
        here = u in inside
        level[u] = max((level[x] + (x in inside and not here) for x in before[u]), default=0)
        for x in before[u]:
            users[x].append(u)
    for u in reversed(order):
        if u in inside and users[u] and inside.issuperset(users[u]):
            level[u] = min(level[x] for x in users[u])
    return level


def _place_leaves(
    operands: Operands, groups: Sequence[int | None], leaves: Iterable[int], pieces: list[int]
) -> None:
    """Put a leaf into the piece of its group that alone uses it, else among the shared leaves."""
    users: dict[int, set[int | None]] = {i: set() for i in leaves}
    for i, needed in enumerate(operands):
        for x in needed:
            if x in users:
                users[x].add(pieces[i] if groups[i] == groups[x] else None)
    for leaf, found in users.items():
        (only,) = found if len(found) == 1 else (None,)
        pieces[leaf] = LEAVES if only is None else only
