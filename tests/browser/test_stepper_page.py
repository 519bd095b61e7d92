"""The stepper in a real browser: its numbers, keys and modes, and its fallback without scripts."""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Page, expect

from micrograd import Value, toposort
from micrograd.draw import stepper
from micrograd.graph.steps import Step, backward_steps
from micrograd.nn import MLP, Neuron

sys.path.append(str(Path(__file__).parents[1]))

from chromium import browser, show  # noqa: F401
from stepper_works import WORKS, engine_trace, network, neuron, twice

pytestmark = pytest.mark.browser
Show = Callable[..., Page]


def text(page: Page, where: str) -> str:
    found: str = page.locator(where).inner_text()
    return found


def grads(page: Page, slot: str = "grad") -> dict[str, str]:
    """Return the numbers in the boxes of the picture shown, by the keys of the boxes."""
    found: dict[str, str] = page.evaluate(
        """slot => Object.fromEntries(
            [...document.querySelectorAll(`#stage svg [data-slot=${slot}]`)]
                .map(t => [t.parentNode.dataset.box, t.textContent]))""",
        slot,
    )
    return found


def jump(page: Page, moment: int) -> None:
    """Move the slider as a user does."""
    page.locator("#slider").evaluate(
        "(s, k) => { s.value = k; s.dispatchEvent(new Event('input')) }", moment
    )


def shown(x: float) -> str:
    return f"{x:.4g}"


# Numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORKS)
def test_every_steps_numbers_are_the_engines(name: str, show: Show) -> None:
    root = WORKS[name]()
    order, steps = toposort(root), backward_steps(root)
    told = iter(walk(show(stepper(root), reduced_motion="reduce")))
    assert next(told)["phase"] == "Start"
    known = {v for v in order if not v.parents}
    for v in order:
        if v.parents:
            known.add(v)
            moment = next(told)
            assert moment["cards"][-1].endswith(f"= {shown(v.data)}")
            assert list(moment["data"].values()) == numbers(order, known, lambda v: v.data)
    assert next(told)["phase"] == "Seed"
    turns, reached = iter(engine_trace(root)), {root}
    for k, step in enumerate(steps):
        moment = next(told)
        reached.add(step.operand)
        assert moment["phase"] == f"Backward {k + 1} of {len(steps)}"
        compare_step(moment, step)
        assert moment["grad"][f"v{order.index(step.operand)}"] == shown(step.total)
        if k + 1 == len(steps) or steps[k + 1].consumer is not step.consumer:
            engine = next(after for v, after in turns if v is step.consumer)
            assert list(moment["grad"].values()) == numbers(order, reached, engine.__getitem__)
    assert [moment["phase"] for moment in told] == ["Done"]


def walk(page: Page) -> list[dict[str, Any]]:
    """Press the right arrow until the end; return what is shown at each moment."""
    found: list[dict[str, Any]] = page.evaluate(
        """() => {
            const texts = (query) => [...document.querySelectorAll(query)].map(e => e.textContent)
            const rows = (slot) => Object.fromEntries(
                [...document.querySelectorAll(`#stage svg [data-slot=${slot}]`)]
                    .map(t => [t.parentNode.dataset.box, t.textContent]))
            const moments = [], end = +document.querySelector("#slider").max
            for (let i = 0; i <= end; i++) {
                moments.push({
                    phase: texts("#phase")[0], words: texts("#words")[0], cards: texts("#cards b"),
                    chips: texts("#stage svg .chip"), data: rows("data"), grad: rows("grad"),
                })
                document.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight" }))
            }
            return moments
        }"""
    )
    return found


def numbers(order: list[Value], known: set[Value], of: Callable[[Value], float]) -> list[str]:
    return [shown(of(v)) if v in known else "\u2013" for v in order]


