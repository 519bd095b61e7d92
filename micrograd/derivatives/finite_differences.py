"""Derivatives checked against differences of the function itself."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from micrograd.derivatives import chain_rule, sweeps
from micrograd.derivatives.errors import name_of
from micrograd.derivatives.fresh_inputs import Call
from micrograd.derivatives.trees import Nested
from micrograd.engine import Value
from micrograd.graph.modes import enable_grad
from micrograd.ops import Op
from micrograd.value.errors import ARITHMETIC_ERRORS
from micrograd.value.numbers import is_number

# The central difference is wrong by about h^2 (the series is cut) and eps / h (rounding): both
# are small at the cube root of eps, here times the scale of x.
_STEP = 2.0**-17
_TOLERANCE = 1e-6  # relative; a difference beyond is looked at more closely
# How the error of the linear model shrinks with h: like h^3 if the derivative is right and f
# smooth, like h^2 where its second derivative jumps, like h if the derivative is wrong.
_LEAST_RATE = 1.5
_HALF_ULP = sys.float_info.epsilon / 2  # of 1
_ROUNDINGS = 8  # the value of an operation may be wrong by several half ulps


@enable_grad()
def check_grads(
    f: Callable[..., Any] | Op, x: Any, order: int = 2, modes: Sequence[str] = ("fwd", "rev")
) -> None:
    """Compare the derivatives of `f` at `x`, up to `order`, with central differences.

    `f` takes x, a number or an array of numbers, and returns a Value or several; an Op takes its
    operands from x. `modes` are "fwd", "rev" or both. The step follows the scale of x. Where the
    difference disagrees, f(x + h) - f(x - h) - 2 h f'(x) must shrink like h^3 as h does (the
    Taylor remainder), until it drowns in rounding, or AssertionError is raised. It says which
    output and which input, both numbers, and whether there is a kink.

    >>> check_grads(lambda x: (x[0] * x[1]).tanh(), [0.5, -1.5])
    >>> wrong = Op("wrong", lambda x: x * x, lambda x, out: 2.001 * x)
    >>> check_grads(wrong, 3.0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: wrong: the derivative of output 0 with respect to x is 6.003 by the rules ...
    """
    unknown = set(modes) - {"fwd", "rev"}
    if unknown or not modes:
        raise ValueError(f'modes must be among "fwd" and "rev", got {modes!r}')
    if order < 1:
        raise ValueError(f"order must be 1 or more, got {order!r}")
    if isinstance(f, Op):
        f, x = _on_operands(f, x)
        if not (is_number(x) or x):
            return  # no operand has a derivative
    for mode in modes:
        for k in range(1, order + 1):
            _Check(f, x, k, mode).run()


def _on_operands(op: Op, x: Any) -> tuple[Callable[..., Any], Any]:
    """Return an operation as a function of the operands that have a derivative, others fixed."""
    operands = [x] if is_number(x) else list(x)
    if len(operands) != len(op.derivatives):
        raise ValueError(
            f"{op.name} takes {len(op.derivatives)} operand(s), but x holds {len(operands)}"
        )
    free = [i for i, rule in enumerate(op.derivatives) if rule is not None]

    def apply(given: Any) -> Any:
        arguments: list[Any] = list(operands)
        for i, value in zip(free, given):
            arguments[i] = value
        return op(*arguments)

    if len(operands) == 1 and free:
        return op, operands[0]
    apply.__name__ = op.name
    return apply, [operands[i] for i in free]


class _Check:
    """Compare all derivatives of one order, in one mode."""

    def __init__(self, f: Callable[..., Any], x: Any, order: int, mode: str) -> None:
        self.f, self.order, self.mode = f, order, mode
        self.outputs, variables, self.call = self.derivatives(x)
        self.point = [v.data for v in variables]
        self.slopes = _in_numbers(self.outputs, variables, mode)
        self.moved: dict[tuple[int, float], list[float]] = {}

    def run(self) -> None:
        for j in range(len(self.point)):
            for i, output in enumerate(self.outputs):
                self.compare(i, j, output, self.slopes[i][j])

    def derivatives(self, x: Any) -> tuple[list[Value], list[Value], Call]:
        """Return the derivatives of the order below, the variables, and the call."""
        call = Call(self.f, (x,), {})
        outputs = call.outputs()[0]
        for _ in range(self.order - 1):
            outputs = _derivatives(outputs, call.variables, self.mode)
        return outputs, call.variables, call

    def at(self, j: int, position: float) -> list[float]:
        """Return the outputs with the j-th number in x moved; nan where they cannot be computed."""
        if (j, position) not in self.moved:
            numbers = [*self.point[:j], position, *self.point[j + 1 :]]
            x = self.call.in_form(numbers, (), float)
            try:
                outputs = [v.data for v in self.derivatives(x)[0]]
            except ARITHMETIC_ERRORS:
                outputs = [math.nan] * len(self.outputs)
            self.moved[j, position] = outputs
        return self.moved[j, position]

    def compare(self, i: int, j: int, output: Value, slope: float) -> None:
        largest = max(map(abs, self.point))
        scale = abs(self.point[j]) or largest or 1.0
        step = self.measure(i, j, slope, scale * _STEP, 0.0)
        error = abs(step.difference - slope)
        agrees = error <= _TOLERANCE * max(abs(step.difference), abs(slope))
        if agrees and not _differ(step.left, step.right):
            return
        # From here on seldom: where rounding is felt, near kinks, where the scale misleads.
        noise = _rounding_error(output)
        for start in (scale, max(largest, 1.0)):
            steps = list(self.shorter_and_shorter(i, j, slope, start / 2, noise))
            if any(step.counts for step in steps):
                break
        if not steps:
            raise ValueError(
                f"{name_of(self.f)} cannot be computed on both sides of {self.input_name(j)} = "
                f"{self.point[j]!r}: check it at a point inside its domain"
            )
        counted = [step for step in steps if step.counts]
        if math.isfinite(slope) and _drowns_or_shrinks(steps):
            # The slope may still be halfway between the two sides of a kink.
            counted = [self.measure(i, j, slope, scale * _STEP / 4**k, noise) for k in range(4)]
            if not (agrees and _is_kink(counted)):
                return
        raise AssertionError(self.message(i, j, slope, counted))

    def shorter_and_shorter(
        self, i: int, j: int, slope: float, h: float, noise: float
    ) -> Iterator[_Step]:
        """Yield shorter and shorter steps, until twice in a row only rounding is left."""
        drowned = 0
        for _ in range(40):
            if not self.point[j] - h < self.point[j] < self.point[j] + h:
                break
            step = self.measure(i, j, slope, h, noise)
            if not math.isnan(step.difference):
                yield step
                drowned = 0 if step.counts else drowned + 1
            if drowned == 2:
                break
            h /= 4

    def measure(self, i: int, j: int, slope: float, h: float, noise: float) -> _Step:
        x = self.point[j]
        above, below = self.at(j, x + h)[i], self.at(j, x - h)[i]
        width = (x + h) - (x - h)  # what is left of 2 h in floats
        rounding = max(noise, _HALF_ULP * max(abs(above), abs(below), abs(slope * width)))
        return _Step(
            h,
            (above - below) / width,
            abs(above - below - slope * width),
            _ROUNDINGS * rounding,
            (self.outputs[i].data - below) / (x - (x - h)),
            (above - self.outputs[i].data) / ((x + h) - x),
        )

    def message(self, i: int, j: int, slope: float, steps: list[_Step]) -> str:
        text = (
            f"{name_of(self.f)}: the derivative of {self.output_name(i)} with respect to "
            f"{self.input_name(j)} is {slope!r} by the rules ({self.mode}, order {self.order})"
        )
        if _is_kink(steps) and min(steps[-1][-2:]) < slope < max(steps[-1][-2:]):
            return f"{text}, which is a choice{_kink(steps[-2:])}"
        difference = _settled([step.difference for step in steps])
        relative = abs(difference - slope) / (max(abs(difference), abs(slope)) or 1.0)
        text += f" but {difference!r} by differences; relative difference {relative:.2g}"
        return text + _kink(steps[-2:])

    def input_name(self, j: int) -> str:
        if isinstance(self.call.shape, Nested):
            return self.call.shape.names[j]
        if self.call.shape is None:
            return "x"
        position: list[int] = []
        for length in reversed(self.call.shape):
            j, remainder = divmod(j, length)
            position.insert(0, remainder)
        return f"x[{', '.join(map(str, position))}]"

    def output_name(self, i: int) -> str:
        """Name the i-th output, or the derivative of an output that it is, last input first."""
        inputs = []
        for _ in range(self.order - 1):
            i, j = divmod(i, len(self.point))
            inputs.append(f"by {self.input_name(j)}")
        return " ".join([f"output {i}", *reversed(inputs)])


class _Step(NamedTuple):
    """The function a step h to either side of the point."""

    h: float
    difference: float  # the slope between the two points
    remainder: float  # |f(x + h) - f(x - h) - 2 h f'(x)|
    rounding: float  # how much of it may be rounding
    left: float  # the slope from x - h to x
    right: float  # the slope from x to x + h

    @property
    def counts(self) -> bool:
        return self.remainder > 4 * self.rounding


def _drowns_or_shrinks(steps: list[_Step]) -> bool:
    """Tell whether the remainder falls faster than h at the shortest steps, or is rounding."""
    counted = [step for step in steps if step.counts]
    if len(counted) < 2:
        return True
    # Where it drops into the rounding at once (beyond a kink), that is fast enough, too.
    drowned = [step for step in steps if step.h < counted[-1].h][:1]
    return any(
        math.log(longer.remainder / max(shorter.remainder, shorter.rounding, sys.float_info.min))
        > _LEAST_RATE * math.log(longer.h / shorter.h)
        for longer, shorter in [counted[-2:], *([counted[-1], step] for step in drowned)]
    )


def _settled(differences: list[float]) -> float:
    """Return the difference that differs least from the one before: the most settled one."""
    changes = [abs(b - a) for a, b in pairwise(differences)]
    if not changes:
        return differences[0] if differences else math.nan
    return differences[1 + changes.index(min(changes))]


def _differ(left: float, right: float) -> bool:
    """Tell whether slopes to the left and to the right are as far apart as at a kink."""
    return abs(right - left) > 1e-3 * max(abs(left), abs(right))


def _is_kink(steps: list[_Step]) -> bool:
    """Tell whether the two sides stay as far apart as they are, however short the step."""
    gaps = [abs(step.right - step.left) for step in steps]
    return (
        len(steps) > 1
        and all(_differ(step.left, step.right) for step in steps)
        and max(gaps) <= 1.1 * min(gaps)
    )


def _kink(steps: list[_Step]) -> str:
    """Describe a kink, where the slopes to the left and right do not approach each other."""
    gaps = [abs(step.right - step.left) for step in steps]
    if len(gaps) < 2:
        return ""
    left, right = steps[-1].left, steps[-1].right
    before, last = (max(abs(step.left), abs(step.right)) for step in steps)
    if last > 3 * before:  # slopes grow as the steps become shorter, by 4 each
        return ". There is a jump at or near this point"
    if gaps[1] > gaps[0] / 2 and _differ(left, right):
        return (
            f". There is a kink at or near this point: the slope is {left:.6g} on the left of it "
            f"and {right:.6g} on the right"
        )
    return ""


def _in_numbers(
    outputs: Sequence[Value], variables: Sequence[Value], mode: str
) -> list[list[float]]:
    """Return the derivative of each output by each variable, by the sweep of this mode."""
    if mode == "rev":
        return sweeps.adjoints(outputs, variables) or []
    columns = sweeps.tangents(outputs, variables) or []
    return [list(row) for row in zip(*columns)]


def _derivatives(outputs: Sequence[Value], variables: Sequence[Value], mode: str) -> list[Value]:
    """Return every derivative of every output by every variable, as Values, output by output."""
    if mode == "rev":
        rows = [chain_rule.gradient(y, variables, 1.0) for y in outputs]
    else:
        columns = []
        for x in variables:
            direction = [1.0 if other is x else 0.0 for other in variables]
            columns.append(chain_rule.directional(outputs, variables, direction))
        rows = [list(row) for row in zip(*columns)]
    return [e if isinstance(e, Value) else Value(e) for row in rows for e in row]


def _rounding_error(output: Value) -> float:
    """Return about how far rounding moves `output`: half an ulp of each node, times its slope."""
    nodes = [v for v in sweeps.nodes_behind([output]) if v.parents]
    [slopes] = sweeps.adjoints([output], nodes) or [[]]
    return _HALF_ULP * sum(abs(s * v.data) for s, v in zip(slopes, nodes))
