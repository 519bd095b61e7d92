"""The live page in a real browser: Python starts, numbers change, gradients and classes are judged.

The page is built without the cells of the others; the same files make it as in `make docs`.
"""

from __future__ import annotations

import functools
import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chromium import browser  # noqa: F401
from playwright.sync_api import Browser, BrowserContext, Page, expect
from scipy.io import savemat

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[2] / "tools"))

import live
from test_check_gradient import check_case
from test_live import MISTAKEN

from micrograd.explain import deltas

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
PATIENCE = 120_000  # ms for what Python does, on a busy machine
expect.set_options(timeout=PATIENCE)
GRAVE = ["serious", "critical"]  # what axe may not find


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing about each request."""


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Say nothing when a page goes away before all of a file has arrived."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the page and the index."""
    folder = tmp_path_factory.mktemp("site")
    options = ["-D", "nb_execution_mode=off", "-D", "include_patterns=index.md,live.md"]
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-Q", *options, "docs", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    handler = functools.partial(_Files, directory=str(site))
    server = _Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def started(browser: Browser, address: str) -> Iterator[Page]:
    """Open the page once; it may load nothing from elsewhere, and log nothing."""
    complaints: list[str] = []
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.on("console", lambda m: complaints.append(f"{m.type}: {m.text} {m.location['url']}"))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda r: complaints.extend([r.url] * (not r.url.startswith(address))))
    start(page, address)
    yield page
    context.close()
    assert [text for text in complaints if "favicon" not in text] == []


def start(page: Page, address: str) -> None:
    page.goto(f"{address}live.html")
    expect(page.locator("#live-J")).to_have_text("7.40697")


@pytest.fixture
def page(started: Page) -> Page:
    """Return the page with the network of the tutorial."""
    started.click("#live-again")
    expect(started.locator("#live-J")).to_have_text("7.40697")
    expect(started.locator("#live-moved")).to_have_text("")
    started.select_option("#live-chosen", "Theta2:1,0")
    expect(started.locator("#live-number")).to_have_value("0.7")
    return started


def changed(**numbers: float) -> Any:
    """Return what deltas says of the tutorial's network with another weight or input."""
    net = check_case(0.0)
    for name, number in numbers.items():
        if name == "x1":
            net.x[0, 0] = number
        elif name == "y4":
            net.y[0, 3] = number
        else:
            net.thetas[1][3, 2] = number
    return deltas(net.thetas, net.x, net.y)


def shows(page: Page, found: Any) -> None:
    """Compare the page with what Python says here: J, a, delta in the picture, Delta, D beside."""
    expect(page.locator("#live-J")).to_have_text(f"{found.J.data:.5f}")
    drawn = page.locator("#live-network .unit:has(circle) text").all_text_contents()
    expected = [
        text
        for a, delta in ((found.a[2][1][1:], found.delta[2][1]), (found.a[3][1], found.delta[3][1]))
        for pair in zip(map(number, a), map(number, delta))
        for text in (pair[0], f"\u03b4 {pair[1]}")
    ]
    assert drawn == expected
    tables = page.locator("#live-tables").inner_text()
    for x in (found.Delta[2][4, 2], found.D[1][2, 1], found.D[2][4, 2]):
        assert f"{x:.6g}" in tables


def number(x: float) -> str:
    return f"{x:.3f}".replace("-", "\u2212")


# The network -------------------------------------------------------------------------------------


def test_the_network_of_the_tutorial_is_there_at_once(page: Page) -> None:
    shows(page, changed())
    assert page.locator("#live-network .edge").count() == 18
    assert "delta3(1) * a2(0) = 0.8887 * 1.0000 = 0.8887" in page.inner_text("#live-lines")
    assert "0.00883925" in page.inner_text("#live-nudge")


def test_a_dragged_weight_changes_everything(page: Page) -> None:
    drag(page, "[data-name=Theta2][data-at='4,2'] .reach", 120)
    expect(page.locator("#live-number")).to_have_value("3")  # 1.8, and a hundredth for each pixel
    assert page.input_value("#live-chosen") == "Theta2:4,2"
    shows(page, changed(theta=3.0))


def test_inputs_and_labels_are_dragged_too(page: Page) -> None:
    drag(page, "[data-name=x][data-at='1']", 46)
    expect(page.locator("#live-number")).to_have_value("1")
    shows(page, changed(x1=1.0))
    page.click("#live-again")
    expect(page.locator("#live-J")).to_have_text("7.40697")
    drag(page, "[data-name=y][data-at='4']", -300)
    expect(page.locator("#live-number")).to_have_value("0")
    shows(page, changed(y4=0.0))


