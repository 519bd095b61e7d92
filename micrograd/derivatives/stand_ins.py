"""Nodes that know their gradient in numbers alone, and what stands for them in the chain rule.

The result of a program is such a node. It has a method `_stand_in`, which returns a node with the
same number whose local derivatives are Values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from micrograd.derivatives.sweeps import ClosureError, nodes_behind
from micrograd.engine import Value

Compute = Callable[[Sequence[Any]], list[Any]]


def on_stand_ins(compute: Compute, outputs: Sequence[Any], variables: Sequence[Value]) -> list[Any]:
    """Compute derivatives of the outputs; of others that stand for them, where these have none."""
    try:
        return compute(outputs)
    except ClosureError:
        others = _others(outputs, variables)
        if others is None:
            raise
    return compute(others)


def _others(outputs: Sequence[Any], variables: Sequence[Value]) -> list[Any] | None:
    """Return the outputs on stand-ins for what they are made of; None if there are none."""
    fixed = {id(x) for x in variables}
    new: dict[int, Value] = {}
    is_new = False
    for v in nodes_behind(outputs):
        make: Callable[[Any], Value] | None = getattr(type(v), "_stand_in", None)
        if id(v) in fixed:
            continue
        if make is not None:
            new[id(v)] = make(v)
            is_new = True
        elif v.op is not None and any(id(x) in new for x in v.parents):
            new[id(v)] = v.op(*[new.get(id(x), x) for x in v.args])
    return [new.get(id(y), y) for y in outputs] if is_new else None
