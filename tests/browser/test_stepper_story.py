"""The stepper of an example in the words of the course: a moment per delta, then Delta, then D."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from micrograd.draw import Stepper
from micrograd.explain import deltas
from micrograd.explain.course.textbook import Deltas
from micrograd.explain.examples import Example, mazur, ng_ex4
from micrograd.nn import MLP

sys.path.append(str(Path(__file__).parents[1]))

from chromium import browser, show  # noqa: F401
from test_stepper_edit import type_number
from test_stepper_page import grads, text

pytestmark = pytest.mark.browser
Show = Callable[..., Page]


def of(example: Example) -> Deltas:
    return deltas(example.model, example.X, example.y, loss=example.loss)


def other_activations() -> Deltas:
    model = MLP(3, [4, 2], activation="tanh")
    for neuron, activation in zip(model.layers[0].neurons, ("tanh", "relu", "linear", "tanh")):
        neuron.activation = activation
    for n, p in enumerate(model.parameters()):
        p.data = 0.1 * (n % 7) - 0.25
    rows = [[0.5, -1.0, 2.0], [1.5, 0.0, -0.5]]
    return deltas(model, rows, [0.3, 0.7], loss=lambda outputs, y: (outputs[0] - y) ** 2)


def exercise_4() -> Deltas:
    rng = np.random.RandomState(0)
    thetas = [rng.uniform(-0.12, 0.12, shape) for shape in ((25, 401), (10, 26))]
    return deltas(thetas, rng.rand(20, 400), rng.randint(1, 11, (20, 1)))


def told(page: Page) -> list[str]:
    """Press the right arrow until the end; return what each step of the story says."""
    steps: list[list[str]] = page.evaluate(
        """() => {
            const text = (query) => [...document.querySelectorAll(query)].map((e) => e.innerText)
            const steps = [], next = { key: "ArrowRight" }
            while (text("#phase")[0] !== "Done") {
                steps.push([...text("#cards small"), ...text("#cards b"), ...text("#words")])
                document.dispatchEvent(new KeyboardEvent("keydown", next))
            }
            return steps
        }"""
    )
    return ["\n".join(filter(None, step)) for step in steps[1:]]


def written(played: Stepper) -> list[str]:
    """Return the steps as Python writes them, each delta with what a nudge of 0.01 does."""
    return [
        step
        if not step.startswith("delta")
        else f"{step}\nIf z{step.splitlines()[1].removeprefix('delta').partition(' ')[0]} rises"
        for step in str(played).split("\n\n")
    ]


@pytest.mark.parametrize(
    "build",
    [lambda: of(ng_ex4()), lambda: of(mazur()), other_activations, exercise_4],
    ids=["check case", "squared error", "other activations", "the real exercise"],
)
def test_each_step_says_in_numbers_what_python_writes(
    build: Callable[[], Deltas], show: Show
) -> None:
    found = build()
    for i in range(1, min(found.m, 3) + 1 if found.m < 20 else 2):
        played = found.stepper(i)
        said = [step.split(" by 0.01,")[0] for step in told(show(played, reduced_motion="reduce"))]
        assert said == written(played)


def test_a_step_per_delta_in_the_words_of_the_course(show: Show) -> None:
    page = show(of(ng_ex4()).stepper(1), reduced_motion="reduce")
    assert text(page, "#words").startswith("The leaves have their data. 41 operations forward, ")
    steps = told(page)
    assert steps[9] == (
        "delta of layer 2: Theta2' * delta3 .* g'(z2)\n"
        "delta2(1) = (1.1*0.8887 + 1.2*0.9074 + 1.3*0.9233 - 1.4*0.06335) * 0.2498 = 0.7939\n"
        "If z2(1) rises by 0.01, cost(1) changes by about 0.007939."
    )
    assert [step.splitlines()[1].partition("(")[0] for step in steps] == [
        *("z2", "a2", "z3", "a3", "cost"),
        *("delta3",) * 4,
        *("delta2",) * 2,
        *("Delta1", "Delta2", "D1", "D2"),
    ]
    assert text(page, "#words").startswith("Every delta, Delta and D is there. D is the gradient: ")


def test_a_delta_is_there_at_its_step_and_not_before(show: Show) -> None:
    page = show(of(ng_ex4()).stepper(1), reduced_motion="reduce")
    shown = []
    for _ in range(14):
        page.keyboard.press("ArrowRight")
        shown.append(page.locator("#stage svg [data-slot=grad]").all_text_contents())
    boxes = [(row[3], row[1]) for row in shown]  # delta2, delta3; before them Delta1, Delta2
    none = "\u2013"
    assert boxes[4] == (f"{none}, {none}", f"{none}, {none}, {none}, {none}")
    assert boxes[5] == (f"{none}, {none}", f"0.8887, {none}, {none}, {none}")
    assert boxes[8] == (f"{none}, {none}", "0.8887, 0.9074, 0.9233, -0.06335")
    assert boxes[9] == (f"0.7939, {none}", "0.8887, 0.9074, 0.9233, -0.06335")
    assert shown[10][2] == ", ".join([none] * 6)
    assert shown[11][2] == "0.7939, 0.429, -0.3304, 1.053, 0.5688, -0.4381"


def test_signs_of_deltas_and_accumulators_are_asked_for_and_no_others(show: Show) -> None:
    page = show(of(ng_ex4()).stepper(1), reduced_motion="reduce")
    page.keyboard.press("p")
    asked, said = [], []
    while text(page, "#phase") != "Done":
        page.keyboard.press("ArrowRight")
        if page.locator("#question").is_visible():
            asked.append(text(page, "#question span"))
            line = text(page, "#panel").split("What sign")[0] + text(page, "#words")
            assert line.strip().endswith("= ?")
            if "Delta2" not in asked[-1]:  # a box shows the first of its twelve
                assert "?" in "".join(page.locator("[data-slot=grad]").all_text_contents())
            page.keyboard.press("+")
            said.append(text(page, "#words"))
    assert asked == [
        *(f"What sign has delta3({k})?" for k in (1, 2, 3, 4)),
        *(f"What sign has delta2({k})?" for k in (1, 2)),
        "What sign has what is added to Delta1(1,2)?",
        "What sign has what is added to Delta2(4,2)?",
    ]
    assert said[4] == "Right. If z2(1) rises by 0.01, cost(1) changes by about 0.007939."
    assert said[3].endswith("Why? It is output minus label, 0.9366 - 1.")
    assert said[6].startswith("No, it is negative. Delta1(1,0) += ")
    assert said[6].endswith("Why? The delta is 0.7939, and what it meets is -0.4161.")
    assert "Of 8 signs you chose 5 right." in text(page, "#words")


def test_within_an_open_box_the_course_asks_too(show: Show) -> None:
    page = show(of(ng_ex4()).stepper(1), reduced_motion="reduce")
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.locator("#stage svg [data-box^=g]", has_text="layer 2").first.click()
    expect(page.locator("[data-do=fold]")).to_be_visible()
    page.locator("#stage svg [data-box^=g]", has_text="unit 1").first.click()
    page.keyboard.press("p")
    page.keyboard.press("Home")
    asked = []
    while text(page, "#phase") != "Done":
        page.keyboard.press("ArrowRight")
        if page.locator("#question").is_visible():
            asked.append(text(page, "#question span"))
            page.keyboard.press("0")
    assert sorted(asked) == [
        *(f"What sign has what is added to Delta1(1,{j})?" for j in (0, 1, 2)),
        "What sign has what is added to delta2(1)?",
    ]
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    assert text(page, "#phase") == "Done"


def test_opening_a_box_and_closing_it_leads_back(show: Show) -> None:
    page = show(of(ng_ex4()).stepper(1), reduced_motion="reduce")
    for step in range(1, 16):
        page.keyboard.press("ArrowRight")
        assert text(page, "#phase") == f"Step {step} of 15"
        page.locator("#stage svg [data-box^=g]", has_text="layer 3").first.click()
        page.keyboard.press("Escape")
        assert text(page, "#phase") == f"Step {step} of 15"


def test_an_edit_changes_every_line_but_d_which_needs_all_examples(show: Show) -> None:
    example = ng_ex4()
    page = show(of(example).stepper(1), reduced_motion="reduce")
    first = told(page)
    box = page.locator("#stage svg [data-box^=v]", has_text="a1(1)")
    type_number(page, str(box.get_attribute("data-box")), -2.5)
    page.keyboard.press("Home")
    edited = told(page)
    example.X[0][0] = -2.5
    expected = written(of(example).stepper(1))
    for now, then in zip(edited[:11], expected):
        assert now.split(" by 0.01,")[0] == then
    for now, then in zip(edited[11:13], expected[11:]):
        assert now == re.sub(": .* becomes .*", "", then)
    assert edited[13].endswith("computes one. Reset the numbers to see it.")
    page.click("summary >> nth=0")
    expect(page.locator("details >> nth=0")).to_contain_text("-2.5")
    page.click("[data-do=reset]")
    page.keyboard.press("Home")
    assert told(page) == first
    assert grads(page)  # the boxes are still there


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone(scheme: str, show: Show) -> None:
    page = show(
        of(ng_ex4()).stepper(1), width=390, height=844, color_scheme=scheme, reduced_motion="reduce"
    )
    for _ in range(16):
        page.keyboard.press("ArrowRight")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        panel = page.locator("#panel").bounding_box()
        assert panel
        assert panel["x"] + panel["width"] <= 390
        ends = page.evaluate(
            """() => ["[data-phase=forward] .now", "[data-phase=backward] .from", "#stage"]
                .map((query) => document.querySelector(query)?.getBoundingClientRect())
                .filter(Boolean).map((place) => Math.round(place.right))"""
        )
        assert len(ends) == 1 or 70 < ends[0] <= ends[-1]  # the numbers of a box are in view
