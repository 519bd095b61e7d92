"""Pictures of graphs: the text in boxes and on arrows, descriptions and files."""

# ruff: noqa: RUF001  (the cross of a shape is meant)

from __future__ import annotations

import base64
import html
import io
import math
import random
import re
import struct
import sys
import xml.etree.ElementTree as ElementTree
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import graphviz
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from micrograd import Value, draw_dot, toposort
from micrograd.draw import Diagram, graph
from micrograd.draw.diagram import formats, layout
from micrograd.draw.scene import theme
from micrograd.draw.scene.labels import number, printable, wrapped
from micrograd.nn import MLP, Neuron

SVG = "{http://www.w3.org/2000/svg}"


def lecture_neuron() -> tuple[Value, dict[str, Value]]:
    """Build the neuron of the lecture that introduced micrograd, after its backward pass."""
    data = {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0, "b": 6.8813735870195432}
    v = {name: Value(x, label=name) for name, x in data.items()}
    n = v["w1"] * v["x1"] + v["w2"] * v["x2"] + v["b"]
    n.label = "n"
    o = n.tanh()
    o.label = "o"
    o.backward()
    return o, {**v, "n": n}


def element(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def parts(svg: str, kind: str) -> list[ElementTree.Element]:
    """List the boxes ("box") or the arrows ("arrow")."""
    groups = element(svg).iter(f"{SVG}g")
    return [g for g in groups if (g.get("class") or "").split()[:1] == [kind]]


def texts(part: ElementTree.Element) -> list[str]:
    found = ("".join(t.itertext()).replace("\xa0", " ").strip() for t in part.iter(f"{SVG}text"))
    return [text for text in found if text]


def box(svg: str, name: str) -> list[str]:
    (found,) = (texts(part) for part in parts(svg, "box") if texts(part)[0] == name)
    return found


def is_loud(svg: str, name: str) -> bool:
    (part,) = (part for part in parts(svg, "box") if texts(part)[0] == name)
    return "loud" in str(part.get("class")).split()


# Boxes -----------------------------------------------------------------------------------------


def test_a_box_has_name_operation_data_and_grad() -> None:
    o, _ = lecture_neuron()
    svg = graph(o).svg
    assert box(svg, "o") == ["o", "tanh", "data", "0.7071", "grad", "1"]
    assert box(svg, "x1") == ["x1", "data", "2", "grad", "-1.5"]
    assert len(parts(svg, "box")) == 10


def test_four_significant_digits() -> None:
    assert [number(x) for x in (1 / 3, -2.0, 123456.0, 1.5e-7)] == [
        "0.3333", "-2", "1.235e+05", "1.5e-07",
    ]  # fmt: skip


def test_kinds_are_told_apart_by_shape_and_by_colour() -> None:
    model = Neuron(1)
    out = model([Value(2.0, label="x")]) * 3
    source = graph(out).source
    looks = {
        (re.search(r"shape=(\w+)", line)[1], re.search(r' color="(#\w+)"', line)[1])  # type: ignore[index]
        for line in source.splitlines()
        if re.match(r"\s*b\d+ \[", line)
    }
    assert len(looks) == len({shape for shape, _ in looks}) == len({c for _, c in looks}) == 4
    assert all(f" {kind} " in source for kind in ("parameter", "input", "constant", "result"))


def test_the_palette_is_legible() -> None:
    """Check for a contrast of at least 4.5 between text and its background (WCAG, AA)."""
    from micrograd.draw.scene import theme

    def luminance(colour: str) -> float:
        channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear))

    for ground in ["#FFFFFF", *(paint.fill for paint in theme.LIGHT.values())]:
        for ink in (theme.INK, theme.SOFT, theme.WRONG):
            assert (luminance(ground) + 0.05) / (luminance(ink) + 0.05) > 4.5, (ground, ink)


