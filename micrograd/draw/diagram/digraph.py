"""A `graphviz.Digraph` that has alt text and falls back on pygraphviz if `dot` is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphviz

from micrograd.draw.diagram import layout


class Digraph(graphviz.Digraph):  # type: ignore[misc]
    """The result of `draw_dot`; `pipe` and `render` raise RuntimeError without any Graphviz."""

    described: Callable[[str], str] = staticmethod(str)  # adds alt text to an SVG

    def _repr_image_svg_xml(self) -> str:
        return self.described(self.pipe("svg", encoding="utf-8"))

    def pipe(self, format: str | None = None, encoding: str | None = None, **kwargs: Any) -> Any:
        """Draw the graph and return the picture, as bytes or, with an encoding, as text."""
        if shutil.which("dot"):
            return super().pipe(format, encoding=encoding, **kwargs)
        drawn = layout.render(self.source, format or self.format)
        return drawn.decode(encoding) if encoding else drawn

    def render(
        self,
        filename: Any = None,
        directory: Any = None,
        view: bool = False,
        cleanup: bool = False,
        format: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """Write the source to a file and the picture beside it; return the path of the picture."""
        if shutil.which("dot"):
            return super().render(
                filename, directory=directory, view=view, cleanup=cleanup, format=format, **kwargs
            )
        source = Path(self.save(filename, directory=directory))
        kind = format or self.format
        picture = source.with_name(f"{source.name}.{kind}")
        picture.write_bytes(layout.render(self.source, kind))
        if cleanup:
            source.unlink()
        return str(picture)
