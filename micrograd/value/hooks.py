"""The hooks by which other rooms add to what Values do, all in one place.

These are global, and stay empty while nobody needs them:

* `set_on_new(function)`: the function is called on each new Value (graph/modes.py).
* `set_before_backward(function)`: the function is called on the ordered nodes of a graph before
  each backward pass (graph/strict.py).
* `set_forgets(True)`: new Values of this thread forget their operands (graph/modes.py).
* `tracers`: for each thread that traces a program, who answers when the traced function compares
  ordinary Values, reads their numbers, or computes where floats raise (programs/trace/).

The others are methods and attributes of a single Value, which a subclass may override; `ValueBase`
lists them. The C core obeys the same hooks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

on_new: Callable[[Any], object] | None = None


def set_on_new(function: Callable[[Any], object] | None) -> None:
    """Call a function on each Value that any thread makes from now on; None ends that."""
    global on_new
    on_new = function


before_backward: Callable[[Any], object] | None = None


def set_before_backward(function: Callable[[Any], object] | None) -> None:
    """Call a function on the nodes of a graph before each backward pass; None ends that."""
    global before_backward
    before_backward = function


_forgetful: set[int] = set()  # the identifiers of threads


def set_forgets(forgets: bool) -> None:
    """Make new Values of this thread forget their operands, or remember them again."""
    (_forgetful.add if forgets else _forgetful.discard)(threading.get_ident())


def forgets() -> bool:
    """Tell whether new Values of this thread forget their operands."""
    return bool(_forgetful) and threading.get_ident() in _forgetful


class Tracer(Protocol):
    """Answers for the Values that a function uses while it is traced."""

    def compare(self, v: Any, other: Any, comparison: Callable[[Any, Any], Any]) -> Any:
        """Return the outcome of a comparison, or NotImplemented."""

    def read(self, v: Any, name: str) -> None:
        """Learn that `v.data` or `v.grad` is about to be read; may raise."""

    def is_traced(self, v: Any) -> bool:
        """Return whether a Value depends on an argument of the traced function."""

    def shown(self, v: Any) -> str:
        """Return the text for a Value that depends on an argument."""

    def value(self, op: Any, operands: Sequence[Any]) -> float:
        """Compute an operation by IEEE arithmetic, where floats raise."""

    def check_index(self, v: Any, size: int) -> None:
        """Learn that a Value is an index into a table of some size; may raise."""

    def error(self, advice: str) -> TypeError:
        """Return the error for asking for a number, with the line that asks."""


tracers: dict[int, Tracer] = {}  # by the identifier of the thread


def tracer_here() -> Tracer | None:
    """Return who answers for the Values that this thread uses, if it traces."""
    return tracers.get(threading.get_ident()) if tracers else None
