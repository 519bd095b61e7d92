"""The narration of a stepper: names of the Values, the numbers forward, each += backward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from micrograd.draw.scene.labels import number
from micrograd.draw.scene.outline import Kind, Outline
from micrograd.engine import Value
from micrograd.graph.steps import Step, backward_steps, local_formula
from micrograd.nn import Module
from micrograd.symbolic.formula import Formula
from micrograd.value.identity import IdentityDict

# What is called by a letter and a number when it has no other name.
_LETTERS = {
    Kind.RESULT: "v",
    Kind.INPUT: "x",
    Kind.CONSTANT: "c",
    Kind.PARAMETER: "p",
    Kind.LEAF: "p",
}


class Narration:
    """A graph, ready to be told: every Value has a name, every step its rule.

    >>> a = Value(3.0, label="a")
    >>> narration = Narration(a * a)
    >>> narration.forward_line(narration.root), narration.steps[0].product
    ('v1 = a * a = 3 * 3 = 9', 3.0)
    """

    def __init__(
        self,
        root: Value,
        names: Mapping[Any, str] | None = None,
        gradients: Mapping[Value, str] | None = None,
    ) -> None:
        if not isinstance(root, Value):
            raise TypeError(
                f"a stepper plays the graph of one Value, got {type(root).__name__}: give the "
                "Value at its end, a loss say"
            )
        for named in (*(names or ()), *(gradients or ())):
            if not isinstance(named, (Value, Module)):
                raise TypeError(
                    "names and gradients must be of Values (names of modules, too), as in "
                    f"names={{w: 'w'}}: got {named!r}"
                )
        self.given: IdentityDict[Any, str] = IdentityDict(names or {})  # of Values and of modules
        self.given_gradients: IdentityDict[Value, str] = IdentityDict(gradients or {})
        self.root = root
        self.outline: Outline = Outline(
            root, IdentityDict((v, s) for v, s in self.given.items() if isinstance(v, Value))
        )
        self.values: list[Value] = self.outline.order
        self.steps: list[Step] = backward_steps(root)
        self.names: IdentityDict[Value, str] = self._all_names()
        self.gradients: IdentityDict[Value, str] = IdentityDict(
            (v, f"{name}.grad") for v, name in self.names.items()
        )
        self.gradients.update(self.given_gradients)
        self.totals: IdentityDict[Value, float] = IdentityDict((v, 0.0) for v in self.values)
        self.totals[root] = 1.0
        self.totals.update((step.operand, step.total) for step in self.steps)

    def _all_names(self) -> IdentityDict[Value, str]:
        names: IdentityDict[Value, str] = IdentityDict()
        counts = dict.fromkeys(_LETTERS.values(), 0)
        taken = {self.outline.name(v) for v in self.values}
        for v in self.values:
            name = self.outline.name(v)
            letter = _LETTERS[self.outline.kinds[v]]
            while not name:
                counts[letter] += 1
                candidate = f"{letter}{counts[letter]}"
                name = "" if candidate in taken else candidate
            names[v] = name
        return names

    def made(self, v: Value) -> tuple[str, str]:
        """Write how a Value was made: with the names of its operands, and with their numbers."""
        if v.op is None:
            call = f"{v._op or 'node'}({{}})"
            names = ", ".join(self.names[x] for x in v.parents)
            return call.format(names), call.format(", ".join(number(x.data) for x in v.parents))
        named = [Formula(self.names[x] if isinstance(x, Value) else x) for x in v.args]
        filled = [Formula(x.data if isinstance(x, Value) else x) for x in v.args]
        return _written(v, named), _written(v, filled)

    def forward_line(self, v: Value) -> str:
        """Say how a result was computed: `v1 = a * b = 2 * 3 = 6`."""
        made, filled = self.made(v)
        return " = ".join(dict.fromkeys([self.names[v], made, filled, number(v.data)]))

    def backward_line(self, step: Step) -> str:
        """Say what a step adds: `a.grad += b * v1.grad = 3 * 1 = 3, now 3`."""
        gradient, product = self.gradients[step.operand], number(step.product)
        if step.local is None:
            how = product
        else:
            rule = self.rule(step) or number(step.local)
            rule = f"({rule})" if " " in rule else rule
            upstream = self.gradients[step.consumer]
            how = (
                f"{rule} * {upstream} = {number(step.local)} * {number(step.upstream)} = {product}"
            )
        return f"{gradient} += {how}, now {number(step.total)}"

    def rule(self, step: Step) -> str:
        """Write the local derivative of a step; empty where only its number is known."""
        formula = local_formula(step.consumer, step.position, self.names)
        return "" if formula is None else formula.text()


def _written(v: Value, operands: Sequence[Formula]) -> str:
    assert v.op is not None
    return operands[0]._apply(v.op, tuple(operands)).text()
