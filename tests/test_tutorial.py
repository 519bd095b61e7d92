"""Every figure in the text of the tutorial, computed again from its network.

The cells of its pages run when the site is built; these are the numbers in the sentences.
"""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from micrograd import Value
from micrograd.explain.examples import mazur, ng_ex4

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


def says(page: str, *figures: str) -> None:
    """Check that the page holds these figures."""
    text = next(PAGES.glob(f"{page}*.md")).read_text(encoding="utf-8")
    missing = [figure for figure in figures if figure not in text]
    assert missing == []


@pytest.mark.parametrize("page", range(1, 10))
def test_each_page_has_its_parts(page: int) -> None:
    says(str(page), "**Predict.**", "<details>", "```{code-cell}")
    says(str(page), "**The number.**", "> **Keep this:**")


@pytest.mark.parametrize("page", range(1, 10))
def test_each_page_has_a_picture_that_says_what_it_shows(page: int) -> None:
    text = next(PAGES.glob(f"{page}*.md")).read_text(encoding="utf-8")
    assert "    alt: " in text or "\ngraph(" in text  # a diagram says it itself


def test_the_network_is_the_one_that_the_first_page_shows() -> None:
    rows = [[n.b.data, *(w.data for w in n.w)] for layer in NET.model.layers for n in layer.neurons]
    says("index", *(" & ".join(f"{w:.1f}" for w in row) for row in rows))
    says("index", *(f"| {x1:.6f} | {x2:.6f} | {y} |" for (x1, x2), y in zip(NET.X, NET.y)))


def test_1_one_weight() -> None:
    mean_cost().backward()
    bias = NET.model.layers[0].neurons[0].b
    small, large = (cost_after({bias: by}) - mean_cost().data for by in (0.01, 1))
    assert f"{small:.8f}" == "0.00766141"
    says("1", f"{mean_cost():.6g}", f"{bias.grad:.6f}", f"{bias.grad:.3f}", f"{large:.3f}")


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


def test_7_backward() -> None:
    assert len(WEIGHTS) + 1 == 19
    says("7", "19 forward passes", f"{25 * 401 + 10 * 26 + 1:,}")


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


def test_9_mazurs_step() -> None:
    book = mazur()
    book.loss(book.model(book.X[0]), book.y[0]).backward()
    w5 = book.model.layers[1].neurons[0].w[0]
    says("9", f"{w5.data - 0.5 * w5.grad:.6f}", f"{w5.grad:.6f}")
