"""Where the text on arrows stands: where Graphviz put it, or nearby, where it touches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from math import hypot

from micrograd.draw.diagram.parts import Arrow, Place
from micrograd.draw.diagram.placing import SMALL_LINE

Point = tuple[float, float]

LETTER = 6.2  # the usual width of a letter
SAMPLES = 24  # points of each curve that are looked at
NEAR = 2  # pixels that are kept free around a text


def clear_labels(
    arrows: Sequence[Arrow],
    labels: Mapping[str, Point],
    paths: Mapping[str, str],
    boxes: Mapping[str, Place],
) -> dict[str, Point]:
    """Return the middles of all texts: as they are, or moved off arrows, boxes and each other."""
    curves = {arrow.key: list(points_of(paths[arrow.key])) for arrow in arrows}
    taken = list(boxes.values())
    found: dict[str, Point] = {}
    for arrow in arrows:
        if arrow.label:
            best, least = labels[arrow.key], len(curves) + len(taken)
            for at in chain([best], _beside(curves[arrow.key], arrow.label), _around(best)):
                touched = _touched(_room(at, arrow.label), curves, taken)
                if touched < least:
                    best, least = at, touched
                if not touched:
                    break
            found[arrow.key] = best
            taken.append(_room(best, arrow.label))
    return found


def points_of(path: str) -> Iterator[Point]:
    """Yield points of the cubic curves of a path.

    >>> list(points_of("M0 0C1 0 2 0 3 0"))[::12]
    [(0.0, 0.0), (1.5, 0.0), (3.0, 0.0)]
    """
    flat = [float(x) for x in re.findall(r"-?\d+\.?\d*", path)]
    points = list(zip(flat[::2], flat[1::2]))
    yield points[0]
    for k in range(0, len(points) - 1, 3):
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points[k : k + 4]
        for step in range(1, SAMPLES + 1):
            t = step / SAMPLES
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            yield a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3


def _room(middle: Point, label: Sequence[str]) -> Place:
    width, height = LETTER * max(map(len, label)), SMALL_LINE * len(label)
    return Place(middle[0] - width / 2, middle[1] - height / 2, width, height)


def _beside(curve: Sequence[Point], label: Sequence[str]) -> Iterator[Point]:
    """Yield places on both sides of a curve, the middle of it first."""
    _, _, width, height = _room((0, 0), label)
    middle = len(curve) // 2
    for x, y in sorted(curve[1:-1:2], key=lambda p: abs(curve.index(p) - middle)):
        for away in (3, 12, 24):
            for side in (1, -1):
                yield x, y + side * (height / 2 + away)
                yield x + side * (width / 2 + away), y
                yield x + side * (width / 2 + away), y + side * height / 2
                yield x + side * (width / 2 + away), y - side * height / 2


def _around(middle: Point) -> list[Point]:
    """List places around one, the nearest first."""
    shifts = [(dx, dy) for dx in range(-96, 97, 12) for dy in range(-64, 65, 8)]
    return [(middle[0] + dx, middle[1] + dy) for dx, dy in sorted(shifts, key=lambda d: hypot(*d))]


def _touched(room: Place, curves: Mapping[str, Sequence[Point]], taken: Sequence[Place]) -> int:
    """Count what a text would touch."""
    left, top = room.x - NEAR, room.y - NEAR
    right, bottom = room.x + room.width + NEAR, room.y + room.height + NEAR
    count = sum(
        left < p.x + p.width and p.x < right and top < p.y + p.height and p.y < bottom
        for p in taken
    )
    return count + sum(
        any(left < x < right and top < y < bottom for x, y in curve) for curve in curves.values()
    )
