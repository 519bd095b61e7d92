"""One example written out as by hand: every z, a, delta, Delta and D with its numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from micrograd.explain.course.notation import entry

if TYPE_CHECKING:
    from micrograd.explain.course.textbook import Deltas

_MOST_LINES = 12  # of a step that are shown
_MOST_TERMS = 6  # of a sum


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


def moments(found: Deltas, i: int) -> list[Moment]:
    """Write out example i, from 1: forward layer by layer, deltas backward, then Delta and D."""
    last = found.L
    forward = [
        Moment(title, list(lines))
        for level in range(2, last + 1)
        for title, lines in (
            (f"z of layer {level}: weighted sums", _z(found, i, level)),
            (f"a of layer {level}: g of these", _a(found, i, level)),
        )
    ]
    cost = entry("cost", i)
    deltas = [Moment(f"delta of layer {last}, the outputs", list(_output_deltas(found, i)))]
    deltas += [
        Moment(f"delta of layer {level}: Theta{level}' * delta{level + 1} .* g'(z{level})", lines)
        for level in range(last - 1, 1, -1)
        for lines in [list(_hidden_deltas(found, i, level))]
    ]
    sums = [
        Moment(f"what example {i} adds to Delta{level}", list(_additions(found, i, level)))
        for level in range(1, last)
    ]
    averages = [
        Moment(f"D{level}, when all {found.m:,} examples were added", list(_averages(found, level)))
        for level in range(1, last)
    ]
    total = Moment("the cost", [f"{cost} = {_number(found.costs[i - 1])}"])
    return [*forward, total, *deltas, *sums, *averages]


def _z(found: Deltas, i: int, level: int) -> Iterator[str]:
    below = found.a[level - 1][i]
    for k, row in enumerate(found.Theta[level - 1], start=1):
        yield f"{entry(f'z{level}', k)} = {_sum(zip(row, below))} = {_number(found.z[level][i, k])}"


def _a(found: Deltas, i: int, level: int) -> Iterator[str]:
    for k, z in enumerate(found.z[level][i], start=1):
        yield f"{entry(f'a{level}', k)} = g({_number(z)}) = {_number(found.a[level][i, k])}"


def _output_deltas(found: Deltas, i: int) -> Iterator[str]:
    last = found.L
    for k, delta in enumerate(found.delta[last][i], start=1):
        name, a = entry(f"delta{last}", k), found.a[last][i, k]
        if found.recording.loss is None:
            y = found.recording.labels[i - 1][k - 1]
            how = f"a{last}({k}) - y({k}) = {_number(a)} - {_number(y)}"
        else:
            how = f"dcost/da{last}({k}) * g'(z{last}({k}))"
        yield f"{name} = {how} = {_number(delta)}"


def _hidden_deltas(found: Deltas, i: int, level: int) -> Iterator[str]:
    above = found.delta[level + 1][i]
    for j, (delta, slope) in enumerate(zip(found.delta[level][i], found.slopes(i, level)), start=1):
        paths = _sum((row[j], d) for row, d in zip(found.Theta[level], above))
        yield f"{entry(f'delta{level}', j)} = ({paths}) * {_number(slope)} = {_number(delta)}"


def _additions(found: Deltas, i: int, level: int) -> Iterator[str]:
    before, after = found.after(i - 1).Delta[level], found.after(i).Delta[level]
    for k, delta in enumerate(found.delta[level + 1][i], start=1):
        for j, a in enumerate(found.a[level][i]):
            name = entry(f"Delta{level}", k, j)
            product = f"{_number(delta)} * {_number(a)} = {_number(delta * a)}"
            yield (f"{name} += {product}: {_number(before[k, j])} becomes {_number(after[k, j])}")


def _averages(found: Deltas, level: int) -> Iterator[str]:
    for k, row in enumerate(found.D[level], start=1):
        for j, d in enumerate(row):
            how = f"{_number(found.Delta[level][k, j])} / {found.m}"
            if found.lam and j:
                theta = _number(found.Theta[level][k, j])
                how += f" + {_number(found.lam)} / {found.m} * {theta}"
            yield f"{entry(f'D{level}', k, j)} = {how} = {_number(d)}"


def _sum(pairs: Iterable[tuple[float, float]]) -> str:
    """Write a sum of products, with the signs between them."""
    text = ""
    terms = list(pairs)
    for n, (x, y) in enumerate(terms):
        if n == _MOST_TERMS and len(terms) > _MOST_TERMS + 1:
            return f"{text} + {len(terms) - n} more"
        product = f"{_number(abs(x))}*{_number(abs(y))}"
        minus = (x < 0) != (y < 0)
        text += (" - " if minus else " + ") + product
        if n == 0:
            text = f"-{product}" if minus else product
    return text


def _number(x: float) -> str:
    return f"{x + 0.0:.4g}"


def _first(lines: Sequence[str]) -> list[str]:
    if len(lines) <= _MOST_LINES:
        return list(lines)
    return [*lines[:_MOST_LINES], f"... and {len(lines) - _MOST_LINES:,} more"]
