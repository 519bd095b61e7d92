"""The picture of a graph in a page: in the theme of its host, else of the system."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from chromium import browser, show  # noqa: F401 (fixtures)
from matplotlib import image
from playwright.sync_api import Page

from micrograd import Value
from micrograd.draw import graph, stepper

Show = Callable[..., Page]

LIGHT, DARK = (255, 255, 255), (21, 25, 30)


def bundle() -> dict[str, Any]:
    x = Value(2.0, label="x")
    y = (x * x).tanh()
    y.backward()
    return graph(y)._repr_mimebundle_(include=["text/html", "image/svg+xml"])


def paper(page: Page, selector: str, tmp_path: Any) -> tuple[int, ...]:
    """Return the colour of a picture's corner, as it is seen."""
    place = page.locator(selector).bounding_box()
    assert place
    path = tmp_path / "seen.png"
    corner = {"x": place["x"] + place["width"] / 2, "y": place["y"] + 4, "width": 4, "height": 4}
    page.screenshot(path=path, clip=corner)
    return tuple(round(255 * float(c)) for c in image.imread(path)[1, 1][:3])


@pytest.mark.parametrize("system", ["light", "dark"])
@pytest.mark.parametrize(
    ("attribute", "theme"),
    [
        ('data-jp-theme-light="true"', "light"),
        ('data-jp-theme-light="false"', "dark"),
        ('data-theme="light"', "light"),
        ('data-theme="dark"', "dark"),
        ('class="vscode-dark"', "dark"),
        ("", None),
    ],
)
@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml"])
def test_a_graph_follows_the_page(
    kind: str,
    attribute: str,
    theme: str | None,
    system: str,
    show: Show,
    tmp_path: Any,
) -> None:
    page = show(
        f"<!doctype html><html><body {attribute}>{bundle()[kind]}</body></html>",
        color_scheme=system,
    )
    seen = paper(page, "img" if kind == "text/html" else "svg.picture", tmp_path)
    assert seen == {"light": LIGHT, "dark": DARK}[theme or system]


@pytest.mark.parametrize("system", ["light", "dark"])
def test_where_style_sheets_are_cut_out_a_graph_is_light(
    system: str,
    show: Show,
    tmp_path: Any,
) -> None:
    html = bundle()["text/html"].partition("<style>")[0]
    page = show(f"<!doctype html><body style='background:#fff'>{html}", color_scheme=system)
    assert paper(page, "img", tmp_path) == LIGHT


@pytest.mark.parametrize("system", ["light", "dark"])
def test_a_stepper_in_marimo_follows_the_page(system: str, show: Show) -> None:
    """There only the scripts of frames run, and the theme of the page may change."""
    kind, html = stepper((Value(2.0, label="x") * 3).tanh())._mime_()
    assert kind == "text/html"
    page = show(
        f"<!doctype html><body class=light style='background:#fff'>{html}", color_scheme=system
    )
    frame = page.frame_locator("iframe")
    frame.locator("#bar").wait_for()
    for ground, theme, colour in (
        ("#fff", "light", LIGHT),
        ("#111", "dark", DARK),
        ("color(srgb 1 1 1)", "light", LIGHT),  # as marimo writes it
        ("color(srgb 0.1 0.1 0.1)", "dark", DARK),
    ):
        page.evaluate(f"document.body.style.background = '{ground}'")
        frame.locator(f"html[data-theme={theme}]").wait_for()
        seen = frame.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
        assert seen == f"rgb{colour}"
