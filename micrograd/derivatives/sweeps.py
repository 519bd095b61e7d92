"""Derivatives in numbers: a sweep through a recorded graph, in storage of its own.

`adjoints` sweeps from outputs down to variables, `tangents` from variables up to outputs; both
handle any number of outputs or directions in one sweep. Only the nodes between the two are
visited, and no `.grad` is touched (but for a moment where a `_backward` assigned by hand is on the
way). The C core has both functions too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Union

from micrograd.engine import Value, core, toposort
from micrograd.graph import past
from micrograd.graph.steps import additions_by_hand
from micrograd.native import takeover
from micrograd.ops import STOPS, Op
from micrograd.value.custom_nodes import given_derivatives
from micrograd.value.errors import ARITHMETIC_ERRORS, slope_after
from micrograd.value.numbers import to_float

# A node, and the positions of those operands through which a variable reaches it.
Step = tuple[Value, tuple[int, ...]]
Rows = list[list[float]]
# Whether variables are the own ones of a call. If a function, it tells of past Values (see
# graph/past.py) that the walk has stopped at whether they are made of variables of others.
Own = Union[bool, Callable[[list[Value]], bool]]


class ClosureError(TypeError):
    """A node on the way has a `_backward` of its own, which gives numbers alone."""


class _Passing(Op):
    """An operation that passes its operand on; it is known again, also when it was pickled."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _passing, (self is tied,)


identity: Op = _Passing("identity", lambda x: x, lambda x, out: 1.0)
# What ties a new input of a function to the Value in whose place it was given.
tied: Op = _Passing("identity", lambda x: x, lambda x, out: 1.0)


def _passing(is_tied: bool) -> Op:
    return tied if is_tied else identity


def adjoints(outputs: Sequence[Any], variables: Sequence[Value], own: Own = False) -> Rows | None:
    """Return the derivative of each output (a Value or a number) by each variable.

    A gradient of exactly zero passes nothing on, even where the local derivative is infinite or
    cannot be computed; nor does it come to what was not chosen, even where the gradient is nan. If
    the variables are the `own` ones of a call (see fresh_inputs.py), None where the outputs depend
    on those of another call. Raises what `backward()` raises.
    """
    if takeover.c_core is not None:
        rows: Any = takeover.c_core.adjoints(outputs, variables, own, _passing_slopes)
        if rows is not NotImplemented:
            return rows  # type: ignore[no-any-return]
    steps = steps_between(outputs, variables, own)
    if steps is None:
        return None
    if len(outputs) > 1 and any(node._closure is not None for node, _ in steps):
        return [row for y in outputs for row in adjoints([y], variables) or []]
    zeros = [0.0] * len(outputs)
    found: dict[int, list[float]] = {}
    for k, y in enumerate(outputs):
        if isinstance(y, Value):
            found.setdefault(id(y), zeros.copy())[k] = 1.0
    for node, positions in reversed(steps):
        arrived = found.get(id(node), zeros)
        slopes: Sequence[float | None]
        if node._closure is None and not any(arrived):
            continue
        if node._closure is not None:  # called in any case, as backward() does
            slopes, arrived = _by_hand(node, positions, arrived[0], found), [1.0]
        else:
            slopes = _passing_slopes(node, positions)
        for i, slope in zip(positions, slopes):
            if slope is None:
                continue
            total = found.setdefault(id(node.args[i]), zeros.copy())
            for k, adjoint in enumerate(arrived):
                if adjoint:
                    total[k] += slope * adjoint
    columns = [found.get(id(x), zeros) for x in variables]
    return [[column[k] for column in columns] for k in range(len(outputs))]


def tangents(
    outputs: Sequence[Any],
    variables: Sequence[Value],
    directions: list[list[float]] | None = None,
    own: Own = False,
) -> Rows | None:
    """Return for each direction, a number per variable, the rate at which each output changes.

    Without directions, each variable is one. None as for `adjoints`. Raises TypeError where a
    `_backward` assigned by hand is on the way.
    """
    if takeover.c_core is not None:
        rows: Any = takeover.c_core.tangents(outputs, variables, own, _passing_slopes, directions)
        if rows is not NotImplemented:
            return rows  # type: ignore[no-any-return]
    if directions is None:
        n = len(variables)
        directions = [[float(i == k) for i in range(n)] for k in range(n)]
    steps = steps_between(outputs, variables, own)
    if steps is None:
        return None
    zeros = [0.0] * len(directions)
    found: dict[int, list[float]] = {}
    for i, x in enumerate(variables):
        start = found.setdefault(id(x), zeros.copy())
        for k, direction in enumerate(directions):
            start[k] += direction[i]
    for node, positions in steps:
        refuse_closure(node)
        moving = [i for i in positions if any(found.get(id(node.args[i]), ()))]
        for i, slope in zip(moving, _passing_slopes(node, moving)):
            if slope is None:
                continue
            total = found.setdefault(id(node), zeros.copy())
            for k, rate in enumerate(found[id(node.args[i])]):
                if rate:
                    total[k] += slope * rate
    columns = [found.get(id(y), zeros) for y in outputs]
    return [[column[k] for column in columns] for k in range(len(directions))]


