"""Backpropagation as Andrew Ng's course writes it down, run by the engine and held against it.

Three derivatives are easily taken for one another, and are kept apart here. With cost(i) the cost
of example i alone: delta is the derivative of cost(i) by a z; the accumulator Delta adds up the
derivatives of cost(i) by a weight, over the examples; D is the derivative of J by that weight.
Source: Andrew Ng, Machine Learning (Coursera, 2011), Neural Networks: Learning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from micrograd.derivatives.chain_rule import grads_kept
from micrograd.engine import Value
from micrograd.explain.course.network import (
    Network,
    Pass,
    as_targets,
    cross_entropy,
    examples_of,
    labelled,
    network_of,
    targets_of,
)
from micrograd.explain.course.notation import BySuperscript, Equation, Matrix, Rows, Section
from micrograd.explain.report import Cell, Table, shown
from micrograd.value.numbers import to_float

if TYPE_CHECKING:
    from micrograd.draw import Stepper

Loss = Callable[[Any, Any], Any]

_MOST_EXAMPLES = 10  # whose costs are listed
_AGREES = 1e-9  # relative difference that rounding alone may leave


def deltas(
    model: Any,
    X: Any,  # noqa: N803
    Y: Any,  # noqa: N803
    lam: float = 0.0,
    loss: Loss | None = None,
) -> Deltas:
    """Run backpropagation and lay it out as the course's table: a, z, delta, Delta, D and J.

    `model` is an MLP, or a list of matrices Theta, a row per unit, the bias first, whose units
    are sigmoids. `X` has a row of inputs per example, without the 1 of the bias. `Y` has a row of
    targets per example, or its class from 1 to K; for one output unit, its label from 0 to 1.
    `lam` is the lambda of the regularisation. Without a `loss`, J is the course's: the
    cross-entropy of sigmoid outputs (a linear last layer gets its sigmoid here), averaged over the
    m examples, plus lam/(2m) times the sum of the squared weights, biases left out. Else
    `loss(outputs, label)` gives one example's cost from what the last layer gives (a Value alone
    where that is one unit) and its row or element of `Y`. All grads are left as they were.

    Raises ValueError when model, `X` and `Y` do not fit each other, a number is not finite or
    `lam` is negative; TypeError for what is no model, no number or no loss.

    >>> from micrograd import examples
    >>> example = examples.ng_ex4()
    >>> found = deltas(example.model, example.X, example.y)
    >>> print(f"{found.J:.5f} {found.delta[3][1, 1]:.3f} {found.Delta[1][1, 1]:.3f}")
    7.40697 0.889 -0.083
    """
    network = network_of(model, sigmoid_outputs=loss is None)
    rows = examples_of(X, width=len(network.units[0][0].w))
    if not hasattr(Y, "__iter__"):
        raise TypeError(f"Y has a label for each example; got {Y!r}")
    labels = [label.tolist() if hasattr(label, "tolist") else label for label in Y]
    if len(labels) != len(rows):
        raise ValueError(f"X has {len(rows)} examples and Y has {len(labels)}: give one row each")
    if loss is None:
        outputs = len(network.units[-1])
        labels = [targets_of(label, outputs, i) for i, label in enumerate(labels, start=1)]
    elif not callable(loss):
        raise TypeError(f"loss must be a function of one example's outputs and label, got {loss!r}")
    strength = to_float(lam, "lam")
    if not 0 <= strength < math.inf:
        raise ValueError(
            f"lam, the lambda of the regularisation, is a number that is not negative, got {lam!r}"
        )
    return Deltas(network, rows, labels, strength, loss)


class Check(NamedTuple):
    """A derivative, how the engine was run for it, the course's formula, and how far these differ.

    `difference` is the largest between two numbers, relative to the largest number.

    >>> [check.what for check in deltas([[[0.0, 1.0]]], [[0.0]], [1]).checks]
    ['delta = dcost(i)/dz', 'delta once more', 'Delta = sum_i dcost(i)/dTheta', 'D = dJ/dTheta']
    """

    what: str
    run: str
    formula: str
    difference: float


class Accumulated(NamedTuple):
    """The accumulators at one moment of the course's loop over the examples.

    >>> deltas([[[0.0, 1.0]]], [[0.0]], [0]).after(1).Delta[1].rows
    [[0.5, 0.0]]
    """

    Delta: BySuperscript

    def __repr__(self) -> str:
        return repr(self.Delta)

    def _repr_html_(self) -> str:
        return self.Delta._repr_html_()


class Deltas:
    """What `deltas` computed, indexed by the superscripts of the course.

    With L layers: `.a[1]` to `.a[L]`, `.z[2]` to `.z[L]`, `.delta[2]` to `.delta[L]` have a row
    per example; `.Theta`, `.Delta`, `.D`, from 1 to L-1, have a row per unit of the next layer
    and the bias in column 0. One number of them is `.delta[3][1, 2]`: example 1, unit 2. `.J` and
    `.cost(i)` are Values of the recorded graph, and so are `.z[3].value(1, 2)` and the like.
    `.checks` holds the derivatives that the engine found against the course's formulas.

    >>> from micrograd import examples
    >>> example = examples.ng_logic_gate("AND")
    >>> found = deltas(example.model, example.X, example.y)
    >>> print(f"{found.delta[2][4, 1]:.6f} {found.z[2].value(4, 1)}")
    -0.000045 Value(data=10.0, grad=0.0)
    """

    def __init__(
        self,
        network: Network,
        rows: list[list[float]],
        labels: list[Any],
        lam: float,
        loss: Loss | None,
    ) -> None:
        self.m, self.L, self.lam = len(rows), len(network.units) + 1, lam
        self._network, self._labels, self._loss = network, labels, loss
        self._layers = network.units
        self._passes = [network.forward(row) for row in rows]
        self._costs = [self._cost(i) for i in range(self.m)]
        self._data_term: Value = sum(self._costs[1:], self._costs[0]) / self.m
        self.J = self._data_term
        if lam:
            penalty: Any = sum(w * w for w in self._weights())
            self.J = self._data_term + lam / (2 * self.m) * penalty
        labelled(self.J, "J")
        self._run_engine()
        self._set_tables()
        self.checks = self._checks()

    def cost(self, i: int) -> Value:
        """Give the cost of example i, from 1, as a Value of the recorded graph.

        >>> print(f"{deltas([[[0.0, 1.0]]], [[0.0]], [1]).cost(1):.6f}")
        0.693147
        """
        return self._costs[self._place(i, 1)]

    def after(self, i: int) -> Accumulated:
        """Give the accumulators after examples 1 to i; after 0 they are zeros.

        >>> found = deltas([[[0.0, 1.0]]], [[0.0], [2.0]], [1, 0])
        >>> found.after(0).Delta[1][1], found.after(1).Delta[1][1]
        ([0.0, 0.0], [-0.5, 0.0])
        """
        return Accumulated(self._per_weight("Delta", self._after[self._place(i, 0)]))

    def stepper(self, example: int) -> Stepper:
        """Play example i, from 1, forward and backward in the stepper, folded by layer.

        A layer's box shows its a and z, their deltas, the Theta that leads into it, and what this
        example adds to the accumulator Delta; it opens down to every single `+=`.

        >>> played = deltas([[[0.0, 1.0]]], [[2.0]], [1]).stepper(1)
        >>> print(str(played).splitlines()[-4])
        Delta1[1,0] += 1 * delta2[1] = 1 * -0.1192 = -0.1192, now -0.1192
        """
        from micrograd.draw import stepper  # pictures load when they are asked for

        place = self._place(example, 1)
        names: dict[Any, str] = {self._costs[place]: "cost"}
        gradients: dict[Value, str] = {}
        passed = self._passes[place]
        for level, rows in enumerate(passed.a, start=1):
            names.update((v, f"a{level}[{k}]") for k, v in enumerate(rows, start=1))
        for level, (layer, z) in enumerate(zip(self._network.layers, passed.z[1:]), start=1):
            names[layer] = f"layer {level + 1}"
            for k, (unit, v) in enumerate(zip(self._layers[level - 1], z), start=1):
                names[unit] = f"unit {k}"
                names[v], gradients[v] = f"z{level + 1}[{k}]", f"delta{level + 1}[{k}]"
                for j, w in enumerate(unit.theta):
                    names[w], gradients[w] = f"Theta{level}[{k},{j}]", f"Delta{level}[{k},{j}]"
        return stepper(self._costs[place], fold="Layer", names=names, gradients=gradients)

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain numbers and lists."""
        names = ("a", "z", "delta", "Theta", "Delta", "D")
        tables: dict[str, BySuperscript] = {name: getattr(self, name) for name in names}
        return {
            "J": self.J.data,
            "cost": [cost.data for cost in self._costs],
            **{
                name: {level: m.rows for level, m in table.items()}
                for name, table in tables.items()
            },
        }

    def _place(self, i: int, first: int) -> int:
        if i not in range(first, self.m + 1):
            raise IndexError(f"the examples count from {first} to {self.m} here, got {i!r}")
        return i - first

    def _cost(self, i: int) -> Value:
        outputs, label = self._passes[i].a[-1], self._labels[i]
        if self._loss is None:
            cost: Any = cross_entropy(outputs, label, i + 1)
        else:
            cost = self._loss(outputs[0] if len(outputs) == 1 else outputs, label)
        if not isinstance(cost, Value):
            raise TypeError(
                f"loss(outputs, label) must give one Value, got {cost!r} for example {i + 1}: "
                "compute it from the outputs with operators and micrograd's functions"
            )
        return labelled(cost, f"cost{i + 1}")

    def _weights(self) -> list[Value]:
        """All weights that are regularised, so without the biases."""
        return [w for layer in self._layers for unit in layer for w in unit.theta[1:]]

    # The three derivatives, by the engine ----------------------------------------------------

    def _run_engine(self) -> None:
        """Run `backward()` for each of the three, and keep what it leaves in the grads."""
        parameters = [w for layer in self._layers for unit in layer for w in unit.theta]
        self._delta: list[Rows] = []
        self._by_outputs: Rows = []
        with grads_kept([self.J]):
            _set_to_zero(parameters)
            self._after = [self._weight_grads()]
            for example, cost in zip(self._passes, self._costs):
                cost.backward()  # without zero_grad: the weights' grads are the accumulators
                self._delta.append(_grads(example.z))
                self._by_outputs.append([a.grad for a in example.a[-1]])
                self._after.append(self._weight_grads())
            self._data_term.backward()
            self._averaged = [_grads(example.z) for example in self._passes]
            _set_to_zero(parameters)
            self.J.backward()
            self._dj = self._weight_grads()

    def _weight_grads(self) -> list[Rows]:
        return [[[w.grad for w in unit.theta] for unit in layer] for layer in self._layers]

    # The same by the course's formulas -------------------------------------------------------

    def _checks(self) -> list[Check]:
        course = [self._course_delta(i) for i in range(self.m)]
        accumulated = self._course_accumulators(course)
        averaged = {w: number / self.m for w, number in accumulated.items()}
        for w in self._weights():
            averaged[w] += self.lam / self.m * w.data
        times_m = [[[self.m * g for g in row] for row in rows] for rows in self._averaged]
        last = f"a{self.L} - y" if self._loss is None else f"dcost/da{self.L} .* g'(z{self.L})"
        return [
            Check(
                "delta = dcost(i)/dz",
                "z.grad after cost(i).backward()",
                f"{last}, then Theta' * delta .* g'(z)",
                _difference(self._delta, course),
            ),
            Check(
                "delta once more",
                "m * z.grad after backward() of the averaged costs",
                "delta",
                _difference(times_m, self._delta),
            ),
            Check(
                "Delta = sum_i dcost(i)/dTheta",
                "w.grad after cost(i).backward() for each i, not zeroed",
                "sum_i delta * [1; a]'",
                _difference(self._after[-1], self._per_unit(accumulated)),
            ),
            Check(
                "D = dJ/dTheta",
                "w.grad after J.backward()",
                "Delta / m + lambda / m * Theta",
                _difference(self._dj, self._per_unit(averaged)),
            ),
        ]

    def _course_delta(self, i: int) -> Rows:
        """The deltas of one example by the course's recursion, from the last layer down."""
        example = self._passes[i]
        if self._loss is None:
            rows = [[a.data - y for a, y in zip(example.a[-1], self._labels[i])]]
        else:
            factors = zip(self._by_outputs[i], self._slopes(example, -1))
            rows = [[by_a * slope for by_a, slope in factors]]
        for level in range(len(self._layers) - 1, 0, -1):
            above = list(zip(self._layers[level], rows[0]))
            slopes = self._slopes(example, level - 1)
            arrived = [
                sum(unit.theta[1 + j].data * delta for unit, delta in above)
                for j in range(len(slopes))
            ]
            rows.insert(0, [total * slope for total, slope in zip(arrived, slopes)])
        return [[], *rows]

    def _slopes(self, example: Pass, place: int) -> list[float]:
        """The g'(z) of a layer, by its place among those that have units."""
        return [unit.g_prime(z) for unit, z in zip(self._layers[place], example.z[1:][place])]

    def _course_accumulators(self, course: list[Rows]) -> dict[Value, float]:
        """The sum over the examples of delta times a, for every weight, shared ones together."""
        totals: dict[Value, float] = {}
        for example, rows in zip(self._passes, course):
            for layer, below, of_layer in zip(self._layers, example.a, rows[1:]):
                inputs = [1.0, *(a.data for a in below)]
                for unit, delta in zip(layer, of_layer):
                    for w, x in zip(unit.theta, inputs):
                        totals[w] = totals.get(w, 0.0) + delta * x
        return totals

    def _per_unit(self, numbers: dict[Value, float]) -> list[Rows]:
        return [[[numbers[w] for w in unit.theta] for unit in layer] for layer in self._layers]

    # The tables ------------------------------------------------------------------------------

    def _set_tables(self) -> None:
        last = self.L
        a = [self._per_example("a", level) for level in range(1, last + 1)]
        z = [self._per_example("z", level) for level in range(2, last + 1)]
        delta = [
            Matrix(f"delta{level}", [rows[level - 1] for rows in self._delta], rows_are="example")
            for level in range(2, last + 1)
        ]
        self.a = BySuperscript("a", 1, a, f"layers go from 1, the inputs, to {last}")
        upward = f"layers go from 2 to {last} here"
        self.z = BySuperscript(
            "z", 2, z, upward, f"{upward}; the a of layer 1 are the inputs, not g(z)"
        )
        self.delta = BySuperscript(
            "delta",
            2,
            delta,
            upward,
            "a delta is the derivative of the cost by a unit's z, and layer 1 has no z: its a are "
            f"the inputs, given and not computed from weights. L{upward[1:]}",
        )
        numbers = [[[w.data for w in unit.theta] for unit in layer] for layer in self._layers]
        values = [[unit.theta for unit in layer] for layer in self._layers]
        self.Theta = self._per_weight("Theta", numbers, values)
        self.Delta = self._per_weight("Delta", self._after[-1])
        self.D = self._per_weight("D", self._dj)

    def _per_example(self, name: str, level: int) -> Matrix:
        values = [getattr(example, name)[level - 1] for example in self._passes]
        bias = [1.0] if name == "a" and level < self.L else []  # outputs have no bias unit
        rows = [[*bias, *(v.data for v in row)] for row in values]
        first = 1 - len(bias)
        return Matrix(f"{name}{level}", rows, rows_are="example", first_column=first, values=values)

    def _per_weight(
        self, name: str, numbers: list[Rows], values: list[list[list[Value]]] | None = None
    ) -> BySuperscript:
        matrices = [
            Matrix(
                f"{name}{level}",
                rows,
                rows_are="unit",
                first_column=0,
                values=None if values is None else values[level - 1],
            )
            for level, rows in enumerate(numbers, start=1)
        ]
        missing = f"it belongs to the weights from layer l to l + 1, l from 1 to {self.L - 1}"
        return BySuperscript(name, 1, matrices, missing)

    # What is shown ---------------------------------------------------------------------------

    def sections(self) -> list[Section]:
        """Give the equations in the order of the algorithm, each with the numbers it makes.

        >>> found = deltas([[[0.0, 1.0]]], [[0.0]], [1])
        >>> [section.equations[0].text() for section in found.sections()[1:4]]
        ['z2 = Theta1 * [1; a1]', 'delta2 = a2 - y', "Delta1 = sum_i delta2 * [1; a1]'"]
        """
        backward = range(self.L - 1, 1, -1)
        weights = range(1, self.L)
        return [
            self._cost_section(),
            *(self._forward_section(level) for level in range(2, self.L + 1)),
            self._output_section(),
            *(self._hidden_section(level) for level in backward),
            *(self._accumulator_section(level) for level in weights),
            *(self._average_section(level) for level in weights),
            self._check_section(),
        ]

    def _cost_section(self) -> Section:
        sizes = [len(self._layers[0][0].w), *map(len, self._layers)]
        terms = f"y_k * log(a[{self.L}]_k) + (1 - y_k) * log(1 - a[{self.L}]_k)"
        cost = f"- sum_k ({terms})" if self._loss is None else f"loss(a[{self.L}], y)"
        costs: list[list[Cell]] = [
            [str(i), cost.data] for i, cost in enumerate(self._costs, start=1)
        ]
        return Section(
            [
                Equation("J = (1/m) sum_i cost_i + (lambda/2m) sum Theta .* Theta"),
                Equation(f"cost_i = {cost}"),
            ],
            f"Layers of {'-'.join(map(str, sizes))} units, m = {self.m} "
            f"example{'s' if self.m > 1 else ''}, lambda = "
            f"{shown(self.lam)}: J = {shown(self.J.data)}. Biases are not regularised.",
            [Table("", ["example", "cost"], costs[:_MOST_EXAMPLES])],
        )

    def _forward_section(self, level: int) -> Section:
        inputs = [self.a[1]] if level == 2 else []  # later ones were the outputs of the layer below
        return Section(
            [
                Equation(f"z[{level}] = Theta[{level - 1}] * [1; a[{level - 1}]]"),
                Equation(f"a[{level}] = g(z[{level}])"),
            ],
            "" if level == self.L else f"Column 0 of a{level} is the bias unit, always 1.",
            [*inputs, self.Theta[level - 1], self.z[level], self.a[level]],
        )

    def _output_section(self) -> Section:
        last = self.L
        equation = f"delta[{last}] = dcost/da[{last}] .* g'(z[{last}])"
        words = (
            "Why: delta is the derivative of the cost by z. The cost depends on z through a alone, "
            "so it is dcost/da times g'(z)"
        )
        if self._loss is None:
            equation = f"delta[{last}] = a[{last}] - y"
            words += (
                ": (a - y) / (a (1 - a)) times a (1 - a). There a (1 - a) cancels; a - y is left"
            )
        return Section([Equation(equation)], f"{words}.", [self.delta[last], self._factors()])

    def _factors(self) -> Table:
        """The two factors of the last layer's delta, in the first example."""
        outputs = self._passes[0].a[-1]
        slopes = self._slopes(self._passes[0], -1)
        rows: list[list[Cell]] = [
            [str(k), by_a, slope, by_a * slope]
            for k, (by_a, slope) in enumerate(zip(self._by_outputs[0], slopes), start=1)
        ]
        header = ["unit", "dcost/da", "g'(z)", "product"]
        targets = as_targets(self._labels[0], len(outputs))
        if targets is not None:
            header.append("a - y")
            rows = [[*row, a.data - y] for row, a, y in zip(rows, outputs, targets)]
        return Table("The two factors in example 1", header, rows[:_MOST_EXAMPLES])

    def _hidden_section(self, level: int) -> Section:
        return Section(
            [Equation(f"delta[{level}] = Theta[{level}]' * delta[{level + 1}] .* g'(z[{level}])")],
            f"Theta{level} without its bias column, since the bias unit has no z.",
            [self.delta[level]],
        )

    def _accumulator_section(self, level: int) -> Section:
        return Section(
            [Equation(f"Delta[{level}] = sum_i delta[{level + 1}] * [1; a[{level}]]'")],
            "The accumulator: each example adds the derivative of its own cost by each weight.",
            [self.Delta[level]],
        )

    def _average_section(self, level: int) -> Section:
        return Section(
            [Equation(f"D[{level}] = (1/m) Delta[{level}] + (lambda/m) Theta[{level}]")],
            "The derivative of J by each weight; the second term leaves the bias column out.",
            [self.D[level]],
        )

    def _check_section(self) -> Section:
        rows = [
            [what, run, formula, "equal" if difference < _AGREES else f"off by {difference:.1g}"]
            for what, run, formula, difference in self.checks
        ]
        header = ["derivative", "run by the engine", "the course's formula", "both"]
        words = "The three derivatives, each run by the engine and held against its formula:"
        return Section([], words, [Table("", header, rows)])

    def __str__(self) -> str:
        return "\n\n".join(section.text() for section in self.sections())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(section.html() for section in self.sections())

    def _repr_latex_(self) -> str:
        sections = [section.latex() for section in self.sections() if section.equations]
        return "\n\n".join(f"$$ {section} $$" for section in sections)


def _grads(layers: list[list[Value]]) -> Rows:
    return [[v.grad for v in layer] for layer in layers]


def _set_to_zero(values: Iterable[Value]) -> None:
    for v in values:
        v.grad = 0.0


def _difference(x: list[Rows], y: list[Rows]) -> float:
    """The largest difference between numbers at the same place, relative to the largest number."""
    pairs = [
        (p, q)
        for rows, others in zip(x, y)
        for row, other in zip(rows, others)
        for p, q in zip(row, other)
    ]
    scale = max(abs(p) for p, _ in pairs)
    return max(abs(p - q) for p, q in pairs) / scale if scale else 0.0
