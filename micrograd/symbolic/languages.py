"""Write formulas as Python, plain text, C and LaTeX."""

from __future__ import annotations

import keyword
import math
import re
import unicodedata
from collections.abc import Callable, Container, Sequence
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any, NamedTuple

from micrograd import ops
from micrograd.ops import Op

if TYPE_CHECKING:
    from micrograd.symbolic.formula import Formula

# The binding strength of a text; where a looser one meets a tighter one, parentheses are needed.
SUM, PRODUCT, UNARY, POWER, ATOM = range(1, 6)


class Spelling(NamedTuple):
    """How a language writes one operation: `{0}`, `{1}` stand for operands of at least `needs`."""

    text: str
    level: int = ATOM
    needs: Sequence[int] = (0, 0, 0)


class Language(NamedTuple):
    """How a language writes numbers, names and operations."""

    number: Callable[[Any], tuple[str, int]]
    name: Callable[[str], str]  # of a variable
    spellings: dict[str, Spelling]
    call: Callable[[Op], str]  # the name of the function, where there is no spelling
    function: Callable[[str], str] | None  # of a user's operation; None: `call` knows or refuses
    brackets: tuple[str, str] = ("(", ")")


def write(formula: Formula, language: Language) -> str:
    """Return the formula in a language, with the fewest parentheses."""
    names = {id(key): name for name, key in names_in(formula, language).items()}
    done: list[tuple[str, int]] = []
    for node in reversed(_parts(formula)):
        first = len(done) - len(node.args)
        done[first:] = [_print_one(node, done[first:], language, names)]
    return done[0][0]


def _parts(formula: Formula) -> list[Formula]:
    """List a formula and all its parts, from right to left, operands last."""
    # On a list of our own: a formula may be deeper than Python's stack.
    order, todo = [], [formula]
    while todo:
        node = todo.pop()
        order.append(node)
        todo.extend(node.args)
    return order


def names_in(formula: Formula, language: Language) -> dict[str, Any]:
    """Return what each name in the text of a formula stands for, apart from the table's.

    That is a Value, an Op, or the symbol of a formula written by hand. Different things have
    different names, which mean nothing else in the language.
    """
    found: dict[str, Any] = {}
    known: set[int] = set()
    parts = _parts(formula)[::-1]
    functions = [
        (node, node.op.name, language.function)
        for node in parts
        if node.op is not None and not _in_table(node.op)
    ]
    variables = [
        (node, node.symbol, language.name)
        for node in parts
        if node.op is None and isinstance(node.symbol, str)
    ]
    for node, symbol, spell in (*functions, *variables):
        key = node.key()
        if spell is None or id(key) in known:
            continue
        known.add(id(key))
        name, n = spell(symbol), 1
        while name in found:
            n += 1
            name = spell(f"{symbol}_{n}")
        found[name] = key
    return found


def _print_one(
    node: Formula, operands: list[tuple[str, int]], language: Language, names: dict[int, str]
) -> tuple[str, int]:
    if node.op is None:
        if isinstance(node.symbol, str):
            return names[id(node.key())], ATOM
        return language.number(node.symbol)
    left, right = language.brackets
    spelling = language.spellings.get(node.op.name)
    if spelling is None or not _in_table(node.op):
        arguments = ", ".join(text for text, _ in operands)
        call = names.get(id(node.op)) or language.call(node.op)
        return f"{call}{left}{arguments}{right}", ATOM
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
    "add": Spelling("{0} + {1}", SUM, (SUM, PRODUCT)),
    "subtract": Spelling("{0} - {1}", SUM, (SUM, PRODUCT)),
    "multiply": Spelling("{0} * {1}", PRODUCT, (PRODUCT, UNARY)),
    "divide": Spelling("{0} / {1}", PRODUCT, (PRODUCT, UNARY)),
    "negative": Spelling("-{0}", UNARY, (UNARY,)),
}


