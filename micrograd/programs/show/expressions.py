"""Expressions: what a group is computed from, as text or as LaTeX, by whole arrays."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np

from micrograd import ops
from micrograd.programs.lift.groups import CONSTANTS, INPUT, PARAMETERS, Group, Terms
from micrograd.programs.lift.lifted import Lifted
from micrograd.programs.rewrite.softmax import SOFTMAX, Rewritten
from micrograd.programs.show.axes import Axes
from micrograd.programs.show.indexing import OTHER, index_text, is_matrix, order_text
from micrograd.programs.show.loops import Loops
from micrograd.programs.show.names import ParameterNames
from micrograd.programs.show.notation import ATOM, Style, Written
from micrograd.value.selection import Chosen, Take


class Expressions:
    """The right sides of equations; `written` has what stands for a group in those that read it.

    `reverse` are the groups of the reverse pass.
    """

    def __init__(
        self,
        lifted: Lifted,
        rewritten: Rewritten,
        names: ParameterNames,
        axes: Axes,
        style: Style,
        reverse: set[int],
    ) -> None:
        self.lifted = lifted
        self.names = names
        self.style = style
        self.reverse = reverse
        self.groups: list[Group] = rewritten.groups
        self.axes = axes
        self.name: dict[int, str] = {}
        self.written: dict[int, Written] = {}
        self._shared = rewritten.shared
        # By the identity of terms, which are kept so that no others have it.
        self._loops: dict[int, tuple[Terms, Loops]] = {}
        self._weights: dict[int, tuple[Terms, int | None]] = {}

    def weight(self, group: Group, terms: Terms) -> int | None:
        """Return which of two factors is a parameter that multiplies what varies."""
        known = self._weights.get(id(terms))
        if known is None:
            known = self._weights[id(terms)] = terms, self._weight(group, terms)
        return known[1]

    def _weight(self, group: Group, terms: Terms) -> int | None:
        if group.op is not ops.add or group.summed or len(terms.groups) != 2:
            return None
        kinds = [self.groups[g] for g in terms.groups]
        for at in (0, 1):
            if kinds[at].kind == PARAMETERS and kinds[1 - at].varies:
                tables = terms.positions[:, :, at], terms.positions[:, :, 1 - at]
                return at if is_matrix(*tables) else None
        return None

    def loops(self, group: Group, terms: Terms) -> Loops:
        """Return what the terms of a group run over."""
        found = self._loops.get(id(terms))
        if found is None:
            found = self._loops[id(terms)] = terms, Loops(self.axes, group, terms)
        return found[1]

    def of_group(self, group: Group) -> Written:
        """Write what a group is computed from."""
        if isinstance(group.op, Take):
            return self._of_take(group)
        if group.op is SOFTMAX:
            operand = self.factor(group, group.terms[0], 0)
            runs = [str(k + 1) for k in self.softmax_axes(group)]
            several = len(self.axes.of[group.index]) > 1
            return self.style.reduced("softmax", operand, runs if several else ())
        if group.kind == "row":
            [terms] = group.terms
            return self.style.call(
                group.op, [self.factor(group, terms, f) for f in range(len(terms.groups))]
            )
        if group.op is not None and group.op is not ops.add:
            over = self._over(group, group.terms[0]) if len(group.terms) == 1 else []
            parts = [self._of_terms(group, t) for t in group.terms]
            return self.style.extreme(group.op, parts, over)
        ordered = sorted(group.terms, key=lambda t: (-t.sign, self.weight(group, t) is None))
        return self.style.sum([(t.sign, self._of_terms(group, t)) for t in ordered])

    def softmax_axes(self, group: Group) -> list[int]:
        """Return the axes along which the shares of softmax add up to 1."""
        sums = self._shared[group.index]
        first = np.unique(sums, return_index=True)[1]
        return [
            k
            for k, column in enumerate(self.axes.of[group.index])
            if (column != column[first[np.searchsorted(sums[first], sums)]]).any()
        ]

    def _of_take(self, group: Group) -> Written:
        """Write `table[index]`, the table as a whole."""
        [terms] = group.terms
        index = self.factor(group, terms, 0)
        runs = groupby(range(1, len(terms.groups)), key=lambda f: terms.groups[f])
        parts = [part for g, run in runs for part in self._of_table(g, terms, list(run))]
        named = len(parts) == 1 and parts[0].size > 0
        return self.style.taken(parts[0] if named else self.style.table(parts), index)

    def _of_table(self, g: int, terms: Terms, factors: Sequence[int]) -> list[Written]:
        """Write the entries of a table that are of one group: numbers one by one."""
        group, places = self.groups[g], terms.positions[:, 0, factors]
        if group.kind == CONSTANTS:
            return [self.constant(terms, f) for f in factors]
        if group.kind == PARAMETERS:
            return [self._parameters(places.T)]
        return [self.part(self.whole(g), index_text(places, len(group.members)))]

    def _of_terms(self, group: Group, terms: Terms) -> Written:
        at = self.weight(group, terms)
        if at is not None:
            matrix, transposed = self._matrix(group, terms, at)
            vector = self.factor(group, terms, 1 - at)
            return self.style.matrix_product(matrix, transposed, vector)
        factors = self.factors(terms)
        # A matrix product comes first, as in (Theta' delta) .* a .* (1 - a).
        factors.sort(key=lambda f: (not self.is_product(terms.groups[f]), terms.groups[f]))
        product = self._narrow_product(group, terms, factors)
        written = [self.factor(group, terms, f) for f in factors]
        if product is not None:
            written.insert(0, product)
        grid = self._grid(group, terms, factors) if group.summed and len(written) == 2 else []
        if grid:
            return self.style.outer(*[written[k] for k in grid])
        if group.op is not ops.add:
            return written[0]
        again = [False] * (product is not None) + self._again(terms, factors)
        times = self.style.times(written, again)
        if not group.summed and terms.positions.shape[1] == 1:
            return times
        return self.style.reduced("sum", times, self._over(group, terms))

    def factors(self, terms: Terms) -> list[int]:
        """Return the factors that are written: what arrives at the results is not."""
        kinds = [self.groups[g] for g in terms.groups]
        return [f for f, kind in enumerate(kinds) if kind.kind != INPUT or kind.name]

    def _over(self, group: Group, terms: Terms) -> list[str]:
        """Return the axes that a sum runs over, if there are others; n are the examples."""
        loops = self.loops(group, terms)
        order = loops.order
        if order is None or not loops.members:
            return []
        axes = [str(k + 1) for k, v in enumerate(order) if v >= loops.members]
        return [*axes, "n"] if axes and group.summed else axes

    def _again(self, terms: Terms, factors: Sequence[int]) -> list[bool]:
        """Whether each factor has the elements of the one before it."""
        places = [(terms.groups[f], terms.positions[:, :, f].tobytes()) for f in factors]
        return [k > 0 and places[k] == places[k - 1] for k in range(len(places))]

    def _grid(self, group: Group, terms: Terms, factors: Sequence[int]) -> list[int]:
        """Return the order in which two factors are a column times a row: each meets each.

        Where both have other axes in front, as the positions of a sequence, it is the sum of the
        products of all columns. Of neither order if they do not meet so.
        """
        if not all(self.groups[terms.groups[f]].varies for f in factors):
            return []
        if terms.positions.shape[1] == 1:
            met = [len(set(terms.positions[:, 0, f].tolist())) for f in factors]
            first = terms.groups[factors[0]]
            known = first not in self.reverse or self.groups[first].kind == INPUT
            return [known, not known] if met[0] * met[1] == len(terms.positions) else []
        loops = self.loops(group, terms)
        if len(loops.axes) != 2 or loops.bounds != []:
            return []
        runs = [*range(loops.members, len(loops.variables))]
        ways = [[*runs, *[v for v, _ in form.parts]] for form in loops.axes]
        forms = [loops.forms[f] or () for f in factors]
        used = [[form.runs_along for form in own] for own in forms]
        return [0, 1] if used == ways else [1, 0] if used == ways[::-1] else []

    def is_product(self, g: int) -> bool:
        """Return whether a group without a name is a matrix product."""
        group = self.groups[g]
        return g not in self.name and any(self.weight(group, t) is not None for t in group.terms)

    def _narrow_product(self, group: Group, terms: Terms, factors: list[int]) -> Written | None:
        """Theta' delta for a layer of width 1, where it is no sum: two factors among others."""
        deltas = [f for f in factors if self.name.get(terms.groups[f], "").startswith("delta")]
        weights = [f for f in factors if self.groups[terms.groups[f]].kind == PARAMETERS]
        if group.summed or len(deltas) != 1 or len(weights) != 1:
            return None
        factors.remove(deltas[0])
        factors.remove(weights[0])
        matrix, transposed = self._matrix(group, terms, weights[0])
        return self.style.matrix_product(matrix, transposed, self.whole(terms.groups[deltas[0]]))

    # Factors -----------------------------------------------------------------------------------

    def whole(self, g: int) -> Written:
        """Write all of a group."""
        group = self.groups[g]
        if group.kind == INPUT:
            return Written(self.style.name(group.name or "seed"), ATOM, 1)
        return self.written[g]

    def factor(self, group: Group, terms: Terms, f: int) -> Written:
        """Write a factor of the terms of a group: which elements of what."""
        g = terms.groups[f]
        kind = self.groups[g].kind
        if kind == CONSTANTS:
            return self.constant(terms, f)
        if kind == PARAMETERS:
            places = terms.positions[:, :, f]
            permuted = np.unique(places).size == places.size
            return self._parameters(places.reshape(-1, 1) if permuted else np.unique(places))
        index = self._index(group, terms, f)
        if index and g not in self.name and isinstance(self.groups[g].op, Chosen):
            places = np.unique(terms.positions[:, :, f])
            if index != OTHER and len(places) > 1:
                return self.of_group(self.groups[g].only(places.tolist()))
        return self.part(self.whole(g), index)

    def _index(self, group: Group, terms: Terms, f: int) -> str:
        """Write the index of a factor, "" for all elements or where they are broadcast."""
        g = terms.groups[f]
        source = self.groups[g]
        size = len(source.members)
        if source.kind == INPUT:
            size = self.lifted.tape.columns[source.name]
        text = index_text(terms.positions[:, :, f], size)
        if not text or (text != OTHER and len(self.axes.of[g]) < 2):
            return text
        slices = self.loops(group, terms).slices(f)
        return text if slices is None else slices

    def _parameters(self, places: Any) -> Written:
        """Write parameters, or rows of them, in the order in which they are used."""
        name = self.names.display(np.unique(places).tolist(), self.style)
        return self.part(Written(name, ATOM, 1), order_text(places))

    def part(self, whole: Written, index: str) -> Written:
        """Write elements of what is written."""
        return self.style.taken(whole, Written(index, ATOM, 0)) if index else whole

    def constant(self, terms: Terms, f: int) -> Written:
        """Write a number, or c for several."""
        places = {int(i) for i in terms.positions[:, :, f].reshape(-1)}
        numbers = list(self.lifted.tape.constants.values())
        if len(places) > 1:
            return Written(self.style.name("c"), ATOM, 1)
        return self.style.number(numbers[places.pop()])

    def _matrix(self, group: Group, terms: Terms, at: int) -> tuple[str, bool]:
        """Return the name of a matrix of parameters, and whether it is transposed."""
        table = terms.positions[:, :, at]
        ranks = sorted({int(r) for r in table.reshape(-1)})
        rows = [int(table[0, 0]), int(table[-1, 0])]
        columns = [int(table[0, 0]), int(table[0, -1])]
        transposed = self.names.is_transposed(ranks, rows, columns)
        if transposed is None:
            transposed = group.index in self.reverse
        return self.names.display(ranks, self.style), transposed
