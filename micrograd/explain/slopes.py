"""What derivatives foretell beside what really happens: `nudge` one number, or `step` with all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from micrograd.engine import Value, toposort
from micrograd.errors import ARITHMETIC_ERRORS
from micrograd.explain.names import called
from micrograd.explain.replay import Replay, uncollected
from micrograd.explain.report import Cell, Table
from micrograd.nn import Module
from micrograd.scalars import is_number, to_float

if TYPE_CHECKING:
    import numpy as np

Loss = Callable[[], Value]

_SHRINKING = (1, 0.1, 0.01, 0.001)  # times the nudge that was asked for
# Times the rate that was asked for: 0.01, 0.1, 0.2, 0.5, 1, 2, 5 ... up to 1,000,000.
_RATES = (0.01, *(step * 10.0**k for k in range(-1, 6) for step in (1, 2, 5)), 1e6)
_DIRECTIONS = 1000
_SEED = 0


# One number --------------------------------------------------------------------------------------


class Change(NamedTuple):
    """How the output changes when a Value is nudged `by` so much."""

    by: float
    foretold: float  # derivative * by
    real: float  # what it is when computed again


class Nudge:
    """What `nudge` found: `.data`, a Change per step; `.slope`, the derivative; `.plot()`."""

    def __init__(self, v: Value, by: float, function: _OfOne | _OfOneByCall) -> None:
        self._function = function
        self.v, self.at = v, v.data
        self.before, self.slope, self.name = function.before, function.slope, function.name
        steps = [by * part for part in _SHRINKING]
        self.data = [
            Change(h, self.slope * h, function.at(self.at + h) - self.before) for h in steps
        ]

    def table(self) -> Table:
        """Lay the changes out, the largest nudge first."""
        rows = [[*change, change.real - change.foretold] for change in self.data]
        return Table(
            f"Nudging {called(self.v)}: how {self.name}, {self.before:.6g}, changes",
            ["nudged by", "foretold", "real", "off by"],
            rows,
            self._note(),
        )

    def _note(self) -> str:
        foretold = f"foretold = derivative * nudge; the derivative is {self.slope:.6g}"
        _, foreseen, real = self.data[-1]
        if abs(real - foreseen) <= 0.1 * abs(real) + 1e-9 * (1 + abs(self.before)):
            return f"{foretold}\nThe smaller the nudge, the better it foretells"
        return (
            f"{foretold}\nEven the smallest nudge is not foretold: there is a kink or a jump "
            "just here, or a stop_gradient on the way"
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the output over the nudged number, with its tangent; gives the matplotlib Axes.

        The curve reaches 2 to either side, or twice the nudge if that is more. Needs matplotlib.
        """
        import numpy as np

        by = self.data[0].by
        reach = 2 * max(1.0, abs(by))
        x = np.linspace(self.at - reach, self.at + reach, 81)
        ax = _axes(ax)
        ax.plot(x, self._function.curve(x), label=self.name)
        ax.plot(x, self.before + self.slope * (x - self.at), "--", label="tangent")
        ax.plot([self.at], [self.before], "o", color="black")
        ax.annotate(
            f"slope {self.slope:.6g}", (self.at, self.before), (8, -14), textcoords="offset points"
        )
        ax.set(xlabel=_axis_name(self.v), ylabel=self.name)
        ax.legend()
        return ax

    def __str__(self) -> str:
        return self.table().text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table().html()


def nudge(v: Value, output: Value | Loss, by: float = 0.01) -> Nudge:
    """Compare the change that the derivative foretells for a nudge of `v` with the real change.

    `v` is any Value that `output` depends on, a weight or a node in the middle: what depends on
    it is computed again. Or `output` is a function without arguments that computes it; then `v`
    is a leaf. Nothing is changed in the end. Raises TypeError where a node was not made by a row
    (pass a function then), ValueError where `output` does not depend on `v`, or where data were
    changed after it was recorded; and what arithmetic raises, when the nudge leads out of a domain.

    >>> x = Value(3.0, label="x")
    >>> print(nudge(x, x * x, by=0.1))
    Nudging x: how the output, 9, changes
    nudged by  foretold        real  off by
    ---------------------------------------
          0.1       0.6        0.61    0.01
         0.01      0.06      0.0601  0.0001
        0.001     0.006    0.006001   1e-06
       0.0001    0.0006  0.00060001   1e-08
    foretold = derivative * nudge; the derivative is 6
    The smaller the nudge, the better it foretells
    """
    if not isinstance(v, Value):
        raise TypeError(f"nudge: what is nudged is a Value, got {v!r}")
    step = to_float(by, "by")
    if not (math.isfinite(step) and v.data + step * _SHRINKING[-1] != v.data):
        raise ValueError(f"nudge: by={by!r} does not move {called(v)}; give a number like 0.01")
    if isinstance(output, Value):
        return Nudge(v, step, _OfOne(v, output))
    if callable(output):
        return Nudge(v, step, _OfOneByCall(v, output))
    raise TypeError(f"nudge: the output is a Value, or a function that computes it; got {output!r}")


