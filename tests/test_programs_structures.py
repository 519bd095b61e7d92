"""Programs agree with the eager loop, whatever the structure of their function.

Each test states a function of one example, arrays of examples, and the parameters that the
function closes over; `assert_agree` compares all results and all gradients.
"""

# ruff: noqa: N803, N806  (A, W and X are what the field calls matrices)

from __future__ import annotations

import functools
import math
from operator import mul
from typing import Any

import numpy as np
import pytest
from eager_loop import assert_agree, values

import micrograd as mg
from micrograd import Value
from micrograd.programs.run import executor

ROWS = 5


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


def dot(x: Any, y: Any) -> Any:
    return sum(map(mul, x, y))


def logsumexp(xs: Any) -> Any:
    return functools.reduce(mg.logaddexp, xs)


def softmax(xs: Any) -> Any:
    shift = mg.stop_gradient(functools.reduce(mg.maximum, xs))
    powers = [mg.exp(x - shift) for x in xs]
    total = sum(powers)
    return [p / total for p in powers]


# Finance and statistics ------------------------------------------------------------------------


def test_black_scholes_with_its_greeks(rng: np.random.Generator) -> None:
    vol, rate = Value(0.2), Value(0.05)

    def cdf(x: Any) -> Any:
        return mg.erfc(-x / 2**0.5) / 2

    def call(spot: Any, strike: Any, years: Any) -> Any:
        d1 = (mg.log(spot / strike) + (rate + vol**2 / 2) * years) / (vol * mg.sqrt(years))
        d2 = d1 - vol * mg.sqrt(years)
        price = spot * cdf(d1) - strike * mg.exp(-rate * years) * cdf(d2)
        [delta, vega] = mg.grad(price, [spot, vol])
        [gamma] = mg.grad(delta, [spot])
        return price, delta, vega, gamma

    spots, strikes = rng.uniform(80, 120, (2, ROWS))
    assert_agree(call, [spots, strikes, rng.uniform(0.1, 2, ROWS)], [[vol], [rate]])


def test_a_step_of_a_kalman_filter(rng: np.random.Generator) -> None:
    drift, noise, error = Value(0.9), Value(0.3), Value(0.5)

    def filtered(start: Any, seen: Any) -> Any:
        position, speed = start
        covariance: list[Any] = [1.0, 0.0, 1.0]
        a, b, c = covariance  # of [[a, b], [b, c]]
        for measured in seen:
            position, speed = position + speed, drift * speed
            a, b, c = a + 2 * b + c + noise, drift * (b + c), drift**2 * c + noise
            gain, turn = a / (a + error), b / (a + error)
            surprise = measured - position
            position, speed = position + gain * surprise, speed + turn * surprise
            a, b, c = (1 - gain) * a, (1 - gain) * b, c - turn * b
        return position, speed, a

    start, seen = rng.normal(size=(ROWS, 2)), rng.normal(size=(ROWS, 3))
    assert_agree(filtered, [start, seen], [[drift], [noise], [error]])


def test_cobb_douglas_with_exponents_to_be_found(rng: np.random.Generator) -> None:
    scale, shares = Value(1.3), values([0.3, 0.6])

    def output(labour: Any, capital: Any) -> Any:
        return scale * labour ** shares[0] * capital ** shares[1] - 2**labour

    assert_agree(output, rng.uniform(1, 3, (2, ROWS)), [[scale], shares])


# Losses and distances --------------------------------------------------------------------------


def test_huber_loss_of_a_line(rng: np.random.Generator) -> None:
    line = values([0.5, -0.2])

    def huber(x: Any, y: Any) -> Any:
        error = abs(line[0] * x + line[1] - y)
        return mg.where(error < 1, error**2 / 2, error - 0.5)

    assert_agree(huber, 2 * rng.normal(size=(2, 20)), [line])


