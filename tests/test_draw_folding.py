"""What is folded into one box: modules, scopes, sums, chains, alike Values; and its name."""

from __future__ import annotations

import operator
import random
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from micrograd import Value, scope, toposort
from micrograd.draw.folding.levels import fold
from micrograd.draw.scene.boxes import Box, Folding, unfolded
from micrograd.draw.scene.names import shapes
from micrograd.draw.scene.outline import Kind, Outline
from micrograd.nn import MLP, Layer, Module, Neuron
from micrograd.value.identity import IdentityDict


def titles(folding: Folding) -> list[str]:
    return [box.group.title for box in folding.boxes if box.group]


def patterns(folding: Folding) -> list[str]:
    return [box.pattern for box in folding.boxes if box.pattern]


def box_called(folding: Folding, title: str) -> Box:
    (box,) = (box for box in folding.boxes if title in (box.pattern, box.group and box.group.title))
    return box


def assert_is_partition(folding: Folding) -> None:
    """Check that every Value is in one box, and knows it."""
    held = [v for box in folding.boxes for v in box.values]
    assert len(held) == len(set(held))
    assert set(held) == set(folding.outline.order)
    assert all(folding.boxes[folding.box_at[i]] is box for box in folding.boxes for i in box.places)


def assert_no_way_leads_back(folding: Folding) -> None:
    """Arrows lead from earlier boxes to later ones only."""
    place = {box: i for i, box in enumerate(folding.boxes)}
    assert all(place[arrow.tail] < place[arrow.head] for arrow in folding.arrows())


# Kinds and names of Values ---------------------------------------------------------------------


def test_leaves_are_told_apart() -> None:
    model = Neuron(2)
    x, y = Value(1.0, label="x"), Value(2.0)  # y has no label, but enters the module
    out = model([x, y]) * 3
    outline = Outline(out)
    kinds = outline.kinds
    assert [kinds[v] for v in (*model.parameters(), x, y)] == [Kind.PARAMETER] * 3 + [
        Kind.INPUT,
        Kind.INPUT,
    ]
    assert kinds[out.parents[1]] is Kind.CONSTANT
    assert kinds[out] is Kind.RESULT


def test_numbers_given_to_a_network_are_inputs_outside_of_it() -> None:
    model = MLP(2, [2, 1])
    outline = Outline(model([1.0, -2.0]))
    inputs = [v for v in outline.order if outline.kinds[v] is Kind.INPUT]
    assert sorted(v.data for v in inputs) == [-2.0, 1.0]
    assert all(outline.home[v] is None for v in inputs)


def test_parameters_are_called_by_their_attribute_path_unless_labelled() -> None:
    model = MLP(2, [4, 1])
    model.layers[1].neurons[0].b.label = "bias"
    outline = Outline(model([1.0, 2.0]))
    assert outline.name(model.layers[0].neurons[3].w[1]) == "layers[0].neurons[3].w[1]"
    assert outline.name(model.layers[1].neurons[0].b) == "bias"


def test_two_models_in_one_graph_are_told_apart() -> None:
    first, second = Layer(1, 1), Layer(1, 1)
    outline = Outline(second(first([1.0])))
    assert outline.name(first.neurons[0].b) == "Layer1.neurons[0].b"
    assert outline.name(second.neurons[0].b) == "Layer2.neurons[0].b"


def test_names_given_win() -> None:
    x = Value(1.0, label="x")
    assert Outline(x * 2, names={x: "speed"}).name(x) == "speed"


def test_parameters_that_two_modules_share_have_one_name() -> None:
    class Twice(Module):
        def __init__(self) -> None:
            self.first = Neuron(1)
            self.second = Neuron(1)
            self.second.w = self.first.w

        def __call__(self, x: Value) -> Value:
            return self.second(self.first(x))

    model = Twice()
    outline = Outline(model(Value(1.0)))
    assert outline.name(model.second.w[0]) == "first.w[0]"
    assert outline.groups[0].parameters[0] == ("first.w[0]", model.first.w[0])


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        (["w[0]", "w[1]", "b"], ["w 2", "b"]),
        (["table['a'].w[0]", "table['b'].w[0]"], ["w 2"]),
        (["a.w", "b.w"], ["w", "w"]),
        ([f"l[{i}].w[{j}]" for i in range(3) for j in range(i)], ["l[1].w", "l[2].w 2"]),
        ([], []),
    ],
)
def test_shapes_of_parameters(paths: list[str], said: list[str]) -> None:
    assert shapes(paths) == said


# Modules and scopes ----------------------------------------------------------------------------


def test_a_small_graph_is_not_folded() -> None:
    out = MLP(2, [3, 1])([1.0, 2.0])
    assert not any(box.folded for box in fold(Outline(out)).boxes)


