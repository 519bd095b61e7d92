"""Numbers and Values in any nesting of lists, tuples, dicts, dataclasses and arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from micrograd.engine import Value
from micrograd.value.numbers import is_number, refuse_masked

# What takes something that is no leaf, and no nesting of them, with the path to it.
Other = Callable[[Any, str], Any]


def map_leaves(f: Callable[[Any], Any], tree: Any, other: Other, path: str = "x") -> Any:
    """Return the same nesting with f(leaf) for each number or Value in it, in order.

    >>> def refuse(thing, path):
    ...     raise TypeError(f"{path} is {thing!r}")
    >>> map_leaves(lambda x: 10 * x, {"w": [1.0, (2.0, 3)], "b": 4}, refuse)
    {'w': [10.0, (20.0, 30)], 'b': 40}
    """
    if isinstance(tree, Value) or is_number(tree):
        return f(tree)
    if isinstance(tree, dict):
        parts = {key: map_leaves(f, x, other, f"{path}[{key!r}]") for key, x in tree.items()}
        return parts if type(tree) is dict else type(tree)(parts)
    if isinstance(tree, (list, tuple)):
        items = [map_leaves(f, x, other, f"{path}[{i}]") for i, x in enumerate(tree)]
        if hasattr(tree, "_fields"):
            return type(tree)(*items)  # a named tuple
        return type(tree)(items)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        names = [field.name for field in dataclasses.fields(tree) if field.init]
        found = {n: map_leaves(f, getattr(tree, n), other, f"{path}.{n}") for n in names}
        return dataclasses.replace(tree, **found)
    if getattr(getattr(tree, "dtype", None), "kind", "") in ("f", "i", "u", "O"):
        return _map_array(f, tree, other, path)
    return other(tree, path)


def _map_array(f: Callable[[Any], Any], array: Any, other: Other, path: str) -> Any:
    """Map the elements of an array: the result holds floats, or else objects."""
    import numpy as np

    refuse_masked(array, path)
    elements = array.ravel().tolist()
    entries = [map_leaves(f, x, other, f"{path}[{i}]") for i, x in enumerate(elements)]
    is_float = all(x.__class__ is float for x in entries)
    result: Any = np.empty(array.shape, dtype=float if is_float else object)
    result.flat = entries
    return result


def map_values(f: Callable[[Value], Any], tree: Any) -> Any:
    """Return the same nesting with f(v) for each Value in it, in order; all else as it is.

    >>> map_values(lambda v: v.data, {"a": Value(2.0), "table": range(3), "name": "sugar"})
    {'a': 2.0, 'table': range(0, 3), 'name': 'sugar'}
    """
    if isinstance(tree, Value):
        return f(tree)
    if getattr(getattr(tree, "dtype", None), "kind", "O") != "O" or is_number(tree):
        return tree  # an array of numbers, which may be large
    is_known = isinstance(tree, (dict, list, tuple)) or hasattr(tree, "dtype")
    if not is_known and not dataclasses.is_dataclass(tree):
        return tree
    return map_leaves(
        lambda x: f(x) if isinstance(x, Value) else x, tree, lambda thing, _: map_values(f, thing)
    )


def is_nested(x: Any) -> bool:
    """Tell whether something is a nesting of its own form: no number, and no array of numbers.

    A list, or lists of one length in a list, count as an array.

    >>> is_nested([[1.0, 2.0], [3.0, 4.0]]), is_nested([[1.0], [2.0, 3.0]]), is_nested({"w": 1.0})
    (False, True, True)
    """
    if isinstance(x, dict) or (dataclasses.is_dataclass(x) and not isinstance(x, type)):
        return True
    if not isinstance(x, (list, tuple)):
        return False
    return hasattr(x, "_fields") or _shape(x) is None


def _shape(x: Any) -> tuple[int, ...] | None:
    """Return the shape of nested lists of numbers; None if they are ragged or hold other things."""
    if isinstance(x, Value) or is_number(x):
        return ()
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        return tuple(x.shape)
    if isinstance(x, dict) or (dataclasses.is_dataclass(x) and not isinstance(x, type)):
        return None
    if not isinstance(x, (list, tuple)) or hasattr(x, "_fields"):
        return ()  # of the wrong kind: who takes it says so
    shapes = {_shape(part) for part in x}
    if len(shapes) > 1 or None in shapes:
        return None
    return (len(x), *(shapes.pop() or ())) if shapes else (0,)
