"""The chain rule on recorded graphs, forward and in reverse, on numbers or on Values.

`backward()` leaves numbers in `.grad`. Here the rules of the table may also be called on Values,
and record their arithmetic: what comes out is a graph again and can be differentiated again.
Both directions are one product of local derivatives (the Jacobians of the single steps), taken
from the outputs down (reverse) or from the variables up (forward); see Griewank and Walther,
Evaluating Derivatives (2008), chapter 3. No node's `.grad` is touched.
"""

from __future__ import annotations

import operator
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Union

from micrograd.engine import Value, toposort
from micrograd.errors import ARITHMETIC_ERRORS, derivative_error
from micrograd.ops import Op

# A derivative on its way: a plain number as long as nothing it depends on can vary, else a Value.
Entry = Union[Value, float]
# A row of a Jacobian without its zeros: the column, and what stands there.
Row = dict[int, Any]
# A node, and the positions of those operands through which a variable reaches it.
Step = tuple[Value, tuple[int, ...]]


def gradient(output: Value, variables: Sequence[Value], seed: Entry) -> list[Entry]:
    """The derivatives of `output`, times `seed`, by the variables, in reverse."""
    rows: dict[Value, Row] = {output: {0: seed}}
    _reverse(rows, _steps([output], variables), set(variables), in_numbers=False)
    return [rows.get(x, {}).get(0, 0.0) for x in variables]


def directional(
    outputs: Sequence[Entry], variables: Sequence[Value], directions: Sequence[Entry]
) -> list[Entry]:
    """The derivatives of `outputs` as the variables move along `directions`, forward."""
    rows: dict[Value, Row] = {}
    for x, direction in zip(variables, directions):
        rows[x] = _sum(rows.get(x), _times, 1.0, {0: direction})
    _forward(rows, _steps(outputs, variables), in_numbers=False)
    return [rows.get(y, {}).get(0, 0.0) if isinstance(y, Value) else 0.0 for y in outputs]


def jacobian(
    outputs: Sequence[Entry], variables: Sequence[Value], in_numbers: bool
) -> list[list[Entry]]:
    """The derivative of each output by each variable, in one pass in the cheaper direction."""
    steps = _steps(outputs, variables)
    rows: dict[Value, Row] = {}
    if len(outputs) > len(variables):
        for j, x in enumerate(variables):
            rows[x] = {j: 1.0}
        _forward(rows, steps, in_numbers)
        by_output = [rows.get(y, {}) if isinstance(y, Value) else {} for y in outputs]
        return [[row.get(j, 0.0) for j in range(len(variables))] for row in by_output]
    for i, y in enumerate(outputs):
        if isinstance(y, Value):
            rows.setdefault(y, {})[i] = 1.0
    _reverse(rows, steps, set(variables), in_numbers)
    by_variable = [rows.get(x, {}) for x in variables]
    return [[row.get(i, 0.0) for row in by_variable] for i in range(len(outputs))]


def gradient_in_numbers(output: Value, variables: Sequence[Value]) -> list[float]:
    """The same numbers by `backward()`, which is faster; `variables` are new leaves."""
    with _grads_kept(output):
        output.backward()
        return [x.grad for x in variables]


def rounding_error(output: Value) -> float:
    """About how far rounding moves `output`: half an ulp of each node, times its derivative."""
    with _grads_kept(output):
        output.backward()
        nodes = toposort(output)
        return sys.float_info.epsilon / 2 * sum(abs(v.grad * v.data) for v in nodes if v.parents)


@contextmanager
def _grads_kept(output: Value) -> Iterator[None]:
    """Give every grad of this graph its number back in the end."""
    before = [(v, v.grad) for v in toposort(output)]
    try:
        yield
    finally:
        for v, number in before:
            v.grad = number


def _steps(outputs: Sequence[Entry], variables: Sequence[Value]) -> list[Step]:
    """The nodes through which the variables reach the outputs, operands before consumers."""
    reached = set(variables)
    steps: list[Step] = []
    together = Value(0.0, [y for y in outputs if isinstance(y, Value)])
    for node in toposort(together)[:-1]:
        rules = node.op.derivatives if node.op is not None else node.parents
        positions = tuple(
            [i for i, x in enumerate(node.args) if x in reached and rules[i] is not None]
        )
        if node._closure is not None and (positions or not node.parents):
            raise TypeError(
                f"cannot differentiate {node!r}: its _backward was assigned by hand, and such a "
                "function adds numbers to .grad, which no derivative can be taken of. Make the "
                "node with Value.node(data, parents, function), or with a row of its own, an Op"
            )
        if positions:
            reached.add(node)
            steps.append((node, positions))
    return steps


def _reverse(
    rows: dict[Value, Row], steps: list[Step], variables: set[Value], in_numbers: bool
) -> None:
    """Pass each node's row on to its operands, outputs first: `rows` ends at the variables."""
    times = operator.mul if in_numbers else _times
    for node, positions in reversed(steps):
        row = rows.get(node) if node in variables else rows.pop(node, None)
        if not row:
            continue
        for i, slope in zip(positions, _slopes(node, positions, in_numbers)):
            operand = node.args[i]
            rows[operand] = _sum(rows.get(operand), times, slope, row)


def _forward(rows: dict[Value, Row], steps: list[Step], in_numbers: bool) -> None:
    """Collect each node's row from its operands, variables first: `rows` ends at the outputs."""
    times = operator.mul if in_numbers else _times
    for node, positions in steps:
        row = rows.get(node)
        for i, slope in zip(positions, _slopes(node, positions, in_numbers)):
            row = _sum(row, times, slope, rows[node.args[i]])
        rows[node] = row or {}


def _sum(target: Row | None, times: Callable[..., Any], slope: Entry, row: Row) -> Row:
    """`target + slope * row`, without a node for what is known beforehand (times 1, plus 0)."""
    plain = slope.__class__ is float
    if plain and slope == 0:
        return target or {}
    if not (plain and slope == 1):
        row = {column: times(slope, entry) for column, entry in row.items()}
    elif not target:
        row = row.copy()
    if not target:
        return row
    for column, entry in row.items():
        target[column] = target[column] + entry if column in target else entry
    return target


def _times(x: Entry, y: Entry) -> Entry:
    """`x * y`, where a plain 1 or -1 needs no multiplication."""
    if y.__class__ is float:
        x, y = y, x
    if x.__class__ is float:
        if x == 1:
            return y
        if x == -1:
            return -y
    return x * y


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
    given = node._local_grads
    if given is None:
        warnings.warn(
            f"no gradient passes {node!r}: it has children, but no rule. Make it with Value.node "
            "or a row of the table",
            RuntimeWarning,
            stacklevel=2,
        )
        return [0.0] * len(node.parents)
    if callable(given):
        arguments: list[Any] = [*node.parents, node]
        slopes = tuple(given(*[x.data for x in arguments] if in_numbers else arguments))
        if len(slopes) != len(node.parents):
            raise ValueError(
                f"the function given to Value.node returned {len(slopes)} local derivatives for "
                f"{len(node.parents)} parents: return one per parent"
            )
        return slopes
    return given if in_numbers else [_known_once(slope, node.parents) for slope in given]


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
