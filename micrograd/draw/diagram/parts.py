"""The parts of a drawing, as its maker describes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """A line in a box: its caption, the slot of its number, and the finished number."""

    caption: str
    slot: str
    text: str


class Box(NamedTuple):
    """A box that stands for one Value, or for all of a folded part; a name may have lines."""

    key: str
    kind: str
    name: str
    symbol: str
    notes: Sequence[str]  # lines without numbers
    rows: Sequence[Row]
    tooltip: str
    looks: str = ""  # "root", "loud" and "many" draw it so
    number: int = 10  # letters of a number, as in -1.234e-05, so that the box need not grow
    wrapped: bool = False  # its name is in lines already, and is not cut


class Arrow(NamedTuple):
    """An arrow from an operand to a port of its consumer; `single` if both are single Values.

    `label` has the lines of the text on it, `tooltip` says where it leads.
    """

    key: str
    tail: str
    head: str
    port: int = 0
    single: bool = True
    label: Sequence[str] = ()
    tooltip: str = ""


class Frame(NamedTuple):
    """A frame around the boxes and inner frames of a part that is open."""

    key: str
    name: str
    boxes: Sequence[str]
    frames: Sequence[Frame]


class Place(NamedTuple):
    """The top left corner and the size, in pixels."""

    x: float
    y: float
    width: float
    height: float
