"""check_gradient: the usual mistakes, planted in the course's loop, are named; right ones pass."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest

from micrograd import Value, examples
from micrograd.explain import check_gradient, deltas
from micrograd.nn import MLP

Arrays = list[Any]


def g(z: Any) -> Any:
    return 1 / (1 + np.exp(-z))


class Net(NamedTuple):
    """A network with its examples; y has rows of 0 and 1."""

    thetas: Arrays
    x: Any
    y: Any
    lam: float


def check_case(lam: float) -> Net:
    example = examples.ng_ex4()
    thetas = [
        np.array([[n.b.data, *(w.data for w in n.w)] for n in layer.neurons])
        for layer in example.model.layers
    ]
    return Net(thetas, np.array(example.X), np.eye(4)[np.array(example.y) - 1], lam)


def random_net(seed: int) -> Net:
    rng = np.random.RandomState(seed)
    sizes = rng.randint(2, 6, rng.randint(3, 5))
    thetas = [rng.uniform(-1, 1, (n, below + 1)) for below, n in pairwise(sizes)]
    m = rng.randint(3, 9)
    classes = rng.randint(0, sizes[-1], m)
    return Net(thetas, rng.normal(size=(m, sizes[0])), np.eye(sizes[-1])[classes], seed % 2 * 1.3)


def exercise_4(lam: float) -> Net:
    rng = np.random.RandomState(4)
    thetas = [rng.uniform(-0.12, 0.12, shape) for shape in ((25, 401), (10, 26))]
    return Net(thetas, rng.rand(20, 400), np.eye(10)[rng.randint(0, 10, 20)], lam)


def cost(net: Net, thetas: Arrays) -> float:
    """Return the course's J, from its definition."""
    a = net.x
    for theta in thetas:
        a = g(np.column_stack([np.ones(len(a)), a]) @ theta.T)
    fit = -(net.y * np.log(a) + (1 - net.y) * np.log(1 - a)).sum() / len(a)
    return float(fit + net.lam / 2 / len(a) * sum((t[:, 1:] ** 2).sum() for t in thetas))


def course(net: Net, planted: str = "") -> Arrays:
    """Run the course's loop over the examples, with a mistake planted in it."""
    thetas, m, lam = [t.copy() for t in net.thetas], len(net.x), net.lam
    totals = [np.zeros_like(t) for t in thetas]
    last = len(thetas)
    for i in range(m):
        a: Arrays = [np.append(1.0, net.x[i])]
        z: Arrays = [None]
        for level, theta in enumerate(thetas, start=1):
            used = theta.copy()
            if planted == "bias missing in the forward pass":
                used[:, 0] = 0
            z.append(used @ a[-1])
            a.append(np.append(1.0, g(z[-1])) if level < last else g(z[-1]))
        y = net.y[i]
        if planted == "examples mixed":
            y = net.y[i - 1]
        if planted == "classes counted from the wrong number":
            y = np.roll(y, 1)
        delta = a[-1] - y
        if planted == "y - a for a - y":
            delta = y - a[-1]
        elif planted == "squared error":
            delta = delta * a[-1] * (1 - a[-1])
        elif planted == "the sigmoid applied twice":
            delta = (g(a[-1]) - y) * a[-1] * (1 - a[-1])
        elif planted == "half of the cost":
            delta = -y * (1 - a[-1])
        elif planted == "softmax for sigmoids":
            delta = np.exp(z[-1]) / np.exp(z[-1]).sum() - y
        found: Arrays = [None] * last
        for level in range(last - 1, -1, -1):
            below = a[level].copy()
            if planted == f"z for a in layer {level + 1}":
                below[1:] = z[level]
            found[level] = np.outer(delta, below)
            if planted == "bias dropped":
                found[level][:, 0] = 0
            if planted == "Theta updated in the middle":
                thetas[level] = thetas[level] - 0.05 * found[level]
            if not level:
                break
            hidden, slope = a[level][1:], a[level][1:] * (1 - a[level][1:])
            if planted == f"g' forgotten in layer {level + 1}":
                slope = np.ones_like(hidden)
            elif planted == f"g'(a) for g'(z) in layer {level + 1}":
                slope = g(hidden) * (1 - g(hidden))
            elif planted == f"g for g' in layer {level + 1}":
                slope = hidden
            elif planted == f"tanh's slope in layer {level + 1}":
                slope = 1 - hidden**2
            arrived = thetas[level].T @ delta
            left = planted == f"bias column left in Theta{level + 1}'"
            delta = (arrived[:-1] if left else arrived[1:]) * slope
        for level in range(last):
            if planted == "Delta not accumulated":
                totals[level] = found[level]
            else:
                totals[level] = totals[level] + found[level]
            if planted == "Theta updated after each example":
                thetas[level] = thetas[level] - 0.3 * found[level]
    if planted == "Delta not set to 0":
        totals = [2 * t for t in totals]
    penalties = [np.column_stack([np.zeros(len(t)), t[:, 1:]]) for t in net.thetas]
    if planted == "lambda on the bias":
        penalties = net.thetas
    scale = {
        "lambda missing": 0.0,
        "lambda not divided by m": lam,
        "lambda doubled": 2 * lam / m,
        "lambda halved": lam / 2 / m,
        "lambda subtracted": -lam / m,
    }.get(planted, lam / m)
    divisor = {"1/m missing": 1, "1/m twice": m * m}.get(planted, m)
    d = [t / divisor + scale * p for t, p in zip(totals, penalties)]
    if planted == "twice the gradient":
        d = [2 * x for x in d]
    if planted == "wrong unrolling order":
        d = [x.ravel().reshape(x.shape, order="F") for x in d]
    if planted == "bias column last":
        d = [np.column_stack([x[:, 1:], x[:, 0]]) for x in d]
    return d


