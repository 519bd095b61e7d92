"""Every figure in the text of the tutorial, computed again from its network.

The cells of its pages run when the site is built; these are the numbers in the sentences.
"""

from __future__ import annotations

import json
import math
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micrograd import Value, toposort
from micrograd.explain import deltas, nudge
from micrograd.explain.examples import mazur, ng_ex4
from micrograd.graph.steps import backward_steps
from micrograd.optim import SGD

PAGES = Path(__file__).parents[1] / "docs" / "backpropagation"
NET = ng_ex4()
LAYERS = [layer.parameters() for layer in NET.model.layers]
WEIGHTS = NET.model.parameters()


def cost(i: int) -> tuple[Any, list[Value], list[Value]]:
    """Return the cost of an example, counted from 0, and the units of the two layers."""
    a2 = NET.model.layers[0](NET.X[i])
    a3 = NET.model.layers[1](a2)
    labels = [k == NET.y[i] for k in range(1, 5)]
    total = sum(-a.log() if right else -(1 - a).log() for a, right in zip(a3, labels))
    return total, a2, a3


def mean_cost() -> Any:
    return sum(cost(i)[0] for i in range(3)) / 3


def cost_after(changes: dict[Value, float]) -> float:
    """Return J with these parameters changed, and put them back."""
    try:
        for p, change in changes.items():
            p.data += change
        return float(mean_cost().data)
    finally:
        for p, change in changes.items():
            p.data -= change


@pytest.fixture(autouse=True)
def _start_afresh() -> None:
    NET.model.zero_grad()


def text_of(page: str | int) -> str:
    name = "index.md" if page == "index" else f"{page}-*.md"
    return next(PAGES.glob(name)).read_text(encoding="utf-8")


def says(page: str, *figures: str) -> None:
    """Check that the page holds these figures."""
    text = text_of(page)
    missing = [figure for figure in figures if figure not in text]
    assert missing == []


@pytest.mark.parametrize("page", range(1, 11))
def test_each_page_has_its_parts(page: int) -> None:
    says(str(page), "**Predict.**", "<details>", "```{code-cell}")
    says(str(page), "**The number.**", "> **Keep this:**")


@pytest.mark.parametrize("page", range(1, 11))
def test_each_page_has_a_picture_that_says_what_it_shows(page: int) -> None:
    text = text_of(page)
    assert "    alt: " in text or "\ngraph(" in text  # a diagram says it itself


@pytest.mark.parametrize("page", range(1, 11))
def test_each_page_shows_one_cell_to_run_and_folds_the_others(page: int) -> None:
    cells = re.findall(r"^```\{code-cell\} ipython3\n(.*?)^```$", text_of(page), re.M | re.S)
    folded = [re.search(r"tags: \[(remove-input|hide-input|hide-cell)\]", cell) for cell in cells]
    assert folded.count(None) == 1
    assert folded[0]  # the picture comes before the code


@pytest.mark.parametrize("page", [2, 3])
def test_every_box_of_a_diagram_has_a_name(page: int) -> None:
    (code,) = re.findall(
        r"^:tags: \[remove-input\]\n(.*?^graph\(\w+\)$)", text_of(page), re.M | re.S
    )
    before, _, root = code.rpartition("\ngraph(")
    drawn: dict[str, Any] = {}
    exec(before, drawn)
    order = toposort(drawn[root.rstrip(")")])
    assert len(order) >= 6
    assert all(v.label for v in order)


def answers(page: int) -> list[float]:
    """Read the answers of a page's exercises."""
    return [float(x) for x in re.findall(r"^:answer: (.*)$", text_of(page), re.M)]


@pytest.mark.parametrize("page", range(1, 11))
def test_each_page_asks_for_two_numbers(page: int) -> None:
    found = re.findall(
        r"^```\{exercise\} \S.*\n:answer: \S+\n:tolerance: \S+\n:hint: \S.*\n```$",
        text_of(page),
        re.M,
    )
    assert len(found) == len(answers(page)) == 2