def compare_step(moment: dict[str, Any], step: Step) -> None:
    """Check that the labels on the arrow, the cards and the sentence show the numbers of a step."""
    chips, cards = moment["chips"], moment["cards"]
    product, total = shown(step.product), shown(step.total)
    if step.local is None:
        assert chips == [f"+= {product}"]
    else:
        local, upstream = shown(step.local), shown(step.upstream)
        assert chips == [f"\u00d7 {local}", f"+= {product}"]
        assert cards[0].split(" = ")[-1] == local
        assert cards[1] == upstream
        assert f"{local} \u00d7 {upstream} = {product}" in moment["words"]
    assert cards[-2] == f"+= {product}"
    assert cards[-1].endswith(f" + {product} = {total}")
    assert f" + {product} = {total}." in moment["words"]


def test_in_every_view_the_grads_at_the_end_are_the_engines(show: Show) -> None:
    random.seed(2)
    model = MLP(2, [3, 2, 1], activation="sigmoid")
    root = model([1.0, -2.0]) ** 2
    page = show(stepper(root, fold="neuron"), reduced_motion="reduce")
    root.backward()
    order = toposort(root)
    expect(page.locator("[data-do=fold]")).to_be_hidden()
    openers = page.locator("#stage svg [data-box^=g]")
    keys = [openers.nth(i).get_attribute("data-box") for i in range(openers.count())]
    assert len(keys) == 6
    for key in keys:
        page.locator(f"#stage svg [data-box={key}]").click()
        page.keyboard.press("Home")
        *_, last = walk(page)
        assert last["phase"] == "Done"
        told = {k: grad for k, grad in last["grad"].items() if k[0] == "v"}
        assert len(told) > 4
        assert told == {k: shown(order[int(k[1:])].grad) for k in told}
        page.keyboard.press("Escape")
        expect(page.locator(f"#stage svg [data-box={key}]")).to_be_visible()


def test_what_happens_in_a_folded_module_is_one_moment(show: Show) -> None:
    random.seed(2)
    model = MLP(2, [3, 1], activation="sigmoid")
    page = show(stepper(model([1.0, -2.0]) ** 2, fold="layer"), reduced_motion="reduce")
    advice = " Click a folded box to open it."
    said = [moment["words"].removesuffix(advice) for moment in walk(page)]
    assert "15 numbers computed inside layers[0]." in said
    assert "layers[1] passes gradients on to layers[0]: 3 additions." in said
    assert any(s.startswith("layers[0] passes gradients on to x1: 3 additions.") for s in said)
    assert len(said) == 12


# Moving about ----------------------------------------------------------------------------------


def test_keys(show: Show) -> None:
    page = show(stepper(neuron()), reduced_motion="reduce")
    phases = []
    for key in ["ArrowRight", "ArrowRight", "ArrowLeft", "End", "Home"]:
        page.keyboard.press(key)
        phases.append(text(page, "#phase"))
    assert phases == ["Forward 1 of 5", "Forward 2 of 5", "Forward 1 of 5", "Done", "Start"]
    page.keyboard.press(" ")
    expect(page.locator("[data-do=play]")).to_have_text("Pause")
    expect(page.locator("#phase")).not_to_have_text("Start")  # nor is it "Forward 1": it plays on
    page.keyboard.press(" ")
    expect(page.locator("[data-do=play]")).to_have_text("Play")
    page.keyboard.press("Tab")
    focused = page.evaluate("document.activeElement.getAttribute('role')")
    assert focused == "button"
    page.locator("[data-box=v2]").focus()
    page.keyboard.press("Enter")
    assert text(page, "#phase") == "Backward 4 of 9"  # the next that concerns it


def test_buttons_slider_and_boxes(show: Show) -> None:
    page = show(stepper(twice()), reduced_motion="reduce")
    page.click("[data-do=next]")
    assert text(page, "#phase") == "Forward 1 of 1"
    page.click("[data-do=end]")
    assert page.locator("[data-do=next]").is_disabled()
    page.click("[data-do=start]")
    assert page.locator("[data-do=back]").is_disabled()
    seen = []
    for _ in range(3):  # round and round
        page.click("[data-box=v0]")
        seen.append(text(page, "#phase"))
    assert seen == ["Backward 1 of 2", "Backward 2 of 2", "Backward 1 of 2"]
    assert "This is addition 1 of 2." in text(page, "#words")
    jump(page, 0)
    assert text(page, "#phase") == "Start"


