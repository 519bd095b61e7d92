"""Strict mode: raise where code that runs would be silently wrong."""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from types import FrameType
from typing import Any

from micrograd import ops
from micrograd.engine import Value, toposort
from micrograd.graph.modes import Block, Function
from micrograd.graph.refusals import refuse
from micrograd.graph.scopes import scope_of
from micrograd.value import hooks
from micrograd.value.contents import Path, walk, written
from micrograd.value.errors import ARITHMETIC_ERRORS, described_call
from micrograd.value.numbers import is_number


class strict(Block):  # noqa: N801 (it is used like a function)
    """Raise, from now on or in a block, where code for the original is silently wrong.

    `backward()` raises RuntimeError for data that was set after it had been used (so do `grad`,
    `jvp` and `hvp` of Values), for grads that were not set to 0 since the last pass, and for a
    parameter of a module that has become a number or the result of an update. Values raise for
    `v == w` of two of them, `if v:`, `p -= 0.1 * p.grad` and attributes that they do not have.
    `mg.strict()` switches it on for all threads, `mg.strict(False)` off; at the end of
    `with mg.strict():` it is as before, and in a generator or coroutine that holds while it runs.
    `@mg.strict()` decorates functions, which are strict while they run.
    Nodes that no operation made are not checked.

    >>> w = Value(2.0, label="w")
    >>> y = w * w
    >>> w.data = 3.0
    >>> with strict():
    ...     y.backward()
    Traceback (most recent call last):
        ...
    RuntimeError: backward() in strict mode: multiply(w=3.0, w=3.0) is 9.0 now, but its node holds \
4.0: data was set after it had been used. Compute the graph again after setting data
    """

    _name = "strict"

    def __init__(self, on: bool = True) -> None:
        if not isinstance(on, bool):
            raise TypeError(
                f"strict takes True or False, got {on!r}: write `with mg.strict():`, or "
                "`@mg.strict()` with parentheses above a function"
            )
        super().__init__()
        self._on = on
        self._switched = _here()  # as a switch, it changes the block that decides here, or all
        self._before = self._switched.on
        _switch(self._switched, self._on)

    def __call__(self, function: Function) -> Function:
        """Return a function that is strict while it runs."""
        _switch(self._switched, self._before)  # it is no switch
        return super().__call__(function)

    def _recreate_cm(self) -> strict:
        return strict(self._on)

    def _begin(self, frame: FrameType | None) -> hooks.Mode:
        if not self._entered:  # it is no switch, but a block of its own
            _switch(self._switched, self._before)
        mode = hooks.Mode(self._on, frame, hooks.EVERY_THREAD)
        _modes.append(mode)
        _settle()
        return mode

    def _end(self, mode: hooks.Mode) -> None:
        _modes.remove(mode)
        _settle()


_modes = [hooks.Mode(False, None, hooks.EVERY_THREAD)]  # the switch for all, then the blocks


def _here() -> hooks.Mode:
    """Return the mode that decides for the frame that asks."""
    return hooks.deciding(_modes, sys._getframe(1)) or _modes[0]


def _is_on() -> bool:
    return _here().on


def _switch(mode: hooks.Mode, on: bool) -> None:
    mode.on = on
    _settle()


def _settle() -> None:
    """Let Values ask, if strict mode is on anywhere."""
    anywhere = any(mode.on for mode in _modes)
    hooks.set_before_backward(_check if anywhere else None)
    hooks.set_before_derivative(_check_outputs if anywhere else None)
    refuse(_is_on if anywhere else None)


def _check(nodes: list[Value]) -> None:
    """Raise RuntimeError at the first node whose gradient would be of no use."""
    if not _is_on():
        return
    _check_nodes(nodes, "backward()")
    for module in _modules_of(nodes):
        _check_module(module)
    for v in nodes:
        if not v.parents and v._grad != 0 and not v._is_plain_number:
            raise _error(
                f"{v.label or 'a leaf'} still has the gradient {v._grad} of an earlier pass, to "
                "which this one would be added: set it to 0 first, with model.zero_grad() say"
            )


