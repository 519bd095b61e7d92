"""The exercises of the tutorial in a real browser: what is typed is compared, and said."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

pytestmark = pytest.mark.browser

SCRIPT = Path(__file__).parents[2] / "docs" / "_static" / "exercise.js"
FORM = (
    '<form class="exercise" data-answer="-0.2" data-tolerance="0.001" data-hint="a - y"><label>'
    'Your answer <input type="text"></label><button type="submit">Check</button>'
    '<output aria-live="polite"></output></form>'
)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        page = browser.new_page()
        page.set_content(FORM)
        page.add_script_tag(path=SCRIPT)
        yield page
        browser.close()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("-0.2", "Right."),
        ("\u22120,2004", "Right."),
        ("0.2", "The right size; now the sign."),
        ("0.8", "Not yet. Hint: a - y."),
        ("", "A number, please"),
        ("a - y", "A number, please"),
    ],
)
def test_an_answer_is_compared(page: Page, typed: str, said: str) -> None:
    page.get_by_label("Your answer").fill(typed)
    page.get_by_label("Your answer").press("Enter")
    expect(page.locator("output")).to_contain_text(said)
