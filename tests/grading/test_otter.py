"""The lab in otter: `grade` and the course's deltas as test files; solved passes, blank fails."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

DEMOS = Path(__file__).parents[2] / "demos"

# What docs/teachers.md advises: one assertion, whose message is the report.
VALUE = """\
from otter.test_files import test_case

OK_FORMAT = False
name = "value"


@test_case(points=4)
def test_value(Value):
    from micrograd.explain import grade

    report = grade(Value, operations="+ * relu")
    assert report.passed, report
"""

DELTA = """\
from otter.test_files import test_case

OK_FORMAT = False
name = "delta"


@test_case(points=1)
def test_output_delta(output_delta):
    assert output_delta([0.75], [1.0]) == [-0.25]
"""


def otter(folder: Path, *arguments: str) -> None:
    code = "from otter.cli import cli; cli()"
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.fixture(scope="module")
def autograder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("otter")
    tests = folder / "tests"
    tests.mkdir()
    (tests / "value.py").write_text(VALUE)
    (tests / "delta.py").write_text(DELTA)
    otter(folder, "generate", "-t", "tests", "-o", "autograder.zip")
    with ZipFile(folder / "autograder.zip") as held:
        assert "tests/value.py" in held.namelist()
    return folder


@pytest.mark.parametrize(("notebook", "points"), [("lab_solved", [1.0, 4.0]), ("lab", [0.0, 0.0])])
def test_points(autograder: Path, notebook: str, points: list[float]) -> None:
    shutil.copy(DEMOS / f"{notebook}.ipynb", autograder)
    out = autograder / notebook
    out.mkdir()
    otter(autograder, "run", f"{notebook}.ipynb", "-o", str(out), "--no-logo")
    results = json.loads((out / "results.json").read_text())
    scores = {test["name"]: test["score"] for test in results["tests"] if "score" in test}
    found = [next(s for name, s in scores.items() if key in name) for key in ("delta", "value")]
    assert found == points
    told = results["tests"][0]["output"]
    assert ("nothing passed on: no leaf gets a gradient" in told) == (notebook == "lab")
