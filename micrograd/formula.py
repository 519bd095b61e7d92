"""Formulas: numbers that print themselves as Python, as C and as LaTeX.

Rows and operators take Formulas as they take floats, so that a rule of the table, called on
Formulas, writes itself down. Parentheses stand only where the language needs them to compute in
the same order, which in floating point is what makes the same bits.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Sequence
from types import BuiltinFunctionType
from typing import Any, NamedTuple

from micrograd import ops
from micrograd.engine import Value, toposort
from micrograd.operators import Operators
from micrograd.ops import Op
from micrograd.scalars import is_number

LARGEST = 10_000  # parts of a formula that somebody may still want to read


class Formula(Operators["Formula"]):
    """A name, a number, or a row applied to Formulas; `str()` gives it as Python.

    Raises TypeError when `symbol` is neither a name nor a number.

    >>> x, y = Formula("x"), Formula("y")
    >>> print((x + y) * x ** -2)
    (x + y) * x ** -2
    """

    __slots__ = ("args", "op", "size", "symbol")

    def __init__(self, symbol: Any) -> None:
        if not isinstance(symbol, str) and not is_number(symbol):
            raise TypeError(f"a Formula starts from a name or a number, got {symbol!r}")
        self.symbol: Any = symbol
        self.op: Op | None = None
        self.args: tuple[Formula, ...] = ()
        self.size = 1

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Formula:
        if not all(isinstance(x, Formula) or is_number(x) for x in operands):
            return NotImplemented  # type: ignore[no-any-return]
        out = Formula("")
        out.op = op
        out.args = tuple(x if isinstance(x, Formula) else Formula(x) for x in operands)
        out.size = 1 + sum(x.size for x in out.args)
        return out

    def python(self) -> str:
        """Give the formula as a Python expression, for names that are floats, rows and operators.

        >>> Formula("x").tanh().python()
        'tanh(x)'
        """
        return _print(self, _PYTHON)

    def c(self) -> str:
        """Give the formula as a C expression, for doubles, math.h and `c_definitions()`.

        >>> (2 * Formula("x").arcsin() ** 3).c()
        '2.0 * power_value(asin(x), 3.0)'
        """
        return _print(self, _C)

    def latex(self) -> str:
        r"""Give the formula as LaTeX, for math mode.

        >>> print((1 / Formula("w1").sqrt()).latex())
        \frac{1}{\sqrt{w_{1}}}
        """
        return _print(self, _LATEX)

    def text(self) -> str:
        """Give the formula for people: any label as a name, numbers in four significant digits.

        >>> (Formula("Theta1[1,0]") * 0.123456 + Formula("a - y") ** 2).text()
        'Theta1[1,0] * 0.1235 + (a - y) ** 2'
        """
        return _print(self, _TEXT)

    __str__ = python

    def __repr__(self) -> str:
        return f"Formula({self.python()!r})"

    def __lt__(self, other: Any) -> Formula:
        return self._apply(ops.less, (self, other))

    def __le__(self, other: Any) -> Formula:
        return self._apply(ops.less_equal, (self, other))

    def __gt__(self, other: Any) -> Formula:
        return self._apply(ops.less, (other, self))

    def __ge__(self, other: Any) -> Formula:
        return self._apply(ops.less_equal, (other, self))

    def __eq__(self, other: Any) -> Formula:  # type: ignore[override]
        return self._apply(ops.equal, (self, other))

    __hash__ = object.__hash__

    def __bool__(self) -> bool:
        raise TypeError(f"whether {self} is true depends on numbers: write micrograd.ops.where")


def of_value(v: Value) -> Formula:
    """Write the graph behind a Value as one Formula: leaves by label, or by number without one.

    Raises ValueError at a node that no row made, and when the formula would be too long to read.

    >>> x = Value(3.0, label="x")
    >>> print(of_value((x + 1) * x))
    (x + 1.0) * x
    """
    written: dict[Value, Formula] = {}
    for node in toposort(v):
        if not node.parents:
            written[node] = Formula(node.label or node.data)
            continue
        if node.op is None:
            raise ValueError(f"{node!r} was not made by a row, so no formula is known for it")
        operands = [written[x] if isinstance(x, Value) else Formula(x) for x in node.args]
        written[node] = operands[0]._apply(node.op, tuple(operands))
        if written[node].size > LARGEST:
            raise ValueError(
                f"the formula would have more than {LARGEST} parts: write a part of the graph"
            )
    return written[v]


def of_row(op: Op) -> Formula:
    """Write the value of a row: in terms of other rows if it is made of them, else by its name.

    >>> print(of_row(ops.relu), of_row(ops.tanh), sep=", ")
    maximum(x, 0.0), tanh(x)
    """
    operands = [Formula(name) for name in operand_names(op)]
    try:
        return _formula(op.value(*operands))
    except TypeError:  # it needs real numbers: a function of math, or one with a condition
        return operands[0]._apply(op, tuple(operands))


def of_rule(op: Op, position: int) -> Formula:
    """Write a row's local derivative for one operand, in terms of its operands and `out`.

    Raises ValueError when the row has no derivative there.

    >>> print(of_rule(ops.divide, 1))
    -out / y
    """
    rule = op.derivatives[position]
    if rule is None:
        raise ValueError(f"{op.name} has no derivative for operand {position}")
    return _formula(rule(*map(Formula, operand_names(op)), Formula("out")))


def operand_names(op: Op) -> list[str]:
    """Give the names by which the row's own functions call its operands.

    >>> operand_names(ops.where), operand_names(ops.arctan2)
    (['c', 'x', 'y'], ['y', 'x'])
    """
    rule = next((rule for rule in op.derivatives if rule is not None), op.value)
    return list(inspect.signature(rule).parameters)[: len(op.derivatives)]


def _formula(x: Any) -> Formula:
    return x if isinstance(x, Formula) else Formula(x)


# Printing --------------------------------------------------------------------------------------
# Levels say how tightly a text holds together; a looser one goes into parentheses.

SUM, PRODUCT, UNARY, POWER, ATOM = range(1, 6)


class _Spelling(NamedTuple):
    """How a language writes one operation: `{0}`, `{1}` stand for operands of at least `needs`."""

    text: str
    level: int = ATOM
    needs: Sequence[int] = (0, 0, 0)


class _Language(NamedTuple):
    number: Callable[[Any], tuple[str, int]]
    name: Callable[[str], str]
    spellings: dict[str, _Spelling]
    call: Callable[[Op], str]  # the name of the function, where there is no spelling
    brackets: tuple[str, str] = ("(", ")")


def _print(formula: Formula, language: _Language) -> str:
    # Operands first, on a list of our own: a formula may be deeper than Python's stack.
    order, todo = [], [formula]
    while todo:
        node = todo.pop()
        order.append(node)
        todo.extend(node.args)
    done: list[tuple[str, int]] = []
    for node in reversed(order):
        first = len(done) - len(node.args)
        done[first:] = [_print_one(node, done[first:], language)]
    return done[0][0]


def _print_one(
    node: Formula, operands: list[tuple[str, int]], language: _Language
) -> tuple[str, int]:
    if node.op is None:
        if isinstance(node.symbol, str):
            return language.name(node.symbol), ATOM
        return language.number(node.symbol)
    left, right = language.brackets
    spelling = language.spellings.get(node.op.name)
    if spelling is None or not _in_table(node.op):
        arguments = ", ".join(text for text, _ in operands)
        return f"{language.call(node.op)}{left}{arguments}{right}", ATOM
    texts = [
        text if level >= need else f"{left}{text}{right}"
        for (text, level), need in zip(operands, spelling.needs)
    ]
    if spelling.text == "-{0}" and texts[0].startswith("-"):
        texts[0] = f" {texts[0]}"  # C reads two dashes without a blank as one operator
    return spelling.text.format(*texts), spelling.level


def _in_table(op: Op) -> bool:
    return ops.TABLE.get(op.name) is op


_ARITHMETIC = {
    "add": _Spelling("{0} + {1}", SUM, (SUM, PRODUCT)),
    "subtract": _Spelling("{0} - {1}", SUM, (SUM, PRODUCT)),
    "multiply": _Spelling("{0} * {1}", PRODUCT, (PRODUCT, UNARY)),
    "divide": _Spelling("{0} / {1}", PRODUCT, (PRODUCT, UNARY)),
    "negative": _Spelling("-{0}", UNARY, (UNARY,)),
}


def _identifier(name: str) -> str:
    if not name.isidentifier() or name in ops.TABLE:
        raise ValueError(f"the label {name!r} cannot be a variable: use a name, and not a row's")
    return name


def _python_number(x: Any) -> tuple[str, int]:
    text = repr(x if type(x) in (int, float) else float(x))
    return text, UNARY if text.startswith("-") else ATOM


_PYTHON = _Language(
    _python_number,
    _identifier,
    {
        **_ARITHMETIC,
        "power": _Spelling("{0} ** {1}", POWER, (ATOM, UNARY)),
        # A comparison of floats is a bool, and -False is not -0.0.
        "less": _Spelling("float({0} < {1})", ATOM, (SUM, SUM)),
        "less_equal": _Spelling("float({0} <= {1})", ATOM, (SUM, SUM)),
        "equal": _Spelling("float({0} == {1})", ATOM, (SUM, SUM)),
    },
    lambda op: op.name,
)


def _text_name(name: str) -> str:
    return name if re.fullmatch(r"\w([\w.']|\[[\w,' ]*\])*", name) else f"({name})"


def _text_number(x: Any) -> tuple[str, int]:
    text = format(float(x), ".4g")
    return text, UNARY if text.startswith("-") else ATOM


_TEXT = _PYTHON._replace(number=_text_number, name=_text_name)


def _c_number(x: Any) -> tuple[str, int]:
    text = repr(float(x)).replace("inf", "INFINITY").replace("nan", "NAN")
    return text, UNARY if text.startswith("-") else ATOM


def _c_function(op: Op) -> str:
    """The function of math.h that the row calls, else the one in `c_definitions()`."""
    if isinstance(op.value, BuiltinFunctionType) and op.value.__module__ == "math":
        return op.value.__name__
    if not _in_table(op):
        raise ValueError(f"C knows the rows of the table and math.h, not {op!r}")
    return f"{op.name}_value"


_C = _Language(
    _c_number,
    _identifier,
    {
        **_ARITHMETIC,
        "less": _Spelling("(double)({0} < {1})", UNARY, (SUM, SUM)),
        "less_equal": _Spelling("(double)({0} <= {1})", UNARY, (SUM, SUM)),
        "equal": _Spelling("(double)({0} == {1})", UNARY, (SUM, SUM)),
    },
    _c_function,
)

# The rows whose value is a function with a condition, which no Formula can pass through.
_C_VALUES = {
    "where": "c != 0.0 ? x : y",
    "sign": "x != x ? x : (double)(x > 0.0) - (double)(x < 0.0)",
    "maximum": "x > y || x != x ? x : y",
    "minimum": "x < y || x != x ? x : y",
    "power": "pow(x, y)",
    "cbrt": "cbrt(x)",
}

# Python's math computes these with an algorithm of its own: C may differ in the last bit.
DIFFER_IN_C = frozenset({"hypot", "cbrt"})


def c_value(op: Op) -> str:
    """Give the value of a row of the table as a C expression in its operands.

    >>> c_value(ops.softplus)
    'maximum_value(x, 0.0) + log1p(exp(-fabs(x)))'
    """
    return _C_VALUES[op.name] if op.name in _C_VALUES else of_row(op).c()


def c_definitions() -> str:
    """Define, as C functions, the rows that math.h lacks; what `Formula.c()` gives calls these.

    >>> print(c_definitions().splitlines()[0])
    static inline double add_value(double x, double y) { return x + y; }
    """
    return "\n".join(
        c_function(f"{op.name}_value", operand_names(op), c_value(op)) for op in ops.TABLE.values()
    )


def c_function(name: str, parameters: Sequence[str], expression: str) -> str:
    """Define a C function of doubles that returns an expression.

    >>> c_function("half", ["x"], "x / 2.0")
    'static inline double half(double x) { return x / 2.0; }'
    """
    unused = "".join(f"(void){p}; " for p in parameters if not re.search(rf"\b{p}\b", expression))
    declared = ", ".join(f"double {p}" for p in parameters)
    return f"static inline double {name}({declared}) {{ {unused}return {expression}; }}"


def _latex_number(x: Any) -> tuple[str, int]:
    x = x if type(x) is int else float(x)
    if not math.isfinite(x):
        return str(x).replace("inf", r"\infty").replace("nan", r"\mathrm{nan}"), SUM
    mantissa, _, exponent = format(x, ".12g" if isinstance(x, float) else "d").partition("e")
    text = rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa
    return text, SUM if x < 0 else PRODUCT if exponent else ATOM


def _latex_name(name: str) -> str:
    match = re.fullmatch(r"([A-Za-z]+)_?(\d*)", name)
    letters, digits = match.groups() if match else (name, "")
    if len(letters) > 1:
        letters = rf"\mathrm{{{_latex_text(letters)}}}"
    return f"{letters}_{{{digits}}}" if digits else letters


def _latex_text(text: str) -> str:
    return re.sub(r"([_%&#$\\{}^~])", lambda m: rf"\{m[1]}" if m[1] not in r"\^~" else "", text)


_LATEX_FUNCTIONS = {
    "exp",
    "log",
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "sinh",
    "cosh",
    "tanh",
}
_LATEX_NAMES = {"sigmoid": r"\sigma", "maximum": r"\max", "minimum": r"\min"}


def _latex_function(op: Op) -> str:
    if op.name in _LATEX_FUNCTIONS:
        return rf"\{op.name}"
    return _LATEX_NAMES.get(op.name, rf"\operatorname{{{_latex_text(op.name)}}}")


_LATEX = _Language(
    _latex_number,
    _latex_name,
    {
        "add": _Spelling("{0} + {1}", SUM, (SUM, PRODUCT)),
        "subtract": _Spelling("{0} - {1}", SUM, (SUM, PRODUCT)),
        "multiply": _Spelling(r"{0} \cdot {1}", PRODUCT, (PRODUCT, PRODUCT)),
        "divide": _Spelling(r"\frac{{{0}}}{{{1}}}", POWER),
        "negative": _Spelling("-{0}", SUM, (PRODUCT,)),
        "power": _Spelling("{0}^{{{1}}}", POWER, (ATOM, 0)),
        "exp": _Spelling("e^{{{0}}}", POWER),
        "sqrt": _Spelling(r"\sqrt{{{0}}}"),
        "cbrt": _Spelling(r"\sqrt[3]{{{0}}}"),
        "abs": _Spelling(r"\left|{0}\right|"),
        "log2": _Spelling(r"\log_{{2}}\left({0}\right)"),
        "log10": _Spelling(r"\log_{{10}}\left({0}\right)"),
        "less": _Spelling("[{0} < {1}]"),
        "less_equal": _Spelling(r"[{0} \le {1}]"),
        "equal": _Spelling("[{0} = {1}]"),
        "where": _Spelling(
            r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{otherwise}} \end{{cases}}"
        ),
    },
    _latex_function,
    (r"\left(", r"\right)"),
)
