"""The chain rule on recorded graphs, with Values as derivatives.

The rules of the table are called on Values and record their arithmetic, so a derivative is a graph
again and can be differentiated again. Both directions multiply the local derivatives of the single
steps, from the outputs down (reverse) or from the variables up (forward); see Griewank and Walther,
Evaluating Derivatives (2008), chapter 3. sweeps.py has both in numbers. The C core records the same
nodes by rules that are generated from the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, Union

from micrograd.derivatives.kinks import Unreached, chosen, kinks_of, rising, traced_slopes, zeroed
from micrograd.derivatives.sweeps import (
    ClosureError,
    Step,
    nodes_behind,
    refuse_closure,
    root_cause,
    slopes_at,
    steps_between,
)
from micrograd.engine import Value
from micrograd.native import takeover
from micrograd.ops import STOPS, Op
from micrograd.symbolic.formula import Formula, of_rule
from micrograd.value import hooks
from micrograd.value.custom_nodes import given_derivatives
from micrograd.value.errors import ARITHMETIC_ERRORS, derivative_error
from micrograd.value.numbers import to_float

# A derivative on its way: a plain number as long as nothing it depends on can vary, else a Value.
Entry = Union[Value, float]
# What gives the local derivatives of a node with respect to the operands at these positions.
Slopes = Callable[[Value, tuple[int, ...]], Sequence[Any]]


class Kept:
    """Local derivatives that a pass upward has found, for the pass down."""

    def __init__(self) -> None:
        self.in_c = None if takeover.c_core is None else takeover.c_core.new_slopes()
        self._known: dict[int, tuple[Value, dict[int, Any]]] = {}

    def slopes(self, node: Value, positions: tuple[int, ...]) -> Sequence[Any]:
        """Return the local derivatives of a node by the operands at these positions."""
        _, known = self._known.setdefault(id(node), (node, {}))
        new = tuple([i for i in positions if i not in known])
        if new:
            known.update(zip(new, _slopes(node, new)))
        return [known[i] for i in positions]


def gradient(
    output: Value, variables: Sequence[Value], seed: Entry, kept: Kept | None = None
) -> list[Entry]:
    """Return the derivatives of `output`, times `seed`, by the variables, in reverse."""
    if hooks.before_derivative is not None:
        hooks.before_derivative([output])
    entries = _in_c([output], variables, [seed], kept, up=False)
    if entries is not None:
        return entries
    found: dict[int, Entry] = {id(output): seed}
    _reverse(found, _steps([output], variables), kept.slopes if kept else _slopes)
    return [found.get(id(x), 0.0) for x in variables]


def directional(
    outputs: Sequence[Entry],
    variables: Sequence[Value],
    directions: Sequence[Entry],
    kept: Kept | None = None,
) -> list[Entry]:
    """Return the derivatives of `outputs` as the variables move along `directions`, forward.

    Upward, a local derivative may fail that no output needs; then the way down decides.
    """
    if hooks.before_derivative is not None:
        hooks.before_derivative(outputs)
    try:
        rates = _upward(outputs, variables, directions, kept)
        if all(math.isfinite(_number(rate)) for rate in rates):
            return rates
    except ARITHMETIC_ERRORS:
        pass
    rates = []
    for row in _rows(outputs, variables, forward=False):
        total: dict[int, Entry] = {}
        for slope, direction in zip(row, directions):
            _add(total, variables[0], slope, direction)
        rates += total.values() or [0.0]
    return rates


def _upward(
    outputs: Sequence[Entry],
    variables: Sequence[Value],
    directions: Sequence[Entry],
    kept: Kept | None,
) -> list[Entry]:
    entries = _in_c(outputs, variables, directions, kept, up=True)
    if entries is not None:
        return entries
    found: dict[int, Entry] = {}
    for x, direction in zip(variables, directions):
        _add(found, x, 1.0, direction)
    _forward(found, _steps(outputs, variables), kept.slopes if kept else _slopes)
    return [found.get(id(y), 0.0) for y in outputs]


def _in_c(
    outputs: Sequence[Entry],
    variables: Sequence[Value],
    starts: Sequence[Entry],
    kept: Kept | None,
    up: bool,
) -> list[Entry] | None:
    """Return what `gradient` or, upward, `directional` does, recorded by the C core; else None."""
    if takeover.c_core is None or hooks.tracer_here() is not None:
        return None
    products = partial(_products, kept.slopes if kept else _slopes)
    slopes = kept and kept.in_c
    entries: Any = takeover.c_core.chain(outputs, variables, starts, up, products, slopes)
    return None if entries is NotImplemented else entries


def jacobian(outputs: Sequence[Entry], variables: Sequence[Value]) -> list[list[Entry]]:
    """Return the derivative of each output by each variable, in the direction of fewer passes."""
    if len(outputs) > len(variables) > 0:
        try:
            columns = _rows(outputs, variables, forward=True)
            if all(math.isfinite(_number(rate)) for column in columns for rate in column):
                return [list(row) for row in zip(*columns)]
        except ARITHMETIC_ERRORS:
            pass
    return _rows(outputs, variables, forward=False)


def _rows(outputs: Sequence[Entry], variables: Sequence[Value], forward: bool) -> list[list[Entry]]:
    """Return the derivatives of each output, or forward, by each variable."""
    if len(outputs) == 1 and isinstance(outputs[0], Value) and not forward:
        return [gradient(outputs[0], variables, 1.0)]
    steps = _steps(outputs, variables)
    known: dict[tuple[int, tuple[int, ...]], Sequence[Any]] = {}

    def slopes(node: Value, positions: tuple[int, ...]) -> Sequence[Any]:
        key = id(node), positions
        if key not in known:
            known[key] = _slopes(node, positions)
        return known[key]

    starts, ends = (variables, outputs) if forward else (outputs, variables)
    rows: list[list[Entry]] = []
    for start in starts:
        found: dict[int, Entry] = {id(start): 1.0}
        (_forward if forward else _reverse)(found, steps, slopes)
        rows.append([found.get(id(end), 0.0) for end in ends])
    return rows


def on_stand_ins(
    compute: Callable[[Sequence[Any]], list[Any]],
    outputs: Sequence[Any],
    variables: Sequence[Value],
) -> list[Any]:
    """Compute derivatives of the outputs; where a node on the way gives numbers alone, of others.

    Such a node may have a `_stand_in`, as the results of programs do: a method that returns a node
    with the same number, whose local derivatives are Values.
    """
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


def _steps(outputs: Sequence[Entry], variables: Sequence[Value]) -> list[Step]:
    steps = steps_between(outputs, variables) or []
    for node, _ in steps:
        refuse_closure(node)
    return steps


def _reverse(found: dict[int, Entry], steps: list[Step], slopes: Slopes) -> None:
    """Pass on to the operands what each node's rise gives the output, outputs first."""
    unreached = Unreached() if hooks.tracer_here() is not None else None
    for node, positions in reversed(steps):
        adjoint = found.get(id(node))
        if adjoint is not None:
            arrived = [adjoint] * len(positions)
            for i, slope, entry in _products(slopes, node, positions, arrived):
                pair = slope, entry
                if unreached is not None:
                    pair = unreached.passed(node, i, slope, entry)
                _add(found, node.args[i], *pair)


