"""Worked examples that were published with their figures, to compare results with.

>>> example = mazur()
>>> hidden = example.model.layers[0](example.X[0])
>>> print(f"{hidden[0]:.9f}", example.published["h"][0])
0.593269992 0.593269992
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from micrograd import ops
from micrograd.losses import squared_error
from micrograd.nn import MLP, Neuron
from micrograd.value.numbers import is_number

Matrix = list[list[float]]


@dataclass(frozen=True)
class Example:
    """A published example: its network, its data, its published figures and their source.

    `model` is called on a row of `X`; `y` holds the labels, and is empty if there are none. `loss`
    is a function of one example's outputs and label; None means the cross-entropy of the course,
    as in `deltas`. `erratum` says which figure of the source is wrong, and why.

    >>> print(readme())
    The README's expression of two variables
    Source: Andrej Karpathy, micrograd (2020), README
    """

    name: str
    source: str
    model: Any
    X: Matrix
    y: Sequence[Any]
    published: dict[str, Any]
    loss: Any = None
    erratum: str = ""

    def cost(self, i: int) -> Any:
        """Return the cost of example i, from 1, recorded anew.

        >>> print(f"{ng_ex4().cost(1):.4f}")
        7.2083
        """
        outputs, label = self.model(self.X[i - 1]), self.y[i - 1]
        if self.loss is not None:
            return self.loss(outputs, label)
        from micrograd.explain.course.network import cross_entropy, targets_of

        outputs = outputs if isinstance(outputs, list) else [outputs]
        return cross_entropy(outputs, targets_of(label, len(outputs), i), i)

    def J(self, lam: float = 0.0) -> Any:  # noqa: N802 (the course's name)
        """Return the average cost of all examples, recorded anew; `lam` regularises the weights.

        >>> print(f"{ng_ex4().J():.5f} {ng_ex4().J(lam=4):.4f}")
        7.40697 19.4736
        """
        m = len(self.X)
        cost = sum(self.cost(i) for i in range(1, m + 1)) / m
        if lam:
            neurons = [neuron for layer in self.model.layers for neuron in layer.neurons]
            cost += lam / (2 * m) * sum(w * w for neuron in neurons for w in neuron.w)
        return cost

    def __repr__(self) -> str:
        erratum = f"\nErratum: {self.erratum}" if self.erratum else ""
        return f"{self.name}\nSource: {self.source}{erratum}"


_NG = "Andrew Ng, Machine Learning (Stanford University, Coursera, 2011)"
_LECTURE = (
    "Andrej Karpathy, The spelled-out intro to neural networks and backpropagation: "
    "building micrograd (2022)"
)


def ng_ex4() -> Example:
    """Return the check case of exercise 4: a 2-2-4 network of sigmoids, 3 examples, 4 classes.

    The weights are 0.1 to 1.8, column by column; `published` has J and D for lambda 0 and 4, the
    accumulators Delta (truncated to 3 decimals), and g' from the exercise's sigmoidGradient.

    >>> example = ng_ex4()
    >>> example.y, example.published["Delta"][1]
    ([4, 2, 3], [[2.298, -0.082, -0.074], [2.939, -0.107, -0.161]])
    """
    weights = [i / 10 for i in range(1, 19)]
    return Example(
        "Exercise 4, the small check case: 2-2-4, three examples",
        f"{_NG}, programming exercise 4, the check case posted with the course",
        _network([_by_columns(weights[:6], 2), _by_columns(weights[6:], 4)]),
        [[math.cos(i), math.cos(i + 1)] for i in (1, 3, 5)],
        [4, 2, 3],
        {
            "J": {0: 7.40697, 4: 19.4736},
            "Delta": {
                1: [[2.298, -0.082, -0.074], [2.939, -0.107, -0.161]],
                2: [
                    [2.650, 1.377, 1.435],
                    [1.706, 1.033, 1.106],
                    [1.754, 0.768, 0.779],
                    [1.794, 0.935, 0.966],
                ],
            },
            "D": {
                0: {
                    1: [[0.766138, -0.02754, -0.024929], [0.979897, -0.035844, -0.053862]],
                    2: [
                        [0.883417, 0.459314, 0.478337],
                        [0.568762, 0.344618, 0.36892],
                        [0.584668, 0.256313, 0.259771],
                        [0.598139, 0.311885, 0.322331],
                    ],
                },
                4: {
                    1: [[0.76614, 0.37246, 0.64174], [0.9799, 0.49749, 0.74614]],
                    2: [
                        [0.88342, 1.92598, 2.47834],
                        [0.56876, 1.94462, 2.50225],
                        [0.58467, 1.98965, 2.52644],
                        [0.59814, 2.17855, 2.72233],
                    ],
                },
            },
            "sigmoidGradient": {
                -1: 0.196612,
                -0.5: 0.235004,
                0: 0.25,
                0.5: 0.235004,
                1: 0.196612,
            },
        },
    )


def ng_check_nn_gradients() -> Example:
    """Return the course's checkNNGradients: a 3-5-3 network, five examples, sines as weights.

    `published` has J for lambda 0 and 3, and of D(1), unrolled column by column, the first ten
    numbers for lambda 0 and the sixth for lambda 3.

    >>> example = ng_check_nn_gradients()
    >>> print(f"{example.model(example.X[0])[0]:.6f}", example.y)
    0.514568 [2, 3, 1, 2, 3]
    """
    sines = [math.sin(i) / 10 for i in range(1, 21)]
    return Example(
        "checkNNGradients: 3-5-3, five examples",
        f"{_NG}, programming exercise 4, checkNNGradients.m",
        _network([_by_columns(sines, 5), _by_columns(sines[:18], 3)]),
        _by_columns(sines[:15], 5),
        [1 + i % 3 for i in range(1, 6)],
        {
            "J": {0: 2.10095, 3: 2.14636},
            "D_first_ten": [
                -0.0092782524,
                0.0088991196,
                -0.0083601076,
                0.0076281355,
                -0.0067479837,
                -0.0000030498,
                0.0000142869,
                -0.0000259383,
                0.0000369883,
                -0.0000468760,
            ],
            "D_sixth": {0: -0.0000030498, 3: -0.01676798},
        },
    )


_GATES = {"AND": [-30, 20, 20], "OR": [-10, 20, 20], "NOR": [10, -20, -20]}


def ng_logic_gate(name: str) -> Example:
    """Return a gate of sigmoid units: "AND", "OR", "NOR", or "XNOR", the OR of AND and NOR.

    Raises ValueError for another name.

    >>> gate = ng_logic_gate("XNOR")
    >>> [round(gate.model(x).data) for x in gate.X], gate.y
    ([1, 0, 0, 1], [1, 0, 0, 1])
    """
    truth = {"AND": [0, 0, 0, 1], "OR": [0, 1, 1, 1], "NOR": [1, 0, 0, 0], "XNOR": [1, 0, 0, 1]}
    if name not in truth:
        raise ValueError(f"the course has no gate {name!r}: ask for one of {', '.join(truth)}")
    thetas = (
        [[_GATES["AND"], _GATES["NOR"]], [_GATES["OR"]]] if name == "XNOR" else [[_GATES[name]]]
    )
    return Example(
        f"The logic gate {name}",
        f"{_NG}, Neural Networks: Representation, Examples and Intuitions",
        _network(thetas),
        [[0, 0], [0, 1], [1, 0], [1, 1]],
        truth[name],
        {"Theta": thetas},
    )


def mazur() -> Example:
    """Return Matt Mazur's example: 2-2-2 sigmoid units, squared error, one step of rate 0.5.

    His biases b1 and b2, each shared by two units, are not updated, so that it does not matter
    that each unit has its own here. `published` has the hidden units h, the outputs o, the error
    E, dE/dw5, and the weights and E after one step.

    >>> example = mazur()
    >>> outputs = example.model(example.X[0])
    >>> print(f"{example.loss(outputs, example.y[0]):.9f}", example.published["E"])
    0.298371109 0.298371109
    """
    return Example(
        "A step by step backpropagation example: 2-2-2, one example",
        "Matt Mazur, A Step by Step Backpropagation Example (2015), mattmazur.com",
        _network(
            [[[0.35, 0.15, 0.20], [0.35, 0.25, 0.30]], [[0.6, 0.40, 0.45], [0.6, 0.50, 0.55]]]
        ),
        [[0.05, 0.10]],
        [[0.01, 0.99]],
        {
            "h": [0.593269992, 0.596884378],
            "o": [0.75136507, 0.772928465],
            "E": 0.298371109,
            "dE_dw5": 0.082167041,
            "rate": 0.5,
            "w_after_one_step": [
                [[0.149780716, 0.19956143], [0.24975114, 0.29950229]],
                [[0.35891648, 0.408666186], [0.51130127, 0.561370121]],
            ],
            "E_after_one_step": 0.291027774,
        },
        half_squared_error,
        "the article prints 0.291027924 for E after the step; its own weights give 0.291027774",
    )


def nielsen_saturated() -> Example:
    """Return Nielsen's neuron that is badly wrong and learns slowly: it starts at w = b = 2.

    `published` has the output before and after 300 steps of rate 0.15.

    >>> example = nielsen_saturated()
    >>> print(f"{example.model(example.X[0]):.2f}", example.published["output_start"])
    0.98 0.98
    """
    return _nielsen("A saturated neuron learns slowly", 2.0, 2.0, start=0.98, end=0.20)


def nielsen_quick() -> Example:
    """Return Nielsen's neuron that learns quickly, to compare: it starts at w = 0.6, b = 0.9.

    >>> example = nielsen_quick()
    >>> print(f"{example.model(example.X[0]):.2f}", example.published["output_start"])
    0.82 0.82
    """
    return _nielsen("A neuron that learns quickly", 0.6, 0.9, start=0.82, end=0.09)


def lecture_expression() -> Example:
    """Return the lecture's first graph: L = (a*b + c) * f at a=2, b=-3, c=10, f=-2.

    `published` has L, the gradient, and L after 0.01 times the gradient is added to each leaf.

    >>> example = lecture_expression()
    >>> example.model(*example.X[0]), example.published["L"]
    (-8, -8)
    """
    return Example(
        "The lecture's expression L = (a*b + c) * f",
        _LECTURE,
        lambda a, b, c, f: (a * b + c) * f,
        [[2, -3, 10, -2]],
        [],
        {
            "L": -8,
            "grad": {"a": 6, "b": -4, "c": -2, "f": 4},
            "L_after_adding_0.01_times_grad": -7.286496,
        },
    )


def lecture_neuron() -> Example:
    """Return the lecture's neuron: o = tanh(x1*w1 + x2*w2 + b).

    `published` has the sum n, the output o and the derivatives of o.

    >>> example = lecture_neuron()
    >>> print(f"{example.model(example.X[0]):.4f}")
    0.7071
    """
    neuron = Neuron(2, activation="tanh")
    _set([neuron.b, *neuron.w], [6.881373587019543, -3.0, 1.0], ["b", "w1", "w2"])
    return Example(
        "The lecture's neuron o = tanh(x1*w1 + x2*w2 + b)",
        _LECTURE,
        neuron,
        [[2.0, 0.0]],
        [],
        {
            "n": 0.8813735870195432,
            "o": 0.7071067811865476,
            "grad": {"x1": -1.5, "w1": 1.0, "x2": 0.5, "w2": 0.0},
        },
    )


def readme() -> Example:
    """Return the example in the README of the original: g(a, b) at a=-4, b=2.

    >>> example = readme()
    >>> print(f"{example.model(*example.X[0]):.4f}", example.published["g"])
    24.7041 24.7041
    """

    def g(a: Any, b: Any) -> Any:
        c = 2 * (a + b) + 1
        c = 2 * c + 1 - a
        d = 3 * (a * b + b**3) + ops.relu(a + b)
        d = 4 * d + ops.relu(b - a)
        f = (c - d) ** 2
        return f / 2 + 10 / f

    return Example(
        "The README's expression of two variables",
        "Andrej Karpathy, micrograd (2020), README",
        g,
        [[-4.0, 2.0]],
        [],
        {"g": 24.7041, "grad": {"a": 138.8338, "b": 645.5773}},
    )


def half_squared_error(outputs: Any, targets: Any) -> Any:
    """Return half the sum of the squared errors, as Mazur and Nielsen define it.

    >>> half_squared_error([1.0, 2.0], [0.0, 4.0])
    2.5
    """
    pairs = zip(outputs, targets) if not is_number(targets) else [(outputs, targets)]
    return sum(squared_error(output, target) / 2 for output, target in pairs)


def _network(thetas: Sequence[Sequence[Sequence[float]]]) -> MLP:
    """Make the MLP of sigmoid units, also in the last layer, that has these matrices Theta.

    A row per unit, the bias first, as in the course; the label Theta1(2,0), say, is that of
    unit 2, column 0 (the bias), in the first matrix.
    """
    model = MLP(len(thetas[0][0]) - 1, [len(theta) for theta in thetas], activation="sigmoid")
    for level, (layer, theta) in enumerate(zip(model.layers, thetas), start=1):
        for unit, (neuron, row) in enumerate(zip(layer.neurons, theta), start=1):
            neuron.nonlin = True
            labels = [f"Theta{level}({unit},{column})" for column in range(len(row))]
            _set([neuron.b, *neuron.w], row, labels)
    return model


def _nielsen(name: str, w: float, b: float, *, start: float, end: float) -> Example:
    neuron = Neuron(1, activation="sigmoid")
    _set([neuron.b, *neuron.w], [b, w], ["b", "w"])
    return Example(
        name,
        "Michael Nielsen, Neural Networks and Deep Learning (2015), chapter 3",
        neuron,
        [[1.0]],
        [0.0],
        {"output_start": start, "output_end": end, "rate": 0.15, "steps": 300},
        half_squared_error,
    )


def _set(parameters: Sequence[Any], numbers: Sequence[float], labels: Sequence[str]) -> None:
    for p, number, label in zip(parameters, numbers, labels):
        p.data, p.label = number, label


def _by_columns(numbers: Sequence[float], rows: int) -> Matrix:
    """Fill a matrix column by column, as Octave's reshape does."""
    return [list(numbers[i::rows]) for i in range(rows)]