def test_nan_and_infinity_stand_out() -> None:
    big = Value(1e308, label="big") * 10
    big.label = "inf"
    out = big - big
    out.label = "difference"
    out.backward()
    source, svg = graph(out).source, graph(out).svg
    assert "nan" in box(svg, "difference")
    assert [is_loud(svg, name) for name in ("difference", "inf", "big")] == [True, True, False]
    assert "<B>nan</B></FONT>" in source
    assert "<B>inf</B></FONT>" in source


def test_before_a_backward_pass_no_grad_is_shown_and_the_picture_says_why() -> None:
    x = Value(3.0, label="x")
    y = x * x
    before = graph(y)
    assert box(before.svg, "x") == ["x", "data", "3"]
    assert "no backward pass" in before.svg
    assert "No backward pass" in before.description
    y.backward()
    after = graph(y)
    assert box(after.svg, "x") == ["x", "data", "3", "grad", "6"]
    assert "backward pass" not in after.svg


def test_grads_left_by_another_graph_do_not_pass_for_this_one() -> None:
    x = Value(3.0, label="x")
    (x * x).backward()
    assert box(graph(x + 1).svg, "x") == ["x", "data", "3"]


def test_parameters_are_called_by_their_path() -> None:
    model = MLP(2, [2, 1])
    svg = graph(model([1.0, 2.0]), fold=None).svg
    names = ["".join(t for t in texts(part) if t[0] in "lb.") for part in parts(svg, "box")]
    assert any(name.startswith("layers[0].neurons[1].w[1]") for name in names)


def test_names_given_are_shown() -> None:
    x = Value(1.0)
    assert "delta3[1]" in graph(x * 2, names={x: "delta3[1]"}).svg


# Arrows ----------------------------------------------------------------------------------------


def ends(diagram: Diagram) -> list[tuple[str, str]]:
    return re.findall(r"\b(b\d+) -> (b\d+)", diagram.source)


def test_a_plus_a_has_two_arrows() -> None:
    a = Value(2.0, label="a")
    assert ends(graph(a + a)) == [("b0", "b1")] * 2
    assert len(parts(graph(a + a).svg, "arrow")) == 2


def test_arrows_come_in_the_order_of_the_operands() -> None:
    a, b = Value(1.0, label="a"), Value(2.0, label="b")
    diagram = graph(b / a)
    names = [diagram.folding.outline.name(box.values[0]) for box in diagram.folding.boxes]
    assert [names[int(tail[1:])] for tail, _ in ends(diagram)] == ["b", "a"]
    assert "ordering=in" in diagram.source


def test_derivatives_stand_on_the_arrows_as_formula_and_number() -> None:
    o, _ = lecture_neuron()
    labels = [texts(part) for part in parts(graph(o, derivatives=True).svg, "arrow")]
    assert ["1 - o * o", "= 0.5"] in labels
    assert ["x1", "= 2"] in labels
    assert ["w1", "= -3"] in labels
    assert labels.count(["1"]) == 4  # of the two sums
    assert not any(texts(part) for part in parts(graph(o).svg, "arrow"))


def test_derivatives_use_names_that_no_program_could() -> None:
    x, y = Value(2.0, label="v1_ <x>"), Value(5.0, label="y&z")
    labels = [texts(part) for part in parts(graph(x * y, derivatives=True).svg, "arrow")]
    assert sorted(labels) == [["v1_ <x>", "= 2"], ["y&z", "= 5"]]


def test_a_derivative_that_cannot_be_computed_raises_as_in_backward() -> None:
    with pytest.raises(ZeroDivisionError, match="derivative of sqrt"):
        graph(Value(0.0).sqrt(), derivatives=True)


# Folding ---------------------------------------------------------------------------------------


