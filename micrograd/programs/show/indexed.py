"""Equations with their indices written out, where whole arrays do not say what meets what.

    t4[i, j, k <= i] = sum_l(z2[i, 4 j + l] .* z3[k, 4 j + l]) ./ 2

A line has letters for the axes of its left side, and further ones for what sums run over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from micrograd import ops
from micrograd.programs.lift.groups import CONSTANTS, INPUT, PARAMETERS, Group, Terms
from micrograd.programs.rewrite.softmax import SOFTMAX
from micrograd.programs.show.expressions import Expressions
from micrograd.programs.show.loops import CannotIndexError, Form, bounded
from micrograd.programs.show.notation import ATOM, Written
from micrograd.value.selection import Chosen, Take

LETTERS = "ijklmpqrs"


class Indexed(NamedTuple):
    """The left side's index, and the right side."""

    left: str
    right: Written


class NeedsLineError(Exception):
    """A matrix product is part of the line: it is to have one of its own."""

    def __init__(self, group: Group) -> None:
        super().__init__(group.index)
        self.group = group


class Indices:
    """Writes one line with indices."""

    def __init__(self, expressions: Expressions, taken: set[str]) -> None:
        self._whole = expressions
        self._style = expressions.style
        self._axes = expressions.axes
        self._groups = expressions.groups
        self._letters = iter([letter for letter in LETTERS if letter not in taken])

    def line(self, group: Group) -> Indexed | None:
        """Write a group with indices; None if there are none that say it."""
        try:
            columns = self._axes.members(group)
            bounds = bounded(columns)
            if bounds is None:
                return None
            at = self._own(group, len(columns))
            texts = [str(form) for form in at]
            for k, (sign, other) in bounds.items():
                texts[k] += f" {self._style.compared(sign)} {at[other]}"
            return Indexed(", ".join(texts), self._of_group(group, at))
        except CannotIndexError:
            return None

    def _own(self, group: Group, count: int) -> list[Form]:
        """Return the index along each axis; of blocks, one for the block and one within."""
        axes = [Form(((v, 1),)) for v in range(count)]
        for terms in group.terms:
            for v, form in enumerate(self._whole.loops(group, terms).axes):
                axes[v] = max(axes[v], form, key=lambda form: len(form.parts))
        letters: dict[int, Form] = {}
        for form in axes:
            for variable, _ in form.parts:
                letters[variable] = Form(((self._letter(), 1),))
        return [form.of(letters) for form in axes]

    def _letter(self) -> str:
        letter = next(self._letters, None)
        if letter is None:
            raise CannotIndexError
        return letter

    # Expressions -------------------------------------------------------------------------------

    def _of_group(self, group: Group, at: Sequence[Form]) -> Written:
        if isinstance(group.op, Take):
            raise CannotIndexError
        if group.op is SOFTMAX:
            known = self._known(group, group.terms[0], at)
            runs = [str(at[k]) for k in self._whole.softmax_axes(group)]
            operand = self._factor(group, group.terms[0], 0, known)
            return self._style.reduced("softmax", operand, runs)
        if group.kind == "row":
            [terms] = group.terms
            known = self._known(group, terms, at)
            factors = [self._factor(group, terms, f, known) for f in range(len(terms.groups))]
            return self._style.call(group.op, factors)
        if group.op is not None and group.op is not ops.add:
            [terms, *others] = group.terms
            if others:
                raise CannotIndexError
            known, runs = self._running(group, terms, at)
            return self._style.extreme(group.op, [self._factor(group, terms, 0, known)], runs)
        ordered = sorted(group.terms, key=lambda t: (-t.sign, t.positions.shape[1] > 1))
        return self._style.sum([(t.sign, self._of_terms(group, t, at)) for t in ordered])

    def _of_terms(self, group: Group, terms: Terms, at: Sequence[Form]) -> Written:
        known, runs = self._running(group, terms, at)
        factors = [self._factor(group, terms, f, known) for f in self._whole.factors(terms)]
        again = [k > 0 and own == factors[k - 1] for k, own in enumerate(factors)]
        times = self._style.times(factors, again)
        if group.summed:
            runs = [*runs, "n"] if runs else runs
        elif not runs:
            return times
        return self._style.reduced("sum", times, runs)

    def _known(self, group: Group, terms: Terms, at: Sequence[Form]) -> dict[int, Form]:
        known, runs = self._running(group, terms, at)
        if runs:
            raise CannotIndexError
        return known

    def _running(
        self, group: Group, terms: Terms, at: Sequence[Form]
    ) -> tuple[dict[int, Form], list[str]]:
        """Return the index of each variable of some terms, and what is written below the sum."""
        loops = self._whole.loops(group, terms)
        if loops.bounds is None or None in loops.forms:
            raise CannotIndexError
        known: dict[int, Form] = {}
        for own, form in zip(at, loops.axes):
            known |= own.taken_apart(form)
        letters = []
        for v in range(loops.members, len(loops.variables)):
            letters.append(self._letter())
            known[v] = Form(((letters[-1], 1),))
        for variable, sign, other in loops.bounds:
            k = variable - loops.members
            letters[k] = f"{letters[k]} {self._style.compared(sign)} {known[other]}"
        return known, letters

    def _factor(self, group: Group, terms: Terms, f: int, known: Mapping[int, Form]) -> Written:
        loops = self._whole.loops(group, terms)
        g = terms.groups[f]
        source = self._groups[g]
        if source.kind == CONSTANTS:
            if isinstance(group.op, Chosen):
                form = loops.numbers(self._axes.chosen(terms))
                if form is not None:
                    return Written(str(form.of(known)), ATOM, 0)
            return self._whole.constant(terms, f)
        forms = loops.forms[f]
        if forms is None:
            raise CannotIndexError
        at = [form.of(known) for form in forms]
        if source.kind == PARAMETERS:
            name = self._whole.names.element(terms.positions[:, :, f], [str(form) for form in at])
            if name is None:
                raise CannotIndexError
            return Written(self._style.name(name), ATOM, 1)
        if not at or source.kind == INPUT or g in self._whole.name:
            return self._whole.part(self._whole.whole(g), ", ".join(map(str, at)))
        if self._whole.is_product(g):
            raise NeedsLineError(source)
        return self._of_group(source, at)