def _forward(found: dict[int, Entry], steps: list[Step], slopes: Slopes) -> None:
    """Collect from the operands how fast each node rises, variables first."""
    for node, positions in steps:
        moving = tuple([i for i in positions if id(node.args[i]) in found])
        if not moving:
            continue
        arrived = [found[id(node.args[i])] for i in moving]
        for _, slope, entry in _products(slopes, node, moving, arrived):
            _add(found, node, *rising(node, slope, entry))


def _products(
    slopes: Slopes, node: Value, positions: tuple[int, ...], entries: Sequence[Entry]
) -> list[tuple[int, Any, Entry]]:
    """Return the positions, each with its local derivative and what that is to be multiplied by.

    Where two products are the same, as for the operands of `x * x`, they are made here, once.
    """
    if hooks.tracer_here() is not None:
        given = zip(positions, slopes(node, positions), entries)
        return [(i, *zeroed(node, i, slope, entry)) for i, slope, entry in given]
    products = list(_factors(slopes, node, positions, entries))
    if len(products) == 2:
        (i, slope, entry), (j, other, other_entry) = products
        same = entry is other_entry or (entry.__class__ is float and entry == other_entry)
        if slope is other and isinstance(slope, Value) and same:
            term = _times(slope, entry)
            return [] if term is None else [(i, term, 1.0), (j, term, 1.0)]
    return products


def _factors(
    slopes: Slopes, node: Value, positions: tuple[int, ...], entries: Sequence[Entry]
) -> Iterator[tuple[int, Any, Entry]]:
    """Yield what `_products` returns, before any product is made.

    As in a sweep of numbers, what is exactly zero passes nothing on where a local derivative is
    infinite or cannot be computed; but then it cannot be differentiated by what makes it zero.
    """
    if not any(map(_is_zero, entries)):
        yield from zip(positions, slopes(node, positions), entries)
        return
    for i, entry in zip(positions, entries):
        failure: Exception | None = None
        try:
            [slope] = slopes(node, (i,))
        except ARITHMETIC_ERRORS as error:
            if not _is_zero(entry):
                raise
            failure = root_cause(error).with_traceback(None)  # that would hold the graph
        else:
            if _is_zero(entry) and not math.isfinite(_number(slope)):
                failure = ValueError(f"its slope is {_number(slope)}")
        if failure is None:
            yield i, slope, entry
        elif isinstance(entry, Value):
            yield i, 1.0, _zero_by(entry, node, failure)