class _OfOne:
    """A recorded output as a function of one Value in its graph."""

    def __init__(self, v: Value, output: Value) -> None:
        self.slope = _gradient(output, [v], "nudge")[0]
        self.before = output.data
        self.name = output.label or "the output"
        self._replay = Replay(output, [v])
        if not _same(self.at(v.data), self.before):
            raise ValueError(
                f"nudge: data were changed after {self.name} was recorded: it is {self.before:.6g} "
                f"there, and {self.at(v.data):.6g} computed again. Record it again first"
            )

    def at(self, x: float) -> float:
        return self._replay.output([x])

    def curve(self, x: np.ndarray) -> np.ndarray:
        return self._replay.outputs([x])


class _OfOneByCall:
    """The output that a user's function computes, as a function of one leaf that it uses."""

    def __init__(self, v: Value, compute: Loss) -> None:
        if v.parents:
            raise ValueError(
                f"nudge: a function that computes the output makes {called(v)} anew, which is not "
                "a leaf. Pass the recorded output itself, or nudge a leaf"
            )
        self._v, self._compute = v, compute
        output = _called_for(compute, "nudge")
        self.slope = _gradient(output, [v], "nudge")[0]
        self.before = output.data
        self.name = output.label or getattr(compute, "__name__", "the output")

    def at(self, x: float) -> float:
        with _kept([self._v]):
            self._v.data = x
            return _called_for(self._compute, "nudge").data

    def curve(self, x: np.ndarray) -> list[float]:
        if not _same(self.at(self._v.data), self.before):
            raise RuntimeError("the function gives another number by now: nudge again, then plot")
        return [_or_nan(self.at, position) for position in x]


# All of them -------------------------------------------------------------------------------------


class Move(NamedTuple):
    """A step against the gradient, of some parameters or of all: J foretold and real after it."""

    name: str  # which parameters move
    rate: float
    length: float  # of the step, as a way in the space of all parameters
    foretold: float
    real: float


class Descent:
    """What `step` found.

    `.before` and `.slope` are J and the length of its gradient; `.layers` and `.rates` list a
    Move for each layer and for all, and for a range of rates; `.random` lists the change of J
    for 1,000 directions; `.data` has all of these.
    """

    def __init__(self, function: _OfAll, groups: dict[str, list[Value]], rate: float) -> None:
        import numpy as np

        self.before, self.rate = function.before, rate
        gradient = function.gradient
        self.slope = float(np.linalg.norm(gradient))
        parts = {"all": function.parameters, **groups} if len(groups) > 1 else groups
        alone = [[p in part for p in function.parameters] for part in map(set, parts.values())]
        against = np.concatenate(  # a column per step along minus the gradient
            [
                -rate * gradient[:, np.newaxis] * np.array(alone).T,
                np.outer(-gradient, [rate * times for times in _RATES]),
            ],
            axis=1,
        )
        real = function.after(
            np.concatenate([against, _directions(len(gradient), rate * self.slope)], axis=1),
            asked=(0, len(parts) + _RATES.index(10)),
        )
        about = [*((name, rate) for name in parts), *(("all", rate * times) for times in _RATES)]
        lengths = np.linalg.norm(against, axis=0)
        foretold = self.before + gradient @ against
        found = zip(about, lengths.tolist(), foretold.tolist(), real.tolist())
        rows = [Move(name, at, *numbers) for (name, at), *numbers in found]
        self.layers = [*rows[1 : len(parts)], rows[0]]
        self.rates = _until_too_large(rows[len(parts) :], self.before)
        self.random = (real[len(about) :] - self.before).tolist()

    @property
    def data(self) -> dict[str, Any]:
        """All that was found, by name."""
        names = ("before", "slope", "rate", "layers", "rates", "random")
        return {name: getattr(self, name) for name in names}

    def tables(self) -> list[Table]:
        """Lay out the layers, the rates, and the random directions."""
        layers: list[list[Cell]] = [[m.name, m.length, m.foretold, m.real] for m in self.layers]
        rates = [[m.rate, m.foretold, m.real] for m in self.rates]
        along = self.layers[-1].real - self.before
        raised = sum(change > 0 for change in self.random)
        random: list[list[Cell]] = [["minus the gradient", along]]
        if self.random:
            random += [
                ["the best of the random ones", min(self.random)],
                ["the worst", max(self.random)],
            ]
        return [
            Table(
                f"A step of rate {self.rate:.6g} along minus the gradient; J was {self.before:.6g}",
                ["what moves", "length", "J foretold", "J real"],
                layers,
                f"foretold = J - rate * |gradient|^2; |gradient| of all is {self.slope:.6g}",
            ),
            Table(
                "All, at other rates", ["rate", "J foretold", "J real"], rates, self._too_large()
            ),
            Table(
                f"A step of length {self.layers[-1].length:.6g} in other directions",
                ["direction", "change of J"],
                random,
                f"{raised} of {len(self.random)} random directions raise J",
            ),
        ]

    def _too_large(self) -> str:
        too_large = [move.rate for move in self.rates if not move.real < self.before]
        if not too_large or not self.slope:
            return "None of these rates is too large here"
        return f"Too large: at rate {too_large[0]:.6g} J is not below where it was"

    def plot(self, ax: Any = None) -> Any:
        """Draw J over the rate, foretold and real; gives the matplotlib Axes. Needs matplotlib."""
        ax = _axes(ax)
        rates = [move.rate for move in self.rates]
        ax.plot(rates, [move.real for move in self.rates], "o-", label="J real")
        bottom, top = ax.get_ylim()
        ax.plot(rates, [move.foretold for move in self.rates], "--", label="J foretold")
        ax.axhline(self.before, color="grey", linewidth=0.8, label="J before")
        ax.set(
            xscale="log",
            xlabel="rate",
            ylabel="J",
            ylim=(min(bottom, 0.0), max(top, self.before * 1.1)),
        )
        ax.legend()
        return ax

    def plot_directions(self, ax: Any = None) -> Any:
        """Draw how J changes in the random directions, beside minus the gradient.

        Gives the matplotlib Axes. Needs matplotlib.
        """
        ax = _axes(ax)
        finite = [change for change in self.random if math.isfinite(change)]
        ax.hist(finite, bins=40, color="lightgrey", label="random directions")
        ax.axvline(self.layers[-1].real - self.before, color="C1", label="minus the gradient")
        ax.axvline(0.0, color="black", linewidth=0.8)
        ax.set(
            xlabel=f"change of J after a step of length {self.layers[-1].length:.6g}",
            ylabel="directions",
        )
        ax.legend(loc="upper right")
        return ax

    def __str__(self) -> str:
        return "\n\n".join(table.text() for table in self.tables())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables())


