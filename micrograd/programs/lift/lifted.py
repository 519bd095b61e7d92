"""A tape, lifted: its groups forward and in reverse, and in each the order of members and terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from micrograd import ops
from micrograd.engine import Value
from micrograd.programs.lift.groups import SAME, Group, Terms
from micrograd.programs.lift.keys import PASSES, Keys
from micrograd.programs.lift.reverse import Reverse
from micrograd.programs.lift.slopes import Slopes
from micrograd.programs.lift.sums import Flat
from micrograd.programs.trace.tape import Tape
from micrograd.value.selection import Chosen


class Lifted:
    """A tape as groups, forward and in reverse, in an order in which they can be computed.

    `position[i]` says where node i stands within the storage of `group_of[i]`. Behind the nodes of
    the tape come those of the reverse pass. `gradients` has the nodes of the parameters' gradients,
    by the places of these in their list; `adjoints` the nodes of what arrives at others.

    Of a part of a function, `seeds` are what arrives at its outputs, an array and a place for each,
    and `arrived` the nodes of what arrives at the leaves that it `takes`, by their places there.
    """

    def __init__(
        self,
        tape: Tape,
        outputs: Sequence[int],
        guards: Iterable[int],
        slopes: Slopes,
        parameters: Sequence[Value],
        patterns: Mapping[Value, str],
        seeds: Sequence[tuple[str, int]] = (),
        takes: Sequence[int] = (),
    ) -> None:
        flat = Flat(tape, [*outputs, *guards, *slopes.nodes()], slopes.arrives)
        self.tape = tape
        self.parameters: int = len(parameters)
        self.outputs: list[int] = [flat.same[i] for i in (*outputs, *guards)]
        keys = _keyed(tape, flat, parameters, patterns)
        self.groups: list[Group] = keys.groups
        self.group_of: list[int] = keys.group_of
        seeds = seeds or [("", k) for k in range(len(outputs))]
        for name, count in Counter(name for name, _ in seeds).items():
            tape.columns[name] = count
        self.seeds: set[str] = {name for name, _ in seeds}
        reverse = Reverse(flat, slopes, keys.varies, keys.make_sums)
        forward = [*keys.groups]
        self.forward: int = len(forward)  # groups, slopes among them; behind are the adjoints
        for seed, output in zip(seeds, self.outputs):
            if slopes.arrives[output]:
                reverse.start(output, keys.add_seed(*seed))
        reverse.walk(forward)
        self.adjoints: dict[int, int] = reverse.adjoints
        self.gradients: dict[int, int] = reverse.arrived_at(
            [tape.parameters[p] for p in parameters]
        )
        self.arrived: dict[int, int] = reverse.arrived_at(takes)
        self.position: Any = np.zeros(len(self.group_of), int)
        self.position[list(keys.places)] = list(keys.places.values())
        self._source: dict[int, int] = {}  # of groups that stand where another does
        self._mark_gradients()
        for group in self.groups:
            if group.terms:
                self._order(group)

    def _mark_gradients(self) -> None:
        """Put a group whose members are gradients, one parameter each, where these belong."""
        of_node: dict[int, int] = {}
        for rank, i in self.gradients.items():
            of_node.setdefault(i, rank)
        for group in self.groups:
            if group.kind == "sum" and group.summed:
                ranks = [of_node.get(i, -1) for i in group.members]
                if -1 not in ranks:
                    group.gradient = True
                    for i, rank in zip(group.members, ranks):
                        self.position[i] = rank

    def _order(self, group: Group) -> None:
        """Sort the terms within each member, and the members by the positions of their operands."""
        single = len(group.members) == 1
        for terms in group.terms:
            terms.position = self.position
            if self._source:
                terms.groups = tuple([self._source.get(g, g) for g in terms.groups])
            single = single and len(terms.flat) == len(terms.groups)
        if _is_same(group):
            self._join_source(group)
            return
        group.single = single
        if single:
            for terms in group.terms:
                terms.counts = None
            return
        for terms in group.terms:
            self._place_terms(terms, len(group.members))
        if len(group.members) > 1:
            self._order_members(group)

    def _place_terms(self, terms: Terms, members: int) -> None:
        """Take down where the factors stand, as a table of all members and terms."""
        positions = self.position.take(terms.flat)
        terms.flat = []
        counts = np.array(terms.counts or [1])
        if (counts == counts[0]).all():
            positions = positions.reshape(members, -1, len(terms.groups))
            terms.counts = None
            terms.positions = _sorted_terms(positions) if positions.shape[1] > 1 else positions
            return
        positions = positions.reshape(-1, len(terms.groups))
        order = np.lexsort((*positions.T[::-1], np.repeat(np.arange(members), counts)))
        last = np.arange(counts.max()).clip(max=counts[:, None] - 1)
        terms.counts = counts
        terms.positions = positions[order][last + (counts.cumsum() - counts)[:, None]]

    def _join_source(self, group: Group) -> None:
        """Put the members of a group where their operands stand."""
        [terms] = group.terms
        source = self._source[group.index] = terms.groups[0]
        self.position[group.members] = self.position[terms.flat]
        for i in group.members:
            self.group_of[i] = source
        group.kind, group.members = SAME, []

    def _order_members(self, group: Group) -> None:
        members = np.array(group.members)
        columns: list[Any] = []
        behind: list[Any] = []
        # W x lies as x does, for what is computed with both; so x comes first.
        long = any(terms.positions.shape[1] > 1 for terms in group.terms)
        for terms in group.terms:
            for places in (terms.positions[:, 0], terms.positions[:, -1]):
                for g, column in zip(terms.groups, places.T):
                    (columns if self.groups[g].varies or not long else behind).append(column)
        columns += behind
        if isinstance(group.op, Chosen):  # by the index, then by its values, as a table is
            index, *_, places = columns
            columns = [index, np.array([*self.tape.constants.values()])[places]]
        if group.gradient:
            columns = [self.position[members]]
        elif any(terms.counts is not None for terms in group.terms):
            columns = [np.arange(len(members))]  # as they were traced: their ends say little
        order = np.lexsort(columns[::-1])
        group.members = members[order].tolist()
        for terms in group.terms:
            terms.positions = terms.positions[order]
            terms.counts = None if terms.counts is None else terms.counts[order]
        if not group.gradient:
            self.position[group.members] = np.arange(len(members))


def _sorted_terms(positions: Any) -> Any:
    """Sort along the second axis by the first factor, then by the second, and so on."""
    order = np.lexsort(positions.transpose(2, 0, 1)[::-1], axis=1)
    return np.take_along_axis(positions, order[:, :, None], axis=1)


def _keyed(
    tape: Tape, flat: Flat, parameters: Sequence[Value], patterns: Mapping[Value, str]
) -> Keys:
    """Return the groups of the forward pass, without those of sums that are too unlike."""
    by_count: set[int] = set()
    for _ in range(PASSES):
        keys = Keys(tape, flat, parameters, patterns, by_count)
        unlike = keys.unlike()
        if not unlike:
            return keys
        by_count |= unlike
    return Keys(tape, flat, parameters, patterns, None)


def _is_same(group: Group) -> bool:
    """Return whether each member is its operand: where a gradient stops, or a sum of one term."""
    [terms, *others] = group.terms
    if group.op is ops.stop_gradient:
        return True
    plain = group.kind == "sum" and not group.summed and not others and terms.sign > 0
    return plain and len(terms.groups) == 1 and terms.counts == [1] * len(group.members)
