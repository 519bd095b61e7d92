"""One contestant of benchmarks/programs.py: value and gradients of a network's hinge loss.

    python benchmarks/programs_contestant.py numpy < works

For each line, "network SIZES ROWS" or another work, it prints the seconds of one step, as the
processor counts them: others may use the machine too. For "check" and a work of science.py it
prints the value and the gradient.
"""

# ruff: noqa: N803, N806  (X and W are what the field calls them)

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from benchmarks import science
else:
    sys.path.insert(0, str(Path(__file__).parent))
    import science

Step = Callable[[], Any]


def data(sizes: list[int], rows: int) -> tuple[Any, Any, list[Any], list[Any]]:
    """Draw inputs, labels of -1 and 1, and the weights and biases of each layer."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(rows, sizes[0]))
    y = np.where(generator.normal(size=(rows, sizes[-1])) > 0, 1.0, -1.0)
    W = [generator.uniform(-1, 1, (a, b)) / math.sqrt(a) for a, b in pairwise(sizes)]
    b = [generator.uniform(-0.1, 0.1, b) for b in sizes[1:]]
    return X, y, W, b


def by_numpy(sizes: list[int], rows: int, optimise: bool) -> Step:
    """Run the textbook's backpropagation, written by hand."""
    X, y, W, b = data(sizes, rows)

    def step() -> Any:
        activations = [X]
        for weights, biases in zip(W, b):
            z = activations[-1] @ weights + biases
            activations.append(np.maximum(z, 0))
        margin = 1 - y * z
        loss = np.maximum(margin, 0).sum() / rows
        delta = np.where(margin > 0, -y, 0) / rows
        gradients = []
        for i in range(len(W) - 1, -1, -1):
            gradients.append((activations[i].T @ delta, delta.sum(axis=0)))
            if i:
                delta = (delta @ W[i].T) * (activations[i] > 0)
        if optimise:
            for weights, biases, (dW, db) in zip(W, b, reversed(gradients)):
                weights -= 1e-6 * dW
                biases -= 1e-6 * db
        return loss, gradients

    return step


def network_of(sizes: list[int], W: Any, b: Any) -> Any:
    """Make the network with these weights."""
    import micrograd as mg

    model = mg.nn.MLP(sizes[0], sizes[1:])
    for layer, weights, biases in zip(model.layers, W, b):
        for neuron, column, bias in zip(layer.neurons, weights.T, biases):
            neuron.b.data = bias
            for v, number in zip(neuron.w, column):
                v.data = number
    return model


def by_micrograd(sizes: list[int], rows: int, optimise: bool) -> Step:
    import micrograd as mg

    X, y, W, b = data(sizes, rows)
    model = network_of(sizes, W, b)
    if sizes[-1] == 1:
        y = y[:, 0]
        loss = mg.program(lambda x, y: mg.relu(1 - y * model(x)))
    else:
        loss = mg.program(lambda x, y: sum(mg.relu(1 - t * z) for t, z in zip(y, model(x))))
    optimizer = mg.optim.SGD(model.parameters(), lr=1e-6)

    def step() -> Any:
        if optimise:
            optimizer.zero_grad()
        total = loss(X, y).mean()
        total.backward()
        if optimise:
            optimizer.step()
        return total

    return step


def by_torch(sizes: list[int], rows: int, optimise: bool) -> Step:
    import torch

    torch.set_num_threads(1)
    X, y, W, b = [torch.tensor(a) if i < 2 else a for i, a in enumerate(data(sizes, rows))]
    layers: list[Any] = []
    for weights, biases in zip(W, b):
        layer = torch.nn.Linear(*weights.shape, dtype=torch.float64)
        with torch.no_grad():
            layer.weight.copy_(torch.tensor(weights.T))
            layer.bias.copy_(torch.tensor(biases))
        layers += [layer, torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)

    def step() -> Any:
        optimizer.zero_grad(set_to_none=True)
        loss = torch.relu(1 - y * model(X)).sum() / rows
        loss.backward()
        if optimise:
            optimizer.step()
        return loss

    return step


