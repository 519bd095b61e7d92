"""Copies and pickles of graphs, as flat lists: a graph may be deeper than Python's stack."""

from __future__ import annotations

import copy
import threading
import weakref
from collections.abc import Container, Iterator
from types import MemberDescriptorType
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
    copied = _nodes_behind(root, memo)
    for v in copied:
        _refuse_closure(v)
        args = tuple(memo[id(x)] if isinstance(x, engine.Value) else x for x in v.args)
        memo[id(v)] = _make(type(v), v.data, v.grad, v.op, args)
    for v in copied:  # only now, since attributes may refer to Values of the graph
        _set_attributes(memo[id(v)], copy.deepcopy(_attributes(v), memo))
    root_copy: Value = memo[id(root)]
    return root_copy


def reduce(v: Any) -> tuple[Any, ...]:
    """Return what pickle stores: a leaf by itself, a node as its place in a group."""
    if _stands_alone(v):
        made = type(v), v.data, v.grad, None, ()
        return _make, made, _attributes(v) or None, None, None, _set_attributes
    _refuse_closure(v)
    group = _groups.of_node.get(id(v)) or Group(_nodes_behind(v, _groups.of_node))
    return _node, (group, group.place[id(v)])


class Group:
    """Nodes that are pickled together.

    A pickler keeps what it has pickled, and so the group, until it is done. Until then, another
    Value that leads to these nodes finds the group, and each node is stored once.
    """

    __slots__ = ("__weakref__", "nodes", "place")

    def __init__(self, nodes: list[Any]) -> None:
        self.nodes: list[Any] = [v for v in nodes if not _stands_alone(v)]
        self.place: dict[int, int] = {id(v): i for i, v in enumerate(self.nodes)}
        _groups.of_node.update((id(v), self) for v in self.nodes)

    def __reduce__(self) -> tuple[Any, ...]:
        stored, attributes = [], {}
        for i, v in enumerate(self.nodes):
            _refuse_closure(v)
            stored.append((type(v), v.data, v.grad, v.op, tuple(map(self._stored, v.args))))
            if found := _attributes(v):
                attributes[i] = found
        # Attributes come last, once pickle knows the group: they may refer to its nodes.
        return _rebuild, (stored,), attributes or None, None, None, _set_all_attributes

    def _stored(self, operand: Any) -> Any:
        """Return an operand as its place here, or in a tuple: a number, a Value from elsewhere."""
        place = self.place.get(id(operand))
        return (operand,) if place is None else place


class _Groups(threading.local):
    """The groups of the picklers that are at work in this thread."""

    def __init__(self) -> None:
        self.of_node: weakref.WeakValueDictionary[int, Group] = weakref.WeakValueDictionary()


_groups = _Groups()


def _node(group: Group, place: int) -> Any:
    return group.nodes[place]


def _rebuild(stored: list[Any]) -> Group:
    nodes: list[Any] = []
    for kind, data, grad, op, args in stored:
        operands = tuple(x[0] if isinstance(x, tuple) else nodes[x] for x in args)
        nodes.append(_make(kind, data, grad, op, operands))
    group = Group.__new__(Group)
    group.nodes = nodes
    return group


def _set_all_attributes(group: Group, attributes: dict[int, dict[str, Any]]) -> None:
    for i, values in attributes.items():
        _set_attributes(group.nodes[i], values)


def _nodes_behind(root: Any, known: Container[int]) -> list[Any]:
    """List what a Value is made of, operands first, down to those whose id is known already."""
    order: list[Any] = []
    seen: set[int] = set()
    path: list[tuple[Any, Iterator[Any]]] = [(None, iter((root,)))]
    while path:
        v, operands = path[-1]
        for operand in operands:
            if id(operand) not in seen and id(operand) not in known:
                seen.add(id(operand))
                path.append((operand, iter(operand.parents)))
                break
        else:
            order.append(v)
            path.pop()
    return order[:-1]


def _stands_alone(v: Any) -> bool:
    """Tell whether a Value is pickled by itself: a leaf from which nothing leads to others."""
    if v.parents:
        return False
    usual: Any = engine.Value.__reduce__
    if type(v).__reduce__ is not usual:
        return True  # a subclass knows how
    return all(x.__class__ in _ATOMS for x in _attributes(v).values())


_ATOMS = frozenset({str, float, int, bool, type(None)})


def _attributes(v: Any) -> dict[str, Any]:
    """Return the attributes that a copy gets: all but the `_backward` of a leaf."""
    found = {name: x for name, x in v._attributes.items() if name != "_closure"}
    for kind in type(v).__mro__[: type(v).__mro__.index(engine.Value)]:
        for name, slot in vars(kind).items():
            if slot.__class__ is MemberDescriptorType and hasattr(v, name):
                found[name] = getattr(v, name)
    for name in ("_is_plain_number", "_is_variable", "_forgot"):  # which are bits in C
        if getattr(v, name):
            found[name] = True
    return found


def _set_attributes(v: Any, attributes: dict[str, Any]) -> None:
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
