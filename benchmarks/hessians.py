"""Time Hessians by micrograd, by autograd (HIPS) and by JAX without jit, in one run.

    pip install ".[benchmark]"
    python benchmarks/hessians.py

Autograd and JAX get array code, micrograd the same formulas on scalars. The contestants take turns;
what is printed is the median of each round's ratio to micrograd's time.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import autograd
import autograd.numpy
import autograd.scipy.special
import jax
import jax.numpy
import jax.scipy.special
import numpy as np

import micrograd

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from problems import adbench

ROUNDS = 7
Vector = Any
Contestants = dict[str, Callable[[Vector], Any]]


def rosenbrock_on_scalars(x: Vector) -> Any:
    return sum(100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))


def rosenbrock_on_arrays(x: Vector) -> Any:
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def mixture_on_arrays(xp: Any, logsumexp: Any, mixture: adbench.Mixture) -> Callable[..., Any]:
    """Compute the objective of adbench.mixture_log_likelihood in two dimensions, on arrays."""
    k, points = mixture.components, mixture.points
    n, d = points.shape
    assert d == 2

    def f(parameters: Vector) -> Any:
        weights, means = parameters[:k], parameters[k : 3 * k].reshape(k, 2)
        factors = parameters[3 * k :].reshape(k, 3)
        diagonal, lower = xp.exp(factors[:, :2]), factors[:, 2]
        log_determinants = factors[:, 0] + factors[:, 1]
        x = points[:, None, :] - means[None, :, :]
        u, v = diagonal[:, 0] * x[:, :, 0], diagonal[:, 1] * x[:, :, 1] + lower * x[:, :, 0]
        inner = weights + log_determinants - 0.5 * (u**2 + v**2)
        total = logsumexp(inner, axis=1).sum() - n * logsumexp(weights)
        squares = (diagonal**2).sum() + (lower**2).sum()
        prior = 0.5 * mixture.gamma**2 * squares - mixture.m * log_determinants.sum()
        return total + prior + constant

    constant = -n * math.log(2 * math.pi)
    constant -= k * prior_constant(mixture)
    return f


def prior_constant(mixture: adbench.Mixture) -> float:
    size = 2 + mixture.m + 1
    log_gamma = math.log(math.pi) / 2 + math.lgamma(size / 2) + math.lgamma((size - 1) / 2)
    return size * 2 * math.log(mixture.gamma / math.sqrt(2)) - log_gamma


def random_mixture(n: int) -> adbench.Mixture:
    rng = np.random.default_rng(5)
    return adbench.Mixture(rng.normal(size=30), 5, rng.normal(size=(n, 2)), 1.0, 0)


def mixture_contestants(n: int) -> tuple[Contestants, Vector]:
    mixture = random_mixture(n)
    by_autograd = mixture_on_arrays(autograd.numpy, autograd.scipy.special.logsumexp, mixture)
    by_jax = mixture_on_arrays(jax.numpy, jax.scipy.special.logsumexp, mixture)
    contestants: Contestants = {
        "micrograd": micrograd.hessian(lambda x: adbench.mixture_log_likelihood(x, mixture)),
        "autograd": autograd.hessian(by_autograd),
        "JAX": jax.hessian(by_jax),
    }
    return contestants, mixture.parameters


def mixture_program_contestants(n: int) -> tuple[Contestants, Vector]:
    """Write the log likelihood of one point; the Hessian is that of the sum over n of them."""
    contestants, x = mixture_contestants(n)
    mixture = random_mixture(n)
    k = mixture.components
    p = [micrograd.Value(v) for v in x]
    weights, means, factors = p[:k], p[k : 3 * k], p[3 * k :]

    @micrograd.program
    def log_likelihood(point: Any) -> Any:
        terms = []
        for i in range(k):
            a, b = point[0] - means[2 * i], point[1] - means[2 * i + 1]
            first, second, lower = factors[3 * i : 3 * i + 3]
            u, v = micrograd.exp(first) * a, micrograd.exp(second) * b + lower * a
            terms.append(weights[i] + first + second - 0.5 * (u * u + v * v))
        return micrograd.logsumexp(terms) - micrograd.logsumexp(weights)

    objective = log_likelihood.objective(p, mixture.points)
    # The prior is of the parameters alone.
    prior = micrograd.hessian(lambda q: prior_of(q, mixture))
    contestants["eager"] = contestants["micrograd"]
    contestants["micrograd"] = lambda q: objective.hess(q) + prior(q)
    contestants["JAX, jitted"] = jax.jit(contestants["JAX"])
    return contestants, x


def prior_of(q: Vector, mixture: adbench.Mixture) -> Any:
    """Return what the objective adds for the parameters, apart from a constant."""
    factors = q[3 * mixture.components :].reshape(-1, 3)
    diagonal, lower = factors[:, :2], factors[:, 2]
    squares = (micrograd.exp(2 * diagonal)).sum() + (lower**2).sum()
    return 0.5 * mixture.gamma**2 * squares - mixture.m * diagonal.sum()


def logistic_contestants(n: int) -> tuple[Contestants, Vector]:
    """Take the 6x6 Hessian of a logistic loss by its weights, for each of n rows."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(n, 6))  # noqa: N806
    labels = rng.integers(0, 2, n).astype(float)
    w = [0.3, -0.2, 0.5, 0.1, -0.4, 0.2]

    @micrograd.program
    def curvature(x: Any, label: Any) -> Any:
        def loss(w: Any) -> Any:
            z = sum(a * b for a, b in zip(w, x))
            return micrograd.softplus(z) - label * z

        return micrograd.hessian(loss)(w)

    def on_arrays(w: Vector, x: Vector, label: Vector) -> Any:
        z = w @ x
        return jax.numpy.logaddexp(0.0, z) - label * z

    by_jax = jax.jit(jax.vmap(jax.hessian(on_arrays), (None, 0, 0)))
    contestants: Contestants = {
        "micrograd": lambda _: curvature(X, labels).data,
        "JAX, jitted": lambda w: by_jax(w, X, labels),
    }
    return contestants, np.array(w)


