"""Equations as text and as LaTeX: brackets, exponents, tables, the order of elements."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, program

W = [Value(0.5), Value(1.5), Value(-1.0)]
M = [[Value(0.5 + i + j) for j in range(3)] for i in range(2)]


def called(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return a program that has been called once."""
    traced = program(function)
    traced(*arguments)
    return traced


def right(traced: Any, left: str = "result") -> str:
    """Return the right side of an equation, as text."""
    found = [
        re.sub(r"   +\S.*", "", line.split("= ", 1)[1]).strip()
        for line in str(traced).splitlines()
        if line.split()[:1] == [left]
    ]
    assert len(found) == 1, str(traced)
    return found[0]


def right_latex(traced: Any, left: str = r"\mathrm{result}") -> str:
    """Return the right side of an equation, as LaTeX."""
    rows = traced.latex().splitlines()
    [found] = [row for row in rows if row.startswith(f"{left} &")]
    return str(re.split(r"&(?:\\mathrel\{:\})?= ", found)[1].split(" && ")[0])


w = Value(0.5)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda i: mg.take([5.0, 6.0, 7.0], i) * w, "w [5, 6, 7][i]"),
        (lambda i: mg.take([5.0], i) * w, "w [5][i]"),
        (lambda i: mg.take([5.0, w, 7.0], i), "[5, w, 7][i]"),
        (lambda i: mg.take([5.0, *W], i), "[5, W][i]"),
        (lambda i: mg.take([[5.0, 6.0], [7.0, 8.0], [9.0, 4.0]], i), "[c, c, c][i]"),
        (lambda i: mg.take(list(range(10)), i), "[0, 1, 2, 3, 4, 5, ...][i]"),
        (lambda i: mg.take(W, i), "W[i]"),
    ],
)
def test_a_table_of_numbers_is_written(function: Callable[..., Any], text: str) -> None:
    traced = called(function, [0, 0])
    assert right(traced) == text
    assert "[i]" in traced.latex()
    assert "[i]" in traced._repr_markdown_()


@pytest.mark.parametrize(
    ("function", "left", "latex"),
    [
        (lambda x: -((x - w) ** 2), r"\mathrm{result}", r"-\left(x - w\right)^{\circ 2}"),
        (lambda x: (x * w) ** 2, r"\mathrm{result}", r"\left(w \, x\right)^{\circ 2}"),
        (
            lambda x: (x + w) ** 3,
            r"\Delta_{w}",
            r"\textstyle\sum 3 \left(x + w\right)^{\circ 2}",
        ),
        (lambda x: (x / w) ** -2, r"\mathrm{result}", r"\left(\frac{x}{w}\right)^{-2}"),
        (lambda x: x**2, r"\mathrm{result}", r"x^{\circ 2}"),
    ],
)
def test_the_base_of_a_power_is_in_brackets(
    function: Callable[..., Any], left: str, latex: str
) -> None:
    assert right_latex(called(function, [1.0, 2.0]), left) == latex


def test_a_power_in_an_exponent_is_in_brackets() -> None:
    assert right(called(lambda x: 2.0 ** (x**1.5), [1.0, 2.0])) == "2.^(x.^1.5)"


PROGRAMS: list[Callable[[Any], Any]] = [
    lambda x: W[0] * x[0] + x[1],
    lambda x: W[0] * x[0] + M[1][2] * x[1] ** 2,
    lambda x: [mg.tanh(v * W[i]) ** 2 for i, v in enumerate(x)],
    lambda x: [((v * w).exp() + v) ** 3 * (v * w).exp() ** 0.5 for v in x],
    lambda x: (sum(a * b for a, b in zip(M[0], x)) + w) ** 3,
    lambda x: sum(mg.tanh(sum(a * b for a, b in zip(r, x))) ** 2 for r in M) ** 2,
    lambda x: [sum(a * b for a, b in zip(r, x)) ** 1.5 for r in M],
    lambda x: [mg.tanh(sum(a * b for a, b in zip(r, x))) ** 3 / (x[0] ** 2 + 1) for r in M],
    lambda x: (x[0] / x[1]) ** w + (x[1] ** 2) ** 2.5,
    lambda x: max(x) ** 2 + mg.take(M[0], 1) ** 2,
    lambda x: [mg.exp(W[2] * v) * 1e-9 for v in x[:2]],
    lambda x: [M[i][j] * x[j] for i in range(2) for j in range(2)],
    lambda x: [M[0][0] * x[0], M[1][1] * x[1], (M[0][2] - x[2]) ** 2],
    lambda x: [v / (v**2 + W[1] ** 2) ** 0.5 for v in x],
    lambda x: 2.0 ** (x[0] ** 2) + (-x[1]) ** 3 + (2 * x[2]) ** 4,
]


def scripts(latex: str) -> list[str]:
    """Return what TeX would reject: two scripts of one kind on one base, unbalanced braces."""
    wrong: list[str] = []
    seen: list[set[str]] = [set()]
    at = 0
    while at < len(latex):
        character = latex[at]
        if character == "\\":
            at += 2  # an escaped brace, or the name of a command, whose letters follow
            seen[-1] = set()
            continue
        if character in "^_":
            wrong += [latex[: at + 1]] * (character in seen[-1])
            seen[-1].add(character)
            assert latex[at + 1] == "{"
            seen.append(set())
            at += 1
        elif character == "{":
            seen[-1] = set()
            seen.append(set())
        elif character == "}":
            seen.pop()
            if not seen:
                return [*wrong, latex[: at + 1]]
        else:
            seen[-1] = set()
        at += 1
    return wrong + ["an open brace"] * (len(seen) != 1)


