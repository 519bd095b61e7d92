"""Strict mode: refuse to go backward through numbers that are no longer those of the graph."""

from __future__ import annotations

import struct
from typing import Any

from micrograd.engine import Value
from micrograd.value import hooks
from micrograd.value.errors import ARITHMETIC_ERRORS, described_call


class strict:  # noqa: N801 (it is used like a function)
    """Make `backward()` check, from now on or in a block, that data is what the operands give.

    Local derivatives are evaluated on the data as it is when `backward()` runs. Data that was set
    after it was used gives gradients of no function at all: in strict mode, that is a RuntimeError
    that names the Value. `mg.strict()` switches it on for all threads, `mg.strict(False)` off; at
    the end of `with mg.strict():` it is as before. Nodes that no operation made are not checked.

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

    def __init__(self, on: bool = True) -> None:
        self._before = _is_on()
        _switch(on)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: object) -> None:
        _switch(self._before)


_on = False


def _is_on() -> bool:
    return _on


def _switch(on: bool) -> None:
    global _on
    _on = bool(on)
    hooks.set_before_backward(_check if _on else None)


def _check(nodes: list[Value]) -> None:
    """Raise RuntimeError at the first node whose data is not what its operands give."""
    for v in nodes:
        if v.op is None or v._closure is not None:
            continue
        inputs = [x._number if isinstance(x, Value) else x for x in v.args]
        try:
            now: Any = float(v.op.value(*inputs))
        except ARITHMETIC_ERRORS as error:
            now = f"an error ({error})"
        if now.__class__ is str or _bits(now) != _bits(v._number):
            name = f"{v.label}, " if v.label else ""
            raise RuntimeError(
                f"backward() in strict mode: {described_call(v.op, v.args)} is {now} now, but its "
                f"node {name}holds {v._number}: data was set after it had been used. Compute the "
                "graph again after setting data"
            )


def _bits(x: float) -> bytes:
    return b"nan" if x != x else struct.pack("d", x)
