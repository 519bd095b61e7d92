"""The demo of a transformer on names: what it learns is what the loop over Values would."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import pytest
from eager_loop import close, gradients

import micrograd as mg

sys.path.insert(0, str(Path(__file__).parent.parent / "demos"))

import microgpt


@pytest.fixture
def model() -> microgpt.Transformer:
    random.seed(1)
    return microgpt.Transformer()


def test_names_of_unlike_lengths_have_the_gradient_of_the_loop(model: Any) -> None:
    documents = [microgpt.tokens_of(name) for name in ("al", "bo", "ida", "jo", "q")]
    result = mg.program(model.loss)(documents)
    looped = [model.loss(document) for document in documents]
    assert result.data.tolist() == pytest.approx([v.data for v in looped], rel=1e-12)
    expected = gradients(sum(looped) / 5, [model.parameters()])
    [found] = gradients(result.mean(), [model.parameters()])
    assert found == close(expected[0])


@pytest.mark.long
def test_a_few_steps_print_the_equations_and_leave_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(microgpt, "load_names", lambda: ["al", "bo", "ida", "eva"])
    microgpt.microgpt(tmp_path, steps=40)
    printed = capsys.readouterr().out
    assert "4192 parameters" in printed
    assert max(map(len, printed.replace(str(tmp_path), "out").splitlines())) <= 100
    first, last = (
        float(x.split()[-1]) for x in printed.split("loss: ")[1].split("\n")[0].split(",")
    )
    assert last < first
    assert "wte[tokens[0:2]] + wpe[0:2, :]" in printed
    assert "Delta_lm_head" in printed
    assert len(printed.split("made up: ")[1].split("\n")[0].split(", ")) == 20
    assert (tmp_path / "microgpt_loss.png").stat().st_size > 5000
    assert f"more names: {tmp_path / 'names.html'}" in printed
    assert '"tokens":["a","b",' in (tmp_path / "names.html").read_text(encoding="utf-8")


def test_the_names_are_those_of_the_census() -> None:
    names = microgpt.load_names()
    assert 5000 < len(names) < 6000
    assert {"mary", "john"} <= set(names)
    assert max(map(len, names)) < microgpt.CONTEXT
    assert set("".join(names)) <= set(microgpt.LETTERS)
