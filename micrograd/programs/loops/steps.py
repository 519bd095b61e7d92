"""Where a step ends: which of its nodes are done some steps earlier, so that less is handed on.

Layers hand on activations, all of one kind; but as nodes were traced, or as late as may be, one
row of a layer may be done before another is begun. So each kind of node is tried: if all of it is
handed on, and nothing else, it follows for every node to which step it belongs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

# A place in the step, that of an operand, and how many steps it is back.
Edge = tuple[int, int, int]


def least_handed_on(kinds: Sequence[int], plain: Collection[int], edges: Sequence[Edge]) -> Column:
    """Return how many steps earlier each place of a step is done.

    `kinds` are operations, `plain` those of arithmetic: rather what is made of them is handed on.
    """
    best = np.zeros(len(kinds), int)
    handed = {source for _, source, back in edges if back}
    least = len(handed) + all(kinds[source] in plain for source in handed)
    for ends in _alike(kinds, edges):
        if len(ends) + (kinds[min(ends)] in plain) < least:
            earlier = _earlier(len(kinds), edges, ends)
            if earlier is not None:
                best, least = earlier, len(ends) + (kinds[min(ends)] in plain)
    return best


def _alike(kinds: Sequence[int], edges: Sequence[Edge]) -> Iterable[set[int]]:
    """Return sets of places of one operation, with operands and consumers of the same ones."""
    near: list[list[tuple[int, int]]] = [[] for _ in kinds]
    for place, source, _ in edges:
        near[place].append((0, kinds[source]))
        near[source].append((1, kinds[place]))
    alike: dict[object, set[int]] = {}
    for place, kind in enumerate(kinds):
        alike.setdefault((kind, *sorted(Counter(near[place]).items())), set()).add(place)
    return alike.values()


def _earlier(count: int, edges: Sequence[Edge], ends: set[int]) -> Column | None:
    """Return how many steps earlier places are done if just these end one; None if they cannot."""
    near: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for place, source, back in edges:
        steps = back - (source in ends)
        near[place].append((source, -steps))
        near[source].append((place, steps))
    earlier: list[int | None] = [None] * count
    for start in range(count):
        if earlier[start] is not None:
            continue
        earlier[start] = 0
        todo = [start]
        while todo:
            here = todo.pop()
            known = earlier[here]
            assert known is not None
            for other, steps in near[here]:
                if earlier[other] is None:
                    earlier[other] = known + steps
                    todo.append(other)
                elif earlier[other] != known + steps:
                    return None
    return np.array(earlier)
