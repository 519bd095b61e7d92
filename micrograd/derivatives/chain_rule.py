"""The chain rule on recorded graphs, with Values as derivatives.

The rules of the table are called on Values and record their arithmetic, so a derivative is a graph
again and can be differentiated again. Both directions multiply the local derivatives of the single
steps, from the outputs down (reverse) or from the variables up (forward); see Griewank and Walther,
Evaluating Derivatives (2008), chapter 3. No `.grad` is touched. sweeps.py has both in numbers.
The C core records the same nodes by rules that are generated from the table.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Union

from micrograd.derivatives.sweeps import (
    Step,
    adjoints,
    nodes_behind,
    refuse_closure,
    root_cause,
    slopes_at,
    steps_between,
)
from micrograd.engine import Value
from micrograd.native import takeover
from micrograd.ops import KINKS, Op
from micrograd.symbolic.formula import Formula, of_rule
from micrograd.value import hooks
from micrograd.value.custom_nodes import given_derivatives
from micrograd.value.errors import ARITHMETIC_ERRORS, derivative_error

# A derivative on its way: a plain number as long as nothing it depends on can vary, else a Value.
Entry = Union[Value, float]
# What gives the local derivatives of a node with respect to the operands at these positions.
Slopes = Callable[[Value, tuple[int, ...]], Sequence[Any]]


def gradient(output: Value, variables: Sequence[Value], seed: Entry) -> list[Entry]:
    """Return the derivatives of `output`, times `seed`, by the variables, in reverse."""
    entries = _in_c([output], variables, [seed], up=False)
    if entries is not None:
        return entries
    found: dict[int, Entry] = {id(output): seed}
    _reverse(found, _steps([output], variables), _slopes)
    return [found.get(id(x), 0.0) for x in variables]


def directional(
    outputs: Sequence[Entry], variables: Sequence[Value], directions: Sequence[Entry]
) -> list[Entry]:
    """Return the derivatives of `outputs` as the variables move along `directions`, forward."""
    entries = _in_c(outputs, variables, directions, up=True)
    if entries is not None:
        return entries
    found: dict[int, Entry] = {}
    for x, direction in zip(variables, directions):
        _add(found, x, 1.0, direction)
    _forward(found, _steps(outputs, variables), _slopes)
    return [found.get(id(y), 0.0) for y in outputs]


def _in_c(
    outputs: Sequence[Entry], variables: Sequence[Value], starts: Sequence[Entry], up: bool
) -> list[Entry] | None:
    """Return what `gradient` or, upward, `directional` does, recorded by the C core; else None."""
    if takeover.c_core is None or hooks.tracer_here() is not None:
        return None
    entries: Any = takeover.c_core.chain(outputs, variables, starts, up, _slopes)
    return None if entries is NotImplemented else entries


def jacobian(outputs: Sequence[Entry], variables: Sequence[Value]) -> list[list[Entry]]:
    """Return the derivative of each output by each variable, in the direction of fewer passes."""
    if len(outputs) == 1 and isinstance(outputs[0], Value):
        return [gradient(outputs[0], variables, 1.0)]
    steps = _steps(outputs, variables)
    known: dict[tuple[int, tuple[int, ...]], Sequence[Any]] = {}

    def slopes(node: Value, positions: tuple[int, ...]) -> Sequence[Any]:
        key = id(node), positions
        if key not in known:
            known[key] = _slopes(node, positions)
        return known[key]

    forward = len(outputs) > len(variables)
    starts, ends = (variables, outputs) if forward else (outputs, variables)
    rows: list[list[Entry]] = []
    for start in starts:
        found: dict[int, Entry] = {id(start): 1.0}
        (_forward if forward else _reverse)(found, steps, slopes)
        rows.append([found.get(id(end), 0.0) for end in ends])
    return [list(row) for row in zip(*rows)] if forward else rows


def rounding_error(output: Value) -> float:
    """Return about how far rounding moves `output`: half an ulp of each node, times its slope."""
    nodes = [v for v in nodes_behind([output]) if v.parents]
    [slopes] = adjoints([output], nodes) or [[]]
    return sys.float_info.epsilon / 2 * sum(abs(s * v.data) for s, v in zip(slopes, nodes))


@contextmanager
def grads_kept(outputs: Sequence[Entry]) -> Iterator[None]:
    """Restore every grad of these graphs in the end."""
    before = [(v, v.grad) for v in nodes_behind(outputs)]
    try:
        yield
    finally:
        for v, number in before:
            v.grad = number


def _steps(outputs: Sequence[Entry], variables: Sequence[Value]) -> list[Step]:
    steps = steps_between(nodes_behind(outputs), variables)
    for node, _ in steps:
        refuse_closure(node)
    return steps


def _reverse(found: dict[int, Entry], steps: list[Step], slopes: Slopes) -> None:
    """Pass on to the operands what each node's rise gives the output, outputs first."""
    for node, positions in reversed(steps):
        adjoint = found.get(id(node))
        if adjoint is not None:
            for i, slope in zip(positions, slopes(node, positions)):
                _add(found, node.args[i], slope, adjoint)


