"""Lifting: many scalars of one kind become one array, many scalar operations one matrix equation.

The running example is a layer of a multi-layer perceptron, two neurons that see x0, x1, x2:

    z0 = b0 + w00 x0 + w01 x1 + w02 x2        a0 = tanh(z0)
    z1 = b1 + w10 x0 + w11 x1 + w12 x2        a1 = tanh(z1)

1. Flatten (sums.py). The tape has seven nodes for z0: `+` and `*`. They become one sum with
   four terms: one of a single factor, three of two.
2. Key. Every node gets a key that says what it is made of, in terms of groups: leaves of one
   origin are a group (the x; the parameters that are called w[...], those called b), and nodes of
   one key are a group. A term's type is its sign and the groups of its factors, the key of a sum
   which types it has. z0 and z1 both are {(b), (w x)}: one group, Z. So a0 and a1 are tanh of a
   member of Z: one group, A. A network of any width has the same groups, and so have sequences of
   any length: the members of a group may have unlike numbers of terms, see keys.py.
3. Order. Within a group, members are numbered by the positions of their operands: z0 before z1,
   since w00 stands before w10. Terms within a sum are sorted likewise. (lifted.py)
4. Regularity. The operands of all members are now tables of positions: for the terms (w x)
       w: 0 1 2 / 3 4 5        x: 0 1 2 / 0 1 2        (a line for z0, a line for z1)
   Each table is taken apart into a part for the member and a part for the term, each of these
   into nested runs of equal steps. w moves 3 per member and 1 per term, x 0 and 1: both are
   strided views, nothing is gathered, and the pattern is that of a matrix product, W X.
   Where no steps are found, positions are gathered into an array of their own (operands.py).
5. The reverse pass (reverse.py) goes back from group to group. What arrives at a member of Z is a
   sum of products too, of what arrived at its consumers and of what these multiply it by; keyed by
   the same rules, these are a group: delta, the adjoints of Z. The gradient of w01 is the sum over
   examples of delta0 x1; all of these are one group, with operands
       delta: 0 0 0 1 1 1      x: 0 1 2 0 1 2
   which is the outer grid of both: the product delta X' over examples. And x's own adjoint, if
   a layer stands below, is w0i delta0 + w1i delta1: the product W' delta.

What has no such pattern still runs member by member, each operation on all examples at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any

from micrograd.ops import Op

PARAMETERS, CONSTANTS, INPUT = "parameters", "constants", "input"
SAME = "same"  # what stands where its operands do


class Terms:
    """All terms of one type in a group: their factors, as nodes while the group may still grow.

    `counts` are the numbers of terms of the members, in the end only where these are unlike.
    """

    __slots__ = ("_positions", "counts", "flat", "gathered", "groups", "position", "sign")

    def __init__(self, sign: int, groups: tuple[int, ...], position: Any = None) -> None:
        self.sign: int = sign
        self.groups: tuple[int, ...] = groups
        self.flat: list[int] = []  # the nodes, kept for a single term only
        self.counts: Any = []
        self.gathered: Mapping[int, int] = {}  # the storages of factors that had to be gathered
        self.position: Any = position  # of all nodes
        self._positions: Any = None

    @property
    def positions(self) -> Any:
        """An array of shape (members, terms, factors); shorter members repeat their last term."""
        if self._positions is None:
            self._positions = self.position.take(self.flat).reshape(1, 1, -1)
        return self._positions

    @positions.setter
    def positions(self, positions: Any) -> None:
        self._positions = positions

    def tables(self) -> list[Any]:
        """Return the positions of each factor, by member and term."""
        return [self.positions[:, :, f] for f in range(len(self.groups))]

    def only(self, chosen: Any) -> Terms:
        """Return a copy with the terms of some of the members."""
        part = copy(self)
        part.positions = self.positions[chosen]
        part.counts = None if self.counts is None else self.counts[chosen]
        return part


class Group:
    """Nodes of one kind: leaves of one origin, one row of the table, or sums of one form."""

    __slots__ = (
        *("gradient", "index", "kind", "members", "name", "op", "single", "summed", "terms"),
        "varies",
    )

    def __init__(self, index: int, kind: str, op: Op | None, varies: bool, summed: bool) -> None:
        self.index = index
        self.kind = kind  # PARAMETERS, CONSTANTS, INPUT, "row", "sum" or SAME
        self.op = op  # the row; how the terms of a sum are combined
        self.varies = varies
        self.summed = summed  # over the examples
        self.name = ""  # of an argument, or the pattern of the parameters' names
        self.gradient = False  # whether its members are the gradients of parameters
        self.single = False  # whether there is one member, with one term of each type
        self.members: list[int] = []
        self.terms: list[Terms] = []

    def only(self, chosen: Sequence[int]) -> Group:
        """Return a copy with some of the members."""
        part = copy(self)
        part.members = [self.members[i] for i in chosen]
        part.terms = [terms.only(chosen) for terms in self.terms]
        return part
