"""The layout of the course's table: each equation above the numbers that it yields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from micrograd.explain.course.network import as_targets
from micrograd.explain.course.notation import Equation, Section
from micrograd.value.words.tables import Cell, Table, format_cell

if TYPE_CHECKING:
    from micrograd.explain.course.textbook import Deltas

_MOST_EXAMPLES = 10  # whose costs are listed
_AGREES = 1e-9  # relative difference that rounding alone may leave


def sections_of(found: Deltas) -> list[Section]:
    """Return the equations in the order of the algorithm, each with the numbers it yields."""
    backward = range(found.L - 1, 1, -1)
    weights = range(1, found.L)
    return [
        _cost(found),
        *(_forward(found, level) for level in range(2, found.L + 1)),
        _output_delta(found),
        *(_hidden_delta(found, level) for level in backward),
        *(_accumulator(found, level) for level in weights),
        *(_average(found, level) for level in weights),
        _checks(found),
    ]


def _cost(found: Deltas) -> Section:
    units = found.recording.network.units
    sizes = [len(units[0][0].w), *map(len, units)]
    terms = f"y_k * log(a[{found.L}]_k) + (1 - y_k) * log(1 - a[{found.L}]_k)"
    cost = f"loss(a[{found.L}], y)" if found.recording.loss else f"- sum_k ({terms})"
    costs: list[list[Cell]] = [[str(i), cost] for i, cost in enumerate(found.costs, start=1)]
    cut = f"Examples 1 to {_MOST_EXAMPLES} of {found.m:,}." if found.m > _MOST_EXAMPLES else ""
    return Section(
        [
            Equation("J = (1/m) sum_i cost_i + (lambda/2m) sum Theta .* Theta"),
            Equation(f"cost_i = {cost}"),
        ],
        f"Layers of {'-'.join(map(str, sizes))} units, m = {found.m:,} "
        f"example{'s' if found.m > 1 else ''}, lambda = "
        f"{format_cell(found.lam)}: J = {format_cell(found.J.data)}. Biases are not regularised.",
        [Table("", ["example", "cost"], costs[:_MOST_EXAMPLES], cut)],
    )


def _forward(found: Deltas, level: int) -> Section:
    inputs = [found.a[1]] if level == 2 else []  # later ones were the outputs of the layer below
    return Section(
        [
            Equation(f"z[{level}] = Theta[{level - 1}] * [1; a[{level - 1}]]"),
            Equation(f"a[{level}] = g(z[{level}])"),
        ],
        ""
        if level == found.L
        else f"Column 0 of a{level} is the bias unit, always 1. Our column 0 is Octave's column 1.",
        [*inputs, found.Theta[level - 1], found.z[level], found.a[level]],
    )


def _output_delta(found: Deltas) -> Section:
    last = found.L
    equation = f"delta[{last}] = dcost/da[{last}] .* g'(z[{last}])"
    words = (
        "Why: delta is the derivative of the cost with respect to z. The cost depends on z through "
        "a alone, so it is dcost/da times g'(z)"
    )
    if found.recording.loss is None:
        equation = f"delta[{last}] = a[{last}] - y"
        words += ": (a - y) / (a (1 - a)) times a (1 - a). There a (1 - a) cancels; a - y is left"
    return Section([Equation(equation)], f"{words}.", [found.delta[last], _factors(found)])


def _factors(found: Deltas) -> Table:
    """Lay out the two factors of the last layer's delta, in the first example."""
    outputs = found.a[found.L][1]
    rows: list[list[Cell]] = [
        [str(k), by_a, slope, by_a * slope]
        for k, (by_a, slope) in enumerate(found.output_factors(1), start=1)
    ]
    header = ["unit", "dcost/da", "g'(z)", "product"]
    targets = as_targets(found.recording.labels[0], len(outputs))
    if targets is not None:
        header.append("a - y")
        rows = [[*row, a - y] for row, a, y in zip(rows, outputs, targets)]
    return Table("The two factors in example 1", header, rows[:_MOST_EXAMPLES])


def _hidden_delta(found: Deltas, level: int) -> Section:
    return Section(
        [Equation(f"delta[{level}] = Theta[{level}]' * delta[{level + 1}] .* g'(z[{level}])")],
        f"Theta{level} without its bias column, since the bias unit has no z.",
        [found.delta[level]],
    )


def _accumulator(found: Deltas, level: int) -> Section:
    return Section(
        [Equation(f"Delta[{level}] = sum_i delta[{level + 1}] * [1; a[{level}]]'")],
        "The accumulator: each example adds the derivatives of its own cost with respect to the "
        "weights.",
        [found.Delta[level]],
    )


def _average(found: Deltas, level: int) -> Section:
    return Section(
        [Equation(f"D[{level}] = (1/m) Delta[{level}] + (lambda/m) Theta[{level}]")],
        "The derivatives of J with respect to the weights; the second term leaves the bias column "
        "out.",
        [found.D[level]],
    )


def _checks(found: Deltas) -> Section:
    rows = [
        [what, run, formula, "equal" if difference < _AGREES else f"off by {difference:.1g}"]
        for what, run, formula, difference in found.checks
    ]
    header = ["derivative", "run by the engine", "the course's formula", "both"]
    words = "The three derivatives, each run by the engine and compared with its formula:"
    return Section([], words, [Table("", header, rows)])