def test_pinball_loss_of_a_quantile(rng: np.random.Generator) -> None:
    weights = values([0.4, -0.3, 0.1])

    def pinball(x: Any, y: Any) -> Any:
        error = y - dot(weights, x)
        return mg.maximum(0.9 * error, -0.1 * error)

    assert_agree(pinball, [rng.normal(size=(20, 3)), rng.normal(size=20)], [weights])


def test_cosine_similarity(rng: np.random.Generator) -> None:
    to = values(rng.normal(size=4))

    def cosine(x: Any) -> Any:
        return dot(x, to) / (mg.sqrt(dot(x, x)) * mg.sqrt(dot(to, to)))

    assert_agree(cosine, [rng.normal(size=(ROWS, 4))], [to])


def test_distance_to_the_nearest_centroid(rng: np.random.Generator) -> None:
    centroids = values(rng.normal(size=(4, 3)))

    def nearest(x: Any) -> Any:
        squares = [sum((xi - ci) ** 2 for xi, ci in zip(x, c)) for c in centroids]
        return functools.reduce(mg.minimum, squares), functools.reduce(mg.maximum, squares)

    assert_agree(nearest, [rng.normal(size=(20, 3))], [centroids])


def test_logsumexp_of_shared_and_varying_terms(rng: np.random.Generator) -> None:
    shared = values(rng.normal(size=3))

    def total(x: Any) -> Any:
        return logsumexp([*x, *shared, *(xi * s for xi, s in zip(x, shared))])

    assert_agree(total, [rng.normal(size=(ROWS, 3))], [shared])


# Networks --------------------------------------------------------------------------------------


def test_softmax_regression(rng: np.random.Generator) -> None:
    W, b = values(rng.normal(size=(3, 4))), values(rng.normal(size=3))

    def probabilities(x: Any) -> Any:
        return softmax([dot(row, x) + bias for row, bias in zip(W, b)])

    assert_agree(probabilities, [rng.normal(size=(ROWS, 4))], [W, b])


def test_a_padded_convolution(rng: np.random.Generator) -> None:
    kernels, biases = values(rng.normal(size=(2, 3, 3))), values(rng.normal(size=2))
    size = 4

    def pixel(image: Any, i: int, j: int) -> Any:
        return image[i][j] if 0 <= i < size and 0 <= j < size else 0.0

    def features(image: Any) -> Any:
        pooled = []
        for kernel, bias in zip(kernels, biases):
            maps = [
                bias + sum(kernel[p][q] * pixel(image, i + p, j + q)
                           for p in range(3) for q in range(3))
                for i in range(-1, size - 1)
                for j in range(-1, size - 1)
            ]  # fmt: skip
            pooled.append(sum(mg.relu(m) for m in maps) / len(maps))
        return pooled

    assert_agree(features, [rng.normal(size=(ROWS, size, size))], [kernels, biases])


def test_a_gated_recurrent_unit(rng: np.random.Generator) -> None:
    gates = {name: values(rng.normal(size=(2, 5))) for name in ("update", "reset", "new")}

    def gate(name: str, inputs: Any) -> Any:
        return [dot(row, [*inputs, 1.0]) for row in gates[name]]

    def final_state(steps: Any) -> Any:
        h: Any = [0.0, 0.0]
        for x in steps:
            z = list(map(mg.sigmoid, gate("update", [*x, *h])))
            r = list(map(mg.sigmoid, gate("reset", [*x, *h])))
            new = map(mg.tanh, gate("new", [*x, *map(mul, r, h)]))
            h = [(1 - zi) * hi + zi * ni for zi, hi, ni in zip(z, h, new)]
        return h

    assert_agree(final_state, [rng.normal(size=(ROWS, 3, 2))], list(gates.values()))


def test_a_factorisation_machine(rng: np.random.Generator) -> None:
    linear, factors = values(rng.normal(size=5)), values(rng.normal(size=(5, 2)))

    def score(x: Any) -> Any:
        pairs = [(i, j) for i in range(5) for j in range(i)]
        return dot(linear, x) + sum(dot(factors[i], factors[j]) * x[i] * x[j] for i, j in pairs)

    assert_agree(score, [rng.normal(size=(ROWS, 5))], [linear, factors])


