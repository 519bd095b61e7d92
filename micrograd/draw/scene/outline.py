"""Describe a graph for a picture: the kind, the name and the module or scope of each Value.

folding.py then decides which Values share a box.
"""

# ruff: noqa: RUF001, RUF002  (the cross of a shape is meant)

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from micrograd.engine import Value, toposort
from micrograd.graph.scopes import Scope, scope_of, tell_apart
from micrograd.native.gc_pause import uncollected


class Kind(enum.Enum):
    """The role of a Value in its graph."""

    PARAMETER = "parameter"  # a leaf listed by a module of the graph
    INPUT = "input"  # a leaf with a label, or one passed to a module
    CONSTANT = "constant"  # any other leaf
    RESULT = "result"  # the output of an operation


class Group:
    """The Values recorded in one scope: by the calls of a module, or in a `with scope(...)` block.

    `values` are in the order of evaluation and include those of inner groups and the parameters of
    the module. `height` is 0 for an innermost group.
    """

    def __init__(self, scope: Scope, parent: Group | None) -> None:
        self.scope = scope
        self.module: Any = scope.module  # None for a named scope, or once it is deleted
        self.parent = parent
        self.title = scope.name
        self.path = ""  # from the outermost module, as in layers[0]
        self.height = 0
        self.values: list[Value] = []
        self.parameters: list[tuple[str, Value]] = []  # paths relative to the module

    @property
    def kind(self) -> str:
        """Return the class of the module, or the name of the scope."""
        return self.scope.name

    def line(self) -> Iterator[Group]:
        """Yield this group, the one around it, and so on outward."""
        group: Group | None = self
        while group:
            yield group
            group = group.parent


class Outline:
    """A graph as people see it: its Values in order of evaluation, their kinds, names and groups.

    A Value is called by its entry in `names`, else by its label, else, if it is a parameter, by its
    attribute path.

    >>> x, y = Value(2.0, label="x"), Value(3.0, label="y")
    >>> found = Outline(x * y + 1)
    >>> [(found.name(v) or v._op, found.kinds[v].value) for v in found.order]
    [('x', 'input'), ('y', 'input'), ('*', 'result'), ('', 'constant'), ('+', 'result')]
    """

    def __init__(self, root: Value, names: Mapping[Value, str] | None = None) -> None:
        self.root = root
        for v in names or ():
            if not isinstance(v, Value):
                raise TypeError(f"names must be of Values, as in names={{w: 'w'}}: got {v!r}")
        with uncollected():
            self._look_at(root, dict(names or {}))

    def _look_at(self, root: Value, names: dict[Value, str]) -> None:
        self.order = toposort(root)
        self.groups: list[Group] = []  # an outer one before those in it
        self.home: dict[Value, Group | None] = {}  # the innermost group of each Value
        self.kinds: dict[Value, Kind] = {}
        self._names = names
        self._paths: dict[Value, str] = {}  # of parameters
        self._make_groups()
        self._find_parameters()
        self._number_namesakes()
        self._tell_kinds()
        self._fill_groups()

    def name(self, v: Value) -> str:
        """Return the name of a Value, or an empty string if it has none."""
        return self._names.get(v) or str(v.label or "") or self._paths.get(v, "")

    @cached_property
    def filled(self) -> bool:
        """Tell whether a backward pass has run: some result has a gradient."""
        results = [v for v in self.order if v.parents] or self.order
        return any(v.grad != 0 for v in results)

    def _make_groups(self) -> None:
        made: dict[Scope, Group] = {}
        for v in self.order:
            scope = scope_of(v)
            line = []
            while scope is not None and scope not in made:
                line.append(scope)
                scope = scope.parent
            group = made[scope] if scope is not None else None
            for inner in reversed(line):
                group = made[inner] = Group(inner, group)
                self.groups.append(group)
            self.home[v] = group
        for group in reversed(self.groups):
            if group.parent:
                group.parent.height = max(group.parent.height, group.height + 1)

    def _find_parameters(self) -> None:
        """Name modules and parameters by their path from the outermost module."""
        outermost = {id(g.module): g.module for g in self.groups if _is_outermost(g)}
        titles = tell_apart([type(module).__name__ for module in outermost.values()])
        present = set(self.order)
        for module, title in zip(outermost.values(), titles):
            holders = self._name_groups(module, title)
            prefix = f"{title}." if len(outermost) > 1 else ""
            for path, p in module.named_parameters():
                if p in present and p not in self._paths:
                    self._paths[p] = prefix + path
                    self.home[p] = home = _holder(path, holders)
                    for group in home.line():
                        group.parameters.append((path.removeprefix(group.path).lstrip("."), p))

    def _name_groups(self, outer: Any, title: str) -> dict[str, Group]:
        """Set the titles of the groups of a module and of its parts; return these by path."""
        paths = {id(part): path for path, part in outer.named_modules()}
        found: dict[str, Group] = {}
        for group in self.groups:
            path = None if group.module is None else paths.get(id(group.module))
            if path is not None:
                found.setdefault(path, group)
                group.path = path
                group.title = path or title
        return found

    def _number_namesakes(self) -> None:
        """Number deleted modules of one class, which no longer have a path."""
        lost = [g for g in self.groups if g.title == g.kind and g.module is None]
        for parent in {g.parent for g in lost}:
            siblings = [g for g in lost if g.parent is parent]
            for group, title in zip(siblings, tell_apart([g.kind for g in siblings])):
                group.title = title

    def _tell_kinds(self) -> None:
        entering: set[Value] = set()  # used by an operation in another scope
        for v in self.order:
            home = self.home[v]
            if home is not None:
                entering.update(x for x in v.parents if self.home[x] is not home)
        for v in self.order:
            if v.parents:
                self.kinds[v] = Kind.RESULT
            elif v in self._paths:
                self.kinds[v] = Kind.PARAMETER
            elif self.name(v) or v in entering:
                self.kinds[v] = Kind.INPUT
                self.home[v] = None  # even if a Layer made it from a number
            else:
                self.kinds[v] = Kind.CONSTANT

    def _fill_groups(self) -> None:
        for v in self.order:
            home = self.home[v]
            if home is not None:
                for group in home.line():
                    group.values.append(v)


