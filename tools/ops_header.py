"""Write micrograd/native/_ops.h: the table of operations as C functions, for the C core.

Each function is what a row says when it is called on Formulas. The docstrings of engine.py are in
it too. Run it after a change of either: `python tools/ops_header.py`; a test compares the file with
what this makes.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path

from micrograd import engine, ops
from micrograd.ops import Op
from micrograd.symbolic.formula import (
    DIFFER_IN_C,
    c_definitions,
    c_function,
    c_value,
    of_rule,
    operand_names,
)
from micrograd.value.operators import Operators

PATH = Path(__file__).parent.parent / "micrograd" / "native" / "_ops.h"


def slopes(op: Op) -> list[str]:
    """Return the row's local derivatives as C expressions, one per operand."""
    return [of_rule(op, position).c() for position in range(len(op.derivatives))]


def fits(op: Op) -> bool:
    """Tell whether the C core can take the row: one or two operands, the same bits as Python."""
    if len(op.derivatives) > 2 or None in op.derivatives:
        return False
    words = re.findall(r"[a-z]+", " ".join([c_value(op), *slopes(op)]))
    return DIFFER_IN_C.isdisjoint(words)


def header() -> str:
    """Return the text of the header."""
    rows = [op for op in ops.TABLE.values() if fits(op)]
    rules = [
        c_function(f"{op.name}_slope_{position}", [*operand_names(op), "out"], slope)
        for op in rows
        for position, slope in enumerate(slopes(op))
    ]
    methods = [op for op in rows if hasattr(Operators, op.name)]
    lists = [
        _list(f"{kind}_{what}", [op for op in chosen if len(op.derivatives) == arity])
        for what, chosen in (("ROWS", rows), ("METHODS", methods))
        for arity, kind in ((1, "UNARY"), (2, "BINARY"))
    ]
    return (
        "\n\n".join(
            [
                "/* Generated from the table in ops.py by tools/ops_header.py: change that. */",
                "#include <math.h>",
                "/* The values of all rows. */\n" + c_definitions(),
                "/* The local derivatives of the rows that the C core takes over. */\n"
                + "\n".join(rules),
                "/* These rows, and those of them that are methods of a Value. */\n"
                + "\n".join(lists),
                "/* What help() says of what C takes over. */\n" + "\n".join(docs()),
            ]
        )
        + "\n"
    )


def docs() -> list[str]:
    """Return the docstrings of engine.py as C strings; of functions with their parameters."""
    value = engine.Value
    functions = {"backward": value.backward, "_apply": value._apply, "toposort": engine.toposort}
    texts = {
        name: inspect.getdoc(getattr(value, name)) or "" for name in ("data", "grad", "parents")
    }
    for name, function in functions.items():
        parameters = [str(p).split(":")[0] for p in inspect.signature(function).parameters.values()]
        signature = ", ".join(parameters).replace("self", "$self")
        texts[name] = f"{name}({signature})\n--\n\n{inspect.getdoc(function)}"
    return [f"#define DOC_{name} {json.dumps(text)}" for name, text in texts.items()]


def _list(name: str, rows: list[Op]) -> str:
    return f"#define {name}(ROW) " + " ".join(f"ROW({op.name})" for op in rows)


if __name__ == "__main__":
    PATH.write_text(header(), encoding="utf-8")
