"""A label that does not fit raises in a program, as it does in a loop over the rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from micrograd import Value, program
from micrograd.losses import binary_cross_entropy, cross_entropy, hinge

X = [0.5, -1.5, 2.0]
RIGHT: dict[Callable[..., Any], list[Any]] = {
    binary_cross_entropy: [0.0, 1.0, 0.25],
    hinge: [-1.0, 1.0, 1.0],
    cross_entropy: [[1.0, 0.0], [0.25, 0.75], [0.0, 1.0]],
}
WRONG: list[tuple[Callable[..., Any], Any]] = [
    (binary_cross_entropy, 3.0),
    (binary_cross_entropy, -1.0),
    (binary_cross_entropy, float("nan")),
    (hinge, 0.0),
    (hinge, 2.0),
    (hinge, float("nan")),
    (cross_entropy, [0.0, 0.0]),
    (cross_entropy, [0.5, 0.2]),
    (cross_entropy, [1.5, -0.5]),
    (cross_entropy, [1.0, float("nan")]),
]


def made(loss: Callable[..., Any], w: Value) -> Callable[..., Any]:
    def of_a_row(x: Any, y: Any) -> Any:
        return loss([w * x, x] if loss is cross_entropy else w * x, y)

    return of_a_row


@pytest.mark.parametrize(("loss", "wrong"), WRONG)
@pytest.mark.parametrize("row", [0, 1, 2])
def test_a_wrong_label_raises_in_any_row_and_the_next_call_works(
    loss: Callable[..., Any], wrong: Any, row: int
) -> None:
    function = made(loss, Value(0.5))
    labels = RIGHT[loss]
    with_wrong = [*labels[:row], wrong, *labels[row + 1 :]]
    with pytest.raises(ValueError, match=loss.__name__) as in_the_loop:
        function(X[row], wrong)
    traced = program(function)
    for _ in range(2):
        with pytest.raises(ValueError, match=loss.__name__) as in_the_program:
            traced(X, with_wrong)
        assert str(in_the_program.value)[:20] == str(in_the_loop.value)[:20]
        right = [function(x, y).data for x, y in zip(X, labels)]
        assert traced(X, labels).data == pytest.approx(right, rel=1e-12)


@pytest.mark.parametrize("loss", RIGHT)
def test_right_labels_take_one_path(loss: Callable[..., Any]) -> None:
    traced = program(made(loss, Value(0.5)))
    traced(X, RIGHT[loss])
    assert "path" not in str(traced)


@pytest.mark.parametrize("loss", RIGHT)
def test_wrong_labels_in_rows_that_take_another_path_do_not_matter(
    loss: Callable[..., Any],
) -> None:
    function = made(loss, Value(0.5))
    traced = program(lambda x, y: function(x, y) if x > 0 else x)
    labels = list(RIGHT[loss])
    labels[1] = [7.0, 7.0] if loss is cross_entropy else 7.0
    assert traced(X, labels).data[1] == -1.5


@pytest.mark.parametrize("loss", [binary_cross_entropy, hinge])
def test_without_rows_checks_do_not_stand_in_the_way(loss: Callable[..., Any]) -> None:
    def many(x: Any, y: Any) -> list[Any]:
        return [loss(z, label) for z, label in zip(x, y)]

    assert program(many)(np.empty((0, 30)), np.empty((0, 30))).data.shape == (0, 30)


def test_without_rows_a_sum_of_cross_entropies_has_its_shape() -> None:
    def several(x: Any, y: Any) -> list[Any]:
        return [cross_entropy(z, label) for z, label in zip(x, y)]

    none = np.empty((0, 5, 3))
    assert program(several)(none, none).data.shape == (0, 5)


@pytest.mark.parametrize(("loss", "wrong"), WRONG)
def test_labels_that_are_values_are_checked_too(loss: Callable[..., Any], wrong: Any) -> None:
    label = [*map(Value, wrong)] if loss is cross_entropy else Value(wrong)
    with pytest.raises(ValueError, match=loss.__name__):
        made(loss, Value(0.5))(0.5, label)
