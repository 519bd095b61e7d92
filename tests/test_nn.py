"""Neurons, layers and perceptrons: what the original does, and what Module adds to it."""

from __future__ import annotations

import collections
import copy
import dataclasses
import functools
import pickle
import random
import types
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Value, toposort
from micrograd.nn import MLP, Layer, Module, Neuron

sizes = st.integers(1, 4)
shapes = st.tuples(sizes, st.lists(sizes, min_size=1, max_size=3))


def data_of(parameters: list[Value]) -> list[float]:
    return [p.data for p in parameters]


def outputs(model: Any, inputs: Any) -> list[float]:
    """Return the data of a model's output, as a list even when it is a single Value."""
    out = model(inputs)
    return data_of(out if isinstance(out, list) else [out])


class OriginalNeuron(Module):
    """A module as users of the original write it, with its own `parameters`."""

    def __init__(self, nin: int) -> None:
        self.w = [Value(random.uniform(-1, 1)) for _ in range(nin)]
        self.frozen = Value(1.0)

    def __call__(self, x: Any) -> Any:
        return sum((wi * xi for wi, xi in zip(self.w, x)), self.frozen)

    def parameters(self) -> list[Value]:
        return self.w


class Tree(Module):
    """A module with parameters in attributes, lists, tuples, dicts and submodules."""

    def __init__(self) -> None:
        self.scale = Value(1.0)
        self.rows = [[Value(2.0)], (Value(3.0), Value(4.0))]
        self.heads = {"left": Neuron(1), 7: Value(5.0)}
        self.name, self.size, self.nothing = "tree", 3, None


# Like the original ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (Neuron(2), "ReLUNeuron(2)"),
        (Neuron(3, nonlin=False), "LinearNeuron(3)"),
        (Neuron(3, False), "LinearNeuron(3)"),
        (Layer(2, 1), "Layer of [ReLUNeuron(2)]"),
        (Layer(1, 2, nonlin=False), "Layer of [LinearNeuron(1), LinearNeuron(1)]"),
        (
            MLP(2, [2, 1]),
            "MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(2)]]",
        ),
        (MLP(1, [1]), "MLP of [Layer of [LinearNeuron(1)]]"),
    ],
)
def test_repr_is_the_originals(module: Module, text: str) -> None:
    assert repr(module) == text


@given(shapes, st.integers(0, 2**32))
def test_weights_are_drawn_in_order_from_the_global_random(
    shape: tuple[int, list[int]], seed: int
) -> None:
    nin, nouts = shape
    random.seed(seed)
    model = MLP(nin, nouts)
    random.seed(seed)
    for layer, width in zip(model.layers, [nin, *nouts]):
        for neuron in layer.neurons:
            assert data_of(neuron.w) == [random.uniform(-1, 1) for _ in range(width)]
            assert neuron.b.data == 0.0


def test_nothing_else_is_drawn() -> None:
    random.seed(3)
    MLP(2, [3, 1])
    after_the_model = random.random()
    random.seed(3)
    for _ in range(2 * 3 + 3 * 1):
        random.uniform(-1, 1)
    assert random.random() == after_the_model


@given(shapes)
def test_parameters_are_the_weights_then_the_bias_of_each_neuron_in_turn(
    shape: tuple[int, list[int]],
) -> None:
    model = MLP(*shape)
    neurons = [neuron for layer in model.layers for neuron in layer.neurons]
    assert model.parameters() == [p for neuron in neurons for p in [*neuron.w, neuron.b]]


@pytest.mark.parametrize("model", [Layer(2, 1), MLP(2, [3, 1]), Neuron(2)], ids=repr)
def test_one_output_is_a_single_value(model: Any) -> None:
    assert isinstance(model([1.0, -2.0]), Value)


@pytest.mark.parametrize("model", [Layer(2, 3), MLP(2, [1, 3])], ids=repr)
def test_several_outputs_are_a_list_of_values(model: Any) -> None:
    out = model([1.0, -2.0])
    assert isinstance(out, list)
    assert [type(v) for v in out] == [Value] * 3


def test_a_neuron_is_the_weighted_sum_plus_the_bias_through_relu() -> None:
    neuron = Neuron(2)
    neuron.w[0].data, neuron.w[1].data, neuron.b.data = 2.0, -3.0, 0.5
    assert neuron([4.0, 2.0]).data == 2.5
    assert neuron([1.0, 2.0]).data == 0.0
    neuron.nonlin = False
    assert neuron([1.0, 2.0]).data == -3.5


