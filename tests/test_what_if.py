"""What derivatives predict beside what happens: nudge and step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd import Op, Value, exp, grad, log, minimum, sqrt, stop_gradient, toposort
from micrograd.explain import nudge, step
from micrograd.explain.examples import mazur, ng_ex4
from micrograd.explain.what_if.descent import _directions
from micrograd.explain.what_if.reevaluate import Reevaluation
from micrograd.graph.steps import totals
from micrograd.nn import MLP, Layer, Module, Neuron

mpl.use("agg")


def course() -> tuple[MLP, Callable[[], Any]]:
    """Build the check case of the course, and its cost J."""
    example = ng_ex4()

    def cost() -> Any:
        outputs = [
            (a, k == y)
            for x, y in zip(example.X, example.y)
            for k, a in enumerate(example.model(x), 1)
        ]
        return sum(-log(a) if right else -log(1 - a) for a, right in outputs) / len(example.X)

    return example.model, cost


def example_cost() -> tuple[list[Value], list[Value], Value]:
    """Return z2, z3 and the cost of the course's first example."""
    example = ng_ex4()
    hidden = [
        sum((w * x for w, x in zip(n.w, example.X[0])), n.b)
        for n in example.model.layers[0].neurons
    ]
    a2 = [z.sigmoid() for z in hidden]
    z3 = [sum((w * a for w, a in zip(n.w, a2)), n.b) for n in example.model.layers[1].neurons]
    terms = [
        -z.sigmoid().log() if k == 4 else -(1 - z.sigmoid()).log() for k, z in enumerate(z3, 1)
    ]
    return hidden, z3, sum(terms[1:], terms[0])


def state(root: Value) -> list[tuple[float, float]]:
    return [(v.data, v.grad) for v in toposort(root)]


# nudge -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_call", [False, True])
def test_one_weight_of_the_course(by_call: bool) -> None:
    model, cost = course()
    found = nudge(model.layers[0].neurons[0].b, cost if by_call else cost())
    assert f"{found.before:.5f} {found.slope:.6f}" == "7.40697 0.766138"
    by, predicted, real = found.data[0]
    assert (by, f"{predicted:.8f}", f"{real:.8f}") == (0.01, "0.00766138", "0.00766141")
    _, predicted, real = nudge(model.layers[0].neurons[0].b, cost(), by=1).data[0]
    assert (f"{predicted:.3f}", f"{real:.3f}") == ("0.766", "0.717")


def test_deltas_of_the_course_by_nudging() -> None:
    z2, z3, cost = example_cost()
    assert [round(nudge(z, cost).slope, 3) for z in z3] == [0.889, 0.907, 0.923, -0.063]
    confirmed = nudge(z2[0], cost, by=1e-5).data[0]
    assert (
        f"{confirmed.real / confirmed.by:.4f} {confirmed.predicted / confirmed.by:.4f}"
        == "0.7939 0.7939"
    )


@given(st.lists(st.floats(-2, 2), min_size=3, max_size=3), st.sampled_from([0.01, -0.02]))
def test_the_error_shrinks_with_the_square_of_the_nudge(numbers: list[float], by: float) -> None:
    x, y, z = map(Value, numbers)
    inner = x * y + z.tanh()
    output = (inner * inner + x).sigmoid() * y + exp(inner)
    for v in (x, y, z, inner):
        found = nudge(v, output, by)
        assert found.slope == pytest.approx(totals(output)[v], rel=1e-12, abs=1e-15)
        for h, predicted, real in found.data:  # Taylor: half the second derivative times h squared
            assert abs(real - predicted) <= 2000 * h * h + 1e-12 * (1 + abs(output.data))


def test_nothing_is_changed() -> None:
    x = Value(3.0)
    inner = x * 2
    output = inner.sqrt() + x
    output.backward()
    before = state(output)
    nudge(inner, output)
    nudge(x, lambda: sqrt(x * 2) + x)
    assert state(output) == before
    with pytest.raises(ValueError, match="sqrt"):
        nudge(inner, output, by=-20)
    with pytest.raises(ValueError, match="sqrt"):
        nudge(x, lambda: sqrt(x * 2) + x, by=-20)
    assert state(output) == before


