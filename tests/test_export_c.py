"""Programs in C give the values and gradients that they give in Python, or say that they don't."""

from __future__ import annotations

import inspect
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import program_works
import pytest
from c_programs import InC
from random_cases import arguments, cases

import micrograd as mg
from micrograd import Value, ops
from micrograd.losses import cross_entropy
from micrograd.nn import MLP
from micrograd.programs import Program
from micrograd.programs.export.loops import Loops
from micrograd.programs.lower.strides import Step

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="cc and ctypes as on POSIX")

WORKS = {
    name: make
    for name, make in vars(program_works).items()
    if getattr(make, "__annotations__", {}).get("return") == "Work"
}
CHOSEN = [
    *("classifier", "several_outputs", "convolution_of_images", "pooling", "gated_recurrent_unit"),
    *("attention", "layer_norm", "black_scholes", "tied_autoencoder", "bilinear", "sparse_wiring"),
    *("mixture_of_experts", "polynomial", "separate_biases"),
]


def of_structure(name: str, rows: int) -> tuple[Program, list[Any], Any]:
    """Return the program of a work, some rows for it, and its results on them."""
    random.seed(3)
    work = WORKS[name]()
    program = mg.program(work.function)
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(0.2, 1.5, size=(rows, *shape)) for shape in work.shapes]
    return program, arrays, program(*arrays).data


@pytest.mark.parametrize("name", CHOSEN)
def test_a_program_of_each_structure(name: str, tmp_path: Path) -> None:
    program, arrays, _ = of_structure(name, 2)
    assert InC(program, tmp_path).check(arrays) == [0, 0]


# Whose steps are of every kind, and whose arguments are given in the order of their declaration.
RANDOM = [8, 16, 20, 51, 248, 276, 300, 415]


def uneven() -> tuple[Program, Any]:
    """Return a program whose sums are of two lengths, those of one at irregular places."""
    w = Value(1.5)
    rows = [range(k, k + 4) for k in range(0, 32, 4)]
    few = [[3, 17], [0, 30], [8, 11], [5, 22], [2, 29]]

    def function(x: Any) -> Any:
        z = [mg.tanh(w * v) for v in x]
        return [mg.exp(sum(z[i] for i in row)) for row in [*rows, *few]]

    program = mg.program(function)
    x = np.random.default_rng(0).normal(size=(2, 32))
    program(x)
    return program, x


def test_every_kind_of_step_is_written() -> None:
    """Check that the random cases and the uneven sums have all steps that there are."""
    kinds = {step.kind for step in _steps(uneven()[0])}
    for number in RANDOM:
        case = cases.draw(777, number)
        program = case.program()
        numbers = [arguments.numbers(np.random.default_rng(number), 3, a) for a in case.arguments]
        arguments.call(program, case.arguments, numbers)
        kinds |= {step.kind for step in _steps(program)}
    kinds_of_steps = {name for name, x in vars(Loops).items() if "step" in _parameters(x)}
    assert {f"_{kind}" for kind in kinds} == kinds_of_steps


def _steps(program: Program) -> list[Step]:
    return [s for way in program._writable().ways for s in (*way.plan.forward, *way.plan.backward)]


def _parameters(x: Any) -> list[str]:
    return [*inspect.signature(x).parameters] if inspect.isfunction(x) else []


def test_uneven_sums(tmp_path: Path) -> None:
    program, x = uneven()
    assert InC(program, tmp_path).check([x]) == [0, 0]


@pytest.mark.parametrize("number", RANDOM)
def test_random_programs(number: int, tmp_path: Path) -> None:
    case = cases.draw(777, number)
    program = case.program()
    arrays = [arguments.numbers(np.random.default_rng(number), 3, a) for a in case.arguments]
    arguments.call(program, case.arguments, arrays)
    assert [a.name for a in case.arguments] == [a.name for a in program._writable().arguments]
    assert {*InC(program, tmp_path).check(arrays)} <= {0, 3}