def _is_outermost(group: Group) -> bool:
    """Tell whether a group belongs to a module and lies in no other module's."""
    return [g for g in group.line() if g.module is not None] == [group]


def _holder(path: str, holders: Mapping[str, Group]) -> Group:
    """Return the innermost module on the path to a parameter.

    The path is shortened step by step: `layers[0].w[1]`, `layers[0].w`, `layers[0]`.
    """
    while path not in holders and path:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return holders[path]


_INDEX = re.compile(r"\[([^]]*)\]")


def shapes(paths: Iterable[str]) -> list[str]:
    """Summarise the paths of parameters by name and shape.

    >>> shapes(["neurons[0].w[0]", "neurons[0].w[1]", "neurons[0].b"])
    ['w 2', 'b']
    >>> shapes(f"neurons[{i}].w[{j}]" for i in range(3) for j in range(2))
    ['w 3×2']
    >>> shapes(["layers[0].w[0]", "layers[0].w[1]", "layers[1].w[0]"])
    ['layers[0].w 2', 'layers[1].w']
    """
    patterns: dict[str, list[tuple[str, ...]]] = {}
    for path in paths:
        patterns.setdefault(_INDEX.sub("[]", path), []).append(tuple(_INDEX.findall(path)))
    said = []
    for pattern, indices in patterns.items():
        parts = [("", indices)] if _fills_a_box(indices) else _by_first_index(pattern, indices)
        name = pattern.replace("[]", "").rpartition(".")[2] or pattern
        for prefix, members in parts:
            sizes = [len(set(side)) for side in zip(*members)]
            shape = "×".join(str(size) for size in sizes if size > 1)
            if not _fills_a_box(members):
                shape = f"({len(members):,})"  # ragged: only their number
            said.append(f"{prefix}{name} {shape}".rstrip())
    return said


def _fills_a_box(indices: list[tuple[str, ...]]) -> bool:
    return math.prod(len(set(side)) for side in zip(*indices)) == len(indices)


def _by_first_index(
    pattern: str, indices: list[tuple[str, ...]]
) -> list[tuple[str, list[tuple[str, ...]]]]:
    parts: dict[str, list[tuple[str, ...]]] = {}
    for first, *rest in indices:
        parts.setdefault(first, []).append(tuple(rest))
    name = pattern.partition("[]")[0]
    return [(f"{name}[{first}].", rest) for first, rest in parts.items()]
