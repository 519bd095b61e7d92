"""Backpropagation as Andrew Ng's course writes it down, run by the engine and held against it.

Three derivatives have similar names in the course and are kept apart here. With cost(i) the cost
of example i alone: delta is the derivative of cost(i) by a z; the accumulator Delta adds up the
derivatives of cost(i) by a weight, over the examples; D is the derivative of J by that weight.
Source: Andrew Ng, Machine Learning (Coursera, 2011), Neural Networks: Learning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from operator import mul
from typing import Any, NamedTuple

from micrograd import ops
from micrograd.chain_rule import grads_kept
from micrograd.engine import Value
from micrograd.explain.notation import BySuperscript, Equation, Matrix, Rows, Section
from micrograd.explain.report import Table, shown
from micrograd.nn import MLP
from micrograd.scalars import is_number, to_float

Loss = Callable[[Any, Any], Any]


def deltas(model: Any, X: Any, Y: Any, lam: float = 0.0, loss: Loss | None = None) -> Deltas:  # noqa: N803
    """Run backpropagation on examples and lay it out as the course's table: z, a, delta, Delta, D.

    `model` is an MLP, or a list of matrices Theta, a row per unit, the bias first, whose units
    are sigmoids. `X` has a row of inputs per example, without the 1 of the bias. `Y` has a row of
    targets per example, or its class from 1 to K; for one output unit, its label from 0 to 1.
    `lam` is the lambda of the regularisation. Without a `loss`, J is the course's: the
    cross-entropy of sigmoid outputs (a linear last layer gets its sigmoid here), averaged over the
    examples, plus lam/(2m) times the sum of the squared weights, biases left out. Else
    `loss(outputs, label)` gives one example's cost from what the last layer gives (a Value alone
    where that is one unit) and its row or element of `Y`. All grads are left as they were.

    Raises ValueError when model, `X` and `Y` do not fit each other or a cost is infinite,
    TypeError for what is neither a model nor numbers.

    >>> from micrograd import examples
    >>> example = examples.ng_ex4()
    >>> found = deltas(example.model, example.X, example.y)
    >>> print(f"{found.J:.5f} {found.delta[3][1, 1]:.3f} {found.Delta[1][1, 1]:.3f}")
    7.40697 0.889 -0.083
    """
    layers = _layers(model)
    rows = _examples(X, layers)
    labels = list(Y)
    if len(labels) != len(rows):
        raise ValueError(f"X has {len(rows)} examples and Y has {len(labels)}: give one row each")
    labels = [label.tolist() if hasattr(label, "tolist") else label for label in labels]
    if loss is None:
        layers[-1] = [unit.with_sigmoid() for unit in layers[-1]]
        labels = [_targets(label, len(layers[-1]), i) for i, label in enumerate(labels, start=1)]
    return Deltas(layers, rows, labels, to_float(lam, "lam"), loss)


class Unit(NamedTuple):
    """A unit of a layer: its row of Theta, the bias first, and what turns its z into its a."""

    theta: list[Value]
    activate: Callable[[Value], Value]
    linear: bool

    def with_sigmoid(self) -> Unit:
        """The same unit with a sigmoid, if it has no activation yet."""
        return Unit(self.theta, ops.sigmoid, False) if self.linear else self


class Pass(NamedTuple):
    """One example on its way forward: z and a of every layer; layer 1 has an a and no z."""

    z: list[list[Value]]
    a: list[list[Value]]


class Check(NamedTuple):
    """A derivative, how the engine was run for it, the course's formula, and how far these differ.

    `difference` is the largest one between any two numbers.
    """

    what: str
    run: str
    formula: str
    difference: float


class Accumulated(NamedTuple):
    """The accumulators at one moment of the course's loop over the examples."""

    Delta: BySuperscript


