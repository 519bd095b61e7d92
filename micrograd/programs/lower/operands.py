"""Where operands stand: storages, strided views of them, and what has to be gathered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from micrograd.programs.lift.groups import CONSTANTS, INPUT, PARAMETERS, Group, Terms
from micrograd.programs.lift.lifted import Lifted
from micrograd.programs.lift.regularity import Nest, nest
from micrograd.programs.lower.strides import Step, View, contiguous


class Storage:
    """An array of rows: one number each, or one per example."""

    ones = False  # whether a row of ones is added behind
    by_example = False  # whether an example's numbers lie side by side, as they are given
    memory: int | None = None  # which one it shares with others; None if it has its own
    asked = False  # whether it holds guards, each once; such storages lie side by side
    temporary = False  # whether only steps read it, so that a chunk of examples will do

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


class Operands:
    """The storages of a lifted tape, and the steps that are written so far.

    `steps` are those to be added to: the forward ones, or the backward ones.
    """

    def __init__(self, lifted: Lifted) -> None:
        self.lifted: Lifted = lifted
        self.storages: list[Storage] = []
        self.storage_of: list[int] = []  # by group
        self.forward: list[Step] = []
        self.backward: list[Step] = []
        self.steps: list[Step] = self.forward
        self._taken: dict[tuple[bool, int, bytes], int] = {}  # what was gathered, and where it is
        self._row_views: list[View | None] = [None] * len(lifted.group_of)  # by node
        self._leaves = {
            PARAMETERS: self._store(PARAMETERS, lifted.parameters, False),
            CONSTANTS: self._store(CONSTANTS, len(lifted.tape.constants), False),
        }
        self.gradients: int = self._store("gradients", lifted.parameters, False)

    def _store(self, kind: str, rows: int, varies: bool, name: str = "") -> int:
        self.storages.append(Storage(kind, rows, varies, name))
        return len(self.storages) - 1

    def add_storage(self, group: Group) -> int:
        """Return the storage for the members of a group."""
        if group.gradient:
            storage = self.gradients
        elif group.terms:
            storage = self._store("computed", len(group.members), group.varies)
        elif group.kind in self._leaves:
            storage = self._leaves[group.kind]
        else:
            rows = int(self.lifted.position[group.members].max()) + 1
            storage = self._store(INPUT, rows, True, group.name)
        self.storage_of.append(storage)
        return storage

    def row(self, i: int) -> tuple[int, int]:
        """Return the storage of a node, and its row there."""
        return self.storage_of[self.lifted.group_of[i]], self.lifted.position.item(i)

    def elsewhere(self) -> dict[int, list[tuple[int, int]]]:
        """Return the gradients without a group of their own: by storage, places and rows."""
        found: dict[int, list[tuple[int, int]]] = {}
        lifted = self.lifted
        rows = lifted.position.take(list(lifted.gradients.values())).tolist()
        for (rank, i), row in zip(lifted.gradients.items(), rows):
            group = lifted.groups[lifted.group_of[i]]
            if not group.gradient or row != rank:
                found.setdefault(self.storage_of[group.index], []).append((rank, row))
        return found

    # Views --------------------------------------------------------------------------------------

    def _regular(self, terms: Terms) -> Nest:
        """Return the strides of the operands; what has none is gathered into its own array."""
        found = nest(terms.tables())
        if found is None:
            for f, table in enumerate(terms.tables()):
                if nest([table]) is None:
                    self._gather(terms, f)
            found = nest(terms.tables())
        if found is None:
            for f in range(len(terms.groups)):
                self._gather(terms, f)
            found = nest(terms.tables())
        assert found is not None
        return found

    def _jointly_regular(self, several: Sequence[Terms]) -> list[Part]:
        """Do the same for several types of single terms, with strides by the same dimensions."""
        tables = [table for terms in several for table in terms.tables()]
        found = nest(tables)
        if found is None:
            for terms in several:
                for f, table in enumerate(terms.tables()):
                    if nest([table, np.arange(len(table))[:, None]]) is None:
                        self._gather(terms, f)
            found = nest([table for terms in several for table in terms.tables()])
        if found is None:
            for terms in several:
                for f in range(len(terms.groups)):
                    self._gather(terms, f)
            found = nest([table for terms in several for table in terms.tables()])
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
        out = whole(gathered, varies, len(index))
        self._step("take", out, (whole(source, varies, rows),), index)
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


def whole(storage: int, varies: bool, rows: int) -> View:
    return View(storage, varies, 0, (rows,), (1,))
