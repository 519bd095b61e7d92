"""Train two small networks on real input, and say how good they are.

    python demos/train.py

First the two moons of the original micrograd's demo, with loss and descent written out; the
figures come out the same. Then 569 tumours, each described by 30 measurements, with losses and
optimisers of the package; the network is judged on tumours that it never saw. Last, a network and
one of its neurons are drawn as graphs. The pictures are left in out/.
"""

# ruff: noqa: N803, N806, N815  (X is what the field calls a table of inputs)

from __future__ import annotations

import gc
import random
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from sklearn.datasets import load_breast_cancer, make_moons
from sklearn.model_selection import train_test_split
from tqdm import tqdm

from micrograd import Value
from micrograd.draw import graph
from micrograd.losses import binary_cross_entropy
from micrograd.nn import MLP, Neuron
from micrograd.optim import AdamW

SEED = 1337
OUT = Path("out")

Row = list[float]
Network = Callable[[list[Value]], Value]
Array = np.ndarray[Any, np.dtype[np.float64]]


class Progress(NamedTuple):
    """The loss and accuracy of a network at some point of its training."""

    loss: float
    accuracy: float  # the share of rows that are right, from 0 to 1


class Split(NamedTuple):
    """Rows and labels to train on, and those held out to judge the result."""

    train_X: list[Row]
    train_y: list[int]
    test_X: list[Row]
    test_y: list[int]


def main() -> None:
    """Train on the moons, then on the tumours, then draw two graphs."""
    # Python's garbage collector searches for cycles whenever many objects are alive. The graph of a
    # training step is many objects without a cycle, freed at once: there is nothing to find in it.
    gc.set_threshold(1_000_000)
    OUT.mkdir(parents=True, exist_ok=True)
    moons(OUT, steps=100)
    print()
    tumours(OUT, epochs=10)
    print()
    graphs(OUT)


def moons(out: Path, steps: int) -> None:
    """Train on the moons in 3 steps or more, print losses, and leave two pictures in `out`."""
    np.random.seed(SEED)
    random.seed(SEED)
    X, y = load_moons()
    model = MLP(2, [16, 16, 1])
    print(
        f"Two moons: {len(X)} points, {len(model.parameters())} parameters, "
        f"{steps} steps of gradient descent, seed {SEED}"
    )
    history = list(watch("moons", train_moons(model, X, y, steps), steps))
    for k in (0, 1, 2, steps - 1):
        print(f"step {k:2}: loss {history[k].loss:.4f}, accuracy {history[k].accuracy:.1%}")
    save(draw_boundary(model, X, y), out / "moons_boundary.png")
    curves = draw_curves("Two moons", {"training": history}, unit="step", first=0)
    save(curves, out / "moons_loss.png")


def tumours(out: Path, epochs: int) -> None:
    """Train on the tumours, print how many held out are right, and leave a picture in `out`."""
    random.seed(SEED)
    data = load_tumours(SEED)
    model = MLP(30, [8, 1], activation="tanh")
    print(
        f"Tumours: {len(data.train_X)} to train on, {len(data.test_X)} held out, "
        f"{len(model.parameters())} parameters, {epochs} epochs of AdamW, seed {SEED}"
    )
    training = train_tumours(model, data.train_X, data.train_y, epochs)
    curves: dict[str, list[Progress]] = {"training": [], "held out": []}
    for progress in watch("tumours", training, epochs):
        curves["training"].append(progress)
        curves["held out"].append(measure(model, data.test_X, data.test_y))
    print(verdict(model, data.test_X, data.test_y))
    save(draw_curves("Breast tumours", curves, unit="epoch", first=1), out / "tumours_loss.png")


