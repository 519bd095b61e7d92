"""Pictures of code that says little about itself: no arrows both ways, names, what repeats."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_draw_folding import assert_is_partition, assert_no_way_leads_back, patterns, titles
from transformer import Transformer, linear, softmax

from micrograd import Value, scope
from micrograd.draw import graph
from micrograd.draw.folding.levels import fold
from micrograd.draw.scene.boxes import Folding
from micrograd.draw.scene.convex import convex_pieces
from micrograd.draw.scene.names import names_of
from micrograd.draw.scene.outline import Kind, Outline
from micrograd.graph.scopes import source_lines
from micrograd.nn import MLP, Layer, Module, Neuron

# No arrows both ways -----------------------------------------------------------------------------


Plan = list[tuple[int, int, int, str]]
plans: st.SearchStrategy[Plan] = st.lists(
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(0, 4), st.sampled_from("ab")),
    min_size=1,
    max_size=12,
)


def modular_graph(plan: Plan) -> tuple[Value, list[Module]]:
    """Call modules that share parameters again and again, within scopes."""
    modules: list[Any] = [Neuron(2), Neuron(2, nonlin=False), Layer(2, 2), MLP(2, [2, 2])]
    modules[1].w = modules[0].w
    values = [Value(0.5), Value(-0.25), modules[0].w[0], modules[2].neurons[0].b]
    for first, second, which, name in plan:
        a, b = values[-min(first, len(values))], values[-min(second, len(values))]
        module = [*modules, None][which]
        with scope(name):
            found = a * b if module is None else module([a, b])
        values += found if isinstance(found, list) else [found]
    return values[-1] + values[len(values) // 2], modules


@settings(max_examples=60, deadline=None)
@given(plans, st.integers(2, 60))
def test_no_arrows_lead_both_ways_between_boxes(plan: Plan, most: int) -> None:
    root, _modules = modular_graph(plan)
    outline = Outline(root)
    kinds = {group.kind for group in outline.groups}
    for folding in [fold(outline, most), *(fold(outline, modules=kind) for kind in kinds)]:
        assert_is_partition(folding)
        assert_no_way_leads_back(folding)
        ways = {(arrow.tail, arrow.head) for arrow in folding.arrows()}
        assert not any((head, tail) in ways for tail, head in ways)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 4)), min_size=2),
    st.integers(3, 20),
    st.integers(2, 30),
)
@pytest.mark.long
def test_no_arrows_lead_back_between_the_steps_of_any_loop(
    body: list[tuple[int, int, int]], times: int, most: int
) -> None:
    state = [Value(0.1 * i) for i in range(1, 7)]
    outputs = []
    for _ in range(times):
        fresh = [Value(0.3), *state]
        for first, second, operation in body[:8]:
            a, b = fresh[first], fresh[-1 - second]
            made = [a + b, a * b, a - b, a.tanh(), b.relu()][operation]
            fresh.append(made)
        outputs.append(fresh[-1])
        state = fresh[-6:]
    folding = fold(Outline(sum(outputs)), most)  # type: ignore[arg-type]
    assert len(folding.boxes) <= most
    assert_is_partition(folding)
    assert_no_way_leads_back(folding)


@given(st.data())
def test_pieces_of_any_groups_are_convex(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 14))
    operands = [
        data.draw(st.lists(st.integers(0, i - 1), max_size=3)) if i else [] for i in range(count)
    ]
    choice = st.one_of(st.none(), st.integers(0, 2))
    groups = data.draw(st.lists(choice, min_size=count, max_size=count))
    pieces = convex_pieces(operands, groups)
    unit = [i if g is None else (g, pieces[i]) for i, g in enumerate(groups)]
    arrows = {(unit[x], unit[i]) for i in range(count) for x in operands[i] if unit[x] != unit[i]}
    reached = set(arrows)
    for _ in range(count):
        reached |= {(a, d) for a, b in reached for c, d in arrows if b == c}
    assert not any(a == b for a, b in reached)


def test_a_module_that_is_called_twice_is_two_boxes() -> None:
    neuron = Neuron(1, nonlin=False)
    out = neuron([neuron([Value(2.0)]) * 3])
    folding = fold(Outline(out + 1), modules="neuron")
    assert titles(folding) == ["Neuron: parameters", "Neuron, call 1 of 2", "Neuron, call 2 of 2"]
    assert_no_way_leads_back(folding)


# Kinds and names ---------------------------------------------------------------------------------


def test_a_leaf_that_somebody_made_is_no_constant() -> None:
    weights = [Value(0.1 * i) for i in range(3)]
    outline = Outline(sum(w * 2.0 for w in weights))  # type: ignore[arg-type]
    kinds = outline.kinds
    assert [kinds[w] for w in weights] == [Kind.LEAF] * 3
    leaves = [v for v in outline.order if not v.parents and v not in weights]
    assert [v.data for v in leaves] == [0.0, 2.0, 2.0, 2.0]
    assert {kinds[v] for v in leaves} == {Kind.CONSTANT}


def test_a_picture_that_is_kept_changes_nothing_in_the_next() -> None:
    y = (Value(0.5) * 2 + 1).tanh()
    first, second = graph(y), graph(y)
    assert first.description == second.description
    assert "1 leaf, 2 constants" in second.description


def test_no_trainable_value_of_a_transformer_is_called_constant() -> None:
    model = Transformer(width=8, tokens=9)
    trainable = {v for rows in model.state.values() for row in rows for v in row}
    outline = Outline(model.loss([1, 2, 3]))
    kinds = {outline.kinds[v] for v in outline.order if v in trainable}
    assert kinds == {Kind.LEAF}
    assert not [v for v in outline.order if outline.kinds[v] is Kind.LEAF and v not in trainable]


def test_names_out_of_dicts_lists_and_variables() -> None:
    state = {"w": [[Value(1.0), Value(2.0)]], "b": Value(3.0)}
    x = Value(0.5)
    out: Value = state["w"][0][1] * x + state["b"]  # type: ignore[index]
    outline = Outline(out, names=locals())
    said = [outline.name(v) for v in outline.order]
    assert said == ["state['w'][0][1]", "x", "", "state['b']", "out"]
    assert Outline(out, names=state).name(out.parents[1]) == "b"
    with pytest.raises(TypeError, match=r"names=\{'w': \[w1, w2\]\}"):
        Outline(out, names={3: x})


def test_results_are_called_by_the_variables_that_their_lines_assign() -> None:
    x = Value(0.5, label="x")
    with source_lines():
        h = x * 2
        for _ in range(2):
            h = h.tanh() + 1
        out = h * h
    outline = Outline(out)
    assert [outline.name(v) for v in outline.order if v.parents] == [
        "h1",
        "",
        "h2",
        "",
        "h3",
        "out",
    ]


def test_a_variable_names_a_value_before_the_results_of_a_notebook_do() -> None:
    a, b = Value(1.0), Value(2.0)
    total = a + b
    found = names_of({"Out": {3: total, 4: a * b}, "_": b, "a": a, "b": b, "total": total})
    assert [found[v] for v in (a, b, total)] == ["a", "b", "total"]
    assert "Out[4]" in found.values()


# What repeats ------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_transformer_in_plain_code_shows_its_parts_by_name() -> None:
    model = Transformer()
    loss = model.loss([3, 1, 4, 1, 5, 9, 2, 6, 5])
    outline = Outline(loss, names=model.state)
    assert len(outline.order) > 57_000
    folding = fold(outline)
    assert len(folding.boxes) <= 25
    assert_is_partition(folding)
    assert_no_way_leads_back(folding)
    said = " ".join(patterns(folding))
    for name in ("wq", "wk", "wv", "wo", "fc1", "fc2", "lm_head", "softmax", "ReLU"):
        assert name in said


def attention(width: int = 8, heads: int = 4, rows: int = 4) -> tuple[Value, dict[str, Any]]:
    """Let one row attend to several, in heads beside each other."""
    rng = random.Random(1)

    def matrix(count: int) -> list[list[Value]]:
        return [[Value(rng.gauss(0, 0.3)) for _ in range(width)] for _ in range(count)]

    x, state = matrix(rows), {name: matrix(width) for name in ("wq", "wk", "wv", "wo")}
    query = linear(x[-1], state["wq"])
    keys, values = ([linear(row, state[name]) for row in x] for name in ("wk", "wv"))
    found: list[Value] = []
    for head in range(heads):
        part = slice(head * width // heads, (head + 1) * width // heads)
        weights = softmax([dot(query[part], key[part]) / 2.0 for key in keys])
        found += [dot(weights, list(column)) for column in zip(*(row[part] for row in values))]
    loss: Any = sum(v * v for v in linear(found, state["wo"]))
    return loss, {**state, "x": x}


def test_heads_beside_each_other_are_one_box_with_their_number() -> None:
    loss, names = attention()
    diagram = graph(loss, names=names)
    assert_is_partition(diagram.folding)
    assert_no_way_leads_back(diagram.folding)
    said = patterns(diagram.folding)
    assert "4 alike: softmax" in said
    found = {name: [text for text in said if re.match(rf"{name}\b", text)] for name in names}
    assert all(len(found[name]) == 1 for name in ("wq", "wk", "wv", "wo"))
    merged = [text == name for name, [text] in found.items() if name != "x"]
    assert len(set(merged)) == 1  # each W x in a box of its own, in all places or in none
    width, height = (float(x) for x in re.findall(r' (?:width|height)="(\d+)"', diagram.svg)[:2])
    assert height <= 1.25 * 960
    assert width <= 1.2 * 960


@pytest.mark.parametrize("most", range(2, 30, 3))
def test_a_softmax_is_merged_as_a_whole_or_not_at_all(most: int) -> None:
    """Without its sum, what is divided would depend on what depends on it."""
    loss, names = attention(width=4, heads=2, rows=2)
    folding: Folding = fold(Outline(loss, names), most=most)
    assert len(folding.boxes) <= most
    assert_is_partition(folding)
    assert_no_way_leads_back(folding)


def newton() -> Value:
    x = Value(1.5, label="x")
    for _ in range(6):
        x = x - (x * x - 2) / (2 * x)
    return x


def test_the_steps_of_newtons_method_fit_on_a_page() -> None:
    picture = graph(newton())
    assert patterns(picture.folding) == [f"step {i} of 6" for i in range(1, 7)]
    width, height = (float(picture.svg.split(f'{side}="')[1].split('"')[0]) for side in SIDES)
    assert height <= 1.2 * width


SIDES = ("width", "height")


class Recurrent(Module):
    """A cell whose state goes straight into its next call."""

    def __init__(self, inputs: int, states: int) -> None:
        self.wx = [[Value(0.1) for _ in range(inputs)] for _ in range(states)]
        self.wh = [[Value(0.1) for _ in range(states)] for _ in range(states)]

    def __call__(self, x: list[Value], h: list[Value]) -> list[Value]:
        return step(self.wx, self.wh, x, h)


def step(
    wx: list[list[Value]], wh: list[list[Value]], x: list[Value], h: list[Value]
) -> list[Value]:
    rows = zip(wx, wh)
    return [(dot(row, x) + dot(other, h)).tanh() for row, other in rows]


def dot(a: list[Value], b: list[Value]) -> Value:
    return sum((x * y for x, y in zip(a, b)), start=Value(0.0))


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_recurrent_network_shows_its_steps(by_hand: bool) -> None:
    cell = Recurrent(3, 4)
    h = [Value(0.0) for _ in range(4)]
    outputs = []
    for t in range(20):
        x = [Value(float(t)), Value(1.0), Value(2.0)]
        h = step(cell.wx, cell.wh, x, h) if by_hand else cell(x, h)
        outputs.append(dot(h, h))
    folding = fold(Outline(sum(outputs)))  # type: ignore[arg-type]
    assert_no_way_leads_back(folding)
    word = "step" if by_hand else "Recurrent, step"
    said = [text for text in patterns(folding) if text.startswith(word)]
    assert said == [f"{word} {i} of 20" for i in range(1, 21)]


@pytest.mark.parametrize("steps", [30, 100, 1000])
def test_more_steps_than_a_page_holds_share_a_box_but_for_the_last(steps: int) -> None:
    x: Any = Value(0.5)
    for _ in range(steps):
        x = x * 1.01 + 0.3 / (1 + x * x)
    diagram = graph(x)
    assert_is_partition(diagram.folding)
    assert_no_way_leads_back(diagram.folding)
    assert patterns(diagram.folding) == [f"steps 1 to {steps - 1:,} of {steps:,}"]
    last = [box.last._op for box in diagram.folding.boxes if not box.folded]
    assert sorted(filter(None, last)) == ["*", "*", "+", "+", "/"]


def recurrent(width: int, steps: int) -> tuple[Value, dict[str, Any]]:
    """Return the loss of a network whose states are labelled, and its weights by name."""
    rng = random.Random(1)
    weights = {
        name: [[Value(rng.gauss(0, 0.3)) for _ in range(count)] for _ in range(rows)]
        for name, rows, count in [("Wh", width, width), ("Wx", width, 3), ("Wo", 1, width)]
    }
    h, losses = [Value(0.0) for _ in range(width)], []
    for t in range(1, steps + 1):
        x = [Value(rng.random(), label=f"x{t}[{i}]") for i in range(3)]
        h = step(weights["Wx"], weights["Wh"], x, h)
        for i, v in enumerate(h):
            v.label = f"h{t}[{i}]"
        losses.append((dot(weights["Wo"][0], h) - rng.random()) ** 2)
    return sum(losses, start=Value(0.0)), weights


def test_the_states_of_a_recurrent_network_name_its_steps() -> None:
    loss, weights = recurrent(16, 20)
    diagram = graph(loss, names=weights)
    assert diagram._sheet.fits
    assert_is_partition(diagram.folding)
    assert_no_way_leads_back(diagram.folding)
    told = ["h1: step 1 of 20", "h2 … h19: steps 2 to 19 of 20", "h20: step 20 of 20"]
    said = patterns(diagram.folding)
    assert [text for text in said if "step" in text] == told
    rest = {re.split("[: ]", text)[0] for text in said if "step" not in text}
    assert rest == {"Wh", "Wx", "Wo", "+"}  # a step holds its inputs
    first, *_, last = (box for box in diagram.folding.boxes if "step" in box.pattern)
    assert {v.label[:2] for v in first.values if v.label} == {"x1", "h1"}
    assert {v.label[:3] for v in last.values if v.label} == {"x20", "h20"}


def test_steps_that_share_a_box_open_one_by_one() -> None:
    loss, weights = recurrent(4, 20)
    folding = graph(loss, names=weights).folding
    (many,) = (box for box in folding.boxes if "steps" in box.pattern)
    assert [box.pattern for box in many.inner] == [f"h{i}: step {i} of 20" for i in range(2, 20)]
    assert sorted(i for box in many.inner for i in box.places) == sorted(many.places)


def test_a_step_of_one_operation_counts_where_there_are_many() -> None:
    before, last = Value(1.0, label="f0"), Value(1.0, label="f1")
    for i in range(2, 25):
        before, last = last, before + last
        last.label = f"f{i}"
    diagram = graph(last)
    assert diagram._sheet.fits
    assert patterns(diagram.folding) == ["f4 … f23: steps 1 to 20 of 21"]


def test_scopes_that_count_share_a_box_named_by_the_first_and_the_last() -> None:
    w, x = Value(0.5, label="w"), Value(1.0, label="x")
    for t in range(20):
        with scope(f"step {t}"):
            x = (w * x + t).tanh()
    diagram = graph(x)
    groups = [box.group.title for box in diagram.folding.boxes if box.group]
    assert patterns(diagram.folding) == ["step 0 … step 18"]
    assert groups == ["step 19"]
    assert_no_way_leads_back(diagram.folding)


def test_a_scope_says_how_many_parts_alike_it_holds() -> None:
    x, found = [Value(0.1 * i, label=f"x{i}") for i in range(6)], []
    for head in range(4):
        with scope("head"):
            found.append(softmax([v * (head + 1) for v in x])[0])
    diagram = graph(sum(found, start=Value(0.0)), fold="head")
    assert "4 alike, 152 Values" in diagram.svg


def test_a_list_in_a_line_names_the_steps_that_make_it() -> None:
    weights = [[Value(0.1 * (i - j)) for i in range(4)] for j in range(4)]
    with source_lines():
        h = [Value(1.0) for _ in range(4)]
        for _ in range(6):
            h = [dot(row, h).tanh() for row in weights]
        total = sum(h)
    folding = graph(total).folding  # type: ignore[arg-type]
    said = [text for text in patterns(folding) if "step" in text]
    assert said == [f"h: step {i} of 6" for i in range(1, 7)]


# What else is drawn ------------------------------------------------------------------------------


def test_derivatives_are_shown_where_they_are_legible_or_said_to_be_hidden() -> None:
    shown = graph(Neuron(3)([1.0, 2.0, 3.0]), derivatives=True)
    assert not any(box.folded for box in shown.folding.boxes)
    assert "folded away" not in shown.source
    model = MLP(2, [2, 1])
    hidden = graph(model([1.0, 2.0]), derivatives=True, fold=8)
    assert "The local derivatives on" in hidden.source
    assert "arrows are folded away" in hidden.source


def test_several_roots_share_a_picture() -> None:
    x = Value(2.0, label="x")
    first, second = x * x, x.tanh()
    first.label, second.label = "first", "second"
    picture = graph([first, second])
    assert picture.title == "Computation graph of first, second"
    assert len(picture.folding.boxes) == 3
    assert "The results are first *, data 4; second tanh, data 0.964" in picture.description


def test_labels_name_what_a_function_had_before_its_variables_do() -> None:
    def ratio(x: list[Value]) -> Value:
        total = x[0] + x[1]
        return total / (x[0] - x[0])

    given = [Value(1.0, label="height"), Value(2.0)]
    outline = graph(failing(lambda: ratio(given))).folding.outline
    assert [outline.name(v) for v in outline.order] == ["height", "x[1]", "total"]


def failing(run: Callable[[], Any]) -> BaseException:
    with pytest.raises(ZeroDivisionError) as caught:
        run()
    return caught.value


def test_a_graph_that_failed_half_way_shows_what_was_recorded_and_where_it_broke() -> None:
    def ratio(a: Value, b: Value) -> Value:
        total = a + b
        difference = a - b
        return total / difference

    picture = graph(failing(lambda: ratio(Value(2.0), Value(2.0))))
    outline = picture.folding.outline
    assert {outline.name(v) for v in outline.order} == {"a", "b", "total", "difference"}
    assert "Unfinished: ZeroDivisionError in line" in picture.description
    assert "of ratio: return total / difference" in picture.description
    assert "return total / difference" in picture.source


def test_an_error_without_values_and_a_model_that_was_not_called_are_refused() -> None:
    with pytest.raises(ValueError, match="ZeroDivisionError left no Values to draw"):
        graph(failing(lambda: 1 / 0))
    with pytest.raises(TypeError, match=r"got MLP: call it first, as in graph\(mlp\(x\)\)"):
        graph(MLP(2, [1]))  # type: ignore[arg-type]


def test_parts_are_cut_where_nothing_else_helps() -> None:
    rng = random.Random(1)
    values = [Value(0.1 * i, label=f"{chr(97 + i)}_") for i in range(5)]
    for _ in range(400):
        a, b = rng.sample(values, 2)
        values.append(rng.choice([a * b, a + b, a - b, a.tanh()]))
    folding: Folding = fold(Outline(sum(values)), most=8)  # type: ignore[arg-type]
    assert len(folding.boxes) <= 8
    assert_no_way_leads_back(folding)
