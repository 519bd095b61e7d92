"""The digits demo keeps its promises: an honest split, equations, pictures, printed results."""

# ruff: noqa: N806

from __future__ import annotations

import random
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from test_demo import assert_is_picture

from micrograd import Value
from micrograd.losses import cross_entropy
from micrograd.nn import MLP

sys.path.append(str(Path(__file__).parents[1] / "demos"))

import digits

# Three images with scores that are right, wrong, and wrong with more certainty.
THREE = digits.Digits(np.zeros((3, 64)), np.array([4, 5, 6]))
SCORES = np.zeros((3, 10))
SCORES[[0, 1, 2], [4, 0, 1]] = 1.0, 2.0, 3.0


@pytest.mark.long
def test_five_epochs_tell_most_digits_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    digits.digits(tmp_path, epochs=5)
    printed = capsys.readouterr()
    found = re.search(r"held out: (\d+) of 450 right \((\S+)%\)", printed.out)
    assert found, printed.out
    assert int(found[1]) / 450 == pytest.approx(float(found[2]) / 100, abs=1e-3)
    assert int(found[1]) / 450 > 0.92
    assert "1347 to train on, 450 held out, 2410 parameters" in printed.out
    assert "seed 1337" in printed.out
    assert "delta2    = (W2' delta3) .* a2 .* (1 - a2)          32 x n" in printed.out
    assert "100%" in printed.err  # the progress bar
    for name in ("digits_loss.png", "digits_confusion.png", "digits_mistakes.png"):
        assert_is_picture(tmp_path / name)
        assert str(tmp_path / name) in printed.out
    assert f"draw a digit yourself: {tmp_path / 'digits.html'}" in printed.out
    assert (tmp_path / "digits.html").stat().st_size < 150_000


def test_no_image_is_both_trained_on_and_held_out() -> None:
    seen, held_out = digits.load_digits(seed=1)
    rows = {*map(tuple, seen.X), *map(tuple, held_out.X)}
    assert (len(seen.X), len(held_out.X), len(rows)) == (1347, 450, 1797)
    assert (len(seen.labels), len(held_out.labels)) == (1347, 450)


def test_every_digit_has_the_same_share_of_both_parts() -> None:
    seen, held_out = digits.load_digits(seed=1)
    shares = np.bincount(seen.labels) / 1347, np.bincount(held_out.labels) / 450
    assert shares[0] == pytest.approx(shares[1], abs=0.002)


def test_pixels_are_from_0_to_1() -> None:
    seen, held_out = digits.load_digits(seed=1)
    for part in (seen, held_out):
        assert (part.X.min(), part.X.max()) == (0.0, 1.0)


def test_the_split_follows_from_the_seed() -> None:
    first, again, other = (digits.load_digits(seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first.X, again.X)
    assert not np.array_equal(first.X, other.X)


def test_a_step_of_training_is_that_of_the_scalar_code() -> None:
    """Compare the program's gradient on a batch with that of the loop over the same images."""
    random.seed(0)
    model = MLP(64, [3, 10], activation="sigmoid")
    seen, _ = digits.load_digits(seed=1)
    X, Y = seen.X[:3], seen.targets()[:3]
    digits.make_loss(model)(X, Y).mean().backward()
    lifted = [p.grad for p in model.parameters()]
    model.zero_grad()
    losses = [cross_entropy(model(list(map(Value, x))), y.tolist()) for x, y in zip(X, Y)]
    (sum(losses) / 3).backward()
    largest = max(abs(p.grad) for p in model.parameters())
    assert lifted == pytest.approx([p.grad for p in model.parameters()], abs=1e-12 * largest)


def test_measure_averages_the_cross_entropy() -> None:
    progress = digits.measure(SCORES, THREE)
    losses = [cross_entropy(z.tolist(), int(k)) for z, k in zip(SCORES, THREE.labels)]
    assert progress.loss == pytest.approx(sum(losses) / 3)
    assert progress.accuracy == pytest.approx(1 / 3)


def test_the_confusion_matrix_counts_every_image() -> None:
    [axes] = digits.draw_confusion(SCORES, THREE).axes
    cells = {text.get_position(): text.get_text() for text in axes.texts}
    assert cells == {(4, 4): "1", (0, 5): "1", (1, 6): "1"}  # across: said; down: is


def test_the_worst_mistake_comes_first_and_what_is_right_not_at_all() -> None:
    titles = [axes.get_title() for axes in digits.draw_mistakes(SCORES, THREE).axes]
    losses = [cross_entropy(SCORES[i].tolist(), int(THREE.labels[i])) for i in (2, 1)]
    assert titles[:3] == [f"6 taken for 1: {losses[0]:.2f}", f"5 taken for 0: {losses[1]:.2f}", ""]


def test_main_makes_the_folder_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[Path, int]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(digits, "digits", lambda out, epochs: given.append((out, epochs)))
    digits.main()
    digits.main()  # and where it is not
    assert given == [(Path("out"), 30)] * 2
    assert (tmp_path / "out").is_dir()
