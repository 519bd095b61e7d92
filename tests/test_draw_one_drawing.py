"""The one drawing of graphs and steppers: arrows, labels, themes, sizes."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Any

import pytest

from micrograd import Value
from micrograd.draw import graph, stepper
from micrograd.draw.diagram.graph_picture import DIRECTIONS
from micrograd.draw.scene import theme
from micrograd.nn import MLP

SVG = "{http://www.w3.org/2000/svg}"
Point = tuple[float, float]
Room = tuple[float, float, float, float]  # left, top, right, bottom


def any_graph(seed: int) -> Value:
    """Make a small graph or a network, after a backward pass."""
    rng = random.Random(seed)
    if seed % 5 == 0:
        random.seed(seed)
        model = MLP(2, [rng.randrange(1, 5) for _ in range(seed % 3 + 1)] + [1])
        root: Value = model([Value(1.0, label="x"), Value(-2.0)])
    else:
        values = [Value(rng.uniform(1, 2), label=f"leaf {'x' * rng.randrange(9)}") for _ in "abcd"]
        for _ in range(rng.randrange(3, 14)):
            a, b = rng.choice(values[-5:]), rng.choice(values)
            make = [a + b, a * b, a - 0.5, (a * 0.1).tanh(), a.maximum(b), -a, a / 3]
            values.append(rng.choice(make))
        root = sum(values[-3:], Value(0.0))
    root.backward()
    return root


def elements(svg: str, kind: str) -> list[ElementTree.Element]:
    found = ElementTree.fromstring(svg).iter(f"{SVG}g")
    return [g for g in found if (g.get("class") or "").split()[:1] == [kind]]


def numbers(text: str) -> list[float]:
    return [float(x) for x in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", text)]


def room(box: ElementTree.Element) -> Room:
    """Return where a box stands: its shape without the tab of a folder."""
    x, y = numbers(box.get("transform", ""))
    shapes = [e for e in box if (e.get("class") or "") == "shape"]
    if shapes[0].tag == f"{SVG}rect":
        width, height = (float(shapes[0].get(name, 0)) for name in ("width", "height"))
    else:
        d = shapes[0].get("d", "")
        (op, *_) = [e for e in box if (e.get("class") or "") in ("op", "data")]
        width = float(op.get("x", 0)) + 9
        height = max(float(e.get("y", 0)) for e in box if e.tag == f"{SVG}text") + 9
        assert str(f"{width:g}") in d
    return x, y, x + width, y + height


def label_room(text: ElementTree.Element) -> Room:
    x, y = float(text.get("x", 0)), float(text.get("y", 0))
    half = 6.2 * len(text.text or "") / 2
    return x - half, y - 9, x + half, y + 2


def curve(arrow: ElementTree.Element) -> list[Point]:
    """Sample the cubic curves of an arrow."""
    (path,) = arrow.iter(f"{SVG}path")
    flat = numbers(path.get("d", ""))
    points = list(zip(flat[::2], flat[1::2]))
    sampled = points[:1]
    for k in range(0, len(points) - 1, 3):
        p = points[k : k + 4]
        for step in range(1, 25):
            t = step / 24
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
            sampled.append(tuple(sum(w * q[i] for w, q in zip(weights, p)) for i in (0, 1)))  # type: ignore[arg-type]
    return sampled


def inside(point: Point, place: Room, margin: float) -> bool:
    (x, y), (left, top, right, bottom) = point, place
    return left + margin < x < right - margin and top + margin < y < bottom - margin


def on_rim(point: Point, place: Room) -> bool:
    return inside(point, place, -2) and not inside(point, place, 2)


def faults(svg: str) -> Iterator[str]:
    """Yield what is wrong with the arrows of a picture."""
    places = {box.get("data-box"): room(box) for box in elements(svg, "box")}
    arrows = {arrow.get("data-arrow"): curve(arrow) for arrow in elements(svg, "arrow")}
    labels = [
        (arrow.get("data-arrow"), label_room(text))
        for arrow in elements(svg, "arrow")
        for text in arrow.iter(f"{SVG}text")
    ]
    for key, points in arrows.items():
        for end in (points[0], points[-1]):
            if not any(on_rim(end, place) for place in places.values()):
                yield f"{key} starts or ends off every box"
        for name, place in places.items():
            if any(inside(point, place, 2) for point in points):
                yield f"{key} crosses {name}"
        for owner, place in labels:
            if any(inside(point, place, 0) for point in points):
                yield f"{key} touches the label of {owner}"


@pytest.mark.parametrize("seed", range(50))
def test_no_arrow_is_off_a_box_or_crosses_one_or_touches_a_label(seed: int) -> None:
    root = any_graph(seed)
    way = DIRECTIONS[seed % 4] if seed % 3 == 0 else None
    assert list(faults(graph(root, derivatives=seed % 2 == 1, rankdir=way).svg)) == []


def test_faults_are_found() -> None:
    svg = graph(any_graph(1), derivatives=True).svg
    moved = re.sub(r'data-box="b(\d)" transform="translate\(', r"\g<0>40", svg)
    assert moved != svg
    assert list(faults(moved))


def test_the_text_is_10_pixels_high_in_a_column_of_960() -> None:
    random.seed(3)
    for sizes in ([3, 1], [4, 4, 1], [16, 16, 1]):
        root = MLP(3, sizes)([1.0, -2.0, 0.5])
        root.backward()
        for derivatives in (False, True):
            svg = ElementTree.fromstring(graph(root, derivatives=derivatives).svg)
            assert 12 * min(1, 960 / float(svg.get("width", "inf"))) >= 10


def test_a_graph_and_a_stepper_draw_a_box_alike() -> None:
    x = Value(2.0, label="x")
    y = x * x
    y.backward()
    (ours,) = [b for b in elements(graph(y).svg, "box") if "input" in (b.get("class") or "")]
    page = stepper(y)._views.first.svg("a square")
    (theirs,) = [b for b in elements(page, "box") if "input" in (b.get("class") or "")]

    def drawn(box: ElementTree.Element) -> list[Any]:
        inner = list(box)[1:]  # without the tooltip; widths leave room for numbers that change
        return [(e.tag, e.get("class"), e.get("y"), e.text) for e in inner]

    assert drawn(ours) == drawn(theirs)


@pytest.mark.parametrize("rankdir", ["LR", "TB"])
def test_the_neurons_of_a_layer_stand_in_order(rankdir: str) -> None:
    random.seed(3)
    picture = graph(MLP(2, [8, 1])([0.5, 1.0]), fold="neuron", rankdir=rankdir)
    drawn = elements(picture.svg, "box")
    drawn.sort(key=lambda box: numbers(box.get("transform", ""))[0 if rankdir == "TB" else 1])
    said = [box.findtext(f"{SVG}title", "").partition(",")[0] for box in drawn]
    first_layer = [name for name in said if name.startswith("layers[0]")]
    assert first_layer == [f"layers[0].neurons[{i}]" for i in range(8)]


def test_names_that_are_in_lines_are_not_cut() -> None:
    x = Value(2.0, label="layers[0].neurons[12].w[3]")
    (box,) = [b for b in elements(graph(x * 1).svg, "box") if "input" in (b.get("class") or "")]
    names = [e.text for e in box if e.get("class") == "name"]
    assert names == ["layers[0]", ".neurons[12].w[3]"]


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("common", "paints"), [(theme._LIGHT, theme.LIGHT), (theme._DARK, theme.DARK)]
)
def test_text_can_be_read_on_every_box_in_both_themes(
    common: dict[str, str], paints: dict[str, theme.Paint]
) -> None:
    for paint in paints.values():
        assert contrast(common["ink"], paint.fill) >= 7
        assert contrast(common["soft"], paint.fill) >= 4.5
        assert contrast(common["wrong"], paint.fill) >= 4.5
    assert contrast(common["soft"], common["paper"]) >= 4.5
    assert contrast(common["line"], common["paper"]) >= 3