class Deltas:
    """What `deltas` computed, indexed by the superscripts of the course.

    With L layers: `.a[1]` to `.a[L]`, `.z[2]` to `.z[L]`, `.delta[2]` to `.delta[L]` have a row
    per example; `.Theta`, `.Delta`, `.D`, from 1 to L-1, a row per unit of the next layer and the
    bias in column 0. A number of them is `.delta[3][1, 2]`: example 1, unit 2. `.J` and
    `.cost(i)` are Values of the recorded graph, and so are `.z[3].value(1, 2)` and the like.
    `.checks` holds the engine's derivatives against the course's formulas.

    >>> from micrograd import examples
    >>> example = examples.ng_logic_gate("AND")
    >>> print(deltas(example.model, example.X, example.y).delta[2][4, 1])
    -4.5397868702434395e-05
    """

    def __init__(
        self,
        layers: list[list[Unit]],
        rows: list[list[float]],
        labels: list[Any],
        lam: float,
        loss: Loss | None,
    ) -> None:
        self.m, self.L, self.lam = len(rows), len(layers) + 1, lam
        self._layers, self._labels, self._loss = layers, labels, loss
        self._passes = [_forward(layers, row) for row in rows]
        self._costs = [self._cost(i) for i in range(self.m)]
        self._data_term = _labelled(sum(self._costs[1:], self._costs[0]) / self.m, "J")
        self.J = self._data_term
        if lam:
            weights = [w for layer in layers for unit in layer for w in unit.theta[1:]]
            penalty: Any = sum(w * w for w in weights)
            self._data_term.label = "the data term of J"
            self.J = _labelled(self._data_term + lam / (2 * self.m) * penalty, "J")
        self._run_engine()
        self._name_matrices()
        self.checks = self._check()

    def cost(self, i: int) -> Value:
        """Give the cost of example i, from 1, as a Value of the recorded graph.

        >>> print(f"{deltas([[[0.0, 1.0]]], [[0.0]], [1]).cost(1):.6f}")
        0.693147
        """
        return self._costs[self._example(i) - 1]

    def after(self, i: int) -> Accumulated:
        """Give the accumulators after examples 1 to i; after 0 they are zeros.

        >>> found = deltas([[[0.0, 1.0]]], [[0.0], [2.0]], [1, 0])
        >>> found.after(1).Delta[1][1], found.after(0).Delta[1][1]
        ([-0.5, 0.0], [0.0, 0.0])
        """
        grads = self._after[self._example(i) if i else 0]
        return Accumulated(self._weights_by_superscript("Delta", grads))

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain numbers and lists."""
        named = {name: getattr(self, name) for name in ("a", "z", "delta", "Theta", "Delta", "D")}
        return {
            "J": self.J.data,
            "cost": [cost.data for cost in self._costs],
            **{
                name: {superscript: matrix.rows for superscript, matrix in matrices.items()}
                for name, matrices in named.items()
            },
        }

    def _example(self, i: int) -> int:
        if not isinstance(i, int) or not 1 <= i <= self.m:
            raise IndexError(f"the examples count from 1 to {self.m}, got {i!r}")
        return i

    # The engine ------------------------------------------------------------------------------

    def _cost(self, i: int) -> Value:
        outputs, label = self._passes[i].a[-1], self._labels[i]
        if self._loss is None:
            cost: Any = _cross_entropy(outputs, label, i + 1)
        else:
            cost = self._loss(outputs[0] if len(outputs) == 1 else outputs, label)
        if not isinstance(cost, Value):
            raise TypeError(
                f"loss(outputs, label) must give one Value, got {cost!r} for example {i + 1}: "
                "compute it from the outputs with operators and micrograd's functions"
            )
        return _labelled(cost, f"cost{i + 1}")

    def _run_engine(self) -> None:
        """Run `backward()` for each of the three derivatives, and keep what it leaves in grad."""
        parameters = [w for layer in self._layers for unit in layer for w in unit.theta]
        with grads_kept([self.J]):
            _set_to_zero(parameters)
            self._after = [self._weight_grads()]
            self._delta, self._by_outputs = [], []
            for example, cost in zip(self._passes, self._costs):
                cost.backward()  # without zero_grad: the weights' grads are the accumulators
                self._delta.append(_grads(example.z))
                self._by_outputs.append(_grads(example.a)[-1])
                self._after.append(self._weight_grads())
            self._data_term.backward()
            self._averaged = [_grads(example.z) for example in self._passes]
            _set_to_zero(parameters)
            self.J.backward()
            self._D = self._weight_grads()

    def _weight_grads(self) -> list[Rows]:
        return [[[w.grad for w in unit.theta] for unit in layer] for layer in self._layers]

    # The course's formulas -------------------------------------------------------------------

    def _check(self) -> list[Check]:
        course = [self._course_delta(i) for i in range(self.m)]
        averaged = [[[self.m * g for g in row] for row in rows] for rows in self._averaged]
        steps: dict[Value, float] = {}
        for example, rows in zip(self._passes, course):
            for layer, inputs, of_layer in zip(self._layers, example.a, rows[1:]):
                for unit, delta in zip(layer, of_layer):
                    for w, x in zip(unit.theta, [1.0, *(a.data for a in inputs)]):
                        steps[w] = steps.get(w, 0.0) + delta * x
        averages = {w: number / self.m for w, number in steps.items()}
        for w in (w for layer in self._layers for unit in layer for w in unit.theta[1:]):
            averages[w] += self.lam / self.m * w.data
        rule, last = "Theta' * delta .* g'(z)", self.L
        start = f"a{last} - y" if self._loss is None else f"dcost/da{last} .* g'(z{last})"
        return [
            Check(
                "delta = dcost(i)/dz",
                "z.grad after cost(i).backward()",
                f"{start}, then {rule}",
                _difference(self._delta, course),
            ),
            Check(
                "delta again",
                "m * z.grad after backward() of the averaged costs",
                "delta",
                _difference(averaged, self._delta),
            ),
            Check(
                "Delta = sum of dcost(i)/dTheta",
                "w.grad after cost(i).backward() for every i, never set to 0",
                "sum of delta * [1; a]'",
                _difference(self._after[-1], self._by_weight(steps)),
            ),
            Check(
                "D = dJ/dTheta",
                "w.grad after J.backward()",
                "Delta / m + lambda / m * Theta",
                _difference(self._D, self._by_weight(averages)),
            ),
        ]

    def _by_weight(self, numbers: dict[Value, float]) -> list[Rows]:
        return [[[numbers[w] for w in unit.theta] for unit in layer] for layer in self._layers]

    def _course_delta(self, i: int) -> Rows:
        """The deltas of one example by the course's recursion, from the last layer down."""
        example, label = self._passes[i], self._labels[i]
        rows: Rows = [[a.data - y for a, y in zip(example.a[-1], label)]]
        if self._loss is not None:
            slopes = _slopes(self._layers[-1], example.z[-1])
            rows = [[slope * by_a for slope, by_a in zip(slopes, self._by_outputs[i])]]
        for level in range(len(self._layers) - 1, 0, -1):
            slopes = _slopes(self._layers[level - 1], example.z[level])
            above = list(zip(self._layers[level], rows[0]))
            rows.insert(
                0,
                [
                    sum(unit.theta[1 + j].data * delta for unit, delta in above) * slope
                    for j, slope in enumerate(slopes)
                ],
            )
        return [[], *rows]

    # What is shown ---------------------------------------------------------------------------

    def _name_matrices(self) -> None:
        last = self.L
        from_2 = f"superscripts go from 2 to {last}"
        self.a = BySuperscript(
            "a",
            {level: self._activations(level) for level in range(1, last + 1)},
            f"superscripts go from 1, the inputs, to {last}, the outputs",
        )
        self.z = BySuperscript(
            "z",
            {level: self._per_example("z", level) for level in range(2, last + 1)},
            f"layer 1 has no z, its a are the inputs themselves; {from_2}",
        )
        self.delta = BySuperscript(
            "delta",
            {level: self._per_example("delta", level) for level in range(2, last + 1)},
            "a delta is the derivative of the cost by a unit's z, and layer 1 has no z: its a are "
            f"the inputs, which are given and not computed from weights; {from_2}",
        )
        data = [[[w.data for w in unit.theta] for unit in layer] for layer in self._layers]
        values = [[unit.theta for unit in layer] for layer in self._layers]
        self.Theta = self._weights_by_superscript("Theta", data, values)
        self.Delta = self._weights_by_superscript("Delta", self._after[-1])
        self.D = self._weights_by_superscript("D", self._D)

    def _activations(self, level: int) -> Matrix:
        values = [example.a[level - 1] for example in self._passes]
        bias = [1.0] if level < self.L else []  # the outputs have no bias unit
        rows = [[*bias, *(a.data for a in row)] for row in values]
        return Matrix(
            f"a{level}", rows, rows_are="example", first_column=1 - len(bias), values=values
        )

    def _per_example(self, name: str, level: int) -> Matrix:
        values = [example.z[level - 1] for example in self._passes]
        if name == "delta":
            rows = [of_example[level - 1] for of_example in self._delta]
            return Matrix(f"delta{level}", rows, rows_are="example")
        rows = [[z.data for z in row] for row in values]
        return Matrix(f"z{level}", rows, rows_are="example", values=values)

    def _weights_by_superscript(
        self, name: str, numbers: list[Rows], values: list[list[list[Value]]] | None = None
    ) -> BySuperscript:
        matrices = {
            level: Matrix(
                f"{name}{level}",
                rows,
                rows_are="unit",
                first_column=0,
                values=values and values[level - 1],
            )
            for level, rows in enumerate(numbers, start=1)
        }
        missing = f"it belongs to the weights between two layers, so l goes from 1 to {self.L - 1}"
        return BySuperscript(name, matrices, missing)

    def sections(self) -> list[Section]:
        """The equations in the order of the algorithm, each with what it gives."""
        last = self.L
        forward = [
            Section(
                [
                    Equation(f"z[{level}] = Theta[{level - 1}] * [1; a[{level - 1}]]"),
                    Equation(f"a[{level}] = g(z[{level}])"),
                ],
                "",
                [self.a[level - 1], self.Theta[level - 1], self.z[level], self.a[level]],
            )
            for level in range(2, last + 1)
        ]
        hidden = [
            Section(
                [Equation(f"delta[{l}] = Theta[{l}]' * delta[{l + 1}] .* g'(z[{l}])")],
                f"Theta{l} is taken without its bias column here: the bias unit has no z.",
                [self.delta[l]],
            )
            for l in range(last - 1, 1, -1)
        ]
        accumulators = [
            Section(
                [Equation(f"Delta[{l}] = sum_i delta[{l + 1}] * [1; a[{l}]]'")],
                "The accumulator: each example adds the derivative of its own cost by each weight.",
                [self.Delta[l]],
            )
            for l in range(1, last)
        ]
        averages = [
            Section(
                [Equation(f"D[{l}] = (1/m) Delta[{l}] + (lambda/m) Theta[{l}]")],
                "The derivative of J, to step along; the second term leaves the bias column out.",
                [self.D[l]],
            )
            for l in range(1, last)
        ]
        return [
            self._cost_section(),
            *forward,
            self._output_section(),
            *hidden,
            *accumulators,
            *averages,
            self._check_section(),
        ]

    def _cost_section(self) -> Section:
        sizes = [len(self._layers[0][0].theta) - 1, *map(len, self._layers)]
        cost = "cost_i = loss(a[{0}], y)"
        if self._loss is None:
            cost = "cost_i = - sum_k ( y_k * log(a[{0}]_k) + (1 - y_k) * log(1 - a[{0}]_k) )"
        return Section(
            [
                Equation("J = (1/m) sum_i cost_i + (lambda/2m) sum Theta .* Theta"),
                Equation(cost.format(self.L)),
            ],
            f"A network of {'-'.join(map(str, sizes))} units, m = {self.m}, lambda = "
            f"{shown(self.lam)}: J = {shown(self.J.data)}. Biases are not regularised.",
            [
                Table(
                    "cost", ["example", "cost"], [[str(i), self.cost(i).data] for i in self._few()]
                )
            ],
        )

    def _few(self) -> range:
        return range(1, min(self.m, 10) + 1)

    def _output_section(self) -> Section:
        last = self.L
        if self._loss is None:
            equation = f"delta[{last}] = a[{last}] - y"
            words = (
                f"Why: delta is dcost/dz, which is dcost/da * g'(z). Here dcost/da = (a - y) / "
                "(a (1 - a)) and g'(z) = a (1 - a): what is below cancels, and a - y is left."
            )
        else:
            equation = f"delta[{last}] = dcost/da[{last}] .* g'(z[{last}])"
            words = "Why: delta is dcost/dz. With this loss it need not be a - y."
        return Section([Equation(equation)], words, [self.delta[last], self._factors()])

    def _factors(self) -> Table:
        """The two factors of the last layer's delta, in the first example."""
        outputs, slopes = self._passes[0].a[-1], _slopes(self._layers[-1], self._passes[0].z[-1])
        header = ["unit", "dcost/da", "g'(z)", "product", f"delta{self.L}", "a - y"]
        rows: list[list[Any]] = [
            [str(k), by_a, slope, by_a * slope, self.delta[self.L][1, k]]
            for k, (by_a, slope) in enumerate(zip(self._by_outputs[0], slopes), start=1)
        ]
        targets = _as_targets(self._labels[0], len(outputs))
        if targets is None:
            header = header[:-1]
        else:
            rows = [[*row, a.data - y] for row, a, y in zip(rows, outputs, targets)]
        return Table(f"The factors of delta{self.L} in example 1", header, rows[:10])

    def _check_section(self) -> Section:
        header = ["derivative", "run by the engine", "the course's formula", "largest difference"]
        words = "Three derivatives, each run by the engine and held against its formula:"
        return Section([], words, [Table("", header, self.checks)])

    def __str__(self) -> str:
        return "\n\n".join(section.text() for section in self.sections())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(section.html() for section in self.sections())

    def _repr_latex_(self) -> str:
        sections = [section.latex() for section in self.sections() if section.equations]
        return "\n\n".join(f"$$ {section} $$" for section in sections)


