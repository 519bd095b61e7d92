"""Modes: `no_grad`, `strict` and `ieee`; on both cores."""

from __future__ import annotations

import asyncio
import gc
import math
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value
from micrograd.graph.scopes import line_of, scope_of
from micrograd.value import hooks

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


def test_going_back_through_nothing_raises() -> None:
    """It would silently leave every gradient at 0."""
    x = Value(3.0, label="x")
    with mg.no_grad():
        y = x * x
        z = Value(9.0, (x,), "square")
        leaf = Value(4.0)
    for v in (y, z):
        with pytest.raises(RuntimeError, match=r"backward\(\) of .*computed within no_grad\(\)"):
            v.backward()
        for derivative in (lambda v: mg.grad(v, x), lambda v: mg.hvp(v, x, 1.0)):
            with pytest.raises(RuntimeError, match="computed within no_grad"):
                derivative(v)
    assert y.grad == x.grad == 0.0
    leaf.backward()  # a leaf as any other
    (y * x).backward()  # and y is a constant here
    assert (leaf.grad, x.grad, y.grad) == (1.0, 9.0, 3.0)


# In generators and coroutines: it holds while these run.


def recorded() -> bool:
    x = Value(2.0)
    return bool((x * x).parents and (x + 1).parents and (-x).parents)


def test_a_generator_does_not_switch_off_recording_in_its_caller() -> None:
    seen = []

    def generator() -> Iterator[None]:
        seen.append(recorded())
        with mg.no_grad():
            seen.append(recorded())
            yield
            seen.append(recorded())
            with mg.no_grad():
                yield
                seen.append(recorded())
            seen.append(recorded())
        seen.append(recorded())

    for _ in generator():
        assert recorded()
    assert seen == [True, False, False, False, False, True]


def test_what_a_generator_calls_forgets_with_it() -> None:
    def generator() -> Iterator[bool]:
        with mg.no_grad():
            yield recorded()
            yield from (recorded() for _ in range(2))
            yield mg.grad(lambda x: x * x)(3.0) == 6.0
            yield recorded()

    assert list(generator()) == [False, False, False, True, False]


def test_generators_that_take_turns_each_have_their_own_mode() -> None:
    def generator(forgets: bool) -> Any:
        if not forgets:
            while True:
                yield recorded()
        with mg.no_grad():
            while True:
                yield recorded()

    generators = [generator(forgets) for forgets in (True, False, True)]
    for _ in range(3):
        assert [next(g) for g in generators] == [False, True, False]
    generators[0].close()
    assert recorded()
    assert not next(generators[2])
    del generators[2]
    gc.collect()
    assert recorded()
    assert not hooks._modes
    assert not hooks._forgetful


def test_a_generator_may_go_on_in_another_thread() -> None:
    def generator() -> Iterator[bool]:
        with mg.no_grad():
            yield recorded()
            yield recorded()

    running = generator()
    seen = [next(running)]
    other = threading.Thread(target=lambda: seen.extend([*running, recorded()]))
    other.start()
    other.join()
    assert seen == [False, False, True]
    assert recorded()
    assert not hooks._modes


def test_context_managers_made_of_generators_hold_for_their_block() -> None:
    @contextmanager
    def evaluation() -> Iterator[None]:
        with mg.no_grad():
            yield

    with evaluation():
        assert not recorded()
        with evaluation():
            assert not recorded()
    assert recorded()
    with ExitStack() as stack:
        stack.enter_context(evaluation())
        assert not recorded()
    assert recorded()

    def generator() -> Iterator[bool]:
        with evaluation():
            yield recorded()

    for seen in generator():
        assert (seen, recorded()) == (False, True)


def test_tasks_of_one_thread_do_not_share_a_mode() -> None:
    async def quiet() -> list[bool]:
        with mg.no_grad():
            inner = asyncio.create_task(loud())
            seen = [recorded()]
            await asyncio.sleep(0)
            seen.append(recorded())
            assert all(await inner)
            seen.append(await decorated())
        return seen

    @mg.no_grad()
    async def decorated() -> bool:
        await asyncio.sleep(0)
        return recorded()

    async def loud() -> list[bool]:
        seen = []
        for _ in range(5):
            seen.append(recorded())
            await asyncio.sleep(0)
        return seen

    async def both() -> Any:
        return await asyncio.gather(quiet(), loud(), decorated())

    assert asyncio.run(both()) == [[False, False, False], [True] * 5, False]
    with mg.no_grad():
        assert not any(asyncio.run(loud()))
    assert recorded()


def test_generators_are_decorated_as_functions_are() -> None:
    @mg.no_grad()
    def generator(n: int) -> Iterator[bool]:
        for _ in range(n):
            yield recorded()

    for seen in generator(2):
        assert (seen, recorded()) == (False, True)
    with pytest.raises(TypeError, match="asynchronous generator: write `with no_grad"):

        @mg.no_grad()
        async def several() -> Any:
            yield 1


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


@pytest.mark.parametrize("derive", [mg.grad, mg.value_and_grad, mg.jacobian, mg.hessian])
def test_a_function_that_forgets_has_no_derivative(derive: Any) -> None:
    @mg.no_grad()
    def square(x: Value) -> Value:
        return x * x

    with pytest.raises(RuntimeError, match=r"computed within no_grad\(\)"):
        derive(square)(3.0)


@pytest.mark.parametrize(
    "derive",
    [
        lambda y, w: mg.grad(y, w),
        lambda y, w: mg.jvp(y, w, 1.0),
        lambda y, w: mg.hvp(y, [w], [1.0]),
    ],
)
def test_strict_finds_it_behind_derivatives_that_are_graphs(derive: Any) -> None:
    w, y = stale()
    with mg.strict(), pytest.raises(RuntimeError, match=r"a derivative.*multiply\(w=3.0, w=3.0\)"):
        derive(y, w)
    derive(y, w)


