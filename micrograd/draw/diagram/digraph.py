"""A `graphviz.Digraph` that falls back on pygraphviz if `dot` is missing, and alt text for it."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Callable, Mapping
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


def accessible(svg: str, title: str, description: str, boxes: Mapping[str, str]) -> str:
    """Add a title, a description and tooltips to an SVG; `boxes` has the text of each box by id.

    >>> plain = '<svg width="4pt" height="2pt" viewBox="0 0 4 2"><title>b0</title></svg>'
    >>> print(accessible(plain, "A sum", "x + y", {"b0": "x"}))
    ... # doctest: +NORMALIZE_WHITESPACE
    <svg role="img" aria-label="A sum. x + y" style="max-width:100%;height:auto"
      width="4" height="2" viewBox="0 0 4 2"><title>A sum</title><desc>x +
      y</desc><title>x</title></svg>
    """
    svg = svg[svg.index("<svg") :]
    root, rest = svg[: svg.index(">") + 1], svg[svg.index(">") + 1 :]
    root = re.sub(r'="([\d.]+)pt"', r'="\1"', root)
    alt = html.escape(f"{title}. {description}")
    style = "max-width:100%;height:auto"
    root = root.replace("<svg ", f'<svg role="img" aria-label="{alt}" style="{style}" ', 1)
    rest = re.sub(r"<title>(.*?)</title>", lambda m: _title(m[1], boxes), rest, flags=re.DOTALL)
    head = f"<title>{html.escape(title)}</title><desc>{html.escape(description)}</desc>"
    return f"{root}{head}{rest}"


def _title(text: str, boxes: Mapping[str, str]) -> str:
    """Return the tooltip of a box, or of an arrow, which says where it leads."""
    ends = html.unescape(text).split("->")
    if not all(end in boxes for end in ends):
        return ""
    if len(ends) == 1:
        return f"<title>{html.escape(boxes[text])}</title>"
    tail, head = (boxes[end].partition(",")[0] for end in ends)
    return f"<title>{html.escape(f'{tail} goes into {head}')}</title>"