# Names that mean something else in the text of a formula.
_IN_PYTHON = {*keyword.kwlist, *ops.TABLE, "float"}
_C_KEYWORDS = """
    alignas alignof asm auto bool break case char const constexpr continue default do double else
    enum extern false float for goto if inline int long nullptr register restrict return short
    signed sizeof static static_assert struct switch thread_local true typedef typeof union
    unsigned void volatile while
    INFINITY NAN HUGE_VAL MATH_ERRNO MATH_ERREXCEPT math_errhandling linux unix
"""
# The functions that Python's math and C's math.h have by the same name.
_MATH_H = """
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs
    floor fmod hypot log log10 log1p log2 nextafter pow remainder sin sinh sqrt tan tanh trunc
"""
_IN_MATH_H = frozenset(_MATH_H.split())
_IN_C = {*_C_KEYWORDS.split(), *_IN_MATH_H, *ops.TABLE, *(f"{name}_value" for name in ops.TABLE)}


def _identifier(text: str, allowed: Callable[[str], bool], reserved: Container[str]) -> str:
    """Turn any text into a name that does not mean something else already."""
    name = re.sub("_+", "_", "".join(c if allowed(c) else "_" for c in text)) if text else ""
    if not text.isidentifier():
        name = name.strip("_")
    if not name or name[0].isdigit() or not allowed(name[0]):
        name = f"v{name}"
    return f"{name}_" if name in reserved else name


def _python_name(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)  # as Python reads names
    return _identifier(text, lambda c: f"v{c}".isidentifier(), _IN_PYTHON)


def _c_name(text: str) -> str:
    return _identifier(
        text, lambda c: c.isascii() and (c.isalnum() or c == "_"), _IN_C | _IN_MATH_H
    )


def _python_number(x: Any) -> tuple[str, int]:
    text = repr(x if type(x) in (int, float) else float(x))
    if text.endswith(("inf", "nan")):
        text = text.replace("inf", "float('inf')").replace("nan", "float('nan')")
    return text, UNARY if text.startswith("-") else ATOM


PYTHON = Language(
    _python_number,
    _python_name,
    {
        **_ARITHMETIC,
        "power": Spelling("{0} ** {1}", POWER, (ATOM, UNARY)),
        # A comparison of floats is a bool, and -False is not -0.0.
        "less": Spelling("float({0} < {1})", ATOM, (SUM, SUM)),
        "less_equal": Spelling("float({0} <= {1})", ATOM, (SUM, SUM)),
        "equal": Spelling("float({0} == {1})", ATOM, (SUM, SUM)),
    },
    lambda op: op.name,
    _python_name,
)


def _text_name(name: str) -> str:
    if re.fullmatch(r"[^\W\d]([\w.']|\[[\w,' ]*\]|\([\d,]+\))*", name):
        return name
    return f"({name})" if re.search(r"[^\d.eE+-]", name) else repr(name)


def _text_function(name: str) -> str:
    return f"{name}_" if name in ops.TABLE else name


def _text_number(x: Any) -> tuple[str, int]:
    text = format(float(x), ".4g")
    return text, UNARY if text.startswith("-") else ATOM


TEXT = PYTHON._replace(number=_text_number, name=_text_name, function=_text_function)


def _c_number(x: Any) -> tuple[str, int]:
    text = repr(float(x)).replace("inf", "INFINITY").replace("nan", "NAN")
    return text, UNARY if text.startswith("-") else ATOM


def _c_function(op: Op) -> str:
    """Return the name of the function of math.h, else of the one in `c_definitions()`."""
    if isinstance(op.value, BuiltinFunctionType) and op.value.__name__ in _IN_MATH_H:
        return op.value.__name__
    if not _in_table(op):
        raise ValueError(f"C knows micrograd's operations and math.h, not {op!r}")
    return f"{op.name}_value"