def test_strict_takes_what_ieee_gave() -> None:
    x = Value(0.0, label="x")
    with mg.ieee(), mg.strict():
        y = mg.log(x)
        y.backward()
        mg.grad(y, x)
    assert (y.data, x.grad) == (-math.inf, math.inf)


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


def test_strict_finds_a_bias_that_is_a_number() -> None:
    neuron = mg.nn.Neuron(2)
    layer = mg.nn.Layer(2, 2)
    neuron.b = 0.5  # type: ignore[assignment]
    layer.neurons[1].b = 3  # type: ignore[assignment]
    with mg.strict():
        with pytest.raises(RuntimeError, match=r"neuron\.b is the number 0\.5.*neuron\.b\.data = "):
            (neuron([1.0, 2.0]) + 5).backward()
        with pytest.raises(RuntimeError, match=r"layer\.neurons\[1\]\.b is the number 3"):
            (layer([1.0, 2.0])[0] * 2).backward()
        neuron.b = Value(0.5)
        (neuron([1.0, 2.0]) + 5).backward()


def test_strict_finds_a_list_of_weights_that_are_numbers() -> None:
    model = mg.nn.MLP(2, [2, 1], activation="tanh")
    model.layers[0].neurons[1].w = [0.5, -0.5]  # type: ignore[list-item]
    told = r"neurons\[1\]\.w\[0\] is the number 0.5, where a Value was"
    with mg.strict(), pytest.raises(RuntimeError, match=told):
        model([1.0, 2.0]).backward()
    model([1.0, 2.0]).backward()  # the original allows it


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


# ieee -------------------------------------------------------------------------------------------

OUTSIDE = [
    (lambda x: x.log(), 0.0, -math.inf, math.inf),
    (lambda x: x.log(), -1.0, math.nan, -1.0),
    (lambda x: 1 / x, 0.0, math.inf, -math.inf),
    (lambda x: x / 0.0, 2.0, math.inf, math.inf),
    (lambda x: x.exp(), 1000.0, math.inf, math.inf),
    (lambda x: x**-1, 0.0, math.inf, -math.inf),
    (lambda x: x**0.5, -8.0, math.nan, math.nan),
    (lambda x: x**400, 10.0, math.inf, math.inf),
    (lambda x: x.sqrt(), 0.0, 0.0, math.inf),
    (lambda x: x.arcsin(), 2.0, math.nan, math.nan),
    (lambda x: mg.arctan2(x, 0.0), 0.0, 0.0, math.nan),
]


@pytest.mark.parametrize(("f", "x", "value", "slope"), OUTSIDE)
def test_ieee_gives_what_numpy_gives(f: Any, x: float, value: float, slope: float) -> None:
    with mg.ieee():
        leaf = Value(x)
        out = f(leaf)
        out.backward()
        np.testing.assert_equal(out.data, value)
        np.testing.assert_equal(leaf.grad, slope)
        np.testing.assert_equal(mg.value_and_grad(f)(x), (value, slope))
        np.testing.assert_equal(mg.grad(f(leaf), leaf).data, slope)
    with pytest.raises((ArithmeticError, ValueError)):
        f(Value(x)).backward()


def test_ieee_holds_for_numbers_and_not_for_other_threads() -> None:
    def raises() -> None:
        with pytest.raises(ValueError, match="log"):
            Value(0.0).log()
        done.append(True)

    done: list[bool] = []
    with mg.ieee():
        with mg.ieee():
            pass
        assert mg.log(0.0) == mg.log(np.float64(0.0)) == -math.inf
        other = threading.Thread(target=raises)
        other.start()
        other.join()
        assert Value(0.0).log().data == -math.inf
    assert done
    with pytest.raises(ValueError, match=r"math domain|positive|expected"):
        mg.log(0.0)
    with pytest.raises(ValueError, match="inner"), mg.ieee():
        raise ValueError("inner")
    raises()


def test_a_line_search_that_leaves_the_domain_goes_on() -> None:
    value_and_slope = mg.value_and_grad(lambda x: x - mg.log(x))
    x, outside = 3.0, 0
    with mg.ieee():
        for _ in range(60):
            value, slope = value_and_slope(x)
            step = 8.0
            while not value_and_slope(x - step * slope)[0] <= value - 0.1 * step * slope**2:
                outside += x - step * slope <= 0
                step /= 2
            x -= step * slope
    assert outside > 0
    assert x == pytest.approx(1.0, abs=1e-6)


def test_an_operation_on_floats_alone_raises_within_ieee() -> None:
    own = mg.Op("own", lambda x: math.log(float(x)), lambda x, out: 1 / x)
    with mg.ieee(), pytest.raises(ValueError, match="own"):
        own(Value(-1.0))


@pytest.mark.parametrize("on", [lambda x: x, "off", 1, None])
def test_strict_without_parentheses_switches_nothing(on: Any) -> None:
    with pytest.raises(TypeError, match=r"with parentheses above a function"):
        mg.strict(on)
    assert (Value(1.0) == Value(1.0)) is False  # refused where it is strict


@pytest.mark.parametrize("mode", [mg.strict, mg.no_grad, mg.ieee])
@pytest.mark.parametrize("other", [int, property(lambda self: 1), classmethod(lambda cls: 1)])
def test_a_mode_decorates_functions_alone(mode: Any, other: Any) -> None:
    with pytest.raises(TypeError, match="decorates functions, got"):
        mode()(other)
    assert (Value(1.0) == Value(1.0)) is False
