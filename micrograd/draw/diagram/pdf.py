"""Turn a picture into a PDF: the same drawing as the SVG, in light colours, with text in it."""

from __future__ import annotations

import functools
import io
import re
from typing import Any

from micrograd.draw.diagram import raster

MISSING = (
    "a PDF is made of the SVG by svglib, which is not here: pip install 'micrograd[dot]', or save "
    "the picture as .svg or .html"
)


def pdf(svg: str, title: str, description: str) -> bytes:
    """Return a picture as a PDF of one page of its size, with a title and a description.

    Raises RuntimeError without svglib.

    >>> pdf('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="2"/>', "", "nothing")[:5]
    b'%PDF-'
    """
    try:
        from reportlab.graphics import renderPDF
        from reportlab.pdfgen.canvas import Canvas
        from svglib.svglib import svg2rlg
    except ImportError:
        raise RuntimeError(MISSING) from None
    drawing: Any = svg2rlg(io.BytesIO(_plain(raster.in_light(svg), _font()).encode()))
    file = io.BytesIO()
    page = Canvas(file, pagesize=(drawing.width, drawing.height), invariant=True)
    page.setTitle(title)
    page.setAuthor("")
    page.setCreator("micrograd")
    page.setSubject(description)
    renderPDF.draw(drawing, page, 0, 0)
    page.save()
    return file.getvalue()


def _plain(svg: str, font: str) -> str:
    """Write what svglib does not read: lengths of CSS, a font around text, a line in a shape."""
    svg = svg.replace('style="max-width:100%;height:auto"', "", 1)
    svg = re.sub(
        r"\.picture \{ (font-size: \d+px;) font-family: [^;]*;",
        rf".picture text {{ \1 font-family: '{font}';",
        svg,
    )
    return re.sub(
        r'(<path class="[^"]*") d="([^"]*Z)(M[^Z"]*)"/>',
        r'\1 d="\2"/>\1 style="fill:none" d="\3"/>',
        svg,
    )


@functools.cache
def _font() -> str:
    """Return the name of a font that has Greek letters, if matplotlib brings it along."""
    from svglib.svglib import register_font

    folder = raster.font_folder()
    if folder is None:
        return "Helvetica"
    for weight, name in (("normal", "DejaVuSans.ttf"), ("bold", "DejaVuSans-Bold.ttf")):
        register_font(raster.FONT, str(folder / name), weight=weight)
    return raster.FONT