def test_a_function_decides_anew_at_every_call() -> None:
    x = Value(1.0)
    found = nudge(x, lambda: x * x if x.data < 1.05 else 10 * x, by=0.1)
    assert found.data[0].real == pytest.approx(10)
    assert found.data[1].real == pytest.approx(0.0201)


def test_a_closure_on_the_way_asks_for_a_function() -> None:
    x = Value(2.0)

    def double() -> Value:
        out = Value(2 * x.data, (x,))

        def backward() -> None:
            x.grad += 2 * out.grad

        out._backward = backward
        return out

    with pytest.raises(TypeError, match=r"assigned by hand.*pass a function"):
        nudge(x, double() * 3)
    found = nudge(x, lambda: double() * 3)
    assert found.slope == 6.0
    assert found.data[0].real == pytest.approx(0.06)


def test_a_node_of_numbers_asks_for_a_function() -> None:
    x = Value(2.0)
    node = Value.node(4.0, (x,), [4.0], "square")
    with pytest.raises(TypeError, match=r"Value\.node.*pass a function"):
        nudge(x, node + 1)
    assert nudge(node, node + 1).data[0].real == pytest.approx(0.01)


def test_a_row_of_ones_own_and_the_output_itself() -> None:
    cube = Op("cube", lambda x: x**3, lambda x, out: 3 * x * x)
    x = Value(2.0)
    output = cube(x)
    assert nudge(x, output, by=1).data[0] == (1.0, 12.0, 19.0)
    assert nudge(output, output, by=1).data[0] == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("output", "words"),
    [(lambda x: x.relu(), "kink"), (lambda x: stop_gradient(x) + 1, "stop_gradient")],
)
def test_what_no_nudge_predicts_is_said(output: Callable[[Value], Value], words: str) -> None:
    x = Value(0.0)
    assert words in str(nudge(x, output(x)))
    assert "better the prediction" in str(nudge(x, x + 1))


def test_what_cannot_be_nudged() -> None:
    x = Value(2.0)
    output = x * x
    with pytest.raises(ValueError, match="was not computed from"):
        nudge(Value(2.0), output)
    with pytest.raises(ValueError, match=r"makes .* anew"):
        nudge(x * 1, lambda: x * x)
    with pytest.raises(ValueError, match="does not move"):
        nudge(x, output, by=0)
    with pytest.raises(TypeError, match="must return a Value"):
        nudge(x, lambda: 3.0)  # type: ignore[arg-type,return-value]
    with pytest.raises(TypeError, match="or a function"):
        nudge(x, 3.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="nudged is a Value"):
        nudge(3.0, output)  # type: ignore[arg-type]
    x.data = 3.0
    with pytest.raises(ValueError, match=r"changed after .* was recorded"):
        nudge(x, output)


def test_a_parameter_is_called_by_its_path() -> None:
    model = MLP(2, [2, 1], activation="tanh")
    w = model.layers[0].neurons[1].w[0]
    for output in (model([1.0, 2.0]), lambda: model([1.0, 2.0])):
        found = nudge(w, output)
        assert str(found).startswith("Nudging layers[0].neurons[1].w[0]: how")
        assert found.plot().get_xlabel() == "layers[0].neurons[1].w[0]"
    w.label = "w"
    assert str(nudge(w, model([1.0, 2.0]))).startswith("Nudging w: how")


def test_the_picture_of_a_nudge() -> None:
    x = Value(0.5, label="x")
    for output in (x.log(), lambda: log(x)):
        axes = nudge(x, output).plot()
        curve, tangent, point = axes.lines
        assert math.isnan(curve.get_ydata()[0])  # the logarithm of a negative number
        assert curve.get_ydata()[-1] == pytest.approx(math.log(2.5))
        assert tangent.get_ydata()[-1] == pytest.approx(math.log(0.5) + 2 * 2)
        assert (point.get_xdata()[0], axes.get_xlabel()) == (0.5, "x")
    late = nudge(x, lambda: log(x))
    x.data = 1.0
    with pytest.raises(RuntimeError, match="nudge again"):
        late.plot()
    mpl.pyplot.close("all")


