"""Axes: which indices tell the members of a group apart, as position, head and place in the head.

They come from the leaves: a parameter's indices, the column of an argument. A sum leaves out those
that it runs over; where it runs over a part of an axis, as the numbers of a head, what chooses the
part is an axis by itself. What arrives at a group in reverse has the axes of that group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd.programs.lift.groups import CONSTANTS, INPUT, PARAMETERS, Group, Terms
from micrograd.programs.lift.lifted import Lifted
from micrograd.programs.rewrite.softmax import Rewritten
from micrograd.programs.show.names import ParameterNames
from micrograd.value.selection import Chosen, Take

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]


class Axes:
    """The axes of each group: `of` has for each the index of every place in its storage.

    A group whose members no indices tell apart has one axis, along which they stand in their order.
    `shapes` are those of one row of each argument.
    """

    def __init__(
        self,
        lifted: Lifted,
        rewritten: Rewritten,
        names: ParameterNames,
        shapes: Mapping[str, tuple[Any, ...]],
    ) -> None:
        self.of: dict[int, list[Column]] = {}
        self._groups = rewritten.groups
        self._names = names
        self._shapes = shapes
        self._lifted = lifted
        self._numbers = np.array([*lifted.tape.constants.values()])
        self._primal = {j: i for i, j in lifted.adjoints.items() if j >= len(lifted.tape.ops)}
        for group in rewritten.order:
            self.of[group.index] = self._columns(group)

    def dims(self, g: int) -> tuple[int, ...]:
        """Return the lengths of the axes of a group."""
        return tuple([int(column.max()) + 1 for column in self.of[g]])

    def members(self, group: Group) -> list[Column]:
        """Return the indices of the members; of gradients, those of the parameters' names."""
        if group.gradient:
            ranks = self._lifted.position[group.members].tolist()
            if len(self._names.by_pattern(ranks)) > 1:
                return [np.arange(len(ranks))]
            return _apart([*self._names.indices(ranks).T], len(ranks))
        return self.of[group.index]

    def factor(self, terms: Terms, f: int) -> list[Column]:
        """Return the index of a factor along each of its axes, by member and term."""
        places = terms.positions[:, :, f]
        return [column[places] for column in self.of[terms.groups[f]]]

    def chosen(self, terms: Terms) -> Column:
        """Return the places whose choice is asked."""
        found: Column = self._numbers[terms.positions[:, :, 1]].astype(int)
        return found

    def _columns(self, group: Group) -> list[Column]:
        position = self._lifted.position
        if group.kind == PARAMETERS:
            ranks = position[group.members]
            return self._by_rank(ranks, [*self._names.indices(ranks.tolist()).T])
        if group.kind == INPUT:
            return self._of_argument(group.name)
        if not group.terms or (len(group.members) < 2 and not group.gradient):
            return []
        if group.gradient:
            return self._by_rank(position[group.members], self.members(group))
        return self._of_primal(group) or _apart(self._found(group), len(group.members))

    def _by_rank(self, ranks: Column, columns: Sequence[Column]) -> list[Column]:
        """Return the axes of parameters, or of their gradients, which stand by their ranks."""
        found = np.zeros((len(columns), self._lifted.parameters), int)
        for places, column in zip(found, columns):
            places[ranks] = column
        return [*found]

    def _of_argument(self, name: str) -> list[Column]:
        """Return the indices of the columns of an argument, a scalar's none."""
        size = self._lifted.tape.columns[name]
        shape = self._shapes.get(name, ())
        if len(shape) < 2 or not all(isinstance(length, int) for length in shape):
            return [np.arange(size)] if size > 1 else []
        return [*np.indices(shape).reshape(len(shape), -1)]

    def _of_primal(self, group: Group) -> list[Column]:
        """Return the axes of the group at which the members arrive, if there is one."""
        nodes = [self._primal.get(j, -1) for j in group.members]
        groups = {self._lifted.group_of[i] if i >= 0 else -1 for i in nodes}
        if len(groups) > 1 or -1 in groups:
            return []
        places = self._lifted.position[nodes]
        return [column[places] for column in self.of[groups.pop()]]

    def _found(self, group: Group) -> list[Column]:
        """Return the indices of operands over which nothing is summed."""
        found = []
        for terms in group.terms:
            for table in self._tables(group, terms):
                column, _ = split(table)
                if column is not None:
                    found.append(column)
        return found

    def _tables(self, group: Group, terms: Terms) -> Iterator[Column]:
        """Yield the indices of all operands, those of a table as one of many terms."""
        if isinstance(group.op, Chosen):
            yield from self.factor(terms, 0)
            yield self.chosen(terms)
        elif isinstance(group.op, Take):
            yield from self.factor(terms, 0)
            kinds = dict.fromkeys(terms.groups[1:])
            for g in kinds:
                at = [f for f in range(1, len(terms.groups)) if terms.groups[f] == g]
                for column in self.of[g] if self._groups[g].kind != CONSTANTS else ():
                    yield column[terms.positions[:, 0, at]]
        else:
            for f, g in enumerate(terms.groups):
                if self._groups[g].kind != CONSTANTS:
                    yield from self.factor(terms, f)


def split(table: Column) -> tuple[Column | None, Column | None]:
    """Return the part of an index that is the member's, and the part of the term, if there are any.

    Blocks are counted: where terms run over 0 to 3 or over 4 to 7, the member's part is 0 or 1.

    >>> split(np.array([[0, 1], [0, 1], [2, 3]]))
    (array([0, 0, 1]), array([[0, 1],
           [0, 1],
           [0, 1]]))
    """
    if (table == table[:, :1]).all():
        return table[:, 0], None
    low = table.min(axis=1)
    rest = table - low[:, None]
    if (low == low[0]).all():
        return None, rest
    low = low - low.min()
    step = np.gcd.reduce(low)
    return (low // step if step > rest.max() else low), rest


def _apart(columns: Iterable[Column], members: int) -> list[Column]:
    """Choose what tells the members apart, what moves least in front; or else their order."""
    own = [np.unique(column, return_inverse=True)[1].reshape(-1) for column in columns]
    own = list({column.tobytes(): column for column in own if column.any()}.values())
    own = [_remainder(column, own) for column in own]
    own = list({column.tobytes(): column for column in own}.values())
    own.sort(key=lambda column: np.count_nonzero(np.diff(column)))
    chosen: list[Column] = []
    known = np.zeros(members, int)
    for column in own:
        both = known * (int(column.max()) + 1) + column
        finer = np.unique(both, return_inverse=True)[1].reshape(-1)
        if finer.max() > known.max():
            chosen.append(column)
            known = finer
        if int(known.max()) + 1 == members:
            return chosen
    return [np.arange(members)]


def _remainder(column: Column, others: Sequence[Column]) -> Column:
    """Return a place within its block, if one of the others counts the blocks."""
    for block in others:
        size = int(column[block == 0].max()) + 1
        if block is not column and 1 < size <= column.max() and (column // size == block).all():
            return column % size
    return column