def test_playing_goes_to_the_end_and_stops(show: Show) -> None:
    page = show(stepper(twice()))
    page.clock.install()
    page.click("[data-do=play]")
    page.clock.run_for(20_000)
    assert text(page, "#phase") == "Done"
    assert text(page, "[data-do=play]") == "Play"


def test_the_product_travels_along_the_arrow_and_is_added_when_it_arrives(show: Show) -> None:
    page = show(stepper(neuron()))
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    jump(page, 6)  # the seed
    page.keyboard.press("ArrowRight")
    pill = page.locator("#stage svg .chip.add")
    consumer, operand = box(page, "v9"), box(page, "v8")
    begin = pill.bounding_box()
    assert begin
    assert abs(begin["x"] + begin["width"] / 2 - consumer["x"]) < 20
    assert grads(page)["v8"] == "0"
    page.clock.run_for(1300)
    end = pill.bounding_box()
    assert end
    assert abs(end["x"] + end["width"] / 2 - operand["x"] - operand["width"] / 2) < 3
    assert grads(page)["v8"] == "0.5"


def test_with_less_motion_nothing_moves(show: Show) -> None:
    page = show(stepper(neuron()), reduced_motion="reduce")
    jump(page, 6)
    page.keyboard.press("ArrowRight")
    places = [page.locator(".chip.add").get_attribute("transform")]
    page.wait_for_timeout(300)
    places.append(page.locator(".chip.add").get_attribute("transform"))
    assert places[0] == places[1]
    assert grads(page)["v8"] == "0.5"
    running = page.evaluate("document.getAnimations().filter(a => a.playState == 'running').length")
    assert running == 0


def box(page: Page, key: str) -> dict[str, float]:
    found = page.locator(f"#stage svg [data-box={key}] .shape").bounding_box()
    assert found
    return dict(found)


@pytest.mark.parametrize("width", [360, 1000])
def test_what_a_screen_reader_is_told(width: int, show: Show) -> None:
    page = show(stepper(neuron()), width=width, reduced_motion="reduce")
    assert page.locator("#words").get_attribute("aria-live") == "polite"
    label = page.locator("[data-box=v9]").get_attribute("aria-label")
    assert label == "out: data not there yet; grad not there yet"
    page.keyboard.press("End")
    label = page.locator("[data-box=v9]").get_attribute("aria-label")
    assert label == "out: data 0.7071; grad 1"
    picture = page.locator("#stage svg")
    assert str(picture.get_attribute("aria-label")).startswith("The graph of out")
    assert picture.get_attribute("role") == "group"  # what is in an image would not be read
    assert page.locator("#slider").get_attribute("aria-valuetext") == "Done"


# Predict first ---------------------------------------------------------------------------------


def test_numbers_stay_hidden_until_their_sign_is_chosen(show: Show) -> None:
    root = neuron()
    page = show(stepper(root), reduced_motion="reduce")
    page.keyboard.press("p")
    page.keyboard.press("ArrowRight")
    hidden = shown(-6.0)
    assert text(page, "#cards b").split() == ["w1", "⋅", "x1", "=", "-3", "*", "2", "=", "?"]
    assert page.locator("#cards math mi").all_text_contents() == ["w1", "x1"]
    assert hidden not in "".join(page.locator("#stage svg [data-slot]").all_text_contents())
    for key in ["ArrowRight", "End"]:  # nothing leads past the question
        page.keyboard.press(key)
        assert text(page, "#phase") == "Forward 1 of 5"
    page.click("[data-sign='-']")
    assert text(page, "#words") == "Right. v1 is computed: w1 * x1 is -6."
    assert grads(page, "data")["v2"] == hidden
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    assert text(page, "#words").startswith("No, it is zero. v2")
    while text(page, "#phase") != "Done":
        page.keyboard.press("ArrowRight")
        if page.locator("#question").is_visible():
            assert page.locator("#stage svg .chip").all_text_contents() in (
                [],
                ["\u00d7 ?", "+= ?"],
            )
            page.keyboard.press("+")
    asked = 5 + len(backward_steps(root))
    assert f"Of {asked} signs you chose " in text(page, "#words")
    page.keyboard.press("p")
    assert page.locator("#question").is_hidden()


