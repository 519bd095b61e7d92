"""Rolling: a function that does the same again and again is one step, and how often it is done.

The steps of an integrator, of a recurrent network, or equal layers stand on the tape one behind the
other, as nodes of the same operations in the same order, a period apart. An operand is then a node
of the same step or of one before it, at a constant distance; or a node that stands still, from
outside; or a leaf, of which each step may have another one (the t-th layer's weights, `x[t]`).

What one step hands to the next is its state. A loop begins where the fewest numbers are handed on.
"""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd import ops
from micrograd.ops import Op
from micrograd.programs.loops.loop import FEWEST, Loop, leaf_kind
from micrograd.programs.loops.steps import least_handed_on
from micrograd.programs.trace.tape import Tape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

LEAST = 3  # of which the first and the last may be written in another order
WIDEST = 4  # operands of a node in a loop
TRIED = 12  # periods
SHORTEST = 0.5  # of what is computed, the part in the loop

_PLAIN = (ops.add, ops.subtract, ops.negative, ops.multiply, ops.divide)


def find_loop(tape: Tape, roots: Sequence[int]) -> Loop | None:
    """Find the loop that most of what the roots are made of is computed in, if there is one."""
    heights = _heights(tape, roots)
    nodes = [i for i, height in enumerate(heights) if height]
    if len(nodes) < FEWEST or max([len(tape.operands[i]) for i in nodes]) > WIDEST:
        return None
    # As it was traced; or everything as late as may be, so that a step is not begun before another.
    order = np.array(nodes)
    late = order[np.argsort([-heights[i] for i in nodes], kind="stable")]
    loop = _in_order(tape, order)
    return loop if loop is not None else _in_order(tape, late)


def _in_order(tape: Tape, nodes: Column) -> Loop | None:
    table = _Table(tape, nodes)
    found = [run for period in table.periods() if (run := table.run(period)) is not None]
    best = max(found, key=lambda run: (run.steps * run.period, -run.period), default=None)
    if best is None or best.steps * best.period < SHORTEST * len(nodes):
        return None
    nodes, steps = table.handed_on_whole(best)
    loop = Loop(tape, nodes, best.period, steps)
    return loop if loop.is_worth_it and loop.is_exact else None


def _heights(tape: Tape, roots: Sequence[int]) -> list[int]:
    """Return how far it is from each node to a root, from 1; 0 for what does not vary or count."""
    heights = [0] * len(tape.ops)
    for root in roots:
        heights[root] = 1
    for i in range(len(heights) - 1, -1, -1):
        if not tape.varies[i] or tape.ops[i] is None:
            heights[i] = 0
        if heights[i]:
            for x in tape.operands[i]:
                heights[x] = max(heights[x], heights[i] + 1)
    return heights


class _Run(NamedTuple):
    """Steps of nodes that are alike."""

    period: int
    start: int
    steps: int


