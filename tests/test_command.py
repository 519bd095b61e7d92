"""python -m micrograd grade: the command line as a pipeline or Gradescope calls it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import processes
import pytest

from micrograd.explain.known_mistakes import command

RIGHT = """
class Value:
    def __init__(self, data, parents=()):
        self.data, self.grad, self.parents, self.pass_on = data, 0.0, parents, lambda: None

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))

        def pass_on():
            self.grad += out.grad
            other.grad += out.grad

        out.pass_on = pass_on
        return out

    __radd__ = __add__

    def backward(self):
        order = []

        def visit(node):
            if node not in order:
                for parent in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        for node in order:
            if node.parents:
                node.grad = 0.0
        self.grad = 1.0
        for node in reversed(order):
            node.pass_on()
"""
WRONG = RIGHT.replace("other.grad += out.grad", "other.grad = out.grad")


def run(file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return processes.run("-m", "micrograd", "grade", str(file), "--operations", "+", *options)


def written(folder: Path, code: str) -> Path:
    file = folder / "student.py"
    file.write_text(code, encoding="utf-8")
    return file


def results(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    tests = json.loads(done.stdout)["tests"]
    assert isinstance(tests, list)
    return tests


def test_a_right_class_passes_every_graph(tmp_path: Path) -> None:
    done = run(written(tmp_path, RIGHT))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Value: 6 of 6 points\n")


def test_a_mistake_is_named_and_fails_the_command(tmp_path: Path) -> None:
    done = run(written(tmp_path, WRONG))
    assert done.returncode == 1
    assert "= for +=" in done.stdout


def test_gradescope_gets_a_point_for_each_graph(tmp_path: Path) -> None:
    done = run(written(tmp_path, "print('hello')" + WRONG), "--json")
    assert done.returncode == 1
    assert "hello" in done.stderr  # and not in the JSON
    by_name = {test["name"]: test for test in results(done)}
    assert by_name["a + b"]["status"] == "passed"
    assert by_name["a + a"] == {
        "name": "a + a",
        "score": 0,
        "max_score": 1,
        "status": "failed",
        "output": "a.grad: expected 2.0, got 1.0; = for +=",
    }


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("def", "could not be imported: SyntaxError"),
        ("import nowhere", "could not be imported: ModuleNotFoundError"),
        ("raise SystemExit(0)", "could not be imported: SystemExit"),
        ("import os; os._exit(0)", "ended Python before it was graded"),
        (RIGHT + "\nimport os; Value.backward = lambda v: os._exit(0)", "ended Python"),
        ("value = 1", "defines no class Value"),
    ],
)
def test_a_file_that_cannot_be_graded_gets_no_points_and_a_reason(
    tmp_path: Path, code: str, why: str
) -> None:
    file = written(tmp_path, code)
    done = run(file)
    assert done.returncode == 1
    assert why in done.stdout
    assert done.stdout.endswith(": 0 of 6 points\n")
    tests = results(run(file, "--json"))
    assert [(test["score"], test["max_score"]) for test in tests] == [(0, 1)] * 6
    assert all(why in test["output"] for test in tests)


def test_a_file_that_blocks_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "while True: pass")
    monkeypatch.setattr(command, "LOADING", 5.0)
    with pytest.raises(command.NotGradedError, match="was not imported within 5 s"):
        command.grade_file(file, "+")
    file = written(tmp_path, RIGHT + "\nimport time\nValue.backward = lambda v: time.sleep(1000)")
    monkeypatch.setattr(command, "LOADING", 60.0)
    with pytest.raises(command.NotGradedError, match=r"was not graded within 0\.5 s"):
        command.grade_file(file, "+", seconds=0.5)


def test_a_class_may_import_the_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(RIGHT, encoding="utf-8")
    assert run(written(tmp_path, "from mine import Value")).returncode == 0


def test_a_command_that_is_wrong_is_no_failed_grade(tmp_path: Path) -> None:
    missing = run(tmp_path / "nowhere.py")
    assert missing.returncode == 2
    assert "there is no file" in missing.stderr
    unknown = run(written(tmp_path, RIGHT), "--operations", "foo")
    assert unknown.returncode == 2
    assert "'foo'" in unknown.stderr