def test_neurons_fold_before_layers() -> None:
    model = MLP(2, [16, 16, 1])
    out = model([1.0, -2.0])
    assert len(titles(fold(Outline(out)))) == 33
    layers = fold(Outline(out), most=20)
    assert titles(layers) == ["layers[0]", "layers[1]", "layers[2]"]
    assert [len(box.values) for box in layers.boxes] == [1, 1, 128, 800, 49]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("neuron", ["layers[0].neurons[0]", "layers[0].neurons[1]", "layers[1].neurons[0]"]),
        ("Layer", ["layers[0]", "layers[1]"]),
        ("network", ["MLP"]),
        ("mlp", ["MLP"]),
    ],
)
def test_folding_by_name(name: str, said: list[str]) -> None:
    model = MLP(2, [2, 1])
    folding = fold(Outline(model([1.0, 2.0])), modules=name)
    assert titles(folding) == said
    assert_is_partition(folding)


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no 'block' to fold: it has Layer, MLP, Neuron"):
        fold(Outline(MLP(2, [2, 1])([1.0, 2.0])), modules="block")
    with pytest.raises(ValueError, match=r"nothing in it was made by a module"):
        fold(Outline(Value(1.0) + 2), modules="layer")


def test_modules_and_scopes_of_ones_own_fold() -> None:
    class Cell(Module):
        def __init__(self) -> None:
            self.speed = Value(0.5)

        def __call__(self, x: Value) -> Value:
            return (x * self.speed).tanh()

    cell = Cell()
    with scope("loss"):
        loss = (cell(Value(2.0)) - 1) ** 2
    assert titles(fold(Outline(loss), modules="cell")) == ["Cell"]
    folding = fold(Outline(loss), modules="loss")
    assert titles(folding) == ["loss"]
    assert Outline(loss).name(cell.speed) == "speed"


def test_modules_that_are_gone_keep_their_names() -> None:
    out = MLP(2, [2, 1])([1.0, 2.0])  # nothing keeps the network
    outline = Outline(out)
    assert titles(fold(outline, modules="layer")) == ["layers[0]", "layers[1]"]
    named = [outline.name(v) for v in outline.order if outline.kinds[v] is Kind.PARAMETER]
    assert len(named) == 9
    assert "layers[0].neurons[1].w[0]" in named
    both = Outline(MLP(1, [1])([1.0]) + MLP(1, [1])([2.0]))
    assert {"MLP1.layers[0].neurons[0].b", "MLP2.layers[0].neurons[0].b"} <= {
        both.name(v) for v in both.order
    }


def test_parameters_fold_with_their_module_even_when_used_elsewhere() -> None:
    model = MLP(2, [3, 1])
    loss: Value = model([1.0, 2.0]) + sum(p * p for p in model.parameters())
    folding = fold(Outline(loss), modules="layer")
    weight = model.layers[0].neurons[1].w[0]
    assert folding.boxes[folding.box_at[folding.outline.place(weight)]] is box_called(
        folding, "layers[0]"
    )


def test_a_hundred_examples_share_the_boxes_of_one() -> None:
    model = MLP(2, [4, 1])
    total: Any = sum(model([float(i), 1.0]) for i in range(100))
    assert titles(fold(Outline(total), most=6)) == ["layers[0]", "layers[1]"]


def test_a_recurrent_cell_folds_though_its_state_comes_back() -> None:
    cell, state = Neuron(2, activation="tanh"), Value(0.0)
    for i in range(40):
        state = cell([state, float(i)]) * 0.5
    folding = fold(Outline(state + 1), most=20)
    assert titles(folding) == ["Neuron: parameters", "Neuron, call 40 of 40"]
    assert patterns(folding) == ["steps 1 to 39 of 40"]
    assert_is_partition(folding)
    assert_no_way_leads_back(folding)


def test_modules_of_several_models_are_told_apart_and_called_by_their_variables() -> None:
    maker, judge = MLP(2, [4, 2]), MLP(2, [4, 1])
    made: Any = maker([0.5, 0.25])
    loss = judge(made)
    numbered = titles(fold(Outline(loss), most=10))
    assert numbered == ["MLP1.layers[0]", "MLP1.layers[1]", "MLP2.layers[0]", "MLP2.layers[1]"]
    named = Outline(loss, names={"maker": maker, "nets": [judge]})
    assert titles(fold(named, most=10)) == [
        "maker.layers[0]", "maker.layers[1]", "nets[0].layers[0]", "nets[0].layers[1]"
    ]  # fmt: skip
    assert titles(fold(named, modules="network")) == ["maker", "nets[0]"]


