"""Optimisers against the published update formulas, step by step, and their errors."""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd import Value
from micrograd.native.blocks import Block
from micrograd.nn import MLP
from micrograd.optim import FEW, SGD, AdamW, Optimizer

Position = Sequence[float]  # one number per parameter
Path = Sequence[Position]  # one position per step
Schedule = Callable[[int], float]
# From the start of one parameter and its gradients, its data after each step.
Formula = Callable[[float, Position], Iterator[float]]

# Of each step, the gradients of two parameters: a path that turns, stands still and jumps.
GRADIENTS = [(1.0, -2.0), (0.5, -2.5), (-3.0, 0.0), (0.0, 0.0), (1e-3, 4e2), (2.0, -1e-6)]
START = (1.0, -0.5)


def positions(
    make_optimizer: Callable[[list[Value]], Optimizer],
    gradients: Path = GRADIENTS,
    start: Position = START,
) -> Path:
    """Return the data of the parameters after each step along the given gradients."""
    parameters = [Value(number) for number in start]
    optimizer = make_optimizer(parameters)
    path = []
    for grads in gradients:
        for p, grad in zip(parameters, grads):
            p.grad = grad
        optimizer.step()
        path.append(tuple(p.data for p in parameters))
    return path


def each(published: Formula, gradients: Path = GRADIENTS, start: Position = START) -> Path:
    """Return the same path by a published formula for a single parameter."""
    columns = [published(x, column) for x, column in zip(start, zip(*gradients))]
    return list(zip(*columns))


def nearly(path: Path) -> Any:
    return [pytest.approx(position, rel=1e-13, abs=1e-13) for position in path]


# The published formulas -------------------------------------------------------------------------


def momentum_descent(rate: Schedule, mu: float) -> Formula:
    """Step with momentum: v <- mu v + g; x <- x - rate v, with the rate of that step."""

    def path(x: float, gradients: Position) -> Iterator[float]:
        v = 0.0
        for t, g in enumerate(gradients):
            v = mu * v + g
            x = x - rate(t) * v
            yield x

    return path


def adam_with_decoupled_decay(
    rate: Schedule, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8, decay: float = 0.0
) -> Formula:
    """Step by Loshchilov and Hutter (2019), algorithm 2; alpha is 1, eta the schedule, t from 1."""

    def path(theta: float, gradients: Position) -> Iterator[float]:
        m = v = 0.0
        for t, g in enumerate(gradients, start=1):
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g**2
            m_hat = m / (1 - beta1**t)
            v_hat = v / (1 - beta2**t)
            theta = theta - rate(t - 1) * (m_hat / (math.sqrt(v_hat) + eps) + decay * theta)
            yield theta

    return path


def adam(alpha: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Formula:
    """Step by Kingma and Ba (2015), end of section 2: the corrections moved into the step size."""

    def path(theta: float, gradients: Position) -> Iterator[float]:
        m = v = 0.0
        for t, g in enumerate(gradients, start=1):
            m = beta1 * m + (1 - beta1) * g
            v = beta2 * v + (1 - beta2) * g * g
            correction = math.sqrt(1 - beta2**t)
            alpha_t = alpha * correction / (1 - beta1**t)
            theta -= alpha_t * m / (math.sqrt(v) + eps * correction)
            yield theta

    return path


# Steps ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_sgd_follows_the_formula_of_momentum(momentum: float) -> None:
    found = positions(lambda parameters: SGD(parameters, lr=0.1, momentum=momentum))
    assert found == nearly(each(momentum_descent(lambda t: 0.1, momentum)))


def test_sgd_without_momentum_is_plain_descent() -> None:
    found = positions(lambda parameters: SGD(parameters, lr=0.25))
    x, y = START
    for position, (dx, dy) in zip(found, GRADIENTS):
        x, y = x - 0.25 * dx, y - 0.25 * dy
        assert position == (x, y)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"lr": 0.1},
        {"lr": 0.1, "weight_decay": 0.5},
        {"lr": 0.01, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.1},
        {"lr": 0.01, "betas": (0.0, 0.0)},
    ],
    ids=str,
)
def test_adamw_follows_the_published_algorithm(settings: Any) -> None:
    lr = settings.get("lr", 0.001)
    beta1, beta2 = settings.get("betas", (0.9, 0.999))
    published = adam_with_decoupled_decay(
        lambda t: lr, beta1, beta2, settings.get("eps", 1e-8), settings.get("weight_decay", 0.01)
    )
    found = positions(lambda parameters: AdamW(parameters, **settings))
    assert found == nearly(each(published))


