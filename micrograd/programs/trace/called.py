"""The code that runs when a function is called, as far as it can be seen without calling it."""

from __future__ import annotations

import builtins
from collections import ChainMap
from collections.abc import Iterator, Mapping
from types import CellType, CodeType, FunctionType
from typing import Any


def called(first: Any, functions: list[FunctionType]) -> Iterator[FunctionType]:
    """Leave out methods that none of the others names: they may be for other code."""
    todo = [f for f in functions if f is first or not _is_plain_method(f)]
    waiting = [f for f in functions if f not in todo]
    names: set[str] = set()
    while todo:
        yield from todo
        names.update(n for f in todo for code in codes(f.__code__) for n in code.co_names)
        todo = [f for f in waiting if f.__name__ in names]
        waiting = [f for f in waiting if f not in todo]


def codes(code: CodeType) -> Iterator[CodeType]:
    """Yield a code and those of the functions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes(constant)


def variables(function: FunctionType) -> Mapping[str, Any]:
    """Return what the names in a function's closure, its globals and the builtins refer to."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or ())
    closure = {name: _contents(cell) for name, cell in cells}
    return ChainMap(closure, function.__globals__, vars(builtins))


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None  # it is assigned later


def _is_plain_method(f: FunctionType) -> bool:
    """Return whether this is a function in the body of a class, but not an operator or a call."""
    return "." in f.__qualname__.rpartition("<locals>.")[2] and not f.__name__.startswith("__")
