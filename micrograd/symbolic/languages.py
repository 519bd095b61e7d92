"""Write formulas as Python, plain text, C and LaTeX."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from micrograd import ops
from micrograd.ops import Op

if TYPE_CHECKING:
    from micrograd.symbolic.formula import Formula

# The binding strength of a text; where a looser one meets a tighter one, parentheses are needed.
SUM, PRODUCT, UNARY, POWER, ATOM = range(1, 6)


class _Spelling(NamedTuple):
    """How a language writes one operation: `{0}`, `{1}` stand for operands of at least `needs`."""

    text: str
    level: int = ATOM
    needs: Sequence[int] = (0, 0, 0)


class Language(NamedTuple):
    """How a language writes numbers, names and operations."""

    number: Callable[[Any], tuple[str, int]]
    name: Callable[[str], str]
    spellings: dict[str, _Spelling]
    call: Callable[[Op], str]  # the name of the function, where there is no spelling
    brackets: tuple[str, str] = ("(", ")")


def write(formula: Formula, language: Language) -> str:
    """Return the formula in a language, with the fewest parentheses."""
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
    node: Formula, operands: list[tuple[str, int]], language: Language
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


PYTHON = Language(
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
    return name if re.fullmatch(r"\w([\w.']|\[[\w,' ]*\]|\([\d,]+\))*", name) else f"({name})"


def _text_number(x: Any) -> tuple[str, int]:
    text = format(float(x), ".4g")
    return text, UNARY if text.startswith("-") else ATOM


TEXT = PYTHON._replace(number=_text_number, name=_text_name)


def _c_number(x: Any) -> tuple[str, int]:
    text = repr(float(x)).replace("inf", "INFINITY").replace("nan", "NAN")
    return text, UNARY if text.startswith("-") else ATOM


def _c_function(op: Op) -> str:
    """Return the name of the function of math.h, else of the one in `c_definitions()`."""
    if isinstance(op.value, BuiltinFunctionType) and op.value.__module__ == "math":
        return op.value.__name__
    if not _in_table(op):
        raise ValueError(f"C knows the rows of the table and math.h, not {op!r}")
    return f"{op.name}_value"


C = Language(
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
        letters = rf"\mathrm{{{latex_text(letters)}}}"
    return f"{letters}_{{{digits}}}" if digits else letters


def latex_text(text: str) -> str:
    """Escape a text for LaTeX."""
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


def latex_function(op: Op) -> str:
    """Return the name of an operation as a LaTeX function."""
    if op.name in _LATEX_FUNCTIONS:
        return rf"\{op.name}"
    return _LATEX_NAMES.get(op.name, rf"\operatorname{{{latex_text(op.name)}}}")


LATEX = Language(
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
    latex_function,
    (r"\left(", r"\right)"),
)