def test_the_loss_of_a_classifier(tmp_path: Path) -> None:
    random.seed(1)
    model = MLP(64, [8, 10], activation="sigmoid")
    loss = mg.program(lambda x, y: cross_entropy(model(x), y))
    images, targets = np.random.default_rng(0).uniform(size=(3, 64)), np.eye(10)[:3]
    loss(images, targets)
    in_c = InC(loss, tmp_path)
    assert in_c.check([images, targets]) == [0, 0, 0]
    text = in_c.path.read_text()
    assert "0 to 63: layers[0].neurons[0].w[0] to layers[0].neurons[0].w[63]" in text
    assert "malloc" not in text
    for p in model.parameters():  # they are given at each call
        p.data *= 0.5
    assert in_c.check([images, targets]) == [0, 0, 0]
    # Targets that are no probabilities are an error in Python.
    assert in_c([images[0], 2 * targets[0]]).status == 1


# Paths -------------------------------------------------------------------------------------------


def branching() -> tuple[Any, list[Value]]:
    w = [Value(1.5), Value(-0.5), Value(0.25)]

    @mg.program
    def branching(x: Any) -> Any:
        if x > 1:
            return w[0] * x + w[1]
        if w[2] * x < -1:
            return w[1] * w[2]
        return mg.exp(w[2] * x)

    return branching, w


def test_a_path_that_is_not_known_is_refused(tmp_path: Path) -> None:
    program, _ = branching()
    program([2.0])
    in_c = InC(program, tmp_path)
    assert in_c.check([np.array([2.0, 0.5, -8.0, np.nan])]) == [0, 1, 1, 1]
    program([0.5])
    assert InC(program, tmp_path).check([np.array([2.0, 0.5, -8.0])]) == [0, 0, 1]
    program([-8.0])
    assert InC(program, tmp_path).check([np.array([2.0, 0.5, -8.0])]) == [0, 0, 0]


def test_each_path_has_parameters_of_its_own(tmp_path: Path) -> None:
    program, w = branching()
    program([2.0, 0.5, -8.0])
    in_c = InC(program, tmp_path)
    assert in_c([2.0]).gradient.tolist() == [2.0, 1.0, 0.0]  # in the order of the list w
    assert all(p is q for p, q in zip(in_c.writable.parameters, w))
    assert InC(program, tmp_path, gradient=False)([-8.0]).result == [-0.125]


def test_parameters_decide(tmp_path: Path) -> None:
    w = Value(1.0)
    program = mg.program(lambda x: w * x if w > 0 else x - w)
    program([2.0])
    in_c = InC(program, tmp_path)
    assert in_c.check([np.array([2.0])]) == [0]
    w.data = -1.0
    assert in_c([2.0]).status == 1


# Integers ----------------------------------------------------------------------------------------


def test_an_integer_chooses_from_a_table(tmp_path: Path) -> None:
    table = [[Value(0.5), Value(1.0)], [Value(2.0), Value(-3.0)], [Value(4.0), Value(0.1)]]
    odd = [Value(0.3), 0.7, table[0][0]]

    def function(token: Any, x: Any) -> Any:
        row = mg.take(table, token)
        return [row[0] * x, row[1] + mg.take(odd, token)]

    program = mg.program(function)
    tokens = np.array([0, 1, 2, -1, -3])
    program(tokens, np.ones(5))
    in_c = InC(program, tmp_path)
    assert in_c.check([tokens, np.arange(5.0)]) == [0] * 5
    for wrong in (3, -4, 0.5, np.nan, np.inf, 1e300):
        assert in_c([wrong, 1.0], [1.0, 1.0]).status == 2


def test_an_integer_that_only_counts_may_be_any_number(tmp_path: Path) -> None:
    program = mg.program(lambda x: x * x)
    program([1, 2])
    assert InC(program, tmp_path)([0.5]) == (0, [0.25], pytest.approx([]))


def test_a_dict_by_an_integer(tmp_path: Path) -> None:
    names = {0: 1.0, 1: 10.0, 2: 100.0}
    program = mg.program(lambda i: names[i] * i)
    program([0, 1, 2])
    in_c = InC(program, tmp_path)
    assert in_c.check([np.array([0, 1, 2, 3])]) == [0, 0, 0, 1]
    assert in_c([1.5]).status == 2


# Numbers and names -------------------------------------------------------------------------------