def price_contestants(n: int) -> tuple[Contestants, Vector]:
    """Take the 5x5 Hessian of a Black-Scholes price by its inputs, for each of n rows."""
    low, high = [80.0, 80.0, 0.1, 0.01, 0.1], [120.0, 120.0, 2.0, 0.05, 0.4]

    def price(xp: Any, ndtr: Any, x: Any) -> Any:
        spot, strike, time, rate, volatility = x
        width = volatility * xp.sqrt(time)
        d = (xp.log(spot / strike) + (rate + 0.5 * volatility * volatility) * time) / width
        return spot * ndtr(d) - strike * xp.exp(-rate * time) * ndtr(d - width)

    curvature = micrograd.hessian(micrograd.program(partial(price, micrograd, micrograd.ndtr)))
    on_arrays = partial(price, jax.numpy, jax.scipy.special.ndtr)
    return by_rows(curvature, on_arrays), np.random.default_rng(6).uniform(low, high, (n, 5))


def network_contestants(n: int) -> tuple[Contestants, Vector]:
    """Take the 6x6 Hessian of a network by its inputs, for each of n rows."""
    net = micrograd.nn.MLP(6, [16, 1], activation="tanh")
    units = [layer.neurons for layer in net.layers]
    w, last = [np.array([[v.data for v in unit.w] for unit in row]) for row in units]
    b, bias = [np.array([unit.b.data for unit in row]) for row in units]

    def on_arrays(x: Any) -> Any:
        return (last @ jax.numpy.tanh(w @ x + b) + bias)[0]

    curvature = micrograd.hessian(micrograd.program(net))
    return by_rows(curvature, on_arrays), np.random.default_rng(6).normal(size=(n, 6))


def by_rows(curvature: Any, on_arrays: Any) -> Contestants:
    """Compare Hessians of all rows with those of a function of one row on arrays."""
    by_jax = jax.jit(jax.vmap(jax.hessian(on_arrays)))
    return {"micrograd": lambda x: curvature(x).data, "JAX, jitted": by_jax}


def lennard_jones_on_scalars(x: Vector) -> Any:
    total = 0.0
    for (a, b, c), (u, v, w) in combinations(zip(x[::3], x[1::3], x[2::3]), 2):
        inverse = 1 / ((a - u) ** 2 + (b - v) ** 2 + (c - w) ** 2) ** 3
        total = total + 4 * inverse * (inverse - 1)
    return total


def lennard_jones_on_arrays(x: Vector) -> Any:
    atoms = x.reshape(-1, 3)
    first, second = np.triu_indices(len(atoms), 1)
    inverse = 1 / ((atoms[first] - atoms[second]) ** 2).sum(axis=1) ** 3
    return (4 * inverse * (inverse - 1)).sum()


def scattered_atoms(n: int) -> Vector:
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3)
    return (1.2 * grid[:n] + rng.uniform(-0.1, 0.1, (n, 3))).ravel()


def of_functions(on_scalars: Any, on_arrays: Any) -> Contestants:
    """Differentiate the same function, written on scalars and on arrays."""
    return {
        "micrograd": micrograd.hessian(on_scalars),
        "autograd": autograd.hessian(on_arrays),
        "JAX": jax.hessian(on_arrays),
    }


def compare(title: str, contestants: Contestants, x: Vector) -> None:
    """Check that all agree, then time them in turn."""
    results = {name: np.asarray(f(x)) for name, f in contestants.items()}
    for result in results.values():
        np.testing.assert_allclose(result, results["micrograd"], rtol=1e-9, atol=1e-9)
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, f in contestants.items():
            start = time.perf_counter()
            np.asarray(f(x))
            seconds[name].append(time.perf_counter() - start)
    own = seconds.pop("micrograd")
    print(f"{title}: micrograd {1000 * statistics.median(own):.1f} ms")
    for name, others in seconds.items():
        ratio = statistics.median(other / mine for mine, other in zip(own, others))
        print(f"    {name:11} takes {ratio:.2f} times as long")


def main() -> None:
    """Compare on Rosenbrock, on 30 atoms, and on mixtures of 5 Gaussians over many points."""
    jax.config.update("jax_enable_x64", True)
    rosenbrock = of_functions(rosenbrock_on_scalars, rosenbrock_on_arrays)
    for n in (100, 1000):
        compare(f"Rosenbrock, n = {n}", rosenbrock, np.linspace(-1.0, 1.2, n))
    sparse = micrograd.hessian(rosenbrock_on_scalars, sparse=True)
    found = {"micrograd": lambda x: sparse(x).toarray(), "dense": rosenbrock["micrograd"]}
    compare("Rosenbrock, n = 1000, sparse", found, np.linspace(-1.0, 1.2, 1000))
    atoms = of_functions(lennard_jones_on_scalars, lennard_jones_on_arrays)
    compare("Lennard-Jones, n = 90", atoms, scattered_atoms(30))
    for n in (1, 10, 100, 1000):
        compare(f"mixture, K = 5, d = 2, {n} points", *mixture_contestants(n))
    compare("mixture as a program, 1000 points", *mixture_program_contestants(1000))
    compare("logistic model, each of 100,000 rows", *logistic_contestants(100_000))
    compare("price by inputs, each of 100,000 rows", *price_contestants(100_000))
    compare("network by inputs, each of 20,000 rows", *network_contestants(20_000))


if __name__ == "__main__":
    main()
