"""List every `+=` of a backward pass, in order, with its numbers.

All that explains or draws gradients reads these steps, and so agrees with `backward()`. No `.grad`
is changed by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import NamedTuple, Union

from micrograd import ops
from micrograd.engine import Value, toposort
from micrograd.symbolic.formula import Formula, of_rule, operand_names
from micrograd.value.errors import ARITHMETIC_ERRORS
from micrograd.value.identity import IdentityDict


class Step(NamedTuple):
    """One `operand.grad += local * upstream`, where `operand` is `consumer.parents[position]`."""

    consumer: Value
    position: int
    operand: Value
    # None for an assigned `_backward`, which only shows what it adds; nan where it does not exist,
    # but nothing arrived.
    local: float | None
    upstream: float  # the gradient that had arrived at the consumer
    product: float  # what is added
    total: float  # the operand's gradient after it


def backward_steps(root: Value) -> list[Step]:
    """List what `root.backward()` adds where, in its order, as if every grad had been 0 before.

    A node whose `_backward` was assigned by hand has one step per operand, even for `a + a`.
    Raises what `backward()` raises.

    >>> a = Value(3.0, label="a")
    >>> for step in backward_steps(a * a):
    ...     print(step.operand.label, step.local, step.upstream, step.product, step.total)
    a 3.0 1.0 3.0 3.0
    a 3.0 1.0 3.0 6.0
    """
    steps: list[Step] = []
    arrived: MutableMapping[Value, float] = IdentityDict({root: 1.0})
    for node in reversed(toposort(root)):
        parents = node.parents
        if not parents:
            continue
        upstream = arrived.get(node, 0.0)
        if node._closure is None:
            additions = _by_rule(node, upstream)
        else:
            additions = additions_by_hand(node, upstream, arrived.__contains__)
        for position, local, product in additions:
            operand = parents[position]
            total = arrived[operand] = arrived.get(operand, 0.0) + product
            steps.append(Step(node, position, operand, local, upstream, product, total))
    return steps


def totals(root: Value) -> Mapping[Value, float]:
    """Return the derivative of `root` by every Value of its graph, as the steps add it up.

    >>> a, b = Value(3.0), Value(2.0)
    >>> found = totals(a * b + a)
    >>> found[a], found[b]
    (3.0, 3.0)
    """
    found = IdentityDict((v, 0.0) for v in toposort(root))
    found[root] = 1.0
    found.update((step.operand, step.total) for step in backward_steps(root))
    return found


def local_formula(
    consumer: Value, position: int, names: Mapping[Value, str] | None = None
) -> Formula | None:
    """Return the formula of the local derivative of `consumer` by `consumer.parents[position]`.

    Operands have the names given in `names` or their labels; where one has neither, all have the
    names of the operation's own arguments. Conditions are decided by the numbers. None where no
    operation made the node, or it passes nothing on there.

    >>> x = Value(3.0, label="x")
    >>> print(local_formula(x ** 3, 0), local_formula(x.tanh(), 0), sep=", ")
    3 * x ** 2, 1 - out * out
    """
    op = consumer.op
    positions = [i for i, x in enumerate(consumer.args) if isinstance(x, Value)]
    if op is None or op.derivatives[positions[position]] is None:
        return None
    symbols = [*operand_names(op), "out"]
    operands = dict(zip(symbols, [*consumer.args, consumer]))
    data = {name: x.data if isinstance(x, Value) else x for name, x in operands.items()}
    shown = {name: Formula(x) for name, x in operands.items() if not isinstance(x, Value)}
    called = {
        name: (names or {}).get(x) or x.label
        for name, x in operands.items()
        if isinstance(x, Value)
    }
    own = [(called[name], operands[name]) for name in symbols[:-1] if name in called]
    if _are_told_apart(own):
        shown.update((name, Formula(text)) for name, text in called.items() if text)
    return _settled(of_rule(op, positions[position]), data, shown)


def _are_told_apart(named: Sequence[tuple[str, Value]]) -> bool:
    """Tell whether all Values have names, and different ones different names."""
    return all(name for name, _ in named) and len({id(v) for _, v in named}) == len(
        {name for name, _ in named}
    )


# The position of a parent, the local derivative if known, and what is added.
_Addition = tuple[int, Union[float, None], float]


def _by_rule(node: Value, upstream: float) -> list[_Addition]:
    additions: list[_Addition] = []
    position = 0  # among the parents: the Values among the args
    for operand, slope in zip(node.args, _slopes(node, upstream)):
        if slope is not None:
            passes = upstream and (slope or node.op not in ops.STOPS)
            additions.append((position, slope, slope * upstream if passes else 0.0))
        position += isinstance(operand, Value)
    return additions


def _slopes(node: Value, upstream: float) -> Sequence[float | None]:
    """Evaluate the rules of a node; where nothing arrived, those that cannot be are nan."""
    try:
        return node._local_derivatives()
    except ARITHMETIC_ERRORS:
        if upstream or node.op is None:
            raise
        return [math.nan if rule else None for rule in node.op.derivatives]


def additions_by_hand(
    node: Value, upstream: float, has_arrived: Callable[[Value], bool]
) -> list[_Addition]:
    """Find out what an assigned `_backward` adds to the operands' grads, and restore these.

    An operand that stands twice gets all at its first position. `has_arrived` tells of an operand
    whether others have given to it before.

    >>> x = Value(3.0)
    >>> square = Value(9.0, (x,))
    >>> square._backward = lambda: setattr(x, "grad", x.grad + 6.0 * square.grad)
    >>> additions_by_hand(square, 1.0, lambda v: False), x.grad
    ([(0, None, 6.0)], 0.0)
    """
    parents: MutableMapping[Value, int] = IdentityDict()  # and where each stands first
    for position, v in enumerate(node.parents):
        parents.setdefault(v, position)
    before = [(v, v.grad) for v in (node, *parents)]
    try:
        for v in parents:
            v._clear_grad(has_arrived(v))
        node.grad = upstream
        node._backward()
        return [(position, None, v.grad) for v, position in parents.items()]
    finally:
        for v, grad in before:
            v._clear_grad(False)
            v.grad = grad


def _settled(rule: Formula, data: Mapping[str, float], shown: Mapping[str, Formula]) -> Formula:
    """Simplify a rule at one point: decide conditions, do arithmetic of numbers."""
    if rule.op is None:
        return shown.get(rule.symbol, rule) if isinstance(rule.symbol, str) else rule
    if rule.op in (ops.less, ops.less_equal, ops.equal):
        return Formula(rule.op.value(*[_number(x, data) for x in rule.args]))
    args = [_settled(x, data, shown) for x in rule.args]
    numbers = [x.symbol for x in args if x.op is None and not isinstance(x.symbol, str)]
    if rule.op is ops.where:
        return args[1] if _number(rule.args[0], data) else args[2]
    if len(numbers) == len(args):
        return Formula(rule.op.value(*numbers))
    if rule.op is ops.add and args[1].symbol == 0:
        return args[0]
    if rule.op is ops.power and args[1].symbol in (0, 1):
        return args[0] if args[1].symbol else Formula(1.0)
    return args[0]._apply(rule.op, tuple(args))


def _number(formula: Formula, data: Mapping[str, float]) -> float:
    if formula.op is not None:
        return float(formula.op.value(*[_number(x, data) for x in formula.args]))
    return float(data.get(formula.symbol, formula.symbol))
