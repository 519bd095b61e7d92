"""The works that are timed, written once for any kind of number: floats, Values of any engine.

A work is made once per contestant by `make(kind, functions)`; what comes back does one repeat:
a fresh graph, and with `gradient` the backward pass and all that belongs to a step.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
KNOWN = HERE.parent.parent / "shared" / "known"


class Functions(NamedTuple):
    """The functions that the works need, by the names that a kind of number gives them."""

    relu: Callable[[Any], Any]
    tanh: Callable[[Any], Any]
    exp: Callable[[Any], Any]
    log: Callable[[Any], Any]
    backward: Callable[[Any, Sequence[Any]], Any]  # from a root, for parameters
    begin: Callable[[Sequence[Any]], Any] = len  # with the parameters, before each step


def moons(kind: Any, f: Functions, activation: str, known: Path) -> Callable[[], Any]:
    """Make the original's demo: 100 examples, 2-16-16-1, hinge loss and a penalty; no update."""
    demo = json.loads((known / "moons.json").read_text())
    numbers = iter(demo["init_params"])
    layers = [
        [([kind(next(numbers)) for _ in range(nin)], kind(next(numbers))) for _ in range(nout)]
        for nin, nout in ((2, 16), (16, 16), (16, 1))
    ]
    parameters = [p for layer in layers for w, b in layer for p in [*w, b]]
    act = getattr(f, activation)

    def neuron(w: list[Any], b: Any, x: list[Any]) -> Any:
        return sum((wi * xi for wi, xi in zip(w, x)), b)

    def score(x: list[Any]) -> Any:
        for layer in layers[:-1]:
            x = [act(neuron(w, b, x)) for w, b in layer]
        return neuron(*layers[-1][0], x)

    def step() -> Any:
        f.begin(parameters)
        scores = [score(list(map(kind, row))) for row in demo["X"]]
        losses = [f.relu(1 + -yi * si) for yi, si in zip(demo["y"], scores)]
        loss = sum(losses) * (1.0 / len(losses)) + 1e-4 * sum(p * p for p in parameters)
        f.backward(loss, parameters)
        return loss

    return step


def training(mg_nn: Any, kind: Any, known: Path) -> Callable[[], Any]:
    """Make one step of the original's demo notebook, as it is there, on a package's own MLP."""
    demo = json.loads((known / "moons.json").read_text())
    model = mg_nn.MLP(2, [16, 16, 1])
    for p, number in zip(model.parameters(), demo["init_params"]):
        p.data = number

    def step() -> Any:
        inputs = [list(map(kind, row)) for row in demo["X"]]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * si).relu() for yi, si in zip(demo["y"], scores)]
        data_loss = sum(losses) * (1.0 / len(losses))
        total_loss = data_loss + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        total_loss.backward()
        for p in model.parameters():
            p.data -= 1e-6 * p.grad  # hardly moves: each repeat does the same work
        return total_loss

    return step


def chain(kind: Any, f: Functions, steps: int) -> Callable[[], Any]:
    """Repeat s = s * w + a: 2 * steps nodes, as deep as that."""

    def step() -> Any:
        s, w, a = kind(1.0), kind(0.999999), kind(1e-6)
        for _ in range(steps):
            s = s * w + a
        f.backward(s, [w, a])
        return s

    return step


def lstm(kind: Any, f: Functions, known: Path) -> Callable[[], Any]:
    """Make the LSTM of ADBench, 2 layers over 1,024 letters; its objective is in golden.json."""
    text = (known / "adbench" / "lstm_l2_c1024.txt").read_text().split()
    depth, length, width = map(int, text[:3])
    numbers = iter(map(float, text[3:]))

    def rows(count: int, size: int) -> list[list[float]]:
        return [[next(numbers) for _ in range(size)] for _ in range(count)]

    main = [list(map(kind, row)) for row in rows(2 * depth, 4 * width)]
    extra = [list(map(kind, row)) for row in rows(3, width)]
    start = rows(2 * depth, width)
    letters = rows(length, width)

    def sigmoid(x: Any) -> Any:
        return 1 / (1 + f.exp(-x))

    def cell_step(w: list[Any], b: list[Any], h: list[Any], c: list[Any], x: list[Any]) -> None:
        for i in range(width):
            forget = sigmoid(x[i] * w[i] + b[i])
            enter = sigmoid(h[i] * w[width + i] + b[width + i])
            leave = sigmoid(x[i] * w[2 * width + i] + b[2 * width + i])
            change = f.tanh(h[i] * w[3 * width + i] + b[3 * width + i])
            c[i] = c[i] * forget + enter * change
            h[i] = leave * f.tanh(c[i])

    def step() -> Any:
        state = [list(map(kind, row)) for row in start]
        total: Any = 0.0
        for now, following in itertools.pairwise(letters):
            x = [xi * wi for xi, wi in zip(now, extra[0])]
            for i in range(depth):
                cell_step(main[2 * i], main[2 * i + 1], state[2 * i], state[2 * i + 1], x)
                x = state[2 * i]
            y = [xi * wi + bi for xi, wi, bi in zip(x, extra[1], extra[2])]
            norm = f.log(sum(f.exp(yi) for yi in y) + 2)
            total = total + sum(ti * (yi - norm) for ti, yi in zip(following, y))
        loss = -total / (width * (length - 1))
        f.backward(loss, [p for row in [*main, *extra] for p in row])
        return loss

    return step


