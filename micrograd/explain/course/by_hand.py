"""One example written out as by hand: every z, a, delta, Delta and D with its numbers.

The same moments are the story that the stepper of an example tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from micrograd.draw.stepping import story
from micrograd.draw.stepping.story import Line, Number, Products
from micrograd.engine import Value
from micrograd.explain.course.notation import entry

if TYPE_CHECKING:
    from micrograd.explain.course.textbook import Deltas

_MOST_LINES = 12  # of a step that are shown
_MOST_TERMS = 6  # of a sum

Pair = tuple[Number, Number]


class Moment(NamedTuple):
    """A step of the algorithm: its title, and a line for each number that it computes."""

    title: str
    lines: list[str]


class ByHand:
    """The result of `Deltas.by_hand`: `.data`, the Moments in the order of the algorithm."""

    def __init__(self, data: list[Moment]) -> None:
        self.data = data

    def __str__(self) -> str:
        return "\n\n".join(
            "\n".join([moment.title, *(f"  {line}" for line in _first(moment.lines))])
            for moment in self.data
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(
            f"<p><b>{escape(moment.title)}</b></p><pre>"
            + "\n".join(map(escape, _first(moment.lines)))
            + "</pre>"
            for moment in self.data
        )


def written(found: Deltas, i: int) -> ByHand:
    """Write out example i, from 1: forward layer by layer, deltas backward, then Delta and D."""
    return ByHand([Moment(m.title, list(map(story.text, m.lines))) for m in _moments(found, i)])


def told(found: Deltas, i: int) -> list[story.Moment]:
    """Return the same as a story: a moment per delta, and of long steps the beginning."""
    moments: list[story.Moment] = []
    for moment in _moments(found, i):
        if moment.title.startswith("delta"):
            moments += _one_by_one(moment, i)
        else:
            cut = moment._replace(lines=moment.lines[:_MOST_LINES])
            moments.append(cut._replace(more=len(moment.lines) - len(cut.lines)))
    return [_asking(m) if m.title.startswith("what") else m for m in moments]


def _moments(found: Deltas, i: int) -> Iterator[story.Moment]:
    one, last = _Example(found, i), found.L
    for level in range(2, last + 1):
        title, lines = f"z of layer {level}: weighted sums", list(one.sums(level))
        yield story.Moment(title, "forward", one.z(level), lines)
        title, lines = f"a of layer {level}: g of these", list(one.outputs(level))
        yield story.Moment(title, "forward", one.a(level), lines)
    yield story.Moment("the cost", "forward", [found.cost(i)], [one.cost()])
    lines = list(one.output_deltas())
    yield story.Moment(f"delta of layer {last}, the outputs", "backward", one.z(last), lines)
    for level in range(last - 1, 1, -1):
        title = f"delta of layer {level}: Theta{level}' * delta{level + 1} .* g'(z{level})"
        yield story.Moment(title, "backward", one.z(level), list(one.hidden_deltas(level)))
    for level in range(1, last):
        title, lines = f"what example {i} adds to Delta{level}", list(one.additions(level))
        yield story.Moment(title, "backward", one.weights(level), lines)
    for level in range(1, last):
        title = f"D{level} = Delta{level} / m, all examples added (m = {found.m:,})"
        lines = list(one.averages(level))
        edited, end = f"{title}, at other weights: {_ALONE}", _END * (level == last - 1)
        yield story.Moment(title, "end", [], lines, edited=edited, end=end)


_END = "Every delta, Delta and D is there. D is the gradient: how much J rises per unit of Theta."
_ALONE = "that takes all examples, and this page computes one. Reset the numbers to see it."


class _Example:
    """The lines of one example, counted from 1."""

    def __init__(self, found: Deltas, i: int) -> None:
        self.found, self.i = found, i

    def z(self, level: int) -> list[Value]:
        """Return the z of a layer."""
        units = range(1, len(self.found.z[level][self.i]) + 1)
        return [self.found.z[level].value(self.i, k) for k in units]

    def a(self, level: int) -> list[Value]:
        """Return the a of a layer, without the bias unit."""
        return list(self.found.recording.passed(self.i - 1).a[level - 1])

    def weights(self, level: int) -> list[Value]:
        """Return the weights from a layer to the next, row by row."""
        return [w for unit in self.found.recording.network.units[level - 1] for w in unit.theta]

    def cost(self) -> Line:
        """Write the cost."""
        cost = self.found.cost(self.i)
        return Line([f"{entry('cost', self.i)} = ", _data(cost)])

    def sums(self, level: int) -> Iterator[Line]:
        """Write each z of a layer."""
        below = self._with_bias(level - 1)
        units = self.found.recording.network.units[level - 2]
        for k, (unit, z) in enumerate(zip(units, self.z(level)), start=1):
            products = _products(list(zip(map(_data, unit.theta), below)))
            yield Line([f"{entry(f'z{level}', k)} = ", products, " = ", _data(z)])

    def outputs(self, level: int) -> Iterator[Line]:
        """Write each a of a layer."""
        for k, (z, a) in enumerate(zip(self.z(level), self.a(level)), start=1):
            yield Line([f"{entry(f'a{level}', k)} = g(", _data(z), ") = ", _data(a)])

    def output_deltas(self) -> Iterator[Line]:
        """Write each delta of the last layer."""
        found, last = self.found, self.found.L
        factors = found.output_factors(self.i)
        for k, (z, a) in enumerate(zip(self.z(last), self.a(last)), start=1):
            delta = self._delta(last, k)
            if found.recording.loss is None:
                how = f"a{last}({k}) - y({k}) = "
                y = Number(found.recording.labels[self.i - 1][k - 1])
                parts: list[story.Part] = [_data(a), " - ", y]
            else:
                how = f"dcost/da{last}({k}) * g'(z{last}({k})) = "
                by_a, slope = factors[k - 1]
                parts = [Number(by_a, "grad", a), " * ", _slope(slope, z, a)]
            yield Line([f"{entry(f'delta{last}', k)} = {how}", *parts, " = ", delta])

    def hidden_deltas(self, level: int) -> Iterator[Line]:
        """Write each delta of a layer below the last."""
        found = self.found
        above = [self._delta(level + 1, k) for k in range(1, len(self.z(level + 1)) + 1)]
        units = found.recording.network.units[level - 1]
        slopes = found.slopes(self.i, level)
        for j, (z, a) in enumerate(zip(self.z(level), self.a(level)), start=1):
            paths = _products([(_data(u.theta[j]), d) for u, d in zip(units, above)])
            slope = _slope(slopes[j - 1], z, a)
            name = entry(f"delta{level}", j)
            yield Line([f"{name} = (", paths, ") * ", slope, " = ", self._delta(level, j)])

    def additions(self, level: int) -> Iterator[Line]:
        """Write what is added to each accumulator of a layer."""
        before, after = (self.found.after(n).Delta[level] for n in (self.i - 1, self.i))
        activations = self._with_bias(level)
        for k in range(1, len(before) + 1):
            delta = self._delta(level + 1, k)
            for j, a in enumerate(activations):
                product = Number(delta.x * a.x, "total", [(delta, a)])
                start = f"{entry(f'Delta{level}', k, j)} += "
                then = f": {_number(before[k, j])} becomes {_number(after[k, j])}"
                if not math.isclose(before[k, j] + product.x, after[k, j], abs_tol=1e-9):
                    then += ", with what the same weight adds in its other places"
                yield Line([start, delta, " * ", a, " = ", product], then)

    def averages(self, level: int) -> Iterator[Line]:
        """Write each entry of D, which needs all examples."""
        found = self.found
        for k, row in enumerate(found.D[level], start=1):
            for j, d in enumerate(row):
                how = f"{_number(found.Delta[level][k, j])} / {found.m}"
                if found.lam and j:
                    theta = _number(found.Theta[level][k, j])
                    how += f" + {_number(found.lam)} / {found.m} * {theta}"
                yield Line([f"{entry(f'D{level}', k, j)} = {how} = ", Number(d)])

    def _with_bias(self, level: int) -> list[Number]:
        return [Number(1.0), *map(_data, self.a(level))]

    def _delta(self, level: int, k: int) -> Number:
        z = self.found.z[level].value(self.i, k)
        return Number(self.found.delta[level][self.i, k], "grad", z)


def _one_by_one(moment: story.Moment, i: int) -> Iterator[story.Moment]:
    """Split the deltas of a layer into moments, each of which asks for its sign."""
    for z, line in zip(moment.values, moment.lines):
        delta = line.parts[-1]
        assert isinstance(delta, Number)
        hundredth = Number(delta.x / 100, "total", [(Number(0.01), delta)])
        z_rises = f"If {z.label} rises by 0.01, {entry('cost', i)} changes by about "
        words = Line([z_rises, hundredth, "."])
        yield moment._replace(values=[z], lines=[line], asks=0, why=_why(line), meaning=words)


def _why(line: Line) -> Line:
    """Say what the sign of a delta comes from: its factors, or a and y."""
    how = line.parts[1:-2]
    paths, slope = how[0], how[-1]
    if isinstance(paths, Products) and not paths.more:
        total = Number(sum(x.x * y.x for x, y in paths.pairs), "total", paths.pairs)
        return Line(["The paths add up to ", total, ", and g' is ", slope, "."])
    if isinstance(paths, Products):
        return Line(["Its factors are ", paths, " and ", slope, "."])
    minus = " - " in how
    return Line(["It is output minus label, " if minus else "Its factors are ", *how, "."])


def _asking(moment: story.Moment) -> story.Moment:
    """Ask for the sign of one addition: where it can, one whose sign is not that of its delta."""
    signs = [
        (n, delta.x < 0, a.x < 0)
        for n, line in enumerate(moment.lines)
        for delta, a in [(line.parts[1], line.parts[3])]
        if isinstance(delta, Number) and isinstance(a, Number) and delta.x * a.x
    ]
    if not signs:
        return moment
    asks = next((n for n, _, turned in signs if turned), signs[-1][0])
    _, delta, _, a, *_ = moment.lines[asks].parts
    why = Line(["The delta is ", delta, ", and what it meets is ", a, "."])
    return moment._replace(asks=asks, why=why)


def _data(v: Value) -> Number:
    return Number(v.data, "data", v)


def _slope(slope: float, z: Value, a: Value) -> Number:
    return Number(slope) if a is z else Number(slope, "slope", (z, a))


def _products(pairs: list[Pair]) -> Products:
    if len(pairs) <= _MOST_TERMS + 1:
        return Products(pairs)
    return Products(pairs[:_MOST_TERMS], len(pairs) - _MOST_TERMS)


def _number(x: float) -> str:
    return story.text(Line([Number(x)]))


def _first(lines: Sequence[str]) -> list[str]:
    if len(lines) <= _MOST_LINES:
        return list(lines)
    return [*lines[:_MOST_LINES], f"... and {len(lines) - _MOST_LINES:,} more"]
