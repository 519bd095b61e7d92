"""Draw a graph: a box per Value, an arrow per operand, modules folded into one box each."""

from __future__ import annotations

import base64
import html
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from micrograd.draw.diagram import formats
from micrograd.draw.diagram.dot import digraph
from micrograd.draw.diagram.picture import draw, style
from micrograd.draw.diagram.sheet import MANY_ARROWS, Sheet, local_derivatives
from micrograd.draw.folding.levels import BOXES, check_fold
from micrograd.draw.folding.levels import fold as fold_outline
from micrograd.draw.folding.patterns import PLURALS
from micrograd.draw.scene import theme
from micrograd.draw.scene.boxes import Folding, unfolded
from micrograd.draw.scene.failed import failure
from micrograd.draw.scene.labels import printable
from micrograd.draw.scene.names import names_of
from micrograd.draw.scene.outline import Kind, Outline
from micrograd.engine import Value
from micrograd.value.words.calls import called_as

if TYPE_CHECKING:
    import graphviz

NAMED = 10  # names listed in a description
DIRECTIONS = ("LR", "TB", "RL", "BT")
FORMATS = (".svg", ".png", ".pdf", ".dot", ".html")


@called_as("graph(loss), or graph([first, second]) for several results")
def graph(
    root: Value | Sequence[Value] | BaseException,
    *,
    fold: int | str | None = BOXES,
    derivatives: bool = False,
    rankdir: str | None = None,
    names: Mapping[Any, Any] | None = None,
) -> Diagram:
    """Draw the graph behind a Value, or several, with the data and the grad of each Value in it.

    `fold` limits the number of boxes: modules and scopes fold, the innermost first, then long sums,
    Values made alike, steps that repeat, and long rows. A name folds one class of modules, or a
    scope: "neuron", "layer", "network" for the outermost modules. None folds nothing. `derivatives`
    writes the local derivative on each arrow between single Values. `rankdir` is the direction of
    the arrows: "LR", "TB", "RL" or "BT". `names` maps Values to names, or names to what holds
    Values: a dict or list of them, or all variables at hand, `names=locals()`. For an exception,
    draw what the function that raised it had recorded. Raises TypeError if `root` is none of these,
    ValueError for any other argument.

    >>> x = Value(0.5, label="x")
    >>> y = (3 * x).tanh()
    >>> y.backward()
    >>> print(graph(y, derivatives=True))
    A graph of 4 Values: 1 input (x), 1 constant, 2 results. The result is tanh, data 0.9051, grad 1
    """
    _check(root, rankdir)
    broken = ""
    if isinstance(root, BaseException):
        root, held, broken = failure(root)
        names = {**held, **names_of(names)}
    outline = Outline(root, names)
    check_fold(outline, fold)
    labels = local_derivatives(outline.order) if derivatives else None
    if fold is None:
        return Diagram(Sheet(unfolded(outline), labels, broken), rankdir)
    sheets: dict[Folding, Sheet] = {}

    def fits(folding: Folding) -> bool:
        sheets[folding] = Sheet(folding, labels, broken)
        return sheets[folding].fits

    most, modules = (BOXES, fold) if isinstance(fold, str) else (fold, None)
    folding = fold_outline(outline, most, modules, fits)
    return Diagram(sheets.get(folding) or Sheet(folding, labels, broken), rankdir)


def draw_dot(root: Value, format: str = "svg", rankdir: str = "LR") -> graphviz.Digraph:
    """Draw every Value of a graph as a `graphviz.Digraph`, to display or `.render()`.

    `graph` can do more: it folds large graphs. Raises as `graph` does.

    >>> a = Value(2.0, label="a")
    >>> draw_dot(a + a).source.count("->")
    2
    """
    diagram = graph(root, fold=None, rankdir=rankdir)
    dot = diagram.digraph
    dot.format = format
    dot.described = diagram._accessible
    return dot


def _check(root: Any, rankdir: str | None) -> None:
    several = isinstance(root, (list, tuple)) and bool(root)
    if not isinstance(root, BaseException) and not all(
        isinstance(v, Value) for v in (root if several else [root])
    ):
        kind = type(root).__name__
        advice = f": call it first, as in graph({kind.lower()}(x))" if callable(root) else ""
        raise TypeError(
            f"a graph is drawn from the Value at its end, or a list of such, got {kind}{advice}"
        )
    if rankdir is not None and rankdir not in DIRECTIONS:
        raise ValueError(f"rankdir must be one of {', '.join(DIRECTIONS)}: got {rankdir!r}")