# Hosts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("build", [neuron, network, twice])
def test_usable_360_pixels_wide(build: Callable[[], Value], show: Show) -> None:
    page = show(stepper(build()), width=360, height=640, reduced_motion="reduce")
    for _ in range(9):
        page.keyboard.press("ArrowRight")
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360
        active = page.locator("#stage svg .now .shape")
        if active.count():
            place, stage = active.bounding_box(), page.locator("#stage").bounding_box()
            assert place
            assert stage
            assert place["x"] < stage["x"] + stage["width"]
            assert place["x"] + place["width"] > stage["x"]
    for name in ["start", "back", "play", "next", "end", "predict"]:
        button = page.locator(f"[data-do={name}]").bounding_box()
        assert button
        assert button["x"] >= 0
        assert button["x"] + button["width"] <= 360
        assert button["height"] >= 32


def of_a_module() -> Value:
    """Build a neuron with the library's own."""
    random.seed(1)
    unit = Neuron(2, activation="tanh")
    out = unit([1.0, -2.0])
    out.unit = unit  # type: ignore[attr-defined]  # a scope holds its module weakly
    return out


LEAST = """() => Math.min(...[...document.querySelectorAll("#stage svg text")]
    .map(t => parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a))"""


@pytest.mark.parametrize("build", [neuron, of_a_module])
def test_a_neuron_is_read_whole_on_a_phone_of_360_by_740(
    build: Callable[[], Value], show: Show
) -> None:
    page = show(stepper(build()), width=360, height=740, reduced_motion="reduce", has_touch=True)
    assert page.locator("#keys").is_hidden()
    for _ in range(15):
        assert page.evaluate(
            """() => {
                const stage = document.querySelector("#stage")
                const { left, top, right, bottom } = stage.getBoundingClientRect()
                const outside = [...stage.querySelectorAll(".box .shape, .chip")]
                    .map(part => part.getBoundingClientRect())
                    .filter(p => p.x < left || p.y < top || right < p.right || bottom < p.bottom)
                return [outside.length, stage.scrollWidth > stage.clientWidth,
                    stage.scrollHeight > stage.clientHeight, stage.scrollLeft, stage.scrollTop]
            }"""
        ) == [0, False, False, 0, 0]
        for part in ("#stage", "#bar", "#panel"):
            place = page.locator(part).bounding_box()
            assert place
            assert place["x"] >= 0
            assert place["x"] + place["width"] <= 360
            assert place["y"] >= 0
            assert place["y"] + place["height"] <= 740
        assert page.evaluate(LEAST) >= 10
        page.locator("[data-do=next]").click(force=True)  # disabled at the end
    for button in page.locator("#bar button:visible").all():
        assert button.bounding_box()["height"] >= 44
    assert page.evaluate("scrollY") == 0


def test_a_phone_that_is_turned_shows_the_same_step_from_left_to_right(show: Show) -> None:
    page = show(stepper(neuron()), width=360, height=740, reduced_motion="reduce")
    jump(page, 8)
    seen = text(page, "#phase"), grads(page), grads(page, "data")
    wide = page.locator("#stage svg").get_attribute("viewBox").split()[2]
    page.set_viewport_size({"width": 740, "height": 360})
    expect(page.locator("#stage svg")).not_to_have_attribute("viewBox", re.compile(f" {wide} "))
    turned = page.locator("#stage svg").get_attribute("viewBox").split()
    assert float(turned[2]) > float(turned[3]) > 0
    assert (text(page, "#phase"), grads(page), grads(page, "data")) == seen
    page.set_viewport_size({"width": 360, "height": 740})
    expect(page.locator("#stage svg")).to_have_attribute("viewBox", re.compile(f" {wide} "))
    assert (text(page, "#phase"), grads(page), grads(page, "data")) == seen