def test_radial_basis_functions(rng: np.random.Generator) -> None:
    centres, width = values(rng.normal(size=(4, 2))), Value(0.7)
    heights = values(rng.normal(size=4))

    def surface(x: Any) -> Any:
        squares = [sum((xi - ci) ** 2 for xi, ci in zip(x, c)) for c in centres]
        return dot(heights, [mg.exp(-s / (2 * width**2)) for s in squares])

    assert_agree(surface, [rng.normal(size=(ROWS, 2))], [centres, [width], heights])


# Physics, geometry and numerics ----------------------------------------------------------------


def test_forces_from_an_energy(rng: np.random.Generator) -> None:
    stiffness = values([1.5, 0.3])

    def force(position: Any) -> Any:
        x, y = position
        radius, angle = mg.hypot(x, y), mg.arctan2(y, x)
        energy = stiffness[0] * (radius - 1) ** 2 + stiffness[1] * mg.cos(3 * angle)
        return [-slope for slope in mg.grad(energy, [x, y])]

    assert_agree(force, [rng.normal(size=(ROWS, 2))], [stiffness])


def test_the_residual_of_bundle_adjustment(rng: np.random.Generator) -> None:
    rotation, shift = values([0.1, -0.2, 0.3]), values([0.2, 0.1, -5.0])
    camera = values([400.0, -1e-2, 1e-3])  # focal length, two coefficients of distortion

    def residual(point: Any, seen: Any) -> Any:
        angle = mg.sqrt(dot(rotation, rotation))
        axis = [r / angle for r in rotation]
        cross = [axis[i - 2] * point[i - 1] - axis[i - 1] * point[i - 2] for i in range(3)]
        along = dot(axis, point) * (1 - mg.cos(angle))
        turned = [
            p * mg.cos(angle) + c * mg.sin(angle) + a * along for p, c, a in zip(point, cross, axis)
        ]
        x, y, z = (t + s for t, s in zip(turned, shift))
        u, v = -x / z, -y / z
        square = u * u + v * v
        stretch = camera[0] * (1 + camera[1] * square + camera[2] * square * square)
        return stretch * u - seen[0], stretch * v - seen[1]

    points, seen = rng.normal(size=(ROWS, 3)), 50 * rng.normal(size=(ROWS, 2))
    assert_agree(residual, [points, seen], [rotation, shift, camera])


def test_a_polynomial_in_powers(rng: np.random.Generator) -> None:
    coefficients = values(rng.normal(size=8))

    def polynomial(x: Any) -> Any:
        return sum(c * x**k for k, c in enumerate(coefficients))

    assert_agree(polynomial, [rng.uniform(-2, 2, ROWS)], [coefficients])


def test_a_determinant_and_an_inverse(rng: np.random.Generator) -> None:
    A = values(rng.normal(size=(3, 3)))

    def solved(B: Any) -> Any:
        (a, b, c), (d, e, f), (g, h, i) = (
            [p + q for p, q in zip(row, other)] for row, other in zip(A, B)
        )
        minors = [e * i - f * h, f * g - d * i, d * h - e * g]
        determinant = a * minors[0] + b * minors[1] + c * minors[2]
        return [determinant, *(m / determinant for m in minors)]

    assert_agree(solved, [rng.normal(size=(ROWS, 3, 3)) + 4 * np.eye(3)], [A])


def test_newtons_iteration_on_keplers_equation(rng: np.random.Generator) -> None:
    eccentricity = Value(0.4)

    def anomaly(mean: Any) -> Any:
        E = mean
        for _ in range(5):
            E = E - (E - eccentricity * mg.sin(E) - mean) / (1 - eccentricity * mg.cos(E))
        return E

    assert_agree(anomaly, [rng.uniform(0, 6, ROWS)], [[eccentricity]])


