"""deltas: the course's table, against published figures and against the engine."""

from __future__ import annotations

import math
import random
import re
import tracemalloc
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import io
from test_tables import Tags

from micrograd import Value, examples, losses, ops, toposort
from micrograd.draw import Stepper
from micrograd.draw.stepping.story import text
from micrograd.explain import check_gradient, contributions, deltas
from micrograd.explain.course import formulas, textbook
from micrograd.explain.course.notation import Equation
from micrograd.explain.course.textbook import Deltas
from micrograd.graph.steps import backward_steps
from micrograd.graph.strict import strict
from micrograd.nn import MLP, Layer


def course(lam: float = 0) -> Deltas:
    example = examples.ng_ex4()
    return deltas(example.model, example.X, example.y, lam)


def rounded(rows: list[list[float]], decimals: int) -> list[list[float]]:
    return [[round(x, decimals) for x in row] for row in rows]


def cut_off(rows: list[list[float]], decimals: int) -> list[list[float]]:
    scale = 10**decimals
    return [[math.trunc(x * scale) / scale for x in row] for row in rows]


# Published figures --------------------------------------------------------------------------------


@pytest.mark.parametrize(("lam", "decimals"), [(0, 6), (4, 5)])
def test_ng_ex4_cost_and_gradient(lam: float, decimals: int) -> None:
    found, published = course(lam), examples.ng_ex4().published
    assert float(f"{found.J:.6g}") == published["J"][lam]
    for level in (1, 2):
        assert rounded(found.D[level].rows, decimals) == published["D"][lam][level]


@pytest.mark.parametrize("lam", [0, 4])
def test_ng_ex4_accumulators(lam: float) -> None:
    found = course(lam)  # the accumulators know nothing of lambda
    for level, published in examples.ng_ex4().published["Delta"].items():
        assert cut_off(found.Delta[level].rows, 3) == published


def test_ng_ex4_deltas_of_the_first_example() -> None:
    found = course()
    assert [round(x, 3) for x in found.delta[3][1]] == [0.889, 0.907, 0.923, -0.063]
    assert round(found.delta[2][1, 1], 4) == 0.7939
    assert round(found.a[1][1, 1], 4) == 0.5403
    assert round(found.delta[2][1, 1] * found.a[1][1, 1], 4) == 0.4290


def test_ng_ex4_the_accumulator_step_by_step() -> None:
    found = course()
    sums = [found.after(i).Delta[1][1, 1] for i in range(4)]
    added = [round(after - before, 3) for before, after in pairwise(sums)]
    assert added == [0.429, -0.729, 0.218]
    assert round(sums[-1], 3) == -0.083  # published as -0.082, cut off
    assert round(found.D[1][1, 1], 5) == -0.02754
    assert sums[-1] == found.Delta[1][1, 1]


def test_ng_check_nn_gradients() -> None:
    example = examples.ng_check_nn_gradients()
    for lam, decimals in ((0, 10), (3, 8)):
        found = deltas(example.model, example.X, example.y, lam)
        unrolled = [x for column in zip(*found.D[1]) for x in column]
        assert float(f"{found.J:.6g}") == example.published["J"][lam]
        assert round(unrolled[5], decimals) == pytest.approx(example.published["D_sixth"][lam])
        if lam == 0:
            published = example.published["D_first_ten"]
            assert unrolled[:10] == pytest.approx(published, abs=0.500001e-10)


def test_mazur_has_another_delta() -> None:
    example = examples.mazur()
    found = deltas(example.model, example.X, example.y, loss=example.loss)
    assert round(found.J.data, 9) == example.published["E"]
    assert round(found.delta[3][1, 1], 4) == 0.1385
    assert round(found.D[2][1, 1], 9) == example.published["dE_dw5"]
    text = str(found)
    assert "delta3 = dcost/da3 .* g'(z3)" in text
    assert "1      0.741365  0.186816    0.138499   0.741365" in text  # not a - y


@pytest.mark.parametrize("name", ["AND", "OR", "NOR", "XNOR"])
def test_logic_gates_have_small_deltas(name: str) -> None:
    example = examples.ng_logic_gate(name)
    found = deltas(example.model, example.X, example.y)
    last = found.delta[found.L]
    assert max(abs(delta) for (delta,) in last) < 1e-4
    assert [[round(a - y)] for (a,), y in zip(found.a[found.L], example.y)] == [[0]] * 4


# Against the engine -------------------------------------------------------------------------------


def square(z: Any) -> Any:
    return z * z / 4


