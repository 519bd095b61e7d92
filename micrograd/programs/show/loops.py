"""Loops: how the operands of a group are indexed, by its axes and by what its terms run over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd.programs.lift.groups import Group, Terms
from micrograd.programs.show.axes import Axes, split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

FEW = 64  # cells from which coefficients are guessed, to be tried on all


class CannotIndexError(Exception):
    """Some places follow no indices."""


class Form(NamedTuple):
    """An index: variables by their coefficients, and a number that is added."""

    parts: tuple[tuple[Any, int], ...] = ()
    offset: int = 0

    def of(self, known: Mapping[Any, Form]) -> Form:
        """Put forms in the place of variables."""
        sums: dict[Any, int] = {}
        offset = self.offset
        for variable, times in self.parts:
            offset += times * known[variable].offset
            for inner, own in known[variable].parts:
                sums[inner] = sums.get(inner, 0) + times * own
        return Form(tuple(sums.items()), offset)

    def taken_apart(self, form: Form) -> dict[Any, Form]:
        """Return what the variables of another form are if it is this one."""
        if len(form.parts) == 1:
            return {form.parts[0][0]: self}
        if len(self.parts) != 2 or self.offset or self.parts[0][1] != form.parts[0][1]:
            raise CannotIndexError
        return {v: Form(((own, 1),)) for (v, _), (own, _) in zip(form.parts, self.parts)}

    @property
    def alone(self) -> Any:
        """The variable that the index is; None if it is anything else."""
        return None if self.offset else self.runs_along

    @property
    def runs_along(self) -> Any:
        """The variable that the index is, a number added or not; None for anything else."""
        return self.parts[0][0] if self.is_slice and self.parts else None

    @property
    def is_slice(self) -> bool:
        """Whether the index is a number, or a variable and a number."""
        return not self.parts or (len(self.parts) == 1 and self.parts[0][1] == 1)

    def __str__(self) -> str:
        text = ""
        for letter, times in self.parts:
            sign = " - " if times < 0 else " + "
            own = letter if abs(times) == 1 else f"{abs(times)} {letter}"
            text += f"{sign}{own}" if text or times < 0 else own
        text = text.replace(" - ", "-", 1) if text.startswith(" ") else text
        if self.offset and text:
            return f"{text} {'-' if self.offset < 0 else '+'} {abs(self.offset)}"
        return text or str(self.offset)


class Loops:
    """The variables of one type of terms, and for each factor its index along each of its axes.

    The variables are numbered: first the axes of the members, then what the terms run over. Where a
    factor asks for the block that a member is in, its axis is two variables, by `split`: the place
    in the block, and behind the axes the block. `forms` is None for a factor without such indices.
    """

    def __init__(self, axes: Axes, group: Group, terms: Terms) -> None:
        self._axes, self._terms = axes, terms
        self.variables: list[Column] = [column[:, None] for column in axes.members(group)]
        self.axes: list[Form] = [Form(((v, 1),)) for v in range(len(self.variables))]
        shape = terms.positions.shape[:2]
        self._real: Any = np.ones(shape, bool)
        if terms.counts is not None:
            self._real = np.arange(shape[1]) < terms.counts[:, None]
        tables = [axes.factor(terms, f) for f in range(len(terms.groups))]
        for table in [table for own in tables for table in own]:
            if (table == table[:, :1]).all() and self._form(table) is None:
                self._split(table[:, :1])
        self.members = len(self.variables)
        self._splits = 0
        self.forms: list[list[Form] | None] = [self._forms(own) for own in tables]
        if self._splits:  # what was known before is written by the parts
            self.forms = [self._forms(own) for own in tables]

    def _split_terms(self, block: Column) -> bool:
        """Make two variables of one of the terms of which `block` counts the blocks."""
        for v in range(self.members, len(self.variables)):
            variable = self.variables[v]
            size = int(variable[(block == 0) & self._real].max(initial=0)) + 1
            if size > 1 and (variable // size == block)[self._real].all():
                self.variables[v] = variable % size
                self.variables.append(block)
                self._splits += 1
                return True
        return False

    def _split(self, block: Column) -> None:
        """Make two variables of an axis of which `block` counts the blocks."""
        for v, form in enumerate(self.axes):
            variable = self.variables[v]
            size = int(variable[block == 0].max(initial=0)) + 1
            if form.alone is not None and size > 1 and (variable // size == block).all():
                self.axes[v] = Form(((len(self.variables), size), (v, 1)))
                self.variables[v] = variable % size
                self.variables.append(block)
                return

    def _forms(self, tables: Sequence[Column]) -> list[Form] | None:
        forms = []
        for table in tables:
            form = self._form(table)
            if form is None:
                member, rest = split(table)
                if rest is None:
                    return None
                if not self._real.all() and member is not None and not _are_blocks(table, rest):
                    rest = table - table.min()  # its bounds move with the member
                step = int(np.gcd.reduce(rest[self._real]))
                rest = rest // step if step else rest
                if not self._split_terms(rest):
                    self.variables.append(rest)
                form = self._form(table)
                if form is None:
                    self.variables.pop()
                    return None
            forms.append(form)
        return forms

    def _form(self, table: Column) -> Form | None:
        real = self._real
        wanted = table[real]
        if (wanted == wanted[0]).all():
            return Form((), int(wanted[0]))
        columns = [np.broadcast_to(v, real.shape)[real] for v in self.variables]
        some = np.unique(np.linspace(0, len(wanted) - 1, FEW).astype(int))
        for count in (1, 2):
            for chosen in combinations(range(len(columns)), count):
                design = np.stack([*[columns[v][some] for v in chosen], np.ones(len(some))], 1)
                solution = np.linalg.lstsq(design, wanted[some], rcond=None)[0].round().astype(int)
                *times, offset = solution.tolist()
                if (sum(t * columns[v] for t, v in zip(times, chosen)) + offset == wanted).all():
                    parts = [(v, t) for v, t in zip(chosen, times) if t]
                    return Form(tuple(sorted(parts, key=lambda part: -abs(part[1]))), offset)
        return None

    def numbers(self, table: Column) -> Form | None:
        """Return the form of numbers that stand beside the terms, if they have one."""
        return self._form(table[:, None] if table.ndim == 1 else table)

    @cached_property
    def bounds(self) -> list[tuple[int, str, int]] | None:
        """What bounds the variables of terms: `(k, "<=", i)`; None if they have other bounds."""
        own = self.variables[self.members :]
        real = self._real
        counts = real.sum(axis=1)
        lengths = [int(v[real].max()) + 1 for v in own]
        if (counts == int(np.prod(lengths, dtype=int))).all():
            return []
        if not self.members and len(counts) == 1:
            among = bounded([v[0][real[0]] for v in own])
            return None if among is None else [(k, sign, i) for k, (sign, i) in among.items()]
        if len(own) != 1:
            return None
        [variable] = own
        for i, column in enumerate(self.variables[: self.members]):
            for sign, found in (("<=", column + 1), (">=", lengths[0] - column)):
                right = variable <= column if sign == "<=" else variable >= column
                if (counts == found[:, 0]).all() and right[real].all():
                    return [(self.members, sign, i)]
        return None

    @property
    def by_axis(self) -> list[int]:
        """The variables of the members in the order of their axes."""
        return [v for form in self.axes for v, _ in form.parts]

    @cached_property
    def order(self) -> list[int] | None:
        """The variables as the axes of what is summed, if all factors have these, or some of them.

        Such factors are multiplied element by element, and broadcast.
        """
        own: list[list[Any]] = []
        for forms in self.forms:
            if forms is None or not all(form.is_slice for form in forms):
                return None
            own.append([form.runs_along for form in forms if form.parts])
        longest = max(own, key=len, default=[])
        if sorted(longest) != [*range(len(self.variables))] or self.bounds is None:
            return None
        if [v for v in longest if v < self.members] != self.by_axis:
            return None
        for used in own:
            if [v for v in longest if v in used] != used:
                return None
        return longest

    def slices(self, f: int) -> str | None:
        """Write which elements of a factor meet the others element by element, "" for all.

        None if they do not meet so.
        """
        forms = self.forms[f]
        if self.order is None or forms is None:
            return None
        parts = []
        for form, length in zip(forms, self._axes.dims(self._terms.groups[f])):
            if not form.parts:
                parts.append(":" if length == 1 else str(form.offset))
                continue
            stop = int(self.variables[form.parts[0][0]].max()) + 1 + form.offset
            parts.append(":" if (form.offset, stop) == (0, length) else f"{form.offset}:{stop}")
        return "" if set(parts) <= {":"} else ", ".join(parts)


def _are_blocks(table: Column, rest: Column) -> bool:
    """Return whether terms run over a block of each member's own."""
    low = table.min(axis=1)
    return bool(np.gcd.reduce(low - low.min()) > rest.max())


def bounded(columns: Sequence[Column]) -> dict[int, tuple[str, int]] | None:
    """Return which axis is bounded by which other; none if all indices meet; None if it is other.

    >>> bounded([np.array([0, 1, 1]), np.array([0, 0, 1])])
    {1: ('<=', 0)}
    """
    lengths = [int(column.max()) + 1 for column in columns]
    count = len(columns[0]) if columns else 1
    everything = int(np.prod(lengths, dtype=int))
    if count == everything:
        return {}
    for k, i in combinations(reversed(range(len(columns))), 2):
        size = lengths[k]
        if lengths[i] != size or count * 2 * size != everything * (size + 1):
            continue
        for sign in ("<=", ">="):
            if (columns[k] <= columns[i] if sign == "<=" else columns[k] >= columns[i]).all():
                return {k: (sign, i)}
    return None