def test_a_continued_fraction(rng: np.random.Generator) -> None:
    terms = values(rng.uniform(1, 3, 6))

    def fraction(x: Any) -> Any:
        total: Any = 1.0
        for term in terms:
            total = term + x / total
        return total

    assert_agree(fraction, [rng.uniform(0, 2, ROWS)], [terms])


def test_averages_that_move(rng: np.random.Generator) -> None:
    share, window = Value(0.3), values([0.2, 0.5, 0.3])

    def smoothed(series: Any) -> Any:
        weighted = [dot(window, series[i : i + 3]) for i in range(len(series) - 2)]
        level = series[0]
        for x in series[1:]:
            level = share * x + (1 - share) * level
        return [*weighted, level]

    assert_agree(smoothed, [rng.normal(size=(ROWS, 7))], [[share], window])


def test_more_rows_than_fit_the_cache(rng: np.random.Generator) -> None:
    weights = values([0.3, -0.7])

    def wave(x: Any, t: Any) -> Any:
        return mg.sin(weights[0] * x + t) * mg.exp(weights[1] * t)

    assert_agree(wave, rng.uniform(-1, 1, (2, 10_001)), [weights])


def test_fourier_features(rng: np.random.Generator) -> None:
    frequencies, heights = values(rng.normal(size=4)), values(rng.normal(size=8))

    def wave(t: Any) -> Any:
        angles = [2 * math.pi * f * t for f in frequencies]
        return dot(heights, [*map(mg.sin, angles), *map(mg.cos, angles)])

    assert_agree(wave, [rng.uniform(-1, 1, ROWS)], [frequencies, heights])


def test_a_rotation_by_a_quaternion(rng: np.random.Generator) -> None:
    quaternion = values(rng.normal(size=4))

    def product(p: Any, q: Any) -> Any:
        (a, b, c, d), (e, f, g, h) = p, q
        return [
            a * e - b * f - c * g - d * h,
            a * f + b * e + c * h - d * g,
            a * g - b * h + c * e + d * f,
            a * h + b * g - c * f + d * e,
        ]

    def turned(point: Any) -> Any:
        square = dot(quaternion, quaternion)
        inverse = [quaternion[0] / square, *(-q / square for q in quaternion[1:])]
        return product(product(quaternion, [0.0, *point]), inverse)[1:]

    assert_agree(turned, [rng.normal(size=(ROWS, 3))], [quaternion])


def test_results_in_which_no_argument_or_no_parameter_is(rng: np.random.Generator) -> None:
    w = values([0.5, 2.0])

    def mixed(x: Any, y: Any) -> Any:
        return w[0] * x, w[0] * w[1], x + y, mg.exp(w[1]) * 3.0, w[1], y

    assert_agree(mixed, rng.normal(size=(2, ROWS)), [w])


def test_gradients_of_one_parameter_that_another_is_made_of_add_up_over_chunks(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One gradient is put into its row after all chunks, and the next one reads it there."""
    p, q, bias = Value(0.7), [Value(float(x)) for x in rng.normal(size=9)], [Value(0.3), Value(0.2)]

    def loss(a: Any, c: Any, d: Any) -> Any:
        x = [a, p * 0.5 if c in (0, 2) else p]
        z = [x[1 - i] - bias[i] + q[1 + 3 * i] + 0.5 * x[i] for i in range(2)]
        y = [mg.sigmoid(d), mg.sigmoid(mg.sin(z[0]))]
        return mg.losses.cross_entropy(z, [v / sum(y) for v in y])

    given = rng.normal(size=7), rng.integers(0, 3, 7), rng.normal(size=7)
    gradients = []
    for chunk in (7, 2, 3):
        monkeypatch.setattr(executor, "chunk_of", lambda *_, chunk=chunk: chunk)
        for v in (p, *q, *bias):
            v.grad = 0.0
        mg.program(loss)(*given).sum().backward()
        gradients.append([v.grad for v in (p, *q, *bias)])
    for found in gradients[1:]:
        np.testing.assert_allclose(found, gradients[0], rtol=1e-12, atol=1e-14)
