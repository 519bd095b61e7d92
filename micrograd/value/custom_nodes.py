"""Nodes that no row of the table made: what was given for them is checked here."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from micrograd.value.base import Comfort
from micrograd.value.numbers import to_float

if TYPE_CHECKING:
    from micrograd.engine import Value


def all_values(children: Iterable[Any]) -> tuple[Value, ...]:
    """The children as a tuple; TypeError when one of them is no Value."""
    children = tuple(children)
    for child in children:
        if not isinstance(child, Comfort):
            raise TypeError(
                f"the children of a Value are Values, got {child!r}: wrap it in Value()"
            )
    return children


def given_derivatives(node: Value) -> Sequence[float]:
    """The local derivatives of a node that no row made: those given to `Value.node`, or none."""
    slopes = node._local_grads
    if callable(slopes):
        slopes = slopes(*[parent._data for parent in node.parents], node._data)
        return one_per_parent(slopes, node)
    if slopes is None and node.parents:
        warnings.warn(
            f"no gradient passes {node!r}: it has children, but no rule. Assign its _backward, "
            "or make it with Value.node or a row of the table",
            RuntimeWarning,
            stacklevel=2,
        )
    return slopes or ()


def one_per_parent(slopes: Iterable[Any], node: Value) -> tuple[float, ...]:
    """The slopes as floats; ValueError when there is not one for each parent of the node."""
    slopes = tuple(to_float(slope, "a local derivative") for slope in slopes)
    if len(slopes) != len(node.parents):
        raise ValueError(
            f"Value.node needs one local derivative per parent: "
            f"got {len(slopes)} for {len(node.parents)} parents"
        )
    return slopes
