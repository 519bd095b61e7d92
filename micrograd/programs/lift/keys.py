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
from micrograd.programs.lift.sums import Flat, Sum, Term
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
        self._type_of: dict[int, int] = {}  # by sign and groups, as one number
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

    def add_seed(self, name: str, k: int) -> int:
        """Return a node for what arrives at a result, element `k` of an array."""
        seed = self._node(True)
        self._add_leaf(INPUT, name, seed, k)
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
        factors = self._by_type(found.terms)
        types = _sorted(factors)
        key: Any = (found.combine, found.is_open or len(found.terms) > 1, *types)
        if self._by_count is None or i in self._by_count:
            self._told_apart.add(key)
        if key in self._told_apart:
            key = (key, self._counts(types, factors))
        group = self._group_of_sums(key, found.combine, types, self.varies[i], False)
        self._add_terms(group, types, [factors])
        return group

    def make_sums(self, sums: Sequence[list[Term]], summed: bool) -> list[int]:
        """Return nodes that hold these sums: for one factor alone, the factor itself.

        Sums of unlike length are one group here, too, and then a factor alone is such a sum.
        """
        factors = [self._by_type(terms) for terms in sums]
        alike: dict[tuple[int, ...], list[int]] = {}
        for k, of_type in enumerate(factors):
            alike.setdefault(_sorted(of_type), []).append(k)
        nodes = [-1] * len(sums)
        for types, chosen in alike.items():
            by_counts: dict[Any, list[int]] = {}
            for k in chosen:
                by_counts.setdefault(self._counts(types, factors[k]), []).append(k)
            if len(by_counts) > 1:
                counts = [c for c, of_count in by_counts.items() for _ in of_count]
                if _are_alike([*zip(*counts)]):
                    by_counts = {next(self._numbers): chosen}  # a group of unlike lengths
            for key, own in by_counts.items():
                for k, node in zip(
                    own, self._make_alike(types, key, [factors[k] for k in own], summed)
                ):
                    nodes[k] = node
        return nodes

    def _make_alike(
        self, types: tuple[int, ...], counts: Any, factors: list[dict[int, list[int]]], summed: bool
    ) -> Iterable[int]:
        """Return nodes for sums of one group, which their types of terms and `counts` tell."""
        sign, groups = self._types[types[0]]
        if counts == (1,) and len(groups) == 1 and sign > 0 and not summed:
            return [of_type[types[0]][0] for of_type in factors]
        varies = not summed and self._vary(types)
        group = self._group_of_sums((summed, *types, counts), ops.add, types, varies, summed)
        nodes = range(len(self.group_of), len(self.group_of) + len(factors))
        self.group_of += [group.index] * len(factors)
        self.varies += [varies] * len(factors)
        group.members += nodes
        self._add_terms(group, types, factors)
        return nodes

    def _vary(self, types: Iterable[int]) -> bool:
        return any(self.groups[g].varies for t in types for g in self._types[t][1])

    def _group_of_sums(
        self, key: Any, combine: Op, types: tuple[int, ...], varies: bool, summed: bool
    ) -> Group:
        group = self._keys.get(key)
        if group is None:
            group = self._new(key, "sum", combine, varies, summed)
            group.terms = [Terms(*self._types[t]) for t in types]
        return group

    def _add_terms(
        self, group: Group, types: tuple[int, ...], factors: list[dict[int, list[int]]]
    ) -> None:
        """Put down the terms of some members."""
        for terms, t in zip(group.terms, types):
            width = len(terms.groups)
            for of_type in factors:
                flat = of_type[t]
                terms.flat += flat
                terms.counts.append(len(flat) // width)

    def _counts(self, types: tuple[int, ...], factors: Mapping[int, list[int]]) -> tuple[int, ...]:
        """Return how many terms there are of each type."""
        return tuple([len(factors[t]) // len(self._types[t][1]) for t in types])

    def _by_type(self, terms: Sequence[Term]) -> dict[int, list[int]]:
        """Return the factors of all terms by type, within each term sorted by group."""
        factors: dict[int, list[int]] = {}
        group_of, type_of = self.group_of, self._type_of
        for sign, nodes in terms:
            if len(nodes) == 1:
                key = sign * (group_of[nodes[0]] + 1)
            else:
                x, y = nodes
                g, h = group_of[x], group_of[y]
                if g > h:
                    g, h, nodes = h, g, (y, x)
                key = sign * (g + 1 + (h + 1 << 32))  # a number is quicker found than a tuple
            t = type_of.get(key)
            if t is None:
                t = type_of[key] = len(self._types)
                self._types.append((sign, tuple([group_of[x] for x in nodes])))
            if t in factors:
                factors[t] += nodes
            else:
                factors[t] = [*nodes]
        return factors


def _sorted(factors: dict[int, list[int]]) -> tuple[int, ...]:
    """Return the types of terms in order."""
    return tuple(factors) if len(factors) == 1 else tuple(sorted(factors))


def _are_alike(counts: Sequence[Sequence[int]]) -> bool:
    """Return whether sums make a table; `counts` are their numbers of terms, for each type."""
    different = max(len(set(of_type)) for of_type in counts)
    members = len(counts[0])
    if different == 1:
        return True
    if different == 2 and members < 4:
        return False
    return all(max(c) * members <= MOST_PADDED * sum(c) for c in counts)
