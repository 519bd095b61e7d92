"""Derivatives by any argument, and by nested arguments: the form that goes in comes out."""

from __future__ import annotations

import inspect
import math
import pickle
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value
from micrograd.derivatives.trees import Nested


@dataclass
class Layer:
    w: Any
    b: Any


class Point(NamedTuple):
    x: Any
    y: Any


def loss(p: Any, scale: Any = 1.0) -> Any:
    """Add up what is in the parameters."""
    y = (p["layer"].w @ np.array([1.0, 2.0]) + p["layer"].b).sum() * p["point"].x
    return scale * (y + p["point"].y ** 2 + p["ragged"][0][0] * p["ragged"][1][1])


PARAMETERS = {
    "layer": Layer(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([0.1, 0.2, 0.3])),
    "point": Point(2.0, 3.0),
    "ragged": [[1.5], [2.5, 3.5], ()],
}


def test_a_gradient_has_the_form_of_the_parameters() -> None:
    value, found = mg.value_and_grad(loss)(PARAMETERS, scale=2.0)
    assert value == pytest.approx(2 * ((5 + 11 + 17 + 0.6) * 2 + 9 + 1.5 * 3.5))
    assert list(found) == ["layer", "point", "ragged"]
    assert found["layer"].w.tolist() == [[4.0, 8.0]] * 3
    assert found["layer"].w.dtype == float
    assert found["layer"].b.tolist() == [4.0] * 3
    assert isinstance(found["point"], Point)
    assert found["point"].y == 12.0
    assert found["ragged"] == [[7.0], [0.0, 3.0], ()]
    assert PARAMETERS["point"] == Point(2.0, 3.0)


def test_tuples_with_names_stay_so_in_lists() -> None:
    ps = [Point(1.0, 2.0), Point(3.0, 4.0)]
    assert mg.grad(lambda ps: ps[0].x * ps[1].y)(ps) == [Point(4.0, 0.0), Point(0.0, 1.0)]
    assert mg.grad(lambda ps: ps[0].x * ps[1])([ps[0], 3.0]) == [Point(3.0, 0.0), 1.0]
    assert mg.grad(lambda ps: ps[0][0].x ** 2)(([ps[0]], [ps[1]])) == (
        [Point(2.0, 0.0)],
        [Point(0.0, 0.0)],
    )
    assert mg.jacobian(lambda x: [Point(x, 2 * x)])(1.0) == [Point(1.0, 2.0)]
    assert mg.hvp(lambda ps: ps[0].x * ps[1].y)(ps, ps) == [Point(4.0, 0.0), Point(0.0, 1.0)]


def flat(v: Any, like: Any) -> Any:
    return loss(Nested(like).filled(list(v)))


def test_jacobians_and_hessians_of_a_nesting_are_those_of_the_flat_vector() -> None:
    leaves = Nested(PARAMETERS).leaves
    whole = mg.hessian(flat)(leaves, PARAMETERS)
    nested = mg.hessian(loss)(PARAMETERS)
    np.testing.assert_allclose(nested["layer"].w["layer"].w, whole[:6, :6].reshape(3, 2, 3, 2))
    np.testing.assert_allclose(nested["layer"].b["point"].x, whole[6:9, 9])
    np.testing.assert_allclose(nested["point"].x["layer"].w, whole[9, :6].reshape(3, 2))
    assert nested["ragged"][0][0]["ragged"][1][1] == 1.0
    assert nested["point"].y["point"].y == 2.0
    gradient = mg.grad(flat)(leaves, PARAMETERS)
    assert Nested(mg.grad(loss)(PARAMETERS)).leaves == gradient.tolist()


def test_nested_results_give_nested_jacobians() -> None:
    def f(p: Any) -> Any:
        return {"sum": p["a"] + p["b"].sum(), "rows": [p["a"] * p["b"], (p["b"][0] ** 2, 7.0)]}

    found = mg.jacobian(f)({"a": 2.0, "b": np.array([3.0, 4.0])})
    assert found["sum"]["a"] == 1.0
    assert found["sum"]["b"].tolist() == [1.0, 1.0]
    assert found["rows"][0]["a"].tolist() == [3.0, 4.0]
    assert found["rows"][0]["b"].tolist() == [[2.0, 0.0], [0.0, 2.0]]
    assert found["rows"][1][0]["b"].tolist() == [6.0, 0.0]
    assert found["rows"][1][1]["a"] == 0.0
    ragged = mg.jacobian(lambda x: [[x[0]], [x[0], x[1] ** 2]])([1.0, 2.0])
    assert [[row.tolist() for row in part] for part in ragged] == [[[1, 0]], [[1, 0], [0, 4]]]