def test_a_gradient_that_is_not_finite_is_said(tmp_path: Path) -> None:
    w = Value(0.0)
    program = mg.program(lambda x: mg.sqrt(w * x))
    program([1.0])
    outcome = InC(program, tmp_path)([1.0])
    assert (outcome.status, outcome.result) == (3, [0.0])


def test_constants_of_all_kinds(tmp_path: Path) -> None:
    def function(x: Any) -> Any:
        return [x * -2.0, -(x - -1e-300), mg.maximum(x, float("-inf")), x + float("inf"), -0.0 - x]

    program = mg.program(function)
    x = np.array([1.0, -2.5, 0.0])
    program(x)
    assert InC(program, tmp_path).check([x]) == [0, 0, 0]


def test_names_that_mean_something_in_c(tmp_path: Path) -> None:
    w = Value(2.0)

    def function(double: Any, s: Any, result: Any, i1: Any, exp: Any) -> Any:
        return w * double + s * result - i1 / exp

    function.__name__ = "parameters"
    program = mg.program(function)
    row = [np.array([k + 2.0]) for k in range(5)]
    program(*row)
    assert InC(program, tmp_path).check(row) == [0]


def test_every_operation_of_the_table(tmp_path: Path) -> None:
    def function(x: Any) -> Any:
        return [op(*[x] * len(op.derivatives)) for op in rows]

    rows = [op for op in ops.TABLE.values() if op.name not in ("polygamma", "arccosh")]
    program = mg.program(function)
    x = np.array([0.3, 0.9])
    program(x)
    assert InC(program, tmp_path).check([x]) == [0, 0]


def test_an_operation_of_ones_own(tmp_path: Path) -> None:
    bump = mg.Op("bump", lambda v: 1 / (1 + v * v), lambda v, out: -2 * v * out * out)
    w = Value(0.5)
    program = mg.program(lambda x: bump(w * x) + mg.max([w, x, 0.1]) + mg.logsumexp([w, x, w * x]))
    x = np.array([0.3, 2.0])
    program(x)
    assert InC(program, tmp_path).check([x]) == [0, 0]
    alien = mg.Op("alien", lambda v: float(str(v)), lambda v, out: 1.0)
    program = mg.program(lambda x: alien(w * x))
    program([1.0])
    with pytest.raises(ValueError, match="alien is known to Python alone"):
        program.to_c(tmp_path / "alien.c")
    assert not (tmp_path / "alien.c").exists()


# What has no file --------------------------------------------------------------------------------


def test_a_program_is_written_as_it_is_traced(tmp_path: Path) -> None:
    factor = 2.0
    program = mg.program(lambda x: factor * x)
    with pytest.raises(ValueError, match="is not traced as it is now: call it"):
        program.to_c(tmp_path / "a.c")
    program([1.0])
    factor = 3.0
    with pytest.raises(ValueError, match="is not traced as it is now: call it"):
        program.to_c(tmp_path / "a.c")
    program([1.0])
    assert InC(program, tmp_path)([1.0]).result == [3.0]


def test_a_file_is_of_one_shape(tmp_path: Path) -> None:
    program = mg.program(lambda x: sum(x) * 1.0)
    program([[1.0, 2.0]])
    program([[1.0, 2.0, 3.0]])
    with pytest.raises(ValueError, match=r"arguments of 2 shapes, and a file has one: .*retrace"):
        program.to_c(tmp_path / "a.c")
    program.retrace()
    program([[1.0, 2.0, 3.0]])
    assert InC(program, tmp_path)([[1.0, 2.0, 3.0]]).result == [6.0]


def test_nested_rows_of_unlike_lengths(tmp_path: Path) -> None:
    w = Value(2.0)
    program = mg.program(lambda x: w * x[0][0] + x[1][0] * x[0][1])
    program([[[1.0, 2.0], [3.0]]])
    in_c = InC(program, tmp_path)
    assert " * x: 3 numbers" in in_c.path.read_text()
    assert in_c([[1.0, 2.0, 3.0]]).result == [8.0]


def test_a_program_of_derivatives(tmp_path: Path) -> None:
    w = Value(2.0)
    program: Any = mg.grad(mg.program(lambda x: w * x[0] ** 2 * x[1]))
    x = np.array([[1.0, 2.0], [3.0, -1.0]])
    program(x)
    assert InC(program, tmp_path).check([x]) == [0, 0]