def test_the_last_layer_of_a_perceptron_is_linear() -> None:
    model = MLP(2, [3, 3, 2])
    assert [[n.nonlin for n in layer.neurons] for layer in model.layers] == [
        [True] * 3,
        [True] * 3,
        [False] * 2,
    ]


def test_a_perceptron_is_its_layers_one_after_the_other() -> None:
    model = MLP(2, [3, 2])
    first, second = model.layers
    x = [0.5, -1.5]
    assert outputs(model, x) == outputs(second, first(x))


def test_zero_grad_sets_the_grad_of_every_parameter_to_zero() -> None:
    model = MLP(2, [3, 1])
    model([1.0, -2.0]).backward()
    assert any(p.grad != 0 for p in model.parameters())
    model.zero_grad()
    assert [p.grad for p in model.parameters()] == [0.0] * len(model.parameters())


# Inputs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "give",
    [
        tuple,
        np.array,
        lambda row: list(map(Value, row)),
        lambda row: np.array(list(map(Value, row))),
        lambda row: (number for number in row),
        lambda row: map(Value, row),
    ],
    ids=["tuple", "array", "Values", "array of Values", "generator", "map"],
)
@pytest.mark.parametrize("model", [Neuron(2), Layer(2, 3), MLP(2, [3, 2])], ids=repr)
def test_inputs_come_in_any_sequence_or_iterator(model: Any, give: Any) -> None:
    row = [0.5, -1.5]
    assert outputs(model, give(row)) == outputs(model, row)


@pytest.mark.parametrize("number", [2, 2.0, np.float64(2), np.array(2.0), Value(2.0)], ids=repr)
@pytest.mark.parametrize("model", [Neuron(1), Layer(1, 2), MLP(1, [2, 1])], ids=repr)
def test_a_single_input_needs_no_list(model: Any, number: Any) -> None:
    assert outputs(model, number) == outputs(model, [2.0])


def test_layers_of_width_1_follow_one_another() -> None:
    model = MLP(1, [1, 1, 1])
    for p in model.parameters():
        p.data = 2.0
    assert model([1.0]).data == 2 * (2 * (2 * 1 + 2) + 2) + 2


@pytest.mark.parametrize("model", [Neuron(2), Layer(2, 3), MLP(2, [3, 1])], ids=repr)
@pytest.mark.parametrize("inputs", [[], [1.0], [1.0, 2.0, 3.0], 1.0], ids=repr)
def test_a_wrong_number_of_inputs_raises_and_names_both_numbers(model: Any, inputs: Any) -> None:
    count = len(inputs) if isinstance(inputs, list) else 1
    with pytest.raises(ValueError, match=rf"takes 2 inputs, got {count}\b"):
        model(inputs)


def test_gradients_reach_inputs_that_are_values() -> None:
    x = Value(1.0)
    neuron = Neuron(2, nonlin=False)
    neuron([x, x]).backward()
    assert x.grad == neuron.w[0].data + neuron.w[1].data


# Activations ------------------------------------------------------------------------------------


def double(v: Value) -> Value:
    return 2 * v


@pytest.mark.parametrize(
    ("activation", "function", "name"),
    [
        ("relu", lambda z: max(z, 0.0), "ReLU"),
        ("tanh", np.tanh, "Tanh"),
        ("sigmoid", lambda z: 1 / (1 + np.exp(-z)), "Sigmoid"),
        ("linear", lambda z: z, "Linear"),
        (double, lambda z: 2 * z, "double"),
        (Value.exp, np.exp, "exp"),
    ],
    ids=["relu", "tanh", "sigmoid", "linear", "function", "method"],
)
def test_an_activation_is_a_name_or_a_function(activation: Any, function: Any, name: str) -> None:
    neuron = Neuron(2, activation=activation)
    for inputs in ([1.0, 2.0], [-3.0, 0.5], [2.0, -2.0]):
        z = sum(w.data * x for w, x in zip(neuron.w, inputs)) + neuron.b.data
        assert neuron(inputs).data == pytest.approx(function(z), rel=1e-14)
    assert repr(neuron) == f"{name}Neuron(2)"


def test_a_row_of_the_table_is_an_activation() -> None:
    named, row = Neuron(1, activation="tanh"), Neuron(1, activation=mg.tanh)
    row.w[0].data = named.w[0].data
    assert row(0.5).data == named(0.5).data


