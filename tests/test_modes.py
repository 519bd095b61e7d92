"""Modes: `no_grad` and `strict`; on both cores."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import micrograd as mg
from micrograd import Value
from micrograd.graph.scopes import line_of, scope_of

# no_grad ----------------------------------------------------------------------------------------


def test_one_no_grad_may_be_entered_again_within_its_own_block() -> None:
    block = mg.no_grad()
    with block:
        with block:
            pass
        assert (Value(1.0) * 2).parents == ()
    assert len((Value(1.0) * 2).parents) == 2


def test_no_grad_in_a_program_is_refused() -> None:
    """The numbers of one row would stand for all."""
    w = Value(2.0)

    def traced(x: Any) -> Any:
        with mg.no_grad():
            scale = w * x
        return scale * x

    with pytest.raises(TypeError, match="write stop_gradient"):
        mg.program(traced)([1.0, 2.0])
    assert len((Value(1.0) * 2).parents) == 2


def test_new_values_remember_nothing() -> None:
    a, b = Value(2.0, label="a"), Value(3.0)
    op = mg.Op("mine", lambda x, y: x * y, lambda x, y, out: y, lambda x, y, out: x)

    class Own(Value):
        pass

    with mg.no_grad():
        made = [
            a * b, a**2, -a, a.tanh(), mg.where(a, a, b), a * 2, 2 - a, op(a, b), Own(1.0) * a,
            Value(6.0, (a, b), "*"), Value(6.0, children=(a, b), local_grads=(3.0, 2.0)),
            Value.node(6.0, (a, b), (3.0, 2.0)),
        ]  # fmt: skip
    assert made[0].data == 6.0
    for v in made:
        assert (v.op, v.args, v._local_grads) == (None, (), ())
        assert v._prev == set()
    assert (a * b).args == (a, b)
    sum(made, Value(0.0)).backward()
    assert (a.grad, b.grad) == (0.0, 0.0)


def test_rules_assigned_within_pass_nothing_on() -> None:
    x = Value(3.0)
    with mg.no_grad():
        square = Value(9.0, (x,), "square")
        square._backward = lambda: setattr(x, "grad", 100.0)
    (square * 2).backward()
    assert x.grad == 0.0


def test_it_decorates_nests_and_ends_with_an_error() -> None:
    a = Value(2.0)

    @mg.no_grad()
    def double(x: Value) -> Value:
        return x * 2

    for _ in range(2):
        assert double(a).args == ()
        assert (a * 2).args != ()
    with mg.no_grad():
        with mg.no_grad():
            pass
        assert (a * 2).args == ()
    with pytest.raises(KeyError), mg.no_grad():
        raise KeyError
    assert (a * 2).args != ()


def test_it_holds_for_its_own_thread() -> None:
    there: list[Any] = []
    a = Value(2.0)
    with mg.no_grad():
        thread = threading.Thread(target=lambda: there.append((a * 2).args))
        thread.start()
        thread.join()
        assert (a * 2).args == ()
    assert len(there[0]) == 2


def test_scopes_and_lines_go_on() -> None:
    a = Value(2.0)
    with mg.scope("s") as s, mg.source_lines(), mg.no_grad():
        y = a * 2
        with mg.scope("t"):
            z = a * 2
    assert scope_of(y) is s
    assert line_of(y) is not None
    assert (y.args, z.args) == ((), ())


def test_a_model_gives_the_same_numbers() -> None:
    model = mg.nn.MLP(2, [3, 1])
    with mg.no_grad():
        out = model([0.5, -1.0])
    assert (out.data, out.args) == (model([0.5, -1.0]).data, ())


def test_derivatives_are_right_within() -> None:
    def f(x: Any) -> Any:
        return x * x * x

    with mg.no_grad():
        assert mg.grad(f)(2.0) == 12.0
        assert mg.grad(mg.grad(f))(2.0) == 12.0
        assert mg.hessian(lambda v: f(v[0]) * v[1])([2.0, 1.0]).tolist() == [[12, 12], [12, 0]]


def test_programs_are_traced_as_ever_and_their_results_remember_nothing() -> None:
    w = Value(3.0)
    scaled = mg.program(lambda x: w * x)
    inner = mg.program(lambda x: mg.grad(lambda y: w * y * y)(x))
    with mg.no_grad():
        total = scaled([1.0, 2.0]).sum()
        assert inner([1.0, 2.0]).data.tolist() == [6.0, 12.0]
    assert (total.data, total.args) == (9.0, ())
    (total * 2).backward()
    assert w.grad == 0.0
    scaled([1.0, 2.0]).sum().backward()
    assert w.grad == 3.0


# strict -----------------------------------------------------------------------------------------


def stale() -> tuple[Value, Value]:
    w = Value(2.0, label="w")
    y = w * w * w
    w.data = 3.0
    return w, y


def test_late_reading_stays_without_strict() -> None:
    w, y = stale()
    y.backward()
    assert w.grad == 22.0


def test_strict_finds_data_that_is_no_longer_what_its_operands_give() -> None:
    w, y = stale()
    w.grad = 1.0
    with mg.strict(), pytest.raises(RuntimeError, match=r"multiply\(w=3.0, w=3.0\).*9.0.*4.0"):
        y.backward()
    assert (w.grad, y.grad) == (1.0, 0.0)
    y.backward()
    assert w.grad == 23.0


def test_strict_finds_grads_that_were_not_set_to_zero() -> None:
    w = Value(3.0, label="w")
    with mg.strict():
        (w * w).backward()
        with pytest.raises(RuntimeError, match=r"w still has the gradient 6.0.*zero_grad"):
            (w * w).backward()
        assert w.grad == 6.0
        w.grad = 0.0
        (w * w).backward()


def test_strict_refuses_what_looks_like_a_comparison_of_numbers() -> None:
    v, w = Value(1.0), Value(1.0)
    with mg.strict():
        assert v == 1.0
        assert v != 2.0
        assert v == v
        assert v in [v, w]
        assert v < 2
        with pytest.raises(TypeError, match=r"v\.data == w\.data"):
            v == w  # noqa: B015
        with pytest.raises(TypeError, match=r"v\.data != w\.data"):
            v != w  # noqa: B015
        with pytest.raises(TypeError, match="is true whatever its number"):
            bool(v - w)
    assert v != w
    assert (v == w) is False
    assert v - w
    assert v == 1.0


def test_strict_refuses_attributes_that_a_value_does_not_have() -> None:
    class Named(Value):
        name = "nameless"

    v, named = Value(1.0), Named(1.0)
    v.p = 1  # type: ignore[attr-defined]
    with mg.strict():
        v.data, v.grad, v.label, v._op = 2.0, 0.0, "v", "?"
        v._backward = lambda: None
        v.p = 2  # type: ignore[attr-defined]
        named.name = "a"
        with pytest.raises(AttributeError, match="no attribute dta"):
            v.dta = 3.0  # type: ignore[attr-defined]
        with pytest.raises(AttributeError, match="no attribute item"):
            v.item = 3.0  # type: ignore[attr-defined]
    v.dta = 3.0  # type: ignore[attr-defined]
    assert (v.data, v.dta) == (2.0, 3.0)  # type: ignore[attr-defined]


def test_strict_refuses_updates_that_make_new_values() -> None:
    model, total = mg.nn.Neuron(2, nonlin=False), Value(0.0)
    with mg.strict():
        for x in [1.0, 2.0]:
            total += x
            total += model([x, x])
        total.backward()
        for p in model.parameters():
            with pytest.raises(RuntimeError, match=r"p\.data -= "):
                p -= 0.1 * p.grad
    p = model.b
    p -= 0.5
    assert p is not model.b


def test_strict_finds_parameters_that_are_none_any_more() -> None:
    model = mg.nn.MLP(2, [2, 1], activation="tanh")
    neuron = model.layers[0].neurons[1]
    with mg.strict():
        model([1.0, 2.0]).backward()
        b, neuron.b = neuron.b, neuron.b - 0.1 * neuron.b.grad
        model.zero_grad()
        with pytest.raises(RuntimeError, match=r"mlp\.layers\[0\]\.neurons\[1\]\.b is the result"):
            model([1.0, 2.0]).backward()
        neuron.b = b
        w = neuron.w[0]
        neuron.w[0] = 0.5  # type: ignore[call-overload]
        with pytest.raises(RuntimeError, match=r"neurons\[1\]\.w\[0\]\.data = 0\.5"):
            model([1.0, 2.0]).backward()
        neuron.w[0] = w
        model.zero_grad()
        model([1.0, 2.0]).backward()


def test_strict_lets_modules_keep_results() -> None:
    class Kept(mg.nn.Module):
        def __init__(self) -> None:
            self.w = Value(2.0)
            self.offset = self.w * 2

        def __call__(self, x: float) -> Value:
            self.seen = self.w * x + 1
            return self.seen.tanh()

    model = Kept()
    with mg.strict():
        model(0.5).backward()


def test_strict_names_a_node_that_was_set() -> None:
    x = Value(2.0, label="x")
    square = x * x
    square.label = "square"
    y = square + 1
    square.data = 5.0
    with mg.strict(), pytest.raises(RuntimeError, match=r"square.*holds 5.0"):
        y.backward()


def test_strict_lets_fresh_graphs_pass() -> None:
    nan = Value(float("nan"))
    model = mg.nn.MLP(2, [4, 1], activation="tanh")
    with mg.strict():
        for _ in range(2):
            loss = (model([0.5, -1.0]) - 1) ** 2 + Value.node(1.0, (nan,), (0.0,))
            loss.backward()
            for p in model.parameters():
                p.data -= 0.1 * p.grad
                p.grad = 0.0
        nan.grad = 0.0
        (nan * 2).backward()
        nan.grad = 0.0
        mg.where(nan, nan, 2.0).sqrt().backward()


def test_strict_is_a_switch_too() -> None:
    try:
        mg.strict()
        with pytest.raises(RuntimeError):
            stale()[1].backward()
        with mg.strict(False):
            stale()[1].backward()
        with pytest.raises(RuntimeError):
            stale()[1].backward()
    finally:
        mg.strict(False)
    stale()[1].backward()
