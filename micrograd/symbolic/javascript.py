"""Write operations and their derivatives as JavaScript functions, out of the table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from micrograd import ops
from micrograd.ops import Op
from micrograd.symbolic.formula import Formula, in_steps, of_rule, of_value_of, operand_names
from micrograd.symbolic.languages import C, Language

# Operations whose value is a function with a condition, or one of `Math` by another name.
_VALUES = {
    "where": "c !== 0 ? x : y",
    "sign": "x !== x ? x : (x > 0) - (x < 0)",
    "maximum": "x > y || x !== x ? x : y",
    "minimum": "x < y || x !== x ? x : y",
    "round": "Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x)",
    "mod": "x % y === 0 || x % y < 0 === y < 0 ? x % y : x % y + y",
    "copysign": "(x < 0 || Object.is(x, -0)) === (y < 0 || Object.is(y, -0)) ? x : -x",
    "gamma": "x < 0.5 ? Math.PI / Math.sin(Math.PI * x) / gammaAbove(1 - x) : gammaAbove(x)",
    "lgamma": "x < 0.5 ? Math.log(Math.PI / Math.abs(Math.sin(Math.PI * x))) "
    "- lgammaAbove(1 - x) : lgammaAbove(x)",
    "power": "x === 1 ? 1 : Math.pow(x, y)",
    "erf": "Math.abs(x) < 2 ? erfSeries(x) : Math.sign(x) * (1 - erfcFraction(Math.abs(x)))",
    "erfc": "x < -2 ? 2 - erfcFraction(-x) : x < 2 ? 1 - erfSeries(x) : erfcFraction(x)",
}

_ERF = """
const erfSeries = (x) => {
  let term = x, sum = x;
  for (let n = 1; n < 80; n++) sum += term *= (2 * x * x) / (2 * n + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
};
const erfcFraction = (x) => {
  let rest = x;
  for (let n = 100; n > 0; n--) rest = x + n / 2 / rest;
  return Math.exp(-x * x) / rest / Math.sqrt(Math.PI);
};
"""

# Stirling's series, from x + 15 on; the product that leads there is divided out.
_GAMMA = """
const lgammaAbove = (x) => {
  let product = 1;
  for (; x < 15; x++) product *= x;
  const s = 1 / (x * x);
  const series = (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s / 1188)))) / x;
  return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series - Math.log(product);
};
const gammaAbove = (x) => Math.exp(lgammaAbove(x));
"""


def _number(x: Any) -> tuple[str, int]:
    text, level = C.number(x)
    return text.replace("INFINITY", "Infinity").replace("NAN", "NaN"), level


JAVASCRIPT: Language = C._replace(
    number=_number,
    spellings={
        name: spelling._replace(text=spelling.text.replace("(double)", "+").replace("==", "==="))
        for name, spelling in C.spellings.items()
    },
    call=lambda op: f"F.{op.name}",
)


def javascript(used: Iterable[Op]) -> str:
    """Define `F`, the values of some operations of the table, and `RULES`, their derivatives.

    A rule takes the operands and the result, like those of the table; null stands for none.

    >>> print(javascript([ops.tanh]))
    const F = {
    tanh: (x) => Math.tanh(x),
    };
    const RULES = {
    tanh: [(x, out) => 1.0 - out * out],
    };
    """
    rules = {op.name: _rules(op) for op in used}
    table = "".join(f"{name}: {text},\n" for name, text in rules.items())
    return f"{values([*rules, *_called(table)])}\nconst RULES = {{\n{table}}};"


def values(names: Iterable[str]) -> str:
    """Define `F`, the values of some operations of the table and of those that they call.

    >>> print(values(["relu"]))
    const F = {
    relu: (x) => F.maximum(x, 0.0),
    maximum: (x, y) => x > y || x !== x ? x : y,
    };
    """
    found: dict[str, str] = {}
    todo = [*names]
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = _value(ops.TABLE[name])
            todo += _called(found[name])
    body = "".join(f"{name}: {text},\n" for name, text in found.items())
    helpers = _ERF.lstrip() if {"erf", "erfc"} & found.keys() else ""
    helpers += _GAMMA.lstrip() if {"gamma", "lgamma"} & found.keys() else ""
    return f"{helpers}const F = {{\n{body}}};"


def _called(text: str) -> list[str]:
    return re.findall(r"F\.(\w+)", text)


def _rules(op: Op) -> str:
    parameters = [*operand_names(op), "out"]
    rules = [
        "null" if rule is None else _function(parameters, of_rule(op, i))
        for i, rule in enumerate(op.derivatives)
    ]
    return f"[{', '.join(rules)}]"


def _value(op: Op) -> str:
    parameters = operand_names(op)
    formula = of_value_of(op)
    text = _VALUES.get(op.name, "")
    if not text and formula.op is op and op.name not in JAVASCRIPT.spellings:
        text = f"Math.{op.name.replace('arc', 'a')}({', '.join(parameters)})"
    return f"({', '.join(parameters)}) => {text}" if text else _function(parameters, formula)


def _function(parameters: list[str], formula: Formula) -> str:
    return arrow_function(parameters, *in_steps(formula, JAVASCRIPT))


def arrow_function(parameters: list[str], steps: list[tuple[str, str]], result: str) -> str:
    """Write a function that names the parts of its result, as `in_steps` gives them.

    >>> arrow_function(["x"], [("t", "x * x")], "t + t")
    '(x) => { const t = x * x; return t + t; }'
    """
    body = "".join(f"const {name} = {text}; " for name, text in steps)
    return f"({', '.join(parameters)}) => {f'{{ {body}return {result}; }}' if body else result}"
