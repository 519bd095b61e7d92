"""Write formulas as MathML, which browsers typeset by themselves."""

from __future__ import annotations

from html import escape
from typing import Any

from micrograd.ops import TABLE, Op
from micrograd.symbolic.languages import (
    ATOM,
    POWER,
    PRODUCT,
    SUM,
    TEXT,
    UNARY,
    Language,
    Spelling,
)

_SIGNS = {"+": "+", "-": "\u2212", "\u00b7": "\u22c5", "<": "&lt;", "<=": "\u2264", "==": "="}


def _sign(sign: str) -> str:
    return f"<mo>{_SIGNS.get(sign, sign)}</mo>"


def _row(*parts: str) -> str:
    return f"<mrow>{''.join(parts)}</mrow>"


def _between(left: str, right: str, inside: str = "{0}") -> str:
    return _row(_sign(left), inside, _sign(right))


def _number(x: Any) -> tuple[str, int]:
    text, level = TEXT.number(x)
    digits = f"<mn>{text.lstrip('-')}</mn>"
    return (_row(_sign("-"), digits) if level == UNARY else digits), level


def _name(name: str) -> str:
    return f"<mi>{escape(name)}</mi>"


def _call(op: Op) -> Spelling:
    """Spell an operation as a function of its operands, one element as all others are."""
    operands = _sign(",").join(f"{{{i}}}" for i in range(len(op.derivatives)))
    name = _name(op.symbol if op.name == "relu" else op.name)
    return Spelling(_row(name, _between("(", ")", operands)))


MATHML = Language(
    _number,
    _name,
    {
        **{name: _call(op) for name, op in TABLE.items()},
        "add": Spelling(_row("{0}", _sign("+"), "{1}"), SUM, (SUM, PRODUCT)),
        "subtract": Spelling(_row("{0}", _sign("-"), "{1}"), SUM, (SUM, PRODUCT)),
        "multiply": Spelling(_row("{0}", _sign("\u00b7"), "{1}"), PRODUCT, (PRODUCT, POWER)),
        "divide": Spelling("<mfrac>{0}{1}</mfrac>", POWER),
        "negative": Spelling(_row(_sign("-"), "{0}"), UNARY, (PRODUCT,)),
        "power": Spelling("<msup>{0}{1}</msup>", POWER, (ATOM, 0)),
        "exp": Spelling("<msup><mi>e</mi>{0}</msup>", POWER),
        "exp2": Spelling("<msup><mn>2</mn>{0}</msup>", POWER),
        "sqrt": Spelling("<msqrt>{0}</msqrt>"),
        "cbrt": Spelling("<mroot>{0}<mn>3</mn></mroot>"),
        "abs": Spelling(_between("|", "|")),
        "floor": Spelling(_between("\u230a", "\u230b")),
        "ceil": Spelling(_between("\u2308", "\u2309")),
        "less": Spelling(_between("[", "]", f"{{0}}{_sign('<')}{{1}}")),
        "less_equal": Spelling(_between("[", "]", f"{{0}}{_sign('<=')}{{1}}")),
        "equal": Spelling(_between("[", "]", f"{{0}}{_sign('==')}{{1}}")),
    },
    lambda op: _name(op.name),
    _name,
    (f"<mrow>{_sign('(')}", f"{_sign(')')}</mrow>"),
)