@pytest.mark.parametrize("page", ["index", *range(1, 11)])
def test_each_page_is_described_for_those_who_search(page: int | str) -> None:
    (description,) = re.findall(r'^    description: "(.*)"$', text_of(page), re.M)
    assert 100 < len(description) < 250
    assert not re.search("foretold|foretell|by this way|derivative by (the|a|each) ", text_of(page))


def test_index_the_five_answers() -> None:
    total, _, a3 = cost(0)
    total.backward()
    a4, delta4 = a3[3].data, a3[3].parents[0].grad
    says("index", f"{a4:.4f} - 1 = {delta4:.4f}", f"falls by {-0.01 * delta4:.5f}")
    NET.model.zero_grad()
    mean_cost().backward()
    bias = NET.model.layers[1].neurons[0].b
    by = cost_after({bias: 0.01}) - mean_cost().data
    says("index", f"rises by {by:.5f}", f"its derivative is {bias.grad:.4f}")
    shares = -sum(p.grad**2 for p in WEIGHTS)
    after = [cost_after({p: -p.grad for p in moved}) for moved in (WEIGHTS, LAYERS[1], LAYERS[0])]
    j = mean_cost().data
    says("index", f"{shares:.3f}", f"{j:.3f}", f"{j + shares:.3f}", *(f"{x:.3f}" for x in after))
    says("8", f"{shares:.3f}", f"{j + shares:.3f}")


def test_index_says_it_to_machines_too() -> None:
    (found,) = re.findall(
        r'<script type="application/ld\+json">(.*?)</script>', text_of("index"), re.S
    )
    page = json.loads(found)
    assert page["@type"] == "QAPage"
    assert "-4.385" in page["mainEntity"]["acceptedAnswer"]["text"]


def test_2_the_course_contradicts_itself() -> None:
    """The box: each claim computed with the course's formulas, the answer by a nudge."""
    arguments = NET.model, NET.X, NET.y
    found = deltas(*arguments)
    z4, total = found.z[3].value(1, 4), found.cost(1)
    nudged = nudge(z4, total, by=1e-4).data[0]
    assert f"{nudged.real / nudged.by:.4f}" == "-0.0633"  # -0.0634 is its limit
    a4 = found.a[3][1, 4]
    says("2", f"y - a = {1 - a4:.4f}", f"{a4 - 1:.4f}: $a - y$")
    bias = NET.model.layers[0].neurons[0].b
    slope = nudge(bias, mean_cost, by=1e-5).data[0]
    assert f"{slope.real / slope.by:.3f}" == "0.766"
    half = deltas(*arguments, loss=squared)
    forgotten = sum(
        sum(w * d for w, d in zip(column, found.delta[3][i]))
        for i in (1, 2, 3)
        for column in [[row[1] for row in found.Theta[2]]]
    )
    says("2", f"= {forgotten / 3:.3f}$", f"= {half.D[1][1, 0]:.3f}$", "0.766")
    says("4", f"{forgotten / 3:.3f}", "0.766")


def squared(outputs: Any, label: int) -> Any:
    """Half of (h - y)^2, added up over the units."""
    return sum((a - (k == label)) ** 2 / 2 for k, a in enumerate(outputs, start=1))


def test_the_network_is_the_one_that_the_first_page_shows() -> None:
    rows = [[n.b.data, *(w.data for w in n.w)] for layer in NET.model.layers for n in layer.neurons]
    says("index", *(" & ".join(f"{w:.1f}" for w in row) for row in rows))
    says("index", *(f"| {x1:.6f} | {x2:.6f} | {y} |" for (x1, x2), y in zip(NET.X, NET.y)))


def test_1_one_weight() -> None:
    mean_cost().backward()
    bias = NET.model.layers[1].neurons[0].b
    j = mean_cost().data
    small, large = (cost_after({bias: by}) - j - by * bias.grad for by in (0.01, 1))
    says("1", f"{j:.6g}", f"{bias.grad:.6f}", f"{small:.6f}", f"a change of 1 by {large:.2f}")
    curvature = cost_after({bias: 1e-3}) - 2 * j + cost_after({bias: -1e-3})
    assert f"{curvature * 1e6:.3f}" == "0.102"  # the curve can be seen to bend
    assert answers(1) == pytest.approx([0.02 * bias.grad, -0.1 * bias.grad], abs=1e-4)


