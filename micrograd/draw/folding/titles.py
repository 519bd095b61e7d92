"""Name boxes that were merged by what is in them: names first, then functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from micrograd.draw.folding.patterns import what
from micrograd.draw.scene.boxes import Box
from micrograd.draw.scene.names import stem
from micrograd.draw.scene.outline import Outline

NAMED = 3  # names in the title of a box
_ARITHMETIC = ("", "+", "-", "*", "/", "+ of term", "- of term", "* of factor")

_Words = dict[Box, list[str]]


class Titles:
    """The titles of merged boxes of a graph; what was found in a box is kept."""

    def __init__(self, outline: Outline) -> None:
        self._name_at = outline.name_at
        self._names: _Words = {}
        self._functions: _Words = {}

    def of(self, boxes: Sequence[Box]) -> str:
        """Name a merged box by the steps or names in it, else by its functions, else by its end."""
        steps = [box.pattern for box in boxes if box.whole]
        if steps:
            return " … ".join(dict.fromkeys([steps[0], steps[-1]]))
        for words in (self.names, self.functions):
            found = list(dict.fromkeys(word for box in boxes for word in words(box)))
            if found:
                more = " \u2026" if len(found) > NAMED else ""
                return ", ".join(found[:NAMED]) + more
        return boxes[-1].pattern or f"{boxes[-1].last._op} and what it uses"

    def names(self, box: Box) -> list[str]:
        """Return the names that the leaves in a box share, each once."""
        if box.group is not None:
            return [box.group.title]
        if box.inner:
            return _of_inner(box, self._names, self.names)
        if box.last.parents or any(v.parents for v in box.values):
            return []
        name = stem(self._name_at[box.places[0]])
        return [name] if name else []

    def functions(self, box: Box) -> list[str]:
        """Return the operations in a box, each once, but for arithmetic."""
        if box.pattern == "softmax":
            return ["softmax"]
        if box.inner:
            return _of_inner(box, self._functions, self.functions)
        does = what(box)
        if does in _ARITHMETIC or does.startswith("**") or not box.last.parents:
            return []
        return [does]


def _of_inner(box: Box, known: _Words, words: Callable[[Box], Iterable[str]]) -> list[str]:
    if box not in known:
        known[box] = list(dict.fromkeys(word for inner in box.inner for word in words(inner)))
    return known[box]
