"""Read a network and its examples, in the forms that users have them, into the course's terms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd import ops
from micrograd.engine import Value
from micrograd.explain.course.notation import entry
from micrograd.nn import MLP, Layer, Neuron
from micrograd.value.numbers import is_number, to_float

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Pass(NamedTuple):
    """The z and a of every layer for one example; layer 1 has an a and no z."""

    z: list[list[Value]]
    a: list[list[Value]]


class Unit(Neuron):
    """A neuron made of parameters and an activation g; it remembers the z and a of its last call.

    `theta` is its row of the matrix Theta: the bias, then one weight per input.
    """

    a: Value
    b: Value
    w: list[Value]
    z: Value
    course_name = ""  # what tables call it

    def __init__(self, theta: list[Value], g: Callable[[Value], Value]) -> None:
        self.theta = theta
        self.b, *self.w = theta
        self.g = g

    def activate(self, z: Value) -> Value:
        self.z, self.a = z, self.g(z)
        return self.a

    def g_prime(self, z: Value) -> float:
        """Return the slope of the activation at z."""
        alone = Value(z.data)
        self.g(alone).backward()
        return alone.grad


class Network(MLP):
    """An MLP made of units; it records what it computes like any MLP."""

    def __init__(self, units: list[list[Unit]]) -> None:
        self.layers: list[Layer] = [
            Layer.__new__(Layer) for _ in units
        ]  # their neurons exist already
        for layer, neurons in zip(self.layers, units):
            layer.neurons = list(neurons)
        for level, neurons in enumerate(units, start=2):
            for k, unit in enumerate(neurons, start=1):
                unit.course_name = f"layer {level}, unit {k}"
        self.units = units

    def forward(self, row: Sequence[float]) -> Pass:
        """Compute every z and a of an example, recorded as a graph."""
        inputs = [Value(x, label=entry("a1", j)) for j, x in enumerate(row, start=1)]
        self(inputs)
        passed = Pass([[]], [inputs])
        for level, units in enumerate(self.units, start=2):
            for k, unit in enumerate(units, start=1):
                unit.a.label = entry(f"a{level}", k)
                unit.z.label = entry(f"z{level}", k)  # without an activation, a is this z
            passed.z.append([unit.z for unit in units])
            passed.a.append([unit.a for unit in units])
        return passed


def network_of(model: Any, sigmoid_outputs: bool) -> Network:
    """Make the network of an MLP or of matrices Theta; add a sigmoid to a linear last layer."""
    if isinstance(model, MLP):
        _check_plain(model)
        units = [
            [Unit([n.b, *n.w], _activation(n)) for n in layer.neurons] for layer in model.layers
        ]
        if sigmoid_outputs and units:
            for neuron, unit in zip(model.layers[-1].neurons, units[-1]):
                if not neuron.nonlin or neuron.activation == "linear":
                    unit.g = ops.sigmoid
    else:
        units = [[Unit(row, ops.sigmoid) for row in theta] for theta in _thetas(model)]
    if not units:
        raise ValueError("the model has no layers: give an MLP or matrices [Theta1, Theta2, ...]")
    for level, layer in enumerate(units, start=1):
        _check_theta(f"Theta{level}", layer)
    _check_sizes([(len(layer), len(layer[0].theta)) for layer in units])
    for level, layer in enumerate(units, start=1):
        for k, unit in enumerate(layer, start=1):
            for j, w in enumerate(unit.theta):
                w.label = w.label or entry(f"Theta{level}", k, j)
    return Network(units)


def _activation(neuron: Neuron) -> Callable[[Value], Value]:
    plain = neuron.nonlin and neuron.activation == "sigmoid"
    return ops.sigmoid if plain and type(neuron) is Neuron else neuron.activate


def _check_plain(model: MLP) -> None:
    """Refuse an MLP with a call of its own, which the course has no matrices for."""
    parts: list[tuple[Any, type[Any]]] = [(model, MLP)]
    parts += [(layer, Layer) for layer in model.layers]
    parts += [(n, Neuron) for layer in model.layers for n in getattr(layer, "neurons", ())]
    for part, kind in parts:
        if not isinstance(part, kind) or type(part).__call__ is not kind.__call__:
            raise TypeError(
                f"deltas knows the calls of nn.MLP, nn.Layer and nn.Neuron; {type(part).__name__} "
                "has one of its own: use contributions for it"
            )


def _thetas(matrices: Any) -> list[list[list[Value]]]:
    try:
        return [
            [
                [x if isinstance(x, Value) else Value(x) for x in row]
                for k, row in enumerate(_as_rows(theta), start=1)
            ]
            for level, theta in enumerate(matrices, start=1)
        ]
    except TypeError as error:
        raise TypeError(
            f"the model is an nn.MLP or a list of matrices [Theta1, Theta2, ...], each with a row "
            f"per unit, the bias first; got {type(matrices).__name__} ({error})"
        ) from error


def _check_sizes(sizes: Sequence[tuple[int, int]]) -> None:
    """Raise ValueError unless each matrix has a column per unit of the layer below, and one more.

    `sizes` are rows and columns. What would fit otherwise is said.
    """
    fit = _first_misfit(sizes)
    if fit is None:
        return
    shown = ", ".join(f"{rows}x{columns}" for rows, columns in sizes)
    if _first_misfit([(columns, rows) for rows, columns in sizes]) is None:
        advice = "they fit transposed, with a row per unit: give [Theta.T for Theta in ...]"
    elif _first_misfit(sizes[::-1]) is None:
        advice = "they fit in reverse order: Theta1, which the inputs enter, comes first"
    elif _first_misfit([(rows, columns + 1) for rows, columns in sizes]) is None:
        advice = "a column is missing in each: the bias, column 0"
    else:
        (units, _), (_, columns) = sizes[fit - 1 : fit + 1]
        advice = (
            f"Theta{fit + 1} has {columns} columns and the layer below has {units} units: it needs "
            f"{units + 1}, the bias first"
        )
    raise ValueError(f"the matrices are {shown}; {advice}")


def _first_misfit(sizes: Sequence[tuple[int, int]]) -> int | None:
    """Return the first matrix that does not fit on the one before it."""
    pairs = enumerate(pairwise(sizes), start=1)
    return next((i for i, ((units, _), (_, width)) in pairs if width != units + 1), None)


def _check_theta(name: str, layer: list[Unit]) -> None:
    widths = {len(unit.theta) for unit in layer}
    if len(widths) != 1:
        raise ValueError(f"the rows of {name} must have one length, got {sorted(widths)}")
    for k, unit in enumerate(layer, start=1):
        for j, w in enumerate(unit.theta):
            if not math.isfinite(w.data):
                raise ValueError(f"{entry(name, k, j)} is {w.data}: give finite numbers")
    if any(w.parents for unit in layer for w in unit.theta):
        raise ValueError(
            f"a weight of {name} is computed from other Values, so its grad does not accumulate: "
            "give leaf Values or numbers"
        )


def examples_of(X: Any, network: Network, model: Any) -> NDArray[np.float64]:  # noqa: N803
    """Return the rows of inputs as an array, after checking that they fit on the model."""
    width = len(network.units[0][0].w)
    if not hasattr(X, "__iter__"):
        raise TypeError(f"X has a row of inputs for each example; got {X!r}")
    as_it_is = type(X) is np.ndarray and X.dtype == np.float64 and X.shape[1:] == (width,)
    if as_it_is and len(X) and np.isfinite(X).all():  # what is asked below, number by number
        checked: NDArray[np.float64] = X.copy()
        return checked
    rows = []
    for i, row in enumerate(_as_rows(X), start=1):
        inputs = [to_float(x, f"an input of example {i}") for x in _as_list(row)]
        if len(inputs) != width:
            hint = _hint(X, len(inputs), width)
            if not isinstance(model, MLP):
                hint = hint or _matrices_hint(network, len(inputs))
            raise ValueError(
                f"example {i} has {len(inputs)} input{'s' if len(inputs) != 1 else ''}, "
                f"the network takes {width}{hint}"
            )
        for j, x in enumerate(inputs, start=1):
            if not math.isfinite(x):
                raise ValueError(f"input {j} of example {i} is {x}: give finite numbers")
        rows.append(inputs)
    if not rows:
        raise ValueError("X has no examples: give a row of inputs for each")
    return np.array(rows)


def _hint(X: Any, found: int, width: int) -> str:  # noqa: N803
    """Say what fits instead of inputs of this number."""
    rows = list(X) if hasattr(X, "__len__") else []
    if len(rows) in (width, width + 1) and len(rows) != found:
        bias = ", without the row of ones" if len(rows) == width + 1 else ""
        return f"; X fits transposed, with a row per example: give X.T{bias}"
    ones = found == width + 1 and all(_as_list(_as_rows(row))[:1] == [1] for row in rows)
    return "; leave the 1 of the bias out" if ones else ""


def _matrices_hint(network: Network, found: int) -> str:
    """Say whether the matrices, transposed, would take this number of inputs."""
    sizes = [(len(layer[0].theta), len(layer)) for layer in network.units]
    if sizes[0][1] != found + 1 or _first_misfit(sizes) is not None:
        return ""
    return "; the matrices fit transposed, with a row per unit: give [Theta.T for Theta in ...]"


def targets_of(label: Any, units: int, example: int) -> list[float]:
    """Return the y of one example: as given, or a 1 in the place of its class."""
    given = _as_list(label)
    if len(given) == 1 and units > 1:
        if given[0] not in range(1, units + 1):
            raise ValueError(
                f"example {example} is of class {given[0]!r}: with {units} output units the "
                f"classes count from 1 to {units}, as in Octave"
            )
        return [float(k == given[0]) for k in range(1, units + 1)]
    targets = as_targets(given, units)
    if targets is None or not all(0 <= y <= 1 for y in targets):
        raise ValueError(
            f"example {example} has the label {label!r}: give one number from 0 to 1 for each of "
            f"the {units} output units{', or a class' if units > 1 else ''}"
        )
    return targets


def as_targets(label: Any, units: int) -> list[float] | None:
    """Return a label as one number per output unit, or None if it is something else."""
    given = _as_list(label)
    if len(given) != units or not all(map(is_number, given)):
        return None
    return [float(y) for y in given]


def _as_rows(x: Any) -> Any:
    return x.tolist() if hasattr(x, "tolist") else x


def _as_list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (Sequence, tuple)) and not isinstance(x, str) else [x]


def cross_entropy(outputs: list[Value], targets: list[float], example: int) -> Value:
    """Compute the course's cost of one example, without the logarithms that y makes 0."""
    terms: list[Any] = []
    for k, (a, y) in enumerate(zip(outputs, targets), start=1):
        if (y > 0 and not 0 < a.data <= 1) or (y < 1 and not 0 <= a.data < 1):
            raise ValueError(
                f"example {example}: the cross-entropy of output {k}, a = {a.data!r}, with y = "
                f"{y:g} is not a finite number. Outputs lie between 0 and 1 here, reached by "
                "neither: use a sigmoid, smaller weights, or give another loss"
            )
        if y == 1:
            terms.append(ops.log(a))
        elif y == 0:
            terms.append(ops.log(1 - a))
        else:
            terms.append(y * ops.log(a) + (1 - y) * ops.log(1 - a))
    cost: Value = -sum(terms[1:], terms[0])
    return cost
