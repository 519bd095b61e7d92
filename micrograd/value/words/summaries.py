"""Show parameters and states in a notebook: by name, with shapes and norms."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from micrograd.value.words.tables import Table

MANY, FIRST = 20, 12  # parameters that are still shown one by one; of more, the first


class ParameterList(list[Any]):
    """The parameters of a module: a list that shows itself in a notebook as a table."""

    __slots__ = ("_named",)

    def __init__(
        self, values: Iterable[Any], named: Callable[[], Sequence[tuple[str, Any]]]
    ) -> None:
        super().__init__(values)
        self._named = named

    def _repr_html_(self) -> str:
        names = {id(p): name for name, p in self._named()}
        rows = [[names.get(id(p), f"[{i}]"), p.data, p.grad] for i, p in enumerate(self)]
        return _listed(["name", "data", "grad"], rows).html()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return list, (list(self),)  # pickled and copied as a plain list


class State(dict[str, float]):
    """The data of parameters by name: a dict that shows itself in a notebook as a table."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        return _listed(["name", "data"], list(self.items())).html()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (dict(self),)


def _listed(header: list[str], rows: Sequence[Sequence[Any]]) -> Table:
    shown = rows if len(rows) <= MANY else rows[:FIRST]
    note = f"and {len(rows) - FIRST} more" if len(rows) > MANY else ""
    return Table(f"{len(rows)} parameters", header, shown, note)


def overview(title: str, named: Iterable[tuple[str, Any]]) -> Table:
    """Return a table of parameters: those that differ in indices alone are one array.

    >>> from micrograd.nn import Layer
    >>> table = overview("Layer", Layer(2, 3).named_parameters())
    >>> [row[:2] for row in table.rows]
    [['neurons.w', '3 x 2'], ['neurons.b', '3']]
    """
    groups: dict[str, list[tuple[tuple[int, ...], Any]]] = {}
    for name, p in named:
        indices = tuple(int(i) for i in _INDEX.findall(name))
        groups.setdefault(_INDEX.sub("[]", name), []).append((indices, p))
    rows = [row for form, members in groups.items() for row in _rows(form, members)]
    count = sum(len(members) for members in groups.values())
    header = ["parameters", "shape", "norm of data", "norm of grad"]
    return Table(f"{title}: {count} parameters", header, rows)


_INDEX = re.compile(r"\[(\d+)\]")


def _rows(form: str, members: list[tuple[tuple[int, ...], Any]]) -> list[list[Any]]:
    """Return a row for a full grid of at most two axes; else those of each first index."""
    shape = [len(set(axis)) for axis in zip(*(indices for indices, _ in members))]
    if math.prod(shape) == len(members) and len(shape) <= 2:
        norms = [math.hypot(*(number(p) for _, p in members)) for number in (_data, _grad)]
        return [[form.replace("[]", ""), " x ".join(map(str, shape)) or "1", *norms]]
    parts: dict[int, list[tuple[tuple[int, ...], Any]]] = {}
    for (first, *others), p in members:
        parts.setdefault(first, []).append((tuple(others), p))
    return [
        row for i, part in parts.items() for row in _rows(form.replace("[]", f"[{i}]", 1), part)
    ]


def _data(p: Any) -> float:
    return float(p.data)


def _grad(p: Any) -> float:
    return float(p.grad)