def by_jax(sizes: list[int], rows: int, optimise: bool) -> Step:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    X, y, W, b = data(sizes, rows)
    X, y = jnp.asarray(X), jnp.asarray(y)
    parameters = [(jnp.asarray(w), jnp.asarray(c)) for w, c in zip(W, b)]

    def loss(parameters: Any, X: Any, y: Any) -> Any:
        for weights, biases in parameters:
            z = X @ weights + biases
            X = jnp.maximum(z, 0)
        return jnp.maximum(1 - y * z, 0).sum() / rows

    both = jax.jit(jax.value_and_grad(loss))

    def step() -> Any:
        return jax.block_until_ready(both(parameters, X, y))

    return step


def moons() -> Step:
    """Make a step of the original's demo: data loss and penalty in one program, then SGD."""
    import micrograd as mg

    X, y, _, _ = data([2, 1], 100)
    labels = y[:, 0]
    model = mg.nn.MLP(2, [16, 16, 1])
    optimizer = mg.optim.SGD(model.parameters(), lr=0.5)

    def regularised(x: Any, y: Any) -> Any:
        return mg.relu(1 - y * model(x)) + 1e-4 * sum(p * p for p in model.parameters())

    loss = mg.program(regularised)

    def step() -> Any:
        total = loss(X, labels).mean()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        return total

    return step


# Black-Scholes: the price of a call and five of its derivatives, for every row -----------------


def options(rows: int) -> list[Any]:
    """Draw spot, strike, rate, volatility and time at random."""
    ranges = [(50.0, 150.0), (50.0, 150.0), (0.0, 0.05), (0.1, 0.5), (0.1, 2.0)]
    generator = np.random.default_rng(0)
    return [generator.uniform(low, high, rows) for low, high in ranges]


def black_scholes_micrograd(rows: int) -> Step:
    """Price an option in scalars; its Greeks by `grad`, gamma by `grad` twice."""
    import micrograd as mg

    def greeks(spot: Any, strike: Any, rate: Any, volatility: Any, time: Any) -> Any:
        spread = volatility * mg.sqrt(time)
        d1 = (mg.log(spot / strike) + (rate + 0.5 * volatility * volatility) * time) / spread
        d2 = d1 - spread
        half = math.sqrt(0.5)
        below1, below2 = 0.5 + 0.5 * mg.erf(half * d1), 0.5 + 0.5 * mg.erf(half * d2)
        price = spot * below1 - strike * mg.exp(-rate * time) * below2
        delta, rho, vega, theta = mg.grad(price, [spot, rate, volatility, time])
        return price, delta, mg.grad(delta, spot), vega, theta, rho

    program = mg.program(greeks)
    arguments = options(rows)
    return lambda: program(*arguments).data


def black_scholes_closed(rows: int) -> Step:
    """Compute the closed forms of the textbook (Hull), written by hand."""
    from scipy.special import erf

    spot, strike, rate, volatility, time = options(rows)

    def step() -> Any:
        root = np.sqrt(time)
        spread = volatility * root
        d1 = (np.log(spot / strike) + (rate + 0.5 * volatility * volatility) * time) / spread
        d2 = d1 - spread
        half = math.sqrt(0.5)
        below1, below2 = 0.5 + 0.5 * erf(half * d1), 0.5 + 0.5 * erf(half * d2)
        discounted = strike * np.exp(-rate * time)
        density = np.exp(-0.5 * d1 * d1) / math.sqrt(2 * math.pi)
        price = spot * below1 - discounted * below2
        vega = spot * density * root
        theta = 0.5 * vega * volatility / time + rate * discounted * below2
        gamma = density / (spot * spread)
        return np.stack([price, below1, gamma, vega, theta, time * discounted * below2], axis=1)

    return step