def _forward(found: dict[int, Entry], steps: list[Step], slopes: Slopes) -> None:
    """Collect from the operands how fast each node rises, variables first."""
    for node, positions in steps:
        moving = tuple([i for i in positions if id(node.args[i]) in found])
        for i, slope in zip(moving, slopes(node, moving)):
            _add(found, node, slope, found[id(node.args[i])])


def _add(totals: dict[int, Entry], node: Value, slope: Entry, entry: Entry) -> None:
    """`totals[node] += slope * entry`, without Values for what is known beforehand."""
    if slope.__class__ is float:
        slope, entry = entry, slope
    if any(factor.__class__ is float and factor == 0 for factor in (slope, entry)):
        return
    if entry.__class__ is not float:
        term = slope * entry
    elif entry == 1:
        term = slope
    else:
        term = -slope if entry == -1 else slope * entry
    totals[id(node)] = totals[id(node)] + term if id(node) in totals else term


def _slopes(node: Value, positions: tuple[int, ...]) -> Sequence[Any]:
    """Return the local derivatives of `node` with respect to operands, as Values or as numbers."""
    if node.op is None:
        return _given_slopes(node, positions)
    rules = node.op.derivatives
    arguments: list[Any] = [*node.args, node]
    tracing = hooks.tracer_here() is not None  # a number would be that of one row
    flat, numbers = ((), ()) if tracing else simpler(node.op)
    for i in numbers:
        if isinstance(arguments[i], Value):
            arguments[i] = arguments[i].data
    slopes: list[Any] = []
    for i in positions:
        if i in flat:
            slopes += slopes_at(node, [i])
            continue
        try:
            slopes.append(rules[i](*arguments))  # type: ignore[misc]
        except ARITHMETIC_ERRORS as error:
            raise derivative_error(root_cause(error), node, node.args[i]) from error
    kink = None if tracing or node.op not in KINKS else _Kink.of(node)
    return slopes if kink is None else [slope + kink for slope in slopes]


class _Kink(Value):
    """A zero that makes a slope depend on operands by which it cannot be differentiated."""

    __slots__ = ()

    @classmethod
    def of(cls, node: Value) -> _Kink | None:
        """Return that zero for the slopes of a node, if it is at a kink of its operation."""
        where, positions = KINKS[node.op]  # type: ignore[index]
        operands = [node.args[i] for i in positions if isinstance(node.args[i], Value)]
        if not operands or not where(*[x.data if isinstance(x, Value) else x for x in node.args]):
            return None
        return cls(0.0, operands, node.op.name)  # type: ignore[union-attr]

    @property
    def _why_no_derivative(self) -> str:  # type: ignore[override]
        at = ", ".join(f"{v.label}={v.data!r}" if v.label else repr(v.data) for v in self.parents)
        return (
            f"cannot differentiate again: {self._op} has a kink or jump where its operands are "
            f"{at}. Its slope there is a choice, and a second derivative does not exist. Keep the "
            "operands away from this point"
        )

    @property
    def _closure(self) -> Callable[[], object]:  # type: ignore[override]
        return self._refuse

    def _refuse(self) -> None:
        raise TypeError(self._why_no_derivative)


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
