"""What a stepper tells: the names of a graph's Values, the numbers forward, each += backward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from micrograd.engine import Value, toposort
from micrograd.formula import Formula
from micrograd.steps import Step, backward_steps, local_formula


class Story:
    """A graph, ready to be told: every Value has a name, every step its rule.

    >>> a = Value(3.0, label="a")
    >>> story = Story(a * a)
    >>> story.made(story.values[-1]), story.steps[0].product
    (('a * a', '3 * 3'), 3.0)
    """

    def __init__(
        self,
        root: Value,
        names: Mapping[Value, str] | None = None,
        gradients: Mapping[Value, str] | None = None,
    ) -> None:
        self.values = toposort(root)
        self.steps = backward_steps(root)
        self.names = _names(self.values, names or {})
        self.gradients = {v: f"{name}.grad" for v, name in self.names.items()}
        self.named_gradients = gradients or {}
        self.gradients.update(self.named_gradients)
        self.totals = {root: 1.0, **{step.operand: step.total for step in self.steps}}
        self.totals.update((v, 0.0) for v in self.values if v not in self.totals)

    @property
    def root(self) -> Value:
        """The Value whose gradient is taken."""
        return self.values[-1]

    def made(self, v: Value) -> tuple[str, str]:
        """Write how a Value was made: with the names of its operands, and with their numbers."""
        names = [self.names.get(x) if isinstance(x, Value) else None for x in v.args]
        if v.op is None:
            call = f"{v._op or 'node'}({{}})"
            return call.format(", ".join(map(str, names))), call.format(
                ", ".join(shown(x.data) for x in v.parents)
            )
        named = [Formula(name or x) for name, x in zip(names, v.args)]
        numbers = [Formula(x.data if isinstance(x, Value) else x) for x in v.args]
        return named[0]._apply(v.op, tuple(named)).text(), numbers[0]._apply(
            v.op, tuple(numbers)
        ).text()

    def rule(self, step: Step) -> str:
        """Write the local derivative of a step; empty where only its number is known."""
        formula = local_formula(step.consumer, step.position, self.names)
        return "" if formula is None else formula.text()


def shown(number: float) -> str:
    """Give a number as pictures show it, in four significant digits.

    >>> shown(-0.70710678), shown(-0.0), shown(1e-5)
    ('-0.7071', '0', '1e-05')
    """
    return f"{number + 0.0:.4g}"


def _names(values: list[Value], given: Mapping[Value, str]) -> dict[Value, str]:
    """Name every Value: as told, by its label, or v1, v2 ... for results and c1 ... for leaves."""
    names: dict[Value, str] = {}
    counts = {"v": 0, "c": 0}
    for v in values:
        name = given.get(v) or v.label
        if not name:
            letter = "v" if v.parents else "c"
            counts[letter] += 1
            name = f"{letter}{counts[letter]}"
        names[v] = name
    return names