def test_adamw_without_decay_is_adam() -> None:
    found = positions(lambda parameters: AdamW(parameters, lr=0.1, weight_decay=0))
    assert found == nearly(each(adam(0.1)))


def test_decay_shrinks_a_parameter_without_gradient() -> None:
    (after,) = positions(lambda p: AdamW(p, lr=0.1, weight_decay=0.5), [(0.0,)], [2.0])
    assert after == pytest.approx((2.0 * (1 - 0.1 * 0.5),), rel=1e-15)


@given(st.lists(st.tuples(*[st.floats(-1e3, 1e3)] * 2), min_size=1, max_size=8))
def test_any_gradients_are_followed(gradients: Path) -> None:
    sgd = positions(lambda p: SGD(p, lr=0.1, momentum=0.9), gradients)
    assert sgd == nearly(each(momentum_descent(lambda t: 0.1, 0.9), gradients))
    adamw = positions(lambda p: AdamW(p, lr=0.1), gradients)
    published = adam_with_decoupled_decay(lambda t: 0.1, decay=0.01)
    assert adamw == nearly(each(published, gradients))


# Schedules --------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [SGD, AdamW])
def test_a_schedule_gets_the_number_of_the_step_from_0(make: Any) -> None:
    asked = []

    def schedule(step: int) -> float:
        asked.append(step)
        return 0.1

    assert positions(lambda p: make(p, lr=schedule)) == positions(lambda p: make(p, lr=0.1))
    assert asked == list(range(len(GRADIENTS)))


def halving(step: int) -> float:
    return 0.5**step


@pytest.mark.parametrize(
    ("make", "published"),
    [
        (lambda p: SGD(p, lr=halving, momentum=0.9), momentum_descent(halving, 0.9)),
        (lambda p: AdamW(p, lr=halving), adam_with_decoupled_decay(halving, decay=0.01)),
    ],
    ids=["SGD", "AdamW"],
)
def test_a_schedule_sets_the_rate_of_each_step(make: Any, published: Any) -> None:
    assert positions(make) == nearly(each(published))


def test_the_learning_rate_may_be_changed_between_steps() -> None:
    p = Value(1.0)
    optimizer = SGD([p], lr=0.5)
    p.grad = 1.0
    optimizer.step()
    optimizer.lr = 0.25
    optimizer.step()
    assert p.data == 0.25
    assert optimizer.steps == 2


# Together with a model --------------------------------------------------------------------------


@pytest.mark.parametrize("make", [SGD, AdamW])
def test_zero_grad_sets_every_grad_to_zero_and_moves_nothing(make: Any) -> None:
    model = MLP(2, [3, 1])
    before = model.state_dict()
    optimizer = make(model.parameters(), lr=0.1)
    model([1.0, 2.0]).backward()
    optimizer.zero_grad()
    assert [p.grad for p in model.parameters()] == [0.0] * len(before)
    assert model.state_dict() == before


@pytest.mark.parametrize("make", [SGD, AdamW])
def test_steps_lead_down_to_the_minimum(make: Any) -> None:
    x, y = Value(3.0), Value(-2.0)
    optimizer = make((p for p in (x, y)), lr=lambda step: 0.2 / (1 + step / 50))
    for _ in range(300):
        optimizer.zero_grad()
        ((x - 1) ** 2 + 2 * (y - 0.5) ** 2).backward()
        optimizer.step()
    assert (x.data, y.data) == pytest.approx((1.0, 0.5), abs=0.02)


# Errors -----------------------------------------------------------------------------------------

