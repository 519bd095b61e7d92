"""Train a transformer on names, written in scalars: a GPT of 4,192 parameters.

    python demos/microgpt.py

The model reads a name letter by letter, with loops over positions, heads and numbers; its letters
are integers that index tables. `micrograd.program` lifts the loss of one name to matrix equations,
and runs names of any length on them. After training, the model makes up names of its own. The names
are first names of the US census of 1990, from the package `names`. The picture is left in out/, and
a page in which the model goes on making up names.
"""

from __future__ import annotations

import math
import random
import re
import textwrap
import time
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import train
from matplotlib.figure import Figure
from tqdm import tqdm
from train import BLUE, OUT, SEED

import micrograd as mg
from micrograd import Value
from micrograd.optim import AdamW

LETTERS = "abcdefghijklmnopqrstuvwxyz"
EDGE = len(LETTERS)  # the token before the first letter, and after the last
CONTEXT, WIDTH, HEADS = 16, 16, 4
Matrix = list[list[Value]]
Tokens = Sequence[Any]  # integers, or what stands for them in a program


class Transformer:
    """A transformer of one layer, with its parameters in a dict."""

    def __init__(self) -> None:
        shapes = {
            "wte": (EDGE + 1, WIDTH), "wpe": (CONTEXT, WIDTH), "lm_head": (EDGE + 1, WIDTH),
            "wq": (WIDTH, WIDTH), "wk": (WIDTH, WIDTH), "wv": (WIDTH, WIDTH), "wo": (WIDTH, WIDTH),
            "fc1": (4 * WIDTH, WIDTH), "fc2": (WIDTH, 4 * WIDTH),
        }  # fmt: skip
        self.weights: dict[str, Matrix] = {
            name: [[Value(random.gauss(0, 0.08)) for _ in range(columns)] for _ in range(rows)]
            for name, (rows, columns) in shapes.items()
        }

    def parameters(self) -> list[Value]:
        """Return all parameters."""
        return [p for matrix in self.weights.values() for row in matrix for p in row]

    def scores(self, tokens: Tokens) -> Iterator[list[Any]]:
        """Yield for each position the scores of the token that comes next."""
        w = self.weights
        keys: list[list[Any]] = []
        values: list[list[Any]] = []
        for position, token in enumerate(tokens):
            letter = mg.take(w["wte"], token)
            x = normalized([a + b for a, b in zip(letter, w["wpe"][position])])
            seen = normalized(x)
            keys.append(times(w["wk"], seen))
            values.append(times(w["wv"], seen))
            x = added(x, times(w["wo"], attended(times(w["wq"], seen), keys, values)))
            hidden = [h.relu() for h in times(w["fc1"], normalized(x))]
            yield times(w["lm_head"], added(x, times(w["fc2"], hidden)))

    def loss(self, tokens: Tokens) -> Any:
        """Return the mean surprise at each letter of a name, and at its end."""
        surprises = [
            -mg.log(mg.take(softmax(scores), following))
            for scores, following in zip(self.scores(tokens[:-1]), tokens[1:])
        ]
        return sum(surprises) / len(surprises)


def times(matrix: Matrix, x: Sequence[Any]) -> list[Any]:
    return [sum(w * e for w, e in zip(row, x)) for row in matrix]


def added(x: Sequence[Any], y: Sequence[Any]) -> list[Any]:
    return [a + b for a, b in zip(x, y)]


def normalized(x: Sequence[Any]) -> list[Any]:
    """Scale to a mean square of 1."""
    scale = (sum(e * e for e in x) / len(x) + 1e-5) ** -0.5
    return [e * scale for e in x]