# step --------------------------------------------------------------------------------------------


def test_a_step_of_the_course() -> None:
    model, cost = course()
    before = [p.data for p in model.parameters()]
    found = step(model, cost, rate=1)
    assert [(m.name, f"{m.real:.3f}") for m in found.layers] == [
        ("layers[0]", "5.971"),
        ("layers[1]", "4.819"),
        ("all", "3.967"),
    ]
    assert [f"{m.real:.2f}" for m in found.rates if m.rate == 20] == ["10.78"]
    assert "Too large: at rate 20" in str(found)
    short = step(model, cost, rate=0.1 / found.slope)
    assert short.layers[-1].length == pytest.approx(0.1)
    assert f"{short.layers[-1].real - short.before:.3f}" == "-0.208"
    assert len(short.random) == 1000
    assert 450 <= sum(change > 0 for change in short.random) <= 550
    assert -0.15 < min(short.random) < -0.12
    assert short.random == step(model, cost, rate=0.1 / found.slope).random
    assert [p.data for p in model.parameters()] == before
    assert all(p.grad == 0 for p in model.parameters())


@pytest.mark.long
def test_a_thousand_steps_of_the_course() -> None:
    model, cost = course()
    assert len(model.parameters()) + 1 == 19  # forward passes, to nudge each weight once
    for _ in range(1000):
        loss = cost()
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= p.grad
    assert f"{cost():.4f}" == "0.0226"


def test_one_step_of_mazur() -> None:
    example = mazur()

    def error() -> Any:
        return example.loss(example.model(example.X[0]), example.y[0])

    w5 = example.model.layers[1].neurons[0].w[0]
    found = nudge(w5, error)
    assert f"{found.slope:.6f} {w5.data - 0.5 * found.slope:.6f}" == "0.082167 0.358916"


def test_the_two_ways_to_the_random_directions_agree() -> None:
    model = MLP(2, [3, 2], activation="tanh")

    def loss() -> Any:
        return sum(
            (z * z).softplus() + minimum(z, 0.5) ** 2 + (z < 5) * z for z in model([0.5, -1.0])
        )

    def by_hand() -> Any:
        total = loss()
        out = Value(total.data, (total,))

        def backward() -> None:
            total.grad += out.grad

        out._backward = backward
        return out

    one, other = step(model, loss, 0.3), step(model, by_hand, 0.3)
    assert one.random == pytest.approx(other.random, rel=1e-9, abs=1e-12)
    assert [m.real for m in one.rates] == pytest.approx([m.real for m in other.rates], rel=1e-9)


@pytest.mark.parametrize("core_reads", [lambda v: v, lambda v: v.data])
@pytest.mark.parametrize("at", [7.0, 5.75, 14.0])
def test_each_figure_of_a_loss_with_an_if_is_what_it_gives(core_reads: Any, at: float) -> None:
    w, v = Value(3.0), Value(2.0)

    def loss() -> Value:
        return w * w + v if core_reads(w * v) < at else 40 - w * w - v

    found = step([w, v], loss, rate=0.5)
    places = np.array([[3.0], [2.0]]) + _directions(2, 0.5 * found.slope)
    for place, change in zip(places.T, found.random):
        w.data, v.data = place.tolist()
        assert change == pytest.approx(loss().data - found.before, rel=1e-9, abs=1e-9)
    w.data, v.data = 3.0, 2.0
    slopes = grad(loss(), [w, v])
    for move in found.rates:
        w.data, v.data = 3.0 - move.rate * slopes[0].data, 2.0 - move.rate * slopes[1].data
        assert move.real == pytest.approx(loss().data)


def test_a_loss_with_an_if_is_called_for_every_step() -> None:
    w = Value(1.0)
    found = step([w], lambda: w * w if w.data > 0 else w * 0 + 5.0, rate=1.0)
    assert [m.real for m in found.rates if m.rate in (0.1, 1.0)] == [pytest.approx(0.64), 5.0]
    assert set(found.random) == {4.0, 8.0}