def test_an_activation_reaches_every_layer_of_a_perceptron_but_the_last() -> None:
    assert repr(MLP(1, [1, 1, 1], activation="tanh")) == (
        "MLP of [Layer of [TanhNeuron(1)], Layer of [TanhNeuron(1)], Layer of [LinearNeuron(1)]]"
    )


def test_without_nonlin_the_activation_is_left_out() -> None:
    neuron = Neuron(1, nonlin=False, activation="tanh")
    neuron.w[0].data = 10.0
    assert neuron(1.0).data == 10.0
    assert repr(neuron) == "LinearNeuron(1)"


@pytest.mark.parametrize("activation", ["reul", "", None, 3, ["relu", "tanh"]], ids=repr)
@pytest.mark.parametrize("make", [Neuron, lambda nin, **k: MLP(nin, [1], **k)], ids=["one", "MLP"])
def test_an_unknown_activation_raises_and_lists_the_known(make: Any, activation: Any) -> None:
    with pytest.raises(ValueError, match=r"'relu', 'tanh', 'sigmoid', 'linear'") as caught:
        make(2, activation=activation)
    assert repr(activation) in str(caught.value)


def test_the_perceptron_calls_a_relu_that_was_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def leaky(v: Value) -> Any:
        calls.append(v)
        return mg.where(v < 0, 0.1 * v, v)

    monkeypatch.setattr(Value, "relu", leaky)
    neuron = Neuron(1)
    neuron.w[0].data = -1.0
    assert neuron(1.0).data == -0.1
    assert len(calls) == 1


# Modules of users -------------------------------------------------------------------------------


def test_a_subclass_that_overrides_parameters_is_trained_by_those_alone() -> None:
    neuron = OriginalNeuron(2)
    neuron([1.0, 2.0]).backward()
    neuron.zero_grad()
    assert [w.grad for w in neuron.w] == [0.0, 0.0]
    assert neuron.frozen.grad == 1.0
    assert list(neuron.state_dict()) == ["w[0]", "w[1]"]


def test_parameters_that_no_attribute_holds_are_named_by_their_position() -> None:
    hidden = Value(3.0)

    class Closure(Module):
        def parameters(self) -> list[Value]:
            return [hidden]

    assert Closure().named_parameters() == [("parameters()[0]", hidden)]


def test_a_module_without_parameters_has_none() -> None:
    assert Module().parameters() == []
    assert Module().state_dict() == {}


def test_parameters_are_found_in_lists_tuples_dicts_and_submodules() -> None:
    tree = Tree()
    assert list(tree.state_dict()) == [
        "scale",
        "rows[0][0]",
        "rows[1][0]",
        "rows[1][1]",
        "heads['left'].w[0]",
        "heads['left'].b",
        "heads[7]",
    ]
    assert [p for _, p in tree.named_parameters()] == tree.parameters()


def test_results_that_a_module_keeps_are_no_parameters() -> None:
    neuron: Any = Neuron(1)
    neuron.last = neuron([1.0])
    assert list(neuron.state_dict()) == ["w[0]", "b"]


def test_a_shared_parameter_counts_once_under_its_first_name() -> None:
    layer = Layer(1, 2)
    layer.neurons[1].b = layer.neurons[0].b
    assert list(layer.state_dict()) == ["neurons[0].w[0]", "neurons[0].b", "neurons[1].w[0]"]
    assert len(layer.parameters()) == 3


def test_a_module_that_refers_to_its_owner_is_walked_once() -> None:
    layer: Any = Layer(1, 1)
    layer.neurons[0].owner = layer
    assert list(layer.state_dict()) == ["neurons[0].w[0]", "neurons[0].b"]


# States -----------------------------------------------------------------------------------------


@given(shapes)
def test_a_state_makes_a_model_of_the_same_shape_give_the_same_outputs(
    shape: tuple[int, list[int]],
) -> None:
    nin, nouts = shape
    model, other = MLP(nin, nouts), MLP(nin, nouts)
    other.load_state_dict(model.state_dict())
    assert data_of(other.parameters()) == data_of(model.parameters())
    x = [0.5 - i for i in range(nin)]
    assert outputs(other, x) == outputs(model, x)


def test_a_state_holds_numbers_that_later_training_does_not_change() -> None:
    neuron = Neuron(1)
    state = neuron.state_dict()
    before = dict(state)
    neuron.b.data += 1
    assert state == before
    assert {type(number) for number in state.values()} == {float}