ACTIVATIONS: list[Any] = ["relu", "tanh", "sigmoid", "linear", ops.softplus, square]


def half_squared(outputs: Any, targets: list[float]) -> Any:
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return sum((o - t) ** 2 / 2 for o, t in zip(outputs, targets))


def softmax(outputs: Any, targets: list[float]) -> Any:
    outputs = outputs if isinstance(outputs, list) else [outputs, 0.0]
    return losses.cross_entropy(outputs, targets.index(max(targets)))


def hinge(outputs: Any, targets: list[float]) -> Any:
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return sum(losses.hinge(o, 2 * round(t) - 1) for o, t in zip(outputs, targets))


def from_logits(outputs: Any, targets: list[float]) -> Any:
    outputs = outputs if isinstance(outputs, list) else [outputs]
    return sum(map(losses.binary_cross_entropy, outputs, targets))


# The models given to `deltas`, and the same cost of one example written by hand.
LOSSES: list[tuple[Any, Callable[..., Any]]] = [
    (None, from_logits),
    *((loss, loss) for loss in (half_squared, softmax, hinge)),
]


@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=4),
    st.sampled_from(ACTIVATIONS),
    st.sampled_from(LOSSES),
    st.sampled_from([0, 0.5]),
    st.integers(0, 10**6),
)
def test_deltas_agree_with_the_engine(
    sizes: list[int], activation: Any, loss: tuple[Any, Callable[..., Any]], lam: float, seed: int
) -> None:
    rng = random.Random(seed)
    model = MLP(sizes[0], sizes[1:], activation=activation)
    for p in model.parameters():
        p.data, p.grad = rng.uniform(-1, 1), 7.0
    rows = [[rng.uniform(-2, 2) for _ in range(sizes[0])] for _ in range(3)]
    labels = [[rng.random() for _ in range(sizes[-1])] for _ in rows]
    given_loss, by_hand = loss

    found = deltas(model, rows, labels, lam, given_loss)

    assert {p.grad for p in model.parameters()} == {7.0}  # left as they were
    assert all(check.difference < 1e-9 for check in found.checks)
    weights = [w for layer in model.layers for n in layer.neurons for w in n.w]
    penalty: Any = lam / (2 * 3) * sum(w * w for w in weights)
    costs = [by_hand(model(x), y) for x, y in zip(rows, labels)]
    model.zero_grad()
    for cost in costs:
        cost.backward()
    assert_grads(model, found.Delta)
    model.zero_grad()
    j = sum(costs) / 3 + penalty
    j.backward()
    assert found.J.data == pytest.approx(j.data, rel=1e-9)
    assert_grads(model, found.D)


def assert_grads(model: MLP, matrices: dict[int, Any]) -> None:
    for layer, matrix in zip(model.layers, matrices.values()):
        grads = [[n.b.grad, *(w.grad for w in n.w)] for n in layer.neurons]
        for row, numbers in zip(grads, matrix):
            assert row == pytest.approx(numbers, rel=1e-9, abs=1e-12)


def test_a_delta_is_the_slope_of_the_cost_over_z() -> None:
    found = course()
    for i in (1, 2, 3):
        for level in (2, 3):
            for k, delta in enumerate(found.delta[level][i], start=1):
                z = found.z[level].value(i, k)
                assert contributions(found.cost(i), z).total == delta


def test_the_three_derivatives_are_run_apart() -> None:
    found = course(4)
    ran = [check.run for check in found.checks]
    assert ran == [
        "z.grad after cost(i).backward()",
        "m * z.grad after backward() of the averaged costs",
        "w.grad after cost(i).backward() for each i, not zeroed",
        "w.grad after J.backward()",
    ]
    assert [check.difference < 1e-14 for check in found.checks] == [True] * 4
    # By hand, on the recorded graph: nothing of the one is in the other.
    w, z = found.Theta[1].value(1, 1), found.z[2].value(1, 1)
    found.J.backward()
    assert w.grad == found.D[1][1, 1]
    assert z.grad * 3 == pytest.approx(found.delta[2][1, 1], rel=1e-14)
    w.grad = 0
    for i in (1, 2, 3):
        found.cost(i).backward()
        assert w.grad == found.after(i).Delta[1][1, 1]
    assert w.grad != 3 * found.D[1][1, 1]  # lambda is in D alone


