"""Post-process an SVG of Graphviz: alt text, sizes in pixels, a tooltip for each box."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping


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
