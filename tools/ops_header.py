"""Write micrograd/native/_ops.h: the table of operations as C functions, for the C core.

Each function is what a row says when it is called on Formulas. Run it after a change to the
table: `python tools/ops_header.py`; a test compares the file with what this makes.
"""

from __future__ import annotations

import re
from pathlib import Path

from micrograd import ops
from micrograd.ops import Op
from micrograd.symbolic.formula import DIFFER_IN_C, c_definitions, c_rule, c_value
from micrograd.value.operators import Operators

PATH = Path(__file__).parent.parent / "micrograd" / "native" / "_ops.h"


def fits(op: Op) -> bool:
    """Tell whether the C core can take the row: one or two operands, the same bits as Python."""
    if len(op.derivatives) > 2 or None in op.derivatives:
        return False
    text = " ".join([c_value(op), *slopes(op)]).replace("_value", " ")
    return DIFFER_IN_C.isdisjoint(re.findall(r"[a-z]+", text))


def slopes(op: Op) -> list[str]:
    """Return the row's local derivatives as C functions, one per operand."""
    return [c_rule(op, position) for position in range(len(op.derivatives))]


def header() -> str:
    """Return the text of the header."""
    rows = [op for op in ops.TABLE.values() if fits(op)]
    rules = [slope for op in rows for slope in slopes(op)]
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
            ]
        )
        + "\n"
    )


def _list(name: str, rows: list[Op]) -> str:
    return f"#define {name}(ROW) " + " ".join(f"ROW({op.name})" for op in rows)


if __name__ == "__main__":
    PATH.write_text(header(), encoding="utf-8")