def test_2_delta() -> None:
    total, _, a3 = cost(0)
    total.backward()
    deltas = [a.parents[0].grad for a in a3]
    z4 = a3[3].parents[0].data
    real = math.log1p(math.exp(-z4)) - math.log1p(math.exp(-z4 - 0.01))
    says("2", *(f"{delta:.6g}" for delta in deltas), f"{-0.01 * deltas[3]:.6f}", f"{real:.6f}")
    assert [f"{delta:.3f}" for delta in deltas] == ["0.889", "0.907", "0.923", "-0.063"]


def test_3_output_minus_label() -> None:
    a = cost(0)[2][0].data
    says("3", f"{a:.6f}", f"{1 / (1 - a):.2f}", f"{a * (1 - a):.4f}", f"{a:.4f}")
    book = mazur()
    outputs = book.model(book.X[0])
    book.loss(outputs, book.y[0]).backward()
    o, slope = outputs[0].data, outputs[0].data * (1 - outputs[0].data)
    says("3", f"{o:.5f}", f"{outputs[0].grad:.4f}", f"{slope:.4f}")
    says("3", f"{outputs[0].parents[0].grad:.4f}")
    less = 0.6 - 0.01  # wrong, and yet a larger delta
    assert less < outputs[0].grad
    says("3", f"by {less:.2f}", f"{less * 0.6 * 0.4:.4f}")
    says("2", f"{outputs[0].parents[0].grad:.4f}", f"{less * 0.6 * 0.4:.4f}")
    z, a1 = cost(0)[2][0].parents[0].data, a
    rise = 1 / (1 + math.exp(-z - 0.01)) - a1
    fall = math.log(1 - a1) - math.log(1 - a1 - 0.001)
    says("3", f"goes up by {rise:.5f}", f"goes up by {fall:.4f}")
    w5 = book.model.layers[1].neurons[0].w[0]
    says("3", f"{w5.grad:.6f}", f"{w5.grad:.4f}", f"{book.published['h'][0]:.4f}")


def test_4_hidden_unit() -> None:
    total, a2, a3 = cost(0)
    total.backward()
    weights = [n.w[0].data for n in NET.model.layers[1].neurons]
    ways = [w * a.parents[0].grad for w, a in zip(weights, a3)]
    assert [f"{way:.3f}" for way in ways] == ["0.978", "1.089", "1.200", "-0.089"]
    says("4", "0.978 + 1.089 + 1.200 - 0.089", f"{sum(ways):.3f}", f"{a2[0].grad:.3f}")
    says("4", f"{a2[0].data * (1 - a2[0].data):.4f}", f"{a2[0].parents[0].grad:.4f}")


def test_5_weight() -> None:
    total, _, _ = cost(0)
    total.backward()
    first = NET.model.layers[0].neurons[0]
    says("5", f"{first.b.grad:.4f}", f"{NET.X[0][0]:.4f}", f"{first.w[0].grad:.4f}")


def test_6_accumulator() -> None:
    w = NET.model.layers[0].neurons[0].w[0]
    shares = []
    for i in range(3):
        before = w.grad
        cost(i)[0].backward()
        shares.append(w.grad - before)
    assert [f"{share:.3f}" for share in shares] == ["0.429", "-0.729", "0.218"]
    says("6", "0.429 - 0.729 + 0.218", f"{w.grad:.4f}", f"{w.grad:.3f}", f"{w.grad / 3:.6g}")


def work(root: Value) -> tuple[int, int]:
    """Count the operations forward and the additions backward."""
    return sum(v.op is not None for v in toposort(root)), len(backward_steps(root))


def test_7_backward() -> None:
    assert len(WEIGHTS) + 1 == 19
    says("7", "19 forward passes", f"{25 * 401 + 10 * 26 + 1:,}", "about 3,400 times")
    digits = deltas([np.zeros((25, 401)), np.zeros((10, 26))], [[0.5] * 400], [1]).cost(1)
    forward, back = work(digits)
    assert 3_400 <= 10_286 * forward / (forward + back) < 3_450
    forward, back = work(NET.cost(1))
    says("7", f"the {forward} operations and {back} additions")
    assert answers(7) == [5 * 4 + 3 * 6, 39]


