"""What the C core asks of the cyclic collector, for Values that get an attribute late.

The collector need not look at a Value until a closure, or an object that may lead back to it, is
hung on it; what is made of it from then on is looked at too. What was made of it *before* is not
known. So such Values are remembered here, and when a full collection starts, every Value that can
be reached from them is shown to the collector: whatever forms a cycle with them is among these.
"""

from __future__ import annotations

import gc
import weakref
from typing import Any

_late: weakref.WeakSet[Any] = weakref.WeakSet()


def hung_late(v: Any) -> None:
    """Remember a Value that has been an operand before something was hung on it."""
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
    """List what can be reached from `objects`, without them."""
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
