"""How each thread records new Values: in which scope, with which line, and whether at all."""

from __future__ import annotations

import functools
import inspect
import sys
import threading
from collections.abc import Callable
from contextlib import ContextDecorator, contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

from micrograd import ops
from micrograd.engine import Value, core
from micrograd.native.takeover import prefer_c
from micrograd.value import hooks
from micrograd.value.errors import user_line

if TYPE_CHECKING:
    from typing_extensions import Self

    from micrograd.graph.scopes import Scope


class _Here(threading.local):
    """The scope of this thread."""

    scope: Scope | None = None  # the C core keeps that itself


_here = _Here()


@prefer_c
def swap_scope(scope: Scope | None) -> Any:
    """Record in a scope from now on in this thread, or in none; return the one before."""
    hooks.set_on_new(_note)
    before = _here.scope
    _here.scope = scope
    return before


def _note(v: Value) -> None:
    """Apply all of this to a new Value; the C core needs it for lines only."""
    if hooks.forgets() and v.args:
        v.op, v.args, v._forgot = None, (), True
    v._scope = _here.scope if hooks.scope_here is None else hooks.scope_here(_here.scope)
    _keep_line(v)


def _keep_line(v: Value) -> None:
    """Store the user's line in a new Value, if lines are kept here."""
    if _line_modes and hooks.deciding(_line_modes, sys._getframe(1)) is not None:
        v._line = user_line()


Function = TypeVar("Function", bound=Callable[..., Any])


class Block(ContextDecorator):
    """A mode in a block or in a decorated function; in a generator, only while that runs."""

    _name = ""

    def __init__(self) -> None:
        self._entered: list[Any] = []  # it may be entered again within its own block

    def _recreate_cm(self) -> Self:
        return type(self)()  # a decorated function may run in many threads

    def __call__(self, function: Function) -> Function:
        if isinstance(function, type) or not callable(function):
            raise TypeError(
                f"{self._name} decorates functions, got {function!r}: decorate the function "
                "itself, or each method, under @property or @classmethod"
            )
        if inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{self._name} cannot decorate {function.__qualname__}, an asynchronous generator: "
                f"write `with {self._name}(...):` within it"
            )

        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with self._recreate_cm():
                return await function(*args, **kwargs)

        def generator(*args: Any, **kwargs: Any) -> Any:
            with self._recreate_cm():
                return (yield from function(*args, **kwargs))

        if inspect.iscoroutinefunction(function):
            wrapped: Any = functools.update_wrapper(coroutine, function)
        elif inspect.isgeneratorfunction(function):
            wrapped = functools.update_wrapper(generator, function)
        else:
            wrapped = super().__call__(function)
        decorated: Function = wrapped
        return decorated

    def __enter__(self) -> None:
        self._entered.append(self._begin(generator_frame()))

    def __exit__(self, *error: object) -> None:
        mode = self._entered.pop()
        if mode is not None:
            self._end(mode)

    def _begin(self, frame: FrameType | None) -> Any:
        raise NotImplementedError

    def _end(self, mode: Any) -> None:
        raise NotImplementedError


class _Forgetting(Block):
    _name = "no_grad"
    _forgets = True

    def _begin(self, frame: FrameType | None) -> hooks.Mode | None:
        tracer = hooks.tracer_here()
        if tracer is not None and self._forgets:
            raise tracer.error(
                "no_grad in a program would give all rows the numbers of one: write stop_gradient"
            )
        if not self._forgets and not hooks.forgets():
            return None
        if core == "python":
            hooks.set_on_new(_note)
        mode = hooks.Mode(self._forgets, frame)
        hooks.add_mode(mode)
        return mode

    def _end(self, mode: hooks.Mode) -> None:
        hooks.remove_mode(mode)


class _Remembering(_Forgetting):
    _name = "enable_grad"
    _forgets = False


class _Lines(Block):
    _name = "source_lines"

    def _begin(self, frame: FrameType | None) -> hooks.Mode:
        mode = hooks.Mode(True, frame)
        _line_modes.append(mode)
        _look_at_new()
        return mode

    def _end(self, mode: hooks.Mode) -> None:
        _line_modes.remove(mode)
        _look_at_new()


_line_modes: list[hooks.Mode] = []
_lock = threading.Lock()


def _look_at_new() -> None:
    with _lock:
        if core == "python":
            hooks.set_on_new(_note)
        else:
            hooks.set_on_new(_keep_line if _line_modes else None)


class _Ieee(Block):
    _name = "ieee"

    def _begin(self, frame: FrameType | None) -> hooks.Mode:
        mode = hooks.Mode(True, frame)
        _ieee_modes.append(mode)
        ops.ieee_here = _within_ieee
        return mode

    def _end(self, mode: hooks.Mode) -> None:
        _ieee_modes.remove(mode)
        if not _ieee_modes:
            ops.ieee_here = bool


_ieee_modes: list[hooks.Mode] = []


def _within_ieee() -> bool:
    return hooks.deciding(_ieee_modes, sys._getframe(1)) is not None


_CONTEXTLIB = contextmanager.__code__.co_filename
_IN_PARTS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def generator_frame() -> FrameType | None:
    """Return the frame of the generator or coroutine that enters a block; None for others.

    It is asked by the `__enter__` of that block.

    Between its parts, other code runs in the same thread. A generator made a context manager by
    contextlib stands for whoever uses that.
    """
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        back = frame.f_back
        if frame.f_code.co_filename == _CONTEXTLIB:
            frame = back
        elif not frame.f_code.co_flags & _IN_PARTS:
            return None
        elif back is not None and back.f_code.co_filename == _CONTEXTLIB:
            frame = back
        else:
            return frame
    return None


def no_grad() -> _Forgetting:
    """Record no operands in this block and thread: new Values are leaves.

    It saves the memory of graphs that nobody goes back through. It decorates functions, too:
    `@no_grad()`. In a generator or coroutine it holds while that runs, and not in others between
    its parts. Derivatives that are taken within it, by `grad` and the like, are as ever; `backward`
    on a Value that was computed within it raises RuntimeError.

    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.data, y.parents
    (9.0, ())
    """
    return _Forgetting()


def enable_grad() -> _Remembering:
    """Record operands even within `no_grad`, as derivatives need it."""
    return _Remembering()


def source_lines() -> _Lines:
    """Store in each Value that this thread records in this block the line that made it.

    It decorates functions, too; in a generator or coroutine it holds while that runs. It costs a
    call of a Python function per Value.

    >>> from micrograd.graph.scopes import line_of
    >>> with source_lines():
    ...     y = Value(1.0) + 1
    >>> filename, line = line_of(y)
    """
    return _Lines()


def ieee() -> _Ieee:
    """Compute inf or nan in this block and thread where arithmetic would raise, as NumPy does.

    So a line search that steps outside of a domain goes on. It holds for operations on Values and
    on numbers, and for their derivatives; Python's own `1.0 / 0.0` raises as ever, and so does an
    `Op` whose functions take floats only. It decorates functions, too; in a generator or coroutine
    it holds while that runs.

    >>> x = Value(0.0)
    >>> with ieee():
    ...     y = x.log()
    ...     y.backward()
    >>> y.data, x.grad
    (-inf, inf)
    """
    return _Ieee()
