"""Losses: their formulas and gradients, extreme scores of +-1000, and errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from conftest import known
from hypothesis import given
from hypothesis import strategies as st

from micrograd import Value, ops, program, toposort
from micrograd.losses import binary_cross_entropy, cross_entropy, hinge, squared_error
from micrograd.value.operators import Operators

logits = st.floats(-20, 20)
rows_of_logits = st.lists(logits, min_size=1, max_size=6)


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def softmax(zs: list[float]) -> list[float]:
    exps = [math.exp(z) for z in zs]
    return [e / sum(exps) for e in exps]


def value_and_slopes(
    loss: Callable[..., Any], numbers: Sequence[float]
) -> tuple[float, list[float]]:
    """Return the data of loss(Values of numbers), and the grads that it leaves in them."""
    values = [Value(number) for number in numbers]
    out = loss(*values)
    out.backward()
    return out.data, [v.grad for v in values]


def nearly(expected: Any) -> Any:
    return pytest.approx(expected, rel=1e-12, abs=1e-12)


# Formulas and gradients -------------------------------------------------------------------------


INF = math.inf


@pytest.mark.parametrize(
    ("loss", "logits", "value", "slopes"),
    [
        (lambda z: cross_entropy(z, [1, 0]), [0.0, -INF], 0.0, [0.0, 0.0]),
        (lambda z: cross_entropy(z, [0.5, 0.5, 0]), [0.0, 0.0, -INF], math.log(2), [0.0] * 3),
        (lambda z: cross_entropy(z, 0), [0.0, -INF], 0.0, [0.0, 0.0]),
        (lambda z: cross_entropy(z, 1), [0.0, -INF], INF, [1.0, -1.0]),
        (lambda z: cross_entropy(z, [0, 1]), [0.0, -INF], INF, [1.0, -1.0]),
        (lambda z: binary_cross_entropy(z[0], 1), [INF], 0.0, [0.0]),
        (lambda z: binary_cross_entropy(z[0], 0), [-INF], 0.0, [0.0]),
        (lambda z: binary_cross_entropy(z[0], 1), [-INF], INF, [-1.0]),
        (lambda z: binary_cross_entropy(z[0], 0), [INF], INF, [1.0]),
        (lambda z: hinge(z[0], 1), [INF], 0.0, [0.0]),
        (lambda z: hinge(z[0], -1), [-INF], 0.0, [0.0]),
    ],
)
def test_infinite_logits_have_their_loss(
    loss: Any, logits: list[float], value: float, slopes: list[float]
) -> None:
    inputs = [Value(z) for z in logits]
    out = loss(inputs)
    assert out.data == value
    assert float(loss(logits)) == value
    out.backward()
    assert [z.grad for z in inputs] == slopes


AT_INFINITY: list[tuple[Any, list[float], list[float], float, list[float]]] = [
    (cross_entropy, [0.0, -INF], [1, 0], 0.0, [0.0, 0.0]),
    (cross_entropy, [0.0, 0.0, -INF], [0.5, 0.5, 0], math.log(2), [0.0] * 3),
    (cross_entropy, [0.0, -INF], [0, 1], INF, [1.0, -1.0]),
    (cross_entropy, [-INF, 1.0, 1.0], [0, 0, 1], math.log(2), [0.0, 0.5, -0.5]),
    (lambda z, y: binary_cross_entropy(z[0], y[0]), [INF], [1], 0.0, [0.0]),
    (lambda z, y: binary_cross_entropy(z[0], y[0]), [-INF], [0], 0.0, [0.0]),
    (lambda z, y: binary_cross_entropy(z[0], y[0]), [-INF], [1], INF, [-1.0]),
    (lambda z, y: binary_cross_entropy(z[0], y[0]), [INF], [0], INF, [1.0]),
    (lambda z, y: hinge(z[0], y[0]), [INF], [1], 0.0, [0.0]),
]


@pytest.mark.parametrize(("loss", "logits", "label", "value", "slopes"), AT_INFINITY)
@pytest.mark.parametrize("kind", ["numbers", "array", "Values", "program"])
def test_infinite_logits_have_their_loss_whatever_a_label_is(
    kind: str, loss: Any, logits: list[float], label: list[float], value: float, slopes: Any
) -> None:
    inputs = [Value(0.0) for _ in logits]

    def of(z: Any, y: Any) -> Any:
        return loss([w + v for w, v in zip(inputs, z)], y)

    if kind == "program":  # with an ordinary row beside
        usual = [0.25 * k for k in range(len(logits))]
        out: Any = program(of)([usual, logits], [label, label])[1]
    else:
        made = {"numbers": list, "array": np.array, "Values": lambda y: [*map(Value, y)]}[kind]
        out = of(logits, made(label))  # type: ignore[operator]
    assert out.data == pytest.approx(value, rel=1e-15)
    out.backward()
    assert [w.grad for w in inputs] == pytest.approx(slopes, rel=1e-15)


@pytest.mark.parametrize("label", [-1, 1])
@given(score=st.floats(-5, 5).filter(lambda score: abs(score) != 1))
def test_hinge_is_the_margin_that_is_missing(score: float, label: Any) -> None:
    loss, slopes = value_and_slopes(lambda v: hinge(v, label), [score])
    missing = 1 - label * score
    assert loss == max(0.0, missing)
    assert slopes == [-label if missing > 0 else 0.0]


@given(output=logits, target=logits)
def test_squared_error_is_the_square_without_a_half(output: Any, target: Any) -> None:
    loss, slopes = value_and_slopes(squared_error, [output, target])
    assert loss == (output - target) ** 2
    assert slopes == [2 * (output - target), -2 * (output - target)]


@given(z=logits, y=st.floats(0, 1))
def test_binary_cross_entropy_is_the_formula_with_slope_sigmoid_minus_label(
    z: float, y: Any
) -> None:
    loss, slopes = value_and_slopes(lambda v: binary_cross_entropy(v, y), [z])
    p, q = sigmoid(z), sigmoid(-z)
    assert loss == nearly(-y * math.log(p) - (1 - y) * math.log(q))
    assert slopes == nearly([p - y])


@given(zs=rows_of_logits, data=st.data())
def test_cross_entropy_of_a_class_has_slopes_softmax_minus_one_hot(
    zs: list[float], data: st.DataObject
) -> None:
    label = data.draw(st.integers(0, len(zs) - 1))
    loss, slopes = value_and_slopes(lambda *v: cross_entropy(v, label), zs)
    p = softmax(zs)
    assert loss == nearly(-math.log(p[label]))
    assert slopes == nearly([p_k - (k == label) for k, p_k in enumerate(p)])


@given(zs=rows_of_logits, data=st.data())
def test_cross_entropy_of_probabilities_has_slopes_softmax_minus_label(
    zs: list[float], data: st.DataObject
) -> None:
    weights = data.draw(st.lists(st.floats(0.01, 1), min_size=len(zs), max_size=len(zs)))
    y = [w / sum(weights) for w in weights]
    loss, slopes = value_and_slopes(lambda *v: cross_entropy(v, y), zs)
    p = softmax(zs)
    assert loss == nearly(-sum(y_k * math.log(p_k) for y_k, p_k in zip(y, p)))
    assert slopes == nearly([p_k - y_k for p_k, y_k in zip(p, y)])


def test_a_class_is_the_same_as_its_one_hot_row() -> None:
    zs = [0.5, -1.0, 2.0]
    assert value_and_slopes(lambda *v: cross_entropy(v, 2), zs) == value_and_slopes(
        lambda *v: cross_entropy(v, [0, 0, 1]), zs
    )


def test_cross_entropy_gives_the_published_slopes_of_the_softmax_exercise() -> None:
    _, slopes = value_and_slopes(lambda *v: cross_entropy(v, 3), [0, 3, -2, 1])
    assert slopes == pytest.approx(known("networks.json")["softmax_exercise"]["grad"], rel=1e-14)


def test_binary_cross_entropy_is_cross_entropy_of_two_classes() -> None:
    two = value_and_slopes(lambda z: cross_entropy([Value(0.0), z], 1), [1.5])
    one = value_and_slopes(lambda z: binary_cross_entropy(z, 1), [1.5])
    assert one[0] == nearly(two[0])
    assert one[1] == nearly(two[1])


# Far out ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("z", "y", "loss", "slope"),
    [
        (1000, 1, 0, 0),
        (1000, 0, 1000, 1),
        (-1000, 1, 1000, -1),
        (-1000, 0, 0, 0),
        (1000, 0.25, 750, 0.75),
        (-1000, 0.25, 250, -0.25),
    ],
)
def test_binary_cross_entropy_is_exact_far_out(z: float, y: Any, loss: Any, slope: Any) -> None:
    assert value_and_slopes(lambda v: binary_cross_entropy(v, y), [z]) == (loss, [slope])


@pytest.mark.parametrize(
    ("zs", "label", "loss", "slopes"),
    [
        ([1000, -1000], 0, 0, [0, 0]),
        ([1000, -1000], 1, 2000, [1, -1]),
        ([-1000, 1000, 0], 0, 2000, [-1, 1, 0]),
        ([1000, 1000], 0, math.log(2), [-0.5, 0.5]),
        ([-1000, -1000], 1, math.log(2), [0.5, -0.5]),
        ([1000, 0], [0.75, 0.25], 250, [0.25, -0.25]),
        ([-1000], 0, 0, [0]),
    ],
)
def test_cross_entropy_is_exact_far_out(
    zs: list[float], label: Any, loss: Any, slopes: Any
) -> None:
    found, found_slopes = value_and_slopes(lambda *v: cross_entropy(v, label), zs)
    # What is added to the shift of 1000 is rounded to its last digit, and no more is lost.
    assert found == pytest.approx(loss, abs=math.ulp(1000))
    assert found_slopes == slopes


@pytest.mark.parametrize(
    ("loss", "score", "label", "expected"),
    [
        (hinge, 1000, -1, (1001, [1])),
        (hinge, -1000, -1, (0, [0])),
        (squared_error, 1000, -1000, (4e6, [4000])),
    ],
)
def test_hinge_and_squared_error_are_exact_far_out(
    loss: Any, score: float, label: Any, expected: Any
) -> None:
    assert value_and_slopes(lambda v: loss(v, label), [score]) == expected


# Kinds of operands ------------------------------------------------------------------------------

ONE_OUTPUT = [
    (hinge, [1, -1, 1]),
    (squared_error, [0.5, 2.0, 0.0]),
    (binary_cross_entropy, [1, 0, 0.5]),
]


@pytest.mark.parametrize(("loss", "labels"), ONE_OUTPUT)
class TestOneOutput:
    scores = (0.25, -3.0, 1.5)

    def test_plain_floats_give_the_data_of_values(self, loss: Any, labels: Any) -> None:
        for score, label in zip(self.scores, labels):
            plain = loss(score, label)
            assert not isinstance(plain, Value)
            assert plain == loss(Value(score), label).data

    def test_arrays_give_one_loss_per_element(self, loss: Any, labels: Any) -> None:
        batch = loss(np.array(self.scores), np.array(labels))
        assert batch.dtype == float
        assert list(batch) == nearly([loss(s, y) for s, y in zip(self.scores, labels)])

    def test_arrays_of_values_give_arrays_of_values(self, loss: Any, labels: Any) -> None:
        scores = [Value(score) for score in self.scores]
        loss(np.array(scores), np.array(labels)).sum().backward()
        assert [v.grad for v in scores] == nearly(
            [
                value_and_slopes(lambda v, y=y: loss(v, y), [s])[1][0]
                for s, y in zip(self.scores, labels)
            ]
        )

    def test_numpy_scalars_are_labels(self, loss: Any, labels: Any) -> None:
        assert loss(0.25, np.float64(labels[0])) == loss(0.25, labels[0])


def test_cross_entropy_of_plain_floats_is_the_data_of_values() -> None:
    plain = cross_entropy([0.5, -1.0, 2.0], 1)
    assert not isinstance(plain, Value)
    # From Python 3.12 on, sum() of floats is more exact than that of Values.
    assert plain == nearly(cross_entropy([Value(0.5), Value(-1.0), Value(2.0)], 1).data)


def test_cross_entropy_says_what_to_give_where_the_label_is_no_number_yet() -> None:
    loss = program(lambda scores, label: cross_entropy(scores, label))
    with pytest.raises(TypeError, match=r"one probability per class.*np\.eye\(classes\)"):
        loss(np.zeros((2, 3)), [0, 2])


def test_cross_entropy_of_one_array_per_class_gives_one_loss_per_example() -> None:
    examples = np.array([[0.5, -1.0, 2.0], [1000.0, 0.0, -1000.0]])
    labels = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    batch = cross_entropy(list(examples.T), list(labels.T))
    assert list(batch) == nearly([cross_entropy(z, y) for z, y in zip(examples, labels)])


@pytest.mark.parametrize("label", [1, 1.0, True, np.int64(1), np.array([0, 1, 0]), (0, 1, 0)])
def test_a_class_or_its_probabilities_come_as_any_number_or_row(label: Any) -> None:
    zs = [0.5, -1.0, 2.0]
    assert cross_entropy(zs, label) == cross_entropy(zs, 1)


def test_labels_may_be_values_and_get_their_gradient() -> None:
    z, y = Value(1.5), Value(0.25)
    binary_cross_entropy(z, y).backward()
    assert y.grad == -1.5


# The recorded graph -----------------------------------------------------------------------------


class Symbol(Operators[Any]):
    """An operand without a number in it: no `.data` to read."""

    def __init__(self, op: Any = None, operands: Any = ()) -> None:
        self.op, self.operands = op, operands

    def _apply(self, op: ops.Op, operands: tuple[Any, ...]) -> Any:
        return Symbol(op, operands)


@pytest.mark.parametrize(
    "loss",
    [
        lambda x, y: hinge(x, 1),
        squared_error,
        binary_cross_entropy,
        lambda x, y: cross_entropy([x, y], 1),
        lambda x, y: cross_entropy([x, y], [0.5, 0.5]),
    ],
)
def test_no_loss_reads_the_data_of_its_operands(loss: Any) -> None:
    assert isinstance(loss(Symbol(), Symbol()), Symbol)


def test_cross_entropy_shifts_by_the_maximum_with_its_gradient_stopped() -> None:
    graph = toposort(cross_entropy([Value(1.0), Value(3.0), Value(2.0)], 0))
    (shift,) = [v for v in graph if v.op is ops.stop_gradient]
    (largest,) = shift.parents
    assert largest.op is ops.maximum
    assert shift.data == 3.0
    assert largest.grad == 0.0


# Errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda v: hinge(v, 0), r"hinge: a label is -1 or \+1, got 0; map 0 to -1"),
        (lambda v: hinge(v, math.nan), r"hinge: a label is -1 or \+1, got nan"),
        (
            lambda v: binary_cross_entropy(v, -1),
            r"binary_cross_entropy: a label is from 0 to 1, got -1; map -1 to 0",
        ),
        (lambda v: binary_cross_entropy(v, 1.5), "from 0 to 1, got 1.5"),
        (lambda v: binary_cross_entropy(v, math.nan), "from 0 to 1, got nan"),
        (lambda v: cross_entropy([], 0), "cross_entropy: got no logits; give one per class"),
        (lambda v: cross_entropy([v, v], 2), "the label is a class from 0 to 1, got 2"),
        (lambda v: cross_entropy([v, v], -1), "the label is a class from 0 to 1, got -1"),
        (lambda v: cross_entropy([v, v], 0.5), "the label is a class from 0 to 1, got 0.5"),
        (lambda v: cross_entropy([v, v], [1]), "got 1 probabilities for 2 logits; give one per"),
        (lambda v: cross_entropy([v, v], [1, 1]), r"sum to 1, got \[1, 1\]"),
        (lambda v: cross_entropy([v, v], [math.nan, 1]), r"sum to 1, got \[nan, 1\]"),
        (lambda v: cross_entropy([v, v], [2, -1]), r"at least 0 and sum to 1, got \[2, -1\]"),
    ],
)
def test_a_label_that_does_not_fit_raises_and_says_what_fits(loss: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        loss(Value(1.0))


@pytest.mark.parametrize("loss", [hinge, squared_error, binary_cross_entropy])
def test_a_score_that_is_no_number_raises_a_type_error(loss: Any) -> None:
    with pytest.raises(TypeError):
        loss("1.0", 1)
