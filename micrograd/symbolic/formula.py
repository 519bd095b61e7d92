"""Formulas: expressions that print themselves as Python, C and LaTeX.

Operations take Formulas as they take floats, so a rule of the table, called on Formulas, returns
its own formula. The text has the parentheses that keep the order of computation, and so the bits of
the result, and no others.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any

from micrograd import ops
from micrograd.engine import Value, toposort
from micrograd.ops import Op, Steps
from micrograd.symbolic.languages import LATEX, PYTHON, TEXT, C, Language, names_in, write
from micrograd.value.identity import IdentityDict
from micrograd.value.numbers import is_number
from micrograd.value.operators import Operators

LARGEST = 10_000  # the number of parts of a formula that is still of use


class Formula(Operators["Formula"]):
    """A name, a number, or an operation on Formulas; `str()` gives it as Python.

    Raises TypeError when `symbol` is neither a name nor a number.

    >>> x, y = Formula("x"), Formula("y")
    >>> print((x + y) * x ** -2)
    (x + y) * x ** -2
    """

    __slots__ = ("args", "op", "size", "symbol", "value")

    def __init__(self, symbol: Any) -> None:
        if not isinstance(symbol, str) and not is_number(symbol):
            raise TypeError(f"a Formula starts from a name or a number, got {symbol!r}")
        self.symbol: Any = symbol
        self.value: Value | None = None  # the leaf that a name stands for, if one does
        self.op: Op | None = None
        self.args: tuple[Formula, ...] = ()
        self.size: int = 1

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Formula:
        if not all(isinstance(x, Formula) or is_number(x) for x in operands):
            return NotImplemented  # type: ignore[no-any-return]
        out = Formula("")
        out.op = op
        out.args = tuple(x if isinstance(x, Formula) else Formula(x) for x in operands)
        out.size = 1 + sum(x.size for x in out.args)
        return out

    def key(self) -> Any:
        """Return what a name or an operation stands for: the same object, the same name."""
        if self.op is not None:
            return self.op
        return sys.intern(self.symbol) if self.value is None else self.value

    def names(self) -> dict[str, Any]:
        """Return what the names in `python()` stand for, apart from micrograd's own operations.

        That is a Value, an operation of yours, or the symbol of a Formula written by hand. Labels
        that are alike or no names in Python are changed.

        >>> a, b = Value(2.0, label="x"), Value(3.0, label="x")
        >>> formula = of_value(a * b + a)
        >>> formula, [v.data for v in formula.names().values()]
        (Formula('x * x_2 + x'), [2.0, 3.0])
        """
        return names_in(self, PYTHON)

    def python(self) -> str:
        """Return a Python expression of `names()`, operators and micrograd's operations.

        >>> Formula("x").tanh().python()
        'tanh(x)'
        """
        return write(self, PYTHON)

    def c(self) -> str:
        """Return a C expression of doubles, which calls math.h and `c_definitions()`.

        >>> (2 * Formula("x").arcsin() ** 3).c()
        '2.0 * power_value(asin(x), 3.0)'
        """
        return write(self, C)

    def latex(self) -> str:
        r"""Return LaTeX for math mode.

        >>> print((1 / Formula("w1").sqrt()).latex())
        \frac{1}{\sqrt{w_{1}}}
        """
        return write(self, LATEX)

    def _repr_latex_(self) -> str:
        return f"$\\displaystyle {self.latex()}$"

    def text(self) -> str:
        """Return plain text for people: any label as a name, numbers in four significant digits.

        >>> (Formula("Theta1(1,0)") * 0.123456 + Formula("a - y") ** 2).text()
        'Theta1(1,0) * 0.1235 + (a - y) ** 2'
        """
        return write(self, TEXT)

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

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __bool__(self) -> bool:
        raise TypeError(f"whether {self} is true depends on numbers: write micrograd.ops.where")


def of_value(v: Value) -> Formula:
    """Return the graph behind a Value as one Formula; leaves have their labels, or their numbers.

    Raises ValueError at a node that no operation made, and for more than 10,000 parts.

    >>> x = Value(3.0, label="x")
    >>> print(of_value((x + 1) * x))
    (x + 1.0) * x
    """
    written: IdentityDict[Value, Formula] = IdentityDict()
    for node in toposort(v):
        if not node.parents:
            written[node] = Formula(node.label or node.data)
            written[node].value = node
            continue
        if node.op is None:
            raise ValueError(
                f"{node!r} was not made by an operation, so no formula is known for it"
            )
        operands = [written[x] if isinstance(x, Value) else Formula(x) for x in node.args]
        written[node] = operands[0]._apply(node.op, tuple(operands))
        if written[node].size > LARGEST:
            raise ValueError(
                f"the formula would have more than {LARGEST} parts: write a part of the graph"
            )
    return written[v]


def of_row(op: Op) -> Formula:
    """Return the value of an operation: in terms of others if it is made of them, else by name.

    >>> print(of_row(ops.relu), of_row(ops.tanh), sep=", ")
    maximum(x, 0.0), tanh(x)
    """
    operands = [Formula(name) for name in operand_names(op)]
    try:
        return _formula(op.value(*operands))
    except TypeError:  # it needs real numbers: a function of math, or one with a condition
        return operands[0]._apply(op, tuple(operands))


def of_rule(op: Op, position: int) -> Formula:
    """Return an operation's local derivative by one operand, in its operands and `out`.

    Raises ValueError when it has none.

    >>> print(of_rule(ops.divide, 1))
    -out / y
    """
    rule = op.derivatives[position]
    if rule is None:
        raise ValueError(f"{op.name} has no derivative for operand {position}")
    return _formula(rule(*map(Formula, operand_names(op)), Formula("out")))


def operand_names(op: Op) -> list[str]:
    """Return the names of the operands in the operation's own functions.

    >>> operand_names(ops.where), operand_names(ops.arctan2)
    (['c', 'x', 'y'], ['y', 'x'])
    """
    rule = next((rule for rule in op.derivatives if rule is not None), op.value)
    count, names = len(op.derivatives), list[str]()
    for parameter in inspect.signature(rule).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:  # as of a maximum of many
            names += [f"x{i}" for i in range(1, count - len(names) + 1)]
        names.append(parameter.name)
    return names[:count]


def _formula(x: Any) -> Formula:
    return x if isinstance(x, Formula) else Formula(x)


# The values that no Formula can pass through: they have a condition, or differ in C.
_C_VALUES = {
    "where": "c != 0.0 ? x : y",
    "sign": "x != x ? x : (double)(x > 0.0) - (double)(x < 0.0)",
    "maximum": "x > y || x != x ? x : y",
    "minimum": "x < y || x != x ? x : y",
    "power": "pow(x, y)",
    "cbrt": "cbrt(x)",
    "floor": "floor(x)",
    "ceil": "ceil(x)",
    "trunc": "trunc(x)",
    "round": "rint(x)",
    "mod": "fmod(x, y) == 0.0 ? copysign(0.0, y) : "
    "(fmod(x, y) < 0.0) == (y < 0.0) ? fmod(x, y) : fmod(x, y) + y",
    "copysign": "copysign(x, y)",
    "gamma": "tgamma(x)",
    "lgamma": "lgamma(x)",
}

# Python's math computes these with an algorithm of its own: C may differ in the last bit.
DIFFER_IN_C = frozenset({"hypot", "cbrt", "gamma", "lgamma", "polygamma"})


def of_value_of(op: Op) -> Formula:
    """Return the value of an operation as `of_row` does, and of one with `Steps` all of these.

    Its parts may occur in many places: `in_steps` writes each once.

    >>> of_value_of(ops.TABLE["ndtri"]).size > 1_000_000
    True
    """
    if not isinstance(op.value, Steps):
        return of_row(op)
    return _formula(op.value.function(*map(Formula, operand_names(op))))


def in_steps(formula: Formula, language: Language) -> tuple[list[tuple[str, str]], str]:
    """Return names and texts of the parts that occur more than once, and the text of the rest.

    >>> shared = Formula("x").tanh()
    >>> in_steps(shared * shared, C)
    ([('t1', 'tanh(x)')], 't1 * t1')
    """
    parts = parts_once(formula)
    uses = Counter(id(x) for node in parts for x in node.args)
    written: dict[int, Formula] = {}
    steps: list[tuple[str, str]] = []
    for node in parts:
        new = node
        if node.op is not None:
            operands = tuple([written[id(x)] for x in node.args])
            new = operands[0]._apply(node.op, operands)
            if uses[id(node)] > 1:
                steps.append((f"t{len(steps) + 1}", write(new, language)))
                new = Formula(steps[-1][0])
        written[id(node)] = new
    return steps, write(written[id(formula)], language)


def parts_once(formula: Formula) -> list[Formula]:
    """List the parts of a formula, each once, operands first."""
    order: dict[int, Formula] = {}
    todo = [(formula, False)]
    while todo:
        node, ready = todo.pop()
        if ready:
            order[id(node)] = node
        elif id(node) not in order:
            todo.append((node, True))
            todo += [(x, False) for x in node.args]
    return list(order.values())


def c_definitions() -> str:
    """Return definitions of the C functions that `Formula.c()` calls beside math.h.

    >>> print(c_definitions().splitlines()[0])
    static inline double add_value(double x, double y) { return x + y; }
    """
    return "\n".join(map(c_value, ops.TABLE.values()))


def c_value(op: Op) -> str:
    """Return the C function that computes the value of an operation of the table.

    >>> c_value(ops.relu)
    'static inline double relu_value(double x) { return maximum_value(x, 0.0); }'
    """
    names = operand_names(op)
    if op.name in _C_VALUES:
        return c_function(f"{op.name}_value", names, _C_VALUES[op.name])
    steps, result = in_steps(of_value_of(op), C)
    return c_function(f"{op.name}_value", names, result, steps)


def c_rule(op: Op, position: int) -> str:
    """Return the C function that computes a local derivative, of the operands and `out`.

    >>> c_rule(ops.exp, 0)
    'static inline double exp_slope_0(double x, double out) { (void)x; return out; }'
    """
    steps, result = in_steps(of_rule(op, position), C)
    return c_function(f"{op.name}_slope_{position}", [*operand_names(op), "out"], result, steps)


def c_function(
    name: str, parameters: Sequence[str], expression: str, steps: Sequence[tuple[str, str]] = ()
) -> str:
    """Return the definition of a C function of doubles that returns an expression.

    >>> c_function("half", ["x"], "x / 2.0")
    'static inline double half(double x) { return x / 2.0; }'
    """
    body = [*(f"const double {step} = {text};" for step, text in steps), f"return {expression};"]
    used = " ".join(body)
    unused = [f"(void){p};" for p in parameters if not re.search(rf"\b{p}\b", used)]
    declared = ", ".join(f"double {p}" for p in parameters)
    return f"static inline double {name}({declared}) {{ {' '.join(unused + body)} }}"
