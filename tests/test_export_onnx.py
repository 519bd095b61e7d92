"""Programs as ONNX models: onnxruntime gives what Python does, or nan for a path not known."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_cases import arguments, cases
from test_export_c import CHOSEN, RANDOM, branching, of_structure, uneven

import micrograd as mg
from micrograd import Value, ops
from micrograd.nn import MLP
from micrograd.programs import Program

pytest.importorskip("onnx")
onnxruntime: Any = pytest.importorskip("onnxruntime")


def run(program: Program, arrays: Sequence[Any], folder: Path, dtype: str = "float64") -> Any:
    """Write the model, and run it on all rows."""
    path = folder / "model.onnx"
    program.to_onnx(path, dtype)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    given = {
        a.name: np.asarray(x).astype(np.int64 if a.is_integer else dtype)
        for a, x in zip(program._writable().arguments, arrays)
    }
    [result] = session.run(None, given)
    assert result.dtype == dtype
    return result


@pytest.mark.parametrize("name", CHOSEN)
def test_a_program_of_each_structure(name: str, tmp_path: Path) -> None:
    program, arrays, right = of_structure(name, 5)
    np.testing.assert_allclose(run(program, arrays, tmp_path), right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("number", [*RANDOM, 21, 49])
def test_random_programs(number: int, tmp_path: Path) -> None:
    case = cases.draw(777, number)
    program = case.program()
    arrays = [arguments.numbers(np.random.default_rng(number), 3, a) for a in case.arguments]
    right = arguments.call(program, case.arguments, arrays).data
    np.testing.assert_allclose(run(program, arrays, tmp_path), right, rtol=1e-11, atol=1e-12)


def test_uneven_sums(tmp_path: Path) -> None:
    program, x = uneven()
    np.testing.assert_allclose(run(program, [x], tmp_path), program(x).data, rtol=1e-12)


def test_any_number_of_rows_in_single_precision(tmp_path: Path) -> None:
    random.seed(1)
    model = MLP(64, [8, 10], activation="sigmoid")
    program = mg.program(lambda x: model(x))
    images = np.random.default_rng(0).uniform(size=(100, 64))
    right = program(images).data
    program.to_onnx(tmp_path / "digits.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "digits.onnx")
    assert [(i.name, i.shape) for i in session.get_inputs()] == [("x", ["n", 64])]
    assert [(o.name, o.shape) for o in session.get_outputs()] == [("result", ["n", 10])]
    for n in (0, 1, 7, 100):
        [found] = session.run(None, {"x": images[:n].astype(np.float32)})
        assert found.shape == (n, 10)
        np.testing.assert_allclose(found, right[:n], rtol=1e-5, atol=1e-5)
    assert found.dtype == np.float32


def test_every_operation_that_there_is(tmp_path: Path) -> None:
    lacking = {
        *("cbrt", "copysign", "gamma", "lgamma", "digamma", "polygamma"),
        *("log_ndtr", "ndtri", "erfinv"),
    }
    rows = [op for op in ops.TABLE.values() if op.name not in {*lacking, "arccosh"}]

    def function(x: Any) -> Any:
        return [op(*[x * k for k in range(1, 1 + len(op.derivatives))]) for op in rows]

    program = mg.program(function)
    x = np.array([0.3, 1e-9, 0.0078, 0.9, 0.49])
    right = program(x).data
    found = run(program, [x], tmp_path, "float32")
    close = np.isclose(found, right, rtol=1e-5, atol=1e-9) | np.isnan(right)
    assert [op.name for op, ok in zip(rows, close.all(axis=0)) if not ok] == []
    for name in sorted(lacking):
        alone = mg.program(_applied(ops.TABLE[name]))
        alone([0.5])
        with pytest.raises(ValueError, match=r"needs operations that ONNX lacks: \w+"):
            alone.to_onnx(tmp_path / "lacking.onnx")
    assert not (tmp_path / "lacking.onnx").exists()


def _applied(op: Any) -> Any:
    return lambda x: op(*[x] * len(op.derivatives))


def test_the_error_function_in_double_precision(tmp_path: Path) -> None:
    program = mg.program(lambda x: [mg.erf(x), mg.erfc(x), ops.TABLE["ndtr"](x)])
    x = np.array([0.0, 1e-9, 0.3, -0.3, 0.999999, 1.0, -1.0, 2.0, -2.5, 5.0, -9.0, 20.0])
    right = program(x).data
    np.testing.assert_allclose(run(program, [x], tmp_path), right, rtol=2e-12)


def test_the_angle_of_points_on_all_sides(tmp_path: Path) -> None:
    program = mg.program(lambda y, x: mg.arctan2(y, x))
    y, x = np.array([[s * p, t * q] for s in (1.0, -1.0) for t in (1.0, -1.0)
                     for p in (0.0, 2.0) for q in (0.0, 3.0)]).T  # fmt: skip
    right = program(y, x).data
    found = run(program, [y, x], tmp_path, "float32")
    away = (x != 0) | (y != 0)
    np.testing.assert_allclose(found[away], right[away], rtol=1e-6)
    assert np.isfinite(found).all()


def test_what_is_missing_in_double_precision_is_said(tmp_path: Path) -> None:
    program = mg.program(lambda x: mg.tan(x) + mg.arctan(x))
    program([0.5])
    with pytest.raises(ValueError, match=r"ONNX lacks in float64: arctan, tan$"):
        program.to_onnx(tmp_path / "a.onnx", "float64")
    with pytest.raises(ValueError, match="writes float32 or float64, not 'int8'"):
        program.to_onnx(tmp_path / "a.onnx", "int8")


def test_a_row_of_no_known_path_is_nan(tmp_path: Path) -> None:
    program, _ = branching()
    program([2.0, 0.5])
    found = run(program, [np.array([2.0, 0.5, -8.0])], tmp_path)
    np.testing.assert_allclose(found, [*program([2.0, 0.5]).data, np.nan])


def test_integers_choose_from_tables(tmp_path: Path) -> None:
    letters = [[Value(0.5), Value(1.0)], [Value(2.0), Value(-3.0)], [Value(4.0), Value(0.1)]]

    def function(tokens: Any, x: Any) -> Any:
        rows = [mg.take(letters, token) for token in tokens]
        chosen = mg.take([x, 2 * x, -x], tokens[0])
        return [sum(column) * x for column in zip(*rows)] + [chosen]

    program = mg.program(function)
    tokens = np.array([[0, 1], [2, 2], [-1, -3]])
    right = program(tokens, np.arange(3.0)).data
    np.testing.assert_allclose(run(program, [tokens, np.arange(3.0)], tmp_path), right, rtol=1e-12)
    found = run(program, [[[0, 3], [-4, 0], [0, 0]], np.ones(3)], tmp_path)
    assert np.isnan(found).any(axis=1).tolist() == [True, True, False]


def test_results_that_do_not_vary(tmp_path: Path) -> None:
    w = Value(0.5)
    program = mg.program(lambda x: [1.0, w * 2, x, w])
    program([1.0])
    found = run(program, [np.array([1.0, 2.0])], tmp_path)
    assert found.tolist() == [[1.0, 1.0, 1.0, 0.5], [1.0, 1.0, 2.0, 0.5]]