class _Table:
    """The operations of nodes, and their operands: places among the nodes, or what is outside."""

    def __init__(self, tape: Tape, nodes: Column) -> None:
        width = max([len(tape.operands[i]) for i in nodes])
        numbers: dict[Op | None, int] = {}
        self.nodes = nodes
        self._ops = np.array([numbers.setdefault(tape.ops[i], len(numbers)) for i in nodes])
        self._plain = {number for op, number in numbers.items() if op in _PLAIN}
        place = np.full(len(tape.ops), -1)
        place[nodes] = np.arange(len(nodes))
        operands = np.full((len(nodes), width), -1)
        for row, i in enumerate(nodes.tolist()):
            own = tape.operands[i]
            operands[row, : len(own)] = own
        kinds = np.array([leaf_kind(tape, i) for i in range(len(tape.ops))] + [4])
        # What is outside is negative, -2 for the first node of the tape; -1 is none.
        self._operands = np.where(operands < 0, -1, place[operands])
        outside = (operands >= 0) & (self._operands < 0)
        self._operands[outside] = -2 - operands[outside]
        self._kinds = kinds[operands]

    def periods(self) -> list[int]:
        """Return the distances at which most nodes are followed by one that is alike."""
        here = np.arange(len(self._ops))[:, None]
        apart = np.where(self._operands >= 0, here - self._operands, -1 - self._kinds)
        rows = np.column_stack([self._ops, apart])
        _, kind = np.unique(rows, axis=0, return_inverse=True)
        kind = kind.reshape(-1)
        order = np.argsort(kind, kind="stable")
        gaps = np.diff(order)[np.diff(kind[order]) == 0]
        counts = np.bincount(gaps, minlength=1)
        most = np.argsort(-counts, kind="stable")[:TRIED]
        found = [int(gap) for gap in most if counts[gap] and gap]
        return [*found, *[2 * gap for gap in found]]  # of two steps, where one looks back at two

    def run(self, period: int) -> _Run | None:
        """Return the steps of a period, if there are some, each handing on to the next alone."""
        start, stop = self.longest(period)
        if stop - start < LEAST * period:
            return None
        start += self.first_place(start, period)
        count = (stop - start) // period
        if count < LEAST or self.deepest(start, period) > 1:
            return None
        return _Run(period, start, count)

    def longest(self, period: int) -> tuple[int, int]:
        """Return where the longest run of alike steps begins and ends."""
        alike = self._ops[period:] == self._ops[:-period]
        for x, y, kind, other in zip(
            self._operands[:-period].T,
            self._operands[period:].T,
            self._kinds[:-period].T,
            self._kinds[period:].T,
        ):
            moved = (x >= 0) & (y - x == period)
            alike &= moved | (x == y) | ((x < -1) & (y < -1) & (kind == other) & (kind > 0))
        edges = np.flatnonzero(np.diff(np.concatenate([[False], alike, [False]])))
        starts, stops = edges[::2], edges[1::2]
        if not len(starts):
            return 0, 0
        at = int((stops - starts).argmax())
        return int(starts[at]), int(stops[at]) + period

    def _distances(self, start: int, period: int) -> Column:
        """Return how far behind a step's nodes their operands are, 0 for what stands still."""
        step = np.arange(start + period, start + 2 * period)
        x, y = self._operands[step - period], self._operands[step]
        return np.where((y >= 0) & (x != y), step[:, None] - y, 0)

    def first_place(self, start: int, period: int) -> int:
        """Return where in the period a step should begin, so that least is handed on."""
        far = np.zeros(period, int)
        apart = self._distances(start, period)
        for column in apart.T:
            np.maximum.at(far, (np.arange(period) - column) % period, column)
        handed = np.zeros(2 * period + 1, int)
        short = np.minimum(far, period)
        np.add.at(handed, np.arange(period) + 1, 1)
        np.add.at(handed, np.arange(period) + short + 1, -1)
        across = handed.cumsum()[: 2 * period]
        return int((across[:period] + across[period:]).argmin())

    def handed_on_whole(self, run: _Run) -> tuple[Column, int]:
        """Return the nodes of a run step by step, and how many steps these are."""
        sources, back = self._sources(run)
        edges = [
            (place, int(s), int(b))
            for place in range(run.period)
            for s, b in zip(sources[place], back[place])
            if s >= 0
        ]
        kinds = self._ops[run.start : run.start + run.period].tolist()
        later = least_handed_on(kinds, self._plain, edges)
        order = _operands_first(edges, later)
        steps = run.steps - int(later.max()) + int(later.min())
        number = np.arange(steps)[:, None] - later.min()
        at = run.start + order + run.period * (number + later[order])
        behind = np.setdiff1d(np.arange(at.min(), len(self.nodes)), at)
        return self.nodes[np.concatenate([at.reshape(-1), behind])], steps

    def _sources(self, run: _Run) -> tuple[Column, Column]:
        """Return the places in the period of each operand, -1 if none, and how many steps back."""
        apart = self._distances(run.start, run.period)
        at = np.arange(run.period)[:, None] - apart
        return np.where(apart > 0, at % run.period, -1), -(at // run.period)

    def deepest(self, start: int, period: int) -> int:
        """Return how many steps behind the farthest operand is."""
        step = np.arange(period)[:, None]
        back = -((step - self._distances(start, period)) // period)
        return int(back.max())


def _operands_first(edges: Sequence[tuple[int, int, int]], later: Column) -> Column:
    """Return the places of a step in an order in which they can be computed."""
    needs: list[list[int]] = [[] for _ in later]
    for place, source, back in edges:
        if back - later[place] + later[source] == 0:
            needs[place].append(source)
    sorter = TopologicalSorter(dict(enumerate(needs)))
    return np.array([*sorter.static_order()])