def _number(entry: Entry) -> float:
    return entry._number if isinstance(entry, Value) else entry


def _is_zero(entry: Entry) -> bool:
    return _number(entry) == 0


def _zero_by(entry: Value, node: Value, failure: Exception) -> Value:
    def refuse(*_: Any) -> float:
        raise type(failure)(*failure.args)

    zero: Value = Op(f"slope of {node._op}", lambda *_: 0.0, refuse)(entry)
    return zero


def _add(totals: dict[int, Entry], node: Value, slope: Entry, entry: Entry) -> None:
    """`totals[node] += slope * entry`."""
    term = _times(slope, entry)
    if term is not None:
        totals[id(node)] = totals[id(node)] + term if id(node) in totals else term


def _times(slope: Entry, entry: Entry) -> Entry | None:
    """Return `slope * entry`, without Values for what is known beforehand; None for zero."""
    if slope.__class__ is float:
        slope, entry = entry, slope
    if any(x.__class__ is float and x == 0 for x in (slope, entry)):
        return None
    if entry.__class__ is not float:
        return slope * entry
    if entry == 1:
        return slope
    return -slope if entry == -1 else slope * entry


def _slopes(node: Value, positions: tuple[int, ...]) -> Sequence[Any]:
    """Return the local derivatives of `node` with respect to operands, as Values or as numbers."""
    if node.op is None:
        return _given_slopes(node, positions)
    if hooks.tracer_here() is not None:
        return traced_slopes(node, positions, simpler(node.op)[0])
    arguments: list[Any] = [*node.args, node]
    flat, numbers = simpler(node.op)
    for i in numbers:
        if isinstance(arguments[i], Value):
            arguments[i] = arguments[i].data
    slopes: list[Any] = []
    for i in positions:
        if i in flat:
            slopes += slopes_at(node, [i])
            continue
        try:
            slope = node.op.derivatives[i](*arguments)  # type: ignore[misc]
        except ARITHMETIC_ERRORS as error:
            raise derivative_error(root_cause(error), node, node.args[i]) from error
        slopes.append(
            slope
            if isinstance(slope, Value)
            else to_float(slope, f"a local derivative of {node.op.name}")
        )
    if not kinks_of(node.op):
        return slopes
    return [chosen(slope, node, i) for i, slope in zip(positions, slopes)]


@lru_cache(maxsize=1024)
def simpler(op: Op) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the operands with a flat rule, and those without a rule: both are as good as numbers.

    A flat rule stays the same around almost every point, as a sign does.
    """
    flat, numbers = [], []
    for i, derivative in enumerate(op.derivatives):
        if derivative is None:
            numbers.append(i)
            continue
        if op in STOPS:  # among which are operations of any number of operands, without formulas
            flat.append(i)
            continue
        try:
            rule = of_rule(op, i)
        except Exception:  # a user's rule, which may do anything but work on Formulas
            continue
        if rule.op is not None and _is_constant(rule):
            flat.append(i)
    return tuple(flat), tuple(numbers)


def _is_constant(rule: Formula) -> bool:
    if rule.op is None:
        return not isinstance(rule.symbol, str)
    return all(
        derivative is None or _is_constant(operand) or of_rule(rule.op, i).symbol == 0.0
        for i, (operand, derivative) in enumerate(zip(rule.args, rule.op.derivatives))
    )


def _given_slopes(node: Value, positions: tuple[int, ...]) -> Sequence[Any]:
    """Return the local derivatives given to Value.node; those in numbers cannot vary."""
    slopes = given_derivatives(node, as_values=True)
    if not slopes:
        return [0.0] * len(positions)
    if callable(node._given):
        return [slopes[i] for i in positions]
    return [_known_once(slopes[i], node.parents) for i in positions]


def _known_once(slope: float, parents: tuple[Value, ...]) -> Value:
    """Return a local derivative of which only the number is known: differentiating it raises."""

    def refuse(*_: Any) -> float:
        raise TypeError(
            "cannot differentiate again: a Value.node on the way was given numbers as its local "
            "derivatives, which say nothing of how these change. Give Value.node a function"
        )

    rules = [refuse] * len(parents)
    constant: Value = Op("local_derivative", lambda *_: slope, *rules)(*parents)
    return constant
