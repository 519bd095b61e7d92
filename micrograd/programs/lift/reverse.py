"""The reverse pass: the chain rule goes back from group to group, and makes groups of adjoints.

What arrives at a node is a sum of products: of what arrived at a consumer, and of what this
multiplies the node by. At a node that all examples share, what varies is summed over them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from micrograd.programs.lift.slopes import Slope, Slopes
from micrograd.programs.lift.sums import Flat, Term

if TYPE_CHECKING:
    from micrograd.programs.lift.groups import Group

# Makes nodes of sums of terms, which may be summed over the examples.
MakeSums = Callable[[Sequence[list[Term]], bool], list[int]]


class Reverse:
    """What arrives at nodes: `adjoints` has the node that holds it, once it is complete."""

    def __init__(
        self, flat: Flat, slopes: Slopes, varies: Sequence[bool], make_sums: MakeSums
    ) -> None:
        self.adjoints: dict[int, int] = {}
        self._flat, self._slopes = flat, slopes
        self._varies = varies
        self._make_sums = make_sums
        self._arrived: dict[int, list[Term]] = {}
        self._seeds: set[int] = set()

    def start(self, output: int, seed: int) -> None:
        """Let a seed arrive at an output."""
        self._seeds.add(seed)
        self._add(output, [(1, (seed,))])

    def walk(self, groups: Sequence[Group]) -> None:
        """Pass on what arrives from group to group, consumers first."""
        arrived = self._arrived
        for group in reversed(groups):
            nodes = [i for i in group.members if i in arrived] if group.terms else []
            edges = [self._edges(i) for i in nodes]
            if all(len(own) == 1 and own[0][2] is None for own in edges):
                for i, [(operand, sign, _)] in zip(nodes, edges):
                    # Its terms go where it would go alone.
                    terms = arrived.pop(i)
                    self._add(operand, terms if sign > 0 else [(-s, f) for s, f in terms])
                continue
            passed = self._minus_seeds(nodes) or [(1, i) for i in self._complete(nodes)]
            for (sign, i), own in zip(passed, edges):
                for operand, own_sign, node in own:
                    term = own_sign * sign, (i,) if node is None else (node, i)
                    before = arrived.get(operand)
                    if before is None:
                        arrived[operand] = [term]
                    else:
                        before.append(term)

    def arrived_at(self, leaves: Sequence[int]) -> dict[int, int]:
        """Return where the sums of what arrived at leaves stand, by the places of these."""
        places = [k for k, i in enumerate(leaves) if i in self._arrived]
        return dict(zip(places, self._complete([leaves[k] for k in places])))

    def _minus_seeds(self, nodes: Sequence[int]) -> list[tuple[int, int]]:
        """Return minus and a seed for nodes at which just that arrives; none where others do."""
        terms = [self._arrived[i] for i in nodes if self._varies[i]]
        found = [own[0] for own in terms if len(own) == 1 and own[0][0] < 0]
        seeds = [factors[0] for _, factors in found if len(factors) == 1]
        if len(seeds) < len(nodes) or not self._seeds.issuperset(seeds):
            return []
        for i in nodes:
            del self._arrived[i]
        return [(-1, seed) for seed in seeds]

    def _complete(self, nodes: Sequence[int]) -> list[int]:
        """Add up all that arrived at some nodes, which vary all or none; return where it stands."""
        arrived = [self._arrived.pop(i) for i in nodes]
        if nodes and not self._varies[nodes[0]]:
            arrived = self._over_examples(arrived)
        sums = self._make_sums(arrived, False)
        self.adjoints.update(zip(nodes, sums))
        return sums

    def _over_examples(self, arrived: Sequence[list[Term]]) -> list[list[Term]]:
        """Sum what varies over the examples."""
        varies = self._varies
        varying: list[list[Term]] = []
        shared: list[list[Term]] = []
        for terms in arrived:
            some = [t for t in terms if varies[t[1][0]] or varies[t[1][-1]]]
            chosen = set(some) if len(some) < len(terms) else None
            varying.append(some)
            shared.append([] if chosen is None else [t for t in terms if t not in chosen])
        totals = iter(self._make_sums([terms for terms in varying if terms], True))
        return [[(1, (next(totals),)), *o] if s else o for s, o in zip(varying, shared)]

    def _edges(self, i: int) -> list[Slope]:
        """Return what a node passes on to its operands."""
        slopes = self._slopes.of.get(i)
        if slopes is not None:
            same = self._flat.same
            return [(same[x], sign, node) for x, sign, node in slopes]
        edges: list[Slope] = []
        found = self._flat.sums[i]
        if found is None:
            return edges
        arrives, twice = self._slopes.arrives, self._slopes.twice
        for sign, factors in found.terms:
            x, y = factors[0], factors[-1]
            if len(factors) == 1:
                if arrives[x]:
                    edges.append((x, sign, None))
            elif x == y and x in twice:
                edges.append((x, sign, twice[x]))
            else:
                if arrives[x]:
                    edges.append((x, sign, y))
                if arrives[y]:
                    edges.append((y, sign, x))
        return edges

    def _add(self, i: int, terms: list[Term]) -> None:
        """Add terms to what arrived so far; the shorter goes into the longer list."""
        before = self._arrived.get(i, [])
        longer, shorter = (before, terms) if len(before) > len(terms) else (terms, before)
        longer += shorter
        self._arrived[i] = longer
