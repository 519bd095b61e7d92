"""The Python behind the live page: what stands in for NumPy there, what reads matrices, answers."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processes import environment, printed
from scipy.io import savemat
from test_check_gradient import Net, check_case, course, exercise_4, planted, random_net

from micrograd.explain import check_gradient, deltas

LIVE = Path(__file__).parents[1] / "docs" / "live"

# Another Python, in which what stands in for NumPy is all there is of it.
STAND_IN = f"""
import json, sys
sys.path.insert(0, {str(LIVE)!r})
import arrays
sys.modules["numpy"] = arrays
asked = json.load(sys.stdin)
"""


def without_numpy(code: str, asked: Any) -> Any:
    """Run code beside the page's modules, and return what it prints."""
    pure = environment(MICROGRAD_PURE="1")
    return json.loads(printed(STAND_IN + code, input=json.dumps(asked), env=pure))


def answers(*requests: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what the page is told, in this order."""
    code = """
from answers import answer
print(json.dumps([json.loads(answer(json.dumps(request))) for request in asked]))
"""
    found: list[dict[str, Any]] = without_numpy(code, list(requests))
    return found


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(LIVE))
    return importlib.import_module


# What stands in for NumPy ------------------------------------------------------------------------

VERDICTS = """
from micrograd.explain import check_gradient, deltas
found = []
for thetas, x, y, lam, gradients in asked:
    checks = [check_gradient(thetas, x, y, gradient, lam) for gradient in gradients]
    found.append([
        deltas(thetas, x, y, lam).data,
        [[str(check).splitlines()[0], check.difference] for check in checks],
    ])
print(json.dumps(found))
"""


@pytest.mark.long
def test_deltas_and_verdicts_are_those_of_numpy() -> None:
    few = exercise_4(1.0)
    few = few._replace(x=few.x[:2], y=few.y[:2])
    cases = [(net, ["", *planted(net)]) for net in (check_case(4.0), *map(random_net, range(4)))]
    asked = [request(net, names) for net, names in [*cases, (few, ["", *planted(few)][:4])]]
    for (data, verdicts), (thetas, x, y, lam, gradients) in zip(
        without_numpy(VERDICTS, asked), asked
    ):
        same(data, json.loads(json.dumps(deltas(thetas, x, y, lam).data)))
        for (told, difference), gradient in zip(verdicts, gradients):
            check = check_gradient(thetas, x, y, gradient, lam)
            assert told.partition(" (")[0] == str(check).splitlines()[0].partition(" (")[0]
            assert difference == pytest.approx(check.difference, rel=1e-6, abs=1e-12)


def request(net: Net, names: list[str]) -> list[Any]:
    gradients = [as_lists(course(net, name)) for name in names]
    return [as_lists(net.thetas), net.x.tolist(), net.y.tolist(), float(net.lam), gradients]


def as_lists(matrices: Any) -> Any:
    return [matrix.tolist() for matrix in matrices]


def same(x: Any, y: Any) -> None:
    if isinstance(y, dict):
        assert x.keys() == y.keys()
        for key in y:
            same(x[key], y[key])
    else:
        np.testing.assert_allclose(np.array(x), np.array(y), rtol=1e-12, atol=1e-13)


def test_arithmetic_is_that_of_numpy(live: Any) -> None:
    arrays = live("arrays")
    x, y = [[1.0, -2.0, 0.0], [0.5, 4.0, -0.0]], [[0.0], [2.0]]
    with np.errstate(all="ignore"):
        computations: list[Callable[..., Any]] = [
            lambda np, x, y: x / y,
            lambda np, x, y: y - x * x[0],
            lambda np, x, y: np.log(x),
            lambda np, x, y: np.exp(1000 * x),
            lambda np, x, y: np.where(x > 0, x, y),
            lambda np, x, y: np.minimum(x, 0) + np.maximum(y, 1),
            lambda np, x, y: x.sum(axis=1, keepdims=True) + x.max(axis=0),
            lambda np, x, y: x.T @ y,
            lambda np, x, y: x.ravel(order="F").reshape((2, 3), order="F"),
            lambda np, x, y: np.roll(x, -1, axis=1)[:, :2],
            lambda np, x, y: np.column_stack([x, y[:, 0], np.ones(2)]),
            lambda np, x, y: np.outer(x[0], y[:, 0]),
        ]
        for compute in computations:
            expected = compute(np, np.array(x), np.array(y))
            found = compute(arrays, arrays.array(x), arrays.array(y))
            np.testing.assert_array_equal(np.array(found.tolist()), expected)


def test_rows_of_several_lengths_are_refused(live: Any) -> None:
    with pytest.raises(ValueError, match="rows of a matrix must have one length"):
        live("arrays").array([[1.0], [1.0, 2.0]])


# Matrices from files and from text ---------------------------------------------------------------


def file_with(**matrices: Any) -> bytes:
    file = io.BytesIO()
    savemat(file, matrices, do_compression=True)
    return file.getvalue()


@pytest.mark.parametrize("compressed", [False, True])
def test_a_mat_file_is_read_as_scipy_wrote_it(compressed: bool, live: Any) -> None:
    kinds = [np.float64, np.float32, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint64]
    given: dict[str, Any] = {
        f"of_{k.__name__}": np.arange(6).reshape(2, 3).astype(k) for k in kinds
    }
    given["Theta1"] = np.random.RandomState(0).normal(size=(25, 401))
    given["k"] = 3
    others = {"name": "digits", "cells": np.array([[1, "x"]], object), "i": np.eye(2) * 1j}
    file = io.BytesIO()
    savemat(file, {**others, **given}, do_compression=compressed)
    found = live("matlab").read(file.getvalue())
    assert found.keys() == given.keys()
    for name, rows in found.items():
        np.testing.assert_array_equal(rows, np.atleast_2d(given[name]))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"Theta1 = [1 2]", "no MAT-file of level 5"),
        (b"MATLAB 7.3 MAT-file" + bytes(200), "version 7.3"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "version 7.3"),
        (file_with(X=np.eye(30))[:200], "damaged or cut off"),
        (file_with(X=np.eye(30))[:160] + bytes(200), "damaged or cut off"),
    ],
)
def test_what_is_no_such_file_is_refused(data: bytes, said: str, live: Any) -> None:
    with pytest.raises(ValueError, match=said):
        live("matlab").read(data)


@pytest.mark.parametrize(
    "text",
    [
        "A = [1 -2; 3e-1 4]",
        "A = [1, -2\n 3e-1, 4];  % printed by hand",
        "A =\n\n   1.0000  -2.0000\n   0.3000   4.0000\n\n",
        "A = array([[ 1. , -2. ],\n       [ 0.3,  4. ]])",
        "A = [[1\n -2]\n [0.3\n 4.]]",
    ],
)
def test_matrices_are_read_as_people_write_them(text: str, live: Any) -> None:
    written = live("written")
    assert written.named_matrices(text) == {"A": [[1.0, -2.0], [0.3, 4.0]]}
    assert written.matrices(text.partition("=")[2]) == [[[1.0, -2.0], [0.3, 4.0]]]
    rows = written.named_matrices(text)["A"]
    assert written.matrices(written.written(rows)) == [rows]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1 2; 3 4]", "write each matrix with its name"),
        ("A = [1 2; 3]", "those of A have 2, 1 numbers"),
        ("A = []", "have no numbers"),
        ("A = [1 ... 2]", "'...', which is no number"),
        ("A =\n\n 1.0e+03 *\n\n 1 2", r"'\*', which is no number"),
        ("A =\n\n Columns 1 through 8:\n\n 1 2", "mat2str"),
    ],
)
def test_what_is_no_matrix_is_refused(text: str, said: str, live: Any) -> None:
    with pytest.raises(ValueError, match=said):
        live("written").named_matrices(text)


# Answers -----------------------------------------------------------------------------------------


def test_the_page_begins_with_the_tutorials_network_and_takes_its_step() -> None:
    start, step = answers({"do": "start"}, {"do": "step", "alpha": 1})
    assert round(start["J"], 5) == 7.40697
    assert [round(d, 3) for d in start["layers"][2]["delta"]] == [0.889, 0.907, 0.923, -0.063]
    assert start["chosen"]["lines"][-1] == "D2(1,0) = 2.6503 / 3 = 0.8834"
    assert "0.00883925" in start["chosen"]["nudge"]
    assert step["moved"] == "J: 7.4070, predicted 3.0217, now 3.9673"


def test_a_changed_number_changes_everything() -> None:
    *_, changed = answers(
        {"do": "change", "name": "Theta1", "subscripts": [2, 1], "number": -1.5},
        {"do": "look", "example": 2},
        {"do": "change", "name": "x", "subscripts": [1], "number": 2},
        {"do": "change", "name": "y", "subscripts": [3], "number": 0.5},
        {"do": "change", "name": "lambda", "subscripts": [], "number": 1},
    )
    net = check_case(1.0)
    net.thetas[0][1, 1], net.x[1, 0], net.y[1, 2] = -1.5, 2, 0.5
    found = deltas(net.thetas, net.x, net.y, lam=1)
    assert changed["J"] == pytest.approx(found.J.data, rel=1e-12)
    assert changed["layers"][1]["delta"] == pytest.approx(found.delta[2][2])


def test_a_readers_own_network_and_gradient() -> None:
    net = random_net(3)
    own = {"Theta1": net.thetas[0], "Theta2": net.thetas[1], "X": net.x, "y": net.y}
    text = "\n".join(f"{name} = {x.tolist()}" for name, x in own.items())
    right = course(net._replace(lam=0.0))
    flat = " ".join(str(x) for d in right for x in d.ravel(order="F").tolist())
    taken, said, wrong = answers(
        {"do": "paste", "text": text},
        {"do": "check", "text": flat},
        {"do": "accumulators"},
    )
    assert taken["J"] == pytest.approx(deltas(net.thetas, net.x, net.y).J.data)
    assert "The gradient is right" in said["html"]
    assert "Theta2_grad = [" in wrong["text"]


def test_what_does_not_fit_is_said_and_changes_nothing() -> None:
    *refused, shown = answers(
        {"do": "paste", "text": "Theta1 = [1 2; 3 4]"},
        {"do": "paste", "text": "weights = [1 2; 3 4]"},
        {"do": "paste", "text": "Theta2 = [1 2; 3 4]"},
        {"do": "use", "first": 3, "count": 2},
        {"do": "check", "text": "1 2 3"},
        {"do": "change", "name": "Theta2", "subscripts": [1, 0], "number": 1e3},
        {"do": "change", "name": "lambda", "subscripts": [], "number": -1},
        {"do": "look", "example": 1},
    )
    assert all("error" in answer for answer in refused)
    assert round(shown["J"], 5) == 7.40697


MISTAKEN = """
class Value:
    def __init__(self, data, parents=()):
        self.data, self.grad, self.parents = data, 0.0, parents
        self._backward = lambda: None
    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))
        def _backward():
            self.grad = out.grad
            other.grad = out.grad
        out._backward = _backward
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
        self.grad = 1.0
        for node in reversed(order):
            node._backward()
"""


def test_the_lab_is_graded_and_says_where_code_fails() -> None:
    codes = [MISTAKEN, "x = 1\ny = x / 0", "class Value:\nx", "while True: pass", "x = 1", "exit()"]
    found = answers(*({"do": "grade", "code": code, "operations": "+"} for code in codes))
    assert "= for +=" in found[0]["html"]
    assert [answer["error"].partition(":")[0] for answer in found[1:]] == [
        "line 2",
        "line 2",
        "your code runs for more than 5 seconds",
        "there is no class Value in your code",
        "line 1",
    ]