def planted(net: Net) -> Iterator[str]:
    """Yield the mistakes that can be made in this network."""
    yield from (
        "y - a for a - y",
        "squared error",
        "the sigmoid applied twice",
        "half of the cost",
        "softmax for sigmoids",
        "classes counted from the wrong number",
        "examples mixed",
        "bias missing in the forward pass",
        "bias dropped",
        "Delta not accumulated",
        "Delta not set to 0",
        "1/m missing",
        "1/m twice",
        "twice the gradient",
        "wrong unrolling order",
        "bias column last",
        "Theta updated in the middle",
        "Theta updated after each example",
    )
    for level in range(2, len(net.thetas) + 1):
        yield f"g' forgotten in layer {level}"
        yield f"g'(a) for g'(z) in layer {level}"
        yield f"g for g' in layer {level}"
        yield f"tanh's slope in layer {level}"
        yield f"bias column left in Theta{level}'"
        yield f"z for a in layer {level}"
    if net.lam:
        for how in (
            "missing",
            "on the bias",
            "not divided by m",
            "doubled",
            "halved",
            "subtracted",
        ):
            yield f"lambda {how}"


def differ(x: Arrays, y: Arrays) -> float:
    largest = max(np.abs(q).max() for q in y)
    return float(max(np.abs(p - q).max() for p, q in zip(x, y)) / largest)


def name_of(planted: str) -> str:
    return planted.replace("updated after each example", "updated in the middle")


def assert_named(net: Net) -> None:
    right = course(net)
    for mistake in planted(net):
        wrong = course(net, mistake)
        if differ(wrong, right) < 1e-9:
            continue  # it makes no difference in this network
        found = check_gradient(net.thetas, net.x, net.y, wrong, net.lam)
        assert not found.right, mistake
        assert name_of(mistake) in found.mistakes, (mistake, found.mistakes)
        assert len(found.mistakes) <= 3, (mistake, found.mistakes)


@pytest.mark.parametrize("lam", [0.0, 4.0])
def test_each_mistake_is_named_on_the_check_case(lam: float) -> None:
    assert_named(check_case(lam))


