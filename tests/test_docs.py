"""What the pages of docs/ say about the code is true; their numbers run with them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_architecture import FOLDERS, ROOMS

import micrograd

PACKAGE = Path(micrograd.__file__).parent
ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
READING = (DOCS / "reading.md").read_text(encoding="utf-8")
QUOTES = re.findall(
    r"```\{code-block\} python\n:caption: micrograd/(\S+)\n(?::dedent:\n)?(.*?)```", READING, re.S
)


def test_the_tour_quotes_the_code() -> None:
    assert len(QUOTES) >= 6


@pytest.mark.parametrize(("file", "lines"), QUOTES)
def test_quoted_lines_are_in_the_file_that_the_tour_names(file: str, lines: str) -> None:
    assert lines in (PACKAGE / file).read_text(encoding="utf-8")


def test_every_file_of_the_package_has_its_place_in_the_tour() -> None:
    there = {p.name for p in PACKAGE.iterdir() if p.suffix in (".py", ".c", ".h")}
    there -= {"__init__.py", "__main__.py"}
    folders = {f"{p.name}/" for p in PACKAGE.iterdir() if (p / "__init__.py").exists()}
    told = set(re.findall(r"`(?:micrograd/)?([\w/]+(?:\.py|\.c|\.h|/))`", READING))
    assert (there | folders) - told == set()


def test_the_tour_names_no_file_that_is_not_there() -> None:
    told = re.findall(r"`(?:micrograd/)?([\w/]+(?:\.py|/))`", READING)  # C is not installed
    assert [name for name in told if not (PACKAGE / name).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_no_file_that_is_not_there(page: Path) -> None:
    told = re.findall(r"`(micrograd|tests|demos|tools|docs)/([\w/.-]*)`", page.read_text("utf-8"))
    folders = {"micrograd": PACKAGE}  # which may be installed elsewhere, then without its C sources
    missing = [
        f"{folder}/{name}"
        for folder, name in told
        if not (folders.get(folder, ROOT / folder) / name).exists() and not name.endswith(".c")
    ]
    assert missing == []


def test_the_picture_of_the_rooms_shows_all_of_them() -> None:
    drawn = (DOCS / "rooms.svg").read_text(encoding="utf-8")
    names = [*ROOMS, *(folder for inside in FOLDERS.values() for folder in inside)]
    assert [name for name in names if not re.search(rf"\b{name}(/|\.py)", drawn)] == []


PROMISES = (DOCS / "promises.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (?!promise)([^-].*) \| (.*) \|$", PROMISES, re.M)


def test_there_are_promises() -> None:
    assert len(ROWS) > 30


@pytest.mark.parametrize(("promise", "tests"), ROWS)
def test_the_tests_that_hold_a_promise_are_there(promise: str, tests: str) -> None:
    named = re.findall(r"`(tests/\w+\.py)?(?:::(test_\w+))?`", tests)
    assert named, f"no test holds: {promise}"
    file = ""
    for path, name in named:
        file = path or file  # a test alone is in the file before it
        text = (ROOT / file).read_text(encoding="utf-8")
        assert f"def {name}(" in text if name else "def test_" in text or "TestCase" in text