def test_8_better_weights() -> None:
    mean_cost().backward()
    after = [
        cost_after({p: -rate * p.grad for p in moved})
        for rate, moved in [(1, LAYERS[1]), (1, LAYERS[0]), (1, WEIGHTS), (20, WEIGHTS)]
    ]
    assert cost_after({p: -5 * p.grad for p in WEIGHTS}) < after[2]
    says("8", *(f"{j:.3f}" for j in after[:3]), f"{after[3]:.2f}")


def test_8_no_random_direction_is_as_good() -> None:
    mean_cost().backward()
    gradient = np.array([p.grad for p in WEIGHTS])
    length = float(np.linalg.norm(gradient))

    def change(direction: Any) -> float:
        return cost_after(dict(zip(WEIGHTS, direction))) - float(mean_cost().data)

    assert f"{change(-0.1 / length * gradient):.3f}" == "-0.208"
    says("8", "0.208")
    random.seed(0)
    directions = np.array([[random.gauss(0, 1) for _ in WEIGHTS] for _ in range(200)])
    directions *= 0.1 / np.linalg.norm(directions, axis=1, keepdims=True)
    changes = [change(direction) for direction in directions]
    assert 0.4 < np.mean(np.array(changes) > 0) < 0.6
    assert -0.2 < min(changes) < -0.08


@pytest.mark.long
def test_9_the_whole_algorithm() -> None:
    start = [p.data for p in WEIGHTS]
    try:
        for _ in range(1000):
            NET.model.zero_grad()
            mean_cost().backward()
            for p in WEIGHTS:
                p.data -= p.grad
        says("9", f"{mean_cost():.4f}")
    finally:
        for p, number in zip(WEIGHTS, start):
            p.data = number


def test_9_the_race_is_run_at_equal_pace() -> None:
    start = [p.data for p in WEIGHTS]
    ends = []
    for options in ({"lr": 2.0}, {"lr": 1.0, "momentum": 0.5}):
        descent = SGD(WEIGHTS, **options)
        for _ in range(200):
            descent.zero_grad()
            mean_cost().backward()
            descent.step()
        ends.append(f"{mean_cost():.4f}")
        for p, number in zip(WEIGHTS, start):
            p.data = number
    says("9", *ends)
    assert ends[0] < ends[1]


def test_10_lambda() -> None:
    found = deltas(NET.model, NET.X, NET.y, lam=4)
    published = ng_ex4().published
    assert f"{found.D[1][1, 1]:.5f}" == f"{published['D'][4][1][0][1]:.5f}"
    says("10", f"{found.J.data:.4f}", f"{found.D[1][1, 1]:.5f}", f"{found.D[1][1, 1]:.4f}")
    assert answers(10) == [1 / 5000 * 2, 0]


def test_answers_that_the_network_gives() -> None:
    found = deltas(NET.model, NET.X, NET.y)
    assert answers(2) == [
        pytest.approx(-0.01 * found.delta[3][1, 1], abs=1e-4),
        sum(delta < 0 for delta in found.delta[3][2]),
    ]
    assert answers(3) == pytest.approx([0.8 - 1, (0.8 - 1) * 0.8 * 0.2])
    assert answers(4)[0] == pytest.approx(found.delta[2][1, 2], abs=1e-3)
    of_weight = found.delta[2][1, 2] * found.a[1][1, 2]
    assert answers(5)[0] == pytest.approx(of_weight, abs=1e-3)
    assert answers(6) == pytest.approx([(0.4 - 0.1) / 2, 2])
    assert answers(8) == pytest.approx([-0.1 * 0.5**2, 0.1 * 0.5])
    assert answers(9) == pytest.approx([0.4 - 0.5 * 0.08, 1 / (1 - 0.5)])


def test_9_mazurs_step() -> None:
    book = mazur()
    book.loss(book.model(book.X[0]), book.y[0]).backward()
    w5 = book.model.layers[1].neurons[0].w[0]
    says("9", f"{w5.data - 0.5 * w5.grad:.6f}", f"{w5.grad:.6f}")
