"""The names a function takes from outside: its closure, its globals, the Values in them."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterator
from itertools import repeat
from operator import is_
from typing import Any, NamedTuple

from micrograd.engine import Value
from micrograd.nn import Module
from micrograd.value.identity import IdentityDict


class Name(NamedTuple):
    """The way to a Value: `layers[0].w[3]` is the pattern `layers[].w[]` with indices (0, 3)."""

    pattern: str
    indices: tuple[Any, ...]

    def __str__(self) -> str:
        parts = self.pattern.split("[]")
        written = [f"{part}[{index!r}]" for part, index in zip(parts, self.indices)]
        return "".join(written) + parts[-1]


class References:
    """The objects that a function found in its closure and globals, to be compared by identity.

    Functions of the same module and programs that it refers to are searched as well, also in lists
    and dicts, as partials, and as methods of the objects that it refers to. `names` has the Values
    in these objects, and in the object that a method is of, which is not kept itself.
    """

    first: Any

    def __init__(self, function: Callable[..., Any]) -> None:
        self.cells: list[tuple[types.CellType, Any]] = []
        self.functions: list[types.FunctionType] = []
        self.globals: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}  # all, those it names
        named: list[tuple[str, Any]] = []
        owner = getattr(function, "__self__", None)
        if owner is not None:
            named.append(("", owner))
        elif not isinstance(function, types.FunctionType):
            named.append(("", function))
        self.first = function = _underlying(function)
        seen: set[int] = set()
        todo: list[Any] = [function]
        if isinstance(function, types.FunctionType):
            todo += [g for _, x in named for g in _own_functions(x, function)]
        while todo:
            f = todo.pop()
            if isinstance(f, types.FunctionType) and id(f) not in seen:
                seen.add(id(f))
                self.functions.append(f)
                found = list(self._of(f))
                named += found
                todo += [g for _, x in found for g in _own_functions(x, f)]
        self.names: IdentityDict[Value, Name] = _name_values(named)

    def _of(self, f: types.FunctionType) -> Iterator[tuple[str, Any]]:
        for name, cell in zip(f.__code__.co_freevars, f.__closure__ or ()):
            contents = _contents(cell)
            self.cells.append((cell, contents))
            if contents is not _NOTHING:
                yield name, contents
        for name in _names(f.__code__):
            contents = f.__globals__.get(name, _NOTHING)
            self.globals.setdefault(id(f.__globals__), (f.__globals__, {}))[1][name] = contents
            if contents is not _NOTHING:
                yield name, contents
        defaults = (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values())
        yield from (("", default) for default in defaults)

    def unchanged(self) -> bool:
        """Return whether each name still refers to the same object."""
        for cell, before in self.cells:
            try:
                now = cell.cell_contents
            except ValueError:
                now = _NOTHING
            if now is not before and not _same(now, before):
                return False
        for variables, named in self.globals.values():
            now = map(variables.get, named, repeat(_NOTHING))  # in C: each call asks this
            if not all(map(is_, now, named.values())) and not all(
                _same(variables.get(name, _NOTHING), before) for name, before in named.items()
            ):
                return False
        return True


_NOTHING = object()  # what a name refers to before it is assigned, and after `del`


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _NOTHING


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _same(x: Any, y: Any) -> bool:
    """Return whether these are one; of numbers and texts, whether they are equal."""
    return x is y or (type(x) is type(y) and isinstance(x, (float, int, str)) and x == y)


_NOT_SEARCHED = (
    *(float, int, str, bytes, type(None)),
    *(type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType),
)


def _underlying(function: Any) -> Any:
    """Find what runs when a partial, a method or an object is called."""
    while isinstance(function, functools.partial):
        function = function.func
    if not isinstance(function, (types.FunctionType, types.MethodType)):
        function = type(function).__call__
    return inspect.unwrap(getattr(function, "__func__", function))


def _own_functions(x: Any, f: types.FunctionType) -> Iterator[types.FunctionType]:
    """Find the functions of the module of `f` that are in what it refers to."""
    seen: set[int] = set()
    todo = [x]
    while todo:
        x = todo.pop()
        if id(x) in seen or isinstance(x, (Value, types.ModuleType)):
            continue
        seen.add(id(x))
        wrapped = None if isinstance(x, type) else getattr(x, "__wrapped__", None)
        if isinstance(wrapped, types.FunctionType):
            yield wrapped  # of a program, or of any decorator that says so
        elif isinstance(x, types.FunctionType):
            if x.__globals__ is f.__globals__:
                yield x
        elif isinstance(x, functools.partial):
            todo += [x.func, *x.args, *x.keywords.values()]
        elif isinstance(x, types.MethodType):
            todo += [x.__func__, x.__self__]
        elif isinstance(x, (list, tuple)):
            todo += x if len(x) <= FEW else ()
        elif isinstance(x, dict):
            todo += x.values() if len(x) <= FEW else ()
        else:
            todo += _methods(x if isinstance(x, type) else type(x), f)


FEW = 100  # of more, a list holds no functions


def _methods(kind: type, f: types.FunctionType) -> Iterator[Any]:
    """Find the methods of a class, its bases and what wraps them, if `f` is in the same module."""
    for base in kind.__mro__:
        if base.__module__ == f.__globals__.get("__name__"):
            for method in vars(base).values():
                yield getattr(method, "__func__", getattr(method, "fget", method))


def _name_values(named: list[tuple[str, Any]]) -> IdentityDict[Value, Name]:
    """Name every Value in what is referred to, in the order of lists and attributes."""
    found: IdentityDict[Value, Name] = IdentityDict()
    modules = {id(x) for _, x in named if isinstance(x, Module)}
    for name, thing in named:
        # One module's attributes need no prefix.
        alone = isinstance(thing, Module) and len(modules) == 1
        _walk(thing, "" if alone else name, found)
    return found


def _walk(root: Any, pattern: str, found: IdentityDict[Value, Name]) -> None:
    """Name the Values in lists, dicts, arrays and attributes, in their order."""
    seen: set[int] = set()
    todo: list[tuple[Any, str, tuple[Any, ...]]] = [(root, pattern, ())]
    while todo:
        thing, pattern, indices = todo.pop()
        if isinstance(thing, Value):
            found.setdefault(thing, Name(pattern, indices))
        elif not isinstance(thing, _NOT_SEARCHED) and id(thing) not in seen:
            seen.add(id(thing))
            todo += reversed(list(_parts(thing, pattern, indices)))


def _parts(
    thing: Any, pattern: str, indices: tuple[Any, ...]
) -> Iterator[tuple[Any, str, tuple[Any, ...]]]:
    """List what a container or object holds, with the ways there."""
    if hasattr(thing, "dtype"):
        if str(thing.dtype) != "object":
            return
        thing = thing.tolist()  # an array of Values
    if isinstance(thing, (list, tuple)):
        pattern += "[]"
        for i, part in enumerate(thing):
            yield part, pattern, (*indices, i)
    elif isinstance(thing, dict):
        for key, part in thing.items():
            if isinstance(key, str):  # a name, as an attribute's
                yield part, f"{pattern}.{key}" if pattern else key, indices
            else:
                yield part, f"{pattern}[]", (*indices, key)
    elif hasattr(thing, "__dict__") and not hasattr(thing, "__wrapped__"):
        for name, part in vars(thing).items():
            yield part, f"{pattern}.{name}" if pattern else name, indices