def test_scripts_are_found() -> None:
    assert scripts("t^{(6)}^{3}")
    assert scripts(r"\Delta_{W}_{0}")
    assert scripts("W_{1}^{2}_{3}")
    assert scripts("{x")
    assert not scripts(r"\left(t^{(6)}\right)^{3} + W_{0}^{(1)} - W_{0}")


@pytest.mark.parametrize("function", PROGRAMS)
def test_tex_accepts_each_equation(function: Callable[[Any], Any]) -> None:
    latex = called(function, np.array([[0.5, 1.0, 2.0], [1.0, 2.0, 0.5]])).latex()
    assert not scripts(latex), latex
    assert latex.count(r"\left") == latex.count(r"\right")


def rows_reversed(x: Any) -> Any:
    return [sum(a * b for a, b in zip(row, x[::-1])) for row in M[::-1]]


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (lambda x: [mg.tanh(v) for v in x], "tanh(x)"),
        (lambda x: [mg.tanh(v) for v in x][::-1], "tanh(x)[::-1]"),
        (lambda x: [mg.tanh(x[i]) for i in (2, 0, 1)], "tanh(x)[...]"),
        (lambda x: [mg.tanh(x[0]), w * x[1], mg.tanh(x[2])], "tanh(x[0:3:2])[0]; w x[1]; "),
        (lambda x: [a * b for a, b in zip(W[::-1], x)], "(W .* x[::-1])[::-1]"),
        (lambda x: [a * b for a, b in zip(W, x[::-1])], "W .* x[::-1]"),
        (lambda x: [W[i] * W[2 - i] * x[i] for i in range(3)], "x .* W .* W[::-1]"),
        (lambda x: [w * x[0], w * x[0]], "w x[0]; w x[0]"),
        (lambda x: [x[0], x[1], x[0]], "x[0]; x[1]; x[0]"),
        (lambda x: [], ""),
    ],
)
def test_the_order_of_results_is_written(function: Callable[..., Any], text: str) -> None:
    assert right(called(function, np.ones((1, 3)))).startswith(text)


def test_the_rows_of_a_reversed_matrix_are_in_order() -> None:
    traced = called(rows_reversed, np.ones((1, 3)))
    assert right(traced, "z2") == "M x[::-1]"
    assert right(traced, "rows_reversed") == "z2[::-1]"


def test_the_order_of_a_table_is_written() -> None:
    assert right(called(lambda i: mg.take(W[::-1], i), [0, 1])) == "W[::-1][i]"
    assert right(called(lambda i: mg.take(M, i), [0, 1])) == "M[i]"
    assert right(called(lambda i: mg.take(M[::-1], i), [0, 1])) == "M[::-1][i]"


def test_only_a_product_with_itself_is_a_square() -> None:
    pairs = called(lambda x: sum(x[i] * x[j] for i in range(3) for j in range(i)), np.ones((1, 3)))
    assert right(pairs) == "sum_{i, j <= i}(x[i + 1] .* x[j])"
    squares = called(lambda x: sum(v * v for v in x), np.ones((1, 3)))
    assert right(squares) == "sum(x.^2)"


def bent(x: Any) -> Any:
    return w * x if x > 1 else -x


def test_latex_has_the_headings_of_the_text() -> None:
    traced = called(bent, [0.0, 2.0])
    headings = [line for line in str(traced).splitlines() if not line.startswith(" ")]
    rows = [row for row in traced.latex().splitlines() if row.startswith(r"&\text{")]
    assert [h.split(":")[0].split(",")[0] for h in headings] == [
        "path 1 of 2",
        "path 2 of 2",
        "backward",
    ]
    assert [row.replace("\\_", "_") for row in rows] == [rf"&\text{{{h}}} \\" for h in headings]


def test_one_long_line_pads_no_other() -> None:
    def size(steps: int) -> tuple[int, int]:
        def chain(x: Any) -> Any:
            h = x
            for k in range(steps):  # in no period, or it were printed once
                h = (mg.tanh, mg.sin)[k * k % 7 > 3 - k % 3](w * h + x)
            return h

        text = str(called(chain, [1.0]))
        return len(text), max(map(len, text.splitlines()))

    (short, _), (long, longest) = size(50), size(200)
    assert longest > 1000
    assert long < 6 * short


@pytest.mark.parametrize(
    ("function", "text"),
    [(lambda x: 2.0, "2"), (lambda x: x, "x"), (lambda x: w, "w"), (lambda x: [x], "x")],
)
def test_a_result_that_is_not_computed_is_written(function: Callable[..., Any], text: str) -> None:
    assert right(called(function, [1.0, 2.0])) == text


def test_an_argument_keeps_its_name_to_itself() -> None:
    def net(z2: Any, t1: Any) -> Any:
        hidden = [mg.tanh(sum(a * b for a, b in zip(row, z2))) for row in M]
        total = mg.exp(t1) + w * t1 + mg.sin(t1)
        return hidden[0] * hidden[1] + total * mg.exp(total)

    traced = called(net, np.ones((2, 3)), [1.0, 2.0])
    assert right(traced, "z3") == "M z2"
    lefts = [line.split()[0] for line in str(traced).splitlines() if line.startswith(" ")]
    assert not {"z2", "t1"} & set(lefts)
    assert "t2" in lefts
