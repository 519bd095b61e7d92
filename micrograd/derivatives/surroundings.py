"""What calls of derivatives within a call know of the graph that was recorded around them.

An inner call must know whether its result depends on the variables of the calls around it, and that
it depends on nothing of a call that has ended. What it has looked at, the next ones need not look
at again, so that a loop of inner calls takes linear time.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from micrograd.derivatives.sweeps import tied
from micrograd.engine import Value
from micrograd.graph import past

# What a Value may be made of; several are added up.
VARIABLES = 1  # variables of other calls
ENDED = 2  # those of calls that have ended
TIED = 4  # what stood for a Value in an ended call, other than by the answers of that call
PASSING = 8  # what changes when this call ends, or a call of another thread


class Surroundings:
    """What is known, while a call runs, of Values that are older than the calls within it."""

    def __init__(self, variables: Sequence[Value]) -> None:
        self.variables = frozenset(map(id, variables))  # of the call
        self.known: dict[int, int] = {}
        self._alive: list[Value] = []  # so that their ids stay theirs
        self._rewired = past.rewirings()

    def keep_up(self) -> None:
        """Forget everything where operands of Values have been set by hand."""
        if self._rewired != past.rewirings():
            self.known.clear()
            self._alive.clear()
            self._rewired = past.rewirings()

    def note(self, v: Value, made_of: int) -> None:
        """Remember what a Value is made of."""
        self.known[id(v)] = made_of
        self._alive.append(v)


def look(
    roots: Sequence[Value],
    own: Container[int],
    around: Sequence[Surroundings],
    running: Callable[[], Container[int]],
) -> int:
    """Return what the roots are made of.

    `own` has the ids of the variables of the call that asks, `around` belongs to the calls around
    it, the outermost first, and `running` tells the ids of the variables of all calls that run.

    What a Value is made of is noted with the innermost of the calls on whose variables it depends,
    since it stays so until that call ends: whatever calls are made within it need not look again.
    """
    for call in around:
        call.keep_up()
    order, stopped = past.walk(roots, lambda v: any(id(v) in call.known for call in around))
    found: dict[int, int] = {}
    depths: dict[int, int] = {}
    for v in stopped:
        depths[id(v)] = next(i for i, call in enumerate(around) if id(v) in call.known)
        found[id(v)] = around[depths[id(v)]].known[id(v)]
    for v in order:
        made_of, depth = 0, 0
        for x in v.parents:
            made_of |= found[id(x)]
            depth = max(depth, depths[id(x)])
        if v._is_variable:
            kind, inside = _kind(id(v), own, around, running)
            made_of, depth = made_of | kind, max(depth, inside)
        if v.op is tied:
            made_of |= TIED
        if v._is_answer:
            made_of &= ~TIED
        found[id(v)], depths[id(v)] = made_of, depth
        if not made_of & PASSING:
            around[-1 if made_of & TIED else depth].note(v, made_of)
    total = 0
    for root in roots:
        total |= found[id(root)]
    return total


def _kind(
    variable: int,
    own: Container[int],
    around: Sequence[Surroundings],
    running: Callable[[], Container[int]],
) -> tuple[int, int]:
    """Return what a variable is to the call that asks, and which of those around has it."""
    if variable in own:
        return PASSING, 0
    for depth, call in enumerate(around):
        if variable in call.variables:
            return VARIABLES, depth
    return VARIABLES | (PASSING if variable in running() else ENDED), 0


def were_kept(outputs: Sequence[Any]) -> bool:
    """Return whether outputs use what an earlier call computed, other than by its answers."""
    todo = [y for y in outputs if isinstance(y, Value)]
    seen = set(map(id, todo))
    while todo:
        v = todo.pop()
        if v._is_answer:
            continue
        if v.op is tied:
            return True
        for x in v.parents:
            if id(x) not in seen:
                seen.add(id(x))
                todo.append(x)
    return False
