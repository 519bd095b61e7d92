"""Gradients as the usual mistakes in the course's algorithm make them.

A gradient is made in three stages: deltas and activations, summed to the accumulators Delta; then
averaged and regularised to D; then laid out in matrices. A mistake is made in one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd.explain.course import formulas
from micrograd.explain.course.formulas import sigmoid, with_bias

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

Gradient = list[Any]  # a matrix like each Theta


class Slip(NamedTuple):
    """A usual mistake: its name, and why the gradient is wrong then."""

    name: str
    why: str


class Problem:
    """A network of sigmoids with its examples, and what the forward pass computes."""

    a: list[Array]
    lam: float
    layers: int
    m: int
    thetas: list[Array]
    x: Array
    y: Array
    z: list[Array]

    def __init__(self, thetas: Sequence[Array], x: Array, y: Array, lam: float) -> None:
        self.thetas, self.x, self.y, self.lam = list(thetas), x, y, lam
        self.m, self.layers = len(x), len(thetas) + 1
        self.z, self.a = formulas.forward(self.thetas, x)
        self.slopes: list[Array] = [a * (1 - a) for a in self.a[1:-1]]
        self.error: Array = self.a[-1] - y
        self.delta: list[Array] = formulas.deltas(self.thetas, self.slopes, self.error)
        self._inputs = [with_bias(a) for a in self.a[:-1]]

    def accumulated(self, delta: Sequence[Array]) -> Gradient:
        """Return the accumulators for these deltas of layers 2 to L."""
        return [d.T @ inputs for d, inputs in zip(delta, self._inputs)]

    def sums(self, last: Array | None = None, slopes: dict[int, Array] | None = None) -> Gradient:
        """Return the accumulators, from another last delta, or other slopes of some layers."""
        found = [(slopes or {}).get(level, g) for level, g in enumerate(self.slopes, start=2)]
        delta = formulas.deltas(self.thetas, found, self.error if last is None else last)
        return self.accumulated(delta)


# The accumulators --------------------------------------------------------------------------------


def wrong_sums(p: Problem) -> Iterator[tuple[Slip, Gradient]]:
    """Yield the accumulators that mistakes in deltas, activations and their sums make."""
    yield from _wrong_last_deltas(p)
    for level in range(2, p.layers):
        yield from _wrong_hidden_deltas(p, level)
    yield from _wrong_activations(p)
    yield from _wrong_accumulation(p)


def _wrong_last_deltas(p: Problem) -> Iterator[tuple[Slip, Gradient]]:
    a, y, last = p.a[-1], p.y, p.layers
    yield (
        Slip("y - a for a - y", "raising z of a unit whose label is 0 raises the cost"),
        p.sums(y - a),
    )
    yield (
        Slip(
            "squared error",
            f"delta{last} is multiplied by g'(z{last}), as for the cost (a - y)^2; with the "
            "logarithms, g' cancels",
        ),
        p.sums(p.error * a * (1 - a)),
    )
    yield (
        Slip(
            "the sigmoid applied twice",
            "a cost that applies the sigmoid itself (softplus(z) - y z) was given a, not z",
        ),
        p.sums((sigmoid(a) - y) * a * (1 - a)),
    )
    yield (
        Slip("half of the cost", "the term (1 - y) log(1 - a) is missing"),
        p.sums(-y * (1 - a)),
    )
    if y.shape[1] > 1:
        powers = np.exp(p.z[-1] - p.z[-1].max(axis=1, keepdims=True))
        yield (
            Slip("softmax for sigmoids", "the course's outputs are sigmoids, each on its own"),
            p.sums(powers / powers.sum(axis=1, keepdims=True) - y),
        )
        for by, said in ((1, "one too high"), (-1, "one too low")):
            yield (
                Slip(
                    "classes counted from the wrong number",
                    f"the 1 of each label stands {said}: class 1 is the first unit, index 0 in "
                    "Python",
                ),
                p.sums(a - np.roll(y, by, axis=1)),
            )


def _wrong_hidden_deltas(p: Problem, level: int) -> Iterator[tuple[Slip, Gradient]]:
    a, z, theta = p.a[level - 1], p.z[level - 2], p.thetas[level - 1]
    slopes = {
        f"g' forgotten in layer {level}": (np.ones_like(a), "is not multiplied by g'(z)"),
        f"g'(a) for g'(z) in layer {level}": (
            sigmoid(a) * (1 - sigmoid(a)),
            "uses sigmoidGradient(a); it wants z: a is the sigmoid of it already",
        ),
        f"g for g' in layer {level}": (a, "is multiplied by a; the slope is a (1 - a)"),
        f"tanh's slope in layer {level}": (1 - a * a, "uses 1 - a^2; a sigmoid's is a (1 - a)"),
    }
    for name, (slope, why) in slopes.items():
        yield Slip(name, f"delta{level} {why}"), p.sums(slopes={level: slope})
    slope = a * (1 - a)
    arrived = (p.delta[level - 1] @ theta)[:, :-1]
    yield (
        Slip(
            f"bias column left in Theta{level}'",
            f"delta{level} takes the first rows of Theta{level}' * delta{level + 1}; row 0 belongs "
            "to the bias unit, which has no delta: leave it out",
        ),
        _below(p, level, arrived * slope),
    )
    if theta.shape[0] == theta.shape[1] - 1:
        yield (
            Slip(
                f"Theta{level} not transposed",
                f"delta{level} collects what goes out of a unit: column j of Theta{level}, not row",
            ),
            _below(p, level, p.delta[level - 1] @ theta[:, 1:].T * slope),
        )
    products = [*p.a]
    products[level - 1] = z
    yield (
        Slip(f"z for a in layer {level}", f"Delta{level} is delta{level + 1} times a, not z"),
        formulas.accumulators(p.delta, products),
    )


def _below(p: Problem, level: int, delta: Array) -> Gradient:
    """Return the accumulators for another delta of a hidden layer."""
    lower = formulas.deltas(p.thetas[: level - 1], p.slopes[: level - 2], delta)
    return p.accumulated([*lower, *p.delta[level - 1 :]])


def _wrong_activations(p: Problem) -> Iterator[tuple[Slip, Gradient]]:
    right = p.accumulated(p.delta)
    dropped = [np.column_stack([np.zeros(len(d)), d[:, 1:]]) for d in right]
    yield (
        Slip("bias dropped", "a bias has the input 1, so its derivative is delta"),
        dropped,
    )
    a = _without_bias(p)
    delta = formulas.deltas(p.thetas, [x * (1 - x) for x in a[1:-1]], a[-1] - p.y)
    unbiased = formulas.accumulators(delta, a)
    why = "the forward pass adds no bias unit: a = [1; a] before each Theta * a"
    yield Slip("bias missing in the forward pass", why), unbiased
    zero = [np.column_stack([np.zeros(len(d)), d[:, 1:]]) for d in unbiased]
    yield Slip("bias missing in the forward pass", why), zero


def _without_bias(p: Problem) -> list[Array]:
    """Return the activations of a forward pass without bias units."""
    return formulas.forward(
        [np.column_stack([np.zeros(len(theta)), theta[:, 1:]]) for theta in p.thetas], p.x
    )[1]


def _wrong_accumulation(p: Problem) -> Iterator[tuple[Slip, Gradient]]:
    right = p.accumulated(p.delta)
    yield (
        Slip("Delta not set to 0", "the accumulators hold the sums of an earlier pass as well"),
        [2 * d for d in right],
    )
    if p.m == 1:
        return
    for place, said in ((-1, "last"), (0, "first")):
        of_one = slice(place, None) if place else slice(1)
        yield (
            Slip(
                "Delta not accumulated",
                f"only the {said} example is left: Delta := Delta + delta * a', for each example",
            ),
            formulas.accumulators([d[of_one] for d in p.delta], [a[of_one] for a in p.a]),
        )
    mixed = "each example's delta goes with its own a"
    yield (
        Slip("examples mixed", f"both are added up before the product; {mixed}"),
        [np.outer(d.sum(axis=0), with_bias(a).sum(axis=0)) / p.m for d, a in zip(p.delta, p.a)],
    )
    for by in (1, -1):
        yield (
            Slip("examples mixed", f"the deltas go with the a of the next example; {mixed}"),
            p.accumulated([np.roll(d, by, axis=0) for d in p.delta]),
        )
        yield (
            Slip("examples mixed", "the labels go with the outputs of the next example"),
            p.sums(p.a[-1] - np.roll(p.y, by, axis=0)),
        )
    yield (
        Slip("examples mixed", f"the deltas are in reverse order; {mixed}"),
        p.accumulated([d[::-1] for d in p.delta]),
    )


# The average and the regularisation --------------------------------------------------------------

_NO_PENALTY = "J has lambda/2m times the squares of the weights, so D has lambda/m times Theta"


def wrong_averages(p: Problem) -> Iterator[tuple[Slip, Callable[[Gradient], Gradient]]]:
    """Yield what turns accumulators into D, with a mistake in 1/m or lambda."""
    m, lam, thetas = p.m, p.lam, p.thetas
    penalties = [np.column_stack([np.zeros(len(t)), t[:, 1:]]) for t in thetas]

    def averaged(scale: float, strength: float, of: Sequence[Array] = penalties) -> Any:
        return lambda sums: [scale * d + strength * t for d, t in zip(sums, of)]

    if m > 1:
        missing = Slip("1/m missing", "D is Delta / m: J is an average")
        yield missing, averaged(1, lam / m)
        if lam:
            yield missing, averaged(1, lam)
        yield (
            Slip("1/m twice", "the sums were divided by m already"),
            averaged(m**-2, lam / m),
        )
    twice = "the difference J(+e) - J(-e) is over 2 e; or two passes were added up"
    yield Slip("twice the gradient", twice), averaged(2 / m, 2 * lam / m)
    yield (
        Slip("half the gradient", "is there a 1/2 in the cost?"),
        averaged(0.5 / m, lam / 2 / m),
    )
    if not lam:
        return
    yield (
        Slip("minus the gradient", "D is the slope itself; descent subtracts it"),
        averaged(-1 / m, -lam / m),
    )
    yield Slip("lambda missing", _NO_PENALTY), averaged(1 / m, 0.0)
    yield (
        Slip("lambda on the bias", "column 0 of Theta is not regularised"),
        averaged(1 / m, lam / m, thetas),
    )
    if m > 1:
        yield Slip("lambda not divided by m", _NO_PENALTY), averaged(1 / m, lam)
    yield Slip("lambda doubled", _NO_PENALTY), averaged(1 / m, 2 * lam / m)
    yield Slip("lambda halved", _NO_PENALTY), averaged(1 / m, lam / 2 / m)
    yield Slip("lambda subtracted", _NO_PENALTY), averaged(1 / m, -lam / m)


# The layout --------------------------------------------------------------------------------------


def wrong_layouts(right: Gradient) -> Iterator[tuple[Slip, Gradient]]:
    """Yield the right gradient, laid out wrongly."""
    unrolled = "is unrolled column by column in Octave (:), row by row in NumPy; reshape alike"
    for order, other in (("C", "F"), ("F", "C")):
        yield (
            Slip("wrong unrolling order", f"a matrix {unrolled}"),
            [d.ravel(order=order).reshape(d.shape, order=other) for d in right],
        )
        flat = np.concatenate([d.ravel(order=order) for d in right])
        yield (
            Slip("wrong unrolling order", f"a matrix {unrolled}"),
            _cut(flat, [d.shape for d in right], other),
        )
    yield from _shifted(right)
    for level, d in enumerate(right, start=1):
        zero = [np.zeros_like(d) if x is d else x for x in right]
        why = "it was not computed, or not put into the result; the others are right"
        yield Slip(f"D{level} left at 0", why), zero
    if len(right) > 1 and len({d.shape for d in right}) == 1:
        yield REVERSED, right[::-1]
    yield (
        Slip("bias column last", "column 0 is the bias: our column 0 is Octave's column 1"),
        [np.roll(d, -1, axis=1) for d in right],
    )


REVERSED = Slip("layers in reverse order", "D1, of the layer that the inputs enter, comes first")


def _shifted(right: Gradient) -> Iterator[tuple[Slip, Gradient]]:
    """Yield the matrices with columns, or rows, moved by one: the last is lost, or comes round."""
    slips = {
        1: Slip("columns shifted by one", "entry j belongs to a_j: our column 0 is the bias"),
        0: Slip("rows shifted by one", "row k belongs to unit k: our row 0 is unit 1"),
    }
    for axis, slip in slips.items():
        for by in (1, -1):
            moved = [np.roll(d, by, axis=axis) for d in right]
            if axis == 0 or by == 1:  # columns that come round to the left: bias column last
                yield slip, moved
            lost = [d.copy() for d in moved]
            for d in lost:
                edge = slice(0, 1) if by == 1 else slice(-1, None)
                d[(edge, slice(None)) if axis == 0 else (slice(None), edge)] = 0.0
            yield slip, lost


def _cut(flat: Array, shapes: Sequence[tuple[int, ...]], order: Any) -> Gradient:
    found, start = [], 0
    for shape in shapes:
        size = shape[0] * shape[1]
        found.append(flat[start : start + size].reshape(shape, order=order))
        start += size
    return found


# Updates in the middle ---------------------------------------------------------------------------


def updated_midway(p: Problem, alpha: float, *, early: bool, each: bool) -> Gradient:
    """Return the accumulators if Theta moves by -alpha times a gradient before all are known.

    It moves after `each` example or once for all, and with `early` layer by layer: Theta2 before
    delta2 is computed.
    """
    thetas = [theta.copy() for theta in p.thetas]
    sums = [np.zeros_like(theta) for theta in thetas]
    parts = [slice(i, i + 1) for i in range(p.m)] if each else [slice(None)]
    for part in parts:
        biased, a = _forward(thetas, p.x[part])
        delta = a - p.y[part]
        rate = alpha / len(delta)
        moves = []
        for level in range(len(thetas) - 1, -1, -1):
            found = delta.T @ biased[level]
            sums[level] += found
            if early:
                thetas[level] -= rate * found
            else:
                moves.append((level, found))
            if level:
                below = biased[level][:, 1:]
                delta = delta @ thetas[level][:, 1:] * below * (1 - below)
        for level, found in moves:
            thetas[level] -= rate * found
    return sums


def _forward(thetas: Sequence[Array], a: Array) -> tuple[list[Array], Array]:
    """Return `[1; a]` of each layer but the last, and the outputs.

    It is called for each of thousands of examples, and takes a shorter way than the operation
    sigmoid does, which is as good but for the last digits of tiny numbers.
    """
    biased = []
    for theta in thetas:
        inputs = np.ones((len(a), a.shape[1] + 1))
        inputs[:, 1:] = a
        biased.append(inputs)
        a = 0.5 + 0.5 * np.tanh(0.5 * (inputs @ theta.T))
    return biased, a