@pytest.mark.parametrize("lam", [0.0, 1.0])
def test_each_mistake_is_named_on_the_shapes_of_exercise_4(lam: float) -> None:
    assert_named(exercise_4(lam))


@pytest.mark.parametrize("seed", range(50))
def test_each_mistake_is_named_on_random_networks(seed: int) -> None:
    assert_named(random_net(seed))


@pytest.mark.parametrize("seed", range(20))
def test_right_gradients_pass_with_rounding_and_noise(seed: int) -> None:
    net = random_net(seed)
    right = course(net)
    arguments = net.thetas, net.x, net.y
    printed = [np.array([[float(f"{v:.5g}") for v in row] for row in d]) for d in right]
    both, forward = [], []
    for level, theta in enumerate(net.thetas):
        both.append(np.zeros_like(theta))
        forward.append(np.zeros_like(theta))
        for place in np.ndindex(theta.shape):
            costs = []
            for by in (1e-4, -1e-4, 0):
                moved = [t.copy() for t in net.thetas]
                moved[level][place] += by
                costs.append(cost(net, moved))
            both[level][place] = (costs[0] - costs[1]) / 2e-4
            forward[level][place] = (costs[0] - costs[2]) / 1e-4
    single = [d.astype(np.float32) for d in right]
    for grad in (right, printed, single, both, forward):
        found = check_gradient(*arguments, grad, net.lam)
        assert found.right, str(found)
        assert found.mistakes == []


def laid_out_wrongly(right: Arrays) -> Iterator[tuple[str, Any]]:
    for level in range(len(right)):
        zero = [np.zeros_like(d) if i == level else d for i, d in enumerate(right)]
        yield f"D{level + 1} left at 0", zero
    late = [np.column_stack([np.zeros(len(d)), d[:, :-1]]) for d in right]
    early = [np.column_stack([d[:, 1:], np.zeros(len(d))]) for d in right]
    yield "columns shifted by one", late
    yield "columns shifted by one", early
    yield "rows shifted by one", [np.roll(d, 1, axis=0) for d in right]
    yield "rows shifted by one", [np.vstack([d[1:], 0 * d[:1]]) for d in right]
    yield "layers in reverse order", right[::-1]
    if len({d.shape for d in right}) > 1:
        for order in ("C", "F"):
            yield (
                "layers in reverse order",
                np.concatenate([d.ravel(order=order) for d in right[::-1]]),
            )


def test_printed_layers_in_reverse_order_are_named() -> None:
    net = exercise_4(1.0)
    printed = np.concatenate([np.round(d, 4).ravel(order="F") for d in course(net)[::-1]])
    check = check_gradient(net.thetas, net.x, net.y, printed, net.lam)
    assert check.mistakes == ["layers in reverse order"]


@pytest.mark.parametrize(
    "net", [check_case(0.0), check_case(1.0), exercise_4(1.0), *map(random_net, range(8))]
)
def test_a_right_gradient_laid_out_wrongly_is_named(net: Net) -> None:
    for name, given in laid_out_wrongly(course(net)):
        check = check_gradient(net.thetas, net.x, net.y, given, net.lam)
        assert not check.right
        assert name in check.mistakes, (name, str(check))


def test_what_does_not_fit_may_fit_otherwise() -> None:
    net = exercise_4(0.0)
    one, two = net.thetas
    ones = np.column_stack([np.ones(len(net.x)), net.x])
    for thetas, x, hint in [
        ([one.T, two.T], net.x, "transposed, with a row per unit"),
        ([two, one], net.x, "in reverse order: Theta1"),
        ([one[:, 1:], two[:, 1:]], net.x, "a column is missing in each: the bias"),
        ([one, two[:, :9]], net.x, "Theta2 has 9 columns and the layer below has 25 units"),
        ([one, two], net.x.T, "X fits transposed, with a row per example: give X.T$"),
        ([one, two], ones.T, "give X.T, without the row of ones"),
        ([one, two], ones, "leave the 1 of the bias out"),
        ([one, two], ones + 1, "takes 400$"),
    ]:
        with pytest.raises(ValueError, match=hint):
            deltas(thetas, x, net.y)


