"""Pages of programs in a real browser: they compute what Python does, and can be used by anyone."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

import micrograd as mg
from micrograd import Value
from micrograd.nn import MLP

sys.path.append(str(Path(__file__).parents[1]))

from chromium import browser, show  # noqa: F401

pytestmark = pytest.mark.browser
Show = Callable[..., Page]


def assert_usable(page: Page) -> None:
    """Check that axe finds nothing, and that nothing scrolls sideways."""
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_drawn_image_is_told(show: Show, tmp_path: Path) -> None:
    random.seed(1)
    model = MLP(64, [32, 10], activation="sigmoid")
    program = mg.program(lambda x: model(x))
    images = np.random.default_rng(0).uniform(size=(50, 64))
    right = program(images).data
    program.to_html(tmp_path / "page.html", image=(8, 8), results="0123456789")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = show(text, color_scheme="dark")
    found = page.evaluate("images => images.map(x => predict(x))", images.tolist())
    np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-12)
    with pytest.raises(Exception, match="argument 1 of predict has 64 numbers"):
        page.evaluate("predict([1, 2])")
    blank = page.locator("#results output").all_inner_texts()
    box = page.locator("canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 250, steps=5)
    page.mouse.up()
    drawn = page.locator("#results output").all_inner_texts()
    assert drawn != blank
    page.keyboard.press("Tab")  # to the button that clears
    page.keyboard.press("Enter")
    assert page.locator("#results output").all_inner_texts() == blank
    page.locator("canvas").focus()
    for key in ("ArrowDown", "ArrowRight", " "):
        page.keyboard.press(key)
    assert page.locator("#results output").all_inner_texts() not in (blank, drawn)
    assert_usable(page)
    assert_usable(show(text, width=375, color_scheme="light"))


def test_sliders_and_tokens(show: Show, tmp_path: Path) -> None:
    w = Value(2.0)

    def area(width: Any, height: Any) -> Any:
        return w * width * height if width > 0 else height

    program = mg.program(area)
    program([1.0], [1.0])
    program.to_html(tmp_path / "page.html", inputs={"width": (-1, 3), "height": (0, 2)})
    page = show((tmp_path / "page.html").read_text(encoding="utf-8"), width=375)
    expect(page.locator("#answer")).to_have_text("2")
    page.get_by_label("width").press("End")
    expect(page.locator("#answer")).to_have_text("6")
    page.get_by_label("width").press("Home")
    expect(page.locator("#answer")).to_contain_text("a path through an if that was not traced")
    assert_usable(page)
    # What follows a is b, what follows b is the end, and a text begins with a.
    after = [[-99.0, 99.0, 0.0], [0.0, 0.0, 99.0], [99.0, 0.0, 0.0]]
    table = [[Value(x) for x in row] for row in after]
    program = mg.program(lambda tokens: [s for t in tokens for s in mg.take(table, t)])
    program([[2, 2, 2, 2, 2]])
    program.to_html(tmp_path / "page.html", tokens=["a", "b", ""])
    page = show((tmp_path / "page.html").read_text(encoding="utf-8"), color_scheme="dark")
    assert page.locator("#results li").all_inner_texts() == ["ab"] * 10
    page.get_by_label("Begin with").fill("ba")
    page.get_by_role("button").click()
    assert page.locator("#results li").all_inner_texts() == ["bab"] * 10
    page.get_by_label("Begin with").fill("c")
    page.get_by_role("button").click()
    expect(page.locator("#answer")).to_have_text("The model cannot begin with this.")
    assert_usable(page)
