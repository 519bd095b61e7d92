"""How a program is called: its arguments by name, and whether they are one example."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from micrograd.engine import Value
from micrograd.value.numbers import is_number


def named(bound: inspect.BoundArguments) -> Iterator[tuple[str, Any]]:
    """Each argument with its name, in the order of bound.args and bound.kwargs; *args by number."""
    parameters = bound.signature.parameters
    for name, given in bound.arguments.items():
        kind = parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            yield from ((f"{name}[{i}]", x) for i, x in enumerate(given))
        elif kind is inspect.Parameter.VAR_KEYWORD:
            for key, x in given.items():  # which may be called as one of the others
                plain = key.isidentifier() and key not in parameters
                yield key if plain else f"{name}[{key!r}]", x
        else:
            yield name, given


def are_scalars(arguments: Sequence[Any]) -> bool:
    """Return whether arguments hold a Value, or all are numbers: one example, not arrays."""
    return any(map(_holds_values, arguments)) or all(map(is_number, arguments))


def _holds_values(x: Any) -> bool:
    """Return whether an argument is a Value, or holds one, at any depth."""
    if isinstance(x, np.ndarray):
        return x.dtype.kind == "O" and any(map(_holds_values, x.flat))
    if isinstance(x, (list, tuple)):
        return any(map(_holds_values, x))
    return isinstance(x, Value)
