"""Keys: what a node is made of, in terms of groups; nodes of one key are one group.

Sums have one key if they have terms of the same types, however many: in a sequence, position t sums
over all before it. Where that makes little of a table, for few sums or for very unlike ones, the
numbers of terms are in the key as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

from micrograd import ops
from micrograd.engine import Value
from micrograd.ops import Op
from micrograd.programs.lift.groups import CONSTANTS, INPUT, PARAMETERS, Group, Terms
from micrograd.programs.lift.sums import Factors, Flat, Sum, Term
from micrograd.programs.trace.tape import Tape

MOST_PADDED = 2.5  # cells of a table, for each that is used
PASSES = 4  # in which unlike sums are found; then each is told apart by its number of terms


class Keys:
    """The groups of a flattened tape, and `group_of` each node; more nodes may come behind.

    `by_count` are nodes whose like are told apart by their numbers of terms; None for all nodes.
    """

    def __init__(
        self,
        tape: Tape,
        flat: Flat,
        parameters: Sequence[Value],
        patterns: Mapping[Value, str],
        by_count: set[int] | None,
    ) -> None:
        self.groups: list[Group] = []
        self.group_of: list[int] = [-1] * len(tape.ops)
        self.varies: list[bool] = [*tape.varies]
        self.places: dict[int, int] = {}  # of leaves
        self._constants = tape.constants
        self._by_count = by_count
        self._keys: dict[Any, Group] = {}
        self._told_apart: set[Any] = set()  # keys of sums, by their numbers of terms
        self._types: list[tuple[int, tuple[int, ...]]] = []  # of terms: the sign, the groups
        self._type_of: dict[tuple[int, tuple[int, ...]], int] = {}
        self._numbers = count()
        self._add_leaves(tape, parameters, patterns, set(flat.nodes))
        for i in flat.nodes:
            op, found = tape.ops[i], flat.sums[i]
            if found is not None:
                self._put(i, self._of_sum(i, found))
            elif op is not None:
                self._put(i, self._of_row(i, op, flat.operands(i)))

    def unlike(self) -> set[int]:
        """Return a node of each group of sums that are too unlike in their numbers of terms."""
        return {
            group.members[0]
            for group in self.groups
            if group.kind == "sum" and not _are_alike([terms.counts for terms in group.terms])
        }

    # Leaves ------------------------------------------------------------------------------------

    def _add_leaves(
        self,
        tape: Tape,
        parameters: Sequence[Value],
        patterns: Mapping[Value, str],
        wanted: set[int],
    ) -> None:
        """Leaves first: parameters by the pattern of their names, inputs by argument."""
        for rank, p in enumerate(parameters):
            self._add_leaf(PARAMETERS, patterns.get(p, ""), tape.parameters[p], rank)
        for rank, i in enumerate(tape.constants):
            if i in wanted:
                self._add_leaf(CONSTANTS, "", i, rank)
        for i, (name, column) in tape.inputs.items():
            if i in wanted:
                self._add_leaf(INPUT, name, i, column)

    def _add_leaf(self, kind: str, name: str, i: int, position: int) -> None:
        group = self._keys.get((kind, name))
        if group is None:
            group = self._new((kind, name), kind, None, kind == INPUT)
            group.name = name
        self._put(i, group)
        self.places[i] = position

    def add_seed(self, k: int) -> int:
        """Return a node for what arrives at the result of number `k`."""
        seed = self._node(True)
        self._add_leaf(INPUT, "", seed, k)
        return seed

    # Computed ----------------------------------------------------------------------------------

    def _node(self, varies: bool) -> int:
        """Return a node behind all others."""
        self.group_of.append(-1)
        self.varies.append(varies)
        return len(self.group_of) - 1

    def _put(self, i: int, group: Group) -> None:
        group.members.append(i)
        self.group_of[i] = group.index

    def _new(self, key: Any, kind: str, op: Op | None, varies: bool, summed: bool = False) -> Group:
        group = self._keys[key] = Group(len(self.groups), kind, op, varies, summed)
        self.groups.append(group)
        return group

    def _of_row(self, i: int, op: Op, operands: Sequence[int]) -> Group:
        groups = tuple([self.group_of[x] for x in operands])
        exponent = self._constants.get(operands[-1]) if op is ops.power else None
        key = (op, exponent, groups)
        group = self._keys.get(key)
        if group is None:
            group = self._new(key, "row", op, self.varies[i])
            group.terms = [Terms(1, groups)]
        group.terms[0].flat += operands
        return group

    def _of_sum(self, i: int, found: Sum) -> Group:
        """Find the group of a sum, put its terms down there."""
        factors = self._by_type(found.terms, found.sign)
        key: Any = (found.combine, found.is_open or len(found.terms) > 1, *sorted(factors))
        if self._by_count is None or i in self._by_count:
            self._told_apart.add(key)
        if key in self._told_apart:
            key = (key, self._counts(factors))
        return self._add_terms(i, key, found.combine, factors, False)

    def make_sums(self, sums: Sequence[list[Term]], summed: bool) -> list[int]:
        """Return nodes that hold these sums: for one factor alone, the factor itself.

        Sums of unlike length are one group here, too, and then a factor alone is such a sum.
        """
        if len(sums) == 1:
            return [self._make_sum(sums[0], self._by_type(sums[0], 1), summed)]
        factors = [self._by_type(terms, 1) for terms in sums]
        alike: dict[tuple[int, ...], list[int]] = {}
        for k, of_type in enumerate(factors):
            alike.setdefault(tuple(sorted(of_type)), []).append(k)
        nodes = [-1] * len(sums)
        for chosen in alike.values():
            counts = [self._counts(factors[k]) for k in chosen]
            ragged = len(set(counts)) > 1 and _are_alike([*zip(*counts)])
            group = next(self._numbers) if ragged else None
            for k in chosen:
                nodes[k] = self._make_sum(sums[k], factors[k], summed, group)
        return nodes

    def _make_sum(
        self,
        terms: Sequence[Term],
        factors: Mapping[int, list[int]],
        summed: bool,
        ragged: int | None = None,
    ) -> int:
        """Return a node for a sum; `ragged` is the number of a group of unlike lengths."""
        [(sign, own), *others] = terms
        if ragged is None and not summed and not others and sign > 0 and len(own) == 1:
            return own[0]
        key = (summed, *sorted(factors), self._counts(factors) if ragged is None else ragged)
        node = self._node(not summed and self._vary(factors))
        self._put(node, self._add_terms(node, key, ops.add, factors, summed))
        return node

    def _vary(self, types: Iterable[int]) -> bool:
        return any(self.groups[g].varies for t in types for g in self._types[t][1])

    def _add_terms(
        self, i: int, key: Any, combine: Op, factors: Mapping[int, list[int]], summed: bool
    ) -> Group:
        group = self._keys.get(key)
        types = sorted(factors)
        if group is None:
            group = self._new(key, "sum", combine, self.varies[i], summed)
            group.terms = [Terms(*self._types[t]) for t in types]
        for terms, t in zip(group.terms, types):
            terms.flat += factors[t]
            terms.counts.append(len(factors[t]) // len(terms.groups))
        return group

    def _counts(self, factors: Mapping[int, list[int]]) -> tuple[int, ...]:
        """Return how many terms there are of each type."""
        return tuple([len(factors[t]) // len(self._types[t][1]) for t in sorted(factors)])

    def _by_type(self, terms: Sequence[Term], sign: int) -> dict[int, list[int]]:
        """Return the factors of all terms by type, within each term sorted by group."""
        factors: dict[int, list[int]] = {}
        for own_sign, nodes in terms:
            nodes, groups = self._by_group(nodes)
            written = own_sign * sign, groups
            t = self._type_of.get(written)
            if t is None:
                t = self._type_of[written] = len(self._types)
                self._types.append(written)
            if t in factors:
                factors[t] += nodes
            else:
                factors[t] = [*nodes]
        return factors

    def _by_group(self, factors: Factors) -> tuple[Factors, tuple[int, ...]]:
        """Return the factors of a term, sorted by group, and their groups."""
        if len(factors) == 1:
            return factors, (self.group_of[factors[0]],)
        x, y = factors
        g, h = self.group_of[x], self.group_of[y]
        return (factors, (g, h)) if g <= h else ((y, x), (h, g))


def _are_alike(counts: Sequence[Sequence[int]]) -> bool:
    """Return whether sums make a table; `counts` are their numbers of terms, for each type."""
    different = max(len(set(of_type)) for of_type in counts)
    members = len(counts[0])
    if different == 1:
        return True
    if different == 2 and members < 4:
        return False
    return all(max(c) * members <= MOST_PADDED * sum(c) for c in counts)