class Diagram:
    """A picture of a graph: notebooks display it, `save` writes it, `source` is its text in DOT.

    `description` describes it in words, which every format carries as alt text.
    """

    def __init__(self, sheet: Sheet, rankdir: str | None = None) -> None:
        self._sheet = sheet
        self.folding: Folding = sheet.folding
        self._rankdir = rankdir or sheet.best_rankdir
        self.digraph: Any = digraph(sheet, self._rankdir, _notes(sheet))

    @property
    def source(self) -> str:
        """Return the picture in the DOT language; needs no Graphviz."""
        source: str = self.digraph.source
        return source

    @cached_property
    def svg(self) -> str:
        """Return the picture as SVG. Raises RuntimeError without Graphviz."""
        sheet = self._sheet
        lines = sheet.lines()
        drawn = draw(list(sheet.parts.values()), lines, way=sheet.way(self._rankdir))
        return drawn.svg(
            self.description,
            legend=sheet.legend(),
            notes=_notes(sheet),
            title=self.title,
            looks=" crowded" if len(lines) > MANY_ARROWS else "",
        )

    def _accessible(self, drawn: str) -> str:
        from micrograd.draw.diagram.digraph import accessible

        sheet = self._sheet
        words = {f"b{i}": sheet.writings[b].words for i, b in enumerate(sheet.folding.boxes)}
        return accessible(drawn, self.title, self.description, words)

    @property
    def title(self) -> str:
        """Return a short title."""
        outline = self._sheet.outline
        name = ", ".join(filter(None, (printable(outline.name(v)) for v in outline.roots)))
        return f"Computation graph of {name}" if name else "Computation graph"

    @cached_property
    def description(self) -> str:
        """Describe the picture in words."""
        return _description(self._sheet)

    def save(self, path: str | Path) -> None:
        """Write the picture to a .svg, .png, .pdf, .dot or .html file.

        All are one drawing; a PNG has two pixels for each one. Raises ValueError for any other
        suffix, RuntimeError without Graphviz (except for .dot), for a PNG without resvg, and for a
        PDF without svglib.

        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "sum.dot"
        >>> graph(Value(1.0) + Value(2.0)).save(file)
        >>> file.read_text().startswith("digraph")
        True
        """
        path = Path(path)
        kind = path.suffix.lower()
        if kind not in FORMATS:
            raise ValueError(f"a picture is saved as {', '.join(FORMATS)}: got {path.name!r}")
        path.write_bytes(self._in_format(kind))

    def _in_format(self, kind: str) -> bytes:
        if kind == ".dot":
            return self.source.encode()
        if kind == ".svg":
            return f'<?xml version="1.0" encoding="UTF-8"?>\n{self.svg}'.encode()
        if kind == ".html":
            return _page(self.title, self.svg).encode()
        if kind == ".png":
            return formats.png(self.svg, self.description)
        return formats.pdf(self.svg, self.title, self.description)

    def __str__(self) -> str:
        return self.description

    def __repr__(self) -> str:
        return f"<Diagram: {self.description}>"

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, Any]:
        """Return the picture for a notebook; without Graphviz, words and how to install it.

        As bare SVG it is given only when that is asked for, so that notebooks hold it once.
        """
        try:
            code = base64.b64encode(self.svg.encode()).decode()
        except RuntimeError as error:
            return {"text/plain": f"{self.description}\n({error})"}
        alt = html.escape(f"{self.title}. {self.description}")
        image = (
            f'<img alt="{alt}" src="data:image/svg+xml;base64,{code}" {theme.IMAGE}>{theme.HOSTS}'
        )
        bundle = {"text/html": image, "text/plain": self.description}
        wanted = set(bundle if include is None else include) - set(exclude or ())
        if "image/svg+xml" in wanted:
            bundle["image/svg+xml"] = self.svg
        return {kind: data for kind, data in bundle.items() if kind in wanted}

    def _mime_(self) -> tuple[str, str]:
        """Return what marimo shows: one representation, where it would show several as tabs."""
        bundle = self._repr_mimebundle_()
        kind = "text/html" if "text/html" in bundle else "text/plain"
        return kind, bundle[kind]


def _notes(sheet: Sheet) -> list[str]:
    """Return the notes below the picture: grads are missing, Values are folded."""
    notes = [f"Unfinished: {sheet.broken}"] if sheet.broken else []
    if not sheet.outline.filled:
        notes.append("No grads: no backward pass has filled this graph yet.")
    folded = [box for box in sheet.folding.boxes if box.folded]
    if folded:
        notes.append(
            f"{len(sheet.outline.order):,} Values, folded into {len(sheet.folding.boxes)} boxes."
        )
    if sheet.hidden:
        notes.append(f"The local derivatives on {sheet.hidden:,} arrows are folded away.")
    return notes


def _description(sheet: Sheet) -> str:
    outline, folding = sheet.outline, sheet.folding
    ends = dict.fromkeys(sheet.writings[box].words for box in folding.ends)
    said = [
        f"A graph of {len(outline.order):,} Values: {_counted(outline)}",
        f"The result{' is' if len(ends) == 1 else 's are'} {'; '.join(ends)}",
    ]
    if sheet.broken:
        said[1] = f"Unfinished: {sheet.broken}"
    folded = [sheet.writings[box].heading for box in folding.boxes if box.folded]
    if folded:
        more = f" and {len(folded) - NAMED} more" if len(folded) > NAMED else ""
        among = ", ".join(folded[:NAMED])
        said.append(f"Folded into {len(folding.boxes)} boxes, among them {among}{more}")
    if not outline.filled:
        said.append("No backward pass has filled in the grads")
    return ". ".join(said)


def _counted(outline: Outline) -> str:
    """Count the Values of each kind, and name a few inputs."""
    named = zip(outline.name_at, outline.kind_at)
    inputs = [printable(name) for name, kind in named if name and kind is Kind.INPUT]
    listed = f" ({', '.join(inputs)})" if 0 < len(inputs) <= NAMED else ""
    counts = []
    for kind in Kind:
        if count := outline.kind_at.count(kind):
            word = PLURALS[kind] if count > 1 else kind.value
            counts.append(f"{count:,} {word}{listed if kind is Kind.INPUT else ''}")
    return ", ".join(counts)


def _page(title: str, svg: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title>"
        '<meta name="color-scheme" content="light dark">'
        f"<style>{style()}body{{margin:1rem;background:var(--paper)}}</style></head>\n"
        f'<body class="picture">{svg}</body></html>\n'
    )
