"""Turn a picture into a PNG or a PDF: the same drawing as the SVG, in light colours."""

from __future__ import annotations

import functools
import importlib.util
import io
import re
import struct
import zlib
from pathlib import Path
from typing import Any

from micrograd.draw.scene import theme

SCALE = 2  # pixels of a PNG for each one of the SVG, as fine screens have them
PER_METRE = round(SCALE * 96 / 0.0254)  # which lets it be shown in the size of the SVG

NO_PNG = (
    "a PNG is made of the SVG by resvg, which is not here: pip install 'micrograd[dot]', or save "
    "the picture as .svg or .html"
)
NO_PDF = (
    "a PDF is made of the SVG by svglib, which is not here: pip install 'micrograd[dot]', or save "
    "the picture as .svg or .html"
)


def png(svg: str, description: str, scale: float = 1.0) -> bytes:
    """Return a picture as a PNG of twice its size, times `scale`, with a description in it.

    Raises RuntimeError without resvg.

    >>> png('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="2"/>', "nothing")[:4]
    b'\\x89PNG'
    """
    try:
        import resvg_py
    except ImportError:
        raise RuntimeError(NO_PNG) from None
    drawn = resvg_py.svg_to_bytes(svg_string=in_light(svg), zoom=SCALE * scale, **_fonts())
    text = b"Description\0\0\0\0\0" + description.encode()
    size = struct.pack(">IIB", PER_METRE, PER_METRE, 1)
    return _with_chunks(bytes(drawn), {b"pHYs": size, b"iTXt": text})


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
        raise RuntimeError(NO_PDF) from None
    drawing: Any = svg2rlg(io.BytesIO(_for_svglib(in_light(svg), _font()).encode()))
    file = io.BytesIO()
    page = Canvas(file, pagesize=(drawing.width, drawing.height), invariant=True)
    page.setTitle(title)
    page.setAuthor("")
    page.setCreator("micrograd")
    page.setSubject(description)
    renderPDF.draw(drawing, page, 0, 0)
    page.save()
    return file.getvalue()


def is_here() -> bool:
    """Tell whether a PNG can be made.

    >>> is_here()
    True
    """
    return importlib.util.find_spec("resvg_py") is not None


def in_light(svg: str) -> str:
    """Return an SVG whose style sheet needs no variables, no themes and no short forms."""
    colours = theme.light()

    def plain(found: re.Match[str]) -> str:
        rules = found[1][found[1].rindex("}.picture { font") + 1 :]
        rules = re.sub(r"var\(--([\w-]+)\)", lambda name: colours[name[1]], rules)
        rules = re.sub(r"font: (\d+px)[^;]*;", rf"font-size: \1; font-family: '{_FONT}';", rules)
        rules = re.sub(r"font-weight: \d+", "font-weight: bold", rules.replace("4px", "4"))
        return f"<style>{rules}</style>"

    return re.sub(r"<style>(.*?)</style>", plain, svg, count=1, flags=re.S)


_FONT = "DejaVu Sans"  # has Greek letters


def _fonts() -> dict[str, Any]:
    """Return where letters come from: matplotlib brings some along, else those of the system."""
    folder = _font_folder()
    if folder is None:
        return {"sans_serif_family": _FONT, "font_family": _FONT}
    return {"skip_system_fonts": True, "font_dirs": [str(folder)]}


def _font_folder() -> Path | None:
    """Return the folder of the fonts that matplotlib brings along; None without it."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"


def _with_chunks(image: bytes, chunks: dict[bytes, bytes]) -> bytes:
    """Insert chunks into a PNG, behind its header."""
    found = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )
    return image[:33] + found + image[33:]


def _for_svglib(svg: str, font: str) -> str:
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

    folder = _font_folder()
    if folder is None:
        return "Helvetica"
    for weight, name in (("normal", "DejaVuSans.ttf"), ("bold", "DejaVuSans-Bold.ttf")):
        register_font(_FONT, str(folder / name), weight=weight)
    return _FONT