def area(width: Any, height: Any, unit: float = 1.0) -> Any:
    """Multiply."""
    return width * height**2 * unit


def test_argnums() -> None:
    assert mg.grad(area, argnums=1)(2.0, 3.0) == 12.0
    assert mg.grad(area, argnums=(0, 1))(2.0, 3.0, unit=10.0) == (90.0, 120.0)
    assert mg.grad(area, argnums=(1, 0))(2.0, 3.0) == (12.0, 9.0)
    h = mg.hessian(area, argnums=(0, 1))(2.0, 3.0)
    assert h == ((0.0, 6.0), (6.0, 4.0))
    value, (dw, dh) = mg.value_and_grad(area, argnums=(0, 1))(2.0, 3.0)
    assert (value, dw, dh) == (18.0, 9.0, 12.0)

    def model(x: Any, p: Any) -> Any:
        return p["a"] * x.sum() + p["b"]

    by_both = mg.grad(model, argnums=(0, 1))([1.0, 2.0], {"a": 3.0, "b": 4.0})
    assert by_both[0].tolist() == [3.0, 3.0]
    assert by_both[1] == {"a": 3.0, "b": 1.0}
    assert mg.jacobian(lambda a, x: a * x, argnums=1)(2.0, [1.0, 2.0]).tolist() == [[2, 0], [0, 2]]
    assert mg.jacobian(lambda a, x: a * x, argnums=1, sparse=True)(2.0, [1.0, 2.0]).nnz == 2
    assert mg.grad(mg.grad(area, argnums=1), argnums=0)(2.0, 3.0) == 6.0


def test_has_aux_gives_numbers_beside() -> None:
    def f(x: Any) -> Any:
        parts = [x[0] ** 2, x[1] * 3]
        return sum(parts), {"parts": parts, "name": "f"}

    gradient, aux = mg.grad(f, has_aux=True)([1.0, 2.0])
    assert gradient.tolist() == [2.0, 3.0]
    assert aux == {"parts": [1.0, 6.0], "name": "f"}
    (value, aux), gradient = mg.value_and_grad(f, has_aux=True)([1.0, 2.0])
    assert (value, aux["parts"]) == (7.0, [1.0, 6.0])
    assert mg.hessian(f, has_aux=True)([1.0, 2.0])[0].tolist() == [[2, 0], [0, 0]]
    assert mg.jacobian(lambda x: ([x], "aux"), has_aux=True)(2.0)[1] == "aux"
    with pytest.raises(TypeError, match=r"returned .* with has_aux=True it returns a pair"):
        mg.grad(lambda x: x, has_aux=True)(1.0)


@pytest.mark.parametrize("make", [mg.grad, mg.value_and_grad, mg.jacobian, mg.hessian])
def test_a_derivative_has_the_name_of_its_function_and_pickles(make: Any) -> None:
    derivative = make(area, argnums=1)
    assert derivative.__name__ == "area"
    assert derivative.__doc__ == "Multiply."
    assert str(inspect.signature(derivative)) == str(inspect.signature(area))
    assert repr(derivative) == f"{make.__name__}(area)"
    again = pickle.loads(pickle.dumps(derivative))
    assert again(2.0, 3.0) == derivative(2.0, 3.0)
    assert pickle.loads(pickle.dumps(make(mg.tanh)))(0.5) == make(mg.tanh)(0.5)


