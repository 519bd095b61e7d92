"""A function with a loop as equations: what is before it, one step of it, and what is behind it.

What a step hands to the next is assigned with `<-`, all of it together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

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
            taken = {self._result, *tape.columns, *(name.pattern for name in self._names.values())}
            parts = Parts(tape, outputs, loop, taken)
            if not parts.are_clear:
                parts = None
        if parts is not None and len(parts.loop.of_node) > LONG:
            return self._rolled(parts, parameters, several)
        lifted = Lifted(tape, outputs, [], slopes(), parameters, self._patterns(self._names))
        names = ParameterNames(parameters, self._names)
        written = Equations(lifted, names, self._shapes, self._result, several, self._style)
        titled = [("forward", written.forward)]
        if written.backward:
            titled.append(("backward", written.backward))
        if parts is not None:
            titled = min(self._rolled(parts, parameters, several), titled, key=_length)
        return titled

    def _patterns(self, names: Mapping[Value, Name]) -> IdentityDict[Value, str]:
        return IdentityDict((p, name.pattern) for p, name in names.items())

    def _rolled(self, parts: Parts, parameters: Sequence[Value], several: bool) -> Titled:
        """Return the lines of a function with a loop."""
        names = self._with_step(parts)
        first = self._of_part(parts.first, parameters, self._names, several)
        body = self._of_part(parts.body, parameters, names, several)
        last = self._of_part(parts.last, parameters, self._names, several)
        count = parts.loop.count
        titled = [
            ("forward", first.forward),
            (f"for t = 1 .. {count}", body.forward),
            ("then", last.forward),
            ("backward", last.backward),
            (f"for t = {count} .. 1", [_added(line) for line in body.backward]),
            ("then", [_added(line) for line in first.backward]),
        ]
        if not body.backward:
            del titled[3:]
        return [(title, lines) for title, lines in titled if lines or title != "then"]

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


def _added(line: Line) -> Line:
    """Write that a gradient is added to what other steps gave."""
    return line._replace(sign="+=") if line.sign == ":=" else line


def _length(titled: Titled) -> int:
    return sum(1 + len(lines) for _, lines in titled)
