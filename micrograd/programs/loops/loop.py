"""A loop: steps that are alike, taken down from the first two, and whether all are as these say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from micrograd import ops
from micrograd.ops import Op
from micrograd.programs.trace.tape import Tape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Column = NDArray[Any]

FEWEST = 8  # steps

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

    @property
    def is_exact(self) -> bool:
        """Whether each node of each step is just what the pattern says, which two steps gave."""
        tape = self._tape
        node = {at: i for i, at in self.of_node.items()}
        for (step, place), i in node.items():
            if tape.ops[i] is not self.ops[place]:
                return False
            if len(tape.operands[i]) != len(self.operands[place]):
                return False
            for operand, x in zip(self.operands[place], tape.operands[i]):
                if self._at(operand, step, node) != x:
                    return False
        own = all(_is_like(tape, x, y) for step in self.own for x, y in zip(step, self.own[0]))
        return own and not any(x in self.of_node for x in self._outside())

    def _at(self, operand: Operand, step: int, node: dict[tuple[int, int], int]) -> int | None:
        """Return the node of the tape that an operand is in a step."""
        kind, place = operand
        if kind == SAME:
            return node.get((step, place))
        if kind == STATE:
            return node.get((step - 1, self.state[place])) if step else self.before[place]
        return place if kind == OUTSIDE else self.own[step][place]

    def _outside(self) -> Iterator[int]:
        """Yield all that is given to the loop: it may not be of one of its steps."""
        yield from self.before
        for step in self.own:
            yield from step
        for operands in self.operands:
            yield from [place for kind, place in operands if kind == OUTSIDE]


def _is_like(tape: Tape, x: int, y: int) -> bool:
    """Return whether two leaves are of one kind."""
    return leaf_kind(tape, x) == leaf_kind(tape, y) != 0


def leaf_kind(tape: Tape, i: int) -> int:
    """Return a number for each kind of leaf; 0 for what is computed."""
    if tape.ops[i] is not None:
        return 0
    return 1 if i in tape.constants else 2 if i in tape.inputs else 3
