"""What editors and type checkers see: docstrings out of the table, stubs, types of usual code."""

from __future__ import annotations

import importlib
import inspect
import math
import pydoc
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import micrograd as mg

ROOT = Path(__file__).parent.parent

# An expression, and what mypy must know of it.
TYPES = [
    ("mg.tanh(x)", "micrograd.engine.Value"),
    ("mg.tanh(1.0)", "float"),
    ("mg.maximum(x, 2)", "micrograd.engine.Value"),
    ("x.tanh()", "micrograd.engine.Value"),
    ("1 - 2 ** x", "micrograd.engine.Value"),
    ("x > 1", "bool"),
    ("x == 1", "bool"),
    ("model([1.0, 2.0]) * 2", "micrograd.engine.Value"),
    ("(1 + -x * model([1.0, x])).relu()", "micrograd.engine.Value"),
    ("[output for output in model([1.0, 2.0])]", "list[micrograd.engine.Value]"),
    ("model.layers[0].neurons[0]([1.0, x])", "micrograd.engine.Value"),
    ("f([1.0], [2.0])", "micrograd.programs.run.results.Result"),
    ("f([1.0], [2.0]).mean()", "micrograd.engine.Value"),
    ("np.tanh(x)", "Any"),  # NumPy's own answer, whatever the argument; no error is what counts
    ("mg.optim.SGD(model, lr=0.1).parameters", "tuple[micrograd.engine.Value, ...]"),
]


@pytest.fixture(scope="module")
def stubs() -> Any:
    sys.path.append(str(ROOT / "tools"))
    try:
        return importlib.import_module("stubs")
    finally:
        sys.path.remove(str(ROOT / "tools"))


def test_the_files_are_what_the_table_gives(stubs: Any) -> None:
    told = "the table or the public names have changed: run python tools/stubs.py"
    text = stubs.OPERATORS.read_text(encoding="utf-8")
    assert text == stubs.documented(text), told
    assert stubs.STUB.read_text(encoding="utf-8") == stubs.stub(), told


def test_every_method_tells_its_derivative() -> None:
    for op in mg.ops.TABLE.values():
        method = getattr(mg.value.operators.Operators, op.name, None)
        if method is not None:
            assert "derivative" in method.__doc__, op.name
            assert f"Return {op.name}(" in method.__doc__


def words(docstring: str) -> list[str]:
    """Return the words of a docstring, which stands in one or in two paragraphs by its length."""
    return docstring.replace("; its", ". Its").split()


def test_help_on_an_operation_has_its_formula_and_its_derivative() -> None:
    told = "Return tanh(x); its derivative is 1 - out * out, where out is the result."
    assert inspect.getdoc(mg.tanh) == told  # what `mg.tanh?` shows
    assert told in pydoc.plain(pydoc.render_doc(mg.tanh))
    for op in mg.ops.TABLE.values():
        method = getattr(mg.value.operators.Operators, op.name, None)
        assert op.__doc__
        assert method is None or words(op.__doc__) == words(method.__doc__)


def test_help_on_the_class_and_on_operations_of_ones_own() -> None:
    assert (inspect.getdoc(mg.Op) or "").startswith("Define an operation by its name")
    cube = mg.Op("cube", lambda x: x * x * x, lambda x, out: 3 * x * x)
    assert cube.__doc__ == "Return cube(x); its derivative is 3 * x * x."
    for_numbers = mg.Op("odd", lambda x, y: x, lambda x, y, out: math.cos(x), None)
    assert for_numbers.__doc__ == "Return odd(x, y); its derivatives are Python functions."


@pytest.mark.long
def test_types_of_usual_code_are_known(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    lines = [
        "import numpy as np",
        "import micrograd as mg",
        "from micrograd import Value, nn",
        "x, model = Value(1.0), nn.MLP(2, [3, 1])",
        "f = mg.program(lambda a, b: a * b)",
        *[f"reveal_type({expression})" for expression, _ in TYPES],
    ]
    file = tmp_path / "usual.py"
    file.write_text("\n".join(lines))
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(ROOT / "setup.cfg")]
    command += ["--cache-dir", str(tmp_path / "cache"), "--follow-imports", "silent", str(file)]
    environment = {"MYPYPATH": str(ROOT), "PATH": ""}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    told = [line.split('"')[1] for line in result.stdout.splitlines() if "Revealed" in line]
    assert told == [kind for _, kind in TYPES], result.stdout + result.stderr
    assert "error" not in result.stdout
