"""The loop of the original's demo, one step on two moons, as another contestant of programs.py."""

# ruff: noqa: N806  (X is what the field calls a table of inputs)

from __future__ import annotations

import random
import sys
import time
from typing import Any


def main() -> None:
    from micrograd.engine import Value
    from micrograd.nn import MLP

    random.seed(1337)
    X = [[random.gauss(0, 1), random.gauss(0, 1)] for _ in range(100)]
    y = [random.choice((-1, 1)) for _ in range(100)]
    model = MLP(2, [16, 16, 1])

    def step(k: int) -> Any:
        inputs = [list(map(Value, row)) for row in X]
        scores = list(map(model, inputs))
        losses = [(1 + -label * score).relu() for label, score in zip(y, scores)]
        data_loss = sum(losses) * (1.0 / len(losses))
        total: Any = data_loss + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        total.backward()
        for p in model.parameters():
            p.data -= (1.0 - 0.9 * k / 100) * p.grad
        return total

    for line in sys.stdin:
        if line.strip():
            start = time.perf_counter()
            step(0)
            print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
