"""Three objectives of ADBench (Srajer, Kukelova, Fitzgibbon 2018), in scalar Python.

https://github.com/microsoft/ADBench has the data and the gradients. All functions take numbers or
Values; a vector is a list or an array.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from micrograd import Value, cos, exp, log, sigmoid, sin, sqrt, tanh


def log_sum_exp(xs: Any) -> Any:
    """Return log(sum(exp(x))), shifted by the largest so that nothing overflows."""
    largest = max(x.data if isinstance(x, Value) else x for x in xs)
    return log(sum(exp(x - largest) for x in xs)) + largest


class Mixture(NamedTuple):
    """Points, the mixture's size, and the Wishart prior of its covariances."""

    parameters: Any  # weights (K), means (K x d), and inverse covariance factors, row by row
    components: int
    points: Any
    gamma: float
    m: int


def read_mixture(path: Path) -> Mixture:
    words = path.read_text(encoding="ascii").split()
    d, k, n = map(int, words[:3])
    numbers = np.array(words[3:-2], dtype=float)
    size = k * (1 + d + d * (d + 1) // 2)
    points = numbers[size:].reshape(-1, d)
    return Mixture(numbers[:size], k, points[:n], float(words[-2]), int(words[-1]))


def mixture_log_likelihood(parameters: Any, mixture: Mixture) -> Any:
    """Compute the log likelihood of a Gaussian mixture, with a Wishart prior."""
    _, k, points, gamma, m = mixture
    d = len(points[0])
    weights, means = parameters[:k], parameters[k : k + k * d].reshape(k, d)
    factors = parameters[k + k * d :].reshape(k, -1)
    log_diagonals, lower = factors[:, :d], factors[:, d:]
    diagonals = exp(log_diagonals)
    log_determinants = [sum(row) for row in log_diagonals]
    total = -len(points) * (d / 2 * math.log(2 * math.pi) + log_sum_exp(weights))
    for x in points:
        exponents = []
        for j in range(k):
            z = _times_factor(diagonals[j], lower[j], x - means[j])
            exponents.append(weights[j] + log_determinants[j] - 0.5 * sum(e * e for e in z))
        total = total + log_sum_exp(exponents)
    return total + _wishart_log_prior(diagonals, lower, log_determinants, gamma, m)


def _times_factor(diagonal: Any, lower: Any, x: Any) -> list[Any]:
    """Multiply x by a lower triangular matrix whose part below the diagonal is given by columns."""
    d = len(x)
    z = [diagonal[i] * x[i] for i in range(d)]
    entry = iter(lower)
    for column in range(d):
        for row in range(column + 1, d):
            z[row] = z[row] + next(entry) * x[column]
    return z


def _wishart_log_prior(
    diagonals: Any, lower: Any, log_determinants: Any, gamma: float, m: int
) -> Any:
    k, d = diagonals.shape
    n = d + m + 1
    log_gamma = d * (d - 1) / 4 * math.log(math.pi)
    log_gamma += sum(math.lgamma((n - i) / 2) for i in range(d))
    constant = n * d * math.log(gamma / math.sqrt(2)) - log_gamma
    squares = sum(e * e for e in [*diagonals.flat, *lower.flat])
    return 0.5 * gamma * gamma * squares - m * sum(log_determinants) - k * constant


class Observation(NamedTuple):
    """One camera, one point seen by it, the weight of the observation and where it was seen."""

    camera: Any  # rotation (3), centre (3), focal length, principal point (2), distortion (2)
    point: Any
    weight: float
    seen: Any


def read_observation(path: Path) -> Observation:
    numbers = np.array(path.read_text(encoding="ascii").split()[3:], dtype=float)
    return Observation(numbers[:11], numbers[11:14], float(numbers[14]), numbers[15:17])


def reprojection_error(parameters: Any, seen: Any) -> list[Any]:
    """Return the projection error times the weight; parameters as in Observation."""
    rotation, centre, focal, principal, distortion, point, weight = np.split(
        parameters, [3, 6, 7, 9, 11, 14]
    )
    x, y, z = _rotate(rotation, point - centre)
    u, v = x / z, y / z
    r2 = u * u + v * v
    scale = (1 + distortion[0] * r2 + distortion[1] * r2 * r2) * focal[0]
    return [
        weight[0] * (u * scale + principal[0] - seen[0]),
        weight[0] * (v * scale + principal[1] - seen[1]),
    ]


def weight_error(weight: Any) -> Any:
    return 1 - weight * weight


def _rotate(rotation: Any, x: Any) -> Any:
    """Rotate x about the axis `rotation` by its length, by Rodrigues's formula."""
    angle = sqrt(sum(r * r for r in rotation))
    axis = rotation / angle
    return x * cos(angle) + np.cross(axis, x) * sin(angle) + axis * (axis @ x) * (1 - cos(angle))


class Sequences(NamedTuple):
    parameters: Any  # per layer the weights and the biases of 4 gates; then 3 vectors at the ends
    layers: int
    state: Any  # per layer hidden, cell
    characters: Any


def read_sequences(path: Path) -> Sequences:
    words = path.read_text(encoding="ascii").split()
    layers, length, width = map(int, words[:3])
    numbers = np.array(words[3:], dtype=float)
    size = layers * 8 * width + 3 * width
    parameters, state, characters = np.split(numbers, [size, size + 2 * layers * width])
    return Sequences(
        parameters, layers, state.reshape(-1, width), characters.reshape(length, width)
    )


def lstm_loss(parameters: Any, sequences: Sequences, length: int | None = None) -> Any:
    """Compute the mean loss of a two-layer LSTM that predicts each character from the last ones."""
    _, layers, state, characters = sequences
    width = characters.shape[1]
    ends = parameters[-3 * width :].reshape(3, width)
    gates = parameters[: -3 * width].reshape(layers, 2, 4, width)
    hidden, cell = list(state[0::2]), list(state[1::2])
    total: Any = 0.0
    for now, following in pairwise(characters[:length]):
        x = now * ends[0]
        for layer, (w, b) in enumerate(gates):
            h, c = hidden[layer], cell[layer]
            forget = sigmoid(x * w[0] + b[0])
            c = c * forget + sigmoid(h * w[1] + b[1]) * tanh(h * w[3] + b[3])
            x = sigmoid(x * w[2] + b[2]) * tanh(c)
            hidden[layer], cell[layer] = x, c
        predicted = x * ends[1] + ends[2]
        normalizer = log(sum(exp(predicted)) + 2)  # the 2 is the benchmark's own
        total = total + sum((following * (predicted - normalizer))[following != 0])
    return -total / ((len(characters[:length]) - 1) * width)
