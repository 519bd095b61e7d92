"""Copies and pickles of graphs, as flat lists: a graph may be deeper than Python's stack."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from micrograd import engine  # which is not complete yet: this is used when something is copied
from micrograd.value import hooks

if TYPE_CHECKING:
    from micrograd.engine import Value
    from micrograd.value.base import ValueBase


def shallow_copy(v: ValueBase) -> Value:
    """Return a new Value with the same numbers, operands and attributes."""
    _refuse_closure(v)
    new = _make(type(v), v.data, v.grad, v.op, v.args)
    _set_attributes(new, _attributes(v))
    return new


def deep_copy(root: Any, memo: dict[int, Any]) -> Value:
    """Copy a whole graph; what `memo` holds already is not copied again."""
    copied = []
    for v in engine.toposort(root):
        if id(v) not in memo:
            _refuse_closure(v)
            args = tuple(memo[id(x)] if isinstance(x, engine.Value) else x for x in v.args)
            memo[id(v)] = _make(type(v), v.data, v.grad, v.op, args)
            copied.append(v)
    for v in copied:  # only now, since attributes may refer to Values of the graph
        _set_attributes(memo[id(v)], copy.deepcopy(_attributes(v), memo))
    root_copy: Value = memo[id(root)]
    return root_copy


def reduce(root: Any) -> tuple[Any, ...]:
    """Return what pickle stores: leaves as objects, which keep their identity, nodes as tuples."""
    order = engine.toposort(root)
    position = {id(v): i for i, v in enumerate(order)}
    stored: list[Any] = []
    attributes = {}
    for i, v in enumerate(order):
        _refuse_closure(v)
        if v is root or v.parents:
            # An operand is its position in the list, a number exponent a tuple that holds it.
            args = tuple(position[id(x)] if isinstance(x, engine.Value) else (x,) for x in v.args)
            stored.append((type(v), v.data, v.grad, v.op, args))
            if found := _attributes(v):
                attributes[i] = found
        else:
            stored.append(v)
    # Attributes come last, once pickle knows the root: they may refer to it.
    return _rebuild, (stored,), attributes, None, None, _set_all_attributes


def _rebuild(stored: list[Any]) -> Value:
    nodes: list[Value] = []
    for item in stored:
        if isinstance(item, engine.Value):
            nodes.append(item)
            continue
        kind, data, grad, op, args = item
        operands = tuple(x[0] if isinstance(x, tuple) else nodes[x] for x in args)
        nodes.append(_make(kind, data, grad, op, operands))
    return nodes[-1]


def _set_all_attributes(root: Value, attributes: dict[int, dict[str, Any]]) -> None:
    nodes = engine.toposort(root)  # the order in which they were stored
    for i, values in attributes.items():
        _set_attributes(nodes[i], values)


def _attributes(v: Any) -> dict[str, Any]:
    """Return the attributes that a copy gets: all but the `_backward` of a leaf."""
    found = {name: x for name, x in v._attributes.items() if name != "_closure"}
    if v._is_variable:  # no attribute in C; a derivative that meets the copy is to refuse it
        found["_is_variable"] = True
    return found


def _set_attributes(v: Value, attributes: dict[str, Any]) -> None:
    for name, x in attributes.items():
        setattr(v, name, x)


def _make(kind: type[Any], data: float, grad: float, op: Any, args: tuple[Any, ...]) -> Value:
    new: Value = kind.__new__(kind)  # type: ignore[call-overload]
    new.data, new.grad, new.op, new.args = data, grad, op, args
    if hooks.on_new is not None:
        hooks.on_new(new)
    return new


def _refuse_closure(v: ValueBase) -> None:
    if v._closure is not None and v.parents:
        raise TypeError(
            v._why_no_copy
            or f"{v!r} cannot be copied or pickled: its _backward was assigned by hand, and that "
            "function would go on adding to the operands of the original. Make the node with "
            "Value.node or with an operation of its own, an Op"
        )
