"""Errors that teach: at most two lines, with the line to write; and what a repr tells."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, draw, explain, losses, nn, optim
from micrograd.graph.strict import strict
from micrograd.symbolic.formula import Formula
from micrograd.value.words import elsewhere

v: Any = Value(2.0, label="v")
package: Any = mg
model: Any = nn.MLP(2, [3, 1])
BATCH = (
    "call it row by row, [model(x) for x in X], or on all rows at once, micrograd.program(model)(X)"
)

# What a newcomer writes, and what the message must tell to write instead.
CALLS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: v.item(), AttributeError, "write v.data"),
    (lambda: v.numpy(), AttributeError, "write v.data"),
    (lambda: v.detach(), AttributeError, "write v.data for the bare number, or v.stop_gradient()"),
    (lambda: v.zero_grad(), AttributeError, "write v.grad = 0, or model.zero_grad()"),
    (lambda: v.shape, AttributeError, "len(values)"),
    (lambda: v.asin(), AttributeError, "v.arcsin()"),
    (lambda: v[0], TypeError, "x = [Value(1.0), Value(2.0)]"),
    (lambda: [1.0, 2.0] * v, TypeError, "[w * v for w in weights]"),
    (lambda: v * (1.0, 2.0), TypeError, "[w * v for w in weights]"),
    (lambda: "ab"[v], TypeError, "micrograd.take(table, v) for table[v]"),
    (lambda: int(v), TypeError, "int(v.data)"),
    (lambda: round(v), TypeError, "round(v.data, 2)"),
    (lambda: round(v, 2), TypeError, "round(v.data, 2)"),
    (lambda: float(v), TypeError, "v.data"),
    (lambda: mg.exp([v]), TypeError, "[exp(x) for x in values]"),
    (lambda: package.maximum([v], 0.0), TypeError, "[maximum(x, y) for x in values]"),
    (lambda: package.exp("a"), TypeError, "exp takes numbers, Values or arrays"),
    (lambda: package.tensor, AttributeError, "write micrograd.Value(3.0)"),
    (lambda: package.MLP, AttributeError, "write micrograd.nn.MLP"),
    (lambda: package.acos, AttributeError, "write micrograd.arccos(x)"),
    (lambda: package.mean, AttributeError, "sum(values) / len(values)"),
    (lambda: optim.Adam, AttributeError, "write AdamW(parameters, lr, weight_decay=0)"),
    (lambda: losses.mse, AttributeError, "write squared_error(output, target)"),
    (lambda: losses.MSELoss, AttributeError, "write squared_error(output, target)"),
    (lambda: losses.BCEWithLogitsLoss, AttributeError, "write binary_cross_entropy(logit, label)"),
    (lambda: losses.CrossEntropyLoss, AttributeError, "write cross_entropy(logits, label)"),
    (lambda: nn.Linear, AttributeError, "write Layer(nin, nout, nonlin=False)"),
    (lambda: nn.Sequential, AttributeError, "write MLP(nin, [16, 16, 1])"),
    (lambda: nn.ReLU, AttributeError, 'activation="relu"'),
    (lambda: nn.MLP(2, 3), TypeError, "write MLP(2, [3])"),  # type: ignore[arg-type]
    (lambda: nn.Layer(2, "a"), TypeError, "write Layer(2, 3)"),  # type: ignore[arg-type]
    (lambda: nn.Neuron(2.5), TypeError, "a whole number, got 2.5"),  # type: ignore[arg-type]
    (lambda: model([[1.0, 2.0], [3.0, 4.0]]), TypeError, BATCH),
    (lambda: model(np.ones((2, 2))), TypeError, BATCH),
    (lambda: nn.Neuron(2)([[1.0, 2.0], [3.0, 4.0]]), TypeError, BATCH),
    (lambda: nn.Neuron(2)(np.ones((2, 2))), TypeError, BATCH),
    (lambda: optim.SGD(v, lr=0.1), TypeError, "write [p], or model.parameters()"),
    (lambda: optim.SGD([1.0], lr=0.1), TypeError, "model.parameters()"),  # type: ignore[list-item]
    (lambda: draw.graph(model), TypeError, "call it first, as in graph(mlp(x))"),
    (lambda: draw.graph(), TypeError, "write graph(loss)"),  # type: ignore[call-arg]
    (lambda: draw.graph(v, format="png"), TypeError, "'format'; write graph(loss)"),  # type: ignore[call-arg]
    (lambda: draw.stepper(), TypeError, "write stepper(loss)"),  # type: ignore[call-arg]
    (lambda: explain.contributions(v), TypeError, "write contributions(loss, w)"),  # type: ignore[call-arg]
    (lambda: explain.nudge(v), TypeError, "write nudge(w, loss)"),  # type: ignore[call-arg]
    (lambda: explain.step(model), TypeError, "write step(model, lambda"),  # type: ignore[call-arg]
    (lambda: explain.mistakes(), TypeError, "write mistakes(loss)"),  # type: ignore[call-arg]
    (lambda: explain.diagnose(), TypeError, "write diagnose(loss)"),  # type: ignore[call-arg]
    (lambda: explain.grade(), TypeError, "write grade(Value)"),  # type: ignore[call-arg]
    (lambda: explain.deltas(model), TypeError, "write deltas(Theta, X, y)"),  # type: ignore[call-arg]
    (lambda: explain.check_gradient([], []), TypeError, "write check_gradient(Theta, X, y"),  # type: ignore[call-arg]
    (lambda: draw.stepper(model), TypeError, "give the Value at its end"),
    (lambda: package.draw_dot(model), TypeError, "call it first"),
]


@pytest.mark.parametrize("call", range(len(CALLS)))
def test_a_message_has_at_most_two_lines_and_says_what_to_write(call: int) -> None:
    action, kind, advice = CALLS[call]
    with pytest.raises(kind) as caught:
        action()
    text = str(caught.value)
    assert advice in text
    assert len(text) <= 2 * 100


def test_what_is_missing_is_missing() -> None:
    for name in elsewhere.ON_VALUE:
        assert not hasattr(v, name)
        assert not hasattr(Value, name)
        assert name not in dir(v)
    assert not hasattr(nn, "Linear")
    assert not hasattr(mg, "tensor")


def test_users_may_give_values_what_they_lack() -> None:
    class Tensor(Value):
        def item(self) -> float:
            return self.data

    own: Any = Value(3.0)
    own.item = 5
    assert (own.item, Tensor(2.0).item()) == (5, 2.0)
    assert "item" in dir(own)
    assert "item" in dir(Tensor(2.0))


def test_a_value_is_still_one_object_for_others() -> None:
    values = [Value(1.0), Value(2.0)]
    assert np.array(values).shape == (2,)
    assert np.array(Value(1.0)).shape == ()
    assert np.array([values, values]).shape == (2, 2)
    assert (np.array(values) * Value(2.0)).shape == (2,)
    for ask in (iter, len, list):
        with pytest.raises(TypeError):
            ask(v)


def test_python_still_suggests_names_that_are_alike() -> None:
    with pytest.raises(AttributeError) as caught:
        optim.Sgd  # noqa: B018
    assert (caught.value.name, caught.value.obj) == ("Sgd", optim)


def test_completion_lists_public_names_alone() -> None:
    assert set(dir(mg)) == {*mg.__all__, "abs", "max", "min"}


# What objects tell of themselves ----------------------------------------------------------------


def test_a_value_with_a_label_shows_it_with_its_operation() -> None:
    x = Value(2.0, label="x")
    y = x * 3
    assert repr(y) == "Value(data=6.0, grad=0.0)"
    y.label = "y"
    assert repr(x) == "Value(data=2.0, grad=0.0, label='x')"
    assert repr(y) == "Value(data=6.0, grad=0.0, label='y', op='*')"


def test_a_value_in_a_program_says_what_it_is() -> None:
    w, texts = Value(2.0, label="w"), []

    @mg.program
    def line(x: Any, k: Any) -> Any:
        texts.append([repr(x[1]), str(k), repr(x[0] * w), repr(w)])
        return x[0] * w + x[1] * k

    line([[3.0, 4.0], [5.0, 6.0]], [0.5, 1.5])
    assert texts == [
        [
            "<x[1] in a program: 4.0 in row 0, others in other rows>",
            "<k in a program: 0.5 in row 0, others in other rows>",
            "<*, computed in a program: 6.0 in row 0, others in other rows>",
            "Value(data=2.0, grad=0.0, label='w')",
        ]
    ]


def test_models_lists_states_and_optimisers_show_themselves_in_notebooks() -> None:
    net = nn.MLP(2, [16, 16, 1])
    net([1.0, 2.0]).backward()
    html = net._repr_html_()
    assert "MLP: 337 parameters" in html
    assert '<td style="text-align:left;padding:3px 8px">layers[1].neurons.w</td>' in html
    assert ">16 x 16<" in html
    parameters: Any = net.parameters()
    assert "layers[0].neurons[0].w[0]" in parameters._repr_html_()
    assert "and 325 more" in parameters._repr_html_()
    state: Any = nn.Neuron(1).state_dict()
    assert "2 parameters" in state._repr_html_()
    optimizer = optim.SGD(net, lr=0.1, momentum=0.5)
    assert repr(optimizer) == "SGD(337 parameters, lr=0.1, steps=0, momentum=0.5)"
    assert "norm of velocity" in optimizer._repr_html_()


def test_no_table_ends_in_one_more() -> None:
    few: Any = nn.MLP(2, [3, 1]).parameters()
    assert len(few) == 13
    assert "more" not in few._repr_html_()
    assert few._repr_html_().count("<tr>") == 1 + 13


def test_lists_of_parameters_and_states_are_plain_lists_and_dicts_elsewhere() -> None:
    neuron = nn.Neuron(2)
    copies: list[Callable[[Any], Any]] = [
        copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)),
    ]  # fmt: skip
    for plain in copies:
        assert type(plain(neuron.parameters())) is list
        assert type(plain(neuron.state_dict())) is dict
    assert neuron.parameters() == [*neuron.w, neuron.b]
    assert type(neuron.parameters()[:1]) is list
    assert repr(neuron.parameters()) == repr([*neuron.w, neuron.b])


def test_an_optimiser_takes_a_module() -> None:
    neuron = nn.Neuron(2)
    optimizer = optim.SGD(neuron, lr=0.1)
    assert optimizer.parameters == tuple(neuron.parameters())
    other = nn.Neuron(1)
    optimizer.add(other)
    assert optimizer.parameters == (*neuron.parameters(), *other.parameters())
    optimizer.parameters = other
    assert optimizer.parameters == tuple(other.parameters())


def test_formulas_are_typeset() -> None:
    assert (1 / Formula("w1").sqrt())._repr_latex_() == r"$\displaystyle \frac{1}{\sqrt{w_{1}}}$"


def test_strict_mode_leaves_nothing_behind() -> None:
    def methods() -> dict[str, Any]:
        names = ("__eq__", "__ne__", "__bool__", "__setattr__", "__isub__")
        return {name: inspect.getattr_static(Value, name, None) for name in names}

    before = methods()
    with strict():
        assert methods() != before
    assert methods() == before