def step(
    parameters: Module | Mapping[str, Any] | Sequence[Any], loss: Loss, rate: float
) -> Descent:
    """Compare what the gradient foretells for a step of gradient descent with what happens.

    J is what `loss`, a function without arguments, gives. The parameters, leaves that it uses,
    are moved by minus `rate` times their derivatives: those of each layer alone, then all; all of
    them again at other rates, some too large; and in 1,000 random directions, the same in every
    run, by as long a way. In the end they are what they were. `parameters` is a Module, whose
    layers are told by their names; a dict of a name to the parameters of each layer; or a list.
    Where the recorded loss can be computed again on arrays, it is, and compared with two calls;
    otherwise, or where these differ, `loss` is called for every step. Raises TypeError where
    `loss` gives no Value, ValueError where a parameter is no leaf, or none is used.

    >>> w = Value(3.0)
    >>> found = step([w], lambda: w * w, rate=0.25)
    >>> found.before, found.layers[-1]
    (9.0, Move(name='all', rate=0.25, length=1.5, foretold=0.0, real=2.25))
    """
    number = to_float(rate, "rate")
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"step: the rate is a positive number, got {rate!r}")
    groups = _groups(parameters)
    for p in _all(groups):
        if p.parents:
            raise ValueError(
                f"step: the parameter {called(p)} is not a leaf: it is computed anew whenever "
                "`loss` is called. Give the leaves that it is made of"
            )
    return Descent(_OfAll(_all(groups), loss), groups, number)


class _OfAll:
    """The loss as a function of all parameters."""

    def __init__(self, parameters: list[Value], loss: Loss) -> None:
        import numpy as np

        self.parameters, self._loss = parameters, loss
        output = _called_for(loss, "step")
        self.before = output.data
        self.gradient = np.array(_gradient(output, parameters, "step"))
        self._start = np.array([p.data for p in parameters])
        try:
            self._replay: Replay | None = Replay(output, parameters)
        except TypeError:
            self._replay = None

    def after(self, moves: np.ndarray, asked: Sequence[int]) -> np.ndarray:
        """The loss after each of these moves, a column each; the loss itself is asked for some."""
        import numpy as np

        places = self._start[:, np.newaxis] + moves
        if self._replay is not None:
            found = self._replay.outputs(list(places))
            # An `if` in the loss, or chance, may make it another graph at other places.
            if all(_same(self._at(places[:, k]), found[k]) for k in asked):
                return np.where(np.isnan(found), math.inf, found)
        return np.array([self._at(place) for place in places.T])

    def _at(self, place: np.ndarray) -> float:
        with _kept(self.parameters):
            for p, number in zip(self.parameters, place):
                p.data = number
            try:
                return _called_for(self._loss, "step").data
            except ARITHMETIC_ERRORS:
                return math.inf