def test_a_wrong_formula_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    right = formulas.deltas

    def wrong(thetas: Any, slopes: Any, last: Any) -> Any:
        return right(thetas, slopes, -last)  # y - a

    monkeypatch.setattr(formulas, "deltas", wrong)
    found = course()
    assert found.checks[0].difference > 1
    assert "off by 2" in str(found)


# Kinds of models ----------------------------------------------------------------------------------


def test_matrices_as_octave_has_them() -> None:
    example = examples.ng_ex4()
    thetas = [
        np.array([[n.b.data, *(w.data for w in n.w)] for n in layer.neurons])
        for layer in example.model.layers
    ]
    labels = np.array([[4], [2], [3]], dtype=np.uint8)  # a column, as loadmat gives it
    found = deltas(thetas, np.array(example.X), labels)
    assert found.data == course().data
    np.testing.assert_array_equal(np.asarray(found.Theta[2]), thetas[1])


def test_the_sigmoid_of_the_output_is_applied_once() -> None:
    linear = MLP(2, [2, 4], activation="sigmoid")
    for p, q in zip(linear.parameters(), examples.ng_ex4().model.parameters()):
        p.data = q.data
    example = examples.ng_ex4()
    assert deltas(linear, example.X, example.y).data == course().data


def test_labels_may_be_classes_or_rows() -> None:
    example = examples.ng_ex4()
    rows = [[0, 0, 0, 1], [0, 1, 0, 0], (0.0, 0.0, 1.0, 0.0)]
    assert deltas(example.model, example.X, rows).data == course().data


def test_values_of_ones_own_are_used_as_they_are() -> None:
    bias, weight = Value(0.5), Value(-1.0)
    found = deltas([[[bias, weight]]], [[2.0], [1.0]], [1, 0])
    assert found.Theta[1].value(1, 1) is weight
    assert contributions(found.J, weight).total == pytest.approx(found.D[1][1, 1])


def test_a_weight_that_two_units_share_collects_from_both() -> None:
    shared = Value(0.3)
    found = deltas([[[shared, 0.1], [shared, 0.2]]], [[1.0], [2.0]], [1, 2], lam=1)
    assert found.Delta[1][1, 0] == found.Delta[1][2, 0]
    assert all(check.difference < 1e-12 for check in found.checks)


# Subscripts and superscripts ----------------------------------------------------------------------


def test_there_is_no_delta_1_and_it_says_why() -> None:
    found = course()
    with pytest.raises(IndexError, match=r"no delta\[1\]: a delta is the derivative .* has no z"):
        found.delta[1]
    with pytest.raises(IndexError, match=r"no delta\[4\]: layers go from 2 to 3 here"):
        found.delta[4]
    with pytest.raises(IndexError, match=r"no z\[1\]: .* the a of layer 1 are the inputs"):
        found.z[1]
    with pytest.raises(IndexError, match=r"no a\[4\]: layers go from 1, the inputs, to 3"):
        found.a[4]
    for table in (found.Theta, found.Delta, found.D, found.after(2).Delta):
        assert list(table) == [1, 2]
        with pytest.raises(IndexError, match=r"\[3\]: it belongs to the weights from layer l"):
            table[3]


def test_subscripts_are_those_of_the_course() -> None:
    found = course()
    assert found.a[2][1, 0] == 1.0  # the bias unit
    assert found.Theta[1][1, 0] == 0.1
    assert found.Theta[2][4] == [1.0, 1.4, 1.8]
    assert len(found.z[2]) == 3
    with pytest.raises(IndexError, match=r"z2 has rows 1 to 3 \(one per example\) and columns 1"):
        found.z[2][1, 0]
    with pytest.raises(IndexError, match=r"got \[0, 0\]"):
        found.Theta[1][0, 0]
    with pytest.raises(IndexError, match="the examples count from 1 to 3 here, got 0"):
        found.cost(0)
    with pytest.raises(IndexError, match="the examples count from 0 to 3 here, got 4"):
        found.after(4)


def test_values_behind_the_numbers() -> None:
    found = course()
    assert found.a[2].value(1, 2).data == found.a[2][1, 2]
    assert found.a[2].value(1, 2).label == "a2(2)"
    with pytest.raises(TypeError, match=r"a2\(1,0\) is the bias unit: always 1"):
        found.a[2].value(1, 0)
    with pytest.raises(TypeError, match="Delta1 holds gradients, which are numbers"):
        found.Delta[1].value(1, 0)


# Errors -------------------------------------------------------------------------------------------

THETA = [[[0.1, 0.2, 0.3]], [[0.4, 0.5]]]


