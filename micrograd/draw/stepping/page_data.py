"""The data for the script of a page: Values, how they were made, parts, and where boxes go.

Formulas are templates, in which `⟨0⟩` stands for the first operand; parentheses around it count for
negative numbers only. Each is there once more as MathML, for names alone. The script computes
every gradient itself, from the data, by the functions that `symbolic.javascript` writes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

from micrograd import ops
from micrograd.draw.stepping.narration import Narration
from micrograd.draw.stepping.story import Moment, story_data
from micrograd.draw.stepping.views import Part, Views
from micrograd.engine import Value
from micrograd.graph.steps import local_formula
from micrograd.ops import Op
from micrograd.symbolic.formula import Formula, of_rule
from micrograd.symbolic.languages import ATOM, TEXT, UNARY, write
from micrograd.symbolic.mathml import MATHML
from micrograd.value.identity import IdentityDict

_FIRST = 1e15  # an operand within a template; no number in a formula is as large


def page_data(views: Views, story: Sequence[Moment] = ()) -> dict[str, Any]:
    """Return the data of a page, fit for JSON."""
    narration = views.narration
    kinds = _Kinds(narration)
    told = {"story": story_data(story, views.index)} if story else {}
    return {
        **told,
        "values": [_value(views, kinds, v) for v in narration.values],
        "ops": kinds.found,
        "gradients": {
            views.index[v]: s for v, s in narration.given_gradients.items() if v in views.index
        },
        "own": _own_steps(views),
        "parts": [_part(views, part) for part in views.parts],
        "layouts": views.layouts,
        "views": views.shown,
    }


def _part(views: Views, part: Part) -> list[Any]:
    rows = [[caption, slot, [views.index[v] for v in held]] for caption, slot, held in part.rows]
    return [part.name, part.parent, part.symbol, part.notes, rows]


def used_operations(narration: Narration) -> list[Op]:
    """List the operations of the table that made the Values of a graph."""
    found = {v.op: None for v in narration.values if v.op is not None and _in_table(v)}
    return list(found)


def _in_table(v: Value) -> bool:
    """Tell whether a Value can be computed anew: by the table, with the table's own rule."""
    return v.op is not None and ops.TABLE.get(v.op.name) is v.op and v._closure is None


def _value(views: Views, kinds: _Kinds, v: Value) -> list[Any]:
    narration = views.narration
    one: list[Any] = [narration.names[v], _exact(v.data), views.home[v]]
    if v.parents:
        return [*one, kinds.index(v), [views.index[x] for x in v.parents]]
    return [*one, narration.outline.kinds[v].value]


def _exact(x: float) -> float | str:
    return x if math.isfinite(x) else repr(x)  # JSON knows no inf and nan


class _Kinds:
    """The ways in which Values were made, each once.

    Each has the symbol, the template of the formula, the operation's name in the table (empty if it
    is not of the table), its operands that are numbers, the templates of its rules, whether these
    change with the numbers, and the formula and the rules typeset.
    """

    def __init__(self, narration: Narration) -> None:
        self.narration = narration
        self.found: list[list[Any]] = []
        self._places: dict[tuple[Any, ...], int] = {}
        self._alike: dict[tuple[Any, ...], int] = {}

    def index(self, v: Value) -> int:
        """Return the place of the way in which a Value was made."""
        known = _in_table(v)
        if not known or v.op is None or _has_conditions(v.op):
            return self._find(v, known)
        # Where no number decides, Values alike are made in one way, which is written once.
        names = IdentityDict((x, i) for i, x in reversed(list(enumerate(v.parents))))
        alike = v.op, v._op, *(names[x] if isinstance(x, Value) else repr(x) for x in v.args)
        if alike not in self._alike:
            self._alike[alike] = self._find(v, known)
        return self._alike[alike]

    def _find(self, v: Value, known: bool) -> int:
        numbers = [None if isinstance(x, Value) else _exact(float(x)) for x in v.args]
        formulas = [_rule(v, position) for position in range(len(v.parents))] if known else []
        rules = [None if rule is None else _template(rule) for rule in formulas]
        made = _made(v)
        key = v._op, made, v.op.name if v.op and known else "", str(numbers), str(rules)
        if key not in self._places:
            self._places[key] = len(self.found)
            changes = bool(v.op and known and _has_conditions(v.op))
            made_of = _formula(v) if known else None  # MathML knows the table alone
            typeset = [_typeset(formula) for formula in (made_of, *formulas)]
            self.found.append(
                [v._op, made, key[2], numbers if known else [], rules, int(changes), typeset]
            )
        return self._places[key]


def _made(v: Value) -> str:
    formula = _formula(v)
    if formula is None:
        return f"{v._op or 'node'}({', '.join(f'⟨{i}⟩' for i in range(len(v.parents)))})"
    return _template(formula)


def _formula(v: Value) -> Formula | None:
    """Return the formula of a Value, of numbers that stand for its operands."""
    if v.op is None:
        return None
    operands, position = [], 0
    for x in v.args:
        operands.append(Formula(_FIRST + position if isinstance(x, Value) else x))
        position += isinstance(x, Value)
    return operands[0]._apply(v.op, tuple(operands))


def _rule(v: Value, position: int) -> Formula | None:
    """Return the formula of a rule likewise; the result stands behind the operands."""
    names = IdentityDict((x, f"operand{i}_") for i, x in reversed(list(enumerate(v.parents))))
    formula = local_formula(v, position, {**names, v: f"operand{len(v.parents)}_"})
    return None if formula is None else _numbered(formula)


def _numbered(formula: Formula) -> Formula:
    """Replace the names of operands by the numbers that stand for them in a template."""
    if formula.op is not None:
        args = tuple(_numbered(x) for x in formula.args)
        return args[0]._apply(formula.op, args)
    if isinstance(formula.symbol, str):
        return Formula(_FIRST + int(formula.symbol.strip("operand_")))
    return formula


def _template(formula: Formula) -> str:
    return write(formula, TEXT._replace(number=_placeholder))


def _typeset(formula: Formula | None) -> str:
    return "" if formula is None else write(formula, MATHML._replace(number=_typeset_placeholder))


def _placeholder(x: Any) -> tuple[str, int]:
    if x < _FIRST:
        return TEXT.number(x)
    return f"⟨{int(x - _FIRST)}⟩", UNARY


def _typeset_placeholder(x: Any) -> tuple[str, int]:
    return MATHML.number(x) if x < _FIRST else (_placeholder(x)[0], ATOM)


@cache
def _has_conditions(op: Op) -> bool:
    """Tell whether a rule of an operation depends on a condition, and so on the numbers."""
    found = [of_rule(op, i) for i, rule in enumerate(op.derivatives) if rule is not None]
    for formula in found:
        found += formula.args
    return any(f.op in (ops.less, ops.less_equal, ops.equal, ops.where) for f in found)


def _own_steps(views: Views) -> dict[int, list[list[Any]]]:
    """Return what Values that the table does not know pass on: position, derivative, product."""
    found: dict[int, list[list[Any]]] = {}
    for step in views.narration.steps:
        if not _in_table(step.consumer):
            local = None if step.local is None else _exact(step.local)
            steps = found.setdefault(views.index[step.consumer], [])
            steps.append([step.position, local, _exact(step.product)])
    return found