# In one step, since the network is drawn anew whenever numbers arrive.
MIDDLE = """what => {
  const element = document.querySelector(what);
  element.scrollIntoView({block: "center"});
  const place = element.getBoundingClientRect();
  return [place.x + place.width / 2, place.y + place.height / 2];
}"""


def drag(page: Page, what: str, by: int) -> None:
    name = re.search(r"data-name=(\w+)\]\[data-at='([\d,]+)'", what)
    assert name
    expect(page.locator(f"#live-network {what}")).to_be_attached()
    chosen = f"{name[1]}:{name[2]}"
    for _ in range(5):
        x, y = page.evaluate(MIDDLE, f"#live-network {what}")
        page.mouse.move(x, y)
        page.mouse.down()
        with suppress(AssertionError):  # numbers that arrived just now have moved the drawing
            expect(page.locator("#live-chosen")).to_have_value(chosen, timeout=4000)
            break
        page.mouse.up()
    assert page.input_value("#live-chosen") == chosen
    page.mouse.move(x + by, y, steps=8)
    page.mouse.up()


def test_keys_alone_choose_a_number_and_move_it(page: Page) -> None:
    page.focus("#live-example")
    page.keyboard.press("Tab")
    page.keyboard.press("End")
    expect(page.locator("#live-chosen")).to_have_value("lambda:")
    page.keyboard.press("Home")
    expect(page.locator("#live-chosen")).to_have_value("Theta1:1,0")
    expect(page.locator("#live-number")).to_have_value("0.1")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#live-number")).to_have_value("0.11")
    expect(page.locator("#live-J")).not_to_have_text("7.40697")
    page.keyboard.press("Tab")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("0.1")
    expect(page.locator("#live-J")).to_have_text("7.40697")


def test_a_step_of_gradient_descent(page: Page) -> None:
    page.click("#live-step")
    expect(page.locator("#live-moved")).to_have_text("J: 7.4070, predicted 3.0217, now 3.9673")
    page.click("#live-step")
    expect(page.locator("#live-moved")).to_contain_text("J: 3.9673")


def test_another_example_is_drawn_and_written_out(page: Page) -> None:
    page.select_option("#live-example", "2")
    found = changed()
    expect(page.locator("#live-cost")).to_have_text(f"{found.costs[1]:.5f}")
    page.click("#live-hand summary")
    line = found.by_hand(2).data[-1].lines[0]
    expect(page.locator("#live-written")).to_contain_text(line)


# The reader's own --------------------------------------------------------------------------------


def test_matrices_are_pasted_and_what_does_not_fit_is_said(page: Page) -> None:
    page.fill("#live-matrices", "Theta1 = [0 1]\nTheta2 = [0 1; 1 -2]\nX = [2; 3]\ny = [1; 2]")
    page.click("#live-paste")
    expect(page.locator("#live-read")).to_have_text("In use now.")
    found = deltas([[[0, 1]], [[0, 1], [1, -2]]], [[2], [3]], [1, 2])
    expect(page.locator("#live-J")).to_have_text(f"{found.J.data:.5f}")
    page.fill("#live-matrices", "Theta1 = [1 2; 3]")
    page.click("#live-paste")
    expect(page.locator("#live-read")).to_contain_text("have 2, 1 numbers")
    page.fill("#live-gradient", "1 2 3")
    page.click("#live-check")
    expect(page.locator("#live-verdict")).to_contain_text("the network 6 weights")


def test_mat_files_of_exercise_4_are_taken(page: Page, tmp_path: Path) -> None:
    rng = np.random.RandomState(1)
    thetas = [rng.uniform(-0.12, 0.12, shape) for shape in ((25, 401), (10, 26))]
    x, y = rng.rand(40, 400), rng.randint(1, 11, (40, 1)).astype(np.uint8)
    savemat(tmp_path / "w.mat", {"Theta1": thetas[0], "Theta2": thetas[1]}, do_compression=True)
    savemat(tmp_path / "d.mat", {"X": x, "y": y}, do_compression=True)
    page.set_input_files("#live-files", [tmp_path / "w.mat", tmp_path / "d.mat"])
    expect(page.locator("#live-read")).to_contain_text("X 40x400")
    found = deltas(thetas, x[:2], y[:2])
    expect(page.locator("#live-J")).to_have_text(f"{found.J.data:.5f}")
    expect(page.locator("#live-examples")).to_have_text("2 of 40 examples, from")
    page.fill("#live-gradient", "\n\n".join(text_of(d) for d in found.Delta.values()))
    page.click("#live-check")
    expect(page.locator("#live-verdict")).to_contain_text("1/m missing")
    page.fill("#live-name", "Theta1(12, 207)")
    page.press("#live-name", "Enter")
    line = f"Delta1(12,207) = {found.Delta[1][12, 207]:.4f}"
    expect(page.locator("#live-lines")).to_contain_text(line)
    page.fill("#live-name", "Theta1(12, 2000)")
    page.press("#live-name", "Enter")
    expect(page.locator("#live-status")).to_contain_text("columns 0 to 400, got [12, 2000]")
    page.fill("#live-first", "7")
    page.click("#live-use")
    expect(page.locator("#live-J")).to_have_text(f"{deltas(thetas, x[6:8], y[6:8]).J.data:.5f}")