class Residual(MLP):
    def __call__(self, x: Any) -> Any:
        return super().__call__(x) + x[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], [[1.0]], [1]), "the model has no layers"),
        (([[[1.0, 2.0], [1.0]]], [[1.0]], [1]), r"the rows of Theta1 must have one length.*\[1, 2"),
        (
            ([*THETA, THETA[0]], [[1, 2]], [1]),
            "Theta3 has 3 columns and the layer below has 1 unit",
        ),
        (([[[Value(1.0) * 2, 1.0]]], [[1.0]], [1]), "a weight of Theta1 is computed from other"),
        (
            (THETA, [[1.0, 1.0, 2.0]], [1]),
            "example 1 has 3 inputs, the network takes 2; leave the 1",
        ),
        ((THETA, [[1.0]], [1]), "example 1 has 1 input, the network takes 2$"),
        ((THETA, [], []), "X has no examples"),
        ((THETA, [[1.0, 2.0]], [1, 0]), "X has 1 examples and Y has 2"),
        ((THETA, [[1.0, 2.0]], [2]), "example 1 has the label 2: give one number from 0 to 1"),
        (
            ([[[0, 1], [0, 1]]], [[1.0]], [0]),
            "class 0: with 2 output units the classes count from 1",
        ),
        (([[[0, 1], [0, 1]]], [[1.0]], [[0, 1, 0]]), r"example 1 has the label \[0, 1, 0\]"),
        (([[[0, 1], [0, math.nan]]], [[1.0]], [1]), r"Theta1\(2,1\) is nan: give finite numbers"),
        ((THETA, [[1, 2], [math.inf, 1]], [1, 1]), "input 1 of example 2 is inf: give finite"),
        ((THETA, [[1.0, 2.0]], [1], -1), "lam, the lambda .* not negative, got -1"),
        (([[[0, 100]]], [[1.0]], [0]), "the cross-entropy of output 1, a = 1.0, with y = 0 is not"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        deltas(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3.0, [[1.0]], [1]), r"the model is an nn.MLP or a list of matrices"),
        ((THETA[0], [[1.0]], [1]), r"the model is an nn.MLP or a list of matrices"),
        ((Residual(2, [1]), [[1.0, 2.0]], [1]), "Residual has one of its own: use contributions"),
        ((Layer(2, 1), [[1.0, 2.0]], [1]), "got Layer"),
        ((THETA, 5, [1]), "X has a row of inputs for each example; got 5"),
        ((THETA, [[1.0, 2.0]], 1), "Y has a label for each example; got 1"),
        ((THETA, [["a", 1.0]], [1]), "an input of example 1 must be a real number"),
        ((THETA, [[1.0, 2.0]], [1], 0, "mse"), "loss must be a function .* got 'mse'"),
        (
            (THETA, [[1.0, 2.0]], [1], 0, lambda o, y: 3.0),
            "must return one Value, got 3.0 for exam",
        ),
        ((THETA, [[1.0, 2.0]], [1], "0.1"), "lam must be a real number"),
    ],
)
def test_what_is_of_another_kind_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        deltas(*arguments)


def test_a_saturated_output_that_is_right_costs_nothing() -> None:
    found = deltas([[[0, 100]]], [[1.0], [-8.0]], [1, 0])
    assert (found.J.data, found.delta[2].rows) == (0.0, [[0.0], [pytest.approx(0, abs=1e-300)]])


# Output -------------------------------------------------------------------------------------------


TABLE_TAGS = {"table", "caption", "thead", "tbody", "tr", "th", "td"}


def test_every_equation_stands_above_its_numbers() -> None:
    text = str(course(4))
    order = [
        "J = (1/m) sum_i cost_i + (lambda/2m) sum Theta .* Theta",
        "lambda = 4: J = 19.4736",
        "z2 = Theta1 * [1; a1]",
        "z3 = Theta2 * [1; a2]",
        "delta3 = a3 - y",
        "a - y is left",
        "delta3 (row: example)",
        "delta2 = Theta2' * delta3 .* g'(z2)",
        "delta2 (row: example)",
        "Delta1 = sum_i delta2 * [1; a1]'",
        "Delta1 (row: unit)",
        "1     2.29842  -0.0826188  -0.0747863",
        "D1 = (1/m) Delta1 + (lambda/m) Theta1",
        "w.grad after J.backward()",
    ]
    positions = [text.index(line) for line in order]
    assert positions == sorted(positions)
    assert text.count("equal") == 4


