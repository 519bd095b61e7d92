"""Copies and pickles of graphs, as flat lists: a graph may be deeper than Python's stack."""

from __future__ import annotations

import copy
from typing import Any

from micrograd import engine
from micrograd.engine import Value, toposort


def shallow_copy(v: Value) -> Value:
    """A Value of its own with the same numbers, operands and attributes."""
    _refuse_closure(v)
    new = _make(type(v), v.data, v.grad, v.op, v.args)
    _set_attributes(new, v._attributes)
    return new


def deep_copy(root: Value, memo: dict[int, Any]) -> Value:
    """A copy of the whole graph; a Value that `memo` holds already is not copied again."""
    copied = []
    for v in toposort(root):
        if id(v) not in memo:
            _refuse_closure(v)
            args = tuple(memo[id(x)] if isinstance(x, Value) else x for x in v.args)
            memo[id(v)] = _make(type(v), v.data, v.grad, v.op, args)
            copied.append(v)
    for v in copied:  # only now, since attributes may refer to Values of the graph
        _set_attributes(memo[id(v)], copy.deepcopy(v._attributes, memo))
    root_copy: Value = memo[id(root)]
    return root_copy


def reduce(root: Value) -> tuple[Any, ...]:
    """What pickle stores: the leaves as objects, which keep their identity, the rest as rows."""
    nodes = toposort(root)
    position = {v: i for i, v in enumerate(nodes)}
    rows: list[Any] = []
    attributes = {}
    for i, v in enumerate(nodes):
        _refuse_closure(v)
        if v is root or v.parents:
            # An operand is its position in the list, a number exponent a tuple that holds it.
            args = tuple(position[x] if isinstance(x, Value) else (x,) for x in v.args)
            rows.append((type(v), v.data, v.grad, v.op, args))
            if v._attributes:
                attributes[i] = v._attributes
        else:
            rows.append(v)
    # Attributes come last, once pickle knows the root: they may refer to it.
    return _rebuild, (rows,), attributes, None, None, _set_all_attributes


def _rebuild(rows: list[Any]) -> Value:
    nodes: list[Value] = []
    for row in rows:
        if isinstance(row, Value):
            nodes.append(row)
            continue
        kind, data, grad, op, args = row
        operands = tuple(x[0] if isinstance(x, tuple) else nodes[x] for x in args)
        nodes.append(_make(kind, data, grad, op, operands))
    return nodes[-1]


def _set_all_attributes(root: Value, attributes: dict[int, dict[str, Any]]) -> None:
    nodes = toposort(root)  # the order in which they were stored
    for i, values in attributes.items():
        _set_attributes(nodes[i], values)


def _set_attributes(v: Value, attributes: dict[str, Any]) -> None:
    for name, x in attributes.items():
        setattr(v, name, x)


def _make(kind: type[Value], data: float, grad: float, op: Any, args: tuple[Any, ...]) -> Value:
    new = kind.__new__(kind)
    if engine._marking:  # in C, __new__ sees to it
        engine._mark(new)
    new.data, new.grad, new.op, new.args = data, grad, op, args
    return new


def _refuse_closure(v: Value) -> None:
    if v._closure is not None:
        raise TypeError(
            getattr(v, "_why_no_copy", None)
            or f"{v!r} cannot be copied or pickled: its _backward was assigned by hand, and that "
            "function would go on adding to the operands of the original. Make the node with "
            "Value.node or with a row of its own, an Op"
        )
