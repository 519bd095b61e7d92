"""The contents of an object: the Values in attributes and containers, each with the path to it."""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Iterator
from functools import partial
from typing import Any, Union

from micrograd.value.base import ValueBase

# The way to a thing: the path of its container, how the last step is written, and that step; ()
# is where the walk began.
Path = Union[tuple[()], tuple["Path", str, Any]]
_ATTRIBUTE, _ELEMENT, _KEY = ".{}", "[{!r}]", ".keys[{!r}]"

# Types that hold no Values, or whose contents are nobody's parameters.
_ATOMS = frozenset(
    {
        *(float, int, bool, complex, str, bytes, bytearray, range, slice, type(None), type),
        *(types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType),
        *(property, staticmethod, classmethod, types.MemberDescriptorType),
    }
)

# Python's classes and ours have no Values as class attributes; asking them takes most of the time.
_WITHOUT_VALUES = ("builtins", "micrograd")


def walk(root: Any) -> list[tuple[Any, Path]]:
    """Return `root` and all it holds, each object once, in order, with the path that leads there.

    The walk goes through attributes (also those of slots and of classes), lists, tuples, deques,
    dicts and their keys, partials, bound methods and arrays of objects, and does not enter Values.
    What functions refer to is not walked, nor what a function wrapped by a decorator remembers.
    Raises TypeError for a set of several that are or hold Values, since it has no order of its own.
    """
    found: dict[int, tuple[Any, Path]] = {}  # by identity; it keeps alive what the walk itself made
    pending: list[Iterator[tuple[Any, Path]]] = [iter([(root, ())])]
    while pending:
        for pair in pending[-1]:
            thing = pair[0]
            if thing.__class__ in _ATOMS or id(thing) in found:
                continue
            found[id(thing)] = pair
            if not isinstance(thing, ValueBase):
                pending.append(iter(_parts(*pair)))
                break
        else:
            pending.pop()
    return list(found.values())


def written(path: Path) -> str:
    """Write a path as Python would: `layers[0].w`."""
    steps = []
    while path:
        path, form, step = path
        steps.append(form.format(step))
    return "".join(reversed(steps)).lstrip(".")


def _parts(thing: Any, path: Path) -> list[tuple[Any, Path]]:
    """Return what a container or an object holds, the attributes of a container among it."""
    parts: list[tuple[Any, Path]] = []
    attributes = {}
    if isinstance(thing, (list, tuple, deque)):
        parts = [(part, (path, _ELEMENT, i)) for i, part in enumerate(thing)]
        if thing.__class__ is list:
            return parts  # the usual one, without attributes
    elif isinstance(thing, (dict, types.MappingProxyType)):
        for i, (key, part) in enumerate(thing.items()):
            parts += [(key, (path, _KEY, i)), (part, (path, _ELEMENT, key))]
    elif isinstance(thing, (set, frozenset)):
        parts = _only_holder(thing, path)
    elif _is_array(thing):
        return [(thing.tolist(), path)] if getattr(thing.dtype, "hasobject", False) else []
    elif isinstance(thing, partial):
        attributes = {"func": thing.func, "args": thing.args, "keywords": thing.keywords}
    elif isinstance(thing, types.MethodType):
        attributes = {"__self__": thing.__self__}
    elif "__wrapped__" in getattr(thing, "__dict__", ()):
        return []
    attributes = attributes or _attributes(thing)
    return parts + [(part, (path, _ATTRIBUTE, name)) for name, part in attributes.items()]


def _is_array(thing: Any) -> bool:
    """Return whether an object is an array, which an attribute called dtype alone does not tell."""
    return all(hasattr(type(thing), name) for name in ("dtype", "shape", "tolist"))


def _only_holder(things: set[Any] | frozenset[Any], path: Path) -> list[tuple[Any, Path]]:
    """Return the element of a set that is or holds Values; raise TypeError if there are several."""
    holders = [
        part
        for part in things
        if part.__class__ not in _ATOMS and any(isinstance(v, ValueBase) for v, _ in walk(part))
    ]
    if len(holders) > 1:
        raise TypeError(
            f"{written(path) or 'this'} is a set of {len(holders)} things with Values, which has "
            "no order by which they could be named or saved: use a list or a dict"
        )
    return [(part, (path, _ELEMENT, 0)) for part in holders]


def _attributes(thing: Any) -> dict[str, Any]:
    """Return the attributes of an object: its own, those in slots, those of its classes."""
    found = dict(getattr(thing, "__dict__", ()))
    for kind in type(thing).__mro__:
        if kind.__module__.partition(".")[0] in _WITHOUT_VALUES:
            continue
        for name, part in vars(kind).items():
            if part.__class__ is types.MemberDescriptorType:
                if not name.startswith("__") and name not in found and hasattr(thing, name):
                    found[name] = getattr(thing, name)
            elif part.__class__ in _ATOMS or name.startswith("__") or name in found:
                continue  # most of a class are functions
            elif not hasattr(part, "__get__"):
                found[name] = part
    return found
