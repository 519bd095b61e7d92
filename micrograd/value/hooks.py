"""The hooks by which other rooms add to what Values do, all in one place.

These are global, and stay empty while nobody needs them:

* `set_on_new(function)`: the function is called on each new Value (graph/modes.py).
* `set_scope_here(function)`: the function says in which scope a new Value is (graph/scopes.py).
* `set_before_backward(function)`: the function is called on the ordered nodes of a graph before
  each backward pass, `set_before_derivative(function)`: on the outputs whose derivatives are to
  be a graph (graph/strict.py).
* `set_on_operands(function)`: the function is called on a Value whose operands were set by hand
  (graph/past.py).
* `set_on_compare(function)`: the function is called on both sides of each comparison (explain/).
* `add_mode(mode)`: new Values forget their operands, or remember them again (graph/modes.py).
* `tracers`: for each thread that traces a program, who answers when the traced function compares
  ordinary Values, reads their numbers, or computes where floats raise (programs/trace/).

The others are methods and attributes of a single Value, which a subclass may override; `ValueBase`
lists them. The C core obeys the same hooks.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Protocol

on_new: Callable[[Any], object] | None = None


def set_on_new(function: Callable[[Any], object] | None) -> None:
    """Call a function on each Value that any thread makes from now on; None ends that."""
    global on_new
    on_new = function


scope_here: Callable[[Any], Any] | None = None


def set_scope_here(function: Callable[[Any], Any] | None) -> None:
    """Ask a function in which scope a Value is made, given that of its thread; None ends that."""
    global scope_here
    scope_here = function


before_backward: Callable[[Any], object] | None = None


def set_before_backward(function: Callable[[Any], object] | None) -> None:
    """Call a function on the nodes of a graph before each backward pass; None ends that."""
    global before_backward
    before_backward = function


before_derivative: Callable[[Any], object] | None = None


def set_before_derivative(function: Callable[[Any], object] | None) -> None:
    """Call a function on Values before derivatives of them become a graph; None ends that."""
    global before_derivative
    before_derivative = function


on_operands: Callable[[Any], object] | None = None


def set_on_operands(function: Callable[[Any], object]) -> None:
    """Call a function on each Value whose `args` are set; the C core sees to that itself."""
    global on_operands
    on_operands = function


class Mode:
    """A block of code that switches something on or off: in a thread, or while a frame runs."""

    __slots__ = ("frame", "on", "thread")

    def __init__(self, on: bool, frame: FrameType | None, thread: int | None = None) -> None:
        self.on: bool = on
        self.frame: FrameType | None = frame
        self.thread: int = threading.get_ident() if thread is None else thread


EVERY_THREAD = -1


def deciding(modes: Sequence[Mode], frame: FrameType | None) -> Mode | None:
    """Return the last mode that holds where a frame runs; None if none does."""
    running, looks = set(), any(mode.frame is not None for mode in modes)
    while looks and frame is not None:
        running.add(id(frame))
        frame = frame.f_back
    threads = (threading.get_ident(), EVERY_THREAD)
    for mode in reversed(modes):
        if id(mode.frame) in running if mode.frame is not None else mode.thread in threads:
            return mode
    return None


_modes: list[Mode] = []  # of `no_grad` and its opposite, in the order of entering
_framed: list[Mode] = []  # those that hold while a frame runs
_forgetful: set[int] = set()  # the threads that forget, frames aside


def add_mode(mode: Mode) -> None:
    """Let a mode hold until it is removed; of those that hold somewhere, the last one decides."""
    _modes.append(mode)
    _settle(mode)


def remove_mode(mode: Mode) -> None:
    """End a mode, in whatever order and thread that happens."""
    _modes.remove(mode)
    _settle(mode)


def _settle(changed: Mode) -> None:
    _framed[:] = [mode for mode in _modes if mode.frame is not None]
    others = [mode for mode in _modes if mode.frame is None and mode.thread == changed.thread]
    forget = bool(others) and others[-1].on
    (_forgetful.add if forget else _forgetful.discard)(changed.thread)
    set_modal(bool(_modes))


def set_modal(modal: bool) -> None:
    """Tell the C core whether any mode is on, so that it has to ask."""


def forgets() -> bool:
    """Tell whether new Values that are made here forget their operands."""
    if _framed:
        mode = deciding(_modes, sys._getframe(1))
        return mode is not None and mode.on
    return bool(_forgetful) and threading.get_ident() in _forgetful


class Tracer(Protocol):
    """Answers for the Values that a function uses while it is traced."""

    kind: str  # of the floats that will be compared: "d", or "f" for float32

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


on_compare: Callable[[Any, Any], object] | None = None


def set_on_compare(function: Callable[[Any, Any], object] | None) -> None:
    """Call a function on a Value that any thread compares, and on what with; None ends that."""
    global on_compare
    on_compare = function
    if function is None:
        tracers.pop(_NO_THREAD, None)
    else:
        tracers[_NO_THREAD] = None  # type: ignore[assignment]  # the C core asks us if there is one


_NO_THREAD = -1
