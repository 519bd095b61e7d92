"""Take a step of gradient descent, and compare what the gradient predicts with what happens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from micrograd.engine import Value, toposort
from micrograd.explain.names import name_of
from micrograd.explain.what_if.measure import (
    Loss,
    compared_values,
    evaluate,
    gradient_of,
    restoring_data,
    same,
)
from micrograd.explain.what_if.reevaluate import Reevaluation
from micrograd.nn import Module
from micrograd.value.errors import ARITHMETIC_ERRORS
from micrograd.value.numbers import is_number, to_float
from micrograd.value.words.calls import called_as
from micrograd.value.words.tables import Cell, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Times the rate that was asked for: 0.01, 0.1, 0.2, 0.5, 1, 2, 5 ... up to 1,000,000.
_RATES = (0.01, *(step * 10.0**k for k in range(-1, 6) for step in (1, 2, 5)), 1e6)
_DIRECTIONS = 1000
_SEED = 0


class Move(NamedTuple):
    """A step against the gradient of some or all parameters: J predicted and real after it."""

    name: str  # which parameters move
    rate: float
    length: float  # of the step in the space of all parameters
    predicted: float
    real: float


class Descent:
    """The result of `step`.

    `.before` and `.slope` are J and the length of its gradient. `.layers` lists a Move for each
    layer alone and for all together, `.rates` one for each learning rate, `.random` the change of
    J in 1,000 random directions. `.data` holds all of these by name.
    """

    before: float
    rate: float

    def __init__(
        self, function: _LossFunction, groups: dict[str, list[Value]], rate: float
    ) -> None:
        import numpy as np

        self.before, self.rate = function.before, rate
        gradient = function.gradient
        self.slope: float = float(np.linalg.norm(gradient))
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
            printed=against.shape[1],
        )
        about = [*((name, rate) for name in parts), *(("all", rate * times) for times in _RATES)]
        lengths = np.linalg.norm(against, axis=0)
        predicted = self.before + gradient @ against
        found = zip(about, lengths.tolist(), predicted.tolist(), real.tolist())
        rows = [Move(name, at, *numbers) for (name, at), *numbers in found]
        self.layers: list[Move] = [*rows[1 : len(parts)], rows[0]]
        self.rates: list[Move] = _up_to_too_large(rows[len(parts) :], self.before)
        self.random: Any = (real[len(about) :] - self.before).tolist()

    @property
    def data(self) -> dict[str, Any]:
        """Everything that was found, by name."""
        names = ("before", "slope", "rate", "layers", "rates", "random")
        return {name: getattr(self, name) for name in names}

    def tables(self) -> list[Table]:
        """Lay out the layers, the rates, and the random directions."""
        layers: list[list[Cell]] = [[m.name, m.length, m.predicted, m.real] for m in self.layers]
        rates = [[m.rate, m.predicted, m.real] for m in self.rates]
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
                ["what moves", "length", "J predicted", "J real"],
                layers,
                f"predicted = J - rate * |gradient|^2; |gradient| of all is {self.slope:.6g}",
            ),
            Table(
                "All, at other rates", ["rate", "J predicted", "J real"], rates, self._too_large()
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
        """Draw J over the rate, predicted and real; return the Axes. Needs matplotlib."""
        from micrograd.draw.training import new_axes

        ax = ax or new_axes()
        rates = [move.rate for move in self.rates]
        ax.plot(rates, [move.real for move in self.rates], "o-", label="J real")
        bottom, top = ax.get_ylim()
        ax.plot(rates, [move.predicted for move in self.rates], "--", label="J predicted")
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
        """Draw how J changes in random directions and along minus the gradient.

        Returns the Axes. Needs matplotlib.
        """
        from micrograd.draw.training import new_axes

        ax = ax or new_axes()
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


@called_as("step(model, lambda: cost(model, X, y), rate=1)")
def step(
    parameters: Module | Mapping[str, Any] | Sequence[Any], loss: Loss, rate: float
) -> Descent:
    """Compare what the gradient predicts for a step of gradient descent with what happens.

    `loss` is a function without arguments that returns J. Its parameters, which are leaves, move
    by minus `rate` times their derivatives: each layer alone, then all together; all of them at
    other rates, up to some that are too large; and in 1,000 random directions (the same in every
    run) by a step of the same length. Afterwards they are as before. `parameters` is a Module,
    a dict from the name of each layer to its parameters, or a list. The recorded loss is evaluated
    on arrays where possible, checked against calls for all that is printed; where `loss` compares
    what moves, or those differ, it is called for each step.
    Raises TypeError if `loss` does not return a Value, ValueError if a parameter is not a leaf or
    none of them is used.

    >>> w = Value(3.0)
    >>> found = step([w], lambda: w * w, rate=0.25)
    >>> found.before, found.layers[-1]
    (9.0, Move(name='all', rate=0.25, length=1.5, predicted=0.0, real=2.25))
    """
    if not callable(loss):
        raise TypeError(
            "step: J is computed anew after each step, so the loss is a function without arguments "
            f"that does, as in step(model, lambda: cost(model, X, y), rate=1); got {loss!r}"
        )
    number = to_float(rate, "rate")
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"step: the rate is a positive number, got {rate!r}")
    groups = _groups(parameters)
    if not _all(groups):
        raise ValueError("step: there are no parameters to move: give a Module or leaf Values")
    for p in _all(groups):
        if p.parents:
            raise ValueError(
                f"step: the parameter {name_of(p)} is not a leaf: it is computed anew whenever "
                "`loss` is called. Give the leaves that it is made of"
            )
    return Descent(_LossFunction(_all(groups), loss), groups, number)


class _LossFunction:
    """A loss as a function of all parameters."""

    parameters: list[Value]

    def __init__(self, parameters: list[Value], loss: Loss) -> None:
        import numpy as np

        self.parameters, self._loss = parameters, loss
        with compared_values() as compared:
            output = evaluate(loss, "step")
        self.before: float = output.data
        self.gradient: NDArray[np.float64] = np.array(gradient_of(output, parameters, "step"))
        self._start = np.array([p.data for p in parameters])
        self._reevaluation: Reevaluation | None = None
        moved = set(map(id, parameters))
        if moved.isdisjoint(map(id, toposort(*compared))):  # else the graph depends on the place
            with suppress(TypeError):
                self._reevaluation = Reevaluation(output, parameters)

    def after(self, moves: np.ndarray, printed: int) -> np.ndarray:
        """Return the loss after each move (a column).

        The user's loss is called for the first ones, which are `printed`, and for those after which
        the loss is the largest and the smallest.
        """
        import numpy as np

        places = self._start[:, np.newaxis] + moves
        if self._reevaluation is not None:
            found = self._reevaluation.outputs(list(places))
            found = np.where(np.isnan(found), math.inf, found)
            # An `if` on .data, or a random number, may make it another graph at other places.
            asked = [*range(printed), *(found.argmin(), found.argmax()) * bool(found.size)]
            if all(same(self._at(places[:, k]), found[k]) for k in asked):
                return found
        return np.array([self._at(place) for place in places.T])

    def _at(self, place: np.ndarray) -> float:
        with restoring_data(self.parameters):
            for p, number in zip(self.parameters, place):
                p.data = number
            try:
                return evaluate(self._loss, "step").data
            except ARITHMETIC_ERRORS:
                return math.inf


def _up_to_too_large(rates: list[Move], before: float) -> list[Move]:
    """Keep the rates up to two that are too large, or up to 100 times the given one."""
    too_large = [i for i, move in enumerate(rates) if not move.real < before]
    shown = too_large[0] + 2 if too_large else _RATES.index(100) + 1
    return rates[: max(shown, _RATES.index(2) + 1)]


def _directions(dimensions: int, length: float) -> np.ndarray:
    """Draw random directions of this length, a column each, uniformly and reproducibly."""
    import numpy as np

    directions = np.random.RandomState(_SEED).standard_normal((dimensions, _DIRECTIONS))
    directions *= length / np.linalg.norm(directions, axis=0)
    return directions


def _groups(parameters: Any) -> dict[str, list[Value]]:
    """Group the parameters by layer: by the parts of a module, or by the given names."""
    if isinstance(parameters, Module):
        return _by_layer(parameters.named_parameters())
    if isinstance(parameters, Mapping):
        return {str(name): _flat(part) for name, part in parameters.items()}
    if isinstance(parameters, (list, tuple)) and not all(isinstance(p, Value) for p in parameters):
        return {f"[{i}]": _flat(part) for i, part in enumerate(parameters)}
    return {"all": _flat(parameters)}


def _by_layer(named: Sequence[tuple[str, Value]]) -> dict[str, list[Value]]:
    """Group by the first step in which their paths differ, such as `layers[0]`."""
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