def jacobian(outputs: Sequence[Any], variables: Sequence[Value], own: Own = False) -> Rows | None:
    """Return the derivative of each output by each variable, in the direction of less work.

    Upward, a local derivative may fail that no output needs; then the downward sweep decides.
    """
    if len(outputs) > len(variables) > 0:
        try:
            columns = tangents(outputs, variables, None, own)
        except (*ARITHMETIC_ERRORS, TypeError):
            return adjoints(outputs, variables, own)
        if columns is None or all(map(math.isfinite, chain.from_iterable(columns))):
            return columns and [list(row) for row in zip(*columns)]
    return adjoints(outputs, variables, own)


def nodes_behind(outputs: Iterable[Any]) -> list[Value]:
    """Return every Value that the outputs are made of, operands before their consumers."""
    return toposort(*_values(outputs))


def steps_between(
    outputs: Iterable[Any], variables: Sequence[Value], own: Own = False
) -> list[Step] | None:
    """Return the nodes of the outputs that a variable reaches, operands before their consumers.

    None if the variables are the `own` ones of a call, and those of another are met.
    """
    rewired, stops = past.rewirings(), list[Value]()
    if own is True or core == "c":  # the C core looks for steps in Python in rare cases only
        nodes = nodes_behind(outputs)
    else:
        nodes, stops = past.walk_to(variables, _values(outputs))
    if own is not False and _others(nodes, variables):
        return None
    if callable(own) and stops and own(stops):
        return None
    reached = {id(x) for x in variables}
    steps: list[Step] = []
    for node in nodes:
        rules = node.op.derivatives if node.op is not None else node.args
        positions = tuple(
            [i for i, x in enumerate(node.args) if id(x) in reached and rules[i] is not None]
        )
        if positions:
            reached.add(id(node))
            steps.append((node, positions))
    if core == "python":
        past.leave(nodes, reached, rewired)
    return steps


def _others(nodes: Iterable[Value], variables: Sequence[Value]) -> bool:
    known = {id(x) for x in variables}
    return any(v._is_variable and id(v) not in known for v in nodes)


def _values(outputs: Iterable[Any]) -> list[Value]:
    return [y for y in outputs if isinstance(y, Value)]


def slopes_at(node: Value, positions: Sequence[int]) -> list[float]:
    """Return the local derivatives of a node, with respect to the operands at these positions."""
    if node.op is None:
        slopes = given_derivatives(node)
        return [slopes[i] for i in positions] if slopes else [0.0] * len(positions)
    arguments = [x._number if isinstance(x, Value) else x for x in (*node.args, node)]
    found: list[float] = []
    for i in positions:
        rule = node.op.derivatives[i]
        try:
            slope = 0.0 if rule is None else rule(*arguments)
        except ARITHMETIC_ERRORS as error:
            assert rule is not None
            slope = slope_after(root_cause(error), node, node.args[i], rule, arguments)
        found.append(to_float(slope, f"a local derivative of {node.op.name}"))
    return found


def _passing_slopes(node: Value, positions: Sequence[int]) -> Sequence[float | None]:
    """Return the local derivatives of a node; None for those that pass nothing on."""
    slopes = slopes_at(node, positions)
    if node.op not in STOPS:
        return slopes
    return [slope or None for slope in slopes]


def _by_hand(
    node: Value, positions: Sequence[int], upstream: float, found: Mapping[int, Any]
) -> list[float]:
    """Return what a `_backward` assigned by hand gives the operands at these positions."""
    places = [i for i, x in enumerate(node.args) if isinstance(x, Value)]
    additions = additions_by_hand(node, upstream, lambda v: id(v) in found)
    given = {places[position]: product for position, _, product in additions}
    return [given.get(i, 0.0) for i in positions]


def refuse_closure(node: Value) -> None:
    """Raise TypeError where a `_backward` was assigned by hand: it works on numbers only."""
    if node._closure is not None:
        raise ClosureError(
            node._why_no_derivative
            or f"cannot differentiate {node!r}: its _backward was assigned by hand, and such a "
            "function adds numbers to .grad, which no derivative can be taken of. Make the "
            "node with Value.node(data, parents, function), or with an operation of its own, an Op"
        )


def root_cause(error: Exception) -> Exception:
    """Return the first of a chain of arithmetic errors, which says what went wrong in a rule."""
    while isinstance(error.__cause__, ARITHMETIC_ERRORS):
        error = error.__cause__
    return error
