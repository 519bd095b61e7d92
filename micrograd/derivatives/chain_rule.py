"""The chain rule on recorded graphs, forward and in reverse, on numbers or on Values.

`backward()` leaves numbers in `.grad`. Here the rules of the table may also be called on Values,
and record their arithmetic: what comes out is a graph again and can be differentiated again.
Both directions are one product of local derivatives (the Jacobians of the single steps), taken
from the outputs down (reverse) or from the variables up (forward); see Griewank and Walther,
Evaluating Derivatives (2008), chapter 3. No node's `.grad` is touched.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, Union

from micrograd.engine import Value, toposort
from micrograd.ops import Op
from micrograd.value.custom_nodes import given_derivatives
from micrograd.value.errors import ARITHMETIC_ERRORS, derivative_error

# A derivative on its way: a plain number as long as nothing it depends on can vary, else a Value.
Entry = Union[Value, float]
# A node, and the positions of those operands through which a variable reaches it.
Step = tuple[Value, tuple[int, ...]]
# What gives the local derivatives of a node with respect to the operands at these positions.
Slopes = Callable[[Value, tuple[int, ...]], Sequence[Any]]


def gradient(output: Value, variables: Sequence[Value], seed: Entry) -> list[Entry]:
    """The derivatives of `output`, times `seed`, by the variables, in reverse."""
    adjoints: dict[Value, Entry] = {output: seed}
    _reverse(adjoints, _steps([output], variables), partial(_slopes, in_numbers=False))
    return [adjoints.get(x, 0.0) for x in variables]


def directional(
    outputs: Sequence[Entry], variables: Sequence[Value], directions: Sequence[Entry]
) -> list[Entry]:
    """The derivatives of `outputs` as the variables move along `directions`, forward."""
    tangents: dict[Value, Entry] = {}
    for x, direction in zip(variables, directions):
        _add(tangents, x, 1.0, direction)
    _forward(tangents, _steps(outputs, variables), partial(_slopes, in_numbers=False))
    return [tangents.get(y, 0.0) if isinstance(y, Value) else 0.0 for y in outputs]


def jacobian(
    outputs: Sequence[Entry], variables: Sequence[Value], as_values: bool
) -> list[list[Entry]]:
    """The derivative of each output by each variable, in the direction of fewer passes."""
    forward = len(outputs) > len(variables)
    if not (forward or as_values):
        return in_numbers(outputs, variables)
    steps = _steps(outputs, variables)
    slopes = cache(partial(_slopes, in_numbers=not as_values))
    rows: list[list[Entry]] = []
    for start in variables if forward else outputs:
        found: dict[Any, Entry] = {start: 1.0}
        (_forward if forward else _reverse)(found, steps, slopes)
        rows.append([found.get(end, 0.0) for end in (outputs if forward else variables)])
    return [list(row) for row in zip(*rows)] if forward else rows


def in_numbers(outputs: Sequence[Entry], variables: Sequence[Value]) -> list[list[Entry]]:
    """A Jacobian by variables that are leaves; `backward()` is the fastest way to numbers."""
    rows: list[list[Entry]] = []
    with grads_kept(outputs):
        for y in outputs:
            for x in variables:
                x.grad = 0.0
            if isinstance(y, Value):
                y.backward()
            rows.append([x.grad for x in variables])
    return rows


def rounding_error(output: Value) -> float:
    """About how far rounding moves `output`: half an ulp of each node, times its derivative."""
    with grads_kept([output]):
        output.backward()
        nodes = toposort(output)
        return sys.float_info.epsilon / 2 * sum(abs(v.grad * v.data) for v in nodes if v.parents)


@contextmanager
def grads_kept(outputs: Sequence[Entry]) -> Iterator[None]:
    """Give every grad of these graphs its number back in the end."""
    before = [(v, v.grad) for v in _nodes(outputs)]
    try:
        yield
    finally:
        for v, number in before:
            v.grad = number


def _nodes(outputs: Sequence[Entry]) -> list[Value]:
    """Every Value that the outputs are made of, operands before consumers."""
    return toposort(Value(0.0, [y for y in outputs if isinstance(y, Value)]))[:-1]


def _steps(outputs: Sequence[Entry], variables: Sequence[Value]) -> list[Step]:
    """The nodes through which the variables reach the outputs, operands before consumers."""
    reached = set(variables)
    steps: list[Step] = []
    for node in _nodes(outputs):
        rules = node.op.derivatives if node.op is not None else node.parents
        positions = tuple(
            [i for i, x in enumerate(node.args) if x in reached and rules[i] is not None]
        )
        if node._closure is not None and (positions or not node.parents):
            raise TypeError(
                node._why_no_derivative
                or f"cannot differentiate {node!r}: its _backward was assigned by hand, and such a "
                "function adds numbers to .grad, which no derivative can be taken of. Make the "
                "node with Value.node(data, parents, function), or with a row of its own, an Op"
            )
        if positions:
            reached.add(node)
            steps.append((node, positions))
    return steps


def _reverse(adjoints: dict[Value, Entry], steps: list[Step], slopes: Slopes) -> None:
    """Pass on to the operands what each node's rise gives the output, outputs first."""
    for node, positions in reversed(steps):
        adjoint = adjoints.get(node)
        if adjoint is not None:
            for i, slope in zip(positions, slopes(node, positions)):
                _add(adjoints, node.args[i], slope, adjoint)


