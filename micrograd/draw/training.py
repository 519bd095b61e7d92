"""Plot training: the decision boundary of a model, and how its loss fell."""

# ruff: noqa: N803  (X is what the field calls a table of inputs)

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd.draw.scene.theme import COLOURS, TINTS
from micrograd.engine import Value
from micrograd.programs import ProgramError, program

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Array = np.ndarray[Any, np.dtype[Any]]

# Markers and dashes distinguish the series without colour.
MARKERS = ("^", "o", "s", "D", "v", "P")
DASHES = ("-", "--", ":", "-.")
MARGIN = 0.1  # around the points, as a fraction of the width


def decision_boundary(
    model: Callable[[list[Any]], Any],
    X: Any,
    y: Sequence[Any],
    *,
    ax: Axes | None = None,
    steps: int = 200,
) -> Axes:
    """Colour the plane by the prediction of a model, and plot the labelled points on it.

    `X` has two numbers per point, `y` its label. A model with one output predicts the higher label
    where the output is above 0, as with a hinge loss or logits; a model with one output per label,
    in their order, predicts that of the largest. It is evaluated on a grid of `steps` by `steps`,
    as a program if it can be traced. Plots on `ax`, or on a new figure, and returns the Axes.
    Raises ValueError if the shapes do not fit, TypeError if the model cannot be called.

    >>> ax = decision_boundary(lambda x: x[0] - x[1], [[0, 1], [1, 0]], [-1, 1], steps=20)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['-1', '1']
    """
    if not callable(model):
        raise TypeError(
            "a decision boundary needs a model that gives the score of a list of two inputs; "
            f"got {model!r}"
        )
    points, labels = _points(X, y)
    kinds = np.unique(labels)
    across, up = _grid(points, steps)
    scores = _ask(model, np.column_stack([across.ravel(), up.ravel()]))
    if scores.shape[1] not in (1, len(kinds)):
        raise ValueError(
            f"a model gives one score, or one for each of the {len(kinds)} labels in y; "
            f"this one gives {scores.shape[1]}"
        )
    ax = ax or new_axes()
    _colour_plane(ax, across, up, scores.reshape(*across.shape, -1))
    for i, kind in enumerate(kinds):
        x, height = points[labels == kind].T
        ax.scatter(
            x,
            height,
            s=45, c=COLOURS[i % 6], marker=MARKERS[i % 6], edgecolors="white", zorder=3,
            label=str(kind),
        )  # fmt: skip
    ax.set(xlabel="first input", ylabel="second input")
    ax.legend(title="label", framealpha=0.9)
    return ax


def _points(X: Any, y: Any) -> tuple[Array, Array]:
    points = np.array([[_bare(x) for x in row] for row in X])
    labels = np.array([_bare(label) for label in y])
    if points.ndim != 2 or points.shape[1] != 2 or labels.shape != points.shape[:1]:
        raise ValueError(
            "a decision boundary needs X with two numbers per row and y with one label per row; "
            f"got X of shape {points.shape} and y of shape {labels.shape}"
        )
    return points, labels


def _bare(x: Any) -> Any:
    return x.data if isinstance(x, Value) else x


def _grid(points: Array, steps: int) -> tuple[Array, Array]:
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.where(high > low, MARGIN * (high - low), 1.0)
    sides = [np.linspace(a, b, steps) for a, b in zip(low - margin, high + margin)]
    across, up = np.meshgrid(*sides)
    return across, up


def _ask(model: Callable[[list[Any]], Any], rows: Array) -> Array:
    """Evaluate the model on every point: all at once if it can be traced, else one by one."""
    try:
        scores = np.asarray(program(model)(rows))
    except (ProgramError, TypeError):  # it reads the numbers, or is no function of Values
        answers = [model([Value(x) for x in row]) for row in rows.tolist()]
        scores = np.array([[_bare(s) for s in np.atleast_1d(answer)] for answer in answers])
    return scores.reshape(len(rows), -1)


def _colour_plane(ax: Axes, across: Array, up: Array, scores: Array) -> None:
    if scores.shape[-1] == 1:
        score = scores[..., 0]
        ax.contourf(across, up, score, levels=[-np.inf, 0, np.inf], colors=TINTS[:2])
        ax.contour(across, up, score, levels=[0], colors="black", linewidths=2)
        return
    chosen = scores.argmax(axis=-1)
    levels = np.arange(scores.shape[-1] + 1) - 0.5
    colours = [TINTS[i % 6] for i in range(scores.shape[-1])]
    ax.contourf(across, up, chosen, levels=levels, colors=colours)
    ax.contour(across, up, chosen, levels=levels[1:-1], colors="black", linewidths=1)


def loss_curve(history: Any, *, ax: Axes | None = None) -> Axes:
    """Plot a loss per step: a sequence of numbers or Values, or a mapping of names to several.

    The scale is logarithmic if all losses are positive and span a factor of 10. Plots on `ax`, or
    on a new figure, and returns the Axes. Raises ValueError without any loss, TypeError for
    anything but numbers.

    >>> ax = loss_curve({"training": [1.0, 0.5, 0.05], "held out": [1.0, 0.6, 0.4]})
    >>> ax.get_yscale(), len(ax.get_lines())
    ('log', 2)
    """
    curves = history if isinstance(history, Mapping) else {"": history}
    losses = {name: _numbers(curve) for name, curve in curves.items()}
    if not any(curve.size for curve in losses.values()):
        raise ValueError("a loss curve needs at least one loss; got none")
    ax = ax or new_axes()
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    for i, (name, curve) in enumerate(losses.items()):
        ax.plot(range(curve.size), curve, DASHES[i % 4], color=COLOURS[(i + 1) % 6], label=name)
    every = np.concatenate(list(losses.values()))
    every = every[np.isfinite(every)]
    if every.size and every.min() > 0 and every.max() > 10 * every.min():
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(xlabel="step", ylabel="loss")
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    if len(losses) > 1:
        ax.legend()
    return ax


def _numbers(curve: Any) -> Array:
    try:
        return np.array([_bare(x) for x in curve], float)
    except (TypeError, ValueError):
        raise TypeError(f"a loss curve is drawn from a list of losses; got {curve!r}") from None


def new_axes() -> Axes:
    """Return the Axes of a new figure; raise ImportError without matplotlib."""
    try:
        from matplotlib import pyplot
    except ImportError:
        raise ImportError(
            "this picture is drawn by matplotlib: pip install 'micrograd[plot]'"
        ) from None
    return pyplot.subplots(figsize=(7.5, 5), layout="constrained")[1]
