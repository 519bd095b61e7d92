"""The stepper: a page that plays a graph forward, then its backward pass, one += at a time."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Iterable, Mapping
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from micrograd.draw import picture
from micrograd.draw.picture import Arrow, Box, Picture, Row
from micrograd.draw.story import Story, shown
from micrograd.engine import Value


def stepper(
    root: Value,
    *,
    names: Mapping[Value, str] | None = None,
    gradients: Mapping[Value, str] | None = None,
) -> Stepper:
    """Play how `root` was computed and how its gradient runs back, step by step.

    The result shows itself in a notebook; `save()` writes a page or an animated picture. `names`
    says what Values are called, `gradients` what their gradients are (`delta3`, say).

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
    return Stepper(Story(root, names, gradients))


class Stepper:
    """What `stepper()` gives: a page, an animated picture, and a text of the same steps."""

    def __init__(self, story: Story) -> None:
        self.story = story

    def save(self, path: str | Path) -> None:
        """Write the page as `x.html`, or as `x.svg` a picture that moves by itself.

        Neither needs the network. Raises ValueError for any other ending.
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

    def svg(self) -> str:
        return ""

    def html(self) -> str:
        """Give the page, which needs nothing but itself."""
        drawn = _picture(self.story)
        return _PAGE.format(
            title=escape(_alt(self.story)),
            style=picture.style() + _resource("stepper.css"),
            pictures=drawn.svg(_alt(self.story)),
            tables=_tables(self.story),
            story=_script_safe(json.dumps(_data(self.story), separators=(",", ":"))),
            script=_resource("stepper.js"),
        )

    def __str__(self) -> str:
        return "\n".join(
            ["forward", *_forward_lines(self.story), "", "backward", *_backward_lines(self.story)]
        )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head>
<body class="picture"><main>
<div id="stage">{pictures}</div>
<div id="bar" hidden>
<button data-do="start">Start</button><button data-do="back">Back</button>
<button data-do="play">Play</button><button data-do="next">Next</button>
<button data-do="end">End</button>
<input id="slider" type="range" min="0" value="0" aria-label="Step">
<span id="phase"></span>
<button data-do="predict" aria-pressed="false">Predict first</button>
</div>
<section id="panel" aria-label="This step" hidden>
<div id="cards"></div>
<div id="question" hidden><span></span><button data-sign="+">+ positive</button>\
<button data-sign="0">0 zero</button><button data-sign="-">- negative</button></div>
<p id="words" aria-live="polite"></p>
</section>
<p id="keys" hidden>Keys: arrows step, space plays, Home and End jump, p predicts first (answer with \
+, 0, -). Click a box to go to its steps.</p>
{tables}
</main><script type="application/json" id="story">{story}</script>
<script>{script}</script></body></html>
"""


def _resource(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _script_safe(text: str) -> str:
    return text.replace("<", "\\u003c")


def _alt(story: Story) -> str:
    return (
        f"The graph of {story.names[story.root]} with the data of {len(story.values)} Values and "
        f"the gradients that {len(story.steps)} additions leave in them"
    )


# The picture -----------------------------------------------------------------------------------


def _picture(story: Story) -> Picture:
    keys = {v: f"v{i}" for i, v in enumerate(story.values)}
    boxes = [_box(story, v, key) for v, key in keys.items()]
    arrows = [
        Arrow(f"{keys[operand]}-{keys[v]}-{i}", keys[operand], keys[v], i)
        for v in story.values
        for i, operand in enumerate(v.parents)
    ]
    return picture.draw(boxes, arrows)


def _box(story: Story, v: Value, key: str) -> Box:
    kind = "result" if v.parents else "input" if v.label else "constant"
    rows = [
        Row("data", "data", shown(v.data)),
        Row(story.named_gradients.get(v, "grad"), "grad", shown(story.totals[v])),
    ]
    name = story.names[v]
    tooltip = f"{name}: data {v.data!r}, {story.gradients[v]} {story.totals[v]!r}"
    return Box(key, kind, name, v._op, rows, tooltip)


# The page's data -------------------------------------------------------------------------------


def _data(story: Story) -> dict[str, Any]:
    numbers: dict[float | str, int] = {}
    texts: list[tuple[str, str]] = []

    def number(x: float) -> int:
        exact = repr(x)
        if exact not in numbers:
            numbers[exact] = len(texts)
            texts.append((shown(x), exact))
        return numbers[exact]

    index = {v: i for i, v in enumerate(story.values)}
    values = []
    for v in story.values:
        one: dict[str, Any] = {"name": story.names[v], "grad": story.gradients[v]}
        one |= {"data": number(v.data), "group": -1}
        if v.parents:
            made, filled = story.made(v)
            one |= {"made": made, "filled": filled, "from": [index[x] for x in v.parents]}
        values.append(one)
    steps = [
        [
            index[s.consumer],
            s.position,
            index[s.operand],
            story.rule(s),
            -1 if s.local is None else number(s.local),
            number(s.upstream),
            number(s.product),
            number(s.total),
        ]
        for s in story.steps
    ]
    return {
        "values": values,
        "steps": steps,
        "zero": number(0.0),
        "one": number(1.0),
        "groups": [],
        "opened": -1,
        "numbers": texts,
    }


# The steps as text -----------------------------------------------------------------------------


def _forward_lines(story: Story) -> Iterable[str]:
    for v in story.values:
        if v.parents:
            made, filled = story.made(v)
            yield " = ".join(dict.fromkeys([story.names[v], made, filled, shown(v.data)]))


def _backward_lines(story: Story) -> Iterable[str]:
    yield f"{story.gradients[story.root]} = 1"
    for s in story.steps:
        upstream, product = story.gradients[s.consumer], shown(s.product)
        how = f"{story.gradients[s.operand]} += "
        if s.local is not None:
            how += f"{story.rule(s) or shown(s.local)} * {upstream} = "
            how += f"{shown(s.local)} * {shown(s.upstream)} = "
        yield f"{how}{product}, now {shown(s.total)}"


def _tables(story: Story) -> str:
    return ""