def _forward(tangents: dict[Value, Entry], steps: list[Step], slopes: Slopes) -> None:
    """Collect from the operands how fast each node rises, variables first."""
    for node, positions in steps:
        for i, slope in zip(positions, slopes(node, positions)):
            tangent = tangents.get(node.args[i])
            if tangent is not None:
                _add(tangents, node, slope, tangent)


def _add(totals: dict[Value, Entry], node: Value, slope: Entry, entry: Entry) -> None:
    """`totals[node] += slope * entry`, without Values for what is known beforehand."""
    if slope.__class__ is float:
        if slope == 0:
            return
        slope, entry = entry, slope
    if entry.__class__ is not float:
        term = slope * entry
    elif entry == 1:
        term = slope
    else:
        term = -slope if entry == -1 else slope * entry
    totals[node] = totals[node] + term if node in totals else term


def _slopes(node: Value, positions: tuple[int, ...], in_numbers: bool) -> list[Any]:
    """The local derivatives of `node` with respect to operands, as numbers or as Values."""
    if node.op is None:
        slopes = _slopes_by_hand(node, in_numbers)
        return [slopes[i] for i in positions]
    rules = node.op.derivatives
    arguments: list[Any] = [*node.args, node]
    if in_numbers:
        arguments = [x.data if isinstance(x, Value) else x for x in arguments]
    slopes = []
    try:
        for i in positions:
            slopes.append(rules[i](*arguments))  # type: ignore[misc]
    except ARITHMETIC_ERRORS as error:
        # When a row inside the rule failed, what says why is the error behind its own.
        operand = node.args[positions[len(slopes)]]
        raise derivative_error(_root_cause(error), node, operand) from error
    return slopes


def _root_cause(error: Exception) -> Exception:
    while isinstance(error.__cause__, ARITHMETIC_ERRORS):
        error = error.__cause__
    return error


def _slopes_by_hand(node: Value, in_numbers: bool) -> Sequence[Any]:
    """The local derivatives of a node that no row made: those that were given to Value.node."""
    slopes = given_derivatives(node, as_values=not in_numbers)
    if not slopes:
        return [0.0] * len(node.parents)
    if in_numbers or callable(node._local_grads):
        return slopes
    return [_known_once(slope, node.parents) for slope in slopes]


def _known_once(slope: float, parents: tuple[Value, ...]) -> Value:
    """A local derivative of which only the number is known: to differentiate it is an error."""

    def refuse(*_: Any) -> float:
        raise TypeError(
            "cannot differentiate again: a Value.node on the way was given numbers as its local "
            "derivatives, which say nothing of how these change. Give Value.node a function"
        )

    rules = [refuse] * len(parents)
    constant: Value = Op("local_derivative", lambda *_: slope, *rules)(*parents)
    return constant
