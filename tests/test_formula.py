"""A printed Formula computes what it stands for: the same bits, as Python and as C."""

from __future__ import annotations

import ctypes
import random
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from micrograd import Op, Value, ops
from micrograd.symbolic.formula import DIFFER_IN_C, Formula, c_definitions, of_rule, of_value
from micrograd.value.errors import ARITHMETIC_ERRORS

NAMES = ["x", "y", "z"]
Tree = Any  # a name, a number, or a tuple of a row's name and its operands

numbers = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, 0.5, -3.0, 1e-9, 1e200]) | st.floats(-3, 3)


def applied(operands: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
    """Draw a row of the table on operands that `operands` draws."""
    return st.sampled_from(sorted(ops.TABLE)).flatmap(
        lambda name: st.tuples(st.just(name), *[operands] * len(ops.TABLE[name].derivatives))
    )


trees = st.recursive(st.sampled_from(NAMES) | numbers, applied, max_leaves=12)


def formula(tree: Tree) -> Any:
    """Write a tree down by calling the rows on Formulas."""
    if isinstance(tree, str):
        return Formula(tree)
    if not isinstance(tree, tuple):
        return Formula(tree)
    return ops.TABLE[tree[0]](*map(formula, tree[1:]))


def computed(tree: Tree, point: dict[str, float]) -> float:
    """Compute a tree by calling the rows on floats."""
    if isinstance(tree, str):
        return point[tree]
    if not isinstance(tree, tuple):
        return float(tree)
    return float(ops.TABLE[tree[0]](*[computed(operand, point) for operand in tree[1:]]))


def bits(x: float) -> str:
    """Return the bits of a float; every nan is alike."""
    return "nan" if x != x else struct.pack("d", x).hex()


@given(trees, st.tuples(numbers, numbers, numbers))
def test_the_python_text_evaluates_back_to_the_same_bits(
    tree: Tree, point: tuple[float, float, float]
) -> None:
    at = dict(zip(NAMES, point))
    try:
        expected = computed(tree, at)
    except ARITHMETIC_ERRORS:
        assume(False)
    text = formula(tree).python()
    assert bits(float(eval(text, {**ops.TABLE, **at}))) == bits(expected), text


def random_trees(count: int) -> Iterator[Tree]:
    """Draw trees of rows whose C form has the bits of Python, the same in every run."""
    draw = random.Random(7)
    names = sorted(ops.TABLE.keys() - DIFFER_IN_C)

    def grow(depth: int) -> Tree:
        if depth == 0 or draw.random() < 0.2:
            return draw.choice([*NAMES, draw.uniform(-3, 3), 2.0, -1.0, 0.0])
        name = draw.choice([*names, "add", "subtract", "multiply", "divide", "negative", "power"])
        return (name, *[grow(depth - 1) for _ in ops.TABLE[name].derivatives])

    while count:
        tree = grow(4)
        if isinstance(tree, tuple):
            yield tree
            count -= 1


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc compiles the C text; there is none")
def test_the_c_text_compiles_to_the_same_bits(tmp_path: Path) -> None:
    chosen = list(random_trees(400))
    parameters = ", ".join(f"double {name}" for name in NAMES)
    functions = [f"double f{i}({parameters}) {{ return {formula(t).c()}; }}"
                 for i, t in enumerate(chosen)]  # fmt: skip
    source, library = tmp_path / "formulas.c", tmp_path / "formulas.so"
    source.write_text("\n".join(["#include <math.h>", c_definitions(), *functions]))
    # Of a constant the compiler itself would compute cos(), and round better than the library.
    options = ["-std=c11", "-O2", "-ffp-contract=off", "-fno-builtin", "-fPIC", "-shared"]
    subprocess.run(["gcc", *options, str(source), "-o", str(library), "-lm"], check=True)
    compiled = ctypes.CDLL(str(library))
    draw, compared = random.Random(8), 0
    for i, tree in enumerate(chosen):
        function = compiled[f"f{i}"]
        function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double] * 3
        for _ in range(5):
            point = [draw.choice([draw.uniform(-3, 3), 0.0, -0.0, 1.0]) for _ in NAMES]
            try:
                expected = computed(tree, dict(zip(NAMES, point)))
            except ARITHMETIC_ERRORS:
                continue  # where Python raises, C gives an infinity or a nan
            assert bits(function(*point)) == bits(expected), formula(tree).c()
            compared += 1
    assert compared > 1000


x, y, z = (Formula(name) for name in NAMES)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (x + y + z, "x + y + z"),
        (x + (y + z), "x + (y + z)"),
        (x - (y - z), "x - (y - z)"),
        ((x - y) - z, "x - y - z"),
        (x * y + z, "x * y + z"),
        (x * (y + z), "x * (y + z)"),
        (x / (y * z), "x / (y * z)"),
        (x / y * z, "x / y * z"),
        (-(x * y), "-(x * y)"),
        (-x * y, "-x * y"),
        (-(x**2), "-x ** 2"),
        ((-x) ** 2, "(-x) ** 2"),
        (x ** (y**z), "x ** y ** z"),
        ((x**y) ** z, "(x ** y) ** z"),
        (x**-2, "x ** -2"),
        ((x + 1).tanh(), "tanh(x + 1)"),
    ],
)
def test_python_has_the_fewest_parentheses(written: Any, text: str) -> None:
    assert str(written) == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (x**2, "power_value(x, 2.0)"),
        (x.arcsin() - 1, "asin(x) - 1.0"),
        (-(ops.negative(x)), "- -x"),
        (abs(x), "fabs(x)"),
        (ops.where(x < y, x, y), "where_value((double)(x < y), x, y)"),
    ],
)
def test_c_text(written: Any, text: str) -> None:
    assert written.c() == text


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (x / y, r"\frac{x}{y}"),
        ((x + y) ** 2, r"\left(x + y\right)^{2}"),
        (ops.exp(-x * x), r"e^{\left(-x\right) \cdot x}"),
        (Formula("delta2") * Formula("w"), r"\mathrm{delta}_{2} \cdot w"),
        (ops.sqrt(x + 1), r"\sqrt{x + 1}"),
    ],
)
def test_latex_text(written: Any, text: str) -> None:
    assert written.latex() == text


def test_rules_write_themselves_down() -> None:
    assert str(of_rule(ops.tanh, 0)) == "1 - out * out"
    assert str(of_rule(ops.divide, 1)) == "-out / y"
    with pytest.raises(ValueError, match="less has no derivative for operand 0"):
        of_rule(ops.less, 0)


def test_graphs_write_themselves_down() -> None:
    a, b = Value(2.0, label="a"), Value(3.0, label="b")
    assert str(of_value((a * b + 1).tanh() ** 2)) == "tanh(a * b + 1.0) ** 2"
    with pytest.raises(ValueError, match="not made by an operation"):
        of_value(Value.node(1.0, (a,), [1.0]))
    deep = a
    for _ in range(20):
        deep = deep * deep
    with pytest.raises(ValueError, match="more than 10000 parts"):
        of_value(deep)


def test_what_is_no_formula_is_refused() -> None:
    with pytest.raises(TypeError, match="a name or a number"):
        Formula([1.0])
    with pytest.raises(TypeError, match=r"write micrograd\.ops\.where"):
        bool(x < y)
    with pytest.raises(ValueError, match="cannot be a variable"):
        Formula("not a name").python()
    with pytest.raises(ValueError, match="C knows the rows of the table"):
        Op("own", lambda x: x + 1, lambda x, out: 1.0)(x).c()
    with pytest.raises(TypeError):
        x * [1.0]
