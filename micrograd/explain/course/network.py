"""Read a network and its examples, in the forms that users have them, into the course's terms."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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
        _check_theta(f"Theta{level}", layer, len(units[level - 2]) if level > 1 else None)
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


def _check_theta(name: str, layer: list[Unit], units_below: int | None) -> None:
    widths = {len(unit.theta) for unit in layer}
    if len(widths) != 1:
        raise ValueError(f"the rows of {name} must have one length, got {sorted(widths)}")
    (width,) = widths
    if units_below is not None and width != units_below + 1:
        raise ValueError(
            f"{name} has {width} columns and the layer below has {units_below} units: it needs "
            f"{units_below + 1}, the bias first"
        )
    for k, unit in enumerate(layer, start=1):
        for j, w in enumerate(unit.theta):
            if not math.isfinite(w.data):
                raise ValueError(f"{entry(name, k, j)} is {w.data}: give finite numbers")
    if any(w.parents for unit in layer for w in unit.theta):
        raise ValueError(
            f"a weight of {name} is computed from other Values, so its grad does not accumulate: "
            "give leaf Values or numbers"
        )


def examples_of(X: Any, width: int) -> NDArray[np.float64]:  # noqa: N803
    """Return the rows of inputs as an array, after checking their width."""
    if not hasattr(X, "__iter__"):
        raise TypeError(f"X has a row of inputs for each example; got {X!r}")
    rows = []
    for i, row in enumerate(_as_rows(X), start=1):
        inputs = [to_float(x, f"an input of example {i}") for x in _as_list(row)]
        if len(inputs) != width:
            hint = "; leave the 1 of the bias out" if len(inputs) == width + 1 else ""
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
