"""Time the transformer of demos/microgpt.py: its first call, and steps beside other ways.

    python benchmarks/microgpt.py

The first call at a length traces, lifts and plans; its processor time is compared with that of the
loop on Value. A step is the mean loss of some texts of seven tokens and its gradients, without an
update. It is taken by the program; by the same model as it was published, looping over scalars, on
this package's Value and on a small one of its own; and by NumPy with the gradients written by hand.
That all agree is checked before. In every round each takes the step for a tenth of a second, at
least once, one after the other; printed are the medians of the ratios within the rounds, and the
quartiles.
"""

# ruff: noqa: E402, N806  (capitals are matrices, as in the field)

from __future__ import annotations

import argparse
import gc
import math
import os
import random
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ[f"{library}_NUM_THREADS"] = "1"  # one thread each: read when NumPy is imported
sys.path.insert(0, str(Path(__file__).parents[1] / "demos"))

import numpy as np
from microgpt import CONTEXT, EDGE, HEADS, WIDTH, Transformer

import micrograd as mg

Step = Callable[[], Any]
LENGTH = 7
BATCHES = (16, 64, 256)


class Scalar:
    """A number that knows its operands, and its slope by each: the whole of a small engine."""

    __slots__ = ("data", "grad", "operands", "slopes")

    def __init__(self, data: float, operands: tuple[Any, ...] = (), slopes: Any = ()) -> None:
        self.data = data
        self.grad = 0.0
        self.operands = operands
        self.slopes = slopes

    def __add__(self, other: Any) -> Scalar:
        other = other if isinstance(other, Scalar) else Scalar(other)
        return Scalar(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Any) -> Scalar:
        other = other if isinstance(other, Scalar) else Scalar(other)
        return Scalar(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, other: float) -> Scalar:
        return Scalar(self.data**other, (self,), (other * self.data ** (other - 1),))

    def __neg__(self) -> Scalar:
        return self * -1

    def __sub__(self, other: float) -> Scalar:
        return self + -other

    def __truediv__(self, other: Scalar | float) -> Scalar:
        return self * other**-1

    __radd__ = __add__
    __rmul__ = __mul__

    def exp(self) -> Scalar:
        result = math.exp(self.data)
        return Scalar(result, (self,), (result,))

    def log(self) -> Scalar:
        return Scalar(math.log(self.data), (self,), (1 / self.data,))

    def relu(self) -> Scalar:
        return Scalar(max(0.0, self.data), (self,), (float(self.data > 0),))

    def backward(self) -> None:
        """Add to the grad of all that the number was made of."""
        order: list[Scalar] = []
        seen: set[Scalar] = set()

        def visit(node: Scalar) -> None:
            if node not in seen:
                seen.add(node)
                for operand in node.operands:
                    visit(operand)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for operand, slope in zip(node.operands, node.slopes):
                operand.grad += slope * node.grad


def by_loop(model: Transformer, kind: Any, names: Any) -> tuple[Step, Step]:
    """Make the step of a loop over scalars of a kind, and what reads the gradients."""
    weights = {
        name: [[kind(p.data) for p in row] for row in matrix]
        for name, matrix in model.weights.items()
    }
    parameters = [p for matrix in weights.values() for row in matrix for p in row]

    def step() -> Any:
        for p in parameters:
            p.grad = 0.0
        loss = sum(published(weights, tokens) for tokens in names.tolist()) / len(names)
        loss.backward()
        return loss.data

    return step, lambda: [p.grad for p in parameters]