def test_a_step_out_of_the_domain_counts_as_infinite() -> None:
    w = Value(1.0)
    found = step([w], lambda: -log(w) + w * w, rate=2.0)
    assert found.layers[-1].real == math.inf
    assert "inf" in str(found)
    assert w.data == 1.0


def groups_of(parameters: Any) -> list[str]:
    def loss() -> Any:
        leaves = parameters.parameters() if isinstance(parameters, Module) else flat(parameters)
        return sum(p * p for p in leaves)

    return [move.name for move in step(parameters, loss, 0.1).layers]


def flat(part: Any) -> list[Value]:
    if isinstance(part, Value):
        return [part]
    if isinstance(part, Module):
        return part.parameters()
    return [p for x in (part.values() if isinstance(part, dict) else part) for p in flat(x)]


class Wrapped(Module):
    def __init__(self) -> None:
        self.net = MLP(1, [1, 1])


class Named(Module):
    def __init__(self) -> None:
        self.hidden, self.scale = Layer(1, 2), Value(1.0)


def test_layers_are_told_apart() -> None:
    assert groups_of(MLP(2, [2, 1])) == ["layers[0]", "layers[1]", "all"]
    assert groups_of(Wrapped()) == ["net.layers[0]", "net.layers[1]", "all"]
    assert groups_of(Named()) == ["hidden", "scale", "all"]
    assert groups_of(Neuron(2)) == ["w", "b", "all"]
    assert groups_of([Value(1.0), Value(2.0)]) == ["all"]
    assert groups_of([[[Value(1.0)], [Value(2.0)]], [[Value(3.0)]]]) == ["[0]", "[1]", "all"]
    theta = {"Theta1": Neuron(1), "Theta2": [[Value(1.0)]]}
    assert groups_of(theta) == ["Theta1", "Theta2", "all"]


def test_what_cannot_be_stepped() -> None:
    w = Value(1.0)
    with pytest.raises(ValueError, match="positive"):
        step([w], lambda: w * w, rate=-1)
    with pytest.raises(ValueError, match="not a leaf"):
        step([w * 2], lambda: w * w, rate=1)
    with pytest.raises(ValueError, match="was not computed from"):
        step([Value(1.0)], lambda: w * w, rate=1)
    with pytest.raises(ValueError, match="there are no parameters"):
        step([], lambda: w * w, rate=1)
    for no_function in (w * w, "loss"):
        with pytest.raises(TypeError, match=r"a function without arguments .* step\(.*lambda"):
            step([w], no_function, rate=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="must return a Value"):
        step([w], lambda: 1.0, rate=1)  # type: ignore[arg-type,return-value]
    with pytest.raises(TypeError, match="a Module, a dict"):
        step([1.0], lambda: w, rate=1)
    assert (w.data, w.grad) == (1.0, 0.0)


def test_no_rate_is_too_large_where_the_loss_only_falls() -> None:
    w = Value(0.0)
    assert "None of these rates is too large" in str(step([w], lambda: (-w).sigmoid(), 1.0))


def test_how_a_step_shows_itself() -> None:
    model, cost = course()
    found = step(model, cost, rate=1)
    assert list(found.data) == ["before", "slope", "rate", "layers", "rates", "random"]
    html = found._repr_html_()
    assert html.count("<table>") == 3
    assert "<script" not in html
    assert repr(found) == str(found)
    assert nudge(model.layers[0].neurons[0].b, cost)._repr_html_().startswith("<table>")
    axes = found.plot()
    assert axes.get_xscale() == "log"
    assert axes.lines[0].get_ydata()[4] == pytest.approx(3.96732, abs=1e-5)
    axes = found.plot_directions()
    assert sum(bar.get_height() for bar in axes.patches) == 1000
    mpl.pyplot.close("all")


def test_a_replay_gives_every_value() -> None:
    x = Value(3.0)
    square = x * x
    reevaluation = Reevaluation(square + 1, [x])
    assert reevaluation.everything([2.0])[square] == 4.0