def softmax(scores: Sequence[Any]) -> list[Any]:
    shift = mg.stop_gradient(mg.max(scores))
    powers = [mg.exp(score - shift) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


def attended(query: list[Any], keys: list[list[Any]], values: list[list[Any]]) -> list[Any]:
    """Average the values of all positions so far, head by head, by how keys fit the query."""
    result: list[Any] = []
    size = WIDTH // HEADS
    for start in range(0, WIDTH, size):
        own = range(start, start + size)
        fits = [sum(query[i] * key[i] for i in own) / math.sqrt(size) for key in keys]
        weights = softmax(fits)
        result += [sum(w * value[i] for w, value in zip(weights, values)) for i in own]
    return result


def main() -> None:
    """Train on one name after another."""
    OUT.mkdir(parents=True, exist_ok=True)
    microgpt(OUT, steps=1000)


def microgpt(out: Path, steps: int) -> None:
    """Train, print the equations and names that the model made up, leave a picture in `out`."""
    random.seed(SEED)
    names = load_names()
    random.shuffle(names)
    model = Transformer()
    loss = mg.program(model.loss)
    print(
        f"Names: {len(names)}, such as {', '.join(names[:3])}; {len(model.parameters())} "
        f"parameters, {steps} steps of one name each, seed {SEED}"
    )
    losses = list(tqdm(train_names(model, loss, names, steps), "names", steps, leave=False))
    tenth = max(1, steps // 10)
    print(f"loss: first {mean(losses[:tenth]):.3f}, last {mean(losses[-tenth:]):.3f}")
    print("\nThe loss of a name of one letter, lifted:\n")
    print("\n".join(map(folded, str(equations(model)).splitlines())))
    names = [made_up(model) for _ in range(20)]
    print("\n" + folded("made up: " + ", ".join(filter(None, names))))
    compare_times(model, loss, names[0])
    train.save(draw_losses(losses), out / "microgpt_loss.png")
    write_page(model, out / "names.html")


def load_names() -> list[str]:
    """Load the first names of the census, each once."""
    lists = [
        files("names").joinpath(f"dist.{kind}.first").read_text() for kind in ("female", "male")
    ]
    found = {line.split()[0].lower() for text in lists for line in text.splitlines()}
    return sorted(name for name in found if len(name) < CONTEXT)


def tokens_of(name: str) -> list[int]:
    """Write a name as tokens, from edge to edge."""
    return [EDGE, *[LETTERS.index(letter) for letter in name], EDGE]


def train_names(
    model: Transformer, loss: mg.programs.Program, names: Sequence[str], steps: int
) -> Iterator[float]:
    """Train by AdamW, one name at each step, and yield its loss; the rate falls to nothing."""
    optimizer = AdamW(
        model.parameters(), lr=lambda step: 0.01 * (1 - step / steps), weight_decay=0.0
    )
    for step in range(steps):
        optimizer.zero_grad()
        total = loss([tokens_of(names[step % len(names)])]).mean()
        total.backward()
        optimizer.step()
        yield total.data


def equations(model: Transformer) -> str:
    """Return the equations of the loss of a name of one letter."""
    short = mg.program(model.loss)
    short([tokens_of("a")])
    return str(short)


def folded(line: str) -> str:
    """Fold a line of more than 98 letters, and leave out what aligned it."""
    line = line.rstrip()
    if len(line) > 98:
        indent = " " * (len(line) - len(line.lstrip()))
        line = indent + re.sub(r" {3,}(?=\d+( x \w+)*$)", "   ", line.strip())
        line = textwrap.fill(line, 98, subsequent_indent=indent + 6 * " ", break_on_hyphens=False)
    return line


def made_up(model: Transformer) -> str:
    """Draw one letter after another, as probable as the model says, until the name ends."""
    tokens = [EDGE]
    while len(tokens) < CONTEXT:
        *_, scores = model.scores(tokens)
        probabilities = [p.data for p in softmax([score / 0.5 for score in scores])]
        [letter] = random.choices(range(EDGE + 1), probabilities)
        if letter == EDGE:
            break
        tokens.append(letter)
    return "".join(LETTERS[token] for token in tokens[1:])


def write_page(model: Transformer, path: Path) -> None:
    """Write the page that makes up names: the scores at all positions, in JavaScript."""

    @mg.program
    def names(tokens: Tokens) -> list[Any]:
        return [score for scores in model.scores(tokens) for score in scores]

    names([[EDGE] * CONTEXT])
    names.to_html(path, tokens=[*LETTERS, ""])
    print(f"more names: {path}")


def compare_times(model: Transformer, loss: mg.programs.Program, name: str) -> None:
    """Print what one step takes as a program, and as the loop over Values that was written."""
    tokens = tokens_of(name)
    program = shortest(lambda: loss([tokens]).mean().backward())
    loop = shortest(lambda: model.loss(tokens).backward())
    print(f"loss and gradient of {name}: {1e3 * program:.1f} ms, in Values {1e3 * loop:.1f} ms")


def shortest(work: Any) -> float:
    """Return the shortest of five times, in seconds."""
    times_taken = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        times_taken.append(time.perf_counter() - began)
    return min(times_taken)


def mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def draw_losses(losses: Sequence[float]) -> Figure:
    """Draw the loss of each step as a dot, and the mean of some steps as a line."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    window = max(1, len(losses) // 20)
    means = [mean(losses[i : i + window]) for i in range(len(losses) - window + 1)]
    axes.plot(losses, ".", color="0.75", markersize=3, label="one name")
    axes.plot(range(window - 1, len(losses)), means, color=BLUE, label=f"mean of {window}")
    axes.axhline(math.log(EDGE + 1), color="0.4", linestyle=":", label="guessing")
    axes.set(
        title="A transformer learns names", xlabel="step", ylabel="loss (surprise per letter, nats)"
    )
    axes.legend()
    return figure


if __name__ == "__main__":
    main()
