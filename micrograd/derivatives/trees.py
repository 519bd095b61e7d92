"""Numbers and Values in any nesting of lists, tuples, dicts, dataclasses and arrays."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from micrograd.engine import Value
from micrograd.value.numbers import is_number, refuse_masked

# What takes something that is neither a number nor a nesting of them, with the path to it.
Other = Callable[[Any, str], Any]
_NUMBERS = ("f", "i", "u", "O")  # the kinds of arrays


def map_blocks(f: Other, tree: Any, other: Other, path: str = "x") -> Any:
    """Return the same nesting with f(block, path) for each number, Value or array in it, in order.

    >>> def refuse(thing, path):
    ...     raise TypeError(f"{path} is {thing!r}")
    >>> map_blocks(lambda x, path: path, {"w": [1.0, (2.0, 3)], "b": 4}, refuse)
    {'w': ["x['w'][0]", ("x['w'][1][0]", "x['w'][1][1]")], 'b': "x['b']"}
    """
    if isinstance(tree, Value) or is_number(tree):
        return f(tree, path)
    if getattr(getattr(tree, "dtype", None), "kind", "") in _NUMBERS:
        return f(tree, path)
    if isinstance(tree, dict):
        parts = {key: map_blocks(f, x, other, f"{path}[{key!r}]") for key, x in tree.items()}
        return parts if type(tree) is dict else type(tree)(parts)
    if isinstance(tree, (list, tuple)):
        items = [map_blocks(f, x, other, f"{path}[{i}]") for i, x in enumerate(tree)]
        if hasattr(tree, "_fields"):
            return type(tree)(*items)  # a named tuple
        made = list if isinstance(tree, list) else tuple
        takes_items = type(tree).__init__ is made.__init__ and type(tree).__new__ is made.__new__
        return type(tree)(items) if takes_items else made(items)  # as for model.parameters()
    if _has_fields(tree):
        names = fields_of(tree)
        found = {n: map_blocks(f, getattr(tree, n), other, f"{path}.{n}") for n in names}
        return dataclasses.replace(tree, **found)
    return other(tree, path)


def fields_of(tree: Any) -> list[str]:
    """Return the names of the parts of a named tuple or a dataclass; of other things none.

    >>> fields_of([1.0])
    []
    """
    if not _has_fields(tree):
        return []
    if isinstance(tree, tuple):
        return list(tree._fields)  # type: ignore[attr-defined]
    return [field.name for field in dataclasses.fields(tree) if field.init]


def _has_fields(x: Any) -> bool:
    """Tell whether something is a named tuple or a dataclass."""
    if isinstance(x, tuple):
        return hasattr(x, "_fields")
    return dataclasses.is_dataclass(x) and not isinstance(x, type)


class Nested:
    """A nesting of numbers and Values, taken apart: `leaves`, and the shapes of its blocks.

    Raises TypeError for other things in it, with the path to them, or calls `other` on both.

    >>> nested = Nested({"w": [1.0, 2.0], "b": 3})
    >>> nested.leaves, nested.filled([7.0, 8.0, 9.0])
    ([1.0, 2.0, 3], {'w': [7.0, 8.0], 'b': 9.0})
    """

    def __init__(self, tree: Any, what: str = "x", other: Other | None = None) -> None:
        self.tree = tree
        self.leaves: list[Any] = []
        self.names: list[str] = []  # of the leaves
        self.shapes: list[tuple[int, ...] | None] = []  # of the blocks; None for a number
        map_blocks(self._note, tree, other or _refuse, what)

    def _note(self, block: Any, path: str) -> None:
        shape = None if isinstance(block, Value) else getattr(block, "shape", ())
        if not shape:
            self.shapes.append(None)
            self.leaves.append(block)
            self.names.append(path)
            return
        refuse_masked(block, path)
        self.shapes.append(shape)
        self.leaves += block.ravel().tolist()
        places = itertools.product(*map(range, shape))
        self.names += [f"{path}[{', '.join(map(str, place))}]" for place in places]

    def with_blocks(self, blocks: Iterable[Any]) -> Any:
        """Return the nesting with other things in the places of its blocks."""
        left = iter(blocks)
        return map_blocks(lambda *_: next(left), self.tree, _refuse)

    def filled(
        self, entries: Sequence[Any], outer: tuple[int, ...] = (), kind: type = object
    ) -> Any:
        """Return the nesting with `entries` for its leaves; with `outer`, an array of them each."""
        rows, n, at = math.prod(outer), len(self.leaves), 0
        blocks = []
        for shape in self.shapes:
            end = at + math.prod(shape or ())
            part = [x for row in range(rows) for x in entries[row * n + at : row * n + end]]
            is_one = shape is None and outer == ()
            blocks.append(part[0] if is_one else array_of(part, (*outer, *(shape or ())), kind))
            at = end
        return self.with_blocks(blocks)


def _refuse(thing: Any, path: str) -> Any:
    raise TypeError(
        f"{path} must be a number, or an array or a nesting of numbers; got {thing!r}. Give what "
        "is not differentiated as another argument"
    )


def array_of(entries: Sequence[Any], shape: tuple[int, ...], kind: type = object) -> Any:
    """Return a NumPy array of Values, or of floats, in this shape.

    >>> array_of([1.0, 2.0], (2, 1), float).tolist()
    [[1.0], [2.0]]
    """
    import numpy as np

    if kind is float:
        return np.array(entries, dtype=float).reshape(shape)
    # Unlike other ways, this one does not ask each Value whether it is an array.
    return np.fromiter(entries, dtype=kind, count=len(entries)).reshape(shape)


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

    def part(block: Any, path: str) -> Any:
        if isinstance(block, Value):
            return f(block)
        if getattr(getattr(block, "dtype", None), "kind", "") != "O":
            return block
        return array_of([map_values(f, x) for x in block.ravel().tolist()], block.shape)

    return map_blocks(part, tree, lambda thing, path: map_values(f, thing))


def is_nested(x: Any) -> bool:
    """Tell whether something is a nesting of its own form: no number, and no array of numbers.

    A list, or lists of one length in a list, count as an array.

    >>> is_nested([[1.0, 2.0], [3.0, 4.0]]), is_nested([[1.0], [2.0, 3.0]]), is_nested({"w": 1.0})
    (False, True, True)
    """
    if isinstance(x, dict) or _has_fields(x):
        return True
    return isinstance(x, (list, tuple)) and _shape(x) is None


def _shape(x: Any) -> tuple[int, ...] | None:
    """Return the shape of nested lists of numbers; None if they are ragged or hold other things."""
    if isinstance(x, Value) or is_number(x):
        return ()
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        return tuple(x.shape)
    if isinstance(x, dict) or _has_fields(x):
        return None
    if not isinstance(x, (list, tuple)):
        return ()  # of the wrong kind: who takes it says so
    shapes = {_shape(part) for part in x}
    if len(shapes) > 1 or None in shapes:
        return None
    return (len(x), *(shapes.pop() or ())) if shapes else (0,)


def as_block(x: Any) -> Any:
    """Return a list as the array that it counts for; other things as they are."""
    return as_objects(x, "x") if isinstance(x, (list, tuple)) else x


def as_blocks(parts: Sequence[Any]) -> tuple[Any, ...]:
    """Return several x, each as what it counts for."""
    return tuple([x if is_nested(x) else as_block(x) for x in parts])


def as_objects(nested: Any, what: str) -> Any:
    """Return a sequence, nested or not, as an array of its elements."""
    import numpy as np

    if isinstance(nested, (list, tuple)) and set(map(type, nested)) <= {Value, float, int}:
        return array_of(nested, (len(nested),))
    refuse_masked(nested, what)
    array = np.array(nested, dtype=object)
    for element in array.flat:
        if not hasattr(element, "__len__") or isinstance(element, (str, bytes, set, dict)):
            continue  # of the wrong kind: who takes it says so
        refuse_masked(element, what)
        raise ValueError(f"{what} must be an array of numbers, but its rows differ in length")
    return array
