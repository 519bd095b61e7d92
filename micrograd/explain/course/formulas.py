"""The course's equations on arrays: a row per example, Theta with the bias in column 0."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd import ops
from micrograd.engine import Value
from micrograd.explain.course.network import Network

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


def with_bias(a: Array) -> Array:
    """Return `[1; a]`: the bias unit in front of the activations of a layer."""
    return np.column_stack([np.ones(len(a)), a])


def sigmoid(z: Any) -> Array:
    """Return g(z)."""
    with np.errstate(over="ignore", under="ignore"):
        activations: Array = ops.sigmoid(z)
    return activations


def forward(thetas: Sequence[Array], inputs: Array) -> tuple[list[Array], list[Array]]:
    """Return the z of layers 2 to L and the a of layers 1 to L, all units being sigmoids."""
    z: list[Array] = []
    a = [inputs]
    for theta in thetas:
        z.append(with_bias(a[-1]) @ theta.T)
        a.append(sigmoid(z[-1]))
    return z, a


def costs(outputs: Array, targets: Array) -> Array:
    """Return the course's cost of each example; nan or inf where a logarithm has no value."""
    with np.errstate(all="ignore"):
        right = np.where(targets > 0, targets * np.log(outputs), 0.0)
        wrong = np.where(targets < 1, (1 - targets) * np.log(1 - outputs), 0.0)
    total: Array = -(right + wrong).sum(axis=1)
    return total


def deltas(thetas: Sequence[Array], slopes: Sequence[Array], last: Array) -> list[Array]:
    """Return the delta of layers 2 to L; `slopes` are the g'(z) of layers 2 to L - 1."""
    found = [last]
    for theta, slope in zip(reversed(thetas[1:]), reversed(slopes)):
        found.insert(0, found[0] @ theta[:, 1:] * slope)
    return found


def accumulators(delta: Sequence[Array], a: Sequence[Array]) -> list[Array]:
    """Return the sums over the examples of `delta * [1; a]'`, one matrix per Theta."""
    return [d.T @ with_bias(below) for d, below in zip(delta, a)]


def gradients(
    sums: Sequence[Array], thetas: Sequence[Array], examples: int, lam: float
) -> list[Array]:
    """Return D: the accumulators over m, plus lambda/m times Theta without its bias column."""
    found = []
    for total, theta in zip(sums, thetas):
        average = total / examples
        average[:, 1:] += lam / examples * theta[:, 1:]
        found.append(average)
    return found


def per_weight(network: Network, number: Callable[[Value], float]) -> list[Array]:
    """Read one number of every weight, in the shape of the matrices Theta."""
    return [
        np.array([[number(w) for w in unit.theta] for unit in units]) for units in network.units
    ]


def shared_sums(network: Network, numbers: list[Array]) -> list[Array]:
    """Add up the derivatives of a weight that stands in several places of Theta."""
    weights = [w for units in network.units for unit in units for w in unit.theta]
    if len(set(weights)) == len(weights):
        return numbers
    totals: dict[Value, float] = {}
    for w, x in zip(weights, (x for matrix in numbers for x in matrix.ravel().tolist())):
        totals[w] = totals.get(w, 0.0) + x
    return per_weight(network, totals.__getitem__)


def difference(x: Sequence[Array], y: Sequence[Array]) -> float:
    """Return the largest difference between two lists of arrays, relative to the largest number."""
    scale = max(float(np.abs(p).max()) for p in x)
    largest = max(float(np.abs(p - q).max()) for p, q in zip(x, y))
    return largest / scale if scale else largest
