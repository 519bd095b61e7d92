"""The function of a program: how it is called, on leaves in the place of its arguments."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from types import MethodType
from typing import Any, NamedTuple

from micrograd.engine import Value
from micrograd.programs.arguments import Structure, nested
from micrograd.programs.branches import Paths
from micrograd.programs.by_rows import Order, differentiated
from micrograd.programs.trace.captures import References

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Version(NamedTuple):
    """All that was traced while the function's closure and globals were the same."""

    references: References
    paths: dict[Any, Paths]  # by the structures of the arguments


class Known:
    """How a function is called, and what was traced of it; of a method, without its object."""

    __slots__ = ("names", "plain", "signature", "version")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.signature = inspect.signature(function)
        parameters = self.signature.parameters.values()
        # The names, if arguments can only be given in this order or by name.
        self.names = tuple([p.name for p in parameters if p.kind in _BY_POSITION])
        self.plain = len(self.names) == len(parameters)
        self.version: Version | None = None


def getter(function: Callable[..., Any]) -> Callable[[], Any]:
    """Return a way to the function that does not keep a method's object: the call does that."""
    if isinstance(function, MethodType):
        with suppress(TypeError):  # an object that allows no weak references
            return weakref.WeakMethod(function)
    return lambda: function


def trace(
    orders: tuple[Order, ...],
    getter: Callable[[], Any],
    arguments: list[tuple[str, Structure]],
    by_position: int,
    keywords: tuple[str, ...],
    leaf: Callable[[str, int], Value],
) -> Any:
    """Run the function on leaves in the place of its arguments, given as in the call.

    Its derivatives of these `orders` are returned, if there are some.
    """
    leaves = [
        nested(structure, map(functools.partial(leaf, name), count()))
        for name, structure in arguments
    ]
    function = getter()
    returned = function(*leaves[:by_position], **dict(zip(keywords, leaves[by_position:])))
    return differentiated(function, orders, returned, leaves[:by_position])
