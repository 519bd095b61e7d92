"""Sums of products as one call each: a matrix product, an outer product, or einsum."""

from __future__ import annotations

from collections.abc import Sequence

from micrograd.programs.lift.regularity import Nest
from micrograd.programs.lower.strides import Step, View, along


def matrix_product(out: View, found: Nest, views: Sequence[View]) -> Step:
    """Multiply what is shared by what varies: rows of the one with columns of the other."""
    shared, varying = views if views[1].varies else views[::-1]
    depth = len(found.dims)
    members, terms = range(depth), range(depth, depth + len(found.term_dims))
    moves = [d for d in members if shared.strides[d] and not varying.strides[d]]
    row = max(moves, key=lambda d: found.dims[d], default=None)
    batch = [d for d in members if d != row]
    rows = [] if row is None else [row]
    return Step(
        "product",
        along(out, [*batch, *rows]),
        (along(shared, [*batch, *rows, *terms]), along(varying, [*batch, *terms])),
        (len(batch), len(rows), len(found.term_dims)),
    )


def outer(out: View, found: Nest, views: Sequence[View]) -> Step:
    """Sum a product over the examples: the outer grid of what varies."""
    left, right = views
    if not left.dims:
        return Step("outer", out, (left, right), (0, 0, 0, 0))
    depth = len(found.dims)
    members, terms = range(depth), list(range(depth, depth + len(found.term_dims)))
    moved = [d for d in members if bool(left.strides[d]) != bool(right.strides[d])]
    if moved and not left.strides[max(moved, key=lambda d: out.strides[d])]:
        left, right = right, left  # so that the result is written row by row
    only_left = [d for d in members if left.strides[d] and not right.strides[d]]
    only_right = [d for d in members if right.strides[d] and not left.strides[d]]
    rows = [max(only_left, key=lambda d: found.dims[d])] if only_left else []
    columns = [max(only_right, key=lambda d: found.dims[d])] if only_right else []
    batch = [d for d in members if d not in rows + columns]
    return Step(
        "outer",
        along(out, [*batch, *rows, *columns]),
        (along(left, [*terms, *batch, *rows]), along(right, [*terms, *batch, *columns])),
        (len(terms), len(batch), len(rows), len(columns)),
    )


def einsum(out: View, found: Nest, views: Sequence[View]) -> Step:
    """Any other sum of products, the examples as one more letter."""
    letters = "abcdefghijklmnopqrstuvwxy"[: len(found.dims) + len(found.term_dims)]
    members = letters[: len(found.dims)]
    written: set[str] = set()
    inputs, used = [], []
    for view in views:
        axes = [d for d, s in enumerate(view.strides) if s or letters[d] not in written]
        if view is not views[0]:
            axes = [d for d in axes if view.strides[d] or letters[d] not in written]
        written.update(letters[d] for d in axes)
        inputs.append("".join(letters[d] for d in axes) + ("z" if view.varies else ""))
        used.append(along(view, axes))
    result = members + ("z" if out.varies else "")
    return Step("einsum", out, tuple(used), f"{','.join(inputs)}->{result}")