def test_html_has_the_same_and_needs_no_style_sheet() -> None:
    tags = Tags(course()._repr_html_())
    assert tags.attributes == {"style"}
    assert tags.used <= {*TABLE_TAGS, "p", "b", "sup", "sub"}
    text = "".join(tags.texts)
    assert "δ(3) = a(3) - y" in text
    assert "2.29842" in text
    for part in (course().Delta, course().Delta[1]):
        assert "2.29842" in Tags(part._repr_html_()).texts


def test_latex_has_the_equations_and_the_matrices() -> None:
    latex = course()._repr_latex_()
    assert r"\delta^{(2)} = (\Theta^{(2)})^T \, \delta^{(3)} \odot g'(z^{(2)})" in latex
    assert r"\mathrm{Delta1} = \begin{bmatrix} 2.298 & -0.08262 & -0.07479 \\ 2.94" in latex
    assert latex.count("{") == latex.count("}")
    assert latex.count(r"\begin") == latex.count(r"\end")


def test_large_matrices_show_their_beginning() -> None:
    rng = random.Random(0)
    thetas = [[[rng.uniform(-1, 1) for _ in range(31)] for _ in range(12)]]
    found = deltas(thetas, [[0.1] * 30] * 11, [1] * 11)
    text = str(found.Theta[1])
    assert "Rows 1 to 10 of 12, columns 0 to 9 of 0 to 30." in text
    assert len(text.splitlines()) == 14
    assert "..." in text
    assert r"\cdots" in found.Theta[1].latex()
    assert r"\vdots" in found.Theta[1].latex()
    assert " to " not in str(course().Theta)
    assert "m = 1 example," in str(deltas([[[0.0, 1.0]]], [[0.0]], [1]))


def test_a_layer_may_have_a_superscript_of_two_digits() -> None:
    line = Equation("delta[10] = Theta[10]' * delta[11]")
    assert line.text() == "delta10 = Theta10' * delta11"
    assert r"\delta^{(10)}" in line.latex()
    assert "δ<sup>(11)</sup>" in line.html()


def test_accumulators_show_themselves() -> None:
    accumulated = course().after(1)
    assert str(accumulated).startswith("Delta1 (row: unit)")
    assert "<caption" in accumulated._repr_html_()