C = Language(
    _c_number,
    _c_name,
    {
        **_ARITHMETIC,
        "less": Spelling("(double)({0} < {1})", UNARY, (SUM, SUM)),
        "less_equal": Spelling("(double)({0} <= {1})", UNARY, (SUM, SUM)),
        "equal": Spelling("(double)({0} == {1})", UNARY, (SUM, SUM)),
    },
    _c_function,
    None,
)


def _latex_number(x: Any) -> tuple[str, int]:
    x = x if type(x) is int else float(x)
    if not math.isfinite(x):
        return str(x).replace("inf", r"\infty").replace("nan", r"\mathrm{nan}"), SUM
    mantissa, _, exponent = format(x, ".12g" if isinstance(x, float) else "d").partition("e")
    text = rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if exponent else mantissa
    return text, SUM if x < 0 else PRODUCT if exponent else ATOM


def _latex_name(name: str) -> str:
    if not any(c.isalpha() for c in name):
        name = f"v{name}"  # or it would read as a number
    match = re.fullmatch(r"([A-Za-z]+)_?(\d*)", name)
    letters, digits = match.groups() if match else (name, "")
    if letters == "e":
        letters = r"\mathit{e}"  # not the base of the exponential
    elif len(letters) > 1:
        letters = rf"\mathrm{{{latex_text(letters)}}}"
        if re.search(r"[-+*/=<>,|]", letters):
            letters = rf"\left({letters}\right)"
    return f"{letters}_{{{digits}}}" if digits else letters


def latex_text(text: str) -> str:
    """Escape a text for LaTeX."""
    text = " ".join(text.split())
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
_LATEX_NAMES = {
    "sigmoid": r"\sigma",
    "maximum": r"\max",
    "minimum": r"\min",
    "gamma": r"\Gamma",
    "digamma": r"\psi",
    "ndtr": r"\Phi",
    "ndtri": r"\Phi^{-1}",
}


def latex_function(op: Op) -> str:
    """Return the name of an operation as a LaTeX function."""
    if op.name in _LATEX_FUNCTIONS:
        return rf"\{op.name}"
    return _LATEX_NAMES.get(op.name, rf"\operatorname{{{latex_text(op.name)}}}")


def _latex_own_function(name: str) -> str:
    return rf"\operatorname{{{latex_text(f'{name}_' if name in ops.TABLE else name)}}}"


LATEX = Language(
    _latex_number,
    _latex_name,
    {
        "add": Spelling("{0} + {1}", SUM, (SUM, PRODUCT)),
        "subtract": Spelling("{0} - {1}", SUM, (SUM, PRODUCT)),
        "multiply": Spelling(r"{0} \cdot {1}", PRODUCT, (PRODUCT, PRODUCT)),
        "divide": Spelling(r"\frac{{{0}}}{{{1}}}", POWER),
        "negative": Spelling("-{0}", SUM, (PRODUCT,)),
        "power": Spelling("{0}^{{{1}}}", POWER, (ATOM, 0)),
        "exp": Spelling("e^{{{0}}}", POWER),
        "sqrt": Spelling(r"\sqrt{{{0}}}"),
        "cbrt": Spelling(r"\sqrt[3]{{{0}}}"),
        "exp2": Spelling("2^{{{0}}}", POWER),
        "abs": Spelling(r"\left|{0}\right|"),
        "floor": Spelling(r"\left\lfloor {0} \right\rfloor"),
        "ceil": Spelling(r"\left\lceil {0} \right\rceil"),
        "log2": Spelling(r"\log_{{2}}\left({0}\right)"),
        "log10": Spelling(r"\log_{{10}}\left({0}\right)"),
        "less": Spelling("[{0} < {1}]"),
        "less_equal": Spelling(r"[{0} \le {1}]"),
        "equal": Spelling("[{0} = {1}]"),
        "where": Spelling(
            r"\begin{{cases}} {1} & \text{{if }} {0} \\ {2} & \text{{otherwise}} \end{{cases}}"
        ),
    },
    latex_function,
    _latex_own_function,
    (r"\left(", r"\right)"),
)
