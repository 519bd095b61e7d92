"""Backpropagation as Andrew Ng's course writes it down, run by the engine and checked against it.

Three derivatives are easily confused, and are kept apart here. With cost(i) the cost of example i
alone: delta is the derivative of cost(i) with respect to a z; the accumulator Delta adds up, over
the examples, the derivatives of cost(i) with respect to a weight; D is the derivative of J.
Source: Andrew Ng, Machine Learning (Coursera, 2011), Neural Networks: Learning.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd import ops
from micrograd.engine import Value
from micrograd.explain.course import sections
from micrograd.explain.course.by_hand import ByHand, told, written
from micrograd.explain.course.derivatives import ByEngine, ByProgram, Check
from micrograd.explain.course.network import Network, examples_of, network_of, targets_of
from micrograd.explain.course.notation import BySuperscript, Matrix, Section, entry
from micrograd.explain.course.recording import Loss, Recording
from micrograd.value.numbers import to_float
from micrograd.value.words.calls import called_as

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micrograd.draw import Stepper

    Array = NDArray[np.float64]

# Weights times examples that are recorded one by one, in about 500 bytes each. More than these are
# computed by a program, and single examples are recorded when they are asked for.
MOST_RECORDED = 200_000

# Steps of a page that `Deltas.stepper` allows: an example of the course's digits has 63,000.
MOST_STEPS = 100_000


@called_as("deltas(Theta, X, y)")
def deltas(
    model: Any,
    X: Any,  # noqa: N803
    Y: Any,  # noqa: N803
    lam: float = 0.0,
    loss: Loss | None = None,
) -> Deltas:
    """Run backpropagation and lay it out as the course's table: a, z, delta, Delta, D and J.

    `model` is an MLP, or a list of matrices Theta for a network of sigmoids: a row per unit, the
    bias first. `X` has a row of inputs per example, without the 1 of the bias. `Y` has a row of
    targets per example, or its class from 1 to K; for one output unit, its label from 0 to 1.
    `lam` is the lambda of the regularisation. Without a `loss`, J is the course's: the
    cross-entropy of sigmoid outputs (a linear last layer gets its sigmoid here), averaged over the
    m examples, plus lam/(2m) times the sum of the squared weights, biases left out. Otherwise
    `loss(outputs, label)` returns one example's cost from what the last layer returns (a single
    Value if it has one unit) and its row or element of `Y`. All grads are left as they were;
    weights without a label get the course's name, such as "Theta1(3,7)".

    Few examples are recorded as graphs; if weights times examples are more than 200,000, J is
    computed by a program, which needs sigmoid units and the course's cost. Raises ValueError if
    that is not so, if model, `X` and `Y` do not fit each other, a number is not finite or `lam` is
    negative; TypeError for what is no model, no number or no loss.

    >>> from micrograd import examples
    >>> example = examples.ng_ex4()
    >>> found = deltas(example.model, example.X, example.y)
    >>> print(f"{found.J:.5f} {found.delta[3][1, 1]:.3f} {found.Delta[1][1, 1]:.3f}")
    7.40697 0.889 -0.083
    """
    network = network_of(model, sigmoid_outputs=loss is None)
    inputs = examples_of(X, network, model)
    if not hasattr(Y, "__iter__"):
        raise TypeError(f"Y has a label for each example; got {Y!r}")
    labels = [label.tolist() if hasattr(label, "tolist") else label for label in Y]
    if len(labels) != len(inputs):
        raise ValueError(f"X has {len(inputs)} examples and Y has {len(labels)}: give one row each")
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
    return Deltas(Recording(network, inputs, labels, loss), strength)


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
    """The result of `deltas`, indexed by the superscripts of the course.

    With L layers: `.a[1]` to `.a[L]`, `.z[2]` to `.z[L]`, `.delta[2]` to `.delta[L]` have a row
    per example; `.Theta`, `.Delta`, `.D`, from 1 to L-1, have a row per unit of the next layer
    and the bias in column 0, which is Octave's column 1. `.delta[3][1, 2]` is one number of them:
    example 1, unit 2. `.J` and `.cost(i)` are Values, and so are `.z[3].value(1, 2)` and the like.
    `.checks` compares the derivatives that the engine found with the course's formulas.

    >>> from micrograd import examples
    >>> example = examples.ng_logic_gate("AND")
    >>> found = deltas(example.model, example.X, example.y)
    >>> print(f"{found.delta[2][4, 1]:.6f} {found.z[2].value(4, 1)}")
    -0.000045 Value(data=10.0, grad=0.0, label='z2(1)', op='+')
    """

    lam: float
    m: int

    def __init__(self, recording: Recording, lam: float) -> None:
        network = recording.network
        self.m, self.L, self.lam = len(recording), len(network.units) + 1, lam
        self.recording = recording
        self._found = _by_program(recording, lam) or ByEngine(recording, lam)
        self.J: Value = self._found.J
        self._set_tables()

    @property
    def checks(self) -> list[Check]:
        """The three derivatives, run by the engine, against the course's formulas."""
        return self._found.checks

    def cost(self, i: int) -> Value:
        """Return the cost of example i, from 1, as a Value with its graph.

        >>> print(f"{deltas([[[0.0, 1.0]]], [[0.0]], [1]).cost(1):.6f}")
        0.693147
        """
        return self.recording.cost(self._place(i, 1))

    def after(self, i: int) -> Accumulated:
        """Return the accumulators after examples 1 to i; after 0 they are zeros.

        >>> found = deltas([[[0.0, 1.0]]], [[0.0], [2.0]], [1, 0])
        >>> found.after(0).Delta[1][1], found.after(1).Delta[1][1]
        ([0.0, 0.0], [-0.5, 0.0])
        """
        return Accumulated(self._per_weight("Delta", self._found.after(self._place(i, 0))))

    def by_hand(self, example: int) -> ByHand:
        """Write example i, from 1, out as by hand: each z, a, delta, Delta and D in one line.

        >>> found = deltas([[[0.0, 1.0]], [[0.0, 2.0]]], [[2.0]], [1])
        >>> print(found.by_hand(1).data[6].lines[0])
        delta2(1) = (-2*0.1466) * 0.105 = -0.03078
        """
        self._place(example, 1)
        return written(self, example)

    def slopes(self, i: int, layer: int) -> list[float]:
        """Return the g'(z) of a layer, from 2, in example i.

        >>> deltas([[[0.0, 1.0]]], [[0.0]], [1]).slopes(1, 2)
        [0.25]
        """
        found: list[float] = self._found.slopes[layer - 2][self._place(i, 1)].tolist()
        return found

    def stepper(self, example: int, limit: int = MOST_STEPS) -> Stepper:
        """Play example i, from 1, forward and backward in the stepper, folded by layer.

        It tells what `by_hand` writes: layer by layer, a moment per delta, then Delta, then D. The
        box of a layer shows its a and z, their deltas, its Theta, and what this example adds to the
        accumulator Delta; it opens down to every single `+=`. `limit` is the most steps that the
        page may have, as in `draw.stepper`.

        >>> played = deltas([[[0.0, 1.0]]], [[2.0]], [1]).stepper(1)
        >>> print(str(played).splitlines()[-5])
        Delta1(1,1) += -0.1192 * 2 = -0.2384: 0 becomes -0.2384
        """
        from micrograd.draw import stepper  # pictures load when they are asked for

        place = self._place(example, 1)
        network, passed = self.recording.network, self.recording.passed(place)
        cost = self.recording.cost(place)
        names: dict[Any, str] = {cost: "cost"}
        gradients: dict[Value, str] = {}
        for level, rows in enumerate(passed.a, start=1):
            names.update((v, entry(f"a{level}", k)) for k, v in enumerate(rows, start=1))
        for level, (layer, z) in enumerate(zip(network.layers, passed.z[1:]), start=1):
            names[layer] = f"layer {level + 1}"
            for k, (unit, v) in enumerate(zip(network.units[level - 1], z), start=1):
                names[unit] = f"unit {k}"
                names[v] = entry(f"z{level + 1}", k)
                gradients[v] = entry(f"delta{level + 1}", k)
                for j, w in enumerate(unit.theta):
                    names[w] = entry(f"Theta{level}", k, j)
                    gradients[w] = entry(f"Delta{level}", k, j)
        played = stepper(cost, fold="Layer, cost", names=names, gradients=gradients, limit=limit)
        played.story = told(self, example)
        return played

    @property
    def data(self) -> dict[str, Any]:
        """Everything as plain numbers and lists."""
        names = ("a", "z", "delta", "Theta", "Delta", "D")
        tables: dict[str, BySuperscript] = {name: getattr(self, name) for name in names}
        return {
            "J": self.J.data,
            "cost": self.costs,
            **{
                name: {level: m.rows for level, m in table.items()}
                for name, table in tables.items()
            },
        }

    @property
    def costs(self) -> list[float]:
        """The cost of each example, as numbers."""
        return self._found.costs

    def output_factors(self, i: int) -> list[tuple[float, float]]:
        """Return dcost/da and g'(z) of each output unit, in example i.

        >>> deltas([[[0.0, 1.0]]], [[0.0]], [1]).output_factors(1)
        [(-2.0, 0.25)]
        """
        by_outputs = self._found.by_outputs[self._place(i, 1)].tolist()
        return list(zip(by_outputs, self.slopes(i, self.L)))

    def sections(self) -> list[Section]:
        """Return the equations in the order of the algorithm, each with the numbers it yields.

        >>> found = deltas([[[0.0, 1.0]]], [[0.0]], [1])
        >>> [section.equations[0].text() for section in found.sections()[1:4]]
        ['z2 = Theta1 * [1; a1]', 'delta2 = a2 - y', "Delta1 = sum_i delta2 * [1; a1]'"]
        """
        return sections.sections_of(self)

    def _place(self, i: int, first: int) -> int:
        if i not in range(first, self.m + 1):
            raise IndexError(f"the examples count from {first} to {self.m} here, got {i!r}")
        return i - first

    def _set_tables(self) -> None:
        last, units = self.L, self.recording.network.units
        a = [self._activations(level) for level in range(1, last + 1)]
        z = [
            Matrix(
                f"z{level}",
                self._found.z[level - 2],
                rows_are="example",
                values=lambda i, level=level: self.recording.passed(i).z[level - 1],  # type: ignore[misc]
            )
            for level in range(2, last + 1)
        ]
        delta = [
            Matrix(f"delta{level}", self._found.delta[level - 2], rows_are="example")
            for level in range(2, last + 1)
        ]
        self.a: BySuperscript = BySuperscript("a", 1, a, f"layers go from 1, the inputs, to {last}")
        upward = f"layers go from 2 to {last} here"
        self.z: BySuperscript = BySuperscript(
            "z", 2, z, upward, f"{upward}; the a of layer 1 are the inputs, not g(z)"
        )
        self.delta: BySuperscript = BySuperscript(
            "delta",
            2,
            delta,
            upward,
            "a delta is the derivative of the cost with respect to a unit's z, and layer 1 has no "
            f"z: its a are the inputs, given and not computed from weights. L{upward[1:]}",
        )
        thetas = [[unit.theta for unit in layer] for layer in units]
        numbers = [np.array([[w.data for w in row] for row in theta]) for theta in thetas]
        self.Theta: BySuperscript = self._per_weight("Theta", numbers, thetas)
        self.Delta: BySuperscript = self._per_weight("Delta", self._found.after(self.m))
        self.D = self._per_weight("D", self._found.D)

    def _activations(self, level: int) -> Matrix:
        numbers = self._found.a[level - 1]
        bias = level < self.L  # outputs have no bias unit
        return Matrix(
            f"a{level}",
            np.column_stack([np.ones(self.m), numbers]) if bias else numbers,
            rows_are="example",
            first_column=0 if bias else 1,
            values=lambda i: self.recording.passed(i).a[level - 1],
        )

    def _per_weight(
        self, name: str, numbers: list[Array], values: list[list[list[Value]]] | None = None
    ) -> BySuperscript:
        matrices = [
            Matrix(
                f"{name}{level}",
                rows,
                rows_are="unit",
                first_column=0,
                values=None if values is None else values[level - 1].__getitem__,
            )
            for level, rows in enumerate(numbers, start=1)
        ]
        missing = f"it belongs to the weights from layer l to l + 1, l from 1 to {self.L - 1}"
        return BySuperscript(name, 1, matrices, missing)

    def __str__(self) -> str:
        return "\n\n".join(section.text() for section in self.sections())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(section.html() for section in self.sections())

    def _repr_latex_(self) -> str:
        sections = [section.latex() for section in self.sections() if section.equations]
        return "\n\n".join(f"$$ {section} $$" for section in sections)


def _by_program(recording: Recording, lam: float) -> ByProgram | None:
    """Compute many examples by a program; None if they are few, ValueError if that cannot be."""
    weights = sum(len(unit.theta) for units in recording.network.units for unit in units)
    if weights * len(recording) <= MOST_RECORDED:
        return None
    if recording.loss is None and _only_sigmoids(recording.network):
        return ByProgram(recording, lam)
    few = max(1, MOST_RECORDED // weights)
    raise ValueError(
        f"{len(recording):,} examples through {weights:,} weights would fill about "
        f"{weights * len(recording) * 500 / 1e9:.1f} GB as graphs. Only a network of sigmoids with "
        f"the course's cost is computed without them: give fewer examples, such as X[:{few}] and "
        f"Y[:{few}]"
    )


def _only_sigmoids(network: Network) -> bool:
    return all(unit.g is ops.sigmoid for units in network.units for unit in units)
