"""What calls of derivatives within a call know of the graph that was recorded around them.

An inner call must know whether its result depends on the variables of the calls around it, and that
it depends on nothing of a call that has ended. What it has looked at, the next ones need not look
at again, so that a loop of inner calls takes linear time.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
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
    """What is known while a call runs of the Values that are older than the calls within it."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        self._alive: list[Value] = []  # so that their ids stay theirs
        self._rewired = past.rewirings()

    def _forget(self) -> None:
        self._known.clear()
        self._alive.clear()
        self._rewired = past.rewirings()

    def look(
        self,
        roots: Sequence[Value],
        own: Container[int],
        running: Container[int],
        around: Container[int],
    ) -> int:
        """Return what the roots are made of.

        `own` has the ids of the variables of the call that asks, `running` those of all calls that
        run, and `around` those of its own thread.
        """
        if self._rewired != past.rewirings():
            self._forget()
        order, stopped = past.walk(roots, lambda v: id(v) in self._known)
        found = {id(v): self._known[id(v)] for v in stopped}
        for v in order:
            made_of = 0
            for x in v.parents:
                made_of |= found[id(x)]
            if v._is_variable:
                made_of |= _kind(id(v), own, running, around)
            if v.op is tied:
                made_of |= TIED
            if v._is_answer:
                made_of &= ~TIED
            found[id(v)] = made_of
            if not made_of & PASSING:
                self._known[id(v)] = made_of
                self._alive.append(v)
        total = 0
        for root in roots:
            total |= found[id(root)]
        return total


def _kind(
    variable: int, own: Container[int], running: Container[int], around: Container[int]
) -> int:
    if variable in own:
        return PASSING
    if variable in around:
        return VARIABLES
    return VARIABLES | PASSING if variable in running else VARIABLES | ENDED


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
