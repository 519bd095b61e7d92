"""The stepper without a browser: its numbers, names and files, and its output in a notebook."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from processes import printed
from stepper_works import WORKS, network, neuron, twice

import micrograd as mg
from micrograd import Value, toposort
from micrograd.draw import Stepper, stepper
from micrograd.graph.steps import backward_steps
from micrograd.nn import MLP

SVG = "{http://www.w3.org/2000/svg}"


def data_of(page: str) -> dict[str, Any]:
    """Return the data that the page gives its script."""
    found = re.search(r'<script type="application/json" id="narration">(.*?)</script>', page, re.S)
    assert found
    data: dict[str, Any] = json.loads(found[1])
    return data


def svg_of(given: Stepper) -> ElementTree.Element:
    """Return the picture that a notebook shows, parsed."""
    html = given._repr_mimebundle_()["text/html"]
    assert isinstance(html, str)
    found = re.search(r"data:image/svg\+xml;base64,([^\"]+)", html)
    assert found
    return ElementTree.fromstring(base64.b64decode(found[1]))


def texts(svg: ElementTree.Element) -> list[str]:
    return ["".join(t.itertext()) for t in svg.iter(f"{SVG}text")]


# The numbers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORKS)
def test_the_page_has_the_data_to_the_last_digit_and_who_made_what(name: str) -> None:
    root = WORKS[name]()
    data = data_of(stepper(root).html())
    order = toposort(root)
    place = {v: i for i, v in enumerate(order)}
    assert [repr(float(v[1])) for v in data["values"]] == [repr(v.data) for v in order]
    for told, v in zip(data["values"], order):
        assert told[4:] == ([[place[x] for x in v.parents]] if v.parents else [])
        if v.parents and data["ops"][told[3]][2]:
            assert v.op is not None
            assert data["ops"][told[3]][2] == v.op.name


@pytest.mark.parametrize("name", WORKS)
def test_what_the_table_does_not_know_comes_as_numbers(name: str) -> None:
    root = WORKS[name]()
    data = data_of(stepper(root).html())
    order = toposort(root)
    own = {i: data["own"].get(str(i), []) for i, v in enumerate(order) if v.parents}
    for i, told in own.items():
        known = bool(data["ops"][data["values"][i][3]][2])
        steps = [step for step in backward_steps(root) if step.consumer is order[i]]
        expected = [] if known else [[s.position, s.local, s.product] for s in steps]
        assert told == expected


def test_both_cores_give_the_same_page(tmp_path: Path) -> None:
    program = (
        "import sys; from stepper_works import network; from micrograd.draw import stepper;"
        "stepper(network()).save(sys.argv[1])"
    )
    pages = []
    for pure in ("", "1"):
        path = tmp_path / f"core{pure}.html"
        env = {k: v for k, v in os.environ.items() if k != "MICROGRAD_PURE"}
        env |= {"MICROGRAD_PURE": pure} if pure else {}
        printed(program, str(path), env=env, cwd=Path(__file__).parent)
        pages.append(path.read_text("utf-8"))
    assert pages[0] == pages[1]


def test_nothing_in_the_graph_is_changed() -> None:
    root = neuron()
    root.backward()
    before = [(v.data, v.grad, v.label) for v in toposort(root)]
    shown = stepper(root)
    shown.html()
    shown.svg()
    assert [(v.data, v.grad, v.label) for v in toposort(root)] == before


# The text --------------------------------------------------------------------------------------


def test_the_text_tells_every_step() -> None:
    lines = str(stepper(neuron())).splitlines()
    assert lines[:3] == ["forward", "v1 = w1 * x1 = -3 * 2 = -6", "v2 = w2 * x2 = 1 * 0 = 0"]
    assert "out = tanh(v4) = tanh(0.8814) = 0.7071" in lines
    assert "v4.grad += (1 - out * out) * out.grad = 0.5 * 1 = 0.5, now 0.5" in lines
    assert lines[-1] == "x1.grad += w1 * v1.grad = -3 * 0.5 = -1.5, now -1.5"


def test_both_arrows_of_a_plus_a_are_told() -> None:
    assert str(stepper(twice())).endswith(
        "a.grad += 1 * v1.grad = 1 * 1 = 1, now 1\na.grad += 1 * v1.grad = 1 * 1 = 1, now 2"
    )


def test_names_stand_for_values_and_for_their_gradients() -> None:
    a, theta = Value(0.5), Value(2.0)
    z = theta * a
    told = stepper(
        z.sigmoid(),
        names={a: "a2[1]", theta: "Theta2[1][1]", z: "z3[1]"},
        gradients={z: "delta3[1]", theta: "Delta2[1][1]"},
    )
    assert "Delta2[1][1] += a2[1] * delta3[1] = 0.5 * 0.1966 = 0.09831, now 0.09831" in str(told)
    assert {"z3[1]", "delta3[1]", "a2[1]", "Theta2[1][1]", "Delta2[1][1]"} <= set(
        texts(svg_of(told))
    )


def test_invented_names_do_not_repeat_given_ones() -> None:
    a = Value(1.0, label="v1")
    assert str(stepper(a * a * a)).splitlines()[1:3] == [
        "v2 = v1 * v1 = 1 * 1 = 1",
        "v3 = v2 * v1 = 1 * 1 = 1",
    ]


def test_a_leaf_alone_has_no_steps() -> None:
    shown = stepper(Value(3.0, label="x"))
    assert str(shown) == "forward\n\nbackward\nx.grad = 1"
    assert len(data_of(shown.html())["values"]) == 1


# The page --------------------------------------------------------------------------------------


def test_the_script_weighs_less_than_25_kilobytes() -> None:
    scripts = re.findall(r"<script>(.*?)</script>", stepper(network()).html(), re.S)
    assert len(scripts) == 1
    assert len(scripts[0].encode()) < 25_000


def test_the_page_names_no_other_address() -> None:
    page = stepper(network()).html()
    assert re.findall(r"https?://[^\"' ]+", page) == []
    assert "default-src 'none'" in page
    assert not re.search(r"\b(src|href|import|fetch|@import)\s*[=(]", page)


@settings(max_examples=10)
@given(st.text(max_size=30))
def test_any_text_is_a_label(label: str) -> None:
    x = Value(2.0, label=label)
    shown = stepper(x * x)
    page = shown.html()
    assert data_of(page)["values"][0][0] == (label or "p1")
    assert page.count("</script>") == 2
    ElementTree.fromstring(shown.svg())
    html = shown._repr_mimebundle_(exclude=["image/png"])["text/html"]
    assert isinstance(html, str)
    assert html.isascii()
    assert html.count("</script>") == 1
    svg_of(shown)


def test_saving_by_the_ending_of_the_name(tmp_path: Path) -> None:
    shown = stepper(neuron())
    shown.save(tmp_path / "x.html")
    shown.save(str(tmp_path / "x.svg"))
    assert (tmp_path / "x.html").read_text("utf-8").startswith("<!doctype html>")
    assert ElementTree.parse(tmp_path / "x.svg").getroot().tag == f"{SVG}svg"
    with pytest.raises(ValueError, match=r"not as 'x.gif': give a name that ends in .html or .svg"):
        shown.save(tmp_path / "x.gif")


def test_what_cannot_be_stepped_through_is_refused_with_advice() -> None:
    with pytest.raises(TypeError, match="the graph of one Value, got list"):
        stepper([Value(1.0)])  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError, match="sqrt"):
        stepper(Value(0.0).sqrt())
    x = Value(1.0)
    total = sum((x * x for _ in range(45)), Value(0.0))
    with pytest.raises(ValueError, match=r"takes 180 steps .* or allow it with limit=180"):
        stepper(total, limit=179)
    assert len(stepper(total, limit=180).narration.steps) == 180
    with pytest.raises(ValueError, match="an animation of 273 steps"):
        stepper(total * x).svg()
    with pytest.raises(ValueError, match="fold must be"):
        stepper(x * x, fold=1).html()


# Folding ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def big() -> Value:
    """Build the loss of a network of 25 neurons."""
    random.seed(4)
    model = MLP(2, [12, 12, 1], activation="tanh")
    loss: Value = (model([0.5, -1.0]) - 1.0) ** 2
    loss.model = model  # type: ignore[attr-defined]  # a scope holds its module weakly
    return loss


def test_a_big_graph_begins_folded_and_every_module_opens(big: Value) -> None:
    data = data_of(stepper(big).html())
    names = [part[0] for part in data["parts"]]
    assert names[:3] == ["MLP", "layers[0]", "layers[0].neurons[0]"]
    shown = {int(i) for i in data["views"]} - {-1}
    # The network is open from the beginning, and the neuron of the last layer with the layer.
    assert shown == set(range(1, len(names))) - {names.index("layers[2].neurons[0]")}


def test_the_neurons_of_a_layer_share_one_layout_and_stand_in_order(big: Value) -> None:
    data = data_of(stepper(big).html())
    names = [part[0] for part in data["parts"]]
    views = {names[int(i)]: view for i, view in data["views"].items() if i != "-1"}
    for way in (0, 2):  # from left to right, and upright
        assert len({views[f"layers[0].neurons[{i}]"][way] for i in range(12)}) == 1
        assert len({views[f"layers[1].neurons[{i}]"][way] for i in range(12)}) == 1
    place, keys, _ = views["layers[0]"]
    boxes = zip(keys, data["layouts"][place]["boxes"])
    height = {names[int(key[1:])]: box[1] for key, box in boxes if key[0] == "g"}
    heights = [height[f"layers[0].neurons[{i}]"] for i in range(12)]
    assert heights == sorted(heights)


def test_many_steps_begin_in_one_box_and_open_one_by_one() -> None:
    w, h = Value(0.5, label="w"), Value(0.0)
    for t in range(1, 21):
        h = (w * h + Value(0.1 * t, label=f"x{t}")).tanh()
        h.label = f"h{t}"
    data = data_of(stepper(h).html())
    names = [part[0] for part in data["parts"]]
    assert names == ["h1 … h19: steps 1 to 19 of 20"] + [
        f"h{i}: step {i} of 20" for i in range(1, 20)
    ]
    said = [data["values"][int(key[1:])][0] for key in data["views"]["-1"][1] if key[0] == "v"]
    assert {"w", "x20", "h20"} <= set(said)
    assert set(data["views"]) == {"-1", *map(str, range(20))}


def test_a_part_shows_what_it_holds_and_what_its_arrows_touch() -> None:
    root = network()
    data = data_of(stepper(root, fold="layer").html())
    names = [part[0] for part in data["parts"]]
    place = names.index("layers[0]")
    layout, keys, _ = data["views"][str(place)]
    assert {names[int(key[1:])] for key in keys if key[0] == "g"} == {
        "layers[0].neurons[0]", "layers[0].neurons[1]", "layers[1]",
    }  # fmt: skip
    assert [data["values"][int(key[1:])][0] for key in keys if key[0] == "v"] == ["x1", "x2"]
    arrows = data["layouts"][layout]["arrows"]
    assert len(arrows) == 2 * 2 + 2
    assert all(position == -1 for _, _, position, _ in arrows)


def test_what_is_too_large_to_draw_does_not_open() -> None:
    x = Value(0.01, label="x")
    terms = [x * float(i) for i in range(500)]
    data = data_of(stepper(sum(terms, Value(0.0)) * 2).html())
    names = [part[0] for part in data["parts"]]
    assert "+ of 500 terms" in names
    assert str(names.index("+ of 500 terms")) not in data["views"]


def test_pages_of_large_graphs_stay_small() -> None:
    """Cost stays within a stated limit: the neurons of a layer are laid out once."""
    random.seed(4)
    model = MLP(2, [16, 16, 1])
    page = stepper(model([1.0, -2.0])).html()
    assert len(toposort(model([1.0, -2.0]))) == 979
    assert len(page.encode()) < 300_000
    assert len(data_of(page)["layouts"]) <= 20  # each from left to right, and upright


def test_a_folded_module_shows_the_quantities_in_it_that_were_named() -> None:
    random.seed(1)
    model = MLP(2, [3, 1], activation="sigmoid")
    hidden = [n.w[0] for n in model.layers[0].neurons]
    loss = model([1.0, 2.0]) ** 2
    told = stepper(
        loss,
        fold="layer",
        names={model.layers[0]: "layer 2"},
        gradients={w: f"Delta1[{i + 1}][1]" for i, w in enumerate(hidden)},
    )
    found = texts(svg_of(told))
    loss.backward()
    listed = ", ".join(f"{w.grad:.4g}" for w in hidden)
    assert {"layer 2", "16 Values", "w 3\u00d72, b 3", "Delta1", listed} - set(found) == {
        "16 Values"
    }


def test_long_sums_outside_modules_fold_and_open() -> None:
    xs = [Value(float(i), label=f"x{i}") for i in range(100)]
    data = data_of(stepper(sum(xs[1:], xs[0]) * 2).html())
    assert "+ of 100 terms" in [part[0] for part in data["parts"]]


# In notebooks ----------------------------------------------------------------------------------


class Sanitised(HTMLParser):
    """Strip HTML as notebook hosts do: no script, style, svg, iframe, form or event handlers."""

    FORBIDDEN = ("script", "style", "svg", "iframe", "object", "form", "link")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.images: list[dict[str, str]] = []
        self.text: list[str] = []
        self.tags: list[str] = []
        self._inside = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside += tag in self.FORBIDDEN
        if not self._inside:
            self.tags.append(tag)
            kept = {k: v or "" for k, v in attrs if not k.startswith("on")}
            if tag == "img":
                self.images.append(kept)

    def handle_endtag(self, tag: str) -> None:
        self._inside -= tag in self.FORBIDDEN

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text.append(data)


def test_what_hosts_leave_is_a_picture_and_tables() -> None:
    html = stepper(neuron())._repr_mimebundle_()["text/html"]
    assert isinstance(html, str)
    left = Sanitised(html)
    (image,) = left.images
    assert image["src"].startswith("data:image/svg+xml;base64,")
    assert image["alt"] == (
        "The graph of out with the data of 10 Values and the gradients that 9 additions leave "
        "in them"
    )
    assert left.tags.count("table") == 2
    assert left.tags.count("tr") == 2 + 5 + 9
    assert "1 - out * out" in left.text
    picture = ElementTree.fromstring(base64.b64decode(image["src"].partition(",")[2]))
    assert texts(picture).count("0.7071") == 1
    assert texts(picture).count("-1.5") == 1


def test_three_tiers_in_one_bundle_and_what_is_asked_for() -> None:
    shown = stepper(neuron())
    bundle = shown._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"] == str(shown)
    given, sizes = shown._repr_mimebundle_(include=["image/png"])
    assert set(given) == {"image/png"}
    image = Image.open(io.BytesIO(given["image/png"]))
    assert image.width == pytest.approx(2 * sizes["image/png"]["width"], abs=2)
    assert sizes["image/png"]["width"] <= 900
    assert set(shown._repr_mimebundle_(include=["text/plain"])) == {"text/plain"}
    assert set(shown._repr_mimebundle_(exclude=["image/png"])) == {"text/html", "text/plain"}


def test_marimo_is_given_one_representation() -> None:
    shown = stepper(neuron())
    kind, html = shown._mime_()
    assert kind == "text/html"
    assert html.startswith("<iframe ")
    assert html.count("<script") == 0  # those in the frame are escaped
    assert "&lt;script&gt;" in html
    root = neuron()
    assert mg.draw.graph(root)._mime_() == (
        "text/html",
        mg.draw.graph(root)._repr_mimebundle_()["text/html"],
    )


def test_folded_leaves_show_their_numbers() -> None:
    xs = [Value(float(i), label=f"x{i}") for i in range(100)]
    svg = svg_of(stepper(sum(xs[1:], xs[0]) * 2))
    assert "0, 1, 2 \u2026" in texts(svg)


def test_every_output_has_an_id_of_its_own() -> None:
    shown = stepper(twice())
    ids = [re.findall(r'id="(micrograd-\w+)"', str(shown._repr_mimebundle_())) for _ in range(2)]
    assert len(set(map(tuple, ids))) == 2


def test_without_graphviz_a_notebook_is_given_the_text_and_the_way_to_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(source: str, format: str, resolution: int = 144) -> bytes:
        raise RuntimeError("drawing needs Graphviz")

    monkeypatch.setattr("micrograd.draw.diagram.layout.render", missing)
    shown = stepper(twice())
    assert shown._repr_mimebundle_() == {"text/plain": f"{shown}\n(drawing needs Graphviz)"}


# The animated picture --------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORKS)
def test_the_first_frame_of_the_animation_is_the_finished_picture(name: str) -> None:
    root = WORKS[name]()
    svg = stepper(root).svg()
    tree = ElementTree.fromstring(svg)
    assert not list(tree.iter(f"{SVG}script"))
    root.backward()
    boxes = {g.get("data-box"): g for g in tree.iter(f"{SVG}g") if g.get("data-box")}
    for i, v in enumerate(toposort(root)):
        shown = {t.get("data-slot"): t.text for t in boxes[f"v{i}"].iter(f"{SVG}text")}
        assert (shown["data"], shown["grad"]) == (f"{v.data:.4g}", f"{v.grad:.4g}")
    # Each keyframe rule of a finished number shows it at the beginning.
    for keyframes in re.findall(r"\[data-slot=\w+\]\{animation:(k\d+) ", svg):
        assert f"@keyframes {keyframes}{{0%{{opacity:1}}" in svg


def test_lazily_there() -> None:
    assert mg.draw.stepper is stepper


@pytest.mark.parametrize("fold", ["nonsense", 1, True, 2.5])
def test_a_fold_that_is_not_there_is_refused_at_once(fold: Any) -> None:
    with pytest.raises(ValueError, match=r"fold must be|no 'nonsense' to fold"):
        stepper(network(), fold=fold)


def test_names_are_of_values_and_modules() -> None:
    for wrong in ({"names": {"x": "a"}}, {"gradients": {"x": "delta"}}):
        with pytest.raises(TypeError, match=r"must be of Values .* got 'x'"):
            stepper(twice(), **wrong)  # type: ignore[arg-type]