def test_loading_keeps_the_parameters_the_same_objects() -> None:
    model = MLP(2, [2, 1])
    parameters = model.parameters()
    model.load_state_dict(dict.fromkeys(model.state_dict(), np.float64(0.5)))
    assert model.parameters() == parameters
    assert data_of(parameters) == [0.5] * len(parameters)


@pytest.mark.parametrize(
    ("state", "error", "words"),
    [
        ({"w[0]": 1.0}, KeyError, ["missing ['b']", "unknown none"]),
        ({"w[0]": 1.0, "b": 2.0, "c": 3.0}, KeyError, ["missing none", "unknown ['c']"]),
        ({"v[0]": 1.0}, KeyError, ["missing ['b', 'w[0]']", "unknown ['v[0]']", "Neuron"]),
        ({"w[0]": 1.0, "b": "2.0"}, TypeError, ["state['b']", "'2.0'"]),
        ({"w[0]": 1.0, "b": Value(2.0)}, TypeError, ["state['b']", "Value"]),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(
    state: Any, error: type[Exception], words: list[str]
) -> None:
    neuron = Neuron(1)
    before = neuron.state_dict()
    with pytest.raises(error) as caught:
        neuron.load_state_dict(state)
    assert all(word in caught.value.args[0] for word in words), caught.value
    assert neuron.state_dict() == before


# Copies -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "copied",
    [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))],
    ids=["deepcopy", "pickle"],
)
class TestCopies:
    def test_a_copy_gives_the_same_outputs_and_has_parameters_of_its_own(self, copied: Any) -> None:
        model = MLP(2, [3, 2], activation="tanh")
        new = copied(model)
        assert repr(new) == repr(model)
        assert new.state_dict() == model.state_dict()
        assert outputs(new, [0.5, -1.5]) == outputs(model, [0.5, -1.5])
        assert not set(new.parameters()) & set(model.parameters())

    def test_training_a_copy_leaves_the_original_alone(self, copied: Any) -> None:
        model = MLP(2, [3, 1])
        before = model.state_dict()
        new = copied(model)
        new([1.0, 2.0]).backward()
        for p in new.parameters():
            p.data -= 0.1 * p.grad
        assert new.state_dict() != before
        assert model.state_dict() == before
        assert [p.grad for p in model.parameters()] == [0.0] * len(before)

    def test_shared_parameters_stay_shared(self, copied: Any) -> None:
        layer = Layer(1, 2)
        layer.neurons[1].b = layer.neurons[0].b
        new = copied(layer)
        assert new.neurons[1].b is new.neurons[0].b
        assert len(new.parameters()) == 3


def test_the_neurons_of_a_layer_share_one_value_per_number() -> None:
    outputs = Layer(2, 3, nonlin=False)([1.0, 2.0])
    inputs = [{id(v) for v in toposort(out) if v.data in (1.0, 2.0)} for out in outputs]
    assert inputs[0] == inputs[1] == inputs[2]
    assert len(inputs[0]) == 2


def test_an_array_of_values_in_an_attribute_holds_parameters() -> None:
    class Table(Module):
        def __init__(self) -> None:
            self.w = np.array([[Value(1.0), Value(2.0)]])
            self.size = np.array([1.0, 2.0])  # numbers are no parameters

    assert Table().state_dict() == {"w[0][0]": 1.0, "w[0][1]": 2.0}


def test_a_row_of_the_table_as_activation_gives_its_name() -> None:
    assert repr(Neuron(1, activation=mg.softplus)) == "softplusNeuron(1)"


def test_parameters_may_be_a_generator_of_anything_that_has_a_grad() -> None:
    class Foreign:
        grad = 3.0

    foreign, own = Foreign(), Value(1.0)
    own.grad = 2.0

    class Mixed(Module):
        def parameters(self) -> Any:
            yield from (own, foreign)

    Mixed().zero_grad()
    assert own.grad == foreign.grad == 0.0


# Where parameters are found ---------------------------------------------------------------------


@dataclasses.dataclass
class Scales:
    first: Value
    second: Value


class Slotted:
    __slots__ = ("empty", "gain")

    def __init__(self) -> None:
        self.gain = Value(7.0)


class Plain:
    shared = Value(9.0)

    def __init__(self) -> None:
        self.inner = types.SimpleNamespace(w=Value(8.0))

    def method(self) -> None: ...


