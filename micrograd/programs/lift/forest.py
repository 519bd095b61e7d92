"""The trees that chains of `+`, `-` and `*` are, and the terms at their leaves, in arrays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd import ops
from micrograd.programs.lift.links import Links, handed_up, roots_of
from micrograd.programs.trace.tape import Tape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

SUMS = (ops.add, ops.subtract, ops.negative)


def is_square(tape: Tape, i: int) -> bool:
    """Return whether a node is a product with itself."""
    op = tape.ops[i]
    if op is not ops.multiply and op is not ops.power:
        return False
    x, y = tape.operands[i]
    return x == y if op is ops.multiply else tape.constants.get(y) == 2


class Leaves(NamedTuple):
    """Terms: the sum that each belongs to, its place there, its sign, and its factors.

    The second factor is -1 where there is none.
    """

    owners: Array
    places: Array
    signs: Array
    left: Array
    right: Array

    def reads(self, count: int) -> Array:
        """Count how often each of so many nodes is a factor."""
        factors = np.concatenate([self.left, self.right])
        return np.bincount(factors[factors >= 0], minlength=count)

    def chosen(self, which: Array) -> Leaves:
        """Return some of them, or all in another order."""
        return Leaves(*[column[which] for column in self])


class Forest:
    """Which sums and products go into their only consumers, as `parents`; `is_sum` are all of them.

    Those that are `written` out have terms of their own, and neither go anywhere nor take in any.
    """

    def __init__(self, tape: Tape, links: Links, uses: Array, written: Iterable[int]) -> None:
        self._links = links
        constants = tape.constants
        zeros = links.among(i for i, number in constants.items() if number == 0)
        twos = links.among(i for i, number in constants.items() if number == 2)
        self._weights = ~links.varies & ~links.among(constants)
        used = uses > 0
        self._squares = used & links.are([ops.power]) & twos[links.right]
        self._products = used & (links.are([ops.multiply]) | self._squares)
        self._negatives = used & links.are([ops.negative])
        self._written = links.among(written)
        self._adders = used & links.are(SUMS) & ~self._written
        # Python's sum() begins with 0 + x.
        self._open = self._adders & links.are([ops.add]) & zeros[links.left]
        self.is_sum: Array = self._products | self._adders
        self._may_go = self.is_sum & (uses == 1)
        self.parents: Array = np.arange(links.count)
        self._signs = np.ones(links.count, int)  # with which a node goes into its parent
        self._places = 2 * self.parents  # the order in which terms were written down
        for operands, side, others in self._sides():
            self._go_in(operands, side, others)
        self._factor_signs, self._factors = self._without_signs()
        self._cut()

    def _sides(self) -> list[tuple[Array, int, Array]]:
        """Return the left operands and the right: the side, and which nodes have one there."""
        links = self._links
        return [
            (links.left, 0, self._adders & ~self._open),
            (links.right, 1, self._adders & ~self._negatives),
        ]

    def _go_in(self, operands: Array, side: int, consumers: Array) -> None:
        varies = self._links.varies
        parents = np.flatnonzero(consumers)
        nodes = operands[parents]
        # What is shared by all examples stays a node of its own, to be computed once.
        goes = self._may_go[nodes] & (varies[nodes] == varies[parents])
        nodes, parents = nodes[goes], parents[goes]
        self.parents[nodes] = parents
        self._places[nodes] = 2 * parents + side
        self._signs[nodes] = self._sign_at(side)[parents]

    def _sign_at(self, side: int) -> Array:
        """Return the signs with which sums take in their operands on one side."""
        minus = self._links.are([ops.subtract]) if side else self._negatives
        return np.where(minus, -1, 1)

    def _without_signs(self) -> tuple[Array, Array]:
        """Return each node as a sign and the node that has it: of `-y`, that is y."""
        left, parents, places = self._links.left, self.parents, self._places
        signs, nodes = np.ones(len(left), int), np.arange(len(left))
        negatives = np.flatnonzero(self._negatives).tolist()
        for i in negatives:
            x = left[i]
            if parents[x] != i:
                signs[i], nodes[i] = -1, x
            elif nodes[x] != x:
                signs[i], nodes[i] = -signs[x], nodes[x]
        for i in reversed(negatives):
            if parents[left[i]] == i and parents[i] != i:
                places[left[i]] = places[i]
        return signs, nodes

    def _cut(self) -> None:
        """End sums that multiply parameters where something else than such products is added."""
        links, parents = self._links, self.parents
        weights = self._weights[self._factors]
        dense = self._products & links.varies & (weights[links.left] | weights[links.right])
        others = links.varies & ((self._products & ~dense) | self._written)
        for operands, _, consumers in self._sides():
            alone = consumers & (parents[operands] != np.arange(len(parents)))
            others |= alone & links.varies[operands]
        dense, others = handed_up(dense, parents), handed_up(others, parents)
        end = dense & ~others & others[parents]
        parents[end] = np.flatnonzero(end)
        self._signs[end] = 1

    # Terms -------------------------------------------------------------------------------------

    def leaves(self) -> Leaves:
        """Return the terms of all sums that go nowhere, in order."""
        roots, signs = roots_of(self.parents, self._signs)
        found = [self._of_products(), *[self._alone(*side) for side in self._sides()]]
        leaves = Leaves(*map(np.concatenate, zip(*found)))
        leaves = leaves._replace(
            owners=roots[leaves.owners], signs=leaves.signs * signs[leaves.owners]
        )
        return leaves.chosen(np.lexsort((leaves.places, leaves.owners)))

    def is_open(self) -> Array:
        """Return which nodes were written with `sum()`."""
        return handed_up(self._open, self.parents)

    def _of_products(self) -> Leaves:
        nodes = np.flatnonzero(self._products)
        left, right = self._links.left[nodes], self._links.right[nodes]
        squares = self._squares[nodes]
        right = np.where(squares, left, right)
        signs = np.where(squares, 1, self._factor_signs[left] * self._factor_signs[right])
        factors = [np.where(squares, x, self._factors[x]) for x in (left, right)]
        return Leaves(nodes, self._places[nodes], signs, *factors)

    def _alone(self, operands: Array, side: int, consumers: Array) -> Leaves:
        """Return the operands that are terms by themselves."""
        owners = np.flatnonzero(consumers)
        owners = owners[self.parents[operands[owners]] != owners]
        nodes = operands[owners]
        plain = self._negatives[owners]  # whose operand keeps its sign
        signs = self._sign_at(side)[owners] * np.where(plain, 1, self._factor_signs[nodes])
        places = np.where(plain, self._places[owners], 2 * owners + side)
        nodes = np.where(plain, nodes, self._factors[nodes])
        return Leaves(owners, places, signs, nodes, np.full(len(nodes), -1))