shared = Value(1.0)


@pytest.mark.parametrize("make", [SGD, AdamW])
@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ([], ValueError, "nothing to optimise: give model.parameters()"),
        ((), ValueError, "nothing to optimise"),
        ([1.0], TypeError, "a parameter is a Value, got 1.0; give model.parameters()"),
        ([shared, "w"], TypeError, "a parameter is a Value, got 'w'"),
        ([shared, Value(2.0), shared], ValueError, "given twice"),
    ],
)
def test_parameters_that_cannot_be_moved_are_refused(
    make: Any, parameters: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        make(parameters, lr=0.1)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: SGD(p, 0.1, momentum=1.0), "momentum must be at least 0 and less than 1, got 1"),
        (lambda p: SGD(p, 0.1, momentum=-0.1), "momentum .* got -0.1"),
        (lambda p: SGD(p, 0.1, momentum=math.nan), "momentum .* got nan"),
        (
            lambda p: AdamW(p, betas=(1.0, 0.9)),
            r"betas\[0\] must be .* less than 1, got 1.0",
        ),
        (lambda p: AdamW(p, betas=(0.9, -0.5)), r"betas\[1\] .* got -0.5"),
    ],
)
def test_rates_of_forgetting_outside_0_to_1_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make([Value(1.0)])


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf, "a", None, Value(0.1), [0.1]])
def test_numbers_of_an_optimizer_are_checked_when_it_is_made(wrong: Any) -> None:
    p = Value(1.0)
    for name, make in (
        ("lr", lambda: SGD([p], lr=wrong)),
        ("lr", lambda: AdamW([p], lr=wrong)),
        ("momentum", lambda: SGD([p], lr=0.1, momentum=wrong)),
        ("eps", lambda: AdamW([p], eps=wrong)),
        ("weight_decay", lambda: AdamW([p], weight_decay=wrong)),
        (r"betas\[0\]", lambda: AdamW([p], betas=(wrong, 0.9))),
        (r"betas\[1\]", lambda: AdamW([p], betas=(0.9, wrong))),
        ("lr", lambda: SGD([p], lr=lambda step: wrong).step()),
    ):
        with pytest.raises((TypeError, ValueError), match=f"{name} must be .*, got"):
            make()
    assert p.data == 1.0


def test_an_eps_of_zero_is_refused() -> None:
    """It would divide 0 by 0 where a gradient is 0."""
    with pytest.raises(ValueError, match="eps must be more than 0"):
        AdamW([Value(1.0)], eps=0.0)
    with pytest.raises(TypeError, match="betas are two numbers"):
        AdamW([Value(1.0)], betas=0.9)  # type: ignore[arg-type]


def test_an_optimizer_that_does_not_say_how_it_moves_is_refused() -> None:
    p = Value(1.0)
    with pytest.raises(TypeError, match=r"Optimizer does not say how it moves .*: _move\(lr\)"):
        Optimizer([p], lr=0.1).step()
    assert p.data == 1.0


@pytest.mark.parametrize("make", [SGD, AdamW])
def test_a_schedule_that_fails_moves_nothing_and_counts_no_step(make: Any) -> None:
    p = Value(1.0)
    optimizer = make([p], lr=lambda step: 1 / step)
    p.grad = 1.0
    with pytest.raises(ZeroDivisionError):
        optimizer.step()
    assert (p.data, optimizer.steps) == (1.0, 0)