# Sums, chains, what is alike -------------------------------------------------------------------


def test_a_long_sum_is_one_box() -> None:
    x = Value(2.0, label="x")
    total = sum(((x * i).tanh() for i in range(100)), Value(0.0))
    folding = fold(Outline(total * 0.5))
    assert "+ of 100 terms" in patterns(folding)
    assert len(box_called(folding, "+ of 100 terms").values) == 101  # and the 0 of sum()
    assert "100 alike: tanh" in patterns(folding)


def test_a_long_product_is_one_box() -> None:
    factors = [Value(1.1, label=f"f{i}") for i in range(70)]
    product = factors[0]
    for factor in factors[1:]:
        product = product * factor
    folding = fold(Outline(product.tanh()))
    assert patterns(folding) == ["f: 70 inputs", "* of 70 factors"]


def test_what_a_sum_passes_on_the_way_keeps_its_own_box() -> None:
    terms = [Value(float(i), label=f"t{i}") for i in range(80)]
    half: Value = sum(terms[1:40], terms[0])
    out: Value = sum(terms[41:], terms[40]) + half + half.tanh()
    folding = fold(Outline(out))
    assert sum(pattern.startswith("+ of") for pattern in patterns(folding)) == 2


@pytest.mark.parametrize("most", [12, 20])
@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("all_results", [False, True])
@pytest.mark.parametrize(
    "body",
    [
        lambda h, w: w * h + 0.3,
        lambda h, w: w * h + h,
        lambda h, w: h.sin() + w,
        lambda h, w: h + 0.1 * (-w * h),
    ],
)
def test_the_last_step_of_a_loop_that_ends_in_a_sum_is_counted(
    body: Callable[[Value, Value], Value], all_results: bool, named: bool, most: int
) -> None:
    h, w = Value(0.5, label="x"), Value(0.7, label="w")
    made = []
    for _ in range(20):
        h = body(h, w)
        made.append(h)
    total: Any = sum(made if all_results else [h])
    said = patterns(fold(Outline(total, {"h": made} if named else None), most))
    (steps,) = (pattern for pattern in said if "step" in pattern)
    assert steps == ("h[0] … h[18]: " if named else "") + "steps 1 to 19 of 20"


def test_a_loss_that_is_lessened_again_and_again_is_one_box() -> None:
    terms = [Value(0.1 * i, label=f"x{i}") for i in range(8)]
    loss: Any = 0
    for x in terms:
        loss = loss - x.log1p()
    folding = fold(Outline(loss), most=10)
    assert patterns(folding) == ["x: 8 inputs", "8 alike: log1p", "- of 8 terms"]
    assert_is_partition(folding)
    swapped: Any = terms[0]
    for x in terms[1:]:
        swapped = x - swapped  # no term is taken from the others
    assert "- of" not in " ".join(patterns(fold(Outline(swapped), most=4)))


def test_merged_steps_are_called_by_the_first_and_the_last_of_them() -> None:
    y = Value(1.0, label="x")
    for _ in range(10):
        y = (y * 1.1).tanh()
    folding = fold(Outline(y), most=2)
    assert patterns(folding) == ["step 1 of 10 … steps 2 to 9 of 10", "step 10 of 10"]


def test_a_long_row_of_operations_is_one_box_unless_it_repeats() -> None:
    rng = random.Random(2)
    steps: list[Callable[[Value], Value]] = [Value.sin, Value.cos, lambda v: v * 1.5]
    x = out = Value(0.1, label="x")
    for _ in range(49):
        out = rng.choice(steps)(out)
    folding = fold(Outline(out.exp()), most=10)
    assert patterns(folding) == ["49 operations in a row"]
    assert [box.last._op for box in folding.boxes][-1] == "exp"
    assert folding.boxes[0].values == [x]
    for _ in range(50):
        x = (x * 1.01).sin()
    repeats = fold(Outline(x), most=20)
    assert patterns(repeats) == ["steps 1 to 49 of 50"]
    assert [box.last._op for box in repeats.boxes] == ["sin", "", "*", "sin"]


def test_a_network_written_by_hand_folds_to_its_equations() -> None:
    weights = [[[Value(0.1) for _ in range(16)] for _ in range(16)] for _ in range(2)]
    h = [Value(0.5, label=f"x{i}") for i in range(16)]
    for rows in weights:
        h = [sum(map(operator.mul, row, h)).tanh() for row in rows]
    said = patterns(fold(Outline(sum(h, Value(0.0)))))
    assert sorted(said) == sorted(
        ["x: 16 inputs", "+ of 16 terms"]
        + 2 * ["256 leaves", "256 alike: *", "16 alike: + of 16 terms", "16 alike: tanh"]
    )


