"""The steps of a plan, written group by group."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from micrograd import ops
from micrograd.programs.lift.groups import Group, Terms
from micrograd.programs.lift.regularity import Nest, nest
from micrograd.programs.lower.contractions import einsum, matrix_product, outer
from micrograd.programs.lower.operands import Operands, Part, whole
from micrograd.programs.lower.ragged import as_list, as_running, as_table, by_length
from micrograd.programs.lower.strides import View, alike, along

FEW = 4  # pieces: more calls than a table takes
_SINGLE = Nest((), (), (), (), ())  # a single term of a single member has no steps


class Steps(Operands):
    """The steps of a lifted tape, forward and backward."""

    def write(self, group: Group) -> None:
        """Write the steps that compute a group."""
        if group.single and len(group.terms) == 1:
            self._plan_number(group)
        elif group.kind == "row":
            [terms] = group.terms
            found = self._regular(terms)
            out = self._all(self.storage_of[group.index], found.dims)
            self._step("row", out, self._views(terms, found), group.op)
        elif group.gradient and not self._plan_in_place(group):
            # The places are irregular: an array of its own, then number by number.
            rows = len(group.members)
            own = self._store("computed", rows, False)
            self._sum(group, own)
            places = self.lifted.position[group.members]
            self._step("put", whole(self.gradients, False, 1), (whole(own, False, rows),), places)
        elif not group.gradient:
            self._sum(group, self.storage_of[group.index])

    def _plan_number(self, group: Group) -> None:
        """Plan a group of one member, of one term, right into its place: each operand is a row."""
        [terms] = group.terms
        out, operands = self._row_view(group.members[0]), self._rows(terms)
        if group.kind == "row":
            self._step("row", out, operands, group.op)
        elif len(operands) == 1 and not group.summed:
            self._step("row", out, operands, ops.negative if terms.sign < 0 else ops.stop_gradient)
        else:
            self._value(group, _SINGLE, operands, out)
            if terms.sign < 0:
                self._step("row", out, (out,), ops.negative)

    def _plan_in_place(self, group: Group) -> bool:
        """Plan a group of gradients right into their places, if these are regular."""
        if len(group.terms) > 1 or group.terms[0].counts is not None:
            return False
        [terms] = group.terms
        places = self.lifted.position[group.members][:, None]
        count = terms.positions.shape[1]
        found = nest([*terms.tables(), np.repeat(places, count, axis=1)])
        if found is None or any(found.term_strides[-1]):
            return False
        out = View(self.gradients, False, found.bases[-1], found.dims, found.strides[-1])
        self._value(group, found, self._views(terms, found), out)
        if terms.sign < 0:
            self._step("row", out, (out,), ops.negative)
        return True

    # Sums ---------------------------------------------------------------------------------------

    def _sum(self, group: Group, storage: int) -> None:
        """Add up the types of terms: the value of each, then all together."""
        total: View | None = None
        sign = 1
        parts = self._parts(group)
        if len(parts) > 1:
            parts.sort(key=_subtracted)
        for own_sign, found, views in parts:
            if len(views) == 1 and _is_plain(group, found):
                [value] = views
            else:
                varies = not group.summed and any(view.varies for view in views)
                busy = varies != group.varies or (total is not None and total.storage == storage)
                place = self._store("computed", len(group.members), varies) if busy else storage
                value = self._all(place, found.dims)
                self._value(group, found, views, value)
            if total is None:
                total, sign = value, own_sign
                continue
            op = group.op if group.op is not ops.add or own_sign == sign else ops.subtract
            if total.dims != value.dims:
                total, value = alike(total, value)
            out = total if total.storage == storage else self._all(storage, total.dims)
            self._step("row", out, (total, value), op)
            total = out
        assert total is not None
        if sign < 0 or total.storage != storage:
            out = self._all(storage, total.dims)
            self._step("row", out, (total,), ops.negative if sign < 0 else ops.stop_gradient)

    def _parts(self, group: Group) -> list[Part]:
        """Return the terms of each type, with their steps."""
        if group.single:
            return [(terms.sign, _SINGLE, self._rows(terms)) for terms in group.terms]
        plain: list[Terms] = []
        parts: list[Part] = []
        for terms in map(partial(self._even, group), group.terms):
            if group.summed or terms.positions.shape[1] > 1:
                found = self._regular(terms)
                parts.append((terms.sign, found, self._views(terms, found)))
            else:
                plain.append(terms)
        return parts + self._jointly_regular(plain) if plain else parts

    def _even(self, group: Group, terms: Terms) -> Terms:
        """Return terms of one number for each member; those of unlike numbers are added up first.

        A term that is repeated does not matter to a maximum.
        """
        if terms.counts is None or group.op is not ops.add:
            return terms
        members = len(group.members)
        sources = [self.storages[self._source(terms, f)] for f in range(len(terms.groups))]
        varies = not group.summed and any(source.varies for source in sources)
        sums = self._store("computed", members, varies)
        ways = (self._sum_running, self._sum_pieces, self._sum_table)
        next(way for way in ways if way(group, terms, sums))
        even = Terms(terms.sign, terms.groups[:1])
        even.positions = np.arange(members).reshape(-1, 1, 1)
        even.gathered = {0: sums}
        return even

    def _sum_pieces(self, group: Group, terms: Terms, sums: int) -> bool:
        """Sum the members of each length by themselves, if most terms are in regular pieces."""
        if len(np.unique(terms.counts)) > FEW:
            return False
        pieces: list[tuple[Terms, Any, Nest | None]] = []
        regular = 0
        for piece, places in by_length(terms):
            repeated = np.broadcast_to(places[:, None], piece.positions.shape[:2])
            found = nest([*piece.tables(), repeated])
            regular += 0 if found is None else repeated.size
            pieces.append((piece, places, found))
        if 2 * regular < terms.counts.sum():
            return False
        varies = self.storages[sums].varies
        for piece, places, found in pieces:
            if found is not None:
                out = View(sums, varies, found.bases[-1], found.dims, found.strides[-1])
                self._value(group, found, self._views(piece, found), out)
                continue
            found, rows = self._regular(piece), len(places)
            own = self._store("computed", rows, varies)
            self._value(group, found, self._views(piece, found), self._all(own, found.dims))
            self._step("put", whole(sums, varies, 1), (whole(own, varies, rows),), places)
        return True

    def _sum_running(self, group: Group, terms: Terms, sums: int) -> bool:
        """Compute running sums of the longest, and take those of the others from them."""
        running = as_running(terms)
        if running is None:
            return False
        table, count, places = running
        found, rows, varies = self._regular(table), len(table.positions), self.storages[sums].varies
        own, added = (self._store("computed", rows, varies) for _ in range(2))
        self._value(group, found, self._views(table, found), self._all(own, found.dims))
        by_step = (rows // count, count)
        self._step("running", self._all(added, by_step), (self._all(own, by_step),), None)
        out = whole(sums, varies, len(group.members))
        self._step("take", out, (whole(added, varies, rows),), places)
        return True

    def _sum_table(self, group: Group, terms: Terms, sums: int) -> bool:
        """Compute the terms one by one, and add up those of each member."""
        table, places = as_list(terms) if group.summed else as_table(terms)
        found, rows, varies = self._regular(table), len(table.positions), self.storages[sums].varies
        own = self._store("computed", rows, varies)
        self._value(group, found, self._views(table, found), self._all(own, found.dims))
        out = whole(sums, varies, len(group.members))
        if group.summed:
            self._step("segments", out, (whole(own, varies, rows),), places)
            return True
        self._step("clear", whole(own, varies, rows), (), places)
        members = len(group.members)
        view = View(own, varies, 0, (members, rows // members), (1, members))
        self._step("sum", out, (view,), (ops.add, 1))
        return True

    # One type of terms -------------------------------------------------------------------------

    def _value(self, group: Group, found: Nest, views: Sequence[View], out: View) -> None:
        """Sum the products of factors over the terms of one type."""
        if group.op is not ops.add:
            self._step("sum", out, views, (group.op, len(found.term_dims)))
            return
        if _is_plain(group, found):
            self._product_of(out, views)
            return
        varying = [v for v in views if v.varies]
        if not group.summed and len(views) == 2 and len(varying) == 1:
            self.steps.append(matrix_product(out, found, views))
        elif group.summed and len(views) == 2 and len(varying) == 2:
            self.steps.append(outer(out, found, views))
        elif len(views) == 1:
            self._step("sum", out, views, (ops.add, len(found.term_dims)))
        else:
            self.steps.append(einsum(out, found, views))

    def _product_of(self, out: View, views: Sequence[View]) -> None:
        if len(views) == 1:
            self._step("row", out, views, ops.stop_gradient)
            return
        if not out.dims and len(views) == 2:
            self._step("row", out, views, ops.multiply)
            return
        # What is repeated along some dimension comes last: it is cheaper by whole rows.
        first, *rest = sorted(views, key=_repeated)
        if len(out.dims) == 1:
            moving = [v for v in views if not v.varies and v.strides and 0 not in v.strides]
            still = [v for v in views if v.varies and not any(v.strides)]
            if moving and still:
                # A column times a row, as w' delta of a layer of one neuron, is a matrix product.
                self._step("product", out, (moving[0], along(still[0], [])), (0, 1, 0))
                rest = [v for v in [first, *rest] if v is not moving[0] and v is not still[0]]
                first = out
        for view in rest:
            self._step("row", out, (first, view), ops.multiply)
            first = out


def _subtracted(part: Part) -> bool:
    return part[0] < 0


def _repeated(view: View) -> tuple[bool, bool]:
    return not view.varies, 0 in view.strides


def _is_plain(group: Group, found: Nest) -> bool:
    """Return whether each member has one term of this type, so that nothing is summed."""
    return not group.summed and not found.term_dims