# The network, forward ----------------------------------------------------------------------------


def _forward(layers: list[list[Unit]], row: list[float]) -> Pass:
    """Compute every z and a of an example, recorded as a graph."""
    a = [[Value(x, label=f"a1_{j}") for j, x in enumerate(row, start=1)]]
    z: list[list[Value]] = [[]]
    for level, layer in enumerate(layers, start=2):
        sums: list[Value] = [sum(map(mul, unit.theta[1:], a[-1]), unit.theta[0]) for unit in layer]
        z.append([_labelled(v, f"z{level}_{k}") for k, v in enumerate(sums, start=1)])
        activated = [unit.activate(v) for unit, v in zip(layer, sums)]
        for k, (before, after) in enumerate(zip(sums, activated), start=1):
            if after is not before:
                after.label = f"a{level}_{k}"
        a.append(activated)
    return Pass(z, a)


def _cross_entropy(outputs: list[Value], targets: list[float], example: int) -> Value:
    """The course's cost of one example; of a term that y makes 0, no logarithm is taken."""
    terms: list[Any] = []
    for k, (a, y) in enumerate(zip(outputs, targets), start=1):
        if (y > 0 and not 0 < a.data <= 1) or (y < 1 and not 0 <= a.data < 1):
            raise ValueError(
                f"example {example}: the cross-entropy of output {k}, a = {a.data!r}, with y = "
                f"{y:g} is not a finite number. Outputs lie between 0 and 1 here, reached by "
                "neither: use a sigmoid, smaller weights, or give another loss"
            )
        if y == 1:
            terms.append(ops.log(a))
        elif y == 0:
            terms.append(ops.log(1 - a))
        else:
            terms.append(y * ops.log(a) + (1 - y) * ops.log(1 - a))
    cost: Value = -sum(terms[1:], terms[0])
    return cost