def test_a_folded_box_says_what_it_holds() -> None:
    model = MLP(2, [16, 16, 1])
    model([1.0, -2.0]).backward()
    out = model([1.0, -2.0])
    model.zero_grad()
    out.backward()
    diagram = graph(out)
    layer = model.layers[1]
    norm = math.hypot(*(p.grad for p in layer.parameters()))
    assert box(diagram.svg, "layers[1]") == [
        "layers[1]", "Layer of 800 Values", "w 16×16, b 16", "|grad|", number(norm),
    ]  # fmt: skip
    assert len(parts(diagram.svg, "box")) == 5
    assert "979 Values, folded into 5 boxes." in diagram.svg
    assert "Folded into 5 boxes, among them layers[0]" in diagram.description


def test_folding_can_be_chosen() -> None:
    model = MLP(2, [4, 4, 1])
    out = model([1.0, -2.0])
    counts = [len(parts(graph(out, fold=f).svg, "box")) for f in (None, "neuron", "layer", 5)]
    assert counts == [len(toposort(out)), 11, 5, 5]
    assert "folded" not in graph(out, fold=None).svg


@pytest.mark.parametrize("fold", [1, 0, True, 2.5, ["layer"]])
def test_a_fold_that_is_none_is_refused(fold: Any) -> None:
    with pytest.raises(ValueError, match="fold must be a number of boxes"):
        graph(Value(1.0) + 1, fold=fold)


def test_what_is_no_value_is_refused() -> None:
    with pytest.raises(TypeError, match=r"or a list of such, got list"):
        graph([Value(1.0), 2.0])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"names must be of Values.* got 3"):
        graph(Value(1.0), names={3: "a"})
    with pytest.raises(ValueError, match="rankdir must be one of"):
        graph(Value(1.0), rankdir="up")


# Legible ---------------------------------------------------------------------------------------


def loss_of_moons() -> Value:
    model = MLP(2, [16, 16, 1])
    points = [[random.uniform(-1, 2), random.uniform(-1, 1)] for _ in range(20)]
    losses = [(1 + -1 * model(list(map(Value, point)))).relu() for point in points]
    loss: Any = sum(losses) / 20 + 1e-4 * sum(p * p for p in model.parameters())
    return loss  # type: ignore[no-any-return]


def mean_square_of_lecture() -> Value:
    model = MLP(3, [4, 4, 1], activation="tanh")
    rows = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
    loss: Any = sum((model(x) - y) ** 2 for x, y in zip(rows, [1, -1, -1, 1]))
    return loss  # type: ignore[no-any-return]


def alternating(length: int) -> Value:
    x = Value(0.5, label="x")
    for _ in range(length):
        x = (x * 1.1).sin()
    return x


def wide() -> Value:
    terms = [Value(float(i), label=f"a rather long name of number {i}") for i in range(12)]
    return sum((t.tanh() for t in terms), Value(0.0))


PICTURES: dict[str, Callable[[], tuple[Value, Any]]] = {
    "neuron of the lecture": lecture_neuron,
    "neuron": lambda: (Neuron(6, activation="tanh")([1.0] * 6), None),
    "network 2-3-1": lambda: (MLP(2, [3, 1])([1.0, -2.0]), None),
    "network 3-4-4-1": lambda: (MLP(3, [4, 4, 1])([1.0, -2.0, 3.0]), None),
    "loss of the lecture": lambda: (mean_square_of_lecture(), None),
    "network 2-16-16-1": lambda: (MLP(2, [16, 16, 1])([1.0, -2.0]), None),
    "loss of the moons": lambda: (loss_of_moons(), None),
    "short chain": lambda: (alternating(6), None),
    "chain": lambda: (alternating(14), None),
    "long chain": lambda: (alternating(100), None),
    "wide": lambda: (wide(), None),
}


@pytest.mark.parametrize("derivatives", [False, True])
@pytest.mark.parametrize("name", PICTURES)
def test_text_is_10_pixels_high_in_a_column_of_960(name: str, derivatives: bool) -> None:
    random.seed(3)
    root, _ = PICTURES[name]()
    root.backward()
    svg = graph(root, derivatives=derivatives).svg
    width = float(element(svg).attrib["width"])
    smallest = min(map(float, re.findall(r"font(?:-size)?: ?(\d+)px", svg)))
    assert smallest == 12
    assert smallest * min(1, 960 / width) >= 10


