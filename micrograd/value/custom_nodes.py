"""Nodes that no operation of the table made: check what was given, and find what lacks a rule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from typing import Any

from micrograd.value import hooks
from micrograd.value.base import ValueBase
from micrograd.value.errors import described, user_line, warn
from micrograd.value.numbers import to_float


def set_up(node: Any, children: Any, op: Any, label: str, local_grads: Any) -> None:
    """Store in a new leaf what `Value(...)` was called with beside its data."""
    if not isinstance(op, str):  # Value(6.0, (a, b), (3.0, 2.0)), as microgpt writes it
        if local_grads is not None or not isinstance(op, Iterable):
            raise TypeError(
                f"the third argument of Value is the text that a diagram shows, or a sequence of "
                f"local gradients, one per child; got {op!r}"
            )
        op, local_grads = "", op
    values = _all_values(children, node)
    if op:
        node._op = op
    if label:
        node.label = label
    if hooks.forgets():
        node._forgot = bool(values)
        return
    node.args = values
    if local_grads is not None:
        give(node, local_grads)
    elif node.args:
        node._line = user_line()  # it has no rule yet: for the message, if it gets none


def give(node: Any, local_grads: Any) -> None:
    """Store the local derivatives of a node that no operation made, after a check."""
    if node.op is not None:
        raise TypeError(
            f"the local derivatives of {node!r} are those of its operation, {node.op.name}: make a "
            "node of your own, Value(data, children, local_grads)"
        )
    if callable(local_grads):
        node._given = local_grads
    elif isinstance(local_grads, (str, bytes)) or not isinstance(local_grads, Iterable):
        raise TypeError(
            "local derivatives are a sequence of numbers, one per child, or a function that "
            f"returns one; got {local_grads!r}"
        )
    else:
        node._given = one_per_parent(local_grads, node)


def _all_values(children: Any, node: Any) -> tuple[Any, ...]:
    if isinstance(children, str):
        raise TypeError(
            f"the second argument of Value is its children, got {children!r}: for a name, write "
            f"Value({node._number}, label={children!r})"
        )
    if not isinstance(children, Iterable):
        raise TypeError(
            f"the children of a Value are a sequence of Values, got {children!r}: write (v,) for "
            "a single one"
        )
    values = tuple(children)
    for child in values:
        if not isinstance(child, ValueBase):
            raise TypeError(
                f"the children of a Value are Values, got {child!r}: wrap it in Value()"
            )
    return values


def given_derivatives(node: Any, as_values: bool = False) -> Sequence[Any]:
    """Return the local derivatives given for a node; for a node without a rule, none, and warn.

    A function gets the data of the parents and of the node, or the Values themselves.
    """
    slopes = node._given
    if callable(slopes):
        inputs = (*node.parents, node)
        if as_values:
            return one_per_parent(slopes(*inputs), node, as_values=True)
        return one_per_parent(slopes(*[x._number for x in inputs]), node)
    if slopes is None and node.parents:
        warn(f"no gradient passes {_without_rule(node)}", RuntimeWarning)
    return slopes or ()


def one_per_parent(slopes: Iterable[Any], node: Any, as_values: bool = False) -> tuple[Any, ...]:
    """Return the slopes as floats, or as Values where they are any and are asked for.

    Raises ValueError when there is not one for each parent of the node.
    """
    found = tuple(
        [
            s if as_values and isinstance(s, ValueBase) else to_float(s, "a local derivative")
            for s in slopes
        ]
    )
    if len(found) != len(node.parents):
        raise ValueError(
            f"Value.node needs one local derivative per parent: "
            f"got {len(found)} for {len(node.parents)} parents"
        )
    return found


def local_grads(node: Any) -> tuple[float, ...]:
    """Return the local derivative for each parent of a node; 0 where there is none."""
    if node._closure is not None and node.op is None and node._given is None and node.parents:
        raise AttributeError(
            f"the local derivatives of {node!r} are not known: its _backward was assigned by hand"
        )
    slopes = node._local_derivatives()
    if node.op is None:
        return tuple(slopes)
    is_parent = [isinstance(x, ValueBase) for x in node.args]
    return tuple([slope or 0.0 for slope, counts in zip(slopes, is_parent) if counts])


def refuse_without_rule(order: Sequence[Any]) -> None:
    """Raise TypeError when nodes without a rule keep a backward pass from every leaf.

    `order` lists the graph, operands before consumers. Leaves that are plain numbers do not count.
    Raises RuntimeError when the root forgot what it was made of.
    """
    if order[-1]._forgot:
        refuse_forgotten(order[-1], "backward()")
    missing = {id(v) for v in order if v.op is None and _has_no_rule(v)}
    if not missing:
        return
    reached, first = {id(order[-1])}, None
    for v in reversed(order):
        if id(v) not in reached:
            continue
        if id(v) in missing:
            first = first or v
            continue
        reached.update(map(id, v.parents))
        if not v.parents and not v._is_plain_number:
            return
    if first is not None:
        raise TypeError(
            f"backward() reaches no leaf, since no gradient passes {_without_rule(first)}"
        )


def refuse_forgotten(root: Any, what: str) -> None:
    """Raise RuntimeError: nothing can be differentiated that was computed within no_grad."""
    name = f"{root.label} ({root!r})" if root.label else repr(root)
    raise RuntimeError(
        f"{what} of {name} reaches nothing, since it was computed within no_grad() and remembers "
        "no operands: compute it outside"
    )


def _has_no_rule(v: Any) -> bool:
    if v._given is not None or v._closure is not None or not v.parents:
        return False
    return not any("_backward" in vars(k) or "_pass_on" in vars(k) for k in _above_value(type(v)))


def _above_value(kind: type) -> Iterator[type]:
    """Yield a subclass of Value and its bases, down to Value itself."""
    return takewhile(lambda k: ValueBase not in k.__bases__, kind.__mro__)


def _without_rule(node: Any) -> str:
    name = " ".join(filter(None, [node._op, node.label])) or "a node"
    where = f", made in {described(*node._line)}" if node._line else ""
    return (
        f"{name} ({node!r}{where}): it has children, but no rule. Give it local_grads, assign its "
        "_backward, or make it with an operation"
    )
