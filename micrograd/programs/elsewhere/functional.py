"""A plan as a pure function of arrays: each step makes a new one, and nothing is written into.

What can be known before there are numbers is worked out once (pieces.py): which array each step
makes, and how it reads the others. What is left is a list of instructions, each a call or two of
the array library, so that a compiler such as JAX's sees the program as if it was written by hand.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from micrograd.programs.elsewhere.pieces import Piece, Run
from micrograd.programs.elsewhere.steps import Instructions
from micrograd.programs.elsewhere.sums import numbers_of
from micrograd.programs.lift.groups import CONSTANTS, INPUT, PARAMETERS
from micrograd.programs.lower.plan import Plan


class Functional(Instructions):
    """The instructions for a plan, forward and backward."""

    def __init__(self, plan: Plan, parameters: int) -> None:
        super().__init__(plan)
        pieces = self._pieces
        zero = pieces.add((1,), False, _zero)
        seeds: list[tuple[int, Any]] = []
        for index, storage in enumerate(plan.storages):
            rows = range(storage.rows)
            if storage.kind == PARAMETERS:
                given = pieces.add((storage.rows,), False, lambda run: run.parameters)
                pieces.put(index, rows, given)
            elif storage.kind == CONSTANTS:
                self._constants = index
                given = pieces.add((storage.rows,), False, numbers_of(np.array(plan.constants)))
                pieces.put(index, rows, given)
            elif storage.kind == INPUT and storage.name:
                given = pieces.add((storage.rows,), True, _input(storage.name, storage.rows))
                pieces.put(index, rows, given)
            elif storage.kind == INPUT:
                seeds.append((index, rows))
            elif not storage.varies:
                pieces.put(index, rows, zero)
            if storage.ones:
                pieces.put(index, [storage.rows], pieces.add((1,), True, _ones))
        for step in plan.forward:
            self._write(step)
        self.outputs: list[Piece] = [
            pieces.rows([place], self._varies(place)) for place in plan.outputs
        ]
        self._guards: list[tuple[Piece, Any]] = []
        for storage, of_storage, places in plan.guards:
            rows_read = [(storage, int(row)) for row in of_storage]
            varies = plan.storages[storage].varies
            self._guards.append((pieces.rows(rows_read, varies), places))
        self.forward_end: int = len(pieces.instructions)
        for index, rows in seeds:
            given = pieces.add((len(rows),), True, _seeds(len(rows)))
            pieces.put(index, rows, given)
        for step in plan.backward:
            self._write(step)
        for storage, places, numbers in plan.copied:
            pieces.move(plan.gradients, places, storage, numbers)
        whole = [(plan.gradients, row) for row in range(parameters)]
        self.gradient: Piece | None = pieces.rows(whole, False) if whole else None

    def _varies(self, place: tuple[int, int]) -> bool:
        return self._plan.storages[place[0]].varies

    # Running --------------------------------------------------------------------------------------

    def forward(self, run: Run) -> tuple[list[Any], list[Any]]:
        """Compute the results, each of shape (n,), and the guards, each (n,) or ()."""
        run.go(self._pieces.instructions[: self.forward_end])
        values = [self._examples(run, piece) for piece in self.outputs]
        guards: list[Any] = [None] * self._plan.count_guards
        for piece, places in self._guards:
            for row, place in enumerate(places):
                guards[place] = run.arrays[piece.slot][row, ...] != 0
        return values, guards

    def _examples(self, run: Run, piece: Piece) -> Any:
        row = run.arrays[piece.slot][0, ...]
        return row if piece.varies else run.xp.broadcast_to(row, (run.n,))

    def backward(self, run: Run, seeds: Any) -> Any:
        """Compute the gradients of the parameters, after `forward`, for seeds of shape (k, n)."""
        run.seeds = seeds
        del run.arrays[self.forward_end :]
        run.go(self._pieces.instructions[self.forward_end :])
        if self.gradient is None:
            return run.xp.zeros((0,), dtype=run.dtype, device=run.device)
        return run.arrays[self.gradient.slot]


def _zero(run: Run) -> Any:
    return run.xp.zeros((1,), dtype=run.dtype, device=run.device)


def _ones(run: Run) -> Any:
    return run.xp.ones((1, run.n), dtype=run.dtype, device=run.device)


def _input(name: str, rows: int) -> Any:
    return lambda run: run.given[name][:rows, ...]


def _seeds(rows: int) -> Any:
    return lambda run: run.seeds[:rows, ...]
