"""A story: what a stepper tells instead of each `+=`, in moments of the teller's choice.

Its lines hold numbers of the graph, which the script of the page computes anew after an edit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Union

from micrograd.draw.scene.labels import number
from micrograd.engine import Value


class Number(NamedTuple):
    """A number in a line; without a `slot` it stays as it is when a leaf is edited.

    Otherwise it is the "data" or the "grad" of the Value `of`, the "slope" of the second Value of
    the pair `of` with respect to the first, or the "total" of the products of the pairs `of`.
    """

    x: float
    slot: str = ""
    of: Any = None


class Products(NamedTuple):
    """A sum of products, of which `more` are not written out.

    >>> text(Line(["z = ", Products([(Number(0.3), Number(2.0)), (Number(0.5), Number(-1.0))])]))
    'z = 0.3*2 - 0.5*1'
    """

    pairs: Sequence[tuple[Number, Number]]
    more: int = 0


Part = Union[str, Number, Products]


class Line(NamedTuple):
    """A line in parts, the last of which is its result; `given` is left out after an edit."""

    parts: Sequence[Part]
    given: str = ""


class Moment(NamedTuple):
    """What is told at once: how `values` get their data (phase "forward") or their grads.

    `more` lines are not shown. `asks` is the place of the line, and of the Value, whose sign a
    reader is asked for; `why` is what a wrong answer is told. `meaning` says the result in other
    words. `edited` stands instead of the lines after an edit of a leaf. `end` is what the page
    says when all is told; it belongs to the last moment.
    """

    title: str
    phase: str
    values: Sequence[Value]
    lines: Sequence[Line]
    more: int = 0
    asks: int | None = None
    why: Line | None = None
    meaning: Line | None = None
    edited: str = ""
    end: str = ""


def text(line: Line) -> str:
    """Write a line with its numbers.

    >>> text(Line(["a3 - y = ", Number(0.9366), " - ", Number(1.0), " = ", Number(-0.0634)]))
    'a3 - y = 0.9366 - 1 = -0.0634'
    """
    return "".join(map(_text, line.parts)) + line.given


def cut_off(moment: Moment) -> str:
    """Say how many lines are not shown; empty if all are."""
    return f"... and {moment.more:,} more" if moment.more else ""


def story_data(story: Sequence[Moment], index: Mapping[Value, int]) -> list[list[Any]]:
    """Return a story for the script of a page, fit for JSON.

    What is not in the graph (an output that the loss leaves out) keeps its number.
    """
    return [
        [
            moment.title,
            moment.phase,
            [index[v] for v in moment.values if v in index],
            [_line_data(line, index) for line in moment.lines],
            cut_off(moment),
            _question(moment, index),
            moment.why and _line_data(moment.why, index),
            moment.meaning and _line_data(moment.meaning, index),
            moment.edited,
            moment.end,
        ]
        for moment in story
    ]


def _question(moment: Moment, index: Mapping[Value, int]) -> list[int] | None:
    """Return the places of the line and of the Value whose sign is asked for."""
    if moment.asks is None or moment.values[moment.asks] not in index:
        return None
    return [moment.asks, index[moment.values[moment.asks]]]


def _text(part: Part) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, Number):
        return number(part.x + 0.0)  # no -0
    written = ""
    for x, y in part.pairs:
        minus = (x.x < 0) != (y.x < 0)
        before = (" - " if minus else " + ") if written else "-" * minus
        written += f"{before}{number(abs(x.x))}*{number(abs(y.x))}"
    return written + (f" + {part.more} more" if part.more else "")


def _line_data(line: Line, index: Mapping[Value, int]) -> list[Any]:
    return [[_part_data(part, index) for part in line.parts], line.given]


def _part_data(part: Part, index: Mapping[Value, int]) -> Any:
    if isinstance(part, str):
        return part
    if isinstance(part, Products):
        return ["products", _pairs_data(part.pairs, index), part.more]
    if part.slot == "total":
        return ["total", _pairs_data(part.of, index)]
    values = part.of if part.slot == "slope" else [part.of]
    if part.slot and all(v in index for v in values):
        return [part.slot, *(index[v] for v in values)]
    return part.x


def _pairs_data(pairs: Sequence[tuple[Number, Number]], index: Mapping[Value, int]) -> list[Any]:
    return [[_part_data(x, index), _part_data(y, index)] for x, y in pairs]
