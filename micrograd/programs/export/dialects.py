"""C and JavaScript: what they spell differently, and the functions that the loops call."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from micrograd import ops
from micrograd.derivatives.kinks import Choice
from micrograd.ops import Op, Steps
from micrograd.symbolic.formula import (
    Formula,
    c_function,
    c_value,
    in_steps,
    operand_names,
)
from micrograd.symbolic.javascript import JAVASCRIPT, arrow_function, values
from micrograd.symbolic.languages import C, Language
from micrograd.value.selection import Selection


class Dialect(NamedTuple):
    """How a language declares what a loop needs."""

    language: Language
    counter: str  # of a loop
    number: str  # one that changes
    constant: str  # one that does not
    function: Callable[[str, list[str], list[tuple[str, str]], str], str]
    place: str  # the function that turns an index into a place in a table


C_DIALECT = Dialect(
    C,
    "int",
    "double",
    "const double",
    lambda name, operands, steps, result: c_function(name, operands, result, steps),
    "static inline int place(double x, int count) { int i = x >= -count && x < count ? (int)x : 0; "
    "return i < 0 ? i + count : i; }",
)
JAVASCRIPT_DIALECT = Dialect(
    JAVASCRIPT,
    "let",
    "let",
    "const",
    lambda name, operands, steps, result: (
        f"const {name} = {arrow_function(operands, steps, result)};"
    ),
    "const place = (x, count) => { const i = x >= -count && x < count ? Math.trunc(x) : 0; "
    "return i < 0 ? i + count : i; };",
)


class Functions:
    """The functions that some loops call: of the table, and of users' operations."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.has_place: bool = False
        self._own: dict[Op, tuple[str, str]] = {}  # names and definitions
        self._texts: list[str] = []

    def call(self, op: Op, operands: Sequence[str]) -> str:
        """Write an operation on elements; raises ValueError for one known to Python alone."""
        if op is ops.stop_gradient or isinstance(op, Choice):
            return operands[0]
        language = self.dialect.language
        if ops.TABLE.get(op.name) is not op:
            if op not in self._own:
                self._own[op] = self._define(op, f"{language.name(op.name)}_{len(self._own) + 1}")
            return f"{self._own[op][0]}({', '.join(operands)})"
        spelling = language.spellings.get(op.name)
        if spelling is not None:
            text = spelling.text.format(*operands)
        else:
            text = f"{language.call(op)}({', '.join(operands)})"
        self._texts.append(text)
        return text

    def place(self, index: str, count: int) -> str:
        """Write the place that an index means in a table: the last one for -1."""
        self.has_place = True
        return f"place({index}, {count})"

    def _define(self, op: Op, name: str) -> tuple[str, str]:
        names, written = formula_of(op)
        steps, result = in_steps(written, self.dialect.language)
        self._texts += [*[text for _, text in steps], result]
        return name, self.dialect.function(name, names, steps, result)

    def definitions(self) -> list[str]:
        """Return the definitions of all that was called, in an order in which C can read them."""
        own = [text for _, text in self._own.values()]
        of_place = [self.dialect.place] if self.has_place else []
        text = " ".join(self._texts)
        if self.dialect is JAVASCRIPT_DIALECT:
            return [*of_place, values(re.findall(r"F\.(\w+)", text)), *own]
        return [*of_place, *_c_values(re.findall(r"\b(\w+)_value\(", text)), *own]


def formula_of(op: Op) -> tuple[list[str], Formula]:
    """Return names for the operands of an operation that is not in the table, and its value.

    Raises ValueError for one that is known to Python alone.
    """
    if isinstance(op, Selection):
        names = [f"x{i}" for i in range(len(op.derivatives))]
    else:
        names = operand_names(op)
    function = op.value.function if isinstance(op.value, Steps) else op.value
    try:
        written = function(*map(Formula, names))
    except (ArithmeticError, TypeError, ValueError):  # it needs a number
        written = None
    if not isinstance(written, Formula):
        raise ValueError(
            f"the operation {op.name} is known to Python alone: write its value in micrograd's "
            "operations, and it is known elsewhere, too"
        )
    return names, written


def _c_values(names: Sequence[str]) -> list[str]:
    """Define operations of the table in C, each behind those that it is made of."""
    found: dict[str, str] = {}

    def add(name: str) -> None:
        if name not in found:
            text = c_value(ops.TABLE[name])
            for other in re.findall(r"\b(\w+)_value\(", text):
                if other != name:
                    add(other)
            found[name] = text

    for name in names:
        add(name)
    return list(found.values())