def _until_too_large(rates: list[Move], before: float) -> list[Move]:
    """The rates up to two that are too large; up to 100 times what was asked for if none is."""
    too_large = [i for i, move in enumerate(rates) if not move.real < before]
    shown = too_large[0] + 2 if too_large else _RATES.index(100) + 1
    return rates[: max(shown, _RATES.index(2) + 1)]


def _directions(dimensions: int, length: float) -> np.ndarray:
    """Ways of this length, a column each, all equally likely, the same in every run."""
    import numpy as np

    ways = np.random.RandomState(_SEED).standard_normal((dimensions, _DIRECTIONS))
    ways *= length / np.linalg.norm(ways, axis=0)
    return ways


def _groups(parameters: Any) -> dict[str, list[Value]]:
    """The parameters of each layer: of each part of a module, or of what was given by name."""
    if isinstance(parameters, Module):
        return _by_layer(parameters.named_parameters())
    if isinstance(parameters, Mapping):
        return {str(name): _flat(part) for name, part in parameters.items()}
    if isinstance(parameters, (list, tuple)) and not all(isinstance(p, Value) for p in parameters):
        return {f"[{i}]": _flat(part) for i, part in enumerate(parameters)}
    return {"all": _flat(parameters)}


def _by_layer(named: Sequence[tuple[str, Value]]) -> dict[str, list[Value]]:
    """Group by the first step of their paths in which parameters differ, `layers[0]` say."""
    paths = [name.split(".") for name, _ in named]
    shared = 0
    while paths and all(
        len(path) > shared + 1 and path[shared] == paths[0][shared] for path in paths
    ):
        shared += 1
    groups: dict[str, list[Value]] = {}
    for path, (_, p) in zip(paths, named):
        name = ".".join(path[: shared + 1])
        if len(path) == shared + 1:
            name = name.partition("[")[0]  # a list of parameters is one part
        groups.setdefault(name, []).append(p)
    return groups


def _flat(part: Any) -> list[Value]:
    if isinstance(part, Value):
        return [part]
    if isinstance(part, Module):
        return part.parameters()
    if is_number(part) or isinstance(part, str) or not hasattr(part, "__iter__"):
        raise TypeError(
            f"step: the parameters are a Module, a dict of them by layer, or a list of Values; "
            f"got {part!r} among them"
        )
    return [p for inner in part for p in _flat(inner)]


def _all(groups: dict[str, list[Value]]) -> list[Value]:
    return list(dict.fromkeys(p for group in groups.values() for p in group))


# What both use -----------------------------------------------------------------------------------


@uncollected()
def _gradient(output: Value, values: list[Value], who: str) -> list[float]:
    """The derivatives of `output` by these, 0 for those it does not depend on; no grad changes."""
    nodes = toposort(output)
    used = set(nodes).intersection(values)
    if not used:
        names = ", ".join(called(v) for v in values[:3])
        raise ValueError(
            f"{who}: {called(output)} was not computed from {names or 'any parameter'}, so it "
            "cannot change with that. Use the same Value, not a copy, in what computes it"
        )
    before = [v.grad for v in nodes]
    try:
        for v in used:
            v.grad = 0.0
        output.backward()
        return [v.grad if v in used else 0.0 for v in values]
    finally:
        for v, grad in zip(nodes, before):
            v.grad = grad


@uncollected()
def _called_for(compute: Loss, who: str) -> Value:
    output = compute()
    if not isinstance(output, Value):
        raise TypeError(
            f"{who}: the function must return a Value, recorded anew by each call; it returned "
            f"{output!r}"
        )
    return output


@contextmanager
def _kept(values: list[Value]) -> Iterator[None]:
    """Give the Values their data back in the end."""
    before = [v.data for v in values]
    try:
        yield
    finally:
        for v, number in zip(values, before):
            v.data = number


def _same(x: float, y: float) -> bool:
    if not (math.isfinite(x) and math.isfinite(y)):
        return not (math.isfinite(x) or math.isfinite(y))
    return math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12)


def _or_nan(function: Callable[[float], float], x: float) -> float:
    try:
        return function(x)
    except ARITHMETIC_ERRORS:
        return math.nan


def _axis_name(v: Value) -> str:
    return v.label or v._op or "the leaf"


def _axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("plot needs matplotlib: pip install 'micrograd[demo]'") from error
    return pyplot.subplots()[1]