def _slopes(layer: list[Unit], z: list[Value]) -> list[float]:
    """The slope g'(z) of each unit's activation."""
    slopes = []
    for unit, v in zip(layer, z):
        alone = Value(v.data)
        unit.activate(alone).backward()
        slopes.append(alone.grad)
    return slopes


def _labelled(v: Value, label: str) -> Value:
    v.label = label
    return v


def _grads(layers: list[list[Value]]) -> Rows:
    return [[v.grad for v in layer] for layer in layers]


def _set_to_zero(values: Iterable[Value]) -> None:
    for v in values:
        v.grad = 0.0


def _difference(x: Any, y: Any) -> float:
    """The largest difference between numbers at the same place of nested lists."""
    if isinstance(x, float):
        return abs(x - y)
    return max((_difference(*pair) for pair in zip(x, y)), default=0.0)


# What the user gives -----------------------------------------------------------------------------


def _layers(model: Any) -> list[list[Unit]]:
    """The units of an MLP, or of matrices Theta."""
    if isinstance(model, MLP):
        layers = [
            [
                Unit([n.b, *n.w], n.activate, not n.nonlin or n.activation == "linear")
                for n in layer.neurons
            ]
            for layer in model.layers
        ]
    else:
        layers = [[Unit(row, ops.sigmoid, False) for row in theta] for theta in _thetas(model)]
    for level, layer in enumerate(layers, start=1):
        _check_theta(f"Theta{level}", layer, len(layers[level - 2]) if level > 1 else None)
    return layers


