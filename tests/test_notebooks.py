"""The notebooks that are made out of pages of docs/ say what these say."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


def _tool() -> Any:
    spec = importlib.util.spec_from_file_location("notebooks", ROOT / "tools" / "notebooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = _tool()
MADE = TOOL.notebooks()


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_notebook_has_the_cells_of_its_pages(name: str) -> None:
    saved = json.loads((ROOT / "demos" / name).read_text(encoding="utf-8"))
    assert TOOL.sources(saved["cells"]) == TOOL.sources(MADE[name]), (
        "a page has changed: run python tools/notebooks.py"
    )


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_notebook_was_saved_with_what_its_cells_show_and_without_an_error(name: str) -> None:
    saved = json.loads((ROOT / "demos" / name).read_text(encoding="utf-8"))
    outputs = [o for cell in saved["cells"] for o in cell.get("outputs", [])]
    assert len(outputs) > 5
    assert [o for o in outputs if o["output_type"] == "error"] == []


def test_the_students_lab_holds_no_solution_and_the_solved_one_holds_all() -> None:
    student, solved = (
        "\n".join(source for kind, source in TOOL.sources(MADE[name]) if kind == "code")
        for name in ("lab.ipynb", "lab_solved.ipynb")
    )
    assert "SOLUTION" not in student
    assert student.count("...  # your code") == solved.count("### BEGIN SOLUTION") == 7


def test_the_solved_lab_gets_all_points() -> None:
    saved = json.loads((ROOT / "demos" / "lab_solved.ipynb").read_text(encoding="utf-8"))
    shown = json.dumps([cell.get("outputs", []) for cell in saved["cells"]])
    assert "22 of 22 points" in shown
    assert "27 of 27 points" in shown
    assert "not yet" not in shown


def test_links_lead_to_files_that_are_there() -> None:
    text = "\n".join(source for _, source in TOOL.sources(MADE["backpropagation.ipynb"]))
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert len(links) > 5
    assert [link for link in links if not (ROOT / "demos" / link).exists()] == []
