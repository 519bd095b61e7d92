"""Names of Values in explanations."""

from __future__ import annotations

from micrograd.engine import Value


def name_of(v: Value) -> str:
    """Return the label of a Value, or else its operation and number.

    >>> x = Value(3.0, label="x")
    >>> name_of(x), name_of(x * 2), name_of(Value(2.0))
    ('x', '* (= 6)', 'the leaf 2')
    """
    if v.label:
        return v.label
    if v.parents:
        return f"{v._op or 'a node'} (= {v.data:.6g})"
    return f"the leaf {v.data:.6g}"


def expression(v: Value) -> str:
    """Write the operation that made a Value, with its operands.

    >>> x = Value(3.0, label="x")
    >>> expression(x * 2), expression(x)
    ('x * 2', 'x')
    """
    if v.op is None:
        return name_of(v)
    operands = [name_of(x) if isinstance(x, Value) and x.parents else _short(x) for x in v.args]
    if len(operands) == 2 and not v.op.symbol.isalpha():
        return f" {v.op.symbol} ".join(operands)
    return f"{v.op.name}({', '.join(operands)})"


def _short(operand: Value | float) -> str:
    if isinstance(operand, Value):
        return operand.label or f"{operand.data:.6g}"
    return f"{operand:.6g}"
