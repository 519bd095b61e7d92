"""Say what went wrong: explain failed arithmetic, and find the user's line."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from micrograd.ops import Rule, by_ieee, follows_ieee
from micrograd.value import hooks

if TYPE_CHECKING:
    from micrograd.engine import Value
    from micrograd.ops import Op

# The exceptions of Python's float arithmetic, in words.
_MEANING = {
    ZeroDivisionError: "it divides by zero",
    OverflowError: "the result is too large for a float",
    ValueError: "it is not defined there",
}
ARITHMETIC_ERRORS = tuple(_MEANING)


def forward_error(error: Exception, op: Op, operands: Sequence[Any]) -> Exception:
    """Return the error for an operation that has no value at these operands."""
    return _of_same_kind(
        error,
        f"{described_call(op, operands)}: ",
        f"Keep the operands where {op.name} is defined and finite (with maximum or minimum, say).",
    )


def value_after(error: Exception, op: Op, operands: Sequence[Any]) -> float:
    """Raise the error of an operation; in `ieee()` and in programs, return inf or nan instead."""
    tracer = hooks.tracer_here()
    with suppress(*ARITHMETIC_ERRORS):
        if tracer is not None:
            return tracer.value(op, operands)
        if follows_ieee():
            return by_ieee(op, [getattr(x, "_number", x) for x in operands])
    raise forward_error(error, op, operands) from error


def slope_after(
    error: Exception, node: Value, operand: Value, rule: Rule, arguments: Sequence[float]
) -> float:
    """Raise the error of a local derivative; in `ieee()`, return inf or nan instead."""
    with suppress(*ARITHMETIC_ERRORS):
        if follows_ieee():
            return by_ieee(rule, arguments)
    raise derivative_error(error, node, operand) from error


def derivative_error(error: Exception, node: Value, operand: Value) -> Exception:
    """Return the error for a local derivative of `node` that cannot be computed."""
    assert node.op is not None
    name = f" (label {node.label!r})" if node.label else ""
    return _of_same_kind(
        error,
        f"the derivative of {described_call(node.op, node.args)}{name} "
        f"with respect to {_shown(operand)} cannot be computed: ",
        "Keep the operand away from this point (maximum(x, 1e-12), say), or leave the operation "
        "out there. No leaf's grad was changed.",
    )


def _of_same_kind(error: Exception, what: str, advice: str) -> Exception:
    kind = next(kind for kind in _MEANING if isinstance(error, kind))
    return kind(f"{what}{_MEANING[kind]} ({error}). {advice}")


def described_call(op: Op, operands: Sequence[Any]) -> str:
    """Return a text such as `multiply(w=3.0, 2.0)`."""
    return f"{op.name}({', '.join(map(_shown, operands))})"


def _shown(operand: Any) -> str:
    label = getattr(operand, "label", "")
    number = getattr(operand, "data", operand)
    return f"{label}={number!r}" if label else repr(number)


# The line of the user's code that is running, not of this package or Python's own.

_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_STANDARD_LIBRARY = str(Path(os.__file__).parent) + os.sep


def user_line() -> tuple[str, int]:
    """Return the file and line number of the innermost frame that runs the user's code."""
    frame = _user_frame()
    return frame.f_code.co_filename, frame.f_lineno


def warn(message: str, category: type[Warning]) -> None:
    """Issue a warning at the user's line."""
    frame = _user_frame()
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    file, line = frame.f_code.co_filename, frame.f_lineno
    warnings.warn_explicit(message, category, file, line, frame.f_globals.get("__name__"), registry)


def _user_frame() -> FrameType:
    frame = sys._getframe(2)
    while frame.f_back is not None and not _is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def described(file: str, line: int) -> str:
    """Name a line, and quote it if its file can be read."""
    import linecache  # it is slow to import, and only needed for messages

    text = linecache.getline(file, line).strip()
    return f"{file}, line {line}{f': {text}' if text else ''}"


@cache
def _is_users(file: str) -> bool:
    if file.startswith((_PACKAGE, "<frozen ")):
        return False
    return not file.startswith(_STANDARD_LIBRARY) or "site-packages" in file
