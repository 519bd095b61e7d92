"""The driver of random actions runs, repeats its cases, and finds a core that differs."""

from __future__ import annotations

from typing import Any

import fuzz_cores
import pytest
from both_cores import CORES

FEW = 12


def test_a_few_cases_do_not_differ(capsys: pytest.CaptureFixture[str]) -> None:
    assert [fuzz_cores.run_case(seed) for seed in range(FEW)] == [None] * FEW
    assert fuzz_cores.main(["--case", "3"]) == 0
    assert "1 cases of 50 actions" in capsys.readouterr().out


def test_every_action_does_something() -> None:
    import random

    for act in fuzz_cores.ACTIONS:
        worked = 0
        for seed in range(30):
            side = fuzz_cores.Side(CORES["c"])
            try:
                act(side, random.Random(seed))
            except (ArithmeticError, TypeError, ValueError, RuntimeError):
                continue
            worked += 1
        assert worked >= 3, act.__name__


@pytest.mark.parametrize("fault", ["value", "error", "grad"])
def test_a_core_that_differs_is_found(
    fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    c = CORES["c"]
    dot, hvp, zero = c.dot, c.hvp, c.bulk.add_grads

    def wrong_value(*operands: Any) -> Any:
        return dot(*operands) + 1e-300

    def wrong_error(*arguments: Any) -> Any:
        try:
            return hvp(*arguments)
        except TypeError as error:
            raise TypeError(f"{error}!") from error

    def wrong_grad(values: Any, numbers: Any) -> None:
        zero(values, numbers)
        values[0].grad += 1

    if fault == "value":
        monkeypatch.setattr(c, "dot", wrong_value)
    elif fault == "error":
        monkeypatch.setattr(c, "hvp", wrong_error)
    else:
        monkeypatch.setattr(c.bulk, "add_grads", wrong_grad)
    assert fuzz_cores.main(["--seed", "1", "--seconds", "300"]) == 1
    assert "python tests/fuzz_cores.py --case" in capsys.readouterr().out
