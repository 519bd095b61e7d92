"""The stepper: a page that plays a graph forward, then its backward pass, one += at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

from micrograd.draw.diagram import formats, picture
from micrograd.draw.diagram.placing import safe
from micrograd.draw.folding.levels import BOXES, check_fold
from micrograd.draw.stepping import animation, static
from micrograd.draw.stepping.narration import Narration
from micrograd.draw.stepping.page_data import page_data, used_operations
from micrograd.draw.stepping.story import Moment
from micrograd.draw.stepping.views import Views
from micrograd.engine import Value
from micrograd.symbolic.javascript import javascript
from micrograd.value.words.calls import called_as

MOST_STEPS = 10_000  # a page of as many weighs about a million bytes
MOST_ROWS, FEW_ROWS = 200, 40  # of each table: in a page, and in a notebook without scripts


@called_as("stepper(loss), for the Value at the end of a graph")
def stepper(
    root: Value,
    *,
    fold: int | str | None = BOXES,
    names: Mapping[Any, str] | None = None,
    gradients: Mapping[Value, str] | None = None,
    limit: int = MOST_STEPS,
) -> Stepper:
    """Play how `root` was computed and how its gradient runs back, step by step.

    The result shows itself in a notebook; `save()` writes a page or an animated picture. `fold` is
    the most boxes at the beginning, or which class of modules to fold, or None, as in `graph`;
    what is folded opens on a click. The number of a leaf can be edited or dragged: everything is
    computed anew. `names` says what Values and modules are called, `gradients` what Values'
    gradients are (`delta3[1]`, say); the box of a folded module shows the quantities in it that are
    named so. Raises what `backward()` raises, ValueError for a graph of more than `limit` steps or
    a `fold` that is not in it, TypeError for names of anything else.

    >>> a = Value(3.0, label="a")
    >>> print(stepper(a + a))
    forward
    v1 = a + a = 3 + 3 = 6
    <BLANKLINE>
    backward
    v1.grad = 1
    a.grad += 1 * v1.grad = 1 * 1 = 1, now 1
    a.grad += 1 * v1.grad = 1 * 1 = 1, now 2
    """
    narration = Narration(root, names, gradients)
    check_fold(narration.outline, fold)
    count = len(narration.steps)
    if count > limit:
        raise ValueError(
            f"this graph takes {count:,} steps backward, and a page of them would weigh about "
            f"{max(1, count * 100 // 1_000_000)} MB: step through a smaller one (the loss of one "
            f"example, not of all), or allow it with limit={count}"
        )
    return Stepper(narration, fold)


class Stepper:
    """The result of `stepper()`: a page, an animated picture, and a text of the same steps.

    With a `story`, that is what the page and the text tell, as long as no folded box is open.
    """

    def __init__(self, narration: Narration, fold: int | str | None = BOXES) -> None:
        self.narration = narration
        self.story: Sequence[Moment] = ()
        self._fold = fold

    @cached_property
    def _views(self) -> Views:
        return Views(self.narration, self._fold)

    def save(self, path: str | Path) -> None:
        """Write the page as a .html file, or as a .svg file a picture that moves by itself.

        Neither needs the network. Raises ValueError for any other suffix.
        """
        path = Path(path)
        if path.suffix == ".html":
            text = self.html()
        elif path.suffix == ".svg":
            text = self.svg()
        else:
            raise ValueError(
                f"a stepper is saved as a page or as an animated picture, not as {path.name!r}: "
                "give a name that ends in .html or .svg"
            )
        path.write_text(text, encoding="utf-8")

    def html(self) -> str:
        """Return the page, which needs nothing but itself."""
        return self._page(self._tables(MOST_ROWS))

    def _tables(self, most: int, inline: bool = False) -> str:
        tables = static.tables(self.narration, most, inline)
        # Without a script the story is all there is, so it is not cut.
        most = len(self.story) * most if inline else most
        return static.in_words(self.story, most, inline) + tables if self.story else tables

    def _page(self, tables: str) -> str:
        found = page_data(self._views, self.story)
        data = json.dumps(found, separators=(",", ":"), ensure_ascii=False)
        return _PAGE.format(
            title=safe(self._alt),
            style=picture.style() + picture.style_sheet(__package__, "stepper.css"),
            picture=self._views.first.embedded(self._alt, "-1"),
            tables=tables,
            narration=static.within_script(data),
            script=_script(self.narration, told=bool(self.story)),
        )

    def svg(self) -> str:
        """Return the picture that moves by itself, of all Values.

        Raises ValueError if it would take too long to watch.
        """
        return animation.animated(self.narration, self._alt)

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> Any:
        """Return what a notebook shows: the best of these that it can.

        A PNG, for hosts that show neither, is drawn only when it is asked for; then the size at
        which it is shown comes as well.
        """
        try:
            drawn = self._views.first
        except RuntimeError as error:  # no Graphviz
            return {"text/plain": f"{self}\n({error})"}
        svg, tables = drawn.svg(self._alt), self._tables(FEW_ROWS, inline=True)
        page = self._page(self._tables(0))  # its script fills them
        bundle: dict[str, Any] = {
            "text/html": static.output(svg, self._alt, tables, page),
            "text/plain": str(self),
        }
        wanted = set(bundle if include is None else include) - set(exclude or ())
        found = {kind: data for kind, data in bundle.items() if kind in wanted}
        if "image/png" in wanted and formats.is_here():
            return {**found, "image/png": drawn.png(self._alt)}, {"image/png": drawn.shown}
        return found

    def _mime_(self) -> tuple[str, str]:
        """Return what marimo shows, which strips scripts but for those in frames."""
        try:
            return "text/html", static.framed(self.html(), self._alt)
        except RuntimeError as error:  # no Graphviz
            return "text/plain", f"{self}\n({error})"

    @property
    def _alt(self) -> str:
        narration = self.narration
        return (
            f"The graph of {narration.names[narration.root]} with the data of "
            f"{len(narration.values):,} Values and the gradients that {len(narration.steps):,} "
            "additions leave in them"
        )

    def __str__(self) -> str:
        if self.story:
            return "\n\n".join("\n".join([m.title, *static.lines(m)]) for m in self.story)
        narration = self.narration
        forward = [narration.forward_line(v) for v in narration.values if v.parents]
        backward = [
            f"{narration.gradients[narration.root]} = 1",
            *map(narration.backward_line, narration.steps),
        ]
        return "\n".join(["forward", *forward, "", "backward", *backward])


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head>
<body class="picture"><main>
<div id="stage">{picture}</div>
<div id="bar" hidden>
<button data-do="start">Start</button><button data-do="back">Back</button>
<button data-do="play">Play</button><button data-do="next">Next</button>
<button data-do="end">End</button>
<input id="slider" type="range" min="0" value="0" aria-label="Step">
<span id="phase"></span>
<button data-do="fold">Fold</button>
<button data-do="predict" aria-pressed="false">Predict first</button>
<button data-do="reset" hidden>Reset numbers</button>
</div>
<section id="panel" aria-label="This step" hidden>
<div id="cards"></div>
<div id="question" hidden><span aria-live="polite"></span><button data-sign="+">+ positive</button>\
<button data-sign="0">0 zero</button><button data-sign="-">- negative</button></div>
<p id="words" aria-live="polite"></p>
</section>
<p id="keys" hidden>Keys: arrows step, space plays, Home and End jump, p predicts first \
(answer with +, 0, -), e edits a leaf, Escape folds. Click a box to go to its steps, a folded one \
to open it; click the number of a leaf to edit it, or drag it.</p>
{tables}
</main><script type="application/json" id="narration">{narration}</script>
<script>{script}</script></body></html>
"""


