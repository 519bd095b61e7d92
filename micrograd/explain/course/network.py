"""A network and its examples in the terms of Andrew Ng's course, from what a user has at hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from micrograd import ops
from micrograd.engine import Value
from micrograd.nn import MLP, Layer, Neuron
from micrograd.value.numbers import is_number, to_float


class Pass(NamedTuple):
    """One example on its way forward: z and a of every layer; layer 1 has an a and no z."""

    z: list[list[Value]]
    a: list[list[Value]]


class Unit(Neuron):
    """A neuron made of parameters and an activation g; it remembers z and a of its last call.

    `theta` is its row of the matrix Theta: the bias, then a weight per input.
    """

    def __init__(self, theta: list[Value], g: Callable[[Value], Value]) -> None:
        self.theta = theta
        self.b, *self.w = theta
        self.g = g

    def activate(self, z: Value) -> Value:
        self.z, self.a = z, self.g(z)
        return self.a

    def g_prime(self, z: Value) -> float:
        """The slope of the activation at z."""
        alone = Value(z.data)
        self.g(alone).backward()
        return alone.grad


class Network(MLP):
    """Layers of units; what they compute is recorded as with any MLP."""

    def __init__(self, units: list[list[Unit]]) -> None:
        self.layers = [Layer.__new__(Layer) for _ in units]  # whose neurons are there already
        for layer, neurons in zip(self.layers, units):
            layer.neurons = list(neurons)
        self.units = units

    def forward(self, row: list[float]) -> Pass:
        """Compute every z and a of an example, recorded as a graph."""
        inputs = [Value(x, label=f"a1_{j}") for j, x in enumerate(row, start=1)]
        self(inputs)
        passed = Pass([[]], [inputs])
        for level, units in enumerate(self.units, start=2):
            for k, unit in enumerate(units, start=1):
                unit.a.label = f"a{level}_{k}"
                unit.z.label = f"z{level}_{k}"  # where there is no activation, a is this z
            passed.z.append([unit.z for unit in units])
            passed.a.append([unit.a for unit in units])
        return passed


def network_of(model: Any, sigmoid_outputs: bool) -> Network:
    """The network of an MLP, or of matrices Theta; a linear last layer may get its sigmoid here."""
    if isinstance(model, MLP):
        _check_plain(model)
        units = [[Unit([n.b, *n.w], n.activate) for n in layer.neurons] for layer in model.layers]
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
    return Network(units)


def _check_plain(model: MLP) -> None:
    """Refuse an MLP that computes something of its own, which the course has no matrices for."""
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
                for row in (theta.tolist() if hasattr(theta, "tolist") else theta)
            ]
            for theta in matrices
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
                raise ValueError(f"{name}[{k},{j}] is {w.data}: give finite numbers")
    if any(w.parents for unit in layer for w in unit.theta):
        raise ValueError(
            f"a weight of {name} is computed from other Values, so its grad does not accumulate: "
            "give leaf Values or numbers"
        )


def examples_of(X: Any, width: int) -> list[list[float]]:  # noqa: N803
    """The rows of inputs as numbers, so many in each."""
    if not hasattr(X, "__iter__"):
        raise TypeError(f"X has a row of inputs for each example; got {X!r}")
    rows = []
    for i, row in enumerate(X.tolist() if hasattr(X, "tolist") else X, start=1):
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
    return rows


def targets_of(label: Any, units: int, example: int) -> list[float]:
    """The y of one example: as given, or a 1 in the place of its class."""
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
    """A label as one number per output unit, if it is that."""
    given = _as_list(label)
    if len(given) != units or not all(map(is_number, given)):
        return None
    return [float(y) for y in given]


def _as_list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (Sequence, tuple)) and not isinstance(x, str) else [x]


def cross_entropy(outputs: list[Value], targets: list[float], example: int) -> Value:
    """The course's cost of one example; of a term that y makes 0, no logarithm is taken."""
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


def labelled(v: Value, label: str) -> Value:
    v.label = label
    return v
