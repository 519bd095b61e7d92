"""Decision boundaries and loss curves: the right regions, the right lines, the Axes given."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from micrograd import Value
from micrograd.draw import decision_boundary, loss_curve
from micrograd.draw.scene.theme import TINTS
from micrograd.nn import MLP

POINTS, LABELS = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [-1, 1, 1]


@pytest.fixture(autouse=True)
def _no_windows() -> Iterator[None]:
    from matplotlib import pyplot

    matplotlib.use("Agg")
    yield
    pyplot.close("all")


@pytest.fixture
def ax() -> Axes:
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.subplots()


def colour_at(ax: Axes, x: float, y: float) -> str:
    """Return the colour of the plane at a place, drawn without points and lines."""
    for artist in [*ax.collections[1:], *ax.get_children()]:
        if artist is not ax.collections[0]:
            artist.set_visible(False)
    ax.axis("off")
    canvas = ax.figure.canvas
    canvas.draw()
    across, up = ax.transData.transform((x, y))
    pixels = np.asarray(canvas.buffer_rgba())  # type: ignore[attr-defined]
    red, green, blue, _ = pixels[int(pixels.shape[0] - up), int(across)]
    return f"#{red:02X}{green:02X}{blue:02X}"


def legend(ax: Axes) -> list[str]:
    found = ax.get_legend()
    assert found
    return [text.get_text() for text in found.get_texts()]


def line(x: list[Any]) -> Any:
    return x[0] + x[1] - 0.5


def test_each_side_has_the_colour_of_its_label(ax: Axes) -> None:
    assert decision_boundary(line, POINTS, LABELS, ax=ax, steps=50) is ax
    assert colour_at(ax, 0.0, 0.1) == TINTS[0]
    assert colour_at(ax, 0.9, 0.9) == TINTS[1]


def test_the_line_is_where_the_score_is_zero(ax: Axes) -> None:
    decision_boundary(line, POINTS, LABELS, ax=ax, steps=30)
    (path,) = ax.collections[1].get_paths()
    assert np.asarray(path.vertices).sum(axis=1) == pytest.approx(0.5)


def test_points_stand_on_the_plane_with_a_legend(ax: Axes) -> None:
    decision_boundary(line, POINTS, LABELS, ax=ax, steps=20)
    drawn = {c.get_label(): np.asarray(c.get_offsets()).tolist() for c in ax.collections[2:]}
    assert drawn == {"-1": [[0.0, 0.0]], "1": [[1.0, 0.0], [0.0, 1.0]]}
    assert legend(ax) == ["-1", "1"]
    assert ax.get_xlim() == pytest.approx((-0.1, 1.1))


def test_a_model_with_an_output_per_label_chooses_the_largest(ax: Axes) -> None:
    decision_boundary(
        lambda x: [x[0] * 0 + 0.3, x[0], x[1]], POINTS, ["no", "right", "up"], ax=ax, steps=50
    )
    assert legend(ax) == ["no", "right", "up"]
    assert [colour_at(ax, *point) for point in POINTS] == list(TINTS[:3])


def test_a_network_and_what_cannot_be_traced_give_the_same_picture() -> None:
    model = MLP(2, [8, 1])
    traced, eager = Figure().subplots(), Figure().subplots()
    decision_boundary(model, POINTS, LABELS, ax=traced, steps=25)
    decision_boundary(lambda x: model(x).data, POINTS, LABELS, ax=eager, steps=25)
    for ours, theirs in zip(traced.collections[1].get_paths(), eager.collections[1].get_paths()):
        assert ours.vertices == pytest.approx(theirs.vertices)


def test_values_are_taken_as_their_numbers(ax: Axes) -> None:
    points = [[Value(x) for x in row] for row in POINTS]
    decision_boundary(line, points, [Value(y) for y in LABELS], ax=ax, steps=20)
    assert len(ax.collections) == 4


def test_shapes_that_do_not_fit_are_refused(ax: Axes) -> None:
    with pytest.raises(ValueError, match=r"two numbers per row .* X of shape \(3, 3\)"):
        decision_boundary(line, [[0.0, 1.0, 2.0]] * 3, LABELS, ax=ax)
    with pytest.raises(ValueError, match=r"y of shape \(2,\)"):
        decision_boundary(line, POINTS, [1, 2], ax=ax)
    with pytest.raises(ValueError, match=r"each of the 2 labels in y; this one gives 3"):
        decision_boundary(lambda x: [x[0]] * 3, POINTS, LABELS, ax=ax, steps=5)


def test_points_on_one_line_have_room_around_them(ax: Axes) -> None:
    decision_boundary(line, [[1.0, 2.0], [3.0, 2.0]], [0, 1], ax=ax, steps=10)
    assert ax.get_ylim() == pytest.approx((1.0, 3.0))


def test_an_error_of_the_model_is_not_hidden(ax: Axes) -> None:
    with pytest.raises(ValueError, match="takes 3 inputs, got 2"):
        decision_boundary(MLP(3, [1]), POINTS, LABELS, ax=ax, steps=5)


def test_a_loss_curve_is_the_history(ax: Axes) -> None:
    assert loss_curve([Value(3.0), 2.0, 2.5], ax=ax) is ax
    (drawn,) = ax.get_lines()
    assert np.asarray(drawn.get_xydata()).tolist() == [[0, 3], [1, 2], [2, 2.5]]
    assert ax.get_yscale() == "linear"
    assert ax.get_legend() is None


def test_several_histories_have_names_and_dashes_of_their_own(ax: Axes) -> None:
    loss_curve({"training": [1.0, 0.1], "held out": [1.0, 0.5, 0.01]}, ax=ax)
    first, second = ax.get_lines()
    assert (first.get_label(), second.get_label()) == ("training", "held out")
    assert first.get_linestyle() != second.get_linestyle()
    assert first.get_color() != second.get_color()
    assert ax.get_yscale() == "log"


def test_losses_that_are_not_finite_leave_gaps(ax: Axes) -> None:
    loss_curve([1.0, float("nan"), float("inf"), 0.5], ax=ax)
    ax.figure.canvas.draw()
    assert ax.get_yscale() == "linear"


@pytest.mark.parametrize("history", [[], {}, {"training": []}])
def test_no_loss_is_refused(history: Any) -> None:
    with pytest.raises(ValueError, match="at least one loss"):
        loss_curve(history)


def test_without_axes_a_new_figure_is_made() -> None:
    assert loss_curve([1.0]).figure is not loss_curve([1.0]).figure


def test_without_matplotlib_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install 'micrograd\[plot\]'"):
        loss_curve([1.0])


def test_what_is_no_model_and_no_loss_is_refused() -> None:
    with pytest.raises(TypeError, match=r"needs a model .* got 'model'"):
        decision_boundary("model", POINTS, LABELS)  # type: ignore[arg-type]
    for history in ("abc", 3.0, {"training": ["a"]}):
        with pytest.raises(TypeError, match="drawn from a list of losses"):
            loss_curve(history)