def text_of(matrix: Any) -> str:
    return "\n".join(" ".join(f"{x:.12g}" for x in row) for row in matrix)


def test_a_gradient_is_checked(page: Page) -> None:
    page.click("#live-wrong")
    expect(page.locator("#live-verdict")).to_contain_text("The gradient is wrong: 1/m missing")
    page.fill("#live-gradient", "\n\n".join(text_of(d) for d in changed().D.values()))
    page.click("#live-check")
    expect(page.locator("#live-verdict")).to_contain_text("The gradient is right")


def test_the_lab_is_graded(page: Page) -> None:
    assert page.input_value("#live-code").strip() == live.lab().strip()
    page.fill("#live-code", MISTAKEN)
    page.fill("#live-operations", "+")
    page.click("#live-grading")
    expect(page.locator("#live-grade")).to_contain_text("= for +=")
    page.fill("#live-code", "class Value:\n    def __init__(self)\n")
    page.click("#live-grading")
    expect(page.locator("#live-grade")).to_contain_text("line 2: expected ':'")
    page.click("#live-anew")
    expect(page.locator("#live-code")).to_have_value(live.lab())


# For everybody, and when it fails ----------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(
    page: Page, width: int, scheme: Any
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.click("#live-wrong")
    page.click("#live-grading")
    expect(page.locator("#live-grade table")).to_be_visible()
    page.add_script_tag(path=live.packages() / "axe-core" / "axe.min.js")
    found = page.evaluate("axe.run()")["violations"]
    assert [(v["id"], v["nodes"][0]["target"]) for v in found if v["impact"] in GRAVE] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tables = page.locator("#live-tables table").evaluate_all(
        "all => all.map(({ clientWidth, scrollWidth }) => [clientWidth, scrollWidth])"
    )
    assert len(tables) == 6
    assert all(visible == whole for visible, whole in tables)
    page.set_viewport_size({"width": 1200, "height": 900})
    page.emulate_media(color_scheme="light")


def test_what_has_loaded_works_offline(page: Page) -> None:
    page.context.set_offline(True)
    page.click("#live-step")
    expect(page.locator("#live-moved")).to_contain_text("now 3.9673")
    page.context.set_offline(False)


@pytest.fixture
def fresh(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


@pytest.mark.parametrize("missing", ["pyodide.asm.wasm", "pyodide.mjs", "micrograd.whl"])
def test_a_reader_is_told_what_to_do_when_python_does_not_load(
    fresh: BrowserContext, address: str, missing: str
) -> None:
    page = fresh.new_page()
    page.route(f"**/{missing}", lambda route: route.abort())
    page.goto(f"{address}live.html")
    expect(page.locator("#live-failed")).to_be_visible()
    assert "Python could not be started here" in page.inner_text("#live-failed")
    page.unroute_all()
    page.click("#live-retry")
    expect(page.locator("#live-J")).to_have_text("7.40697")
    expect(page.locator("#live-failed")).to_be_hidden()


def test_it_says_so_when_code_arrives_cut_off(fresh: BrowserContext, address: str) -> None:
    page = fresh.new_page()
    cut = {"body": b"\0asm\1\0\0\0\1\7", "content_type": "application/wasm"}
    page.route("**/pyodide.asm.wasm", lambda route: route.fulfill(**cut))
    page.goto(f"{address}live.html")
    expect(page.locator("#live-why")).to_contain_text("WebAssembly")


def test_opened_as_a_file_it_says_that_it_wants_a_server(fresh: BrowserContext, site: Path) -> None:
    page = fresh.new_page()
    page.goto((site / "live.html").as_uri())
    expect(page.locator("#live-failed")).to_be_visible()
    assert "python3 -m http.server" in page.inner_text("#live-failed")
