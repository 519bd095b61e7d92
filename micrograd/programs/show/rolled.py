"""A function with a loop as equations: what is before it, one step of it, and what is behind it.

What a step hands to the next is assigned with `<-`, all of it together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from micrograd.engine import Value
from micrograd.programs.lift.lifted import Lifted
from micrograd.programs.lift.slopes import Slopes
from micrograd.programs.loops.find import find_loop
from micrograd.programs.loops.parts import Part, Parts
from micrograd.programs.show.equations import Equations
from micrograd.programs.show.layout import Line
from micrograd.programs.show.names import STEP, ParameterNames
from micrograd.programs.show.notation import Style
from micrograd.programs.trace.captures import Name
from micrograd.programs.trace.tape import Tape
from micrograd.value.identity import IdentityDict

LONG = 100_000  # nodes of a loop, to lift all of which only to print it takes too long
Titled = list[tuple[str, list[Line]]]


class Printer:
    """Writes the equations of the paths of a function."""

    def __init__(
        self,
        names: Mapping[Value, Name],
        shapes: Mapping[str, tuple[Any, ...]],
        result: str,
        style: Style,
    ) -> None:
        self._names = names
        self._shapes = shapes
        self._result = result
        self._style = style

    def lines(
        self,
        tape: Tape,
        outputs: Sequence[int],
        slopes: Callable[[], Slopes],
        parameters: Sequence[Value],
        several: bool,
    ) -> Titled:
        """Return the lines of a path, forward and backward, each list with a title.

        Where it is shorter, what is done again and again is written once.
        """
        loop = find_loop(tape, outputs)
        parts = None
        if loop is not None:
            names = [name.pattern.rpartition(".")[2] for name in self._names.values()]
            taken = {self._result, *tape.columns, *[name.replace("[]", "") for name in names]}
            parts = Parts(tape, outputs, loop, taken)
            if not parts.are_clear or "t" in taken or self._start(parts, tape) is None:
                parts = None
        rolled = self._rolled(parts, tape, parameters, several) if parts is not None else None
        if rolled is not None and loop is not None and len(loop.of_node) > LONG:
            return rolled
        lifted = Lifted(tape, outputs, [], slopes(), parameters, self._patterns(self._names))
        known = ParameterNames(parameters, self._names)
        written = Equations(lifted, known, self._shapes, self._result, several, self._style)
        titled = [("forward", written.forward)]
        if written.backward:
            titled.append(("backward", written.backward))
        return titled if rolled is None else min(rolled, titled, key=_length)

    def _patterns(self, names: Mapping[Value, Name]) -> IdentityDict[Value, str]:
        return IdentityDict((p, name.pattern) for p, name in names.items())

    def _rolled(
        self, parts: Parts, tape: Tape, parameters: Sequence[Value], several: bool
    ) -> Titled | None:
        """Return the lines of a function with a loop; None if those of its reverse pass are not."""
        names = self._with_step(parts)
        first = self._of_part(parts.first, parameters, self._names, several)
        body = self._of_part(parts.body, parameters, names, several)
        last = self._of_part(parts.last, parameters, self._names, several)
        low = self._start(parts, tape) or 0
        high = low + parts.loop.count - 1
        at_end = self._arrived(parts, last.backward)
        in_step = self._arrived(parts, body.backward)
        if at_end is None or in_step is None:
            return None
        titled = [
            ("forward", first.forward),
            (f"for t = {low} .. {high}", body.forward),
            ("then", last.forward),
            ("backward", at_end),
            (f"for t = {high} .. {low}", [self._added(parts, line) for line in in_step]),
            ("then", [self._added(parts, line) for line in first.backward]),
        ]
        if not body.backward:
            del titled[3:]
        return [(title, lines) for title, lines in titled if lines or title != "then"]

    def _arrived(self, parts: Parts, lines: list[Line]) -> list[Line] | None:
        """Return the lines of a reverse pass, and a 0 for each state at which nothing arrives.

        None if something arrives at a part of a state alone: these lines do not say at which.
        """
        sizes = {
            self._style.name(f"d_{name}"): len(nodes)
            for part in (parts.first, parts.body)
            for name, nodes in part.gives.items()
        }
        handed = {line.left: line.shape[0] for line in lines if line.sign == "<-"}
        if any(size != sizes[name] for name, size in handed.items()):
            return None
        states = [self._style.name(f"d_{n}") for n in parts.body.gives if n in parts.body.takes]
        missing = [name for name in states if name not in handed]
        return [*lines, *[Line(name, "<-", "0", (sizes[name], "n")) for name in missing]]

    def _added(self, parts: Parts, line: Line) -> Line:
        """Write that it is added to what other steps gave: a gradient, or what arrives outside."""
        fixed = {
            self._style.name(f"d_{name}")
            for name in parts.body.takes
            if name not in parts.body.gives
        }
        return line._replace(sign="+=") if line.sign == ":=" or line.left in fixed else line

    def _start(self, parts: Parts, tape: Tape) -> int | None:
        """Return the index that the first step reads what each step has of its own at; 1 if none.

        None if it is not one index, which counts the steps.
        """
        columns = [*zip(*parts.loop.own)]
        values = {i: v for v, i in tape.parameters.items()}
        starts = {
            self._start_of_parameters([values[i] for i in column])
            for column in columns
            if column[0] in values
        }
        arguments: dict[str, list[list[int]]] = {}
        for column in columns:
            if column[0] in tape.inputs:
                [name, *others] = dict.fromkeys(tape.inputs[i][0] for i in column)
                if others:
                    return None
                arguments.setdefault(name, []).append([tape.inputs[i][1] for i in column])
        starts |= {self._start_of_arguments(*item) for item in arguments.items()}
        if len(starts) > 1:
            return None
        return starts.pop() if starts else 1

    def _start_of_parameters(self, own: Sequence[Value]) -> int | None:
        """Return the index that the parameter of the first step has; None if they have no one."""
        if not all(v in self._names for v in own):
            return None
        names = [self._names[v] for v in own]
        if len({name.pattern for name in names}) > 1:
            return None
        moving = [column for column in zip(*[n.indices for n in names]) if len({*column}) > 1]
        if not all(isinstance(column[0], int) for column in moving):
            return None
        start = int(moving[0][0]) if moving else 0
        counted = [*range(start, start + len(own))]
        return start if moving and all([*column] == counted for column in moving) else None

    def _start_of_arguments(self, name: str, places: Sequence[Sequence[int]]) -> int | None:
        """Return the index that the first step reads along the first axis; None if it is no one.

        `places` are those of each leaf of a step, step by step. All with the index are read.
        """
        size = math.prod(self._shapes[name][1:])
        table = np.array(places)
        start: int = table[0, 0].item() // size
        first = np.arange(start * size, (start + 1) * size)
        steps = table[:, :1] + size * np.arange(table.shape[1])
        if sorted(table[:, 0].tolist()) != first.tolist() or (table != steps).any():
            return None
        return start

    def _of_part(
        self,
        part: Part,
        parameters: Sequence[Value],
        names: Mapping[Value, Name],
        several: bool,
    ) -> Equations:
        outputs = part.outputs
        slopes = Slopes(part.tape, outputs)
        own = [p for p in parameters if p in part.tape.parameters]
        patterns = self._patterns(names)
        seeds = [] if "" in part.gives else part.seeds
        takes = [leaf for leaves in part.takes.values() for leaf in leaves]
        lifted = Lifted(part.tape, outputs, [], slopes, own, patterns, seeds, takes)
        known = ParameterNames(own, names)
        return Equations(lifted, known, self._shapes, self._result, several, self._style, part)

    def _with_step(self, parts: Parts) -> IdentityDict[Value, Name]:
        """Name the parameters that each step has others of by `t`."""
        names = IdentityDict(self._names.items())
        for own, following in parts.moving:
            if own in names and following in names:
                pattern, indices = names[own]
                further = names[following].indices
                if names[following].pattern == pattern:
                    moved = [STEP if i != j else i for i, j in zip(indices, further)]
                    names[own] = Name(pattern, tuple(moved))
        return names


def _length(titled: Titled) -> int:
    return sum(1 + len(lines) for _, lines in titled)