def graphs(out: Path) -> None:
    """Draw a network folded by layers, and one neuron with the derivatives on its arrows."""
    random.seed(SEED)
    model = MLP(2, [16, 16, 1])
    score = model([Value(1.0, label="x1"), Value(-2.0, label="x2")])
    score.backward()
    neuron = Neuron(2, activation="tanh")
    activation = neuron([Value(0.5, label="x1"), Value(-1.0, label="x2")])
    activation.backward()
    for name, picture in (
        ("network", graph(score)),
        ("neuron", graph(activation, derivatives=True)),
    ):
        print(textwrap.fill(str(picture), width=96))
        for ending in ("svg", "png"):
            picture.save(out / f"{name}_graph.{ending}")
            print(f"picture: {out / name}_graph.{ending}")


def watch(name: str, training: Iterator[Progress], total: int) -> Iterator[Progress]:
    """Yield what a training reports, and show it in a progress bar."""
    with tqdm(training, desc=name, total=total) as bar:
        for progress in bar:
            bar.set_postfix_str(f"loss {progress.loss:.4f}, accuracy {progress.accuracy:.1%}")
            yield progress


# The moons -------------------------------------------------------------------------------------


def load_moons() -> tuple[list[Row], list[int]]:
    """Make 100 points on two interleaved half circles, labelled -1 and +1."""
    X, y = make_moons(n_samples=100, noise=0.1)  # drawn from NumPy's global generator
    return X.tolist(), (y * 2 - 1).tolist()


def train_moons(model: MLP, X: list[Row], y: list[int], steps: int) -> Iterator[Progress]:
    """Train by gradient descent on all points at once, and report before every step."""
    for k in range(steps):
        # forward: a score for every point, meant to be above 0 for the label +1
        inputs = [list(map(Value, row)) for row in X]
        scores = list(map(model, inputs))

        # the max-margin loss, and a small price on large weights
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores)]
        data_loss = sum(losses) * (1.0 / len(losses))
        reg_loss = 1e-4 * sum(p * p for p in model.parameters())
        total_loss: Any = data_loss + reg_loss
        right = sum((yi > 0) == (scorei > 0) for yi, scorei in zip(y, scores))
        yield Progress(total_loss.data, right / len(y))

        # backward, then a step downhill, each a little shorter than the last
        model.zero_grad()
        total_loss.backward()
        learning_rate = 1.0 - 0.9 * k / 100
        for p in model.parameters():
            p.data -= learning_rate * p.grad


# The tumours -----------------------------------------------------------------------------------


def load_tumours(seed: int) -> Split:
    """Load the breast-cancer data, labelled 1 where malignant, and hold out a quarter of it.

    Both parts have the same share of malignant tumours. Every measurement is standardised with
    the mean and deviation of the training rows, since the others must stay unseen.
    """
    X, benign = load_breast_cancer(return_X_y=True)
    train_X, test_X, train_y, test_y = train_test_split(
        X, 1 - benign, test_size=0.25, stratify=benign, random_state=seed
    )
    mean, deviation = train_X.mean(axis=0), train_X.std(axis=0)
    train_X, test_X = (train_X - mean) / deviation, (test_X - mean) / deviation
    return Split(train_X.tolist(), train_y.tolist(), test_X.tolist(), test_y.tolist())


def train_tumours(model: MLP, X: list[Row], y: list[int], epochs: int) -> Iterator[Progress]:
    """Train by AdamW on batches of 32, every row once per epoch, and report after each epoch."""
    optimizer = AdamW(model.parameters(), lr=0.02)
    for _ in range(epochs):
        order = random.sample(range(len(X)), len(X))
        for start in range(0, len(X), 32):
            batch = order[start : start + 32]
            logits = [model(list(map(Value, X[i]))) for i in batch]
            losses = [binary_cross_entropy(logit, y[i]) for logit, i in zip(logits, batch)]
            loss = sum(losses) / len(losses)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        yield measure(model, X, y)


def outputs(model: Network, X: list[Row]) -> list[float]:
    """Run a network with a single output on every row, and keep the numbers, not the graphs."""
    return [model(list(map(Value, row))).data for row in X]


def measure(model: Network, X: list[Row], y: list[int]) -> Progress:
    """Measure the mean cross-entropy and the accuracy on these rows."""
    logits = outputs(model, X)
    losses = [binary_cross_entropy(logit, label) for logit, label in zip(logits, y)]
    right = sum((logit > 0) == (label == 1) for logit, label in zip(logits, y))
    return Progress(sum(losses) / len(losses), right / len(y))


