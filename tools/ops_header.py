"""Write the table of operations in C, for the C core: _ops.h, _rules.h and _turns.h in native/.

_ops.h has the rows as functions of numbers, and the docstrings of engine.py and operators.py for
what C takes over; _rules.h has the rules as functions that record Values; _turns.h tells how fast
slopes change. Each function is what a row says when it is called on Formulas. Run it after a change
to the table or to these docstrings: `MICROGRAD_PURE=1 python tools/ops_header.py`; a test compares
the files with what this makes.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

from micrograd import engine, ops
from micrograd.derivatives.chain_rule import simpler
from micrograd.derivatives.products.curvature import Dual
from micrograd.ops import Op
from micrograd.symbolic.formula import (
    DIFFER_IN_C,
    Formula,
    c_definitions,
    c_function,
    c_rule,
    c_value,
    in_steps,
    of_rule,
    operand_names,
    parts_once,
)
from micrograd.symbolic.languages import C
from micrograd.value.operators import Operators

NATIVE = Path(__file__).parent.parent / "micrograd" / "native"
GENERATED = "/* Generated from the table in ops.py by tools/ops_header.py: change that. */"


def fits(op: Op) -> bool:
    """Tell whether the C core can take the row: one or two operands, the same bits as Python."""
    if len(op.derivatives) > 2 or None in op.derivatives:
        return False
    text = " ".join([c_value(op), *slopes(op)]).replace("_value", " ")
    return DIFFER_IN_C.isdisjoint(re.findall(r"[a-z]+", text))


def slopes(op: Op) -> list[str]:
    """Return the row's local derivatives as C functions, one per operand."""
    return [c_rule(op, position) for position in range(len(op.derivatives))]


ROWS = [op for op in ops.TABLE.values() if fits(op)]
# Programs compute these as SciPy does, where it is installed, and C's own are of unlike quality.
GAMMAS = ("gamma", "lgamma", "digamma", "polygamma")
EXECUTED = [op for op in ops.TABLE.values() if op.name not in GAMMAS]
# The executor's vectors for these are for operands of moderate size: see _loops.h.
MODERATE = ("sin", "cos", "power", "arctan2", "hypot")
# So long that vectors of them would be most of what the compiler makes: see _vectors.c.
LONG = ("ndtri", "erfinv")


def header() -> str:
    """Return the text of _ops.h."""
    rules = [slope for op in ROWS for slope in slopes(op)]
    methods = [op for op in ROWS if hasattr(Operators, op.name)]
    lists = [
        _list(f"{kind}_{what}", [op for op in chosen if len(op.derivatives) == arity])
        for what, chosen in (("ROWS", ROWS), ("METHODS", methods))
        for arity, kind in ((1, "UNARY"), (2, "BINARY"))
    ]
    lists.append(_list("STOPS", [op for op in ROWS if op in ops.STOPS]))
    executed = [
        _list(f"{which}_{kind}", [op for op in chosen if len(op.derivatives) == arity])
        for which, chosen in (
            ("EXECUTED", EXECUTED),
            ("PLAIN", [op for op in EXECUTED if op.name not in MODERATE + LONG]),
            ("MODERATE", [op for op in EXECUTED if op.name in MODERATE]),
            ("LONG", [op for op in EXECUTED if op.name in LONG]),
        )
        for arity, kind in ((1, "UNARY"), (2, "BINARY"), (3, "TERNARY"))
    ]
    return _text(
        "#include <math.h>",
        "/* What rows are computed of: the executor has a module for float32 as well. */\n"
        "#ifdef SINGLE\ntypedef float number;\n#else\ntypedef double number;\n#endif",
        "/* The values of all rows. */\n" + _in_numbers(c_definitions()),
        "/* The local derivatives of the rows that the C core takes over. */\n" + "\n".join(rules),
        "/* These rows, and those of them that are methods of a Value. */\n" + "\n".join(lists),
        "/* The rows that the executor of programs takes. */\n" + "\n".join(executed),
        "/* What help() says of what C takes over. */\n" + "\n".join(docs(methods)),
    )