def black_scholes_numpy(rows: int) -> Step:
    """Do the program's own arithmetic by hand: the chain rule, operation by operation."""
    from scipy.special import erf

    spot, strike, rate, volatility, time = options(rows)
    half = math.sqrt(0.5)
    slope = 2 / math.sqrt(math.pi)

    def step() -> Any:
        root = np.sqrt(time)
        spread = volatility * root
        ratio = spot / strike
        drift = rate + 0.5 * volatility * volatility
        top = np.log(ratio) + drift * time
        d1 = top / spread
        d2 = d1 - spread
        u1, u2 = half * d1, half * d2
        below1, below2 = 0.5 + 0.5 * erf(u1), 0.5 + 0.5 * erf(u2)
        discount = np.exp(-rate * time)
        discounted = strike * discount
        price = spot * below1 - discounted * below2
        # In reverse.
        d_below1, d_below2 = spot, -discounted
        d_u1 = d_below1 * 0.5 * slope * np.exp(-u1 * u1)
        d_u2 = d_below2 * 0.5 * slope * np.exp(-u2 * u2)
        d_d2 = d_u2 * half
        d_d1 = d_u1 * half + d_d2
        d_top = d_d1 / spread
        d_spread = -d_d1 * d1 / spread - d_d2
        d_exponent = -below2 * strike * discount
        d_ratio = d_top / ratio
        delta = below1 + d_ratio / strike
        rho = d_top * time - d_exponent * time
        vega = d_top * time * 0.5 * 2 * volatility + d_spread * root
        theta = d_top * drift - d_exponent * rate + d_spread * volatility * 0.5 / root
        # Delta in reverse once more: by spot, through u1, d1, the ratio and the exponentials.
        e1, e2 = slope * np.exp(-u1 * u1), slope * np.exp(-u2 * u2)
        d1_by_spot = 1 / (ratio * strike * spread)
        through_below = 0.5 * e1 * half * d1_by_spot
        inner = 0.5 * half * (spot * e1 - discounted * e2)
        inner_by_d1 = 0.5 * half * half * (-2 * u1 * spot * e1 + 2 * u2 * discounted * e2)
        inner_by_spot = inner_by_d1 * d1_by_spot + 0.5 * half * e1
        scale = 1 / (spread * ratio * strike)
        gamma = through_below + inner_by_spot * scale - inner * scale / spot
        return np.stack([price, delta, gamma, vega, theta, rho], axis=1)

    return step


NETWORKS: dict[str, Callable[[list[int], int, bool], Step]] = {
    "numpy": by_numpy,
    "micrograd": by_micrograd,
    "torch": by_torch,
    "jax": by_jax,
}
OPTIONS: dict[str, Callable[[int], Step]] = {
    "numpy": black_scholes_numpy,
    "closed": black_scholes_closed,
    "micrograd": black_scholes_micrograd,
}


def make(name: str, work: str) -> Step:
    """Make the step of a work such as "network 64-32-10 100" or "training 2-16-16-1 100"."""
    kind, *rest = work.split()
    if kind in ("rows", "once"):
        return science.make(name, [kind, *rest])
    if kind == "moons":
        return moons()
    if kind == "options":
        return OPTIONS[name](int(rest[0]))
    sizes = [int(size) for size in rest[0].split("-")]
    return NETWORKS[name](sizes, int(rest[1]), kind == "training")


def main(name: str) -> None:
    steps: dict[str, tuple[Step, int]] = {}
    for line in sys.stdin:
        work = line.strip()
        if work.startswith("check "):
            print(json.dumps(science.result_of(make(name, work[6:]))), flush=True)
            continue
        if work not in steps:
            step = make(name, work)
            for _ in range(3):
                step()
            start = time.process_time()
            step()
            steps[work] = step, max(1, int(0.1 / (time.process_time() - start)))
        step, count = steps[work]
        start = time.process_time()
        for _ in range(count):
            step()
        print((time.process_time() - start) / count, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
