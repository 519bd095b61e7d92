"""Choose among Values: the one at an index, the largest, the smallest, and softly the largest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cache, reduce
from typing import Any

from micrograd import ops
from micrograd.ops import Op, Rule
from micrograd.value import hooks
from micrograd.value.base import ValueBase
from micrograd.value.numbers import shortened
from micrograd.value.words.calls import called_as


class Selection(Op):
    """An operation of as many operands as it chooses among; there is one for each number."""

    __slots__ = ("make",)

    make: Callable[[int], Selection]

    def __reduce__(self) -> tuple[Any, ...]:
        return self.make, (self.count,)

    @property
    def count(self) -> int:
        """Among how many it chooses."""
        return len(self.derivatives)


class Extreme(Selection):
    """The largest or smallest of its operands."""

    __slots__ = ("pairwise",)

    pairwise: Op  # the same for two operands


class Take(Selection):
    """The operand at an index, which comes first."""

    __slots__ = ()

    @property
    def count(self) -> int:
        """Among how many it chooses."""
        return len(self.derivatives) - 1


class Chosen(Selection):
    """Return whether an index chooses a place in a table of some size."""

    __slots__ = ("size",)

    size: int

    @property
    def count(self) -> int:
        """Among how many it chooses."""
        return self.size


def take(table: Any, index: Any) -> Any:
    """Return `table[index]`; in a program, the index may be an argument that holds integers.

    `table` is a list or an array of numbers and Values, or of lists of them. Raises IndexError as
    `table[index]` does, TypeError for an index that is no integer and a table that is no list.

    >>> take([[1.0, 2.0], [3.0, 4.0]], -1)
    [3.0, 4.0]
    >>> from micrograd import Value, program
    >>> attack = [Value(1.0), Value(2.0)]
    >>> program(lambda team: take(attack, team) * 10)([1, 0, 1]).data
    array([20., 10., 20.])
    """
    tracer = hooks.tracer_here() if isinstance(index, ValueBase) else None
    if isinstance(table, (str, bytes, dict, set)) or not hasattr(table, "__len__"):
        told = f"take: a table is a list of scalars or of rows, got {shortened(table)}"
        raise TypeError(told) if tracer is None else tracer.error(told)
    if tracer is None:
        if isinstance(index, ValueBase) or not hasattr(index, "__index__"):
            raise TypeError(
                f"take: an index is an integer, or an integer argument of a program, got {index!r}"
            )
        return table[index]
    rows = list(table)
    tracer.check_index(index, len(rows))
    return _chosen(rows, index)


def _chosen(rows: list[Any], index: Any) -> Any:
    if not hasattr(rows[0], "__len__"):
        return take_among(len(rows))(index, *rows)
    if len({len(row) for row in rows}) > 1:
        raise ValueError("take: the rows of a table have one length")
    return [_chosen(list(column), index) for column in zip(*rows)]


@called_as("micrograd.max([x, y])")
def max(values: Iterable[Any]) -> Any:
    """Return the largest of some numbers or Values, as one operation; a nan wins.

    Where several are the largest, they share the slope equally; where a nan wins, all slopes are
    nan. Raises ValueError where there are none.

    >>> from micrograd import Value
    >>> x, y = Value(3.0), Value(3.0)
    >>> max([x, 2.0, y]).backward()
    >>> x.grad, y.grad
    (0.5, 0.5)
    """
    return largest_of(len(operands := _listed(values, "max")))(*operands)


@called_as("micrograd.min([x, y])")
def min(values: Iterable[Any]) -> Any:
    """Return the smallest of some numbers or Values, as `max` does.

    >>> min([3.0, 1.0, 2.0])
    1.0
    """
    return smallest_of(len(operands := _listed(values, "min")))(*operands)


def _listed(values: Any, name: str) -> list[Any]:
    """Return what there is to choose among; raise for what is no list, or an empty one."""
    try:
        operands = list(values)
    except TypeError:
        raise TypeError(
            f"{name} takes a list of numbers or Values, got {shortened(values)}: write "
            f"{name}([x, y])"
        ) from None
    for x in operands:
        if isinstance(x, str):
            raise TypeError(f"{name} takes a list of numbers or Values, got {x!r} in it")
    if not operands:
        raise ValueError(f"{name} takes at least one value, got none")
    return operands


@called_as("micrograd.logsumexp([x, y])")
def logsumexp(values: Iterable[Any]) -> Any:
    """Return log(exp(a) + exp(b) + ...) of some numbers or Values.

    It never overflows: the largest is taken off all of them first, and added in the end. Its slopes
    are the softmax of the values. Where the result is infinite, the values that are equal to it
    share the slope. Raises ValueError where there are none.

    >>> from micrograd import Value
    >>> x = [Value(1000.0), Value(1000.0)]
    >>> out = logsumexp(x)
    >>> out.backward()
    >>> print(f"{out:.4f} {x[0].grad:.4f} {x[1].grad:.4f}")
    1000.6931 0.5000 0.5000
    """
    operands = _listed(values, "logsumexp")
    largest = largest_of(len(operands))(*operands)
    # The result does not depend on the shift. Without it, slopes would be as right as a large
    # result is rounded.
    is_finite = ops.less(ops.abs(largest), math.inf)
    shift = ops.stop_gradient(ops.where(is_finite, largest, 0.0))
    return shift + logsumexp_of(len(operands))(*[x - shift for x in operands])


@cache
def logsumexp_of(count: int) -> Selection:
    """Return the operation on `count` operands."""

    def rule(j: int) -> Rule:
        def slope(*operands: Any) -> Any:
            *values, out = operands
            is_infinite = ops.equal(ops.abs(out), math.inf)
            if not _may_hold(is_infinite):
                return ops.exp(values[j] - out)
            sharing = sum(ops.equal(x, out) for x in values)
            share = ops.equal(values[j], out) / ops.where(is_infinite, sharing, 1.0)
            return ops.where(is_infinite, share, ops.exp(values[j] - out))

        return slope

    op = Selection("logsumexp", ops.Steps(_log_of_sum), *map(rule, range(count)))
    op.make = logsumexp_of
    return op


def _may_hold(truth: Any) -> bool:
    """Return whether a truth holds, or one of an array of them, or in another row of a program."""
    if hasattr(truth, "_apply"):
        number = getattr(truth, "_number", 0.0)  # none of a symbol: programs see to infinity later
        return number != 0 or (hooks.tracer_here() is not None and hasattr(truth, "_number"))
    return bool(truth.any() if hasattr(truth, "any") else truth)


def _log_of_sum(*values: Any) -> Any:
    if all(x.__class__ is float and math.isfinite(x) for x in values):  # the usual case, quickly
        highest = sorted(values)[-1]
        return math.log(sum(math.exp(x - highest) for x in values)) + highest
    largest = reduce(ops.maximum, values)
    is_finite = ops.less(ops.abs(largest), float("inf"))
    shift = ops.where(is_finite, largest, 0.0)  # two infinities have no difference
    total: Any = sum(ops.exp(ops.where(is_finite, x, 0.0) - shift) for x in values)
    return ops.where(is_finite, ops.log(total) + shift, largest)


@cache
def largest_of(count: int) -> Extreme:
    """Return the operation that gives the largest of `count` operands."""
    return _make_extreme("max", ops.maximum, largest_of, count)


@cache
def smallest_of(count: int) -> Extreme:
    """Return the operation that gives the smallest of `count` operands."""
    return _make_extreme("min", ops.minimum, smallest_of, count)


def _make_extreme(name: str, pairwise: Op, make: Callable[[int], Extreme], count: int) -> Extreme:
    def rule(j: int) -> Rule:
        def slope(*operands: Any) -> Any:
            *values, out = operands
            if out.__class__ is float and out not in values:
                out = op(*values)  # data was set since
            winners = sum(ops.equal(x, out) for x in values)
            return ops.equal(values[j], out) / ops.where(ops.equal(out, out), winners, math.nan)

        return slope

    op = Extreme(name, lambda *values: reduce(pairwise, values), *map(rule, range(count)))
    op.make, op.pairwise = make, pairwise
    ops.STOPS.add(op)
    return op


@cache
def take_among(count: int) -> Take:
    """Return the operation that takes one of `count` operands."""

    def rule(j: int) -> Rule:
        return lambda index, *others: chosen_among(count)(index, float(j))

    op = Take("take", lambda index, *table: table[int(index)], None, *map(rule, range(count)))
    op.make = take_among
    ops.STOPS.add(op)
    return op


@cache
def chosen_among(count: int) -> Chosen:
    """Return the operation that tells whether an index chooses a place among `count`."""
    op = Chosen("equal", lambda index, place: float(index % count == place), None, None)
    op.symbol = "=="
    op.make, op.size = chosen_among, count
    return op