def _script(narration: Narration, told: bool) -> str:
    """Return the script, without comments and indentation; `told` adds what a story needs."""
    files = ("model.js", "drawing.js", "stepper.js", *["story.js"] * told, "words.js")
    texts = (resources.files(__package__).joinpath(name).read_text("utf-8") for name in files)
    lines = [line.strip() for text in texts for line in text.splitlines()]
    body = [line for line in lines if line and not line.startswith("//")]
    table = re.sub(r"([,:;]) ", r"\1", javascript(used_operations(narration)))  # it holds no text
    return _squeezed("\n".join(['(() => {\n"use strict";', table, *body, "})();"]))


def _squeezed(script: str) -> str:
    """Leave out blanks around what stands in no text of ours, so that pages stay small."""
    script = re.sub(r"(?<=[;{(]) // [^\n\"`]*$", "", script, flags=re.M)
    script = re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), script)
    script = re.sub(r" (=>|[!=]==|&&|\|\||\?\??|:|[<>]=?|[-+*/]=) ", r"\1", script)
    script = re.sub(r"\{ (?=[\w\[.])|(?<=[\w\])\"]) (?=\})", lambda m: m[0].strip(), script)
    script = re.sub(r"(?<=[\w\]]) = (?=[\w(\[{\"`+$!-])", "=", script)
    script = re.sub(r"(?<=[;{,])\n|(?<=\)) (?=\{)", "", re.sub(r"\b(if|for) \(", r"\1(", script))
    script = re.sub(r"\([\w\[\]{}:, ]+\)(?==>|\{)", lambda m: m[0].replace(", ", ","), script)
    script = re.sub(r"(?<!\w)\((\w+)\)=>", r"\1=>", script)
    script = re.sub(r"([{,] ?\w+): (?=[\w\[({\"!+-])", r"\1:", script)
    return re.sub(r"(?<=\)) (?=return )", "", script).replace(";}", "}")
