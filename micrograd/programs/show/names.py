"""The names of parameters in equations: `layers[0].neurons[3].w[5]` is an element of W1."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from micrograd.engine import Value
from micrograd.programs.show.notation import Style
from micrograd.programs.trace.captures import Name


class _Step:
    """The index of what belongs to each step of a loop."""

    def __repr__(self) -> str:
        return "t"


STEP = _Step()


class _Selection(NamedTuple):
    """Some parameters of one pattern: what they are called, and which indices move.

    `all` is the name of all of which these are a part.
    """

    name: str
    all: str
    moving: tuple[int, ...]
    lengths: tuple[int, ...]


class ParameterNames:
    """Names for sets of parameters, which are given by their positions in the list of all."""

    def __init__(self, parameters: Sequence[Value], names: Mapping[Value, Name]) -> None:
        self._names = [names.get(p, Name("p[]", (i,))) for i, p in enumerate(parameters)]
        self._known: dict[str, list[tuple[Any, ...]]] = {}
        for name in dict.fromkeys([*names.values(), *self._names]):
            self._known.setdefault(name.pattern, []).append(name.indices)
        lasts = Counter(pattern.rpartition(".")[2] for pattern in self._known)
        self._shared = {last for last, times in lasts.items() if times > 1}  # with their holders
        self._selections: dict[tuple[int, int, int], _Selection] = {}
        self._gradients: dict[str, str] = {}

    def display(self, ranks: Sequence[int], style: Style) -> str:
        """Return the name of these parameters together."""
        return style.name(self._select(ranks).name)

    def gradient(self, ranks: Sequence[int], style: Style) -> tuple[str, tuple[int, ...]]:
        """Return the name of their gradients, Delta with the layer's number, and their shape."""
        selection = self._select(ranks)
        name, matrix = selection.name, len(selection.moving) > 1
        digits = re.search(r"\d*$", name)
        number = digits.group() if digits else ""
        short = f"Delta{number}" if matrix and number else f"Delta_{name}"
        if self._gradients.setdefault(short, name) != name:
            short = f"Delta_{name}"
        return style.name(short), selection.lengths

    def indices(self, ranks: Sequence[int]) -> Any:
        """Return the indices of parameters of one pattern, a line for each; keys are counted."""
        own = [self._names[rank].indices for rank in ranks]
        for d in range(len(own[0])):
            if not all(isinstance(indices[d], int) for indices in own):
                places = {key: i for i, key in enumerate(dict.fromkeys(i[d] for i in own))}
                own = [(*i[:d], places[i[d]], *i[d + 1 :]) for i in own]
        return np.array(own, int).reshape(len(ranks), -1)

    def element(self, ranks: Any, indices: Sequence[str]) -> str | None:
        """Return the name of one of some parameters, by its indices; None if it cannot be said."""
        selection = self._select(np.unique(ranks).tolist())
        own = ", ".join(indices[d] for d in selection.moving)
        return None if "[" in selection.all else f"{selection.all}[{own}]" if own else selection.all

    def by_pattern(self, ranks: Sequence[int]) -> list[list[int]]:
        """Return the places of these parameters, for each pattern of names those that have it."""
        places: dict[str, list[int]] = {}
        for place, rank in enumerate(ranks):
            places.setdefault(self._names[rank].pattern, []).append(place)
        return list(places.values())

    def is_transposed(
        self, ranks: Sequence[int], row: Sequence[int], column: Sequence[int]
    ) -> bool | None:
        """Return whether the first index moves along a sum's terms; None if that cannot be seen.

        `row` holds two elements of different members, `column` two of different terms.
        """
        moving = self._select(ranks).moving
        if not moving:
            return None
        for (first, second), member in ((row, True), (column, False)):
            a, b = self._names[first].indices, self._names[second].indices
            moved = [d for d in moving if a[d] != b[d]]
            if moved:
                if len(moving) == 1:
                    return not member  # a vector: w' x, or w delta
                return (moved[-1] == moving[-1]) == member
        return None

    def _select(self, ranks: Sequence[int]) -> _Selection:
        key = len(ranks), min(ranks), max(ranks)
        if key not in self._selections:
            self._selections[key] = self._selection(ranks)
        return self._selections[key]

    def _selection(self, ranks: Sequence[int]) -> _Selection:
        """Tell the indices that choose among others from those that run over all there are."""
        used = [self._names[r].indices for r in ranks]
        pattern = self._names[ranks[0]].pattern
        known = self._known[pattern]
        fixed: dict[int, Any] = {}
        moving, lengths, slices = [], [], {}
        for d in range(len(used[0])):
            values = {indices[d] for indices in used}
            there = {indices[d] for indices in known}
            if len(values) == 1 and len(there) > 1:
                fixed[d] = next(iter(values))
                known = [indices for indices in known if indices[d] == fixed[d]]
                continue
            moving.append(d)
            lengths.append(len(values))
            if values != there:
                slices[d] = f"{min(values)}:{max(values) + 1}"
        name, whole = (_short(pattern, fixed, moving, part) for part in (slices, {}))
        if len(set(used)) < math.prod(lengths):
            equal = all(len({indices[d] for d in moving}) == 1 for indices in used)
            name = f"diag({name})" if equal else f"{name}[...]"
            lengths = [len(set(used))]
        holder = pattern.replace("[]", "").rpartition(".")[0]
        if pattern.rpartition(".")[2] in self._shared and holder:
            name, whole = (f"{holder.rpartition('.')[2]}_{own}" for own in (name, whole))
        return _Selection(name, whole, tuple(moving), tuple(lengths))


def _short(
    pattern: str, fixed: Mapping[int, Any], moving: Sequence[int], slices: Mapping[int, str]
) -> str:
    """`layers[].neurons[].w[]` with the first index 0 is W1: the last name, numbered from 1."""
    *holders, last = pattern.split(".")
    before = sum(holder.count("[]") for holder in holders)
    name = last.replace("[]", "")
    if holders and len(name) == 1 and len(moving) > 1:
        name = name.upper()
    numbers = [fixed[d] for d in sorted(fixed) if d < before]
    if numbers and all(isinstance(number, int) for number in numbers):
        name += "_".join(str(number + 1) for number in numbers)
    elif numbers:
        name += str(numbers)
    own = range(before, before + last.count("[]"))
    if any(d in fixed or d in slices for d in own):
        name += f"[{', '.join(str(fixed[d]) if d in fixed else slices.get(d, ':') for d in own)}]"
    return name
