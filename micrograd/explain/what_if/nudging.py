"""Nudge one number, and compare what its derivative predicts with what happens."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from micrograd.engine import Value, toposort
from micrograd.explain.membership import parameter_path
from micrograd.explain.names import name_of
from micrograd.explain.what_if.measure import Loss, evaluate, gradient_of, restoring_data, same
from micrograd.explain.what_if.reevaluate import Reevaluation
from micrograd.value.errors import ARITHMETIC_ERRORS
from micrograd.value.numbers import to_float
from micrograd.value.words.calls import called_as
from micrograd.value.words.tables import Table

if TYPE_CHECKING:
    import numpy as np

_SHRINKING = (1, 0.1, 0.01)  # times the nudge that was asked for
_DIGITS = 4  # of the smallest change
_MOST_DECIMALS = 12


class Change(NamedTuple):
    """How the output changes when a Value is nudged by `by`."""

    by: float
    predicted: float  # derivative * by
    real: float  # computed again


class Nudge:
    """The result of `nudge`: `.data`, a Change per step; `.slope`, the derivative; `.plot()`."""

    name: str
    at: float
    before: float
    slope: float
    v: Value

    def __init__(self, v: Value, by: float, function: _RecordedFunction | _CalledFunction) -> None:
        self._function = function
        self.v, self.at = v, v.data
        self.before, self.slope, self.name = function.before, function.slope, function.name
        self._called = function.path or name_of(v)
        steps = [by * part for part in _SHRINKING]
        self.data: list[Change] = [
            Change(h, self.slope * h, function.at(self.at + h) - self.before) for h in steps
        ]

    def table(self) -> Table:
        """Lay the changes out, the largest nudge first."""
        rows = [[*change, change.real - change.predicted] for change in self.data]
        return Table(
            f"Nudging {self._called}: how {self.name}, {self.before:.6g}, changes",
            ["nudged by", "predicted", "real", "off by"],
            rows,
            self._note(),
            dict.fromkeys(["predicted", "real", "off by"], self._decimals()),
        )

    def _decimals(self) -> int:
        """Return the decimals that show some digits of the smallest change."""
        change = max(map(abs, self.data[-1][1:]))
        if not (math.isfinite(change) and change):
            return 6
        return min(max(_DIGITS - 1 - math.floor(math.log10(change)), 0), _MOST_DECIMALS)

    def _note(self) -> str:
        meaning = f"predicted = derivative * nudge; the derivative is {self.slope:.6g}"
        _, predicted, real = self.data[-1]
        if abs(real - predicted) <= 0.1 * abs(real) + 1e-9 * (1 + abs(self.before)):
            return f"{meaning}\nThe smaller the nudge, the better the prediction"
        return (
            f"{meaning}\nEven the smallest nudge is predicted wrongly: there is a kink or a jump "
            "here, or a stop_gradient on the way"
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the output over the nudged number, with its tangent; return the matplotlib Axes.

        The curve reaches 2 to either side, or twice the nudge if that is more. Needs matplotlib.
        """
        import numpy as np

        from micrograd.draw.training import new_axes

        by = self.data[0].by
        reach = 2 * max(1.0, abs(by))
        x = np.linspace(self.at - reach, self.at + reach, 81)
        ax = ax or new_axes()
        ax.plot(x, self._function.curve(x), label=self.name)
        ax.plot(x, self.before + self.slope * (x - self.at), "--", label="tangent")
        ax.plot([self.at], [self.before], "o", color="black")
        ax.annotate(
            f"slope {self.slope:.6g}", (self.at, self.before), (8, -14), textcoords="offset points"
        )
        ax.set(
            xlabel=self._function.path or self.v.label or self.v._op or "the leaf", ylabel=self.name
        )
        ax.legend()
        return ax

    def __str__(self) -> str:
        return self.table().text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table().html()


