"""A printed Formula computes what it stands for: the same bits, as Python and as C."""

from __future__ import annotations

import ctypes
import math
import random
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from micrograd import Op, Value, ops
from micrograd.symbolic.formula import DIFFER_IN_C, Formula, c_definitions, of_rule, of_value
from micrograd.symbolic.languages import LATEX, TEXT, C, names_in, write
from micrograd.symbolic.mathml import MATHML
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
    with pytest.raises(ValueError, match="C knows micrograd's operations"):
        Op("own", lambda x: x + 1, lambda x, out: 1.0)(x).c()
    with pytest.raises(TypeError):
        x * [1.0]


# Labels that are alike, or no names ------------------------------------------------------------

LABELS = [
    "x", "x", "x_2", "x2", "y", "lambda", "int", "double", "for", "w[0]", "w_0", "w[1,0]", "a b",
    "a + b", "e", "exp", "exp_", "float", "sin", "tanh", "tanh_value", "INFINITY", "inf", "nan",
    "3", "-3", "1e5", "^", "%", "a^b", "ab", "\N{GREEK SMALL LETTER THETA}", "\N{DEGREE SIGN}",
    "x\N{SUPERSCRIPT TWO}", "\N{LATIN SMALL LIGATURE FI}", "fi", "__x", "_", "cube",
    "x\ny", "where", "match",
]  # fmt: skip
labels = st.sampled_from(LABELS) | st.text(min_size=1, max_size=4)
cube = Op("cube", lambda x: x * x * x, lambda x, out: 3 * x * x)
false_exp = Op("exp", lambda x: x + 1, lambda x, out: 1.0)
other_cube = Op("cube", lambda x: -x, lambda x, out: -1.0)
OWN = [cube, false_exp, other_cube]
USED = [ops.add, ops.subtract, ops.multiply, ops.negative, ops.tanh, ops.exp, ops.where, ops.less]


@st.composite
def labelled_graphs(draw: st.DrawFn, own: bool = True) -> Value:
    """Draw a graph of leaves whose labels may be anything, alike too."""
    nodes = [Value(draw(st.floats(-1.5, 1.5)), label=draw(labels)) for _ in range(4)]
    for _ in range(draw(st.integers(1, 6))):
        op = draw(st.sampled_from([*USED, *OWN] if own else USED))
        nodes.append(op(*[draw(st.sampled_from(nodes)) for _ in op.derivatives]))
    return nodes[-1]


def numbers_of(names: dict[str, Any]) -> dict[str, Any]:
    return {name: x.data if isinstance(x, Value) else x for name, x in names.items()}


@given(labelled_graphs())
def test_python_computes_the_same_number_whatever_the_labels(v: Value) -> None:
    found = of_value(v)
    known = {**ops.TABLE, **numbers_of(found.names())}
    assert bits(float(eval(found.python(), known))) == bits(v.data), found.python()


@given(labelled_graphs())
def test_text_tells_apart_what_differs(v: Value) -> None:
    found = names_in(of_value(v), TEXT)
    assert len(found) == len({id(x) for x in found.values()})
    assert len(found) == len(of_value(v).names())


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc compiles the C text; there is none")
def test_c_computes_the_same_number_whatever_the_labels(tmp_path: Path) -> None:
    graphs: list[Value] = []

    @settings(max_examples=200, database=None, derandomize=True, deadline=None)
    @given(labelled_graphs(own=False))
    def collect(v: Value) -> None:
        graphs.append(v)

    collect()
    functions = []
    for i, v in enumerate(graphs):
        named = names_in(of_value(v), C)
        assert all(name.isascii() and name.isidentifier() for name in named)
        declared = " ".join(f"double {name} = {x.data!r};" for name, x in named.items())
        functions.append(f"double f{i}(void) {{ {declared} return {of_value(v).c()}; }}")
    source, library = tmp_path / "labels.c", tmp_path / "labels.so"
    source.write_text("\n".join(["#include <math.h>", c_definitions(), *functions]))
    options = ["-std=c11", "-O0", "-ffp-contract=off", "-fno-builtin", "-fPIC", "-shared"]
    subprocess.run(["gcc", *options, str(source), "-o", str(library), "-lm"], check=True)
    compiled = ctypes.CDLL(str(library))
    for i, v in enumerate(graphs):
        function = compiled[f"f{i}"]
        function.restype = ctypes.c_double
        assert bits(function()) == bits(v.data), of_value(v).c()


