"""Turn a picture into a PNG: the same drawing as the SVG, in light colours."""

from __future__ import annotations

import importlib.util
import re
import struct
import zlib
from pathlib import Path
from typing import Any

from micrograd.draw.scene import theme

SCALE = 2  # pixels of a PNG for each one of the SVG, as fine screens have them
PER_METRE = round(SCALE * 96 / 0.0254)  # which lets it be shown in the size of the SVG

MISSING = (
    "a PNG is made of the SVG by resvg, which is not here: pip install 'micrograd[dot]', or save "
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
        raise RuntimeError(MISSING) from None
    drawn = resvg_py.svg_to_bytes(svg_string=in_light(svg), zoom=SCALE * scale, **_fonts())
    text = b"Description\0\0\0\0\0" + description.encode()
    size = struct.pack(">IIB", PER_METRE, PER_METRE, 1)
    return _with_chunks(bytes(drawn), {b"pHYs": size, b"iTXt": text})


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
        rules = re.sub(r"font: (\d+px)[^;]*;", rf"font-size: \1; font-family: '{FONT}';", rules)
        rules = re.sub(r"font-weight: \d+", "font-weight: bold", rules.replace("4px", "4"))
        return f"<style>{rules}</style>"

    return re.sub(r"<style>(.*?)</style>", plain, svg, count=1, flags=re.S)


FONT = "DejaVu Sans"  # has Greek letters


def _fonts() -> dict[str, Any]:
    """Return where letters come from: matplotlib brings some along, else those of the system."""
    folder = font_folder()
    if folder is None:
        return {"sans_serif_family": FONT, "font_family": FONT}
    return {"skip_system_fonts": True, "font_dirs": [str(folder)]}


def font_folder() -> Path | None:
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