def test_transposed_matrices_that_fit_on_each_other_are_told() -> None:
    one, two = np.ones((2, 3)), np.ones((4, 3))  # whose transposes fit as well
    x, y = [[0.1, 0.2], [0.3, 0.4]], [1, 2]
    asks: list[Any] = [deltas, lambda t, x, y: check_gradient(t, x, y, np.zeros(18))]
    for ask in asks:
        with pytest.raises(ValueError, match=r"takes 1; the matrices fit transposed.*Theta\.T"):
            ask([one.T, two.T], x, y)
    with pytest.raises(ValueError, match=r"example 1 has 2 inputs, the network takes 1$"):
        deltas(MLP(1, [3, 3], activation="sigmoid"), x, y)


def test_the_verdict_is_said() -> None:
    net = check_case(0)
    found = check_gradient(net.thetas, net.x, net.y, course(net, "g' forgotten in layer 2"))
    text = str(found)
    assert text.startswith("The gradient is wrong: g' forgotten in layer 2\n")
    assert "delta2 is not multiplied by g'(z)" in text
    assert "Theta1(2,0)    4.30573    0.979897" in text
    assert "g&#x27; forgotten" in found._repr_html_()
    right = check_gradient(net.thetas, net.x, net.y, course(net))
    assert str(right).startswith("The gradient is right (largest relative difference")
    rounded = [np.round(d, 2) for d in course(net)]
    printed = check_gradient(net.thetas, net.x, net.y, rounded, net.lam)
    assert str(printed).startswith("The gradient is right as far as its digits go (")


def test_two_mistakes_are_named_together() -> None:
    net = check_case(4)
    wrong = [len(net.x) * d for d in course(net._replace(lam=0), "g' forgotten in layer 2")]
    found = check_gradient(net.thetas, net.x, net.y, wrong, 4)
    assert not found.right
    assert "g' forgotten in layer 2" not in str(found).splitlines()[0]  # three mistakes
    wrong = [d - 4 / 3 * t for d, t in zip(course(net, "y - a for a - y"), net.thetas)]
    for d, t in zip(wrong, net.thetas):
        d[:, 0] += 4 / 3 * t[:, 0]
    found = check_gradient(net.thetas, net.x, net.y, wrong, 4)
    assert found.mistakes == ["y - a for a - y", "lambda missing"]


def test_an_unusual_mistake_is_not_given_a_name() -> None:
    net = random_net(4)
    for level, said in ((-1, "look at delta"), (0, "D2 is right and D1 is not: look at delta2")):
        wrong = course(net)
        wrong[level][1, 1] += 0.5
        found = check_gradient(net.thetas, net.x, net.y, wrong, net.lam)
        assert (found.right, found.mistakes) == (False, [])
        assert said in str(found)
        assert f"Theta{len(wrong) if level else 1}(2,1)" in str(found).splitlines()[3]


def test_forms_of_a_gradient() -> None:
    net = check_case(1)
    right = course(net)
    found = deltas(net.thetas, net.x, net.y, 1)
    for form in (right, [d.tolist() for d in right], found.D, tuple(right)):
        assert check_gradient(net.thetas, net.x, net.y, form, 1).right
    octave = np.concatenate([d.ravel(order="F") for d in right])
    for vector in (octave, octave[:, np.newaxis], octave.tolist()):
        check = check_gradient(net.thetas, net.x, net.y, vector, 1)
        assert check.right
        assert "column by column, as Octave's (:)" in str(check)
    check = check_gradient(net.thetas, net.x, net.y, np.concatenate([d.ravel() for d in right]), 1)
    assert check.right
    assert "row by row, as NumPy" in str(check)
    wrong = np.concatenate([d.ravel(order="F") for d in course(net, "lambda on the bias")])
    assert check_gradient(net.thetas, net.x, net.y, wrong, 1).mistakes == ["lambda on the bias"]


