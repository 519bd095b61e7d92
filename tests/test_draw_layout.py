"""Graphviz from the system, from pip, or from nowhere: the same picture, or an error that helps."""

from __future__ import annotations

import shutil
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from micrograd import Value, draw_dot
from micrograd.draw import Diagram, graph
from micrograd.draw.diagram import layout
from micrograd.nn import MLP

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def picture() -> Diagram:
    model = MLP(2, [2, 1])
    out = model([Value(1.0, label="<x> & \\ é"), Value(2.0)])
    out.backward()
    return graph(out, derivatives=True)


@pytest.fixture(params=["dot", "pygraphviz"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Hide one of the two."""
    if request.param == "dot":
        if not shutil.which("dot"):
            pytest.skip("no dot on PATH")
        monkeypatch.setitem(sys.modules, "pygraphviz", None)
    else:
        pytest.importorskip("pygraphviz")
        monkeypatch.setattr(shutil, "which", lambda name: None)
    return str(request.param)


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)


def test_either_engine_draws_all_formats(engine: str, picture: Diagram, tmp_path: Path) -> None:
    assert b"<svg" in layout.render(picture.source, "svg")
    assert layout.render(picture.source, "png").startswith(b"\x89PNG")
    assert layout.render(picture.source, "pdf").startswith(b"%PDF")


def test_either_engine_draws_the_same_boxes_legibly(engine: str, picture: Diagram) -> None:
    root = ElementTree.fromstring(picture.svg)
    groups = [(g.get("class") or "").split()[:1] for g in root.iter(f"{SVG}g")]
    assert groups.count(["box"]) == len(picture.folding.boxes)
    assert groups.count(["arrow"]) == len(picture.folding.arrows())
    assert "&lt;x&gt; &amp; \\ é" in picture.svg
    assert 12 * 960 / float(root.attrib["width"]) >= 10


def test_either_engine_draws_a_digraph(engine: str, tmp_path: Path) -> None:
    dot = draw_dot(Value(1.0) + Value(2.0))
    assert "<svg" in dot.pipe(encoding="utf-8")
    assert dot.pipe(format="png").startswith(b"\x89PNG")
    assert "<svg" in dot._repr_mimebundle_()["image/svg+xml"]
    written = Path(dot.render("sum", directory=tmp_path, format="png"))
    assert written == tmp_path / "sum.png"
    assert written.read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "sum").exists()
    dot.render(tmp_path / "clean", cleanup=True)
    assert not (tmp_path / "clean").exists()


def test_either_engine_writes_nothing_to_stderr(
    engine: str, picture: Diagram, capfd: pytest.CaptureFixture[str]
) -> None:
    layout.render(picture.source, "png")
    assert capfd.readouterr().err == ""


def test_either_engine_says_when_it_cannot_draw(engine: str) -> None:
    with pytest.raises(RuntimeError, match="Graphviz could not draw this"):
        layout.render("digraph { a -> ", "svg")


def test_without_graphviz_the_error_names_both_ways_to_get_it(
    no_engine: None, picture: Diagram, tmp_path: Path
) -> None:
    for draw in (
        lambda: picture.svg,
        lambda: picture.save(tmp_path / "a.png"),
        lambda: draw_dot(Value(1.0) + 1).pipe(),
        lambda: draw_dot(Value(1.0) + 1).render(tmp_path / "b"),
    ):
        with pytest.raises(RuntimeError, match=r"apt-get install graphviz") as error:
            draw()
        assert "pip install 'micrograd[dot]'" in str(error.value)
        assert ".source" in str(error.value)


def test_without_graphviz_the_source_and_the_words_are_there(
    no_engine: None, picture: Diagram, tmp_path: Path
) -> None:
    assert picture.source.startswith("digraph")
    picture.save(tmp_path / "a.dot")
    bundle = picture._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert picture.description in bundle["text/plain"]
    assert "pip install 'micrograd[dot]'" in bundle["text/plain"]
