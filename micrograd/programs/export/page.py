"""A page in which a program runs: sliders or a drawing pad, and the results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from math import prod
from typing import Any, NamedTuple, Union

from micrograd.programs.export.javascript import javascript_of
from micrograd.programs.export.writable import Argument, Writable

# The names of the inputs, and the range of each, if it is not from -1 to 1.
Inputs = Union[Mapping[str, tuple[float, float]], Sequence[str], None]


class Looks(NamedTuple):
    """What a page calls the numbers, and how it asks for them."""

    inputs: Inputs = None
    results: Sequence[str] | None = None
    image: tuple[int, int] | None = None
    tokens: Sequence[str] | None = None


def page(writable: Writable, looks: Looks) -> str:
    """Return the page; raises ValueError where the looks do not fit the program."""
    if not all(a.size for a in writable.arguments):
        raise ValueError(f"{writable.name} has an argument without numbers: leave it out")
    about = {
        "arguments": _arguments(writable, looks),
        "results": _results(writable, looks),
        "tokens": _tokens(writable, looks),
    }
    data = json.dumps(about, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    more = ["tokens.js"] if looks.tokens else []
    script = "\n".join(
        [
            '"use strict";\n(() => {',
            javascript_of(writable),
            *[_read(name) for name in ("page.js", *more)],
            f"{'startTokens' if looks.tokens else 'start'}();\n}})();",
        ]
    )
    lines = [line.strip() for line in script.splitlines()]
    return _PAGE.format(
        title=escape(writable.name),
        style=_read("page.css"),
        inputs="Draw" if looks.image else "Inputs",
        results="Made up" if looks.tokens else "Results",
        about=data,
        script="\n".join(line for line in lines if line and not line.startswith("//")),
    )


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _arguments(writable: Writable, looks: Looks) -> list[dict[str, Any]]:
    """Tell how each argument is asked for."""
    pad = None
    if looks.image is not None:
        if not isinstance(looks.image, (list, tuple)):
            raise TypeError(
                f"image is a height and a width, got {looks.image!r}: write image=(8, 8), say"
            )
        fits = [a for a in writable.arguments if a.size == prod(looks.image)]
        if not fits:
            sizes = ", ".join(f"{a.name}: {a.size}" for a in writable.arguments)
            raise ValueError(
                f"an image of {looks.image} needs an argument of {prod(looks.image)} numbers; "
                f"{writable.name} has {sizes}"
            )
        pad = fits[0]
    sliders = [a for a in writable.arguments if a is not pad]
    names = [name for a in sliders for name in _names(a)]
    ranges: Mapping[str, tuple[float, float]] = {}
    if looks.inputs is not None:
        given = [*looks.inputs]
        if len(given) != len(names):
            raise ValueError(
                f"inputs has {len(given)} names, and {writable.name} takes {len(names)} numbers"
                f"{' beside the image' if pad else ''}: {', '.join(names[:8])}"
            )
        names = given
        ranges = looks.inputs if isinstance(looks.inputs, Mapping) else {}
    left = iter(names)
    found: list[dict[str, Any]] = []
    for a in writable.arguments:
        if a is pad:
            found.append({"size": a.size, "image": looks.image, "inputs": []})
            continue
        own = [next(left) for _ in range(a.size)]
        found.append(
            {
                "size": a.size,
                "inputs": [
                    _slider(name, a, ranges.get(name) or writable.range_of(a, column))
                    for column, name in enumerate(own)
                ],
            }
        )
    return found


def _names(argument: Argument) -> list[str]:
    if not argument.shape:
        return [argument.name]
    return [f"{argument.name}[{i}]" for i in range(argument.size)]


def _slider(name: str, argument: Argument, of: tuple[float, float]) -> dict[str, Any]:
    low, high = map(float, of)
    if not low < high:
        raise ValueError(f"the range of {name} goes from a number to a larger one, got {of}")
    step: float | str = 1 if argument.is_integer else (high - low) / 200
    middle = (low + high) / 2
    value = round(middle) if argument.is_integer else middle
    return {"name": name, "low": low, "high": high, "step": step, "value": value}


def _results(writable: Writable, looks: Looks) -> list[str]:
    if looks.results is None:
        if not writable.is_list:
            return [writable.name]
        return [f"{writable.name}[{k}]" for k in range(writable.width)]
    if len(looks.results) != writable.width:
        raise ValueError(
            f"results has {len(looks.results)} names, and {writable.name} gives {writable.width}"
        )
    return [*map(str, looks.results)]


def _tokens(writable: Writable, looks: Looks) -> list[str] | None:
    """Check that the program is a model of tokens, and return how these are written."""
    if looks.tokens is None:
        return None
    tokens = [*looks.tokens]
    if tokens.count("") != 1:
        raise ValueError('one of the tokens is "", which stands before and behind each text')
    first = writable.arguments[0]
    if len(writable.arguments) > 1 or not first.is_integer:
        raise ValueError("a model of tokens takes one argument, a list of integers")
    if writable.width != first.size * len(tokens):
        raise ValueError(
            f"a model of {len(tokens)} tokens gives as many scores for each of the {first.size} "
            f"positions, {first.size * len(tokens)} in all; {writable.name} gives {writable.width}"
        )
    return tokens


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>{title}</title><style>{style}</style></head>
<body><main><h1>{title}</h1>
<div class="sides">
<section><h2>{inputs}</h2><div id="inputs"></div></section>
<section><h2>{results}</h2><p id="answer" role="status"></p><ol id="results"></ol></section>
</div>
<p class="soft">Computed in this page, by equations that micrograd lifted from scalar code.</p>
</main><script type="application/json" id="about">{about}</script>
<script>{script}</script></body></html>
"""
