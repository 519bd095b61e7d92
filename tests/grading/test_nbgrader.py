"""The lab in nbgrader: the release holds no solution, solved gets all points, blank gets none."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEMOS = Path(__file__).parents[2] / "demos"
STUDENTS = {"solved": 15.0, "blank": 0.0}


def nbgrader(course: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "nbgrader", *arguments]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # of alembic
    done = subprocess.run(
        command,
        cwd=course,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("course")
    (folder / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'c'\n"
    )
    source = folder / "source" / "lab" / "lab.ipynb"
    source.parent.mkdir(parents=True)
    shutil.copy(DEMOS / "lab_solved.ipynb", source)
    nbgrader(folder, "generate_assignment", "lab", "--create")
    released = folder / "release" / "lab" / "lab.ipynb"
    for name, notebook in (("solved", source), ("blank", released)):
        place = folder / "submitted" / name / "lab"
        place.mkdir(parents=True)
        shutil.copy(notebook, place)
    nbgrader(folder, "autograde", "lab", "--create")
    nbgrader(folder, "export")
    return folder


def test_the_release_holds_no_solution(course: Path) -> None:
    text = (course / "release" / "lab" / "lab.ipynb").read_text(encoding="utf-8")
    assert "YOUR CODE HERE" in text
    assert "SOLUTION" not in text
    assert "HIDDEN TESTS" not in text


@pytest.mark.parametrize("student", STUDENTS)
def test_points(course: Path, student: str) -> None:
    with open(course / "grades.csv", encoding="utf-8") as file:
        scores = {row["student_id"]: row for row in csv.DictReader(file)}
    assert float(scores[student]["max_score"]) == 15.0
    assert float(scores[student]["score"]) == STUDENTS[student]
