"""Time `program.function(jax.numpy)` under jit beside jax.numpy written by hand, under jit too.

    python benchmarks/arrays.py

Both give the loss and its gradients, on one thread. In every round each takes steps for a
twentieth of a second of processor time, one after the other; the medians of the ratios are
printed, and the quartiles. A ratio is the function's time over the hand-written one's.
"""

# ruff: noqa: N806  (X and W are what the field calls them)

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
sys.path.insert(0, str(Path(__file__).parents[1] / "demos"))

import jax
import jax.numpy as jnp
import numpy as np
from microgpt import CONTEXT, EDGE, HEADS, WIDTH, Transformer
from programs_contestant import by_jax, data, network_of  # type: ignore[import-not-found]

import micrograd as mg

jax.config.update("jax_enable_x64", True)
Step = Callable[[], Any]
ROUNDS = 9
NETWORKS = (
    ([2, 16, 16, 1], 100),
    ([64, 32, 10], 100),
    ([64, 32, 10], 1797),
    ([784, 128, 10], 128),
)


def mean_of(program: mg.programs.Program, *arrays: Any) -> Step:
    """Make the step of a program: the mean of its results, and the gradients."""
    program(*[x[:1] for x in arrays])  # traces it
    function = program.function(jnp)

    def mean(parameters: Any, *arrays: Any) -> Any:
        n = len(arrays[0])
        results, gradients = function(parameters, *arrays, seeds=jnp.full(n, 1 / n))
        return results.mean(), gradients

    both = jax.jit(mean)
    vector = jnp.asarray([p.data for p in program.parameters()])
    given = [jnp.asarray(x) for x in arrays]
    return lambda: jax.block_until_ready(both(vector, *given))


def network(sizes: list[int], rows: int) -> Step:
    """Make the step of the network of benchmarks/programs_contestant.py."""
    X, y, W, b = data(sizes, rows)
    model = network_of(sizes, W, b)
    if sizes[-1] == 1:
        return mean_of(mg.program(lambda x, y: mg.relu(1 - y * model(x))), X, y[:, 0])
    loss = mg.program(lambda x, y: sum(mg.relu(1 - t * z) for t, z in zip(y, model(x))))
    return mean_of(loss, X, y)


def transformer_by_hand(model: Transformer, names: Any) -> Step:
    """Make the step of the transformer of demos/microgpt.py, as one writes it with jax.numpy."""
    matrices = {
        name: jnp.asarray([[p.data for p in row] for row in matrix])
        for name, matrix in model.weights.items()
    }
    length = names.shape[1] - 1
    future = jnp.triu(jnp.full((length, length), -jnp.inf), 1)

    def normalized(x: Any) -> Any:
        return x * ((x * x).mean(-1, keepdims=True) + 1e-5) ** -0.5

    def split(x: Any) -> Any:
        return x.reshape(len(x), length, HEADS, WIDTH // HEADS).transpose(0, 2, 1, 3)

    def loss(w: Any, names: Any) -> Any:
        inputs, targets = names[:, :-1], names[:, 1:]
        x = normalized(w["wte"][inputs] + w["wpe"][:length])
        seen = normalized(x)
        Q, K, V = (split(seen @ w[name].T) for name in ("wq", "wk", "wv"))
        scores = Q @ K.transpose(0, 1, 3, 2) / (WIDTH // HEADS) ** 0.5 + future
        heads = (jax.nn.softmax(scores) @ V).transpose(0, 2, 1, 3).reshape(x.shape)
        x = x + heads @ w["wo"].T
        x = x + jnp.maximum(normalized(x) @ w["fc1"].T, 0) @ w["fc2"].T
        chosen = jax.nn.log_softmax(x @ w["lm_head"].T)
        return -jnp.take_along_axis(chosen, targets[..., None], axis=-1).mean()

    both = jax.jit(jax.value_and_grad(loss))
    given = jnp.asarray(names)
    return lambda: jax.block_until_ready(both(matrices, given))


def compare(name: str, own: Step, by_hand: Step) -> None:
    """Check that both agree, and print the ratio of their times."""
    assert abs(own()[0] - by_hand()[0]) < 1e-9 * (1 + abs(by_hand()[0])), name
    ratios = []
    for _ in range(ROUNDS):
        taken = [_seconds(step) for step in (own, by_hand)]
        ratios.append(taken[0] / taken[1])
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"{name:28} {middle:.2f} ({low:.2f} to {high:.2f})", flush=True)


def _seconds(step: Step) -> float:
    count, start = 0, time.process_time()
    while (taken := time.process_time() - start) < 0.05 or not count:
        step()
        count += 1
    return taken / count


def main() -> None:
    """Compare the four networks, and the transformer on some batches of names."""
    for sizes, rows in NETWORKS:
        name = f"{'-'.join(map(str, sizes))}, {rows} rows"
        compare(name, network(sizes, rows), by_jax(sizes, rows, False))
    for rows, length in ((16, 7), (256, 7), (64, CONTEXT)):
        model = Transformer()
        names = np.random.default_rng(0).integers(0, EDGE + 1, (rows, length + 1))
        own = mean_of(mg.program(model.loss), names)
        name = f"microgpt, {rows} of {length} tokens"
        compare(name, own, transformer_by_hand(model, names))


if __name__ == "__main__":
    main()
