"""The reverse pass: the chain rule goes back from group to group, and makes groups of adjoints.

What arrives at a node is a sum of products: of what arrived at a consumer, and of what this
multiplies the node by. At a node that all examples share, what varies is summed over them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from micrograd.programs.lift.slopes import Slope, Slopes
from micrograd.programs.lift.sums import Flat, Term

if TYPE_CHECKING:
    from micrograd.programs.lift.groups import Group

# Makes a node of a sum, which may be summed over the examples.
MakeSum = Callable[[Sequence[Term], bool], int]


class Reverse:
    """What arrives at nodes: `adjoints` has the node that holds it, once it is complete."""

    def __init__(self, flat: Flat, slopes: Slopes, varies: list[bool], make_sum: MakeSum) -> None:
        self.adjoints: dict[int, int] = {}
        self._flat, self._slopes = flat, slopes
        self._varies = varies
        self._make_sum = make_sum
        self._arrived: dict[int, list[Term]] = {}

    def start(self, output: int, seed: int) -> None:
        """Let a seed arrive at an output."""
        self._add(output, [(1, (seed,))])

    def walk(self, groups: Sequence[Group]) -> None:
        """Pass on what arrives from group to group, consumers first."""
        for group in reversed(groups):
            if group.terms:
                for i in group.members:
                    arrived = self._arrived.pop(i, None)
                    if arrived is not None:
                        self._pass_on(i, arrived)

    def gradient(self, parameter: int) -> int | None:
        """Return the node that has what arrived at a parameter, if anything did."""
        arrived = self._arrived.pop(parameter, None)
        return None if arrived is None else self._adjoint(parameter, arrived)

    def _pass_on(self, i: int, arrived: list[Term]) -> None:
        edges = list(self._edges(i))
        if len(edges) == 1 and edges[0].node is None:
            # Its terms go where it would go alone.
            [(operand, sign, _)] = edges
            self._add(operand, arrived if sign > 0 else [(-s, f) for s, f in arrived])
            return
        adjoint = self.adjoints[i] = self._adjoint(i, arrived)
        for operand, sign, node in edges:
            factors = (adjoint,) if node is None else (node, adjoint)
            self._add(operand, [(sign, factors)])

    def _edges(self, i: int) -> Iterator[Slope]:
        """Yield what a node passes on to its operands."""
        found = self._flat.sums[i]
        if i in self._slopes.of:
            for slope in self._slopes.of[i]:
                yield slope._replace(operand=self._flat.same[slope.operand])
        elif found is not None:
            arrives, twice = self._slopes.arrives, self._slopes.twice
            for own_sign, factors in found.terms:
                sign = own_sign * found.sign
                x, y = factors[0], factors[-1]
                if len(factors) == 1:
                    if arrives[x]:
                        yield Slope(x, sign, None)
                elif x == y and x in twice:
                    yield Slope(x, sign, twice[x])
                else:
                    if arrives[x]:
                        yield Slope(x, sign, y)
                    if arrives[y]:
                        yield Slope(y, sign, x)

    def _add(self, i: int, terms: list[Term]) -> None:
        """Add terms to what arrived so far; the shorter goes into the longer list."""
        before = self._arrived.get(i, [])
        longer, shorter = (before, terms) if len(before) > len(terms) else (terms, before)
        longer += shorter
        self._arrived[i] = longer

    def _adjoint(self, i: int, terms: Sequence[Term]) -> int:
        """Return the node that has the sum of all that arrived."""
        if self._varies[i]:
            return self._sum(terms)
        varying: list[Term] = []
        shared: list[Term] = []
        for term in terms:
            (varying if any(self._varies[x] for x in term[1]) else shared).append(term)
        if varying:
            shared.insert(0, (1, (self._make_sum(varying, True),)))
        return self._sum(shared)

    def _sum(self, terms: Sequence[Term]) -> int:
        [(sign, factors), *others] = terms
        if sign > 0 and len(factors) == 1 and not others:
            return factors[0]
        return self._make_sum(terms, False)