def verdict(model: Network, X: list[Row], y: list[int]) -> str:
    """Say how many are right, and tell the two kinds of error apart: one is worse than the other.

    The network calls a tumour malignant when its logit is above 0, a probability above 1/2.
    """
    called = [logit > 0 for logit in outputs(model, X)]
    malignant = sum(y)
    missed = sum(label == 1 and not call for label, call in zip(y, called))
    alarms = sum(label == 0 and call for label, call in zip(y, called))
    right = len(y) - missed - alarms
    return (
        f"held out: {right} of {len(y)} right ({right / len(y):.1%})\n"
        f"{missed} of {malignant} malignant tumours missed, "
        f"{alarms} of {len(y) - malignant} benign ones called malignant"
    )


# Pictures --------------------------------------------------------------------------------------
# A Figure made without pyplot opens no window: it is saved to a file or shown by a notebook.

BLUE, ORANGE = "#0072B2", "#D55E00"  # colour-blind readers can tell them apart
BANDS = ["#F2BE9C", "#FAE6D9", "#DDECF5", "#A3CDE6"]  # the same, pale, from score -1 to +1


def draw_boundary(model: Network, X: list[Row], y: list[int]) -> Figure:
    """Draw the points on the plane as the network sees it: where its score is 0, and -1 and +1."""
    points, labels = np.array(X), np.array(y)
    figure = Figure(figsize=(7.5, 5), layout="constrained")
    axes = figure.subplots()
    across, up, scores = score_plane(model, points)
    axes.contourf(across, up, scores, levels=[-1, 0, 1], colors=BANDS, extend="both")
    axes.contour(
        across, up, scores, levels=[-1, 0, 1], colors="black",
        linewidths=[0.8, 2.2, 0.8], linestyles=["dashed", "solid", "dashed"],
    )  # fmt: skip
    for label, colour, marker in ((-1, ORANGE, "^"), (1, BLUE, "o")):
        x, height = points[labels == label].T
        axes.scatter(
            x, height, s=55, c=colour, marker=marker, edgecolors="white",
            label=f"label ${label:+d}$", zorder=3,
        )  # fmt: skip
    axes.plot([], [], "k-", linewidth=2.2, label="score $0$")
    axes.plot([], [], "k--", linewidth=0.8, label=r"score $\pm 1$")
    axes.set(
        xlabel="first input",
        ylabel="second input",
        title="Two moons, and where the network draws the line",
    )
    axes.legend(loc="lower right", framealpha=0.9)
    return figure


def score_plane(model: Network, points: Array) -> tuple[Array, Array, Array]:
    """Run the network on a grid of 50 by 36 that covers the points; give x, y and the scores."""
    (left, bottom), (right, top) = points.min(axis=0) - 0.4, points.max(axis=0) + 0.4
    across, up = np.meshgrid(np.linspace(left, right, 50), np.linspace(bottom, top, 36))
    grid = np.column_stack([across.ravel(), up.ravel()]).tolist()
    return across, up, np.array(outputs(model, grid)).reshape(across.shape)


def draw_curves(
    title: str, curves: Mapping[str, Sequence[Progress]], unit: str, first: int
) -> Figure:
    """Draw loss and accuracy side by side, a line per curve; `first` is the number of its start."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    for (name, history), style in zip(curves.items(), ("-", "--")):
        colour = BLUE if style == "-" else ORANGE
        x = range(first, first + len(history))
        left.plot(x, [p.loss for p in history], style, color=colour, label=name)
        right.plot(x, [100 * p.accuracy for p in history], style, color=colour, label=name)
    left.set(xlabel=unit, ylabel="loss", yscale="log")
    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5, 7)))
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter(NullFormatter())
    right.set(xlabel=unit, ylabel="right, in %")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend()
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a picture, and print where."""
    figure.savefig(path, dpi=120)
    print(f"picture: {path}")


if __name__ == "__main__":
    main()
