"""Explain failed arithmetic: the operation, its operands, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

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
        f"{_call(op, operands)}: ",
        f"Keep the operands where {op.name} is defined and finite (with maximum or minimum, say).",
    )


def value_after(error: Exception, op: Op, operands: Sequence[Any]) -> float:
    """Raise the error of an operation; while a program is traced, return inf or nan instead."""
    tracer = hooks.tracer_here()
    if tracer is not None:
        with suppress(*ARITHMETIC_ERRORS):
            return tracer.value(op, operands)
    raise forward_error(error, op, operands) from error


def derivative_error(error: Exception, node: Value, operand: Value) -> Exception:
    """Return the error for a local derivative of `node` that cannot be computed."""
    assert node.op is not None
    name = f" (label {node.label!r})" if node.label else ""
    return _of_same_kind(
        error,
        f"the derivative of {_call(node.op, node.args)}{name} "
        f"with respect to {_shown(operand)} cannot be computed: ",
        "Keep the operand away from this point (maximum(x, 1e-12), say), or leave the operation "
        "out there. No leaf's grad was changed.",
    )


def _of_same_kind(error: Exception, what: str, advice: str) -> Exception:
    kind = next(kind for kind in _MEANING if isinstance(error, kind))
    return kind(f"{what}{_MEANING[kind]} ({error}). {advice}")


def _call(op: Op, operands: Sequence[Any]) -> str:
    return f"{op.name}({', '.join(map(_shown, operands))})"


def _shown(operand: Any) -> str:
    label = getattr(operand, "label", "")
    number = getattr(operand, "data", operand)
    return f"{label}={number!r}" if label else repr(number)