OPERATIONS: list[Callable[[Value, Value], Value]] = [
    operator.add,
    operator.mul,
    operator.sub,
    lambda a, b: a.tanh(),
    lambda a, b: b.relu(),
]


@st.composite
def graphs(draw: st.DrawFn, most: int = 200) -> Value:
    values = [Value(x) for x in (0.5, -0.25, 0.125)]
    for _ in range(draw(st.integers(1, most))):
        a, b = (draw(st.sampled_from(values[-12:])) for _ in range(2))
        values.append(draw(st.sampled_from(OPERATIONS))(a, b))
    return values[-1]


@given(graphs(), st.integers(2, 60))
@settings(max_examples=60)
def test_any_graph_folds_to_at_most_so_many_boxes(root: Value, most: int) -> None:
    folding = fold(Outline(root), most)
    assert len(folding.boxes) <= most
    assert_is_partition(folding)
    assert_no_way_leads_back(folding)
    arrows = folding.arrows()
    box_of = IdentityDict((v, box) for box in folding.boxes for v in box.values)
    ways = {
        (box_of[x], box_of[v])
        for v in folding.outline.order
        for x in v.parents
        if box_of[x] is not box_of[v]
    }
    assert {(arrow.tail, arrow.head) for arrow in arrows} == ways


ENDS: list[Callable[[Value, Value], Value]] = [
    lambda now, before: now.tanh(),
    lambda now, before: now,
    lambda now, before: now * 0.5,
    lambda now, before: now + before,
]
OUTPUTS: list[Callable[[list[Value]], Value]] = [
    lambda state: (sum(state, Value(0.0)) - 1) ** 2,
    lambda state: sum(state, Value(0.0)),
    lambda state: (state[-1] - 0.25) ** 2,
    lambda state: state[0],
]


def loop(
    steps: int,
    body: list[tuple[Callable[[Value, Value], Value], list[int]]],
    output: Callable[[list[Value]], Value],
    own: bool,
) -> tuple[Value, list[list[Value]]]:
    """Return the sum of what each step of a loop puts out, and the states that it went through.

    Each state is made of some of the last ones, and of an input of its step if it has its `own`.
    """
    weights = [[Value(0.1) for _ in body] for _ in body]
    states, outputs = [[Value(0.0) for _ in body]], []
    for _ in range(steps):
        x, before, now = Value(0.3), states[-1], []
        for (end, used), row in zip(body, weights):
            total = sum((row[j] * before[j] for j in used), Value(0.0))
            now.append(end(total + row[0] * x if own else total, before[0]))
        states.append(now)
        outputs.append(output(now))
    return sum(outputs, Value(0.0)), states


@given(st.data(), st.integers(2, 3), st.integers(3, 9), st.booleans(), st.booleans())
@settings(max_examples=80)
def test_any_loop_folds_without_a_way_back_whatever_the_names(
    data: st.DataObject, width: int, steps: int, own: bool, all_named: bool
) -> None:
    used = st.lists(st.integers(0, width - 1), min_size=1, max_size=3)
    state = st.tuples(st.sampled_from(ENDS), used)
    body = data.draw(st.lists(state, min_size=width, max_size=width))
    root, states = loop(steps, body, data.draw(st.sampled_from(OUTPUTS)), own)
    names = {v: f"h[{i}][{j}]" for i, now in enumerate(states) for j, v in enumerate(now)}
    if not all_named:
        names = {v: name for v, name in names.items() if data.draw(st.booleans())}
    for most in (12, 60):
        folding = fold(Outline(root, names), most)
        assert_is_partition(folding)
        assert_no_way_leads_back(folding)


@pytest.mark.parametrize("most", [5, 12, 60])
def test_the_first_step_of_two_named_states_holds_both(most: int) -> None:
    root, states = loop(5, [(ENDS[0], [0, 1]), (ENDS[0], [0, 1])], OUTPUTS[0], own=True)
    folding = fold(Outline(root, {"hs": states}), most)
    assert_is_partition(folding)
    assert_no_way_leads_back(folding)


@given(graphs(30))
def test_an_unfolded_graph_has_an_arrow_per_operand_in_order(root: Value) -> None:
    folding = unfolded(Outline(root))
    said = [(a.tail.values[0], a.consumer, a.position) for a in folding.arrows()]
    assert said == [(x, v, i) for v in toposort(root) for i, x in enumerate(v.parents)]


@pytest.mark.long
def test_deep_graphs_fold_without_recursion() -> None:
    out = Value(0.1, label="x")
    for _ in range(sys.getrecursionlimit()):
        out = (out + out * 0.5).tanh()
    assert len(fold(Outline(out)).boxes) <= 60