def test_what_is_constant_has_zeros_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mg.grad(lambda x: 3.0)(2.0) == 0.0
        assert mg.grad(lambda p: 3.0)({"a": 1.0}) == {"a": 0.0}
        assert mg.hessian(lambda x: 3)([1.0, 2.0]).tolist() == [[0, 0], [0, 0]]
        assert mg.jacobian(lambda x: [x[0], 5.0])([1.0, 2.0]).tolist() == [[1, 0], [0, 0]]
        assert mg.jacobian(lambda p: {"a": 1.0, "b": p["x"]})({"x": 2.0}) == {
            "a": {"x": 0.0},
            "b": {"x": 1.0},
        }


def test_values_in_a_nesting_give_values_back() -> None:
    a = Value(2.0)
    slope = mg.grad(lambda p: p["a"] ** 3 * p["b"])({"a": a, "b": 5.0})
    assert slope["a"].data == 60.0
    assert mg.grad(slope["a"], a).data == 60.0

    def outer(t: Any) -> Any:
        return mg.grad(lambda p: p["a"] ** 3 * t)({"a": t})["a"]

    assert mg.grad(outer)(2.0) == pytest.approx(9 * 4)  # of 3 t**3


def test_nestings_are_checked_by_differences_too() -> None:
    mg.check_grads(lambda p: mg.sin(p["a"]) * p["b"][0] ** 2, {"a": 0.3, "b": [1.0]})
    wrong = mg.Op("wrong", lambda x: x * x, lambda x, out: 2.1 * x)
    with pytest.raises(AssertionError, match=r"with respect to x\['b'\]\[1\] is 4.2"):
        mg.check_grads(lambda p: wrong(p["b"][1]), {"a": 0.3, "b": [1.0, 2.0]})


grad: Any = mg.grad  # which type checkers would keep from wrong arguments
jacobian: Any = mg.jacobian
hessian: Any = mg.hessian
value_and_grad: Any = mg.value_and_grad


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: grad(loss)({"layer": "sugar"}), r"x\['layer'\] must be a number.*got 'sugar'"),
        (lambda: grad(loss)({"a": [1.0, None]}), r"x\['a'\]\[1\] must be a number"),
        (
            lambda: grad(loss)({"a": np.array([1.0, "b"], dtype=object)}),
            r"x\['a'\]\[1\] must be",
        ),
        (lambda: grad(area, argnums=2)(1.0, 2.0), r"called with 2 positional argument\(s\)"),
        (lambda: grad(area, argnums="width"), "argnums is the position of an argument"),
        (lambda: grad(area, argnums=-1), "argnums is the position of an argument"),
        (lambda: grad(area, argnums=()), "argnums is the position of an argument"),
        (lambda: grad(area, argnums=(0, 0)), r"grad: argnums has a position twice, \(0, 0\)"),
        (lambda: hessian(area, argnums=(1, 0, 1)), "hessian: argnums has a position twice"),
        (lambda: mg.hvp(area, argnums=(0, 0)), "hvp: argnums has a position twice"),
        (lambda: grad(Value(1.0), [], argnums=1), "grad: argnums and has_aux are for functions"),
        (lambda: grad(Value(1.0), [], has_aux=True), "grad: argnums and has_aux are for functions"),
        (lambda: grad(area, grad_output=2.0), r"grad\(f\) takes a function alone"),
        (lambda: grad(area)(), r"called with 0 positional argument\(s\)"),
        (lambda: jacobian(3.0), "jacobian takes a function of x"),
        (lambda: hessian(None), "hessian takes a function of x"),
        (lambda: value_and_grad("f"), "value_and_grad takes a function of x"),
    ],
)
def test_what_cannot_be_differentiated_is_named(call: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        call()


def test_masked_arrays_in_a_nesting_are_refused() -> None:
    with pytest.raises(ValueError, match=r"x\['a'\] has 1 masked element"):
        grad(lambda p: p["a"].sum())({"a": np.ma.array([1.0, 2.0], mask=[False, True])})
    assert math.isnan(grad(lambda p: p["a"] * math.nan)({"a": 1.0})["a"])


def test_the_parameters_of_a_model_come_back_as_a_list() -> None:
    model = mg.nn.Neuron(2)
    found = mg.grad(lambda p: p["w"][0] * p["w"][1] * 3.0)({"w": model.parameters()})
    assert type(found["w"]) is list
    assert found["w"][0].data == 3.0 * model.w[1].data