def test_boxes_do_not_overlap() -> None:
    random.seed(3)
    svg = graph(mean_square_of_lecture()).svg
    frames = [frame(part) for part in parts(svg, "box")]
    for i, (left, top, right, bottom) in enumerate(frames):
        for left2, top2, right2, bottom2 in frames[:i]:
            assert left > right2 or left2 > right or top > bottom2 or top2 > bottom


def frame(part: ElementTree.Element) -> tuple[float, float, float, float]:
    x, y = map(float, re.findall(r"-?[\d.]+", part.get("transform", "")))
    shape = next(e for e in part if e.get("class") == "shape")
    across = [float(n) for n in re.findall(r"H([\d.]+)", shape.get("d", ""))]
    down = [float(n) for n in re.findall(r"V([\d.]+)", shape.get("d", ""))]
    width = max([float(shape.get("width", 0)), *across])
    return x, y, x + width, y + max([float(shape.get("height", 0)), *down])


# Any text --------------------------------------------------------------------------------------

AWKWARD = ["<", "a|b", "{x}", '"quoted"', "two\nlines", "\\N\\l", "é ∂ Σ 漢字", "&amp;"]
AWKWARD += ["\x00\x1b", "<B>", "->", "\\", "<<", "'", "%", "\u200d", "]]>"]


@pytest.mark.parametrize("label", AWKWARD)
def test_awkward_labels_are_shown_as_they_are(label: str) -> None:
    svg = graph(Value(1.0, label=label) * 2, derivatives=True).svg
    assert printable(label) + "data1" in ["".join(texts(part)) for part in parts(svg, "box")]


@given(st.lists(st.text(max_size=40), min_size=1, max_size=8))
@settings(max_examples=25)
def test_any_text_as_label_renders(labels: list[str]) -> None:
    leaves = [Value(float(i), label=label) for i, label in enumerate(labels)]
    out: Value = sum(leaves[1:], leaves[0]).tanh()
    out.label = labels[0]
    svg = graph(out, derivatives=True).svg
    assert len(parts(svg, "box")) == len(labels) + max(len(labels) - 1, 0) + 1


@given(st.text())
def test_a_broken_name_is_short_and_loses_only_blanks_and_what_is_cut(name: str) -> None:
    lines = wrapped(name)
    assert all(len(line) <= 20 for line in lines)
    assert len(lines) <= 3
    if lines and not lines[-1].endswith("…"):
        assert "".join(lines).replace(" ", "") == printable(name.strip()).replace(" ", "")


# Words, files, notebooks -----------------------------------------------------------------------


