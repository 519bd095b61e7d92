"""Check that a plan reads what it wrote: follow its steps on marks instead of numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from micrograd.programs.api import Program
from micrograd.programs.lift.groups import CONSTANTS, INPUT, PARAMETERS
from micrograd.programs.lift.lifted import Lifted
from micrograd.programs.lower.plan import Plan
from micrograd.programs.lower.strides import Step, View


def assert_plans_hold(traced: Program) -> None:
    """Check the plan of each path that a program has traced, and of its guards."""
    assert traced._known.version is not None
    for paths in traced._known.version.paths.values():
        for path in paths.found:
            _Marks(path.conditions.plan).follow()
            marks = _Marks(path.program.plan)
            marks.follow()
            parameters = path.program.parameters
            lifted = Lifted(path.tape, path.outputs, [], path.slopes, parameters, {})
            assert marks.gradients() == set(lifted.gradients)


class _Marks:
    """The contents of each row of memory: the storage it was written for, and the row there."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._memories = [np.full((rows, 2), -1) for rows in plan.memories]
        self._buffers = []
        for index, storage in enumerate(plan.storages):
            own = np.full((storage.rows + storage.ones, 2), -1)
            self._buffers.append(own if storage.memory is None else self._memories[storage.memory])
            if storage.kind in (PARAMETERS, CONSTANTS, INPUT):
                self._write(index, np.arange(storage.rows))
            if storage.ones:
                self._write(index, np.array([storage.rows]))

    def follow(self) -> None:
        """Run two calls, the first with two backward passes, and check all that is read."""
        for steps in ("forward", "backward", "backward", "forward", "backward"):
            for step in getattr(self.plan, steps):
                for storage, rows in _read(step):
                    self._check(storage, rows)
                self._write(*_written(step))
            for storage, row in self.plan.outputs if steps == "forward" else ():
                self._check(storage, np.array([row]))
            for storage, rows, _ in self.plan.guards if steps == "forward" else ():
                self._check(storage, rows)
            for storage, _, rows in self.plan.copied if steps == "backward" else ():
                self._check(storage, rows)

    def gradients(self) -> set[int]:
        """Return the parameters whose gradients were written."""
        found = {int(row) for storage, row in self._buffers[self.plan.gradients] if storage >= 0}
        return found.union(*(ranks.tolist() for _, ranks, _ in self.plan.copied))

    def _check(self, storage: int, rows: Any) -> None:
        found = self._buffers[storage][rows]
        assert (found == np.stack([np.full_like(rows, storage), rows], -1)).all(), (
            f"rows {rows} of storage {storage} hold {found}"
        )

    def _write(self, storage: int, rows: Any) -> None:
        self._buffers[storage][rows] = np.stack([np.full_like(rows, storage), rows], -1)


def _read(step: Step) -> Iterator[tuple[int, Any]]:
    for view in step.operands:
        if step.kind == "take":
            assert step.detail.max() < view.dims[0]
            yield view.storage, step.detail
        else:
            yield view.storage, _rows(view)


def _written(step: Step) -> tuple[int, Any]:
    return step.out.storage, step.detail if step.kind in ("put", "clear") else _rows(step.out)


def _rows(view: View) -> Any:
    rows = np.array(view.base)
    for dim, stride in zip(view.dims, view.strides):
        rows = rows[..., None] + stride * np.arange(dim)
    return rows.reshape(-1)
