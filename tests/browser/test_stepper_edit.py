"""The stepper computes anew what a reader edits, and plays any graph, folded or not, to its end."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from chromium import browser, show  # noqa: F401
from playwright.sync_api import Page, expect
from stepper_works import WORKS, by_hand, mixed, network, neuron
from test_ops import DOMAINS
from test_stepper_page import grads, jump, shown, text

from micrograd import Value, ops, scope, toposort
from micrograd.draw import stepper
from micrograd.nn import MLP
from micrograd.symbolic.javascript import javascript

pytestmark = pytest.mark.browser
Show = Callable[..., Page]


# The table in JavaScript -------------------------------------------------------------------------


def points(name: str, count: int = 40) -> list[list[float]]:
    rng = random.Random(name)
    return [[rng.uniform(*interval) for interval in DOMAINS[name]] for _ in range(count)]


def close(a: Any, b: float) -> bool:
    a = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}.get(a, a)
    return (a != a and b != b) or a == b or abs(a - b) <= 1e-12 * abs(b) + 1e-300


def test_every_operation_and_rule_in_javascript_is_pythons_to_1e_12(show: Show) -> None:
    page = show("<!doctype html><title>table</title>")
    asked = {name: points(name) for name in ops.TABLE}
    found = page.evaluate(
        "asked => { " + javascript(ops.TABLE.values()) + """
            const plain = (x) => Number.isFinite(x) ? x : String(x)
            return Object.fromEntries(Object.entries(asked).map(([name, points]) => [name,
                points.map(p => { const out = F[name](...p);
                    return [plain(out), RULES[name].map(r => r && plain(r(...p, out)))] })]))
        }""",
        asked,
    )  # fmt: skip
    for name, op in ops.TABLE.items():
        for point, (value, slopes) in zip(asked[name], found[name]):
            out = float(op.value(*point))
            assert close(value, out), (name, point, value, out)
            for rule, slope in zip(op.derivatives, slopes):
                if rule is None:
                    assert slope is None
                else:
                    expected = float(rule(*point, out))
                    assert close(slope, expected), (name, point, slope, expected)


def test_four_digits_are_pythons(show: Show) -> None:
    rng = random.Random(3)
    xs = [rng.uniform(-1, 1) * 10.0 ** rng.randint(-12, 12) for _ in range(300)]
    xs += [12345.0, 12355.0, 0.5, -0.0, 1e-4, 9999.5, 99995.0, 1e22, 123456789.0, 0.00012345]
    total = sum((Value(x, label=f"x{i}") for i, x in enumerate(xs)), Value(0.0))
    page = show(stepper(total, fold=None))
    data = grads(page, "data")
    for i, v in enumerate(toposort(total)):
        if not v.parents:
            assert data[f"v{i}"] == f"{v.data:.4g}"


# Editing -----------------------------------------------------------------------------------------


def type_number(page: Page, key: str, number: float) -> None:
    page.locator(f"#stage svg [data-box={key}]").focus()
    page.keyboard.press("e")
    page.keyboard.type(repr(number))
    page.keyboard.press("Enter")


@pytest.mark.parametrize("name", [name for name in WORKS if name not in ("by hand", "strange")])
def test_an_edited_leaf_changes_everything_as_in_python(name: str, show: Show) -> None:
    root = WORKS[name]()
    order = toposort(root)
    page = show(stepper(root, fold=None), reduced_motion="reduce")
    page.keyboard.press("End")
    for i, v in enumerate(order):
        if not v.parents:
            type_number(page, f"v{i}", v.data + 0.75)
            v.data += 0.75
    for v in order:
        v.grad = 0.0
        if v.op is not None:
            v.data = v.op.value(*[x.data if isinstance(x, Value) else x for x in v.args])
    root.backward()
    assert list(grads(page, "data").values()) == [shown(v.data) for v in order]
    assert list(grads(page).values()) == [shown(v.grad) for v in order]
    page.locator("summary").first.click()
    expect(page.locator("table").first).to_contain_text(shown(root.data))
    page.click("[data-do=reset]")
    fresh = toposort(WORKS[name]())
    assert list(grads(page, "data").values()) == [shown(v.data) for v in fresh]
    expect(page.locator("[data-do=reset]")).to_be_hidden()


def test_dragging_a_number_changes_it_and_says_what_became_of_the_root(show: Show) -> None:
    page = show(stepper(neuron()), reduced_motion="reduce")
    page.keyboard.press("End")
    place = page.locator("[data-box=v1] [data-slot=data]").bounding_box()
    assert place
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y, steps=5)
    page.mouse.up()
    assert grads(page, "data")["v1"] == "3"  # 2, and 50 pixels of a hundredth of it
    assert text(page, "#words").startswith("x1 is 3, out is -0.9")
    assert "(it was 0.7071)" in text(page, "#words")


def test_only_what_changes_is_written_and_folded_tables_wait(show: Show) -> None:
    page = show(stepper(neuron()), reduced_motion="reduce")
    page.keyboard.press("End")
    before = {slot: grads(page, slot) for slot in ("data", "grad")}
    page.evaluate(WATCH)
    type_number(page, "v0", 5.0)
    after = {slot: grads(page, slot) for slot in ("data", "grad")}
    changed = {key for slot in after for key, x in after[slot].items() if x != before[slot][key]}
    assert "v0" in changed
    assert set(page.evaluate("written")) == changed
    page.locator("summary").first.click()
    expect(page.locator("table").first).to_contain_text(after["data"]["v9"])
    assert "table" in page.evaluate("written")
    page.evaluate("written.clear()")
    type_number(page, "v0", 5.0)
    assert set(page.evaluate("written")) == {"table"}


WATCH = """() => {
    window.written = []
    written.clear = () => { written.length = 0 }
    new MutationObserver((changes) => changes.forEach(({ target }) => {
        if (target.closest?.("[data-slot]")) written.push(target.parentNode.dataset.box)
        if (target.localName === "tbody") written.push("table")
    })).observe(document.body, { childList: true, subtree: true })
}"""


def test_what_leads_to_a_function_of_ones_own_cannot_be_edited(show: Show) -> None:
    page = show(stepper(by_hand()), reduced_motion="reduce")
    assert page.locator(".editable").count() == 1  # the 2 of the last product
    page.locator("[data-box=v0]").focus()
    page.keyboard.press("e")
    assert page.locator("#stage input").count() == 0


def test_nonsense_and_escape_leave_a_number_alone(show: Show) -> None:
    page = show(stepper(neuron()), reduced_motion="reduce")
    for text_typed, key in [("abc", "Enter"), ("7", "Escape"), ("", "Enter")]:
        page.locator("[data-box=v0]").focus()
        page.keyboard.press("e")
        page.keyboard.press("Backspace")
        page.keyboard.type(text_typed)
        page.keyboard.press(key)
        assert page.locator("#stage input").count() == 0
        assert grads(page, "data")["v0"] == "-3"


# Any graph, folded or not ------------------------------------------------------------------------


def random_graph(seed: int) -> tuple[Value, dict[str, Any]]:
    rng = random.Random(seed)
    random.seed(seed)
    kind = seed % 5
    if kind == 0:
        return mixed(seed), {}
    if kind == 1:
        sizes = [rng.randint(1, 3) for _ in range(rng.randint(1, 2))]
        model = MLP(2, [*sizes, 1], activation=rng.choice(["relu", "tanh", "sigmoid"]))
        root: Value = model([0.5, -1.0])
        root.model = model  # type: ignore[attr-defined]
        return root, {"fold": rng.choice([None, "layer", "neuron", "network", 5, 60])}
    if kind == 2:
        terms = [Value(rng.uniform(-1, 1)) * float(i) for i in range(rng.randint(5, 20))]
        return sum(terms, Value(0.0)).tanh(), {"fold": rng.choice([4, 12])}
    if kind == 3:
        x = Value(1.5, label="x")
        for _ in range(rng.randint(3, 9)):
            x = x - (x * x - 2) / (2 * x)
        return x, {"fold": rng.choice([5, 12, 60])}
    with scope("first"):
        a = Value(0.3, label="a") * 2
    with scope("second"):
        b = (a + mixed(seed)).tanh() * a
    return b + a, {"fold": rng.choice(["first", "second", 3])}


@pytest.mark.parametrize("first", range(0, 200, 40))
def test_two_hundred_random_graphs_play_to_the_end_and_back(first: int, show: Show) -> None:
    page = show("<!doctype html><title>many</title>", reduced_motion="reduce")
    for seed in range(first, first + 40):
        root, options = random_graph(seed)
        page.set_content(stepper(root, **options).html(), wait_until="load")
        order = toposort(root)
        root.backward()
        for part in ["-1", *page.evaluate(OPENS)[:2]]:
            if part != "-1":
                page.evaluate(VISIT, part)
            assert page.evaluate(PLAY) == ["Done", "Start"]
        page.keyboard.press("End")
        grad = {f"v{i}": shown(v.grad) for i, v in enumerate(order)}
        found = {key: x for key, x in grads(page).items() if key[0] == "v"}
        assert found == {key: grad[key] for key in found}


OPENS = """() => [...document.querySelectorAll("#stage svg .opens")]
    .map(box => box.dataset.box)"""
VISIT = """key => { while (!document.querySelector("[data-do=fold]").hidden)
        document.querySelector("[data-do=fold]").click()
    document.querySelector(`#stage svg [data-box=${key}]`)
        .dispatchEvent(new MouseEvent("click", { bubbles: true })) }"""
PLAY = """() => {
    const press = (key) => document.body.dispatchEvent(
        new KeyboardEvent("keydown", { key, bubbles: true }))
    const phase = () => document.querySelector("#phase").textContent
    const end = +document.querySelector("#slider").max
    press("Home")
    for (let i = 0; i < end; i++) press("ArrowRight")
    const last = phase()
    for (let i = 0; i < end; i++) press("ArrowLeft")
    return [last, phase()] }"""


def test_folded_networks_play_past_the_seed(show: Show) -> None:
    random.seed(2)
    model = MLP(2, [16, 16, 1])
    page = show(stepper(model([1.0, -2.0])))
    page.clock.install()
    page.click("[data-do=play]")
    page.clock.run_for(120_000)
    assert text(page, "#phase") == "Done"


def test_the_inside_of_a_part_is_drawn_as_the_whole_is(show: Show) -> None:
    with scope("part"):
        inner = neuron()
    root = inner * 2
    shapes = """() => Object.fromEntries([...document.querySelectorAll("#stage svg .box")]
        .filter(b => b.dataset.box[0] == "v").map(b => [b.dataset.box, [
            b.getAttribute("class").split(" ")[1], b.querySelector(".shape").outerHTML,
            ...[...b.querySelectorAll("text")].map(t => [t.getAttribute("class"), t.textContent,
                t.getAttribute("x"), t.getAttribute("y")])]]))"""
    whole = show(stepper(root, fold=None)).evaluate(shapes)
    page = show(stepper(root, fold="part"))
    page.locator("#stage svg .opens").click()
    inside = page.evaluate(shapes)
    assert len(inside) >= 9
    assert inside == {key: whole[key] for key in inside}


# Links, signs, paper -----------------------------------------------------------------------------


def test_a_link_leads_to_a_step(show: Show) -> None:
    page = show(stepper(neuron()), reduced_motion="reduce")
    jump(page, 8)
    page.wait_for_url("**#step=8")
    page.goto(page.url.replace("#step=8", "#step=3"))
    expect(page.locator("#phase")).to_have_text("Forward 3 of 5")


def test_a_wrong_sign_is_explained(show: Show) -> None:
    page = show(stepper(neuron()), reduced_motion="reduce")
    page.keyboard.press("p")
    while not text(page, "#phase").startswith("Backward 8"):
        page.keyboard.press("ArrowRight")
        if page.locator("#question").is_visible():
            page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")  # x1.grad += w1 * v1.grad = -3 * 0.5
    assert "No, it is negative." in text(page, "#words")
    assert text(page, "#words").endswith(
        "Why? The local derivative -3 is negative, what arrives, 0.5, is positive: their product "
        "is negative."
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_on_paper_it_is_light_the_tables_are_open_and_no_buttons_remain(
    theme: str, show: Show
) -> None:
    page = show(stepper(network()), color_scheme=theme)
    page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("#bar").is_hidden()
    assert page.locator("table").nth(1).is_visible()
    white, ink = "rgb(255, 255, 255)", "rgb(28, 32, 36)"
    for part, style, colour in (
        ("body", "backgroundColor", white),
        ("svg .sheet", "fill", white),
        ("main", "color", ink),
    ):
        seen = page.locator(part).first.evaluate(f"e => getComputedStyle(e).{style}")
        assert seen == colour


def test_chips_stay_within_the_picture(show: Show) -> None:
    page = show(stepper(network()), reduced_motion="reduce")
    sheet = page.locator("#stage svg").bounding_box()
    assert sheet
    for _ in range(json.loads(page.locator("#slider").evaluate("s => s.max"))):
        page.keyboard.press("ArrowRight")
        for chip in page.locator("#stage svg .chip.add").all():
            place = chip.bounding_box()
            assert place
            assert place["x"] >= sheet["x"] - 1
            assert place["x"] + place["width"] <= sheet["x"] + sheet["width"] + 1
            assert place["y"] + place["height"] <= sheet["y"] + sheet["height"] + 1