def test_the_svg_says_what_it_shows() -> None:
    o, _ = lecture_neuron()
    diagram = graph(o)
    root = element(diagram.svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == f"Computation graph of o. {diagram.description}"
    assert [child.tag for child in root][:2] == [f"{SVG}title", f"{SVG}desc"]
    assert (
        root[1].text
        == diagram.description
        == (
            "A graph of 10 Values: 5 inputs (w1, x1, w2, x2, b), 5 results. "
            "The result is o tanh, data 0.7071, grad 1"
        )
    )
    titles = [part.findtext(f"{SVG}title") for part in parts(diagram.svg, "box")]
    assert "x1, data 2, grad -1.5" in titles
    arrows = [part.findtext(f"{SVG}title") for part in parts(diagram.svg, "arrow")]
    assert "n + goes into o tanh" in arrows


def test_the_picture_stands_on_paper_in_light_and_dark() -> None:
    o, _ = lecture_neuron()
    svg = graph(o).svg
    sheet = next(element(svg).iter(f"{SVG}rect"))
    assert [sheet.get(name) for name in ("class", "width", "height")] == ["sheet", "100%", "100%"]
    assert ".picture .sheet { fill: var(--paper); }" in svg


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position < len(png):
        (length,) = struct.unpack(">I", png[position : position + 4])
        kind, data = png[position + 4 : position + 8], png[position + 8 : position + 8 + length]
        (check,) = struct.unpack(">I", png[position + 8 + length : position + 12 + length])
        assert check == zlib.crc32(kind + data)
        yield kind, data
        position += length + 12


def test_save_writes_what_the_name_says(tmp_path: Path) -> None:
    o, _ = lecture_neuron()
    diagram = graph(o)
    for name in ("a.svg", "a.png", "a.pdf", "a.dot", "a.html", "b.SVG"):
        diagram.save(tmp_path / name)
    assert element((tmp_path / "a.svg").read_text(encoding="utf-8")).get("role") == "img"
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    assert (tmp_path / "a.dot").read_text(encoding="utf-8") == diagram.source
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert diagram.svg in page
    png = dict(chunks((tmp_path / "a.png").read_bytes()))
    assert png[b"iTXt"] == b"Description\0\0\0\0\0" + diagram.description.encode()
    size = [float(element(diagram.svg).attrib[side]) for side in ("width", "height")]
    assert list(struct.unpack(">II", png[b"IHDR"][:8])) == [2 * x for x in size]
    assert struct.unpack(">IIB", png[b"pHYs"]) == (7559, 7559, 1)  # shown in the size of the SVG
    diagram.save(str(tmp_path / "by_string.svg"))
    with pytest.raises(ValueError, match=r"saved as .svg, .png, .pdf, .dot, .html: got 'a.gif'"):
        diagram.save(tmp_path / "a.gif")


def pixels(png: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_a_png_is_the_drawing_of_the_svg() -> None:
    """The boxes are where the SVG has them, in the light colours, with text in them."""
    o, _ = lecture_neuron()
    diagram = graph(o)
    image = pixels(diagram._in_format(".png"))
    boxes = [g for g in element(diagram.svg).iter(f"{SVG}g") if "data-box" in g.attrib]
    assert len(boxes) == len(diagram.folding.boxes)
    for box in boxes:
        x, y = (2 * float(n) for n in re.findall(r"[\d.]+", box.attrib["transform"]))
        kind = next(k for k in theme.LIGHT if k in box.attrib["class"].split())
        place = image[int(y) + 8 : int(y) + 40, int(x) + 8 : int(x) + 60].reshape(-1, 3)
        fill = [int(theme.LIGHT[kind].fill[i : i + 2], 16) for i in (1, 3, 5)]
        assert (place == fill).all(axis=1).mean() > 0.5
        assert image[int(y) + 10 : int(y) + 120, int(x) + 10 : int(x) + 200].min() < 60  # ink
    assert (image[0, 30] == 255).all()  # paper


def drawn(pdf: bytes) -> str:
    """Return the drawing instructions of a PDF's page."""
    streams = re.findall(rb"stream\n([^\n]*~>)endstream", pdf)
    read = (zlib.decompress(base64.a85decode(code, adobe=True)) for code in streams)
    return "".join(text.decode("latin-1") for text in read)


def test_a_pdf_is_the_drawing_of_the_svg(capfd: pytest.CaptureFixture[str]) -> None:
    """It has the size of the SVG, its boxes in their colours, and its letters."""
    a, held = Value(2.0, label="a∂"), Value(0.5)
    y = (a * held + 3).tanh() + 1
    y.backward()
    diagram = graph(y)
    pdf = diagram._in_format(".pdf")
    svg = element(diagram.svg)
    sides = [float(svg.attrib[side]) * 0.75 for side in ("width", "height")]
    assert f"/MediaBox [ 0 0 {sides[0]:g} {sides[1]:g} ]".encode() in pdf
    fills = re.findall(r"^([\d.]+) ([\d.]+) ([\d.]+) rg$", drawn(pdf), re.M)
    done = Counter("#" + "".join(f"{round(255 * float(x)):02X}" for x in fill) for fill in fills)
    boxes = [g.attrib["class"] for g in svg.iter(f"{SVG}g") if "data-box" in g.attrib]
    for kind in ("input", "leaf", "constant", "result"):
        assert done[theme.LIGHT[kind].fill] >= sum(kind in looks.split() for looks in boxes) > 0
    assert done[theme.PAPER] == 1
    assert done["#000000"] == 1  # where the page begins
    assert b"DejaVu" in pdf
    assert b"/Title (Computation graph)" in pdf
    assert pdf == diagram._in_format(".pdf")  # the same in every run
    assert capfd.readouterr() == ("", "")


def test_without_svglib_a_pdf_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "svglib.svglib", None)
    with pytest.raises(RuntimeError, match=r"made of the SVG by svglib, .* pip install"):
        graph(Value(1.0) + 2)._in_format(".pdf")


def test_without_resvg_a_png_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    o, _ = lecture_neuron()
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(RuntimeError, match=r"pip install 'micrograd\[dot\]', or save .* as .svg"):
        graph(o)._in_format(".png")


def test_letters_are_matplotlibs_or_the_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    [folder] = formats._fonts()["font_dirs"]
    assert list(Path(folder).glob("DejaVuSans.ttf"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert formats._fonts() == {"sans_serif_family": "DejaVu Sans", "font_family": "DejaVu Sans"}


def test_a_notebook_gets_the_picture_with_alt_text_and_words() -> None:
    o, _ = lecture_neuron()
    diagram = graph(o)
    bundle = diagram._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    code = re.search(r"base64,([^\"]+)", bundle["text/html"])
    assert code
    assert base64.b64decode(code[1]).decode() == diagram.svg
    assert (
        f'alt="Computation graph of o. {html.escape(diagram.description)}"' in bundle["text/html"]
    )
    bare = diagram._repr_mimebundle_(include=["image/svg+xml"])
    assert bare == {"image/svg+xml": diagram.svg}
    assert "text/html" not in diagram._repr_mimebundle_(exclude=["text/html"])
    assert str(diagram) == diagram.description
    assert repr(diagram) == f"<Diagram: {diagram.description}>"


def test_a_label_cannot_leave_the_alt_text() -> None:
    evil = Value(1.0, label='"><script>alert(1)</script>')
    for text in graph(evil * 2)._repr_mimebundle_().values():
        assert "<script" not in text or text.startswith("A graph")


# draw_dot --------------------------------------------------------------------------------------


def test_draw_dot_is_a_digraph_with_every_value(tmp_path: Path) -> None:
    model = MLP(2, [8, 8, 1])
    out = model([1.0, 2.0])
    dot = draw_dot(out, format="png", rankdir="TB")
    assert isinstance(dot, graphviz.Digraph)
    assert dot.format == "png"
    assert "rankdir=TB" in dot.source
    assert len(re.findall(r"^\tb\d+ \[", dot.source, re.MULTILINE)) == len(toposort(out))
    assert "rankdir=LR" in draw_dot(Value(1.0) + 1).source
    a = Value(2.0, label="a")
    shown = draw_dot(a + a)._repr_mimebundle_()["image/svg+xml"]
    assert shown.count('class="edge"') == 2
    assert 'aria-label="Computation graph. A graph of 2 Values' in shown
    written = draw_dot(a + a).render(tmp_path / "sum", cleanup=True)
    assert Path(written).read_text(encoding="utf-8").count('class="edge"') == 2


def test_layout_is_asked_for_once_per_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    render = layout.render

    def counting(source: str, format: str) -> bytes:
        asked.append(format)
        return render(source, format)

    monkeypatch.setattr(layout, "render", counting)
    diagram = graph(Value(1.0) + 1)
    assert asked == []
    diagram._repr_mimebundle_()
    diagram._repr_mimebundle_()
    assert asked == ["json0"]