class FromLatex:
    """Compute LaTeX of the operations in USED and OWN; names stand for what `names` says."""

    def __init__(self, text: str, names: dict[str, Any]) -> None:
        self.text, self.names = text, sorted(names.items(), key=lambda item: -len(item[0]))

    def take(self, token: str) -> bool:
        found = self.text.startswith(token)
        if found:
            self.text = self.text[len(token) :].lstrip()
        return found

    def must(self, token: str) -> None:
        assert self.take(token), (token, self.text)

    def sum(self) -> float:
        total = self.product()
        while True:
            if self.take("+"):
                total += self.product()
            elif self.take("-"):
                total -= self.product()
            else:
                return total

    def product(self) -> float:
        if self.take("-"):
            return -self.product()
        found = self.atom()
        while self.take(r"\cdot"):
            found *= self.atom()
        return found

    def atom(self) -> float:
        for name, meaning in self.names:
            if self.take(name):
                if isinstance(meaning, Value):
                    return meaning.data
                return float(meaning(self.within(r"\left(", r"\right)")))
        if self.take("e^{"):
            return math.exp(self.closed("}"))
        if self.take(r"\tanh"):
            return math.tanh(self.within(r"\left(", r"\right)"))
        if self.take("["):
            left = self.closed("<")
            return float(left < self.closed("]"))
        if self.take(r"\begin{cases}"):
            chosen, condition = self.closed(r"& \text{if }"), self.closed(r"\\")
            other = self.closed(r"& \text{otherwise} \end{cases}")
            return chosen if condition else other
        return self.within(r"\left(", r"\right)")

    def within(self, left: str, right: str) -> float:
        self.must(left)
        return self.closed(right)

    def closed(self, right: str) -> float:
        found = self.sum()
        self.must(right)
        return found


@given(labelled_graphs())
def test_latex_computes_the_same_number_whatever_the_labels(v: Value) -> None:
    found = of_value(v)
    reader = FromLatex(found.latex(), names_in(found, LATEX))
    assert reader.sum() == pytest.approx(v.data, rel=1e-9, abs=1e-9), found.latex()
    assert not reader.text, found.latex()


# MathML ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(ops.TABLE))
def test_every_operation_and_its_rules_are_typeset_as_well_formed_mathml(name: str) -> None:
    op = ops.TABLE[name]
    names = [Formula(text) for text in ("x", "y<", "z")][: len(op.derivatives)]
    formulas = [names[0]._apply(op, tuple(names))]
    formulas += [rule(*names, Formula("out")) for rule in op.derivatives if rule is not None]
    for formula in formulas:
        text = write(formula if isinstance(formula, Formula) else Formula(formula), MATHML)
        for part in ElementTree.fromstring(text).iter():
            if part.tag in ("mfrac", "msup", "mroot"):
                assert len(part) == 2
    shown = "".join(ElementTree.fromstring(write(formulas[0], MATHML)).itertext())
    assert all(one.symbol in shown for one in names)


def test_mathml_has_the_parentheses_that_are_needed() -> None:
    a, b, c = map(Formula, "abc")

    def flat(formula: Any) -> str:
        return "".join(ElementTree.fromstring(f"<m>{write(formula, MATHML)}</m>").itertext())

    assert flat(a - (b - c)) == "a\u2212(b\u2212c)"
    assert flat((a + b) * c) == "(a+b)\u22c5c"
    assert flat(a * b + c) == "a\u22c5b+c"
    assert flat(-a * b) == "\u2212a\u22c5b"
    assert flat(a * -b) == "a\u22c5(\u2212b)"
    assert write((a + b) / c, MATHML) == (
        "<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mi>c</mi></mfrac>"
    )
    assert write((a + b) ** 3, MATHML).startswith("<msup><mrow><mo>(</mo><mrow>")
    assert write(Formula(-2.5), MATHML) == "<mrow><mo>\u2212</mo><mn>2.5</mn></mrow>"