def test_data_is_plain_numbers() -> None:
    data = course().data
    assert set(data) == {"J", "cost", "a", "z", "delta", "Theta", "Delta", "D"}
    assert data["J"] == pytest.approx(sum(data["cost"]) / 3)
    assert data["Theta"][1] == [[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]
    assert [len(row) for row in data["a"][2]] == [3, 3, 3]


def additions(played: Stepper) -> list[str]:
    """Return every `+=` below the story."""
    return list(map(played.narration.backward_line, played.narration.steps))


def test_the_stepper_plays_an_example_in_the_courses_words(tmp_path: Path) -> None:
    found = course()
    before = [p.grad for p in found.recording.network.parameters()]
    played = found.stepper(1)
    forward = [played.narration.forward_line(v) for v in played.narration.values if v.parents]
    lines = [*forward, *additions(played)]
    for line in (
        "a2(1) = sigmoid(z2(1)) = sigmoid(0.05402) = 0.5135",
        "a2(1).grad += Theta2(1,1) * v4.grad = 1.1 * 0.8887 = 0.9775, now 3.178",
        "delta2(1) += (a2(1) * (1 - a2(1))) * a2(1).grad = 0.2498 * 3.178 = 0.7939, now 0.7939",
        "Delta1(1,1) += a1(1) * v1.grad = 0.5403 * 0.7939 = 0.429, now 0.429",
    ):
        assert line in lines
    played.save(tmp_path / "example.html")
    page = (tmp_path / "example.html").read_text(encoding="utf-8")
    for word in ("layer 2", "layer 3", "a2", "a3", "delta3", "delta2", "Delta2", "Delta1"):
        assert f">{word}<" in page
    assert [p.grad for p in found.recording.network.parameters()] == before
    with pytest.raises(IndexError, match="the examples count from 1 to 3"):
        found.stepper(4)


@pytest.mark.parametrize("example", [1, 2, 3])
def test_the_story_of_the_stepper_is_what_is_written_by_hand(example: int) -> None:
    found = course(4)
    by_hand = str(found.by_hand(example)).splitlines()
    story = str(found.stepper(example)).splitlines()
    titles = [moment.title for moment in found.by_hand(example).data]
    assert [line for line in story if line and line not in titles] == [
        line.strip() for line in by_hand if line.startswith("  ")
    ]


def test_the_story_has_a_moment_per_delta() -> None:
    story = course().stepper(1).story
    assert [len(moment.lines) for moment in story] == [
        2,
        2,
        4,
        4,
        1,
        *[1] * 4,
        *[1] * 2,
        6,
        12,
        6,
        12,
    ]
    asked = [text(moment.lines[moment.asks]) for moment in story if moment.asks is not None]
    assert [line.partition(" ")[0] for line in asked] == [
        *(f"delta3({k})" for k in (1, 2, 3, 4)),
        *(f"delta2({k})" for k in (1, 2)),
        "Delta1(1,2)",  # its sign is not that of delta2(1), since a1(2) is negative
        "Delta2(4,2)",
    ]


def test_a_wrong_sign_is_explained_by_what_the_delta_is_made_of() -> None:
    def why(found: Deltas, place: int) -> str:
        moment = [moment for moment in found.stepper(1).story if moment.why][place]
        assert moment.why
        return text(moment.why)

    example = examples.mazur()
    assert why(course(), 3) == "It is output minus label, 0.9366 - 1."
    assert why(course(), 4) == "The paths add up to 3.178, and g' is 0.2498."
    assert why(course(), 6) == "The delta is 0.7939, and what it meets is -0.4161."
    squared = deltas(example.model, example.X, example.y, loss=example.loss)
    assert why(squared, 0) == "Its factors are 0.7414 * 0.1868."
    wide = why(deltas(*exercise_4(20)), 10)
    assert re.fullmatch(r"Its factors are .* \+ 4 more and 0\.\d+\.", wide)


def test_hosts_without_scripts_are_told_the_story() -> None:
    output = course().stepper(1)._repr_mimebundle_()
    html, plain = str(output["text/html"]), str(output["text/plain"])
    delta = "delta2(1) = (1.1*0.8887 + 1.2*0.9074 + 1.3*0.9233 - 1.4*0.06335) * 0.2498 = 0.7939"
    static, _, script = html.partition("<script>")
    assert f">{delta}<" in static
    assert "<details open><summary>In words: 15 steps" in static
    assert "DecompressionStream" in script  # of the page, as below
    assert delta in plain
    assert course().stepper(1).html().count("<details><summary>In words: 15 steps") == 1


def test_an_output_that_the_loss_leaves_out_is_told_too() -> None:
    example = examples.ng_ex4()
    found = deltas(example.model, example.X, example.y, loss=lambda outputs, y: outputs[0] ** 2)
    played = found.stepper(1)
    assert "delta3(4) = dcost/da3(4) * g'(z3(4)) = 0 * 0.05934 = 0" in str(played)
    assert '"story":' in played.html()


def test_a_story_of_one_weight_in_two_places() -> None:
    w = Value(0.5)
    found = deltas([[[w, w]]], [[2.0]], [1])
    shown = str(found.stepper(1))
    assert "Delta1(1,1) += -0.1824 * 2 = -0.3649: 0 becomes -0.5473, with what the same" in shown
    assert '"story":' in found.stepper(1).html()


def test_the_same_network_has_the_same_number_of_operations_everywhere() -> None:
    example = examples.ng_ex4()
    roots = [*map(course().cost, (1, 2, 3)), *map(example.cost, (1, 2, 3))]
    counts = {
        (sum(bool(v.parents) for v in toposort(root)), len(backward_steps(root))) for root in roots
    }
    assert counts == {(41, 71)}
    page = course().stepper(1).html()
    assert "Forward: 41 operations" in page
    assert "Backward: 71 additions" in page


def test_the_stepper_begins_with_a_box_per_layer_and_one_of_the_cost() -> None:
    page = course().stepper(1).html()
    first = page[: page.index("</svg>")]
    for shown in ("layer 2", "layer 3", "cost", "0.8887, 0.9074, 0.9233, -0.06335"):
        assert f">{shown}<" in first  # all four deltas, with the one that should rise
    assert ">0.7, 1.1, 1.5 \u2026<" in first  # of twelve weights
    assert ">sigmoid<" not in first
    assert ">log<" not in first


def test_every_addition_of_the_stepper_ends_in_the_courses_numbers() -> None:
    found = course()
    for i in (1, 2, 3):
        ends = dict(line.split(" += ") for line in additions(found.stepper(i)))
        for k, delta in enumerate(found.delta[2][i], start=1):
            assert ends[f"delta2({k})"].endswith(f"now {delta:.4g}")
        after, before = found.after(i).Delta[1], found.after(i - 1).Delta[1]
        assert ends["Delta1(2,1)"].endswith(f"now {after[2, 1] - before[2, 1]:.4g}")


# Many examples ------------------------------------------------------------------------------------


def exercise_4(examples: int, seed: int = 0) -> tuple[list[Any], Any, Any]:
    """Draw matrices and data of the shapes in ex4weights.mat and ex4data1.mat."""
    rng = np.random.RandomState(seed)
    thetas = [rng.uniform(-0.12, 0.12, shape) for shape in ((25, 401), (10, 26))]
    return thetas, rng.rand(examples, 400), rng.randint(1, 11, (examples, 1))


def test_many_examples_give_what_few_give(monkeypatch: pytest.MonkeyPatch) -> None:
    example = examples.ng_ex4()
    shared = Value(0.3)
    for model, lam in ((example.model, 0.0), ([[[shared, shared, 0.2]] * 2, [[0.1] * 3] * 4], 4.0)):
        recorded = deltas(model, example.X, example.y, lam)
        with monkeypatch.context() as patch:
            patch.setattr(textbook, "MOST_RECORDED", 0)
            found = deltas(model, example.X, example.y, lam)
        assert all(check.difference < 1e-14 for check in found.checks)
        assert [check.what for check in found.checks] == [
            "delta = dcost(i)/dz",
            "Delta = sum_i dcost(i)/dTheta",
            "D = dJ/dTheta",
        ]
        for name in ("a", "z", "delta", "Theta", "Delta", "D"):
            for level, matrix in getattr(found, name).items():
                np.testing.assert_allclose(matrix, getattr(recorded, name)[level], rtol=1e-12)
        assert found.J.data == pytest.approx(recorded.J.data, rel=1e-13)
        assert found.costs == pytest.approx(recorded.costs, rel=1e-13)
        for i in range(4):
            np.testing.assert_allclose(
                found.after(i).Delta[1], recorded.after(i).Delta[1], rtol=1e-12
            )
        np.testing.assert_allclose(found.output_factors(2), recorded.output_factors(2), rtol=1e-12)
        assert found.cost(2).data == pytest.approx(recorded.cost(2).data)
        assert found.z[2].value(3, 1).label == "z2(1)"


@pytest.mark.long
def test_the_real_exercise_fits() -> None:
    thetas, x, y = exercise_4(5000)
    tracemalloc.start()
    found = deltas(thetas, x, y, lam=1.0)
    str(found)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500e6
    assert all(check.difference < 1e-12 for check in found.checks)
    assert found.Delta[1].rows[24][400] == found.Delta[1][25, 400]
    assert "Rows 1 to 10 of 5,000" in str(found.delta[3])
    through = str(contributions(found.cost(17), found.Theta[1].value(3, 7)))
    assert "Theta1(3,7) * a1(7)" in through


@pytest.mark.long
def test_the_gradient_of_the_real_exercise_is_what_a_nudge_says() -> None:
    thetas, x, y = exercise_4(50)
    derivative = deltas(thetas, x, y, lam=1.0).D[1][3, 7]
    nudged = thetas[0][2, 7]
    costs = []
    for by in (1e-5, -1e-5):
        thetas[0][2, 7] = nudged + by
        costs.append(deltas(thetas, x, y, lam=1.0).J.data)
    assert (costs[0] - costs[1]) / 2e-5 == pytest.approx(derivative, rel=1e-5)


def test_from_the_courses_files_to_a_verdict(tmp_path: Path) -> None:
    thetas, x, y = exercise_4(50)
    io.savemat(tmp_path / "ex4weights.mat", {"Theta1": thetas[0], "Theta2": thetas[1]})
    io.savemat(tmp_path / "ex4data1.mat", {"X": x, "y": y.astype(np.uint8)})
    weights, data = io.loadmat(tmp_path / "ex4weights.mat"), io.loadmat(tmp_path / "ex4data1.mat")
    read = [weights["Theta1"], weights["Theta2"]]
    found = deltas(read, data["X"], data["y"], lam=1)
    assert found.J.data == pytest.approx(deltas(thetas, x, y, lam=1).J.data, rel=1e-14)
    d = [np.array(found.D[1]), np.array(found.D[2])]
    assert check_gradient(read, data["X"], data["y"], d, lam=1).right
    for gradient, theta in zip(d, thetas):
        gradient[:, 0] += theta[:, 0] / 50
    wrong = check_gradient(read, data["X"], data["y"], d, lam=1)
    assert wrong.mistakes == ["lambda on the bias"]


def test_many_examples_need_sigmoids_and_the_courses_cost() -> None:
    thetas, x, y = exercise_4(20)
    model = MLP(400, [25, 10], activation="tanh")
    with pytest.raises(ValueError, match=r"20 examples through 10,285 weights .* X\[:19\]"):
        deltas(model, x, y)
    with pytest.raises(ValueError, match=r"would fill about 0.1 GB as graphs"):
        deltas(thetas, x, y, loss=lambda outputs, label: outputs[0])


def test_saturated_outputs_are_refused_among_many_too() -> None:
    thetas, x, y = exercise_4(20)
    thetas[1][:, 0] = 100.0
    with pytest.raises(ValueError, match="example 1: the cross-entropy of output"):
        deltas(thetas, x, y)


@pytest.mark.long
def test_an_example_of_the_real_exercise_can_be_stepped_through() -> None:
    found = deltas(*exercise_4(20))
    played = found.stepper(1)
    assert any(line.startswith("Delta1(25,400) += a1(400) * ") for line in additions(played))
    assert "... and 10,013 more" in str(played)
    page = played.html()
    assert len(page) < 3_000_000
    first = page[: page.index("</svg>")]
    shown = re.findall('class="name"[^>]*>([^<]*)<', first)
    assert sorted(shown) == ["a1", "cost", "layer 2", "layer 3"]
    assert "Theta1(3,7)" in page
    assert "neurons" not in page
    with pytest.raises(ValueError, match="allow it with limit="):
        found.stepper(1, limit=10_000)


# By hand ------------------------------------------------------------------------------------------


def test_an_example_is_written_out_a_delta_a_line() -> None:
    shown = str(course(4).by_hand(1))
    for line in (
        "z2(1) = 0.1*1 + 0.3*0.5403 - 0.5*0.4161 = 0.05402",
        "a2(1) = g(0.05402) = 0.5135",
        "delta3(4) = a3(4) - y(4) = 0.9366 - 1 = -0.06335",
        "delta2(1) = (1.1*0.8887 + 1.2*0.9074 + 1.3*0.9233 - 1.4*0.06335) * 0.2498 = 0.7939",
        "Delta1(1,1) += 0.7939 * 0.5403 = 0.429: 0 becomes 0.429",
        "D1(1,0) = 2.298 / 3 = 0.7661",
        "D1(1,1) = -0.08262 / 3 + 4 / 3 * 0.3 = 0.3725",
    ):
        assert f"\n  {line}\n" in shown
    second = str(course().by_hand(2))
    assert "Delta1(1,1) += 0.7367 * -0.99 = -0.7294: 0.429 becomes -0.3004" in second
    assert [moment.title for moment in course().by_hand(1).data] == [
        "z of layer 2: weighted sums",
        "a of layer 2: g of these",
        "z of layer 3: weighted sums",
        "a of layer 3: g of these",
        "the cost",
        "delta of layer 3, the outputs",
        "delta of layer 2: Theta2' * delta3 .* g'(z2)",
        "what example 1 adds to Delta1",
        "what example 1 adds to Delta2",
        "D1 = Delta1 / m, all examples added (m = 3)",
        "D2 = Delta2 / m, all examples added (m = 3)",
    ]
    with pytest.raises(IndexError, match="the examples count from 1 to 3"):
        course().by_hand(4)


def test_each_line_by_hand_is_a_sum_that_holds() -> None:
    thetas, x, y = exercise_4(30)
    for found in (course(4), deltas(thetas, x, y, lam=1.0)):
        for moment in found.by_hand(2).data:
            for line in moment.lines[:200]:
                _, *parts = re.split(r" \+?= ", line.partition(":")[0])
                if "more" in line or "g(" in line or len(parts) < 2:
                    continue
                made, number = eval(parts[-2]), float(parts[-1])
                assert made == pytest.approx(number, rel=2e-2, abs=2e-3), line


def test_long_steps_show_their_beginning() -> None:
    found = deltas(*exercise_4(30)).by_hand(1)
    shown = str(found)
    assert "+ 395 more = " in shown
    assert "... and 10,013 more" in shown
    assert len(shown.splitlines()) < 150
    assert "<pre>" in found._repr_html_()


def test_deltas_add_up_in_strict_mode_too() -> None:
    net = examples.ng_ex4()
    with strict():
        course = deltas(net.model, net.X, net.y)
        assert course.D[1].rows == deltas(net.model, net.X, net.y).D[1].rows
