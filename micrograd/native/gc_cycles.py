"""What the garbage collector is told of Values: hidden cycles, and memory to return.

The C core hides a Value from the collector until it gets a closure or another attribute that may
lead back to it; its later consumers are visible too. The consumers it had *before* are not known.
So this module remembers such Values, and makes all Values that they can reach visible when a full
collection starts: whatever forms a cycle with them is among these. When one ends, the memory of
freed Values, which the C core keeps for new ones, is returned.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any
from weakref import WeakValueDictionary

_late: WeakValueDictionary[int, Any] = WeakValueDictionary()

# An incremental collector, as CPython 3.14 has it, runs in parts, and fully only when it is asked
# to. With it, a part now and then counts as full.
_PARTS = 10 if sys.version_info >= (3, 14) else 0
_part = 0


def watch(trim: Callable[[], object]) -> None:
    """See to Values when the collector runs, and call `trim` after each full collection."""

    def run(phase: str, info: dict[str, int]) -> None:
        generation = info["generation"]
        if phase == "start" and _late and _is_full(generation):
            _make_visible(list(_late.values()))
        elif phase == "stop" and generation == 2:
            trim()

    gc.callbacks.append(run)


def hung_late(v: Any) -> None:
    """Remember a Value that got such an attribute after it was used as an operand."""
    _late[id(v)] = v


def _is_full(generation: int) -> bool:
    global _part
    if generation == 1 and _PARTS:
        _part = (_part + 1) % _PARTS
        return _part == 0
    return generation == 2


def _make_visible(late: list[Any]) -> None:
    kinds = tuple({type(v) for v in late})
    for v in _reachable(late):
        if isinstance(v, kinds) and not gc.is_tracked(v):
            v._track()


def _reachable(objects: list[Any]) -> list[Any]:
    """List what can be reached from `objects`, excluding these, loaded modules and their classes.

    What leads through a loaded module is no garbage, and without these little is left to search.
    """
    names = {
        id(module): ModuleType.__getattribute__(module, "__dict__")
        for module in list(sys.modules.values())
        if isinstance(module, ModuleType)
    }
    seen = {id(sys.modules), *names, *map(id, names.values()), *map(id, objects)}
    found: list[Any] = []
    while objects:
        some = objects[-1000:]
        del objects[-1000:]
        fresh = {id(x): x for x in gc.get_referents(*some)}
        for key in fresh.keys() & seen:
            del fresh[key]
        seen |= fresh.keys()
        # Of the type itself, since others call themselves types: list[int], on Python 3.10.
        new = [x for x in fresh.values() if not (issubclass(type(x), type) and _is_loaded(x))]
        objects += new
        found += new
    return found


def _is_loaded(kind: type) -> bool:
    name = type.__getattribute__(kind, "__module__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    return isinstance(module, ModuleType) and (
        ModuleType.__getattribute__(module, "__dict__").get(kind.__name__) is kind
    )
