"""What strict mode refuses of a single Value, since code for the original may do it in vain.

While strict mode is on anywhere, the class Value has these methods in place of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from micrograd.engine import Value
from micrograd.value import hooks

_own: dict[str, Any] = {}  # the methods of Value that were replaced; None where there was none
_is_on: Callable[[], bool] | None = None


def refuse(is_on: Callable[[], bool] | None) -> None:
    """Let Value refuse what is silently wrong where `is_on()`; None ends that."""
    global _is_on
    _is_on = is_on
    if bool(is_on) == bool(_own):
        return
    for name, method in _REFUSING.items():
        if is_on:
            _own[name] = vars(Value).get(name)
            setattr(Value, name, method)
        elif _own[name] is None:
            delattr(Value, name)
        else:
            setattr(Value, name, _own[name])
    if not is_on:
        _own.clear()


def _refused() -> bool:
    """Tell whether strict mode is on where the Value is used."""
    return _is_on is not None and _is_on()


def _of_value(name: str) -> Any:
    """Return what Value itself has of a method."""
    return _own.get(name) or getattr(super(Value, Value), name)


def _eq(v: Value, other: object) -> Any:
    _refuse_identity(v, other, "==", "is")
    return _of_value("__eq__")(v, other)


def _ne(v: Value, other: object) -> Any:
    _refuse_identity(v, other, "!=", "is not")
    return _of_value("__ne__")(v, other)


def _refuse_identity(v: Value, other: object, sign: str, word: str) -> None:
    if isinstance(other, Value) and other is not v and _refused():
        raise TypeError(
            f"strict mode: v {sign} w of two Values asks whether they are the same, whatever their "
            f"numbers: write v.data {sign} w.data, or v {word} w"
        )


def _bool(v: Value) -> bool:
    if hooks.tracer_here() is None and _refused():
        raise TypeError(
            "strict mode: a Value is true whatever its number: write if v.data != 0, or "
            "if v is not None"
        )
    return True


def _setattr(v: Value, name: str, what: Any) -> None:
    own = type(v) is not Value or hasattr(Value, name) or name in v._attributes
    if not own and _refused():
        raise AttributeError(
            f"strict mode: a Value has no attribute {name}, so setting it has no effect on it: "
            "data, grad and label can be set"
        )
    v._set_attribute(name, what)


def _in_place(sign: str, compute: Callable[[Any, Any], Any]) -> Any:
    def method(v: Value, other: Any) -> Any:
        leaf = not v.parents and v._closure is None and v.grad != 0
        if leaf and not isinstance(other, Value) and _refused():
            name = v.label or "p"
            raise RuntimeError(
                f"strict mode: {name} {sign}= ... makes a new Value and leaves the parameter as it "
                f"was: write {name}.data {sign}= ..."
            )
        return compute(v, other)

    return method


_REFUSING = {
    "__eq__": _eq,
    "__ne__": _ne,
    "__bool__": _bool,
    "__setattr__": _setattr,
    "__iadd__": _in_place("+", lambda v, other: v + other),
    "__isub__": _in_place("-", lambda v, other: v - other),
    "__imul__": _in_place("*", lambda v, other: v * other),
}
