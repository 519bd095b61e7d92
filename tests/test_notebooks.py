"""The notebooks that are made out of pages of docs/ say what these say."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from micrograd import strict

ROOT = Path(__file__).parents[1]


def _tool(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = _tool("notebooks")
MADE = TOOL.notebooks()


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_notebook_has_the_cells_of_its_pages(name: str) -> None:
    saved = json.loads((ROOT / "demos" / name).read_text(encoding="utf-8"))
    assert TOOL.sources(saved["cells"]) == TOOL.sources(MADE[name]), (
        "a page has changed: run python tools/notebooks.py"
    )


@pytest.mark.parametrize("name", sorted(MADE))
def test_no_cell_is_empty(name: str) -> None:
    assert all(source.strip() for _, source in TOOL.sources(MADE[name]))


def test_the_cells_are_all_of_those_on_the_pages() -> None:
    pages = (ROOT / "docs" / "backpropagation").glob("*.md")
    fences = sum(page.read_text(encoding="utf-8").count("```{code-cell}") for page in pages)
    kinds = [kind for kind, _ in TOOL.sources(MADE["backpropagation.ipynb"])]
    assert kinds.count("code") == fences


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_notebook_was_saved_with_what_its_cells_show_and_without_an_error(name: str) -> None:
    saved = json.loads((ROOT / "demos" / name).read_text(encoding="utf-8"))
    outputs = [o for cell in saved["cells"] for o in cell.get("outputs", [])]
    assert (len(outputs) > 5) == (name not in TOOL.NOT_RUN)
    assert [o for o in outputs if o["output_type"] == "error"] == []


def test_the_students_lab_holds_no_solution_and_the_solved_one_holds_all() -> None:
    student, solved = (
        "\n".join(source for kind, source in TOOL.sources(MADE[name]) if kind == "code")
        for name in ("lab.ipynb", "lab_solved.ipynb")
    )
    assert "SOLUTION" not in student
    assert "HIDDEN" not in student
    assert student.count("...  # your code") == solved.count("### BEGIN SOLUTION") == 11
    for spoiler in ("out.grad\n", "other.data * out", "ak - yk", "reversed(order)"):
        assert spoiler in solved + "\n"
        assert spoiler not in student


@pytest.mark.parametrize("name", ["lab.ipynb", "lab_solved.ipynb"])
def test_nbgrader_knows_what_to_grade(name: str) -> None:
    cells = json.loads((ROOT / "demos" / name).read_text(encoding="utf-8"))["cells"]
    known = [cell["metadata"]["nbgrader"] for cell in cells if "nbgrader" in cell["metadata"]]
    assert len({cell["grade_id"] for cell in known}) == len(known) == 16
    assert sum(cell.get("points", 0) for cell in known) == 15
    for cell in cells:
        source = "".join(cell["source"])
        code = cell["cell_type"] == "code"
        to_write = code and ("# your code" in source or "BEGIN SOLUTION" in source)
        meta = cell["metadata"].get("nbgrader")
        if meta is None:
            assert not to_write
            continue
        assert (meta["solution"], meta["locked"], meta["grade"]) == (
            to_write,
            not to_write,
            not to_write,
        )
        assert ("points" in meta) == meta["grade"]
        if name == "lab_solved.ipynb" and meta["grade"]:
            assert "### BEGIN HIDDEN TESTS\nassert " in source


@pytest.fixture
def strict_ends() -> Iterator[None]:
    yield
    strict(False)  # which the lab switches on


@pytest.mark.usefixtures("strict_ends")
@pytest.mark.long
def test_the_students_lab_runs_before_anything_is_written() -> None:
    names: dict[str, Any] = {}
    said: list[str] = []
    for kind, source in TOOL.sources(MADE["lab.ipynb"]):
        if kind == "code":
            exec(source, names)
            if "def check" in source:
                names["check"] = lambda right, hint: said.append("right" if right else hint)
    assert len(said) == 8
    assert "right" not in said


@pytest.mark.usefixtures("strict_ends")
def test_the_solved_lab_gets_all_points() -> None:
    saved = json.loads((ROOT / "demos" / "lab_solved.ipynb").read_text(encoding="utf-8"))
    shown = json.dumps([cell.get("outputs", []) for cell in saved["cells"]])
    assert "20 of 20 points" in shown
    assert "25 of 25 points" in shown
    assert "not yet" not in shown


def test_links_lead_to_files_that_are_there() -> None:
    cells = TOOL.sources(MADE["backpropagation.ipynb"])
    text = "\n".join(source for kind, source in cells if kind == "markdown")
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert len(links) > 5
    assert [link for link in links if not (ROOT / "demos" / link).exists()] == []


def test_the_teachers_kit_is_what_the_pages_say() -> None:
    made = _tool("kit").kit()
    for name, text in made.items():
        saved = (ROOT / "docs" / "kit" / name).read_text(encoding="utf-8")
        assert saved == text, "a page has changed: run python tools/kit.py"
    assert made["slides.md"].count("\n## ") == 20
    assert made["slides.md"].count("```{code-cell}") == 8
    assert made["worksheet.md"].count("**Exercise.**") == 20
    assert made["worksheet.md"].count("{container} line") == 30
    assert made["key.md"].count("\n- ") == 20
    assert made["quiz.md"].count("**Question") == 8
    assert "**-0.0883**" in made["key.md"]
    assert "-0.0883" not in made["worksheet.md"] + made["quiz.md"]


@pytest.mark.parametrize(
    "name", ["graphs", "stepper", "train", "digits", "microgpt", "regression", "options"]
)
def test_what_a_notebook_shows_weighs_less_than_300_kb(name: str) -> None:
    saved = json.loads((ROOT / "demos" / f"{name}.ipynb").read_text(encoding="utf-8"))
    outputs = [cell.get("outputs", []) for cell in saved["cells"]]
    assert len(json.dumps(outputs)) < 300_000


def test_the_notebook_of_the_tutorial_is_light() -> None:
    assert (TOOL.DEMOS / "backpropagation.ipynb").stat().st_size < 300_000