def published(weights: dict[str, Any], tokens: list[int]) -> Any:
    """Return the loss of a name with the operations that any scalar Value has."""

    def times(name: str, x: list[Any]) -> list[Any]:
        return [sum(w * e for w, e in zip(row, x)) for row in weights[name]]

    def normalized(x: list[Any]) -> list[Any]:
        scale = (sum(e * e for e in x) / len(x) + 1e-5) ** -0.5
        return [e * scale for e in x]

    def softmax(scores: list[Any]) -> list[Any]:
        highest = max(score.data for score in scores)
        powers = [(score - highest).exp() for score in scores]
        total = sum(powers)
        return [power / total for power in powers]

    keys: list[list[Any]] = []
    values: list[list[Any]] = []
    losses = []
    for position, (token, following) in enumerate(pairwise(tokens)):
        pairs = zip(weights["wte"][token], weights["wpe"][position])
        x = normalized([a + b for a, b in pairs])
        seen = normalized(x)
        query = times("wq", seen)
        keys.append(times("wk", seen))
        values.append(times("wv", seen))
        heads: list[Any] = []
        for start in range(0, WIDTH, WIDTH // HEADS):
            own = range(start, start + WIDTH // HEADS)
            scores = [sum(query[i] * key[i] for i in own) / len(own) ** 0.5 for key in keys]
            fits = softmax(scores)
            heads += [sum(fit * value[i] for fit, value in zip(fits, values)) for i in own]
        x = [a + b for a, b in zip(x, times("wo", heads))]
        hidden = [h.relu() for h in times("fc1", normalized(x))]
        x = [a + b for a, b in zip(x, times("fc2", hidden))]
        losses.append(-softmax(times("lm_head", x))[following].log())
    return sum(losses) / len(losses)


def by_program(model: Transformer, names: Any) -> tuple[Step, Step]:
    """Make the step of the program, and what reads the gradients."""
    loss = mg.program(model.loss)
    optimizer = mg.optim.SGD(model.parameters(), lr=0.0)

    def step() -> Any:
        optimizer.zero_grad()
        total = loss(names).mean()
        total.backward()
        return total.data

    return step, lambda: [p.grad for p in model.parameters()]


def by_numpy(model: Transformer, names: Any) -> tuple[Step, Step]:
    """Make the step of NumPy, derived by hand, and what reads the gradients."""
    w = {
        name: np.array([[p.data for p in row] for row in matrix])
        for name, matrix in model.weights.items()
    }
    found: dict[str, Any] = {}

    def step() -> Any:
        loss, gradients = loss_and_gradients(w, names)
        found.update(gradients)
        return loss

    return step, lambda: [g for name in w for g in found[name].ravel().tolist()]


def loss_and_gradients(w: dict[str, Any], names: Any) -> tuple[Any, dict[str, Any]]:
    """Return the mean loss of names of one length, (names, tokens), and its gradients."""
    inputs, targets = names[:, :-1], names[:, 1:]
    count, length = inputs.shape
    size = WIDTH // HEADS
    future = np.triu(np.full((length, length), -np.inf), 1)

    def split(x: Any) -> Any:  # (names, heads, positions, size)
        return x.reshape(count, length, HEADS, size).transpose(0, 2, 1, 3)

    def joined(x: Any) -> Any:
        return x.transpose(0, 2, 1, 3).reshape(count, length, WIDTH)

    # forward
    embedded = w["wte"][inputs] + w["wpe"][:length]
    x, scale0 = normalized(embedded)
    seen, scale1 = normalized(x)
    Q, K, V = (split(seen @ w[name].T) for name in ("wq", "wk", "wv"))
    fits = softmax(Q @ K.transpose(0, 1, 3, 2) / math.sqrt(size) + future)
    heads = joined(fits @ V)
    between = x + heads @ w["wo"].T
    normal, scale2 = normalized(between)
    hidden = np.maximum(normal @ w["fc1"].T, 0)
    last = between + hidden @ w["fc2"].T
    probs = softmax(last @ w["lm_head"].T)
    rows, places = np.ogrid[:count, :length]
    loss = -np.log(probs[rows, places, targets]).mean()
    # backward
    g: dict[str, Any] = {}

    def by_weight(name: str, delta: Any, inputs: Any) -> Any:
        g[name] = delta.reshape(-1, delta.shape[-1]).T @ inputs.reshape(-1, inputs.shape[-1])
        return delta @ w[name]

    probs[rows, places, targets] -= 1
    d_last = by_weight("lm_head", probs / (count * length), last)
    d_hidden = by_weight("fc2", d_last, hidden) * (hidden > 0)
    d_between = d_last + by_norm(by_weight("fc1", d_hidden, normal), between, scale2)
    d_heads = split(by_weight("wo", d_between, heads))
    d_fits = d_heads @ V.transpose(0, 1, 3, 2)
    d_scores = fits * (d_fits - (fits * d_fits).sum(-1, keepdims=True)) / math.sqrt(size)
    d_seen = by_weight("wq", joined(d_scores @ K), seen)
    d_seen += by_weight("wk", joined(d_scores.transpose(0, 1, 3, 2) @ Q), seen)
    d_seen += by_weight("wv", joined(fits.transpose(0, 1, 3, 2) @ d_heads), seen)
    d_embedded = by_norm(d_between + by_norm(d_seen, x, scale1), embedded, scale0)
    g["wte"], g["wpe"] = np.zeros_like(w["wte"]), np.zeros_like(w["wpe"])
    np.add.at(g["wte"], inputs, d_embedded)
    g["wpe"][:length] = d_embedded.sum(0)
    return loss, g


def normalized(x: Any) -> tuple[Any, Any]:
    """Scale to a mean square of 1, and return the scale as well."""
    scale = ((x * x).mean(-1, keepdims=True) + 1e-5) ** -0.5
    return x * scale, scale


def by_norm(delta: Any, x: Any, scale: Any) -> Any:
    """Return what arrives at `x` of what arrives at `x` normalised."""
    return delta * scale - x * scale**3 * (delta * x).mean(-1, keepdims=True)


def softmax(x: Any) -> Any:
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def first_calls(lengths: range) -> tuple[float, float, str]:
    """Return the processor time of the first step at all lengths, the loop's, and the equations."""
    model = Transformer()
    loss = mg.program(model.loss)
    gc.collect()
    start = time.process_time()
    for length in lengths:
        loss([[1] * (length + 1)]).mean().backward()
    first = time.process_time() - start
    start = time.process_time()
    for length in lengths:
        model.loss([1] * (length + 1)).backward()
    return first, time.process_time() - start, str(loss)


def compare(steps: dict[str, tuple[Step, Step]], rounds: int) -> None:
    """Check that the steps agree, time them in alternating rounds, and print the ratios."""
    (name, program), *others = steps.items()
    expected, gradients = program[0](), np.array(program[1]())
    for other, (step, read) in others:
        assert math.isclose(step(), expected, rel_tol=1e-12), other
        assert np.allclose(read(), gradients, rtol=1e-9, atol=1e-14), other
    taken: dict[str, list[float]] = {key: [] for key in steps}
    for _ in range(rounds):
        for key, (step, _read) in steps.items():
            taken[key].append(seconds(step))
    print(f"  {name}: {1e3 * statistics.median(taken[name]):.2f} ms a step")
    for other, _ in others:
        ratios = [own / its for own, its in zip(taken[name], taken[other])]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"  by {other}: {shown(middle)} of its time ({shown(low)} to {shown(high)})")


def seconds(step: Step) -> float:
    """Return the time of one step, repeated for a tenth of a second."""
    gc.collect()
    count, start = 0, time.perf_counter()
    while (taken := time.perf_counter() - start) < 0.1 or not count:
        step()
        count += 1
    return taken / count


def shown(ratio: float) -> str:
    return f"1/{1 / ratio:.0f}" if ratio < 0.1 else f"{ratio:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    random.seed(1)
    print(f"core: {mg.core}")
    for length in (2, LENGTH, CONTEXT):
        forward, backward = first_calls(range(length, length + 1))[-1].split("backward\n")
        counts = len(forward.splitlines()) - 1, len(backward.splitlines())
        print("equations at {} tokens: {} forward, {} backward".format(length, *counts))
    for lengths in (range(CONTEXT, CONTEXT + 1), range(1, CONTEXT + 1)):
        calls = [first_calls(lengths)[:2] for _ in range(3)]
        which = f"{CONTEXT} tokens" if len(lengths) == 1 else f"all {CONTEXT} lengths"
        print(
            f"first call, {which}: {statistics.median(c[0] for c in calls):.2f} s of processor "
            f"time, {statistics.median(first / loop for first, loop in calls):.0f} times the loop's"
        )
    model = Transformer()
    names = np.random.default_rng(0).integers(0, EDGE + 1, (max(BATCHES), LENGTH + 1))
    print(f"{LENGTH} tokens, batch 1")
    one = names[:1]
    steps = {
        "program": by_program(model, one),
        "the loop on Value": by_loop(model, mg.Value, one),
        "the published form": by_loop(model, Scalar, one),
        "NumPy by hand": by_numpy(model, one),
    }
    compare(steps, rounds)
    for batch in BATCHES:
        print(f"{LENGTH} tokens, batch {batch}")
        some = names[:batch]
        compare(
            {"program": by_program(model, some), "NumPy by hand": by_numpy(model, some)}, rounds
        )


if __name__ == "__main__":
    main()