def _in_numbers(functions: str) -> str:
    """Make functions of doubles such of numbers; a constant would make a float a double again."""
    functions = re.sub(r"\bdouble\b", "number", functions)
    return re.sub(r"(?<![\w.])(\d+\.\d*(e[-+]?\d+)?|NAN|INFINITY)", r"(number)\1", functions)


def docs(methods: list[Op]) -> list[str]:
    """Return the docstrings of what C takes over; those of functions with their parameters."""
    names = [op.name for op in methods]
    functions = {name: getattr(engine.Value, name) for name in (*names, "backward", "_apply")}
    texts = {n: inspect.getdoc(getattr(engine.Value, n)) or "" for n in ("data", "grad", "parents")}
    for name, function in {**functions, "toposort": engine.toposort}.items():
        parameters = [str(p).split(":")[0] for p in inspect.signature(function).parameters.values()]
        signature = ", ".join(parameters).replace("self", "$self").replace(", /", "")
        texts[name] = f"{name}({signature})\n--\n\n{inspect.getdoc(function)}"
    return [f"#define DOC_{name} {json.dumps(text)}" for name, text in texts.items()]


def _text(*parts: str) -> str:
    return "\n\n".join([GENERATED, *parts]) + "\n"


def _list(name: str, rows: list[Op]) -> str:
    return f"#define {name}(ROW) " + " ".join(f"ROW({op.name})" for op in rows)


# Rules that record -----------------------------------------------------------------------------


class Exponent(float):
    """A number of which only the name is known, for the rule of a power whose exponent is one."""

    __class__ = float  # type: ignore[assignment]
    text = "a->exponent"

    def __sub__(self, other: Any) -> Exponent:
        less = Exponent(float(self) - other)
        less.text = f"{self.text} - {float(other)!r}"
        return less


def rules_header() -> str:
    """Return the text of _rules.h."""
    functions, recorded, flat, kinks = [], [], [], []
    for op in ROWS:
        names = operand_names(op)
        for position in range(len(names)):
            rule = of_rule(op, position)
            steps = _steps(rule, names)
            is_number = rule.op is None and not isinstance(rule.symbol, str)
            if is_number or position in simpler(op)[0]:
                flat.append(f"[ROW_{op.name}][{position}] = 1,")
            elif steps:
                functions.append(_function(f"{op.name}_rule_{position}", steps))
                recorded.append(f"[ROW_{op.name}][{position}] = {op.name}_rule_{position},")
        if op in ops.KINKS:
            places = [where(*map(Formula, names)).c() for where in ops.KINKS[op].values()]
            condition = " || ".join(f"{place} != 0.0" for place in dict.fromkeys(places))
            kinks.append(c_function(f"{op.name}_kink", [*names, "none"][:2], condition))
    assert ops.power.derivatives[0] is not None
    of_number = ops.power.derivatives[0](Formula("x"), Exponent(2.0), Formula("out"))
    functions.append(_function("power_of_number_rule_0", _steps(of_number, ["x"])))
    recorded.append("[POWER_OF_NUMBER][0] = power_of_number_rule_0,")
    return _text(
        "/* The rules on Values: each records what it computes. */\n" + "\n\n".join(functions),
        _table("static Value *(*const rules[N_CODES][2])(Site *)", recorded),
        "/* Rules that stay the same around almost every point: their numbers are enough. */\n"
        + _table("static const char flat[N_CODES][2]", flat),
        "/* Where a slope is a choice. */\n" + "\n".join(kinks),
        _list("KINK_ROWS", [op for op in ROWS if op in ops.KINKS]),
    )


def _table(declaration: str, entries: list[str]) -> str:
    return f"{declaration} = {{\n    " + "\n    ".join(entries) + "\n};"


