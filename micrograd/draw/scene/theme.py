"""The colours of every picture, once: Okabe and Ito's palette, which colour-blind readers can tell
apart, with pale tints to write on, for light and for dark surroundings."""

from __future__ import annotations

from typing import NamedTuple

# Vermilion, blue, green, purple, orange, sky blue; and a tint of each.
COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
TINTS = ("#F2BE9C", "#A3CDE6", "#A8D9CA", "#EBCADB", "#F6D999", "#C5E4F6")


class Paint(NamedTuple):
    """The outline of a box and what fills it, in hexadecimal."""

    line: str
    fill: str


# By the kind of a box (`Kind.value`, or "part" for a fold).
LIGHT = {
    "parameter": Paint("#E69F00", "#FCEBC8"),
    "leaf": Paint("#D55E00", "#FBE3D6"),
    "input": Paint("#0072B2", "#D9EAF6"),
    "constant": Paint("#777777", "#F0F0F0"),
    "result": Paint("#009E73", "#DDF3EC"),
    "part": Paint("#B0578D", "#F7E4EF"),
}
DARK = {
    "parameter": Paint("#E69F00", "#43300D"),
    "leaf": Paint("#F08A4B", "#47230F"),
    "input": Paint("#56B4E9", "#12324A"),
    "constant": Paint("#9AA3AD", "#2A2F36"),
    "result": Paint("#00B386", "#0E3A2E"),
    "part": Paint("#CC79A7", "#42243A"),
}

PAPER, INK, SOFT, WRONG = "#FFFFFF", "#1C2024", "#59636E", "#A83200"

_LIGHT = {
    "paper": PAPER, "ink": INK, "soft": SOFT, "line": "#7D8894", "rim": "#D5DAE0",
    "button": "#F4F6F8", "forward": "#0072B2", "backward": "#C04A00", "on": "#FFFFFF",
    "wrong": WRONG,
}  # fmt: skip
_DARK = {
    "paper": "#15191E", "ink": "#EDF0F3", "soft": "#A8B2BD", "line": "#7B8794", "rim": "#333B45",
    "button": "#242B33", "forward": "#56B4E9", "backward": "#FF9A52", "on": "#101418",
    "wrong": "#F08CC0",
}  # fmt: skip


# How a page says that it is light or dark: sites and steppers, JupyterLab, VS Code, marimo.
_SAYS_LIGHT = "[data-theme=light],[data-jp-theme-light=true],.vscode-light,.light"
_SAYS_DARK = "[data-theme=dark],[data-jp-theme-light=false],.vscode-dark,.dark"

# A picture in an <img> takes the scheme of that element: the page's, else light, else the system's
# where style sheets are allowed.
IMAGE = 'class="micrograd-graph" style="max-width:100%;color-scheme:light"'
HOSTS = (
    "<style>@media (prefers-color-scheme:dark){.micrograd-graph{color-scheme:dark!important}}"
    f":is({_SAYS_LIGHT}) .micrograd-graph{{color-scheme:light!important}}"
    f":is({_SAYS_DARK}) .micrograd-graph{{color-scheme:dark!important}}"
    "@media print{.micrograd-graph.micrograd-graph.micrograd-graph{color-scheme:light!important}}"
    "</style>"
)


def variables() -> str:
    """Return the colours as CSS variables: those that the page around says, else of the system.

    On paper they are light.

    >>> variables()[:34]
    '.picture{--paper:#FFFFFF;--ink:#1C'
    """
    light, dark = _declarations(_LIGHT, LIGHT), _declarations(_DARK, DARK)
    return (
        f".picture{{{light}}}@media screen and (prefers-color-scheme:dark){{.picture{{{dark}}}}}"
        f":is({_SAYS_LIGHT}) .picture{{{light}}}"
        f"@media screen{{:is({_SAYS_DARK}) .picture{{{dark}}}}}"
    )


def light() -> dict[str, str]:
    """Return the colours of light surroundings by the names of their variables.

    >>> light()["paper"]
    '#FFFFFF'
    """
    return _named(_LIGHT, LIGHT)


def _declarations(common: dict[str, str], paints: dict[str, Paint]) -> str:
    return ";".join(f"--{name}:{colour}" for name, colour in _named(common, paints).items())


def _named(common: dict[str, str], paints: dict[str, Paint]) -> dict[str, str]:
    boxes = {f"{kind}-line": paint.line for kind, paint in paints.items()}
    boxes |= {kind: paint.fill for kind, paint in paints.items()}
    return {**common, **boxes}