def _thetas(matrices: Any) -> list[list[list[Value]]]:
    try:
        return [
            [
                [x if isinstance(x, Value) else Value(x) for x in row]
                for row in (theta.tolist() if hasattr(theta, "tolist") else theta)
            ]
            for theta in matrices
        ]
    except TypeError as error:
        raise TypeError(
            f"the model is an nn.MLP or a list of matrices [Theta1, Theta2, ...], each with a row "
            f"per unit, the bias first; got {type(matrices).__name__} ({error})"
        ) from error


def _check_theta(name: str, layer: list[Unit], units_below: int | None) -> None:
    widths = {len(unit.theta) for unit in layer}
    if len(widths) != 1:
        raise ValueError(f"the rows of {name} differ in length: {sorted(widths)}")
    (width,) = widths
    if units_below is not None and width != units_below + 1:
        raise ValueError(
            f"{name} has {width} columns and the layer below has {units_below} units: it needs "
            f"{units_below + 1}, the bias first"
        )
    if any(w.parents for unit in layer for w in unit.theta):
        raise ValueError(
            f"a weight of {name} is computed from other Values, so its grad does not accumulate: "
            "give leaf Values or numbers"
        )


def _examples(X: Any, layers: list[list[Unit]]) -> list[list[float]]:  # noqa: N803
    """The rows of inputs as numbers."""
    width = len(layers[0][0].theta) - 1
    rows = []
    for i, row in enumerate(X.tolist() if hasattr(X, "tolist") else X, start=1):
        inputs = [to_float(x, f"an input of example {i}") for x in _as_list(row)]
        if len(inputs) != width:
            hint = "; leave the 1 of the bias out" if len(inputs) == width + 1 else ""
            raise ValueError(
                f"example {i} has {len(inputs)} inputs, the network takes {width}{hint}"
            )
        rows.append(inputs)
    if not rows:
        raise ValueError("X has no examples: give a row of inputs for each")
    return rows


def _targets(label: Any, units: int, example: int) -> list[float]:
    """The y of one example: as given, or a 1 in the place of its class."""
    given = _as_list(label)
    if len(given) == 1 and units > 1:
        if given[0] not in range(1, units + 1):
            raise ValueError(
                f"example {example} is of class {given[0]!r}: with {units} output units the "
                f"classes count from 1 to {units}, as in Octave"
            )
        return [float(k == given[0]) for k in range(1, units + 1)]
    targets = _as_targets(given, units)
    if targets is None or not all(0 <= y <= 1 for y in targets):
        raise ValueError(
            f"example {example} has the label {label!r}: give one number from 0 to 1 for each of "
            f"the {units} output units{', or a class' if units > 1 else ''}"
        )
    return targets


def _as_targets(label: Any, units: int) -> list[float] | None:
    """A label as one number per output unit, if it is that."""
    given = _as_list(label)
    if len(given) != units or not all(map(is_number, given)):
        return None
    return [float(y) for y in given]


def _as_list(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (Sequence, tuple)) and not isinstance(x, str) else [x]