def test_shapes_tell_mistakes_too() -> None:
    net = check_case(0)
    right = course(net)
    shapes = {
        "transposed": [d.T for d in right],
        "bias dropped": [d[:, 1:] for d in right],
        "bias column left in Theta'": [np.vstack([d[:1], d]) for d in right[:1]] + right[1:],
    }
    for name, form in shapes.items():
        assert check_gradient(net.thetas, net.x, net.y, form).mistakes == [name]


def test_a_model_and_classes_will_do_and_nothing_is_changed() -> None:
    example = examples.ng_ex4()
    for p in example.model.parameters():
        p.grad = 7.0
    d = course(check_case(0))
    assert check_gradient(example.model, example.X, np.array([[4], [2], [3]]), d).right
    assert {p.grad for p in example.model.parameters()} == {7.0}


THETA = [[[0.1, 0.2, 0.3]]]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((THETA, [[1, 2]], [1], [1.0, 2.0]), ValueError, "has 2 numbers and the network 3 weights"),
        ((THETA, [[1, 2]], [1], [[[1.0, 2.0]], [[3.0]]]), ValueError, "1x2, 1x1, Theta has 1x3"),
        ((THETA, [[1, 2]], [1], [[[1.0, 2.0, np.nan]]]), ValueError, "not finite"),
        ((THETA, [[1, 2]], [1], [1.0, 2.0, np.inf]), ValueError, "not finite"),
        ((THETA, [[1, 2]], [1], "right"), TypeError, "got 'right'"),
        ((THETA, [[1, 2]], [1], None), TypeError, "got None"),
        ((THETA, [[1, 2]], [1], [None]), TypeError, "None is no number"),
        ((THETA, [[1, 2]], [1], [["a"]]), TypeError, "no matrix of numbers"),
        ((THETA, [[1, 2]], [1], [[1.0], [2.0]]), ValueError, "is a matrix, a row per unit"),
        ((THETA, [[1, 2]], [1, 0], THETA), ValueError, "X has 1 examples and y has 2"),
        ((THETA, [[1, 2]], [1], THETA, -1), ValueError, "lam is a number that is not negative"),
        ((MLP(2, [1, 1], activation="tanh"), [[1, 2]], [1], THETA), ValueError, "of sigmoids"),
        (([[[Value(1.0) * 2, 1.0]]], [[1.0]], [1], THETA), ValueError, "computed from other"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_gradient(*arguments)


@pytest.mark.parametrize("written", ["{:.4f}", "{:.6f}", "{:.4g}", "{:.3g}"])
def test_a_gradient_with_printed_digits_is_compared_as_far_as_they_go(written: str) -> None:
    def printed(gradient: Any) -> Arrays:
        return [np.vectorize(lambda x: float(written.format(x)))(d) for d in gradient]

    for net in (check_case(0.0), check_case(1.0), exercise_4(0.0), *map(random_net, range(20))):
        right = [np.array(d) for d in deltas(net.thetas, net.x, net.y, lam=net.lam).D.values()]
        assert check_gradient(net.thetas, net.x, net.y, printed(right), net.lam).right
    net = check_case(1.0)
    sums = [np.array(d) * 3 for d in deltas(net.thetas, net.x, net.y, lam=1.0).D.values()]
    assert not check_gradient(net.thetas, net.x, net.y, printed(sums), 1.0).right


def test_a_transposed_gradient_shows_no_entries_that_are_right() -> None:
    net = check_case(1.0)
    right = [np.array(d) for d in deltas(net.thetas, net.x, net.y, lam=1.0).D.values()]
    found = check_gradient(net.thetas, net.x, net.y, [d.T for d in right], 1.0)
    assert (found.mistakes, found.right, found.table().rows) == (["transposed"], False, [])
    assert str(found).splitlines()[0] == "The gradient is wrong: transposed"
    both = check_gradient(net.thetas, net.x, net.y, [3 * d.T for d in right], 1.0)
    assert all(row[1] != row[2] for row in both.table().rows)