EDGES = [0.0, -0.0, 5e-324, -1e-310, 1e200, -1e308, math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("way", ["all at once", "as arrays"])
@pytest.mark.parametrize("make", [SGD, lambda p, lr: SGD(p, lr, momentum=0.9), AdamW])
def test_many_parameters_move_as_each_does(make: Any, way: str) -> None:
    numbers = random.Random(0)
    models = [[Value(x) for x in range(2 * FEW + 3)] for _ in range(2)]
    together = make(models[0], lr=0.1)
    if way == "as arrays":
        buffers = [array("d", bytes(8 * len(models[0]))) for _ in range(2)]
        together._known_block = Block(tuple(models[0]), *buffers)
    each = [make([p], lr=0.1) for p in models[1]]
    for step in range(6):
        for k, pair in enumerate(zip(*models)):
            is_edge = step == 3 and k < len(EDGES)
            pair[0].grad = pair[1].grad = EDGES[k] if is_edge else numbers.gauss(0, 1)
        together.step()
        for one in each:
            one.step()
        found, wanted = ([repr(p.data) for p in model] for model in models)
        assert found == wanted
    for name in together._memories:
        wanted = [repr(getattr(one, name)[0]) for one in each]
        assert list(map(repr, getattr(together, name))) == wanted


@pytest.mark.parametrize("count", [2, 100])
def test_a_root_that_cannot_be_taken_moves_nothing(count: int) -> None:
    ps = [Value(1.0) for _ in range(count)]
    optimizer = AdamW(ps, lr=0.1)
    optimizer.squares[1] = -1.0
    for p in ps:
        p.grad = 0.5
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        optimizer.step()
    assert {p.data for p in ps} == {1.0}
    assert set(optimizer.means) == {0.0}


def test_memories_of_another_kind_are_kept_by_python() -> None:
    ps, qs = ([Value(1.0) for _ in range(FEW + 1)] for _ in range(2))
    plain, other = SGD(ps, lr=0.1, momentum=0.5), SGD(qs, lr=0.1, momentum=0.5)
    other.velocity = array("f", other.velocity)
    for _ in range(3):
        for p, q in zip(ps, qs):
            p.grad = q.grad = 0.25
        plain.step()
        other.step()
    assert [q.data for q in qs] == pytest.approx([p.data for p in ps])


def test_what_numbers_cannot_do_arrays_cannot_either() -> None:
    parameters = [Value(1.0) for _ in range(FEW + 1)]
    optimizer = AdamW(parameters)
    optimizer.eps = 0.0
    with pytest.raises(ZeroDivisionError):
        optimizer.step()
    for p in parameters:
        p.grad = 1e200
    SGD(parameters, lr=1e200).step()
    assert parameters[0].data == -math.inf


# State belongs to a parameter --------------------------------------------------------------------


@pytest.mark.parametrize("make", [lambda ps: SGD(ps, 0.1, momentum=0.9), lambda ps: AdamW(ps, 0.1)])
def test_memories_stay_with_their_parameter(make: Any) -> None:
    def stepped(ps: list[Value], optimizer: Any) -> None:
        for p, grad in zip(ps, (1.0, -2.0, 3.0)):
            p.grad = grad
        optimizer.step()

    a, b, c = (Value(x) for x in (1.0, 2.0, 3.0))
    alone = Value(2.0)
    optimizer, reference = make([a, b]), make([alone])
    stepped([a, b], optimizer)
    alone.grad = -2.0
    reference.step()
    optimizer.parameters = [c, b]  # a goes, c comes
    stepped([a, b, c], optimizer)
    reference.step()
    assert b.data == alone.data
    assert optimizer.parameters == (c, b)


def test_the_parameters_cannot_be_changed_behind_the_optimisers_back() -> None:
    optimizer = SGD([Value(1.0), Value(2.0)], 0.1, momentum=0.9)
    assert isinstance(optimizer.parameters, tuple)
    optimizer.add([Value(3.0)])
    assert len(optimizer.parameters) == len(optimizer.velocity) == 3
    with pytest.raises(ValueError, match="given twice"):
        optimizer.add(optimizer.parameters[:1])
    assert len(optimizer.parameters) == 3


@pytest.mark.parametrize("count", [2, 100])
def test_a_step_that_fails_moves_nothing(count: int) -> None:
    ps = [Value(1.0) for _ in range(count)]
    ps[0].grad = 1.0
    optimizer = AdamW(ps, lr=0.1)
    optimizer.eps = 0.0
    with pytest.raises(ZeroDivisionError):
        optimizer.step()
    assert {p.data for p in ps} == {1.0}
    assert set(optimizer.means) == {0.0}
    assert optimizer.steps == 0
