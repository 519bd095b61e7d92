"""Chromium, and pages in it that may log no error and ask for nothing elsewhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from micrograd.draw import Stepper


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium: that of MICROGRAD_CHROMIUM, the system's, or else playwright's own."""
    named = os.environ.get("MICROGRAD_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=named, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open a stepper, or HTML, in its own page.

    At the end of the test no page may have logged an error or asked for anything elsewhere.
    """
    contexts: list[Any] = []
    complaints: list[str] = []

    def opened(what: Stepper | str, width: int = 1000, height: int = 800, **options: Any) -> Page:
        path = tmp_path / f"{len(contexts)}.html"
        path.write_text(what if isinstance(what, str) else what.html(), encoding="utf-8")
        viewport = {"width": width, "height": height}
        contexts.append(browser.new_context(viewport=viewport, **options))
        page: Page = contexts[-1].new_page()
        page.on("console", lambda m: complaints.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: complaints.extend([r.url] * r.url.startswith("http")))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
