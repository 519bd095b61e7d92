"""Published worked networks, with the figures as they were printed (tests/known/networks.json)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from conftest import known

from micrograd import Value, examples, exp, log, tanh
from micrograd.explain.examples import Example
from micrograd.nn import MLP
from micrograd.optim import SGD

NETWORKS = known("networks.json")


def printed(expected: Any, decimals: int) -> Any:
    """Check that a number equals what was printed with so many decimals."""
    return pytest.approx(expected, rel=0, abs=0.5000001 * 10**-decimals)


def truncated(number: float, decimals: int) -> float:
    scale = 10.0**decimals
    return math.trunc(number * scale) / scale


def data_of(values: Sequence[Value]) -> list[float]:
    return [v.data for v in values]


def grads_of(values: Sequence[Value]) -> list[float]:
    return [v.grad for v in values]


# The examples say what was published ------------------------------------------------------------


def by_columns(rows: list[list[Any]]) -> list[Any]:
    return [x for column in zip(*rows) for x in column]


def test_examples_hold_the_figures_as_published() -> None:
    ng, published = examples.ng_ex4().published, NETWORKS["ng_ex4_small"]
    for strength in (0, 4):
        figures = published[f"lambda_{strength}"]
        assert (
            by_columns(ng["D"][strength][1]) + by_columns(ng["D"][strength][2]) == (figures["grad"])
        )
        assert ng["J"][strength] == float(f"{figures['J']:.6g}")
    accumulators = published["accumulators_truncated_to_3_decimals"]
    assert {f"Delta{level}": rows for level, rows in ng["Delta"].items()} == accumulators
    slopes = NETWORKS["ng_sigmoid_gradient"]
    assert list(ng["sigmoidGradient"].items()) == list(zip(slopes["z"], slopes["g_prime"]))

    check, published = examples.ng_check_nn_gradients().published, NETWORKS["ng_check_nn_gradients"]
    assert check["D_first_ten"] == published["lambda_0"]["grad_first_10_published"]
    assert check["D_sixth"][3] == published["lambda_3"]["grad_6th_published"]
    for strength in (0, 3):
        assert check["J"][strength] == float(f"{published[f'lambda_{strength}']['J']:.6g}")


def test_other_examples_hold_the_figures_as_published() -> None:
    mazur, published = examples.mazur(), NETWORKS["mazur"]
    for name in ("h", "o", "E", "dE_dw5"):
        assert mazur.published[name] == published[name]
    stepped = [w for rows in mazur.published["w_after_one_step"] for row in rows for w in row]
    assert stepped == published["w_after_one_step"]
    assert mazur.published["E_after_one_step"] == round(published["E_after_one_step"], 9)
    assert "0.291027924" in mazur.erratum
    assert ".291027924" in published["erratum"]
    for name in ("AND", "OR", "NOR"):
        theta = examples.ng_logic_gate(name).published["Theta"]
        assert theta == [[NETWORKS["ng_logic_gates"][name]]]
    expression = examples.lecture_expression().published
    published = NETWORKS["karpathy_lecture_expression"]
    assert expression == {name: published[name] for name in expression}
    neuron, published = examples.lecture_neuron().published, NETWORKS["karpathy_neuron"]
    assert neuron == {name: published[name] for name in neuron}
    for neuron, start in [
        (examples.nielsen_quick().published, "w=.6,b=.9"),
        (examples.nielsen_saturated().published, "w=2,b=2"),
    ]:
        published = NETWORKS["nielsen_saturation"][start]
        assert {name: neuron[name] for name in published} == published


def test_an_example_says_where_it_stands_and_what_is_wrong_there() -> None:
    text = repr(examples.mazur())
    assert "Matt Mazur" in text
    assert "Erratum: the article prints 0.291027924" in text
    assert "Erratum" not in repr(examples.ng_ex4())


# Andrew Ng, exercise 4: sigmoid units, cross-entropy, regularised weights -----------------------


def thetas(model: MLP) -> list[list[list[Value]]]:
    """Return the matrices Theta1 and Theta2: a row per neuron, its bias first."""
    return [[[n.b, *n.w] for n in layer.neurons] for layer in model.layers]


def unrolled(model: MLP) -> list[Value]:
    """List the parameters in the order of the exercise: each matrix by columns."""
    return [p for theta in thetas(model) for p in by_columns(theta)]


def example_cost(model: MLP, x: list[float], label: int) -> Any:
    """Return the cross-entropy of all outputs for one example; labels count from 1."""
    return -sum(log(h if k == label else 1 - h) for k, h in enumerate(model(x), start=1))


def cost(example: Example, strength: float) -> Any:
    m = len(example.X)
    weights = [w for layer in example.model.layers for n in layer.neurons for w in n.w]
    costs = [example_cost(example.model, x, label) for x, label in zip(example.X, example.y)]
    return sum(costs) / m + strength / (2 * m) * sum(w * w for w in weights)


@pytest.mark.parametrize(("strength", "decimals"), [(0, 6), (4, 5)])
def test_ng_exercise_4_cost_and_gradient(strength: int, decimals: int) -> None:
    published = NETWORKS["ng_ex4_small"][f"lambda_{strength}"]
    example = examples.ng_ex4()
    j = cost(example, strength)
    j.backward()
    assert j.data == pytest.approx(published["J"], rel=1e-14)
    assert grads_of(unrolled(example.model)) == printed(published["grad"], decimals)


def test_ng_exercise_4_accumulators_are_the_grads_of_examples_added_up() -> None:
    example = examples.ng_ex4()
    for x, label in zip(example.X, example.y):
        example_cost(example.model, x, label).backward()  # without zero_grad
    for level, theta in enumerate(thetas(example.model), start=1):
        accumulated = [[truncated(p.grad, 3) for p in row] for row in theta]
        assert accumulated == example.published["Delta"][level]


def test_ng_check_nn_gradients() -> None:
    published = NETWORKS["ng_check_nn_gradients"]["lambda_0"]
    example = examples.ng_check_nn_gradients()
    j = cost(example, 0)
    j.backward()
    assert j.data == pytest.approx(published["J"], rel=1e-14)
    first_ten = grads_of(unrolled(example.model))[:10]
    # The first five are printed with 10 decimals, the others, of the order 1e-5, with 10 as well.
    assert first_ten == printed(example.published["D_first_ten"], 10)


def test_ng_check_nn_gradients_regularised() -> None:
    published = NETWORKS["ng_check_nn_gradients"]["lambda_3"]
    example = examples.ng_check_nn_gradients()
    j = cost(example, 3)
    j.backward()
    assert j.data == pytest.approx(published["J"], rel=1e-14)
    assert unrolled(example.model)[5].grad == printed(example.published["D_sixth"][3], 8)


def test_ng_sigmoid_gradient() -> None:
    for z, slope in examples.ng_ex4().published["sigmoidGradient"].items():
        v = Value(z)
        v.sigmoid().backward()
        assert v.grad == printed(slope, 6)


@pytest.mark.parametrize("name", ["AND", "OR", "NOR", "XNOR"])
def test_ng_logic_gates(name: str) -> None:
    gate = examples.ng_logic_gate(name)
    assert [gate.model(x).data for x in gate.X] == pytest.approx(gate.y, abs=1e-4)


def test_a_gate_that_the_course_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="no gate 'XOR': ask for one of AND, OR, NOR, XNOR"):
        examples.ng_logic_gate("XOR")


# Matt Mazur's step ------------------------------------------------------------------------------


def test_mazur_forward() -> None:
    example = examples.mazur()
    hidden = example.model.layers[0](example.X[0])
    outputs = example.model(example.X[0])
    assert data_of(hidden) == printed(example.published["h"], 9)
    assert data_of(outputs) == printed(example.published["o"], 9)
    assert example.loss(outputs, example.y[0]).data == printed(example.published["E"], 9)


def test_mazur_backward_and_one_step() -> None:
    example = examples.mazur()
    example.loss(example.model(example.X[0]), example.y[0]).backward()
    layers = [[neuron.w for neuron in layer.neurons] for layer in example.model.layers]
    assert layers[1][0][0].grad == printed(example.published["dE_dw5"], 9)
    weights = [w for layer in layers for unit in layer for w in unit]
    SGD(weights, lr=example.published["rate"]).step()  # the biases stay
    stepped = [[data_of(unit) for unit in layer] for layer in layers]
    for layer, published in zip(stepped, example.published["w_after_one_step"]):
        for unit, numbers in zip(layer, published):
            assert unit == printed(numbers, 8)
    error = example.loss(example.model(example.X[0]), example.y[0])
    assert error.data == pytest.approx(NETWORKS["mazur"]["E_after_one_step"], rel=1e-14)
    assert error.data == printed(example.published["E_after_one_step"], 9)


# The original's lecture and README --------------------------------------------------------------


def leaves(numbers: dict[str, float]) -> dict[str, Value]:
    return {name: Value(number, label=name) for name, number in numbers.items()}


def test_lecture_expression_and_a_step_along_its_gradient() -> None:
    example = examples.lecture_expression()
    published = example.published
    v = leaves(dict(zip("abcf", example.X[0])))

    def expression() -> Any:
        return example.model(*v.values())

    out = expression()
    out.backward()
    assert out.data == published["L"]
    assert {name: x.grad for name, x in v.items()} == published["grad"]
    for x in v.values():
        x.data += 0.01 * x.grad
    assert expression().data == pytest.approx(published["L_after_adding_0.01_times_grad"])


def tanh_by_exp(n: Value) -> Value:
    """Build tanh from exp, as the lecture does."""
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


def test_lecture_neuron_as_a_neuron() -> None:
    example = examples.lecture_neuron()
    x1, x2 = map(Value, example.X[0])
    o = example.model([x1, x2])
    o.backward()
    assert o.data == pytest.approx(example.published["o"], rel=1e-15)
    w1, w2 = example.model.w
    found = {"x1": x1.grad, "w1": w1.grad, "x2": x2.grad, "w2": w2.grad}
    assert found == pytest.approx(example.published["grad"], rel=1e-14)


def test_readme_example_of_the_original() -> None:
    published = NETWORKS["micrograd_readme"]
    example = examples.readme()
    a, b = map(Value, example.X[0])
    g = example.model(a, b)
    g.backward()
    assert g.data == pytest.approx(published["g"], rel=1e-15)
    assert a.grad == pytest.approx(published["a.grad"], rel=1e-14)
    assert b.grad == pytest.approx(published["b.grad"], rel=1e-14)
    assert g.data == printed(example.published["g"], 4)
    assert {"a": a.grad, "b": b.grad} == printed(example.published["grad"], 4)


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


@pytest.mark.parametrize("example", [examples.nielsen_quick(), examples.nielsen_saturated()])
def test_nielsen_a_saturated_neuron_learns_slowly(example: Example) -> None:
    optimizer = SGD(example.model.parameters(), lr=example.published["rate"])
    outputs = []
    for _ in range(example.published["steps"] + 1):
        output = example.model(example.X[0])
        outputs.append(output.data)
        optimizer.zero_grad()
        example.loss(output, example.y[0]).backward()
        optimizer.step()
    assert outputs[0] == printed(example.published["output_start"], 2)
    assert outputs[-1] == printed(example.published["output_end"], 2)
