"""A network and its examples in the terms of Andrew Ng's course, from what a user has at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import mul
from typing import Any, NamedTuple

from micrograd import ops
from micrograd.engine import Value
from micrograd.nn import MLP, Layer, Neuron
from micrograd.scalars import is_number, to_float


class Unit(NamedTuple):
    """A unit of a layer: its row of Theta, the bias first, and what turns its z into its a."""

    theta: list[Value]
    activate: Callable[[Value], Value]
    linear: bool

    def with_sigmoid(self) -> Unit:
        """The same unit with a sigmoid, if it has no activation yet."""
        return Unit(self.theta, ops.sigmoid, False) if self.linear else self


class Pass(NamedTuple):
    """One example on its way forward: z and a of every layer; layer 1 has an a and no z."""

    z: list[list[Value]]
    a: list[list[Value]]


def layers_of(model: Any) -> list[list[Unit]]:
    """The units of an MLP, or of matrices Theta."""
    if isinstance(model, MLP):
        _check_plain(model)
        layers = [
            [
                Unit([n.b, *n.w], n.activate, not n.nonlin or n.activation == "linear")
                for n in layer.neurons
            ]
            for layer in model.layers
        ]
    else:
        layers = [[Unit(row, ops.sigmoid, False) for row in theta] for theta in _thetas(model)]
    if not layers:
        raise ValueError("the model has no layers: give an MLP or matrices [Theta1, Theta2, ...]")
    for level, layer in enumerate(layers, start=1):
        _check_theta(f"Theta{level}", layer, len(layers[level - 2]) if level > 1 else None)
    return layers


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
    if any(w.parents for unit in layer for w in unit.theta):
        raise ValueError(
            f"a weight of {name} is computed from other Values, so its grad does not accumulate: "
            "give leaf Values or numbers"
        )


def examples_of(X: Any, layers: list[list[Unit]]) -> list[list[float]]:  # noqa: N803
    """The rows of inputs as numbers."""
    width = len(layers[0][0].theta) - 1
    rows = []
    for i, row in enumerate(X.tolist() if hasattr(X, "tolist") else X, start=1):
        inputs = [to_float(x, f"an input of example {i}") for x in _as_list(row)]
        if len(inputs) != width:
            hint = "; leave the 1 of the bias out" if len(inputs) == width + 1 else ""
            raise ValueError(
                f"example {i} has {len(inputs)} inputs, the network takes {width}{hint}"
            )
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


def forward(layers: list[list[Unit]], row: list[float]) -> Pass:
    """Compute every z and a of an example, recorded as a graph."""
    a = [[Value(x, label=f"a1_{j}") for j, x in enumerate(row, start=1)]]
    z: list[list[Value]] = [[]]
    for level, layer in enumerate(layers, start=2):
        sums: list[Value] = [sum(map(mul, unit.theta[1:], a[-1]), unit.theta[0]) for unit in layer]
        z.append([labelled(v, f"z{level}_{k}") for k, v in enumerate(sums, start=1)])
        activated = [unit.activate(v) for unit, v in zip(layer, sums)]
        for k, (before, after) in enumerate(zip(sums, activated), start=1):
            if after is not before:
                after.label = f"a{level}_{k}"
        a.append(activated)
    return Pass(z, a)


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


def g_prime(layer: list[Unit], z: list[Value]) -> list[float]:
    """The slope g'(z) of each unit's activation."""
    slopes = []
    for unit, v in zip(layer, z):
        alone = Value(v.data)
        unit.activate(alone).backward()
        slopes.append(alone.grad)
    return slopes


def labelled(v: Value, label: str) -> Value:
    v.label = label
    return v