@called_as("nudge(w, loss), for what a small change of w does to the loss")
def nudge(v: Value, output: Value | Loss, by: float = 0.01) -> Nudge:
    """Compare the change that the derivative predicts for a nudge of `v` with the real change.

    `v` is any Value that `output` depends on, a weight or a node in the middle; whatever depends
    on it is computed again. `output` may also be a function without arguments that computes the
    output; then `v` must be a leaf. All data and grads are left as they were. Raises TypeError if
    a node was not made by an operation (pass a function then), ValueError if `output` does not
    depend on `v` or data were changed after recording, and what arithmetic raises when the nudge
    leaves the domain of an operation.

    >>> x = Value(3.0, label="x")
    >>> print(nudge(x, x * x, by=0.1))
    Nudging x: how the output, 9, changes
    nudged by  predicted      real    off by
    ----------------------------------------
          0.1   0.600000  0.610000  0.010000
         0.01   0.060000  0.060100  0.000100
        0.001   0.006000  0.006001  0.000001
    predicted = derivative * nudge; the derivative is 6
    The smaller the nudge, the better the prediction
    """
    if not isinstance(v, Value):
        raise TypeError(f"nudge: what is nudged is a Value, got {v!r}")
    step = to_float(by, "by")
    if not (math.isfinite(step) and v.data + step * _SHRINKING[-1] != v.data):
        raise ValueError(f"nudge: by={by!r} does not move {name_of(v)}; give a number like 0.01")
    if isinstance(output, Value):
        return Nudge(v, step, _RecordedFunction(v, output))
    if callable(output):
        return Nudge(v, step, _CalledFunction(v, output))
    raise TypeError(f"nudge: the output is a Value, or a function that computes it; got {output!r}")


class _RecordedFunction:
    """A recorded output as a function of one Value in its graph."""

    def __init__(self, v: Value, output: Value) -> None:
        self.slope: float = gradient_of(output, [v], "nudge")[0]
        self.path: str = _path(v, output)
        self.before: float = output.data
        self.name: str = output.label or "the output"
        self._reevaluation = Reevaluation(output, [v])
        if not same(self.at(v.data), self.before):
            raise ValueError(
                f"nudge: data were changed after {self.name} was recorded: it is {self.before:.6g} "
                f"there, and {self.at(v.data):.6g} computed again. Record it again first"
            )

    def at(self, x: float) -> float:
        return self._reevaluation.output([x])

    def curve(self, x: np.ndarray) -> np.ndarray:
        return self._reevaluation.outputs([x])


class _CalledFunction:
    """The output that a user's function computes, as a function of one leaf that it uses."""

    def __init__(self, v: Value, compute: Loss) -> None:
        if v.parents:
            raise ValueError(
                f"nudge: a function that computes the output makes {name_of(v)} anew, which is not "
                "a leaf. Pass the recorded output itself, or nudge a leaf"
            )
        self._v, self._compute = v, compute
        output = evaluate(compute, "nudge")
        self.slope: float = gradient_of(output, [v], "nudge")[0]
        self.path: str = _path(v, output)
        self.before: float = output.data
        self.name: str = output.label or getattr(compute, "__name__", "the output")

    def at(self, x: float) -> float:
        with restoring_data([self._v]):
            self._v.data = x
            return evaluate(self._compute, "nudge").data

    def curve(self, x: np.ndarray) -> list[float]:
        if not same(self.at(self._v.data), self.before):
            raise RuntimeError("the function gives another number by now: nudge again, then plot")
        return [_or_nan(self.at, position) for position in x]


def _or_nan(function: Callable[[float], float], x: float) -> float:
    try:
        return function(x)
    except ARITHMETIC_ERRORS:
        return math.nan


def _path(v: Value, output: Value) -> str:
    """Return the path to v in its module, if it is a parameter without a label."""
    if v.label or v.parents:
        return ""
    return parameter_path(v, (node for node in toposort(output) if v in node.parents))
