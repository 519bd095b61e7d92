"""How equations are spelled: as plain text in the manner of Octave, or as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from micrograd import ops
from micrograd.derivatives.kinks import Choice
from micrograd.ops import Op
from micrograd.symbolic.languages import latex_function, latex_text
from micrograd.value.selection import Chosen

# How tightly a text holds together; elementwise products are written without brackets in others.
COMPARISON, SUM, PRODUCT, ELEMENTWISE, ATOM = range(5)
TABLE = 6  # parts of a table that are written out


class Written(NamedTuple):
    """An expression as text, how tightly it holds, and how many names and functions it has.

    `number` times `rest` is what a product begins with; a number alone has no rest.
    """

    text: str
    level: int
    size: int
    number: float = 1.0
    rest: Written | None = None


class Style:
    """Plain text: `(Theta2' delta3) .* a2 .* (1 - a2)`."""

    elementwise = " .* "
    brackets: tuple[str, str] = ("(", ")")

    def name(self, name: str) -> str:
        """Write a variable."""
        return name

    def number(self, x: float) -> Written:
        """Write a constant; one that is negative is in brackets where it is a factor."""
        text = f"{x:.6g}"
        return Written(text, SUM if x < 0 else ATOM, 0, x)

    def transposed(self, part: Written) -> str:
        """Write the transpose."""
        return f"{self.within(part, ATOM)}'"

    def within(self, part: Written, level: int) -> str:
        """Write a part, in brackets if it binds less tightly than `level`."""
        left, right = self.brackets
        return part.text if part.level >= level else f"{left}{part.text}{right}"

    def sum(self, parts: Sequence[tuple[int, Written]]) -> Written:
        """Terms with their signs."""
        if len(parts) == 1:
            [(sign, part)] = parts
            return part if sign > 0 else self._negative(part)
        text = ""
        for sign, part in parts:
            if text and part.rest is not None and part.number < 0:
                sign, part = -sign, self.scaled(-part.number, part.rest)
            own = self.within(part, SUM if sign > 0 else PRODUCT)
            mark = " - " if sign < 0 else " + "
            text += f"{mark}{own}" if text else f"-{own}" if sign < 0 else own
        return Written(text, SUM, sum(part.size for _, part in parts))

    def _negative(self, part: Written) -> Written:
        """Write minus a part."""
        if part.size == 0:
            return self.number(-part.number)
        if part.rest is not None:
            return self.scaled(-part.number, part.rest)
        return Written(f"-{self.within(part, PRODUCT)}", SUM, part.size, -1.0, part)

    def times(self, factors: Sequence[Written], again: Sequence[bool]) -> Written:
        """Write an elementwise product, the product of all numbers first.

        `again` says of each factor whether it is the one before it once more: a square.
        """
        number = 1.0
        rest: list[Written] = []
        for factor, repeated in zip(factors, again):
            if factor.size and repeated and rest and rest[-1] == factor:
                rest[-1] = self.squared(factor)
            elif factor.size == 0 or factor.rest is not None:
                number *= factor.number
                rest += [factor.rest] if factor.rest is not None else []
            else:
                rest.append(factor)
        if not rest:
            return self.number(number)
        # A matrix product holds together, but is set apart from what is multiplied elementwise.
        text = self.elementwise.join([self.within(f, ELEMENTWISE) for f in rest])
        size = sum(f.size for f in rest)
        product = Written(text, ELEMENTWISE, size) if len(rest) > 1 else rest[0]
        return self.scaled(number, product)

    def scaled(self, number: float, part: Written) -> Written:
        """Write a number times a part."""
        if number == 1:
            return part
        own = self.within(part, ELEMENTWISE)
        text = f"-{own}" if number == -1 else f"{self.number(number).text} {own}"
        return Written(text, SUM if number < 0 else PRODUCT, part.size, number, part)

    def squared(self, factor: Written) -> Written:
        """Write the square of each element."""
        return Written(f"{self.within(factor, ATOM)}.^2", ATOM, factor.size)

    def matrix_product(self, matrix: str, transposed: bool, vector: Written) -> Written:
        """Write a matrix of parameters times a column per example."""
        left = self.transposed(Written(matrix, ATOM, 1)) if transposed else matrix
        return Written(f"{left} {self.within(vector, ATOM)}", PRODUCT, 1 + vector.size)

    def outer(self, left: Written, right: Written) -> Written:
        """Write the sum over the examples of a column times a row."""
        text = f"{self.within(left, ATOM)} {self.transposed(right)}"
        return Written(text, PRODUCT, left.size + right.size)

    def reduced(self, name: str, part: Written, over: Sequence[str] = ()) -> Written:
        """Write a sum, or softmax; `over` is what it runs over: axes by number, or indices."""
        size = part.size if name == "sum" else 1 + part.size
        return Written(f"{name}{_below(over)}({part.text})", ATOM, size)

    def extreme(self, op: Op, parts: Sequence[Written], over: Sequence[str] = ()) -> Written:
        """Write the largest or smallest of several."""
        text = f"{_EXTREMES[op]}{_below(over)}({', '.join(p.text for p in parts)})"
        return Written(text, ATOM, 1 + sum(p.size for p in parts))

    def compared(self, sign: str) -> str:
        """Write `<=` or `>=`."""
        return sign

    def table(self, parts: Sequence[Written]) -> Written:
        """Write a table by its parts, of a long one the first."""
        texts = [part.text for part in parts[:TABLE]] + ["..."] * (len(parts) > TABLE)
        return Written(f"[{', '.join(texts)}]", ATOM, sum(part.size for part in parts))

    def taken(self, table: Written, index: Written) -> Written:
        """Write an element of a table, for each row of its own."""
        text = f"{self.within(table, ATOM)}[{index.text}]"
        return Written(text, ATOM, 1 + table.size + index.size)

    def call(self, op: Any, operands: Sequence[Written]) -> Written:
        """Write an operation."""
        if op in _EXTREMES:
            return self.extreme(op, operands)
        if isinstance(op, Choice):
            return operands[0]
        if op is ops.divide and operands[0].number == -1 and operands[0].rest is not None:
            return self._negative(self.call(op, [operands[0].rest, operands[1]]))
        size = 1 + sum(x.size for x in operands)
        spelled = self._spelled(op, operands)
        if spelled is not None:
            return Written(*spelled, size)
        return Written(f"{op.name}({', '.join(x.text for x in operands)})", ATOM, size)

    def _spelled(self, op: Op, operands: Sequence[Written]) -> tuple[str, int] | None:
        if op is ops.divide:
            return (
                f"{self.within(operands[0], PRODUCT)} ./ {self.within(operands[1], ATOM)}",
                PRODUCT,
            )
        if op is ops.power:
            base, exponent = operands
            if ".^" in exponent.text:  # powers are read from the left
                exponent = exponent._replace(level=COMPARISON)
            return f"{self.within(base, ATOM)}.^{self.within(exponent, ATOM)}", ATOM
        op = ops.equal if isinstance(op, Chosen) else op
        if op in _COMPARISONS:
            sign = _COMPARISONS[op][0]
            return f"{operands[0].text} {sign} {operands[1].text}", COMPARISON
        return None


def _below(over: Sequence[str]) -> str:
    """Write what stands below a sum: one letter or number as it is, anything else in braces."""
    text = ", ".join(over)
    return f"_{text}" if text.isalnum() else f"_{{{text}}}" if text else ""


_EXTREMES = {ops.maximum: "max", ops.minimum: "min"}
_COMPARISONS = {ops.less: ("<", "<"), ops.less_equal: ("<=", r"\le"), ops.equal: ("==", "=")}
_GREEK = ("Theta", "theta", "Delta", "delta", "alpha", "beta", "gamma", "sigma", "mu", "lambda")


class LaTeX(Style):
    r"""LaTeX: `\left(\Theta^{(2)}\right)^{T} \delta^{(3)}`, layers as exponents in parentheses."""

    elementwise = r" \odot "
    brackets: tuple[str, str] = (r"\left(", r"\right)")

    def name(self, name: str) -> str:
        """Write a variable: Greek where it is, a number as the layer, a long name upright."""
        match = re.fullmatch(r"([A-Za-z]+?)(?:_([A-Za-z]\w*?))?(\d*)(\[.*\])?", name)
        if match is None:
            return rf"\mathrm{{{latex_text(name)}}}"
        letters, below, digits, index = match.groups()
        if below and index:  # TeX allows one subscript: W_0 is below Delta as a whole
            return f"{self.name(letters)}_{{{self.name(name[len(letters) + 1 :])}}}"
        if letters in _GREEK:
            letters = f"\\{letters}"
        elif len(letters) > 1:
            letters = rf"\mathrm{{{letters}}}"
        if below:
            letters += f"_{{{latex_text(below)}}}"
        if digits:
            letters += f"^{{({digits})}}"
        return letters + (f"_{{{latex_text(index[1:-1])}}}" if index else "")

    def number(self, x: float) -> Written:
        """Write a constant, powers of ten written out."""
        plain = super().number(x)
        mantissa, _, exponent = plain.text.partition("e")
        if exponent:
            text = rf"{mantissa} \cdot 10^{{{int(exponent)}}}"
            return plain._replace(text=text, level=SUM)
        return plain._replace(text=plain.text.replace("inf", r"\infty"))

    def transposed(self, part: Written) -> str:
        """Write the transpose."""
        return self._raised(part, "T")

    def squared(self, factor: Written) -> Written:
        """Write the square of each element."""
        return Written(self._raised(factor, r"\circ 2"), ATOM, factor.size)

    def _raised(self, base: Written, exponent: str) -> str:
        """Write an exponent; a base that has one already is put in brackets, as is a fraction."""
        alone = "^" not in base.text and not base.text.startswith(r"\frac")
        text = self.within(base if alone else base._replace(level=COMPARISON), ATOM)
        return f"{text}^{{{exponent}}}"

    def matrix_product(self, matrix: str, transposed: bool, vector: Written) -> Written:
        """Write a matrix of parameters times a column per example."""
        left = self.transposed(Written(matrix, ATOM, 1)) if transposed else matrix
        return Written(rf"{left} \, {self.within(vector, ATOM)}", PRODUCT, 1 + vector.size)

    def reduced(self, name: str, part: Written, over: Sequence[str] = ()) -> Written:
        """Write a sum, or softmax; `over` is what it runs over: axes by number, or indices."""
        below = f"_{{{', '.join(over)}}}" if over else ""
        if name == "sum":
            text = rf"\textstyle\sum{below} {self.within(part, PRODUCT)}"
            return Written(text, PRODUCT, part.size)
        text = rf"\mathrm{{{name}}}{below}\left({part.text}\right)"
        return Written(text, ATOM, 1 + part.size)

    def extreme(self, op: Op, parts: Sequence[Written], over: Sequence[str] = ()) -> Written:
        """Write the largest or smallest of several."""
        below = f"_{{{', '.join(over)}}}" if over else ""
        text = rf"\{_EXTREMES[op]}{below}\left({', '.join(p.text for p in parts)}\right)"
        return super().extreme(op, parts)._replace(text=text)

    def compared(self, sign: str) -> str:
        """Write `<=` or `>=`."""
        return {"<=": r"\le", ">=": r"\ge"}[sign]

    def call(self, op: Any, operands: Sequence[Written]) -> Written:
        """Write an operation."""
        if op in _EXTREMES:
            return self.extreme(op, operands)
        if isinstance(op, Choice):
            return operands[0]
        if op is ops.divide and operands[0].number == -1 and operands[0].rest is not None:
            return self._negative(self.call(op, [operands[0].rest, operands[1]]))
        size = 1 + sum(x.size for x in operands)
        texts = [x.text for x in operands]
        if op is ops.divide:
            return Written(rf"\frac{{{texts[0]}}}{{{texts[1]}}}", ATOM, size)
        if op is ops.sqrt:
            return Written(rf"\sqrt{{{texts[0]}}}", ATOM, size)
        if op is ops.power:
            return Written(self._raised(operands[0], texts[1]), PRODUCT, size)
        op = ops.equal if isinstance(op, Chosen) else op
        if op in _COMPARISONS:
            return Written(rf"\left[{texts[0]} {_COMPARISONS[op][1]} {texts[1]}\right]", ATOM, size)
        return Written(rf"{latex_function(op)}\left({', '.join(texts)}\right)", ATOM, size)