def _check_outputs(outputs: Sequence[Any]) -> None:
    """Raise RuntimeError where derivatives would be of numbers that were set since."""
    if _is_on() and hooks.tracer_here() is None:  # whose Values hold numbers of one row
        _check_nodes(toposort(*[y for y in outputs if isinstance(y, Value)]), "a derivative")


def _error(text: str, what: str = "backward()") -> RuntimeError:
    return RuntimeError(f"{what} in strict mode: {text}")


def _check_nodes(nodes: Iterable[Value], what: str) -> None:
    """Raise if the data of a node is not what its operands give."""
    for v in nodes:
        if v.op is None or v._closure is not None:
            continue
        now = _value_now(v.op, [x._number if isinstance(x, Value) else x for x in v.args])
        if _bits(now) != _bits(v._number):
            name = f"{v.label}, " if v.label else ""
            raise _error(
                f"{described_call(v.op, v.args)} is {now} now, but its node {name}holds "
                f"{v._number}: data was set after it had been used. Compute the graph again after "
                "setting data",
                what,
            )


def _value_now(op: ops.Op, numbers: Sequence[float]) -> float:
    try:
        return float(op.value(*numbers))
    except ARITHMETIC_ERRORS:
        return ops.by_ieee(op, numbers)


def _bits(x: float) -> bytes:
    return b"nan" if x != x else struct.pack("d", x)


def _modules_of(nodes: list[Value]) -> list[Any]:
    """Return the outermost modules whose calls recorded some of the nodes, each once."""
    found: dict[int, Any] = {}
    for scope in {id(s): s for s in map(scope_of, nodes) if s is not None}.values():
        modules = [s.module for s in scope.ancestry() if s.module is not None]
        found.update({id(module): module for module in modules[-1:]})
    return list(found.values())


def _check_module(module: Any) -> None:
    """Raise for what was a parameter of a module, and is a number or the result of an update."""
    for thing, path in walk(module):
        if isinstance(thing, list) and any(isinstance(x, Value) for x in thing):
            for i, x in enumerate(thing):
                if is_number(x):
                    raise _untrained(_name(module, (path, "[{!r}]", i)), x)
        elif isinstance(thing, Value) and _is_update(thing):
            name = _name(module, path)
            raise _error(
                f"{name} is the result of {described_call(thing.op, thing.args)}, no parameter any "  # type: ignore[arg-type]
                f"more: write {name}.data -= ..., which keeps the parameter"
            )
        for x, place in _declared(thing, path):
            if is_number(x):
                raise _untrained(_name(module, place), x)


def _declared(thing: Any, path: Path) -> Iterator[tuple[Any, Path]]:
    """Yield what the class of a thing declares as Values, `b: Value` and `w: list[Value]`."""
    for kind in type(thing).__mro__:
        for attribute, declared in vars(kind).get("__annotations__", {}).items():
            x, place = getattr(thing, attribute, None), (path, ".{}", attribute)
            if declared in ("Value", Value):
                yield x, place
            elif declared in ("list[Value]", list[Value]) and isinstance(x, (list, tuple)):
                yield from ((y, (place, "[{!r}]", i)) for i, y in enumerate(x))


def _untrained(name: str, x: Any) -> RuntimeError:
    return _error(
        f"{name} is the number {x}, where a Value was, and is not trained: write {name}.data = {x}"
    )


def _is_update(v: Value) -> bool:
    """Tell `p - 0.1 * p.grad`, computed outside of every call of a module, from other results."""
    if v.op not in (ops.add, ops.subtract) or len(v.parents) < 2:
        return False
    scope = scope_of(v)
    called = scope is not None and any(s.module is not None for s in scope.ancestry())
    return v.parents[1]._is_plain_number and not called


def _name(module: Any, path: Path) -> str:
    return f"{type(module).__name__.lower()}.{written(path)}"
