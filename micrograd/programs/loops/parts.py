"""Parts: a function with a loop as three tapes, before it, one step of it, and behind it.

The state, and what else a part is given by another, are arguments of its tape. In reverse, what
arrives at these goes back to the part that they come from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from micrograd.engine import Value
from micrograd.programs.loops.loop import OUTSIDE, OWN, SAME, STATE, Loop
from micrograd.programs.trace.tape import Tape

Slot = tuple[str, int]  # the name of an array, and the place in it


class Part:
    """A tape of its own: what it is given, and what it gives, by name."""

    def __init__(self) -> None:
        self.tape = Tape()
        self.gives: dict[str, list[int]] = {}  # nodes
        self.takes: dict[str, list[int]] = {}  # leaves, at which something arrives in reverse

    def take(self, slot: Slot, active: bool) -> int:
        """Return a leaf for what another part gives."""
        name, place = slot
        leaf = self.tape.input(name, place, active)
        self.tape.columns[name] = max(self.tape.columns[name], place + 1)
        if active:
            self.takes.setdefault(name, []).append(leaf)
            self.takes[name].sort(key=lambda leaf: self.tape.inputs[leaf][1])
        return leaf

    @property
    def outputs(self) -> list[int]:
        """All nodes that it gives."""
        return [i for nodes in self.gives.values() for i in nodes]

    @property
    def seeds(self) -> list[Slot]:
        """What arrives at all that it gives."""
        return [(f"d_{name}", k) for name, own in self.gives.items() for k in range(len(own))]


class Parts:
    """The three parts of a tape with a loop.

    `moving` are the parameters of one step, and those of the next in their place; `beside` is what
    is used behind the loop, but for the last state.
    """

    def __init__(self, tape: Tape, outputs: Sequence[int], loop: Loop, taken: set[str]) -> None:
        self.loop = loop
        self.moving: list[tuple[Value, Value]] = []  # of a step, and of the next
        self.beside: list[int] = []  # nodes of the function
        self.own_leaves: list[int] = []  # on the tape of a step, as `Loop.own` has them
        self._tape = tape
        self._values = {i: v for v, i in tape.parameters.items()}
        self._taken = taken
        self._state = self._named("s", _colours(loop, tape))
        self._outside: dict[int, Slot] = {}
        self.last = self._last(outputs)
        self.body = self._body()
        self.first = self._first()

    def _free(self, name: str) -> str:
        while self._taken & {name, f"d_{name}"}:
            name += "_"
        return name

    def _named(self, letter: str, colours: Sequence[int]) -> list[Slot]:
        """Return a name and a place for each of what is alike."""
        places: dict[int, list[int]] = {}
        for k, colour in enumerate(colours):
            places.setdefault(colour, []).append(k)
        slots: dict[int, Slot] = {}
        for number, own in enumerate(places.values(), 1):
            name = self._free(letter if len(places) == 1 else f"{letter}{number}")
            slots.update({k: (name, place) for place, k in enumerate(own)})
        return [slots[k] for k in range(len(colours))]

    # Tapes -------------------------------------------------------------------------------------

    def _copied(
        self, part: Part, roots: Sequence[int], leaf: Callable[[int], int | None]
    ) -> list[int]:
        """Write what roots are made of on the tape of a part; `leaf` says what is given to it."""
        tape, at = self._tape, dict[int, int]()
        todo = [*reversed(roots)]
        while todo:
            i = todo[-1]
            if i in at:
                todo.pop()
                continue
            given = leaf(i)
            op = tape.ops[i]
            if given is None and op is not None:
                missing = [x for x in tape.operands[i] if x not in at]
                if missing:
                    todo += missing
                    continue
                given = part.tape.record(op, tuple([at[x] for x in tape.operands[i]]))
            at[i] = self._leaf(part, i) if given is None else given
        return [at[root] for root in roots]

    def _leaf(self, part: Part, i: int) -> int:
        """Write a leaf of the function."""
        tape = self._tape
        if i in tape.constants:
            return part.tape.constant(tape.constants[i])
        if i in self._values:
            return part.tape.parameter(self._values[i])
        name, column = tape.inputs[i]
        part.tape.columns[name] = tape.columns[name]
        known = {slot: leaf for leaf, slot in part.tape.inputs.items()}.get((name, column))
        return part.tape.input(name, column) if known is None else known

    def _last(self, outputs: Sequence[int]) -> Part:
        part, loop = Part(), self.loop
        known = dict(zip(loop.state, self._state))

        def leaf(i: int) -> int | None:
            step, place = loop.of_node.get(i, (-1, -1))
            if step == loop.count - 1 and place in known:
                return part.take(known[place], self._tape.active[i])
            if step >= 0:
                self.beside.append(i)
            return None

        part.gives = {"": self._copied(part, outputs, leaf)}
        return part

    def _body(self) -> Part:
        part, loop, tape = Part(), self.loop, self._tape
        steps = {place: i for i, (step, place) in loop.of_node.items() if step == 1}
        state = [part.take(s, tape.active[steps[p]]) for s, p in zip(self._state, loop.state)]
        own = self.own_leaves = self._own(part)
        outside: dict[int, int] = {}

        def leaf(i: int) -> int | None:
            if tape.ops[i] is None or not tape.varies[i]:
                return None
            if i not in self._outside:
                self._outside[i] = self._free("u"), len(self._outside)
            return part.take(self._outside[i], tape.active[i])

        at: list[int] = []
        for op, operands in zip(loop.ops, loop.operands):
            found = []
            for kind, place in operands:
                if kind == OUTSIDE and place not in outside:
                    [outside[place]] = self._copied(part, [place], leaf)
                known: Any = {SAME: at, STATE: state, OWN: own, OUTSIDE: outside}[kind]
                found.append(known[place])
            at.append(part.tape.record(op, tuple(found)))
        for (name, _), place in zip(self._state, loop.state):
            part.gives.setdefault(name, []).append(at[place])
        return part

    @property
    def are_clear(self) -> bool:
        """Whether the last state alone is used behind, and a parameter of a step is no other."""
        moving = [v for v, _ in self.moving]
        fixed = [
            operand.place
            for operands in self.loop.operands
            for operand in operands
            if operand.kind == OUTSIDE
        ]
        return (
            not self.beside
            and len({*map(id, moving)}) == len(moving)
            and not any(self._values.get(i) is v for i in {*fixed} for v in moving)
        )

    def _own(self, part: Part) -> list[int]:
        """Write the leaves that each step has of its own, as those of the second step."""
        tape, found = self._tape, []
        numbers = 0
        for i, j in zip(self.loop.own[1], self.loop.own[2]):
            if i in self._values:
                self.moving.append((self._values[i], self._values[j]))
                found.append(part.tape.parameter(self._values[i]))
            elif i in tape.inputs:
                name, _ = tape.inputs[i]
                places = sorted(
                    tape.inputs[x][1]
                    for x in self.loop.own[1]
                    if x in tape.inputs and tape.inputs[x][0] == name
                )
                found.append(part.take((f"{name}[t]", places.index(tape.inputs[i][1])), False))
            else:
                found.append(part.take((self._free("c") + "[t]", numbers), False))
                numbers += 1
        return found

    def _first(self) -> Part:
        part = Part()
        for (name, _), node in zip(self._state, self._copied(part, self.loop.before, _nothing)):
            part.gives.setdefault(name, []).append(node)
        for (name, _), node in zip(
            self._outside.values(), self._copied(part, [*self._outside], _nothing)
        ):
            part.gives.setdefault(name, []).append(node)
        return part


def _nothing(i: int) -> None:
    return None


def _colours(loop: Loop, tape: Tape) -> list[int]:
    """Return a number for each part of the state; those that are computed alike have the same."""
    colours = [0] * len(loop.state)
    while True:
        numbers: dict[Any, int] = {}
        of_place: list[int] = []
        for op, operands in zip(loop.ops, loop.operands):
            own: list[Any] = [op]
            for kind, place in operands:
                if kind == SAME:
                    own.append(of_place[place])
                elif kind == STATE:
                    own.append(("state", colours[place]))
                else:
                    i = place if kind == OUTSIDE else loop.own[0][place]
                    own.append((kind, _kind(tape, i)))
            of_place.append(numbers.setdefault(tuple(own), len(numbers)))
        finer = [of_place[place] for place in loop.state]
        if len(set(finer)) <= len(set(colours)):
            return colours if len(set(finer)) < len(set(colours)) else finer
        colours = finer


def _kind(tape: Tape, i: int) -> Any:
    """Return what a leaf is told apart by: a number, or what kind of leaf it is."""
    return tape.constants.get(i, "argument" if i in tape.inputs else "parameter")
