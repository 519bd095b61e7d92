"""diagnose: planted faults are named; nothing is reported of healthy graphs."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from micrograd import Op, Value, exp, log, logsumexp, maximum, power, sqrt, toposort, where
from micrograd.explain import diagnose
from micrograd.explain.diagnosis import findings as kinds
from micrograd.explain.diagnosis.findings import Finding
from micrograd.explain.examples import ng_ex4
from micrograd.graph.scopes import source_lines
from micrograd.losses import hinge
from micrograd.nn import MLP, Layer, Module, Neuron
from micrograd.optim import SGD

X = [[0.5, -1.0], [-0.3, 0.8], [1.0, 1.0], [-0.7, -0.2]]
Y = [1, -1, 1, -1]


def leaf(number: float, label: str) -> Value:
    return Value(number, label=label)


IN_USE: list[Any] = []  # a scope knows its module as long as that is in use


@pytest.fixture(autouse=True)
def _same_weights_in_every_run() -> None:
    random.seed(7)


def loss_of(model: Any) -> Any:
    IN_USE.append(model)
    return sum(hinge(model(x), y) for x, y in zip(X, Y)) / len(X)


def healthy_model() -> MLP:
    """Make a model all of whose neurons are on for some example."""
    model = MLP(2, [3, 1])
    for neuron, weights in zip(model.layers[0].neurons, [(1.0, 0.5), (-1.0, 0.2), (0.3, -0.8)]):
        neuron.w[0].data, neuron.w[1].data = weights
        neuron.b.data = 0.1
    for w, number in zip(model.layers[1].neurons[0].w, [0.4, -0.5, 0.3]):
        w.data = number
    return model


# The faults. Each returns what to diagnose, what must be found first, and its first cause.

Fault = tuple[Any, str, Any]


def overflow() -> Fault:
    x = leaf(1e200, "x")
    cause = x * x
    root = (cause + 1).relu()
    root.backward()
    return root, kinds.INFINITY_FORWARD, cause


def infinity_minus_infinity() -> Fault:
    a, b = leaf(1e308, "a"), leaf(1e308, "b")
    cause = a + b  # the NaN comes later, and is but a symptom
    root = cause - cause * 2
    root.backward()
    return root, kinds.INFINITY_FORWARD, cause


def nan_in_the_data() -> Fault:
    w, x = leaf(1.0, "w"), leaf(math.nan, "x")
    root = (w * x).tanh() + w
    root.backward()
    return root, kinds.NAN_FORWARD, x


def infinite_weight() -> Fault:
    w = leaf(math.inf, "w")
    root = (w * 2).tanh()
    root.backward()
    return root, kinds.INFINITY_FORWARD, w


def nan_from_a_row_of_ones_own() -> Fault:
    broken = Op("broken", lambda x: math.nan, lambda x, out: 1.0)
    x = leaf(1.0, "x")
    cause = broken(x * 2)
    root = cause * 3 + x
    root.backward()
    return root, kinds.NAN_FORWARD, cause


def product_of_gradients_overflows() -> Fault:
    x = leaf(1e-200, "x")
    cause = x * 1e200
    root = cause * 1e200
    root.backward()
    return root, kinds.INFINITY_BACKWARD, cause


def local_derivative_is_nan() -> Fault:
    x, y = leaf(-2.0, "x"), leaf(3.0, "y")
    cause = power(x, y)
    root = cause + 1
    root.backward()
    return root, kinds.NAN_BACKWARD, cause


def sum_of_gradients_overflows() -> Fault:
    x = leaf(1e-10, "x")
    root = x * 1e308 + x * 1e308
    root.backward()
    return root, kinds.INFINITY_BACKWARD, root.parents[0]


def numbers_of_a_node_are_infinite() -> Fault:
    x = leaf(1.0, "x")
    cause = Value.node(2.0, (x,), [math.inf], "mine")
    root = cause * 3
    root.backward()
    return root, kinds.INFINITY_BACKWARD, cause


def no_derivative() -> Fault:
    x = leaf(0.0, "x")
    cause = sqrt(x)
    return cause + x, kinds.NO_DERIVATIVE, cause


def leaf_changed_after_recording() -> Fault:
    w, b = leaf(2.0, "w"), leaf(1.0, "b")
    root = (w * 3 + b).tanh() * 4
    root.backward()
    w.data -= 0.1
    return root, kinds.STALE, w


def parameters_updated_after_recording() -> Fault:
    model = healthy_model()
    loss = loss_of(model)
    loss.backward()
    SGD(model.parameters(), lr=0.1).step()
    return loss, kinds.STALE, None


def interior_data_changed() -> Fault:
    x = leaf(2.0, "x")
    node = x * 3
    root = node.tanh() + x
    root.backward()
    node.data = 1.0
    return root, kinds.STALE, node


def backward_was_not_run() -> Fault:
    root = leaf(2.0, "x") * 3
    return root, kinds.NOT_RUN, root


def backward_was_run_elsewhere() -> Fault:
    x = leaf(2.0, "x")
    (x * x).backward()
    root = x * 3
    return root, kinds.NOT_RUN, root


def grads_were_not_zeroed() -> Fault:
    x = leaf(2.0, "x")
    for _ in range(2):
        root = x * x
        root.backward()
    return root, kinds.NOT_ZEROED, x


def a_loop_without_zero_grad() -> Fault:
    model = healthy_model()
    for _ in range(2):
        loss = loss_of(model)
        loss.backward()
    return loss, kinds.NOT_ZEROED, None


def dead_neuron() -> Fault:
    model = healthy_model()
    model.layers[0].neurons[1].b.data = -100.0
    loss = loss_of(model)
    loss.backward()
    return loss, kinds.DEAD_RELU, None


def dead_neuron_by_hand() -> Fault:
    w, b, v = leaf(1.0, "w"), leaf(-50.0, "b"), leaf(2.0, "v")
    root = sum((w * x + b).relu() + (v * x).relu() for x, _ in X)
    root.backward()  # type: ignore[union-attr]
    return root, kinds.DEAD_RELU, None


def only_relu_is_off() -> Fault:
    x = leaf(-3.0, "x")
    cause = (x * 2).relu()
    root = cause + 1
    root.backward()
    return root, kinds.DEAD_RELU, cause


def behind_stop_gradient() -> Fault:
    w, x = leaf(2.0, "w"), leaf(1.0, "x")
    root = w.stop_gradient() * x
    root.backward()
    return root, kinds.NO_DEPENDENCE, w


def only_in_a_comparison() -> Fault:
    x, threshold = leaf(2.0, "x"), leaf(1.0, "threshold")
    root = where(x.less(threshold), x, 2 * x)
    root.backward()
    return root, kinds.NO_DEPENDENCE, threshold


class Skips(Module):
    def __init__(self) -> None:
        self.first, self.second = Layer(2, 2, activation="tanh"), Layer(2, 1, activation="tanh")

    def __call__(self, x: Any) -> Any:
        return sum(self.first(x))


def unused_layer() -> Fault:
    model = Skips()
    loss = loss_of(model)
    loss.backward()
    return loss, kinds.NO_DEPENDENCE, model.second.neurons[0].w[0]


def update_that_made_a_new_value() -> Fault:
    neuron = Neuron(2, activation="tanh")
    loss_of(neuron).backward()
    neuron.b = neuron.b - 0.1 * neuron.b.grad
    loss = loss_of(neuron)
    neuron.zero_grad()
    loss.backward()
    return loss, kinds.INTERIOR_PARAMETER, neuron.b


class Scaled(Module):
    def __init__(self) -> None:
        self.w = [Value(0.5) * 0.1, Value(0.7) * 0.1]


def scaled_initial_weights() -> Fault:
    model = Scaled()
    return model, kinds.INTERIOR_PARAMETER, model.w[0]


def nan_in_a_model() -> Fault:
    model = healthy_model()
    loss_of(model).backward()
    model.layers[0].neurons[2].w[1].data = math.nan
    return model, kinds.NAN_FORWARD, model.layers[0].neurons[2].w[1]


def infinite_grad_in_a_model() -> Fault:
    model = healthy_model()
    loss_of(model).backward()
    model.layers[1].neurons[0].b.grad = math.inf
    return model, kinds.INFINITY_BACKWARD, model.layers[1].neurons[0].b


def model_before_backward() -> Fault:
    return healthy_model(), kinds.NOT_RUN, None


def model_with_a_dead_neuron() -> Fault:
    loss_model = healthy_model()
    loss_model.layers[0].neurons[0].b.data = -100.0
    loss_of(loss_model).backward()
    return loss_model, kinds.DEAD_RELU, loss_model.layers[0].neurons[0].b


FAULTS = [
    overflow,
    infinity_minus_infinity,
    nan_in_the_data,
    infinite_weight,
    nan_from_a_row_of_ones_own,
    product_of_gradients_overflows,
    local_derivative_is_nan,
    sum_of_gradients_overflows,
    numbers_of_a_node_are_infinite,
    no_derivative,
    leaf_changed_after_recording,
    parameters_updated_after_recording,
    interior_data_changed,
    backward_was_not_run,
    backward_was_run_elsewhere,
    grads_were_not_zeroed,
    a_loop_without_zero_grad,
    dead_neuron,
    dead_neuron_by_hand,
    only_relu_is_off,
    behind_stop_gradient,
    only_in_a_comparison,
    unused_layer,
    update_that_made_a_new_value,
    scaled_initial_weights,
    nan_in_a_model,
    infinite_grad_in_a_model,
    model_before_backward,
    model_with_a_dead_neuron,
]


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_named(plant: Callable[[], Fault]) -> None:
    subject, kind, cause = plant()
    report = diagnose(subject)
    assert [finding.kind for finding in report.data] == [kind], report
    if cause is not None:
        assert report.data[0].node is cause
    assert kind in str(report)
    assert kind in report._repr_html_()


def hinged() -> Value:
    """Build a sum of hinges of which one is off, on inputs that are Values: no ReLU is dead."""
    w, v = leaf(1.0, "w"), leaf(2.0, "v")
    inputs = [(Value(3.0), Value(1.0)), (Value(0.1), Value(-0.1))]
    total: Value = sum((1 - (w * x + v * z) * x).relu() for x, z in inputs)  # type: ignore[assignment]
    return total


def healthy() -> list[Any]:
    """Build graphs after backward(), and a model, in which nothing is wrong."""
    x, y = leaf(2.0, "x"), leaf(-1.0, "y")
    example = ng_ex4()
    cost = sum(-log(a) for row in example.X for a in example.model(row))
    model = healthy_model()
    loss = loss_of(model)
    single = Neuron(2, activation="relu")
    single.b.data = 5.0
    roots = [
        x * y + x,
        x - x,
        y.relu() + x.relu() * x,  # a ReLU that is off for one input is no fault
        where(x.less(1.0), x, x * y),
        maximum(x, 0.0) + exp(-(y * y)),
        x**0 + y,
        cost,
        loss,
        single(X[0]),
        hinged(),
    ]
    for root in roots:
        for v in toposort(root):
            v.grad = 0.0
    return [*roots, model]


@pytest.mark.parametrize("number", range(11))
def test_of_a_healthy_graph_nothing_is_said(number: int) -> None:
    subject = healthy()[number]
    (loss_of(subject) if isinstance(subject, Module) else subject).backward()
    report = diagnose(subject)
    assert report.data == [], report
    assert "nothing wrong" in str(report)
    assert "nothing wrong" in report._repr_html_()


def test_a_training_loop_is_healthy() -> None:
    model = healthy_model()
    optimizer = SGD(model.parameters(), lr=0.01)
    for _ in range(3):
        loss = loss_of(model)
        optimizer.zero_grad()
        loss.backward()
        assert diagnose(loss).data == []
        assert diagnose(model).data == []
        optimizer.step()


def test_the_path_leads_from_the_cause_to_the_output() -> None:
    x, w = leaf(1e200, "x"), leaf(1.0, "w")
    cause = x * x
    middle = cause + w
    root = middle * 2
    finding = diagnose(root).data[0]
    assert finding.path == [cause, middle, root]
    assert "x * x is inf, of operands that are finite" in finding.text
    backward = leaf(1e-200, "y")
    inner = backward * 1.0
    outer = inner * 1e200
    root = outer * 1e200
    finding = diagnose(root).data[0]
    assert (finding.node, finding.path) == (outer, [inner, backward])
    assert "1e+200 times the gradient that arrived, 1e+200" in finding.text


def test_the_leaf_that_was_changed_is_named() -> None:
    root, _, w = leaf_changed_after_recording()
    finding = diagnose(root).data[0]
    assert finding.node is w
    assert finding.text == (
        "w was changed after the graph was recorded: w * 3 is 6 there, and 5.7 now"
    )
    assert "outdated with it" in str(finding)


def test_a_long_path_is_shortened() -> None:
    v = Value(1e200) * 1e200
    for _ in range(50):
        v = v + 1
    assert "(45 more)" in str(diagnose(v))


def test_the_line_of_code_is_shown() -> None:
    x = leaf(1e200, "x")
    with source_lines():
        cause = x * x  # the line that is to blame
    finding = diagnose(cause + 1).data[0]
    assert finding.line is not None
    assert finding.line[0] == __file__
    assert "test_diagnosis.py, line" in str(finding)
    assert "cause = x * x  # the line that is to blame" in str(finding)
    assert diagnose(x * x).data[0].line is None


def test_several_causes_are_counted() -> None:
    x = leaf(1e200, "x")
    assert "1 other cause besides" in diagnose(x * x + x * x).data[0].text


def test_names_of_a_model_are_used() -> None:
    loss, _, _ = dead_neuron()
    assert diagnose(loss).data[0].text.startswith("layers[0].neurons[1]: off in all 4 uses")
    loss, _, _ = unused_layer()
    assert diagnose(loss).data[0].text == (
        "second.neurons[0].w[0], second.neurons[0].w[1], second.neurons[0].b: "
        "not used in this graph"
    )


def test_a_model_that_is_gone_leaves_its_scopes() -> None:
    loss, kind, _ = dead_neuron()
    IN_USE.clear()
    (finding,) = diagnose(loss).data
    assert (finding.kind, finding.text[:30]) == (kind, "MLP/Layer/Neuron: off in all 4")


def test_grads_that_were_zeroed_after_the_pass() -> None:
    x = leaf(2.0, "x")
    root = x * 3
    root.backward()
    x.grad = 0.0
    (finding,) = diagnose(root).data
    assert (finding.kind, "after it" in finding.text) == (kinds.NOT_RUN, True)


def test_a_node_without_a_rule() -> None:
    x = leaf(2.0, "x")
    root = Value(4.0, (x,), "square") + 1
    with pytest.raises(TypeError, match="reaches no leaf"):
        root.backward()
    assert [f.kind for f in diagnose(root).data] == [kinds.NOT_RUN, kinds.NO_DEPENDENCE]


def test_a_closure_is_taken_as_it_is() -> None:
    x = leaf(2.0, "x")
    out = Value(6.0, (x,))

    def backward() -> None:
        x.grad += math.inf * out.grad

    out._backward = backward
    root = out + 1
    root.backward()
    (finding,) = diagnose(root).data
    assert (finding.kind, finding.node) == (kinds.INFINITY_BACKWARD, out)
    assert "the gradient that arrived, 1: inf" in finding.text


def test_nothing_is_changed() -> None:
    for plant in FAULTS:
        subject = plant()[0]
        if isinstance(subject, Value):
            before = [str(v) for v in toposort(subject)]
            diagnose(subject)
            assert [str(v) for v in toposort(subject)] == before


def test_cached_results_are_no_parameters() -> None:
    model = healthy_model()
    loss = loss_of(model)
    loss.backward()
    model.last = loss  # type: ignore[attr-defined]
    assert diagnose(model).data == []


def test_numbers_within_an_operation_of_many_operands_are_nobodys_leaves() -> None:
    root = logsumexp([Value(2.0), Value(1.0)])
    root.backward()
    assert diagnose(root).data == []


def test_what_cannot_be_diagnosed() -> None:
    with pytest.raises(TypeError, match="or a Module is needed"):
        diagnose([Value(1.0)])  # type: ignore[arg-type]


def test_a_finding_has_names_for_programs() -> None:
    (finding,) = diagnose(leaf(2.0, "x") * 3).data
    assert isinstance(finding, Finding)
    assert finding._fields == ("kind", "node", "text", "advice", "path")
