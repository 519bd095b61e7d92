"""Plans: a lifted tape as steps on strided views, each one call of the array library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from micrograd import ops
from micrograd.programs.lift.fuse_bias import absorb
from micrograd.programs.lift.groups import CONSTANTS, INPUT, PARAMETERS, Group, Lifted, Terms
from micrograd.programs.lift.regularity import Nest, nest
from micrograd.programs.lower.buffers import share
from micrograd.programs.lower.contractions import einsum, matrix_product, outer
from micrograd.programs.lower.strides import Step, View, alike, along, contiguous

SHORT = 8  # numbers of an example: to turn so few round costs less than to read them as given


class Storage:
    """An array of rows: one number each, or one per example."""

    ones = False  # whether a row of ones is added behind
    by_example = False  # whether an example's numbers lie side by side, as they are given
    memory: int | None = None  # which one it shares with others; None if it has its own

    def __init__(self, kind: str, rows: int, varies: bool, name: str = "") -> None:
        self.kind = kind  # PARAMETERS, CONSTANTS, INPUT, "gradients" or "computed"
        self.rows = rows
        self.varies = varies
        self.name = name


# The terms of one type in a sum: their sign, their steps, and their factors.
Part = tuple[int, Nest, tuple[View, ...]]
# A program without structure has a view and a step for each of its numbers: these are made as
# tuples, in less than half the time that it takes to call their class.
_new = tuple.__new__
_SINGLE = Nest((), (), (), (), ())  # a single term of a single member has no steps


class Plan:
    """The storages and steps of a lifted tape; `forward` ends where the outputs are known."""

    def __init__(self, lifted: Lifted, truths: Sequence[bool] = ()) -> None:
        self.lifted = lifted
        self.storages: list[Storage] = []
        self.storage_of: list[int] = []  # by group
        self.forward: list[Step] = []
        self.backward: list[Step] = []
        self._taken: dict[tuple[bool, int, bytes], int] = {}  # what was gathered, and where it is
        self._row_views: list[View | None] = [None] * len(lifted.group_of)  # by node
        self.constants: list[float] = list(lifted.tape.constants.values())
        self._leaves = {
            PARAMETERS: self._store(PARAMETERS, lifted.parameters, False),
            CONSTANTS: self._store(CONSTANTS, len(self.constants), False),
        }
        self.gradients: int = self._store("gradients", lifted.parameters, False)
        needed = self._needed_for_outputs()
        ones = absorb(lifted)
        for group in lifted.groups:
            self.storage_of.append(self._storage(group))
            self.storages[self.storage_of[-1]].ones |= group.index in ones
            self.steps: list[Step] = self.forward if group.index in needed else self.backward
            if group.terms and group.members:
                self._plan(group)
        self._lay_out_inputs()
        self._read_outputs(truths)
        copied = self._elsewhere()
        self.copied = [(s, *np.array(pairs).T) for s, pairs in copied.items()]
        self.memories: list[int] = share(self.storages, *self._lifetimes(copied))
        # The plan is complete: what it was made from is much, and not needed any more.
        del self.lifted, self.storage_of, self._leaves, self._taken, self._row_views

    def _read_outputs(self, truths: Sequence[bool]) -> None:
        """Tell where the results stand, and, by storage, the guards, which come behind them."""
        rows = [self._row(i) for i in self.lifted.outputs]
        self.count_guards: int = len(truths)
        self.outputs: list[tuple[int, int]] = rows[: len(rows) - len(truths)]
        self.truths = np.array(truths, bool)[:, None]
        by_storage: dict[int, list[tuple[int, int]]] = {}
        for place, (storage, row) in enumerate(rows[len(self.outputs) :]):
            by_storage.setdefault(storage, []).append((row, place))
        self.guards = [(s, *np.array(pairs).T) for s, pairs in by_storage.items()]

    def _storage(self, group: Group) -> int:
        """Where the members of a group are kept."""
        if group.gradient:
            return self.gradients
        if group.terms:
            return self._store("computed", len(group.members), group.varies)
        if group.kind in self._leaves:
            return self._leaves[group.kind]
        rows = int(self.lifted.position[group.members].max()) + 1
        return self._store(INPUT, rows, True, group.name)

    def _elsewhere(self) -> dict[int, list[tuple[int, int]]]:
        """Return the gradients without a group of their own: by storage, places and rows."""
        found: dict[int, list[tuple[int, int]]] = {}
        lifted = self.lifted
        rows = lifted.position.take(list(lifted.gradients.values())).tolist()
        for (rank, i), row in zip(lifted.gradients.items(), rows):
            group = lifted.groups[lifted.group_of[i]]
            if not group.gradient or row != rank:
                found.setdefault(self.storage_of[group.index], []).append((rank, row))
        return found

    def _store(self, kind: str, rows: int, varies: bool, name: str = "") -> int:
        self.storages.append(Storage(kind, rows, varies, name))
        return len(self.storages) - 1

    def _needed_for_outputs(self) -> set[int]:
        needed = {self.lifted.group_of[i] for i in self.lifted.outputs}
        for group in reversed(self.lifted.groups):
            if group.index in needed:
                for terms in group.terms:
                    needed.update(terms.groups)
        return needed

    def _lay_out_inputs(self) -> None:
        """Leave inputs as they are given where only matrix products read them, if they are long."""
        inputs = {i: s for i, s in enumerate(self.storages) if s.kind == INPUT}
        for storage in inputs.values():
            storage.by_example = storage.rows > SHORT
        for step in [*self.forward, *self.backward]:
            for view in step.operands:
                if view.storage in inputs and not _as_matrix(step):
                    inputs[view.storage].by_example = False

    def _lifetimes(self, copied: Iterable[int]) -> tuple[list[Step], dict[int, int]]:
        """All steps, and until when what is read from outside must stay."""
        steps = [*self.forward, *self.backward]
        needed = {storage: len(self.forward) for storage, _ in self.outputs}
        needed |= {storage: len(self.forward) for storage, *_ in self.guards}
        for step in self.backward:  # which may be taken again
            for view in step.operands:
                needed[view.storage] = len(steps)
        for step in self.backward:
            needed.pop(step.out.storage, None)
        return steps, needed | dict.fromkeys(copied, len(steps))

    def _row(self, i: int) -> tuple[int, int]:
        """Return the storage of a node, and its row there."""
        return self.storage_of[self.lifted.group_of[i]], self.lifted.position.item(i)

    # One group ---------------------------------------------------------------------------------

    def _plan(self, group: Group) -> None:
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
            self._step("put", _whole(self.gradients, False, 1), (_whole(own, False, rows),), places)
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
        if len(group.terms) > 1:
            return False
        [terms] = group.terms
        places = self.lifted.position[group.members][:, None]
        count = terms.positions.shape[1]
        found = nest([*_tables(terms), np.repeat(places, count, axis=1)])
        if found is None or any(found.term_strides[-1]):
            return False
        out = View(self.gradients, False, found.bases[-1], found.dims, found.strides[-1])
        self._value(group, found, self._views(terms, found), out)
        if terms.sign < 0:
            self._step("row", out, (out,), ops.negative)
        return True

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
        for terms in group.terms:
            if group.summed or terms.positions.shape[1] > 1:
                found = self._regular(terms)
                parts.append((terms.sign, found, self._views(terms, found)))
            else:
                plain.append(terms)
        return parts + self._jointly_regular(plain) if plain else parts

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

    def _regular(self, terms: Terms) -> Nest:
        """Return the strides of the operands; what has none is gathered into its own array."""
        found = nest(_tables(terms))
        if found is None:
            for f, table in enumerate(_tables(terms)):
                if nest([table]) is None:
                    self._gather(terms, f)
            found = nest(_tables(terms))
        if found is None:
            for f in range(len(terms.groups)):
                self._gather(terms, f)
            found = nest(_tables(terms))
        assert found is not None
        return found

    def _jointly_regular(self, several: Sequence[Terms]) -> list[Part]:
        """Do the same for several types of single terms, with strides by the same dimensions."""
        tables = [table for terms in several for table in _tables(terms)]
        found = nest(tables)
        if found is None:
            for terms in several:
                for f, table in enumerate(_tables(terms)):
                    if nest([table, np.arange(len(table))[:, None]]) is None:
                        self._gather(terms, f)
            found = nest([table for terms in several for table in _tables(terms)])
        if found is None:
            for terms in several:
                for f in range(len(terms.groups)):
                    self._gather(terms, f)
            found = nest([table for terms in several for table in _tables(terms)])
        assert found is not None
        parts = []
        at = 0
        for terms in several:
            span = slice(at, at + len(terms.groups))
            own = Nest(
                found.bases[span], found.dims, found.strides[span], (), ((),) * len(terms.groups)
            )
            parts.append((terms.sign, own, self._views(terms, own)))
            at += len(terms.groups)
        return parts

    def _gather(self, terms: Terms, f: int) -> None:
        index = terms.positions[:, :, f].reshape(-1)
        gathered = self._take(self._source(terms, f), index)
        terms.positions = terms.positions.copy()
        terms.positions[:, :, f] = np.arange(len(index)).reshape(terms.positions.shape[:2])
        terms.gathered = {**terms.gathered, f: gathered}

    def _source(self, terms: Terms, f: int) -> int:
        """Return the storage of a factor."""
        return terms.gathered.get(f, self.storage_of[terms.groups[f]])

    def _take(self, source: int, index: Any) -> int:
        """Return the storage of these rows; backward also uses what forward has gathered."""
        forward = self.steps is self.forward
        known = [(True, source, index.tobytes()), (forward, source, index.tobytes())]
        for key in known:
            if key in self._taken:
                return self._taken[key]
        varies, rows = self.storages[source].varies, self.storages[source].rows
        gathered = self._taken[known[-1]] = self._store("computed", len(index), varies)
        out = _whole(gathered, varies, len(index))
        self._step("take", out, (_whole(source, varies, rows),), index)
        return gathered

    def _views(self, terms: Terms, found: Nest) -> tuple[View, ...]:
        views = []
        dims = found.dims + found.term_dims
        for f in range(len(terms.groups)):
            source = self._source(terms, f)
            varies = self.storages[source].varies
            strides = found.strides[f] + found.term_strides[f]
            views.append(View(source, varies, found.bases[f], dims, strides))
        return tuple(views)

    def _rows(self, terms: Terms) -> tuple[View, ...]:
        """Return the operands of a single term."""
        known = self._row_views
        return tuple([known[i] or self._row_view(i) for i in terms.flat])

    def _row_view(self, i: int) -> View:
        """Return the row of a node."""
        storage = self.storage_of[self.lifted.group_of[i]]
        row = self.lifted.position.item(i)
        varies = self.storages[storage].varies
        view = self._row_views[i] = _new(View, (storage, varies, row, (), ()))
        return view

    def _all(self, storage: int, dims: tuple[int, ...]) -> View:
        """All rows of a storage, by these dimensions."""
        varies = self.storages[storage].varies
        return _new(View, (storage, varies, 0, dims, contiguous(dims) if dims else ()))

    def _step(self, kind: str, out: View, operands: Sequence[View], detail: Any) -> None:
        self.steps.append(_new(Step, (kind, out, tuple(operands), detail)))


def _subtracted(part: Part) -> bool:
    return part[0] < 0


def _repeated(view: View) -> tuple[bool, bool]:
    return not view.varies, 0 in view.strides


def _as_matrix(step: Step) -> bool:
    """Return whether it reads its operands as BLAS does, examples first or last."""
    return step.kind == "outer" or (step.kind == "product" and step.detail[2] == 1)


def _is_plain(group: Group, found: Nest) -> bool:
    """Return whether each member has one term of this type, so that nothing is summed."""
    return not group.summed and not found.term_dims


def _tables(terms: Terms) -> list[Any]:
    return [terms.positions[:, :, f] for f in range(len(terms.groups))]


def _whole(storage: int, varies: bool, rows: int) -> View:
    return View(storage, varies, 0, (rows,), (1,))