NAMES = [
    "annika",
    "bertram",
    "clarissa",
    "dorothea",
    "emil",
    "frieda",
    "gregor",
    "hannelore",
    "ignaz",
    "johanna",
    "konrad",
    "leonie",
    "matthias",
    "nikolaus",
    "ottilie",
    "philippa",
    "quirin",
    "rosalie",
    "sebastian",
    "theodora",
    "ulrike",
    "valentin",
    "wilhelmine",
    "xaver",
    "yvonne",
    "zacharias",
    "adelheid",
    "benedikt",
    "cordula",
    "dietmar",
    "elisabeth",
    "ferdinand",
    "gertrud",
    "heinrich",
    "isabella",
    "josephine",
]


class Adam(NamedTuple):
    """The settings of AdamW."""

    rate: float = 1e-2
    first: float = 0.9
    second: float = 0.999
    decay: float = 1e-2
    tiny: float = 1e-8


def gpt(kind: Any, f: Functions, width: int = 16, heads: int = 4) -> Callable[[], Any]:
    """Make a step of a character-level transformer: one layer, RMS norm, cross-entropy, AdamW."""
    draw = random.Random(7)
    letters = [".", *sorted(set("".join(NAMES)))]
    longest = max(map(len, NAMES)) + 1

    def matrix(nout: int, nin: int) -> list[list[Any]]:
        return [[kind(draw.gauss(0, nin**-0.5)) for _ in range(nin)] for _ in range(nout)]

    embed, place = matrix(len(letters), width), matrix(longest, width)
    query, key, value, out = (matrix(width, width) for _ in range(4))
    wide, narrow, head = (
        matrix(4 * width, width),
        matrix(width, 4 * width),
        matrix(len(letters), width),
    )
    matrices = [embed, place, query, key, value, out, wide, narrow, head]
    parameters = [p for m in matrices for row in m for p in row]
    moments = [[0.0, 0.0] for _ in parameters]
    settings, count = Adam(), 0

    def linear(w: list[list[Any]], x: list[Any]) -> list[Any]:
        return [sum(wi * xi for wi, xi in zip(row, x)) for row in w]

    def norm(x: list[Any]) -> list[Any]:
        scale = (sum(xi * xi for xi in x) * (1 / len(x)) + 1e-5) ** -0.5
        return [xi * scale for xi in x]

    def softmax(x: list[Any]) -> list[Any]:
        powers = [f.exp(xi) for xi in x]
        one_by_sum = sum(powers) ** -1
        return [p * one_by_sum for p in powers]

    def attend(q: list[Any], keys: list[list[Any]], values: list[list[Any]]) -> list[Any]:
        result, size = [], width // heads
        for h in range(0, width, size):
            part = slice(h, h + size)
            fits = [sum(a * b for a, b in zip(q[part], k[part])) * size**-0.5 for k in keys]
            weights = softmax(fits)
            result += [sum(w * v[i] for w, v in zip(weights, values)) for i in range(h, h + size)]
        return result

    def loss_of(name: str) -> Any:
        tokens = [letters.index(letter) for letter in f".{name}."]
        keys: list[list[Any]] = []
        values: list[list[Any]] = []
        losses = []
        for i, (token, following) in enumerate(itertools.pairwise(tokens)):
            x = [a + b for a, b in zip(embed[token], place[i])]
            normed = norm(x)
            keys.append(linear(key, normed))
            values.append(linear(value, normed))
            attended = linear(out, attend(linear(query, normed), keys, values))
            x = [a + b for a, b in zip(x, attended)]
            hidden = [f.relu(h) for h in linear(wide, norm(x))]
            x = [a + b for a, b in zip(x, linear(narrow, hidden))]
            losses.append(-f.log(softmax(linear(head, norm(x)))[following]))
        return sum(losses) * (1 / len(losses))

    def update() -> None:
        s = settings
        for p, m in zip(parameters, moments):
            m[0] = s.first * m[0] + (1 - s.first) * p.grad
            m[1] = s.second * m[1] + (1 - s.second) * p.grad**2
            mean, square = m[0] / (1 - s.first**count), m[1] / (1 - s.second**count)
            p.data -= s.rate * (mean / (square**0.5 + s.tiny) + s.decay * p.data)
            p.grad = 0

    def step() -> Any:
        nonlocal count
        loss = loss_of(NAMES[count % len(NAMES)])
        count += 1
        f.backward(loss, parameters)
        if hasattr(parameters[0], "grad"):
            update()
        return loss

    return step
