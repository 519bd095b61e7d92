"""Run Graphviz: the `dot` on PATH, or the one inside pygraphviz (the extra `micrograd[dot]`)."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

RESOLUTION = 144  # dots per inch of a PNG: two pixels for each unit of the SVG

MISSING = (
    "drawing needs Graphviz, and neither `dot` nor pygraphviz is here: install Graphviz for the "
    "whole system (apt-get install graphviz, brew install graphviz, winget install graphviz), or "
    "for this Python alone (pip install 'micrograd[dot]', which is pygraphviz). The text of the "
    "picture needs neither: it is in .source"
)


def render(source: str, format: str, resolution: int = RESOLUTION) -> bytes:
    """Draw a text in the DOT language as "svg", "png", "pdf" or "json0" (positions only).

    `resolution` of a PNG is in dots per inch. Raises RuntimeError without Graphviz, or if it
    rejects the text.

    >>> render("digraph { a -> b }", "svg")[:5]
    b'<?xml'
    """
    if shutil.which("dot"):
        return _by_program(source, format, resolution)
    try:
        import pygraphviz  # noqa: F401
    except ImportError:
        raise RuntimeError(MISSING) from None
    return _by_library(source, format, resolution)


def _by_program(source: str, format: str, resolution: int) -> bytes:
    command = ["dot", f"-T{format}"]
    if format == "png":
        command.append(f"-Gdpi={resolution}")
    done = subprocess.run(command, input=source.encode(), capture_output=True)
    if done.returncode:
        raise RuntimeError(f"Graphviz could not draw this: {done.stderr.decode(errors='replace')}")
    return done.stdout


def _by_library(source: str, format: str, resolution: int) -> bytes:
    import pygraphviz

    with _stderr_kept() as said:
        try:
            with pygraphviz.AGraph(string=source) as graph:
                if format == "png":
                    graph.graph_attr["dpi"] = resolution
                drawn: bytes = graph.draw(format=format, prog="dot")
        except (pygraphviz.DotError, OSError, ValueError) as error:
            raise RuntimeError(f"Graphviz could not draw this: {error} {said()}") from error
    return drawn


_one_at_a_time = threading.Lock()


@contextmanager
def _stderr_kept() -> Iterator[Callable[[], str]]:
    """Keep what C code writes to stderr in this block, such as warnings about fonts.

    The function that is given returns it.
    """
    with _one_at_a_time, tempfile.TemporaryFile() as kept:
        before = os.dup(2)
        os.dup2(kept.fileno(), 2)

        def said() -> str:
            kept.seek(0)
            return kept.read().decode(errors="replace").strip()

        try:
            yield said
        finally:
            os.dup2(before, 2)
            os.close(before)