def _function(name: str, steps: list[str]) -> str:
    if len(steps) == 1 and "(" not in steps[0]:
        body = f"return (Value *)Py_NewRef({steps[0]});"
    else:
        tests = " &&\n        ".join(f"step(a, {step})" for step in steps)
        body = f"(void)(\n        {tests});\n    return last(a);"
    return f"static Value *{name}(Site *a) {{\n    {body}\n}}"


def _steps(formula: Formula, names: list[str]) -> list[str]:
    """Return a formula as calls that make nodes of operands and of earlier ones; [] if C cannot."""
    operands = {**dict(zip(names, ("a->x", "a->y"))), "out": "a->out"}
    steps: list[str] = []

    def number(symbol: float) -> str:
        return getattr(symbol, "text", repr(float(symbol)))

    def visit(part: Formula) -> str:
        if part.op is None and part.symbol in operands:
            return operands[part.symbol]
        if part.op is None:
            steps.append(f"constant(a, {number(part.symbol)})")
        elif part.op not in ROWS:
            raise NotImplementedError
        elif part.op is ops.power and not isinstance(part.args[1].symbol, str):
            steps.append(
                f"power_of_number(a, {visit(part.args[0])}, {number(part.args[1].symbol)})"
            )
        else:
            nodes = ", ".join([visit(operand) for operand in part.args])
            steps.append(f"{part.op.name}_node(a->s, {nodes})")
        return f"a->t[{len(steps) - 1}]"

    try:
        result = visit(formula)
    except NotImplementedError:
        return []
    return steps or [result]


# How fast slopes change ------------------------------------------------------------------------


def turns_header() -> str:
    """Return the text of _turns.h."""
    turns = [turn(op, i) for op in ROWS for i in range(len(op.derivatives))]
    return _text(
        "/* How fast slopes change: the operands and the result change by dx, dy and dout. */\n"
        + "\n".join([*turns, turn(ops.power, 0, still="y")])
    )


def turn(op: Op, position: int, still: str = "") -> str:
    """Return a C function: how fast a slope changes where all operands but `still` do."""
    names = operand_names(op)
    moving = ["x", "y"][: len(names)]
    numbers = [*map(Formula, names), Formula("out")]
    rates = [Formula(f"d{name}") for name in (*moving, "out")]
    rule = op.derivatives[position]
    assert rule is not None
    slope = rule(*[x if x.symbol == still else Dual(x, dx) for x, dx in zip(numbers, rates)])
    rate = _without_neutral(slope.rate) if isinstance(slope, Dual) else Formula(0.0)
    steps, result = in_steps(rate, C)
    parameters = [*names, "out", *[r.symbol for r in rates if r.symbol != f"d{still}"]]
    name = f"{op.name}_of_number" if still else op.name
    return c_function(f"{name}_turn_{position}", parameters, result, steps)


def _without_neutral(formula: Any) -> Formula:
    """Leave out what adds zero to a formula, or multiplies it by one; all else is finite."""
    if not isinstance(formula, Formula):
        return Formula(formula)
    done: dict[int, Formula] = {}
    for part in parts_once(formula):
        new = part
        if part.op is not None:
            x, *others = [done[id(operand)] for operand in part.args]
            new = x._apply(part.op, (x, *others))
            y = others[0] if others else x
            if part.op is ops.add and 0.0 in (x.symbol, y.symbol):
                new = y if x.symbol == 0.0 else x
            elif part.op is ops.multiply and 0.0 in (x.symbol, y.symbol):
                new = Formula(0.0)
            elif part.op is ops.multiply and 1.0 in (x.symbol, y.symbol):
                new = y if x.symbol == 1.0 else x
        done[id(part)] = new
    return done[id(formula)]


FILES = {
    NATIVE / "_ops.h": header,
    NATIVE / "_rules.h": rules_header,
    NATIVE / "_turns.h": turns_header,
}

if __name__ == "__main__":
    if engine.core != "python":
        sys.exit("the docstrings are those of engine.py: set MICROGRAD_PURE=1 in the environment")
    for path, text in FILES.items():
        path.write_text(text(), encoding="utf-8")
