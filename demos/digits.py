"""Train a network on real handwritten digits: written in scalars, run on arrays.

    python demos/digits.py

1,797 images of 8 by 8 pixels. The loss of one image is written one number at a time;
`micrograd.program` lifts it to matrix equations, prints them, and runs them on a batch of images at
once. The network is judged on images that it never saw. The pictures are left in out/, and a page
where you draw a digit, and the network reads it.
"""

# ruff: noqa: N806  (X is what the field calls a table of inputs, Y one of targets)

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import sklearn.datasets
import train
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from sklearn.model_selection import train_test_split
from train import BLUE, ORANGE, OUT, SEED, Array, Progress

import micrograd
from micrograd.losses import cross_entropy
from micrograd.nn import MLP
from micrograd.optim import AdamW


class Digits(NamedTuple):
    """Images as rows of 64 pixels from 0 to 1, and which digit each shows."""

    X: Array
    labels: np.ndarray[Any, np.dtype[np.int64]]

    def targets(self) -> Array:
        """Return the answers wanted of the network: 1 for the digit, 0 for the nine others."""
        one_hot: Array = np.eye(10)[self.labels]
        return one_hot


def main() -> None:
    """Train on the digits."""
    OUT.mkdir(parents=True, exist_ok=True)
    digits(OUT, epochs=30)


def digits(out: Path, epochs: int) -> None:
    """Train, print the equations and how many held out are right, leave pictures in `out`."""
    random.seed(SEED)
    seen, held_out = load_digits(SEED)
    model = MLP(64, [32, 10], activation="sigmoid")
    print(
        f"Digits: {len(seen.X)} to train on, {len(held_out.X)} held out, "
        f"{len(model.parameters())} parameters, {epochs} epochs of AdamW, seed {SEED}"
    )
    loss, logits = make_loss(model), micrograd.program(model)
    curves: dict[str, list[Progress]] = {"training": [], "held out": []}
    for progress in train.watch("digits", train_digits(model, loss, seen, epochs), epochs):
        curves["training"].append(progress)
        curves["held out"].append(measure(logits(held_out.X).data, held_out))
    print(f"\nThe loss of one image, lifted:\n\n{loss}\n")
    scores = logits(held_out.X).data
    right = int(np.sum(scores.argmax(axis=1) == held_out.labels))
    print(f"held out: {right} of {len(held_out.X)} right ({right / len(held_out.X):.1%})")
    title = "Handwritten digits"
    train.save(train.draw_curves(title, curves, "epoch", first=1), out / "digits_loss.png")
    train.save(draw_confusion(scores, held_out), out / "digits_confusion.png")
    train.save(draw_mistakes(scores, held_out), out / "digits_mistakes.png")
    write_page(model, held_out, out / "digits.html")


def load_digits(seed: int) -> tuple[Digits, Digits]:
    """Load the images, and hold out a quarter of them: of every digit the same share."""
    X, labels = sklearn.datasets.load_digits(return_X_y=True)
    seen_X, held_X, seen_labels, held_labels = train_test_split(
        X / 16, labels, test_size=0.25, stratify=labels, random_state=seed
    )
    return Digits(seen_X, seen_labels), Digits(held_X, held_labels)


def make_loss(model: MLP) -> micrograd.programs.Program:
    """Make the program of the loss of one image."""

    @micrograd.program
    def loss(x: Any, y: Any) -> Any:
        return cross_entropy(model(x), y)

    return loss


def train_digits(
    model: MLP, loss: micrograd.programs.Program, data: Digits, epochs: int
) -> Iterator[Progress]:
    """Train by AdamW on batches of 64, every image once per epoch, and report after each epoch.

    The learning rate falls in a straight line, from 0.05 to nothing at the end.
    """
    batches = -(-len(data.X) // 64)
    optimizer = AdamW(model.parameters(), lr=lambda step: 0.05 * (1 - step / (epochs * batches)))
    logits, Y = micrograd.program(model), data.targets()
    for _ in range(epochs):
        order = random.sample(range(len(data.X)), len(data.X))
        for start in range(0, len(order), 64):
            batch = order[start : start + 64]
            optimizer.zero_grad()
            loss(data.X[batch], Y[batch]).mean().backward()
            optimizer.step()
        yield measure(logits(data.X).data, data)


# The library's loss is scalar code as well, and so a program: of ten scores and ten targets.
cross_entropies = micrograd.program(cross_entropy)


def measure(scores: Array, data: Digits) -> Progress:
    """Measure the mean cross-entropy and the accuracy of ten scores for each image."""
    right = scores.argmax(axis=1) == data.labels
    losses = cross_entropies(scores, data.targets()).data
    return Progress(float(losses.mean()), float(right.mean()))


def write_page(model: MLP, data: Digits, path: Path) -> None:
    """Write the page where one draws a digit: the network's probabilities, in JavaScript."""

    @micrograd.program
    def digit(x: Any) -> Any:
        scores = model(x)
        total = micrograd.logsumexp(scores)
        return [micrograd.exp(score - total) for score in scores]

    digit(data.X[:1])
    digit.to_html(path, image=(8, 8), results="0123456789")
    print(f"draw a digit yourself: {path}")


# Pictures --------------------------------------------------------------------------------------


def draw_confusion(scores: Array, data: Digits) -> Figure:
    """Draw how often each digit was called what: blue on the diagonal, mistakes in orange."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (data.labels, scores.argmax(axis=1)), 1)
    figure = Figure(figsize=(7.5, 6.5), layout="constrained")
    axes = figure.subplots()
    for colour, cells in ((BLUE, np.eye(10, dtype=bool)), (ORANGE, ~np.eye(10, dtype=bool))):
        shades = LinearSegmentedColormap.from_list("", ["white", colour])
        shown = np.ma.masked_array(counts, ~cells)
        axes.imshow(shown, cmap=shades, vmin=0, vmax=1.5 * max(shown.max(), 1))
    for row, column in np.ndindex(counts.shape):
        if counts[row, column]:
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=11)
    axes.set(
        xticks=range(10), yticks=range(10), xlabel="what the network says", ylabel="what it is",
        title="Held-out digits: what each was taken for",
    )  # fmt: skip
    return figure


def draw_mistakes(scores: Array, data: Digits) -> Figure:
    """Draw the mistakes, worst first, at most twelve: those with the largest loss."""
    called, losses = scores.argmax(axis=1), cross_entropies(scores, data.targets()).data
    worst = [i for i in np.argsort(-losses) if called[i] != data.labels[i]][:12]
    figure = Figure(figsize=(9, 7), layout="constrained")
    figure.suptitle("The worst mistakes on held-out digits, and their losses")
    grid = figure.subplots(3, 4).ravel()
    for axes, i in zip(grid, worst):
        axes.imshow(data.X[i].reshape(8, 8), cmap="gray_r")
        axes.set(
            xticks=[], yticks=[], title=f"{data.labels[i]} taken for {called[i]}: {losses[i]:.2f}"
        )
    for axes in grid[len(worst) :]:
        axes.axis("off")
    return figure


if __name__ == "__main__":
    main()
