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
from micrograd.programs.loops.steps import least_handed_on
from micrograd.programs.trace.tape import Tape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

FEWEST = 8  # steps
LEAST = 3  # of which the first and the last may be written in another order
WIDEST = 4  # operands of a node in a loop
TRIED = 12  # periods
SHORTEST = 0.5  # of what is computed, the part in the loop

_PLAIN = (ops.add, ops.subtract, ops.negative, ops.multiply, ops.divide)

# Where an operand of a node in a step is from: a node of the step; the state; a node or leaf
# outside; a leaf of each step's own.
SAME, STATE, OUTSIDE, OWN = range(4)


class Operand(NamedTuple):
    """An operand of a node in a step: what it is, and its place in the step, state or tape."""

    kind: int
    place: int


class _Match(NamedTuple):
    """The nodes of a step, what its state was before, and the leaves of its own."""

    nodes: dict[int, int]
    state: dict[int, int]
    own: dict[int, int]


class Loop:
    """Steps that are alike: `ops` and `operands` of one of them, in order.

    `state` has the places of what is handed on, `before` the nodes of the tape that these are at
    first. `own[k]` are the leaves that belong to step k, in the order of `Operand.place`.
    """

    def __init__(self, tape: Tape, nodes: Column, period: int, count: int) -> None:
        """Take down `count` steps; those before the first of `nodes` are still unknown."""
        self.ops: list[Op] = []
        self.operands: list[list[Operand]] = []
        self.state: list[int] = []
        self.before: list[int] = []
        self.own: list[list[int]] = []
        self.of_node: dict[int, tuple[int, int]] = {}  # of the tape: the step, the place in it
        self._tape = tape
        self._take_down(nodes, period, count)
        if self._hands_on():
            while self._extend():
                pass
            behind = nodes[period * count :].tolist()
            while self._finish(behind):
                pass

    @property
    def count(self) -> int:
        """The number of steps."""
        return len(self.own)

    def _take_down(self, nodes: Column, period: int, count: int) -> None:
        tape = self._tape
        first, second = nodes[:period].tolist(), nodes[period : 2 * period].tolist()
        for place, i in enumerate(nodes[: period * count].tolist()):
            self.of_node[i] = divmod(place, period)
        seen: dict[tuple[int, int], int] = {}
        own: list[tuple[int, int]] = []  # where leaves of each step's own stand: place, operand
        for place, (i, j) in enumerate(zip(first, second)):
            op = tape.ops[i]
            assert op is not None
            found = []
            for at, (x, y) in enumerate(zip(tape.operands[i], tape.operands[j])):
                step, source = self.of_node.get(y, (-1, -1))
                if step == 1:
                    found.append(Operand(SAME, source))
                elif step == 0 and x != y:
                    if source not in self.state:
                        self.state.append(source)
                        self.before.append(-1)
                    found.append(Operand(STATE, self.state.index(source)))
                    self.before[found[-1].place] = x
                elif x == y:
                    found.append(Operand(OUTSIDE, x))
                else:
                    key = x, y
                    if key not in seen:
                        seen[key] = len(own)
                        own.append((place, at))
                    found.append(Operand(OWN, seen[key]))
            self.ops.append(op)
            self.operands.append(found)
        self._sort_state()
        for k in range(count):
            here = nodes[k * period : (k + 1) * period].tolist()
            self.own.append([tape.operands[here[place]][at] for place, at in own])

    def _sort_state(self) -> None:
        """Put the state in the order in which it was traced."""
        order = sorted(range(len(self.state)), key=self.before.__getitem__)
        rank = {k: place for place, k in enumerate(order)}
        self.state = [self.state[k] for k in order]
        self.before = [self.before[k] for k in order]
        for operands in self.operands:
            for at, (kind, place) in enumerate(operands):
                if kind == STATE:
                    operands[at] = Operand(STATE, rank[place])

    def _hands_on(self) -> bool:
        """Return whether the state is more than sums to which each step adds."""
        uses = [0] * len(self.state)
        adds = [False] * len(self.state)
        for place, operands in enumerate(self.operands):
            for operand in operands:
                if operand.kind == STATE:
                    uses[operand.place] += 1
                    adds[operand.place] |= (
                        self.ops[place] in (ops.add, ops.subtract, ops.maximum, ops.minimum)
                        and self.state[operand.place] == place
                    )
        return any(not (count == 1 and sums) for count, sums in zip(uses, adds))

    def _extend(self) -> bool:
        """Put one more step in front, whose state may begin in another way; return if it fits."""
        found = self._matched([*zip(self.state, self.before)], {})
        if found is None or len(found.state) < len(self.state) or len(found.own) < len(self.own[0]):
            return False
        self.of_node = {i: (step + 1, place) for i, (step, place) in self.of_node.items()}
        self.of_node.update({i: (0, place) for place, i in found.nodes.items()})
        self.before = [found.state[k] for k in range(len(self.state))]
        self.own.insert(0, [found.own[k] for k in range(len(found.own))])
        return True

    def _finish(self, nodes: Sequence[int]) -> bool:
        """Put one more step behind, if what is needed of it is computed in it; return if it is."""
        last = {place: i for i, (step, place) in self.of_node.items() if step == self.count - 1}
        if not last.keys() >= {*self.state}:
            return False  # the step before has already no more than what is needed
        state = {k: last[place] for k, place in enumerate(self.state)}
        own: dict[int, int] = {}
        matched: dict[int, int] = {}
        for place in self.state:
            for i in nodes:
                if i in matched.values():
                    continue  # another row of the same layer
                found = self._matched([(place, i)], state)
                if found is not None and len(found.state) == len(state):
                    matched |= found.nodes
                    own |= found.own
                    break
        if not matched or len(own) < len(self.own[0]):
            return False
        self.of_node.update({i: (self.count, place) for place, i in matched.items()})
        self.own.append([own[k] for k in range(len(own))])
        return True

    def _matched(self, todo: list[tuple[int, int]], state: dict[int, int]) -> _Match | None:
        """Find the nodes that are a step, from what it ends in; None if some are not as in it."""
        tape = self._tape
        found = _Match({}, {**state}, {})
        while todo:
            place, i = todo.pop()
            if found.nodes.setdefault(place, i) != i:
                return None
            if tape.ops[i] is not self.ops[place] or i in self.of_node:
                return None
            for operand, x in zip(self.operands[place], tape.operands[i]):
                if operand.kind == SAME:
                    if found.nodes.get(operand.place, x) != x:
                        return None
                    if operand.place not in found.nodes:
                        todo.append((operand.place, x))
                elif operand.kind == OUTSIDE:
                    if operand.place != x:
                        return None
                else:
                    known = found.state if operand.kind == STATE else found.own
                    if known.setdefault(operand.place, x) != x:
                        return None
                    if operand.kind == OWN and not _is_like(tape, x, self.own[0][operand.place]):
                        return None
        return found

    @property
    def is_worth_it(self) -> bool:
        """Whether there are enough steps, which hand something on."""
        return self.count >= FEWEST and bool(self.state) and self._hands_on()


def _is_like(tape: Tape, x: int, y: int) -> bool:
    """Return whether two leaves are of one kind."""
    return _leaf_kind(tape, x) == _leaf_kind(tape, y) != 0


def _leaf_kind(tape: Tape, i: int) -> int:
    """Return a number for each kind of leaf; 0 for what is computed."""
    if tape.ops[i] is not None:
        return 0
    return 1 if i in tape.constants else 2 if i in tape.inputs else 3


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
    return loop if loop.is_worth_it else None


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
        kinds = np.array([_leaf_kind(tape, i) for i in range(len(tape.ops))] + [4])
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
