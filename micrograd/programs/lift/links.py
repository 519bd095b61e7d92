"""The nodes of a tape in arrays: what they are, what they are made of, and what they go into.

A node that goes into another has that as its parent; a root is its own. Pointers to ancestors are
doubled, so that the longest chain takes a few passes over the arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd.ops import Op
from micrograd.programs.trace.tape import Tape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


class Links:
    """What the nodes of a tape are made of; `same` says which nodes stand for which.

    `operands` are those of one node after the other; `left` and `right` the first of each node and
    the last, of leaves anything.
    """

    def __init__(self, tape: Tape, same: Sequence[int]) -> None:
        self.count: int = len(tape.ops)
        self.varies: Array = np.array(tape.varies, bool)
        self._ids = ids(tape)
        self._tape, self._same = tape, same
        self._lengths = np.fromiter(map(len, tape.operands), int, self.count)
        ends = self._lengths.cumsum()
        flat = np.fromiter(chain.from_iterable(tape.operands), int, int(self._lengths.sum()))
        self._operands = np.array(same, int)[flat]
        padded = np.append(self._operands, 0)
        self.left: Array = padded[ends - self._lengths]
        self.right: Array = padded[ends - 1]

    def are(self, kinds: Iterable[Op]) -> Array:
        """Return which nodes are of these operations."""
        return are(self._ids, kinds)

    def among(self, nodes: Iterable[int]) -> Array:
        """Return which nodes are some of these."""
        found = np.zeros(self.count, bool)
        found[list(nodes)] = True
        return found

    def reads(self, consumers: Array) -> Array:
        """Count how often each node is an operand of some consumers."""
        chosen = np.repeat(consumers, self._lengths)
        return np.bincount(self._operands[chosen], minlength=self.count)

    def uses(self, roots: Sequence[int]) -> Array:
        """Count how often each node is used, by the roots and by what these are made of."""
        counted = self._lengths > 0
        uses = self.reads(counted)
        np.add.at(uses, roots, 1)
        operands, same = self._tape.operands, self._same
        return released(uses, counted, lambda i: [same[x] for x in operands[i]])


def ids(tape: Tape) -> Array:
    """Return what tells the operations of a tape apart."""
    return np.fromiter(map(id, tape.ops), np.uint64, len(tape.ops))


def are(found: Array, kinds: Iterable[Op]) -> Array:
    """Return which are those of these operations."""
    which: Array = np.isin(found, np.array([id(op) for op in kinds], np.uint64))
    return which


def released(uses: Array, counted: Array, operands: Callable[[int], Iterable[int]]) -> Array:
    """Return the uses without those by nodes that have none; `counted` says which count."""
    dead = np.flatnonzero(counted & (uses == 0)).tolist()
    if not dead:
        return uses
    left: list[int] = uses.tolist()
    while dead:
        for x in operands(dead.pop()):
            left[x] -= 1
            if not left[x]:
                dead.append(x)
    return np.array(left)


def handed_up(marks: Array, parents: Array) -> Array:
    """Return which nodes are marked, or above one that is."""
    marks = marks.copy()
    for ancestors in _ascents(parents):
        marks[ancestors[marks]] = True
    return marks


def roots_of(parents: Array, signs: Array) -> tuple[Array, Array]:
    """Return the root above each node, and the product of the signs on the way; a root's is 1."""
    for ancestors in _ascents(parents):
        signs = signs * signs[ancestors]
    return ancestors, signs


def _ascents(parents: Array) -> Iterator[Array]:
    """Yield each node's parent, then the ancestors at twice the distance, up to the root."""
    while True:
        yield parents
        further = parents[parents]
        if (further == parents).all():
            return
        parents = further
