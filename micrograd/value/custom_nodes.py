"""Nodes that no operation of the table made: check what was given for them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from micrograd.value.base import ValueBase
from micrograd.value.numbers import to_float

if TYPE_CHECKING:
    from micrograd.engine import Value


def all_values(children: Iterable[Any]) -> tuple[Value, ...]:
    """Return the children as a tuple; TypeError when one of them is no Value."""
    children = tuple(children)
    for child in children:
        if not isinstance(child, ValueBase):
            raise TypeError(
                f"the children of a Value are Values, got {child!r}: wrap it in Value()"
            )
    return children


def given_derivatives(node: Value, as_values: bool = False) -> Sequence[Any]:
    """Return the local derivatives given to `Value.node`; of a node without a rule, none.

    A function gets the data of the parents and of the node, or the Values themselves.
    """
    slopes = node._local_grads
    if callable(slopes):
        inputs: tuple[Any, ...] = (*node.parents, node)
        if as_values:
            return _one_per_parent(tuple(slopes(*inputs)), node)
        return one_per_parent(slopes(*[x._data for x in inputs]), node)
    if slopes is None and node.parents:
        warnings.warn(
            f"no gradient passes {node!r}: it has children, but no rule. Assign its _backward, "
            "or make it with Value.node or an operation",
            RuntimeWarning,
            stacklevel=2,
        )
    return slopes or ()


def one_per_parent(slopes: Iterable[Any], node: Value) -> tuple[float, ...]:
    """Return the slopes as floats; ValueError when there is not one for each parent of the node."""
    numbers = tuple(to_float(slope, "a local derivative") for slope in slopes)
    return _one_per_parent(numbers, node)


def _one_per_parent(slopes: tuple[Any, ...], node: Value) -> tuple[Any, ...]:
    if len(slopes) != len(node.parents):
        raise ValueError(
            f"Value.node needs one local derivative per parent: "
            f"got {len(slopes)} for {len(node.parents)} parents"
        )
    return slopes
