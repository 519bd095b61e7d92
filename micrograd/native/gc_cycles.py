"""Find the reference cycles of Values that get an attribute after they were used as operands.

The C core hides a Value from the garbage collector until it gets a closure or another attribute
that may lead back to it; its later consumers are visible too. The consumers it had *before* are not
known. So this module remembers such Values, and makes all Values that they can reach visible when a
full collection starts: whatever forms a cycle with them is among these.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

_late: weakref.WeakSet[Any] = weakref.WeakSet()


def hung_late(v: Any) -> None:
    """Remember a Value that got such an attribute after it was used as an operand."""
    if _before_collection not in gc.callbacks:
        gc.callbacks.append(_before_collection)
    _late.add(v)


def _before_collection(phase: str, info: dict[str, int]) -> None:
    if phase != "start" or info["generation"] < 2 or not _late:
        return
    late = list(_late)
    kinds = tuple({type(v) for v in late})
    for v in _reachable(late):
        if isinstance(v, kinds):
            v._track()


def _reachable(objects: list[Any]) -> list[Any]:
    """List what can be reached from `objects`, excluding these."""
    seen = {id(x) for x in objects}
    found: list[Any] = []
    while objects:
        referents = gc.get_referents(*objects)
        objects = []
        for x in referents:
            if id(x) not in seen:
                seen.add(id(x))
                objects.append(x)
        found += objects
    return found
