"""What a function asks of its parameters while it is traced.

Parameters are ordinary Values: `w > 0` would be true or false as they are now, and `w.data` a
number, both for good. So the tape answers for them. A comparison goes on it, and is asked again
at every call; a number cannot be followed, and is refused.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any

from micrograd import ops
from micrograd.engine import toposort
from micrograd.programs.trace.tape import ProgramError, Traced, users_line
from micrograd.value import hooks

if TYPE_CHECKING:
    from micrograd.engine import Value
    from micrograd.programs.branches import Path
    from micrograd.programs.trace.tape import Tape

# By Python's comparison: the row, and whether its operands change places.
_ROWS: dict[Callable[[Any, Any], Any], tuple[ops.Op, bool]] = {
    operator.lt: (ops.less, False),
    operator.le: (ops.less_equal, False),
    operator.gt: (ops.less, True),
    operator.ge: (ops.less_equal, True),
}


class Answers:
    """What the engine asks about a Value that the function compares, or whose number it reads."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def compare(self, v: Value, other: Any, comparison: Callable[[Any, Any], Any]) -> Any:
        """The comparison as a traced scalar; None for constants, of which the answer is known."""
        row, swapped = _ROWS[comparison]
        operands = (other, v) if swapped else (v, other)
        indices = []
        for x in operands:
            index = self._tape.index_of(x)
            if index is None:
                return NotImplemented
            indices.append(index)
        if all(index in self._tape.constants for index in indices):
            return None
        return self._tape.record(row, tuple(indices), operands)

    def read(self, v: Value, name: str) -> None:
        """Refuse the data or grad of a Value, unless the function made it from numbers alone."""
        for x in toposort(v):
            if isinstance(x, Traced) or not (x.parents or self._tape.is_constant(x)):
                raise ProgramError(
                    f".{name} is a number, which would stay in the program as it is now "
                    f"({users_line()}): use the Value itself or micrograd.stop_gradient(v), and "
                    "take a derivative at Value(number), not at the number"
                )


def refuse_numbers(paths: Iterable[Path]) -> None:
    """Refuse the results of a program with parameters, if this thread traces another one."""
    if hooks.tracer_here() is not None and any(path.program.parameters for path in paths):
        raise ProgramError(
            "a program called on arrays gives numbers, which would stay in the program that calls "
            f"it as they are now ({users_line()}): call it on scalars, as a function of one example"
        )


@contextmanager
def answers(tape: Tape) -> Iterator[None]:
    """Let a tape answer for the Values that this thread asks in this block."""
    thread = get_ident()
    before = hooks.tracers.get(thread)
    hooks.tracers[thread] = Answers(tape)
    try:
        yield
    finally:
        if before is None:
            del hooks.tracers[thread]
        else:
            hooks.tracers[thread] = before
