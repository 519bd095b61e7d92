"""Published worked networks, with the figures as they were printed (tests/known/networks.json)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from conftest import known

from micrograd import Value, exp, log, sigmoid, tanh
from micrograd.losses import binary_cross_entropy, squared_error
from micrograd.nn import MLP, Layer, Neuron
from micrograd.optim import SGD

NETWORKS = known("networks.json")

Example = tuple[list[float], int]  # the inputs and the number of the right class, from 1


def printed(expected: Any, decimals: int) -> Any:
    """Equal to what was printed with so many decimals."""
    return pytest.approx(expected, rel=0, abs=0.5000001 * 10**-decimals)


def truncated(number: float, decimals: int) -> float:
    scale = 10.0**decimals
    return math.trunc(number * scale) / scale


def set_data(parameters: Sequence[Value], numbers: Sequence[float]) -> None:
    assert len(parameters) == len(numbers)
    for p, number in zip(parameters, numbers):
        p.data = number


def data_of(values: Sequence[Value]) -> list[float]:
    return [v.data for v in values]


def grads_of(values: Sequence[Value]) -> list[float]:
    return [v.grad for v in values]


# Andrew Ng, exercise 4: sigmoid units, cross-entropy, regularised weights -----------------------


def thetas(model: MLP) -> list[list[list[Value]]]:
    """The matrices Theta1 and Theta2: a row per neuron, its bias first."""
    return [[[n.b, *n.w] for n in layer.neurons] for layer in model.layers]


def by_columns(rows: list[list[Any]]) -> list[Any]:
    return [x for column in zip(*rows) for x in column]


def unrolled(model: MLP) -> list[Value]:
    """The parameters in the order of the exercise: each matrix by columns."""
    return [p for theta in thetas(model) for p in by_columns(theta)]


def example_cost(model: MLP, x: list[float], label: int) -> Any:
    """The cross-entropy of all outputs for one example; labels count from 1."""
    return sum(binary_cross_entropy(z, k == label) for k, z in enumerate(model(x), start=1))


def cost(model: MLP, examples: list[Example], strength: float) -> Any:
    m = len(examples)
    weights = [w for layer in model.layers for n in layer.neurons for w in n.w]
    return sum(example_cost(model, x, label) for x, label in examples) / m + strength / (
        2 * m
    ) * sum(w * w for w in weights)


def small_check() -> tuple[MLP, list[Example]]:
    """The network and the examples of the small check case."""
    model = MLP(2, [2, 4], activation="sigmoid")
    set_data(unrolled(model), [i / 10 for i in range(1, 19)])
    rows = [[math.cos(i) for i in row] for row in ([1, 2], [3, 4], [5, 6])]
    return model, list(zip(rows, [4, 2, 3]))


def sines(rows: int, columns: int) -> list[list[float]]:
    """The numbers sin(1), sin(2), ... over 10, as a matrix filled by columns."""
    return [[math.sin(1 + i + j * rows) / 10 for j in range(columns)] for i in range(rows)]


def check_nn_gradients() -> tuple[MLP, list[Example]]:
    """The network and the examples of checkNNGradients."""
    model = MLP(3, [5, 3], activation="sigmoid")
    set_data(unrolled(model), by_columns(sines(5, 4)) + by_columns(sines(3, 6)))
    return model, list(zip(sines(5, 3), [1 + i % 3 for i in range(1, 6)]))


@pytest.mark.parametrize(("strength", "decimals"), [(0, 6), (4, 5)])
def test_ng_exercise_4_cost_and_gradient(strength: int, decimals: int) -> None:
    published = NETWORKS["ng_ex4_small"][f"lambda_{strength}"]
    model, examples = small_check()
    j = cost(model, examples, strength)
    j.backward()
    assert j.data == pytest.approx(published["J"], rel=1e-14)
    assert grads_of(unrolled(model)) == printed(published["grad"], decimals)


def test_ng_exercise_4_accumulators_are_the_grads_of_examples_added_up() -> None:
    published = NETWORKS["ng_ex4_small"]["accumulators_truncated_to_3_decimals"]
    model, examples = small_check()
    for x, label in examples:
        example_cost(model, x, label).backward()  # without zero_grad
    for theta, name in zip(thetas(model), ["Delta1", "Delta2"]):
        assert [[truncated(p.grad, 3) for p in row] for row in theta] == published[name]


def test_ng_check_nn_gradients() -> None:
    published = NETWORKS["ng_check_nn_gradients"]["lambda_0"]
    model, examples = check_nn_gradients()
    j = cost(model, examples, 0)
    j.backward()
    assert j.data == pytest.approx(published["J"], rel=1e-14)
    first_ten = grads_of(unrolled(model))[:10]
    # The first five are printed with 10 decimals, the others, of the order 1e-5, with 10 as well.
    assert first_ten == printed(published["grad_first_10_published"], 10)


def test_ng_check_nn_gradients_regularised() -> None:
    published = NETWORKS["ng_check_nn_gradients"]["lambda_3"]
    model, examples = check_nn_gradients()
    j = cost(model, examples, 3)
    j.backward()
    assert j.data == pytest.approx(published["J"], rel=1e-14)
    assert unrolled(model)[5].grad == printed(published["grad_6th_published"], 8)


def test_ng_sigmoid_gradient() -> None:
    published = NETWORKS["ng_sigmoid_gradient"]
    zs = [Value(z) for z in published["z"]]
    for z in zs:
        z.sigmoid().backward()
    assert grads_of(zs) == printed(published["g_prime"], 6)


GATES = NETWORKS["ng_logic_gates"]
TRUTH = [(0, 0), (0, 1), (1, 0), (1, 1)]


def gate(name: str) -> Neuron:
    neuron = Neuron(2, activation="sigmoid")
    set_data([neuron.b, *neuron.w], GATES[name])
    return neuron


@pytest.mark.parametrize(
    ("name", "answers"),
    [("AND", [0, 0, 0, 1]), ("OR", [0, 1, 1, 1]), ("NOR", [1, 0, 0, 0])],
)
def test_ng_logic_gates(name: str, answers: Any) -> None:
    assert [gate(name)(inputs).data for inputs in TRUTH] == pytest.approx(answers, abs=1e-4)


def test_ng_xnor_is_or_of_and_and_nor() -> None:
    hidden, out = Layer(2, 2), gate("OR")
    hidden.neurons = [gate("AND"), gate("NOR")]
    answers = [out(hidden(inputs)).data for inputs in TRUTH]
    assert answers == pytest.approx([1, 0, 0, 1], abs=1e-4)


# Matt Mazur's step ------------------------------------------------------------------------------


class Mazur:
    """His network of 2-2-2 sigmoid units; the two units of a layer share their bias."""

    def __init__(self) -> None:
        self.figures = NETWORKS["mazur"]
        self.layers = [Layer(2, 2, activation="sigmoid") for _ in range(2)]
        for layer, bias in zip(self.layers, map(Value, self.figures["b1_b2"])):
            for neuron in layer.neurons:
                neuron.b = bias
        neurons = [neuron for layer in self.layers for neuron in layer.neurons]
        self.weights = [w for neuron in neurons for w in neuron.w]
        set_data(self.weights, self.figures["w1_to_w8"])

    def forward(self) -> tuple[list[Value], list[Value]]:
        hidden = self.layers[0](self.figures["x"])
        return hidden, self.layers[1](hidden)

    def error(self) -> Any:
        _, outputs = self.forward()
        return sum(squared_error(o, t) / 2 for o, t in zip(outputs, self.figures["t"]))


def test_mazur_forward() -> None:
    network = Mazur()
    hidden, outputs = network.forward()
    assert data_of(hidden) == printed(network.figures["h"], 9)
    assert data_of(outputs) == printed(network.figures["o"], 9)
    assert network.error().data == printed(network.figures["E"], 9)


def test_mazur_backward_and_one_step() -> None:
    network = Mazur()
    network.error().backward()
    assert network.weights[4].grad == printed(network.figures["dE_dw5"], 9)
    SGD(network.weights, lr=0.5).step()  # the biases stay
    assert data_of(network.weights) == printed(network.figures["w_after_one_step"], 8)
    assert network.error().data == pytest.approx(network.figures["E_after_one_step"], rel=1e-14)


# The original's lecture and README --------------------------------------------------------------


def leaves(numbers: dict[str, float]) -> dict[str, Value]:
    return {name: Value(number, label=name) for name, number in numbers.items()}


def test_lecture_expression_and_a_step_along_its_gradient() -> None:
    published = NETWORKS["karpathy_lecture_expression"]
    v = leaves(published["at"])

    def expression() -> Value:
        return (v["a"] * v["b"] + v["c"]) * v["f"]

    out = expression()
    out.backward()
    assert out.data == published["L"]
    assert {name: x.grad for name, x in v.items()} == published["grad"]
    for x in v.values():
        x.data += 0.01 * x.grad
    assert expression().data == pytest.approx(published["L_after_adding_0.01_times_grad"])


def tanh_by_exp(n: Value) -> Value:
    """As the lecture takes it apart."""
    e = (2 * n).exp()
    return (e - 1) / (e + 1)


@pytest.mark.parametrize("activation", [tanh, tanh_by_exp])
def test_lecture_neuron(activation: Any) -> None:
    published = NETWORKS["karpathy_neuron"]
    v = leaves(published["at"])
    n = v["x1"] * v["w1"] + v["x2"] * v["w2"] + v["b"]
    o = activation(n)
    o.backward()
    assert n.data == pytest.approx(published["n"], rel=1e-15)
    assert o.data == pytest.approx(published["o"], rel=1e-15)
    for name, slope in published["grad"].items():
        assert v[name].grad == pytest.approx(slope, rel=1e-14)


def twice(a: Value) -> Value:
    return a + a


@pytest.mark.parametrize(
    ("case", "function", "at"),
    [
        ("b=a+a at a=3", lambda a: {"b": twice(a)}, {"a": 3}),
        (
            "d=a*b,e=a+b,f=d*e at a=-2,b=3",
            lambda a, b: {"f": (a * b) * (a + b)},
            {"a": -2, "b": 3},
        ),
        ("a=1;b=a+a;c=b+b", lambda a: {"c": twice(twice(a))}, {"a": 1}),
    ],
)
def test_shared_nodes_add_up_what_every_way_brings(
    case: str, function: Callable[..., dict[str, Value]], at: dict[str, float]
) -> None:
    variables = leaves(at)
    ((name, out),) = function(**variables).items()
    out.backward()
    found = {name: out.data} | {f"{leaf}.grad": v.grad for leaf, v in variables.items()}
    published = NETWORKS["shared_node"][case]
    assert {key: found[key] for key in published} == published


def test_readme_example_of_the_original() -> None:
    published = NETWORKS["micrograd_readme"]
    a, b = Value(-4), Value(2)
    c = 2 * (a + b) + 1
    c = 2 * c + 1 - a
    d = 3 * (a * b + b**3) + (a + b).relu()
    d = 4 * d + (b - a).relu()
    f = (c - d) ** 2
    g = f / 2 + 10 / f
    g.backward()
    assert g.data == pytest.approx(published["g"], rel=1e-15)
    assert a.grad == pytest.approx(published["a.grad"], rel=1e-14)
    assert b.grad == pytest.approx(published["b.grad"], rel=1e-14)


def test_sanity_check_of_the_original() -> None:
    published = NETWORKS["micrograd_sanity"]
    x = Value(-4)
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    y = (z * z).relu() + q + q * x
    y.backward()
    assert (y.data, x.grad) == (published["y"], published["x.grad"])


def test_softmax_exercise_from_exp_and_log() -> None:
    logits = [Value(z) for z in (0, 3, -2, 1)]
    exps = [exp(z) for z in logits]
    (-log(exps[3] / sum(exps))).backward()
    published = NETWORKS["softmax_exercise"]["grad"]
    assert grads_of(logits) == pytest.approx(published, rel=1e-14)


# Nielsen's saturated neuron ---------------------------------------------------------------------


@pytest.mark.parametrize(("w", "b"), [(0.6, 0.9), (2, 2)])
def test_nielsen_a_saturated_neuron_learns_slowly(w: Any, b: Any) -> None:
    start = f"w={w},b={b}".replace("0.", ".")
    published = NETWORKS["nielsen_saturation"][start]
    weight, bias = Value(w), Value(b)
    optimizer = SGD([weight, bias], lr=0.15)
    outputs = []
    for _ in range(301):
        output = sigmoid(weight * 1.0 + bias)
        outputs.append(output.data)
        optimizer.zero_grad()
        (squared_error(output, 0.0) / 2).backward()
        optimizer.step()
    assert outputs[0] == printed(published["output_start"], 2)
    assert outputs[-1] == printed(published["output_end"], 2)
