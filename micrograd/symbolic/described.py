"""Operations in words: what each returns, and its derivatives, as `help(mg.tanh)` shows them."""

from __future__ import annotations

import operator
import re
import textwrap
from types import FunctionType

from micrograd import ops
from micrograd.ops import Op, Rule
from micrograd.symbolic.formula import of_rule, operand_names

LONGEST = 40  # the parts of a rule that can still be read

# Of these, which see to infinities and to second derivatives, readers are shown less.
_SHOWN = {"_gap": operator.sub, "_size": operator.abs, "_base": lambda x, y: x}


def described(op: Op, width: int = 80) -> str:
    """Say what an operation returns and what its derivatives are, in lines of at most `width`.

    >>> print(described(ops.tanh))
    Return tanh(x); its derivative is 1 - out * out, where out is the result.
    """
    names = operand_names(op)
    call = f"{op.name}({', '.join(names)})"
    shown = Op(op.name, op.value, *map(_readable, op.derivatives))
    try:
        rules = [of_rule(shown, i) if rule else None for i, rule in enumerate(op.derivatives)]
    except Exception:  # a rule of the user's own need not take Formulas
        return f"Return {call}; its derivatives are Python functions."
    if any(rule is not None and rule.size > LONGEST for rule in rules):
        return f"Return {call}; its derivative is computed in steps."
    slopes = [(name, rule.text()) for name, rule in zip(names, rules) if rule is not None]
    if not slopes:
        return f"Return {call}, which has no derivative."
    text = " and ".join(f"{slope} by {name}" if names[1:] else slope for name, slope in slopes)
    out = ", where out is the result" if re.search(r"\bout\b", text) else ""
    told = f"{'derivatives are' if slopes[1:] else 'derivative is'} {text}{out}."
    line = f"Return {call}; its {told}"
    return (
        line if len(line) <= width else f"Return {call}.\n\n" + textwrap.fill(f"Its {told}", width)
    )


def _readable(rule: Rule | None) -> Rule | None:
    """Return a rule of the table with simpler functions in it; other rules as they are."""
    if not isinstance(rule, FunctionType) or rule.__globals__ is not vars(ops):
        return rule
    names = {**rule.__globals__, **_SHOWN}
    return FunctionType(rule.__code__, names, rule.__name__, rule.__defaults__, rule.__closure__)