class Everywhere(Module):
    """A module with parameters where people put them beside lists and dicts."""

    offset = Value(0.5)

    def __init__(self) -> None:
        self.scales = Scales(Value(1.0), Value(2.0))
        self.queue = collections.deque([Value(3.0)], maxlen=2)
        self.only = {Value(4.0)}
        self.call = functools.partial(max, Value(5.0), key=Value(6.0))
        self.slotted = Slotted()
        self.plain = Plain()
        self.method = Plain().method


def test_parameters_are_found_in_every_kind_of_object_in_order() -> None:
    model = Everywhere()
    assert [(name, p.data) for name, p in model.named_parameters()] == [
        ("scales.first", 1.0),
        ("scales.second", 2.0),
        ("queue[0]", 3.0),
        ("only[0]", 4.0),
        ("call.args[0]", 5.0),
        ("call.keywords['key']", 6.0),
        ("slotted.gain", 7.0),
        ("plain.inner.w", 8.0),
        ("plain.shared", 9.0),
        ("method.__self__.inner.w", 8.0),
        ("offset", 0.5),
    ]
    assert model.parameters()[-1] is Everywhere.offset
    model.load_state_dict(dict.fromkeys(model.state_dict(), 1.0))
    assert set(data_of(model.parameters())) == {1.0}
    Plain.shared.data, Everywhere.offset.data = 9.0, 0.5


def test_a_list_that_contains_itself_is_walked_once() -> None:
    model: Any = Module()
    model.parts = [Value(1.0)]
    model.parts.append(model.parts)
    model.table = {"self": model, "w": Value(2.0)}
    assert [name for name, _ in model.named_parameters()] == ["parts[0]", "table['w']"]


def test_containers_may_be_nested_deeper_than_the_stack() -> None:
    model: Any = Module()
    model.deep = [Value(1.0)]
    for _ in range(5000):
        model.deep = [model.deep]
    assert data_of(model.parameters()) == [1.0]


def test_a_set_of_values_has_no_order_and_is_refused() -> None:
    model: Any = Module()
    model.w = {Value(1.0), Value(2.0)}
    with pytest.raises(TypeError, match=r"w is a set of 2 things with Values.*use a list"):
        model.parameters()


def test_what_no_parameter_can_be_in_is_left_alone() -> None:
    w = Value(1.0)
    model: Any = Module()
    model.function, model.memory = lambda x: w * x, functools.lru_cache(lambda: w)
    model.memory()
    assert model.parameters() == []


@pytest.mark.parametrize("model", [MLP(2, [1]), MLP(2, [3, 1]), Layer(2, 1), Neuron(2, False)])
@pytest.mark.parametrize(
    "batch",
    [np.array([[1.0, 2.0], [3.0, 4.0]]), [np.array([1.0, 2.0]), np.array([3.0, 4.0])]],
)
def test_a_batch_is_refused_even_if_it_has_as_many_rows_as_there_are_inputs(
    model: Any, batch: Any
) -> None:
    with pytest.raises(TypeError, match=r"row by row.*micrograd\.program"):
        model(batch)


@pytest.mark.parametrize("model", [MLP(2, [1]), Layer(2, 1)])
def test_nested_lists_are_refused_too(model: Any) -> None:
    with pytest.raises(TypeError, match="row by row"):
        model([[1.0, 2.0], [3.0, 4.0]])


class _Heap(list[Any]):
    """A list with an attribute of its own."""


def test_parameters_are_found_where_attributes_look_like_an_array() -> None:
    class Typed(Module):
        def __init__(self) -> None:
            self.dtype = "float32"
            self.w = Value(1.0)
            self.neuron = Neuron(2)

    assert len(Typed().parameters()) == 4


def test_parameters_are_found_in_keys_and_in_attributes_of_containers() -> None:
    class Odd(Module):
        def __init__(self) -> None:
            self.weights = {Value(1.0): Value(2.0)}
            self.heap = _Heap([Value(3.0)])
            self.heap.extra = Value(4.0)  # type: ignore[attr-defined]
            self.records = np.array([(Value(5.0), 1.0)], dtype=[("w", object), ("x", float)])

    assert [p.data for p in Odd().parameters()] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_set_of_several_that_hold_values_is_refused() -> None:
    class Heads(Module):
        def __init__(self, *heads: Any) -> None:
            self.heads = set(heads)

    with pytest.raises(TypeError, match="heads is a set of 2 things with Values"):
        Heads(Neuron(1), Neuron(1)).parameters()
    assert len(Heads(Neuron(1), "a name").parameters()) == 2