def test_on_a_phone_a_part_opens_upright(show: Show) -> None:
    page = show(stepper(network(), fold="layer"), width=360, height=740, reduced_motion="reduce")
    page.locator("#stage .opens").first.click()
    assert page.evaluate(LEAST) >= 10
    boxes = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("#stage .box")].map(box =>
            [box.dataset.box, box.getBoundingClientRect().y]))"""
    )
    arrows = page.evaluate(
        "[...document.querySelectorAll('#stage .arrow')].map(a => a.dataset.arrow.split('-'))"
    )
    assert len(arrows) > 4
    assert all(boxes[tail] < boxes[head] for tail, head, *_ in arrows)


@pytest.mark.parametrize(("width", "least"), [(360, 10), (960, 9), (1280, 9)])
def test_text_is_high_enough_to_be_read(width: int, least: int, show: Show) -> None:
    page = show(stepper(network()), width=width)
    assert page.evaluate(LEAST) >= least - 0.01


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("build", [neuron, network])
def test_no_text_leaves_its_box_and_no_box_lies_on_another(
    build: Callable[[], Value], width: int, show: Show
) -> None:
    page = show(stepper(build()), width=width)
    page.keyboard.press("End")
    places = page.evaluate(
        """() => {
            const place = (e) => {
                const { left, top, right, bottom } = e.getBoundingClientRect()
                return [left, top, right, bottom]
            }
            return [...document.querySelectorAll("#stage svg [data-box]")].map(box => ({
                shape: place(box.querySelector(".shape")),
                lines: [...box.querySelectorAll("text")].filter(t => t.textContent).map(place),
            }))
        }"""
    )
    for i, one in enumerate(places):
        left, top, right, bottom = one["shape"]
        for line in one["lines"]:
            assert left - 1 <= line[0] < line[2] <= right + 1
            assert top - 1 <= line[1] < line[3] <= bottom + 1
        for other in places[:i]:
            x1, y1, x2, y2 = other["shape"]
            assert min(right, x2) <= max(left, x1) or min(bottom, y2) <= max(top, y1)


def notebook(*roots: Value) -> str:
    """Return nbconvert's export of a notebook with a stepper in each cell."""
    cells = []
    for root in roots:
        bundle = stepper(root)._repr_mimebundle_(exclude=["image/png"])
        output = nbformat.v4.new_output("execute_result", data=bundle, execution_count=1)
        cells.append(nbformat.v4.new_code_cell("stepper(out)", outputs=[output]))
    exported, _ = HTMLExporter(template_name="basic").from_notebook_node(
        nbformat.v4.new_notebook(cells=cells)
    )
    return f"<!doctype html><meta charset='utf-8'>{exported}"


