"""The stepper without scripts: its steps as tables, and the output of a notebook."""

from __future__ import annotations

import base64
import html
import json
import uuid
import zlib
from collections.abc import Iterable, Sequence
from itertools import islice

from micrograd.draw.diagram.placing import safe
from micrograd.draw.scene.labels import number
from micrograd.draw.stepping.narration import Narration
from micrograd.draw.stepping.story import Moment, cut_off, text

_WORDS = ["what", "with numbers"]
_CELL = 'style="padding:2px 10px;text-align:left"'


def tables(narration: Narration, most: int, inline: bool = False) -> str:
    """Return the steps as two tables that fold away, of at most so many rows.

    With `inline`, cells carry their style themselves, which passes the filters of hosts.
    """
    cell = f" {_CELL}" if inline else ""
    results = [v for v in narration.values if v.parents]
    forward = ([narration.names[v], *narration.made(v), number(v.data)] for v in results)
    backward = (
        [
            narration.gradients[step.operand],
            *(["", ""] if step.local is None else [narration.rule(step), number(step.local)]),
            f"{narration.gradients[step.consumer]} = {number(step.upstream)}",
            number(step.product),
            number(step.total),
        ]
        for step in narration.steps
    )
    return _folding(
        f"Forward: {len(results):,} operations",
        ["value", "made as", "with numbers", "data"],
        forward,
        len(results),
        most,
        cell,
    ) + _folding(
        f"Backward: {len(narration.steps):,} additions",
        ["adds to", "local derivative", "is", "times what arrives", "makes", "total then"],
        backward,
        len(narration.steps),
        most,
        cell,
    )


def in_words(story: Sequence[Moment], most: int, inline: bool = False) -> str:
    """Return a story as a table, a row per line; open where no script plays it."""
    cell = f" {_CELL}" if inline else ""
    rows = [(m.title * (n == 0), line) for m in story for n, line in enumerate(lines(m))]
    table = _folding(f"In words: {len(story)} steps", _WORDS, rows, len(rows), most, cell)
    return table.replace("<details>", "<details open>", 1) if inline else table


def lines(moment: Moment) -> list[str]:
    """Write the lines of a moment, and how many are left out."""
    return [*map(text, moment.lines), *filter(None, [cut_off(moment)])]


def _folding(
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    count: int,
    most: int,
    cell: str,
) -> str:
    body = "".join(_row("td", row, cell) for row in islice(rows, most))
    more = f"<p>and {count - most:,} more</p>" if count > most > 0 else ""
    return (
        f'<details><summary>{safe(title)}</summary><table style="border-collapse:collapse">'
        f"<thead>{_row('th', header, cell)}</thead><tbody>{body}</tbody></table>{more}</details>"
    )


def _row(tag: str, texts: Iterable[str], cell: str) -> str:
    return f"<tr>{''.join(f'<{tag}{cell}>{safe(text)}</{tag}>' for text in texts)}</tr>"


def output(picture: str, alt: str, tables: str, page: str) -> str:
    """Return the output of a notebook: picture and tables, which a script turns into the page.

    The script is cut out where the notebook is not trusted; picture and tables remain. Every
    output has an id of its own, and the page in it its own frame, so that none touches another.
    """
    identity = f"micrograd-{uuid.uuid4().hex}"
    data = base64.b64encode(picture.encode()).decode()
    text = (
        f'<div id="{identity}"><img alt="{safe(alt)}" style="max-width:100%;color-scheme:light" '
        f'src="data:image/svg+xml;base64,{data}">{tables}</div>'
    )
    squeeze = zlib.compressobj(9, wbits=-15)
    small = base64.b64encode(squeeze.compress(page.encode()) + squeeze.flush()).decode()
    script = _UPGRADE % (_THEME, *map(_literal, (identity, alt, small)))
    return text.encode("ascii", "xmlcharrefreplace").decode() + script


def framed(page: str, alt: str) -> str:
    """Return the page within a frame, for a host that runs the scripts of frames alone.

    It follows the theme of the page around, which it may look at.
    """
    page = page.replace("<body", f"<script>(() => {{{_THEME}{_FOLLOW}}})();</script><body", 1)
    return (
        f'<iframe title="{safe(alt)}" style="width:100%;height:640px;border:0" '
        f'srcdoc="{html.escape(page)}"></iframe>'
    )


def _literal(text: str) -> str:
    return within_script(json.dumps(text))


def within_script(text: str) -> str:
    """Make JSON safe within a script element, which a text in it must neither end nor nest.

    >>> within_script('["</script>"]')
    '["<\\\\/script>"]'
    """
    return text.replace("</", "<\\/").replace("<!--", "\\u003c!--")


_THEME = r"""
// The theme is that of the page around, which its background tells, and not the system's.
const themeAround = (here, prefers) => {
  for (let place = here; place; place = place.parentElement) {
    const colour = getComputedStyle(place).backgroundColor, most = /^color/.test(colour) ? 1 : 255;
    const [r, g, b, a = 1] = colour.match(/(?<![a-z])[\d.]+/g)?.map(Number) ?? [];
    if (r >= 0 && a > 0.5) return 0.3 * r + 0.6 * g + 0.1 * b < most / 2 ? "dark" : "light";
  }
  const scheme = getComputedStyle(here.ownerDocument.documentElement).colorScheme;
  const dark = prefers.matches || !scheme.includes("light");
  return dark && scheme.includes("dark") ? "dark" : "light";
};
"""

_FOLLOW = r"""
const prefers = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;
const follow = () => (root.dataset.theme = themeAround(frameElement, prefers));
follow();
for (const part of [parent.document.documentElement, parent.document.body])
  new MutationObserver(() => setTimeout(follow, 50)).observe(part, { attributes: true });
prefers.addEventListener("change", follow);
"""

_UPGRADE = r"""<script>(() => {
%sconst here = document.getElementById(%s);
if (!here) return;
const frame = document.createElement("iframe");
frame.title = %s;
frame.setAttribute("sandbox", "allow-scripts");
frame.style.cssText = "width:100%%;height:560px;border:0";
const prefers = matchMedia("(prefers-color-scheme: dark)");
const theme = () => themeAround(here, prefers);
// The page is compressed, which every browser of 2023 can undo; in others the picture stays.
const packed = Uint8Array.from(atob(%s), (c) => c.charCodeAt(0));
const unpacked = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
new Response(unpacked).text().then((page) => {
  frame.srcdoc = page.replace("<html", `<html data-theme="${theme()}"`);
  here.replaceChildren(frame);
});
const tell = () => frame.contentWindow?.postMessage({ theme: theme() }, "*");
for (const part of [document.documentElement, document.body])
  new MutationObserver(() => setTimeout(tell, 50)).observe(part, { attributes: true });
prefers.addEventListener("change", tell);
addEventListener("message", (event) => {
  if (event.source === frame.contentWindow) frame.style.height = `${+event.data.height}px`;
});
})();</script>"""
