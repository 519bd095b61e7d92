"""The demo keeps its promises: the original's losses, an honest split, pictures where it says."""

from __future__ import annotations

import gc
import html
import math
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import known
from matplotlib.image import imread

from micrograd import Value
from micrograd.nn import MLP

sys.path.append(str(Path(__file__).parents[1] / "demos"))

import train

KNOWN = known("networks.json")["micrograd_moons_demo"]


@pytest.fixture(autouse=True)
def _collect_seldom() -> Iterator[None]:
    """Collect garbage as seldom as main() does, and undo that."""
    threshold = gc.get_threshold()
    gc.set_threshold(1_000_000)
    yield
    gc.set_threshold(*threshold)


def first_input(x: list[Value]) -> Value:
    """Return the score of a network without parameters: its first input."""
    return x[0]


def assert_is_picture(path: Path, height: int = 400) -> None:
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    pixels = imread(path)
    assert pixels.shape[0] > height
    assert pixels.shape[1] > 800
    assert len(np.unique(pixels[:, :, 0])) > 10  # not an empty sheet


def test_moons_have_the_losses_of_the_original() -> None:
    np.random.seed(train.SEED)
    random.seed(train.SEED)
    history = list(train.train_moons(MLP(2, [16, 16, 1]), *train.load_moons(), steps=3))
    assert [p.loss for p in history] == pytest.approx(KNOWN["first_losses"], rel=1e-12)
    assert [p.accuracy for p in history] == pytest.approx(KNOWN["first_accuracies"])


@pytest.mark.long
def test_moons_print_rounded_losses_and_leave_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.moons(tmp_path, steps=3)
    printed = capsys.readouterr()
    lines = re.findall(r"step +(\d): loss (\S+), accuracy (\S+)%", printed.out)
    assert [int(k) for k, _, _ in lines[:3]] == [0, 1, 2]
    assert [loss for _, loss, _ in lines[:3]] == [f"{x:.4f}" for x in KNOWN["first_losses"]]
    assert [float(a) / 100 for _, _, a in lines[:3]] == pytest.approx(KNOWN["first_accuracies"])
    assert "seed 1337" in printed.out
    assert "loss 0.7429, accuracy 77.0%" in printed.err  # the progress bar
    for name in ("moons_boundary.png", "moons_loss.png"):
        assert_is_picture(tmp_path / name)
        assert str(tmp_path / name) in printed.out


def test_training_goes_on_after_its_last_report() -> None:
    model = MLP(2, [1])
    before = model.state_dict()
    list(train.train_moons(model, [[1.0, 2.0]], [-1], steps=1))
    assert model.state_dict() != before


@pytest.mark.long
def test_tumours_are_told_apart_after_two_epochs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.tumours(tmp_path, epochs=2)
    out = capsys.readouterr().out
    found = re.search(
        r"held out: (\d+) of 143 right .*\n(\d+) of 53 malignant tumours missed, "
        r"(\d+) of 90 benign ones called malignant",
        out,
    )
    assert found, out
    right, missed, alarms = map(int, found.groups())
    assert right + missed + alarms == 143
    assert right / 143 >= 0.95
    assert "seed 1337" in out
    assert_is_picture(tmp_path / "tumours_loss.png")


def test_no_row_is_both_trained_on_and_held_out() -> None:
    data = train.load_tumours(seed=1)
    trained, held_out = set(map(tuple, data.train_X)), set(map(tuple, data.test_X))
    assert (len(trained), len(held_out)) == (426, 143)
    assert not trained & held_out
    assert (len(data.train_y), len(data.test_y)) == (426, 143)


def test_both_parts_have_the_same_share_of_malignant_tumours() -> None:
    data = train.load_tumours(seed=1)
    assert sum(data.train_y) + sum(data.test_y) == 212  # the data set's own count
    assert sum(data.train_y) / 426 == pytest.approx(sum(data.test_y) / 143, abs=0.01)


def test_measurements_are_standardised_by_the_training_rows_alone() -> None:
    data = train.load_tumours(seed=1)
    assert np.mean(data.train_X, axis=0) == pytest.approx(np.zeros(30), abs=1e-12)
    assert np.std(data.train_X, axis=0) == pytest.approx(np.ones(30))
    assert np.abs(np.mean(data.test_X, axis=0)).max() > 1e-3


def test_the_split_follows_from_the_seed() -> None:
    assert train.load_tumours(seed=1) == train.load_tumours(seed=1)
    assert train.load_tumours(seed=1) != train.load_tumours(seed=2)


def test_measure_averages_the_cross_entropy() -> None:
    progress = train.measure(first_input, [[0.0], [-1.0], [1.0], [2.0]], [0, 0, 1, 0])
    losses = [
        math.log(2),
        math.log1p(math.exp(-1)),
        math.log1p(math.exp(-1)),
        math.log1p(math.exp(2)),
    ]
    assert progress.loss == pytest.approx(sum(losses) / 4)
    assert progress.accuracy == 0.75


def test_verdict_tells_the_two_kinds_of_error_apart() -> None:
    rows, labels = [[-1.0], [2.0], [3.0], [4.0], [5.0], [-6.0]], [1, 1, 1, 0, 0, 0]
    assert train.verdict(first_input, rows, labels) == (
        "held out: 3 of 6 right (50.0%)\n1 of 3 malignant tumours missed, "
        "2 of 3 benign ones called malignant"
    )


def test_the_plane_holds_the_score_at_every_place() -> None:
    points = np.array([[0.0, 5.0], [2.0, 6.0]])
    across, up, scores = train.score_plane(first_input, points)
    assert scores == pytest.approx(across)
    assert (across.min(), across.max()) == pytest.approx((-0.4, 2.4))
    assert (up.min(), up.max()) == pytest.approx((4.6, 6.4))


def test_graphs_draws_a_folded_network_and_a_neuron_with_derivatives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train.graphs(tmp_path)
    out = capsys.readouterr().out
    assert "979 Values" in out
    assert "Folded into 5 boxes" in " ".join(out.split())
    assert max(map(len, out.replace(str(tmp_path), "out").splitlines())) <= 100
    for name in ("network_graph", "neuron_graph"):
        assert "<svg" in (tmp_path / f"{name}.svg").read_text(encoding="utf-8")
        assert_is_picture(tmp_path / f"{name}.png", height=300)
        assert f"{name}.png" in out
    drawn = html.unescape((tmp_path / "neuron_graph.svg").read_text(encoding="utf-8"))
    assert "1 - out * out" in drawn


def test_main_makes_the_folder_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, Path]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "moons", lambda out, steps: given.append(("moons", out)))
    monkeypatch.setattr(train, "tumours", lambda out, epochs: given.append(("tumours", out)))
    monkeypatch.setattr(train, "graphs", lambda out: given.append(("graphs", out)))
    train.main()
    train.main()  # and where it is not
    assert given == [(name, Path("out")) for name in ("moons", "tumours", "graphs")] * 2
    assert (tmp_path / "out").is_dir()