def test_in_a_notebook_exported_by_nbconvert(show: Show) -> None:
    page = show(notebook(neuron(), twice()), reduced_motion="reduce")
    frames = page.locator("iframe")
    expect(frames).to_have_count(2)
    assert frames.first.get_attribute("sandbox") == "allow-scripts"
    first, second = (page.frame_locator("iframe").nth(i) for i in range(2))
    first.locator("[data-do=end]").click()
    expect(first.locator("#phase")).to_have_text("Done")
    expect(second.locator("#phase")).to_have_text("Start")  # neither touches the other
    assert first.locator("[data-box=v9] [data-slot=data]").text_content() == "0.7071"
    for i, frame in enumerate([first, second]):  # as high as what is in it, once it is seen
        frames.nth(i).scroll_into_view_if_needed()
        inside = frame.locator("html").evaluate("e => e.offsetHeight")
        expect(frames.nth(i)).to_have_css("height", f"{inside}px")
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("system", ["light", "dark"])
@pytest.mark.parametrize(
    ("style", "theme"),
    [("", "light"), ("background:#fdfdfd", "light"), ("background:#111418", "dark")],
)
def test_the_theme_is_the_notebooks_and_not_the_systems(
    style: str, theme: str, system: str, show: Show
) -> None:
    html = notebook(twice()).replace("<!doctype html>", f"<!doctype html><body style='{style}'>", 1)
    page = show(html, reduced_motion="reduce", color_scheme=system)
    body = page.frame_locator("iframe").locator("body")
    paper = {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 25, 30)"}
    expect(body).to_have_css("background-color", paper[theme])
    page.evaluate("document.body.style.background = '#000'")  # the reader changes the theme
    expect(body).to_have_css("background-color", paper["dark"])


def test_without_scripts_picture_and_tables_remain(show: Show) -> None:
    page = show(notebook(neuron()), java_script_enabled=False)
    assert page.locator("iframe").count() == 0
    assert_picture_and_tables(page)
    page = show(stepper(neuron()), java_script_enabled=False)
    assert page.locator("#bar").is_hidden()
    assert page.locator("[data-box=v9] [data-slot=data]").text_content() == "0.7071"
    page.locator("summary").first.click()
    expect(page.locator("table").first).to_be_visible()


def test_what_a_sanitiser_leaves_is_shown(show: Show) -> None:
    html = notebook(neuron())
    for tag in ("script", "style", "svg", "iframe"):
        html = re.sub(rf"<{tag}\b.*?</{tag}>", "", html, flags=re.S)
    html = re.sub(r"\son\w+=\"[^\"]*\"", "", html)
    assert_picture_and_tables(show(html, java_script_enabled=False))


def assert_picture_and_tables(page: Page) -> None:
    image = page.locator("img").bounding_box()
    assert image
    assert image["width"] > 600
    assert image["height"] > 250
    for i in range(2):
        page.locator("summary").nth(i).click()
        expect(page.locator("table").nth(i)).to_be_visible()
    assert "1 - out * out" in page.locator("table").nth(1).inner_text()


# The animated picture --------------------------------------------------------------------------


def visible_numbers(page: Page, seconds: float) -> dict[str, bool]:
    """Return the numbers of the picture that are visible at a time of the animation."""
    found: dict[str, bool] = page.evaluate(
        """seconds => {
            for (const a of document.getAnimations()) { a.pause(); a.currentTime = 1000 * seconds }
            return Object.fromEntries([...document.querySelectorAll("[data-slot]")].map(t =>
                [t.parentNode.dataset.box + t.dataset.slot, getComputedStyle(t).opacity === "1"]))
        }""",
        seconds,
    )
    return found


def test_the_animation_begins_complete_and_plays(show: Show, tmp_path: Path) -> None:
    svg = stepper(neuron()).svg()
    page = show(svg)
    assert all(visible_numbers(page, 0).values())
    begun = visible_numbers(page, 2.1)
    assert begun == {key: key in LEAVES or key == "v2data" for key in begun}
    seeded = visible_numbers(page, 2 + 5 * 1.2 + 0.1)
    assert seeded == {key: key.endswith("data") or key == "v9grad" for key in seeded}
    last = visible_numbers(page, 2 + 6 * 1.2 + 9 * 2.4 + 1)
    assert all(last.values())


LEAVES = {f"v{i}data" for i in (0, 1, 3, 4, 7)}


def test_where_less_motion_is_asked_for_the_animation_stands_still(show: Show) -> None:
    page = show(stepper(neuron()).svg(), reduced_motion="reduce")
    assert page.evaluate("document.getAnimations().length") == 0
    assert all(visible_numbers(page, 0).values())
