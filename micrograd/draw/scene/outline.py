"""Describe a graph for a picture: the kind, the name and the module or scope of each Value.

`folding` then decides which Values share a box.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from micrograd.draw.scene.convex import LEAVES, convex_pieces
from micrograd.draw.scene.names import assigned_names, module_names, names_of
from micrograd.engine import Value, toposort
from micrograd.graph.scopes import Scope, scope_of, tell_apart
from micrograd.native.gc_pause import uncollected
from micrograd.value.identity import IdentityDict


class Kind(enum.Enum):
    """The role of a Value in its graph."""

    PARAMETER = "parameter"  # a leaf listed by a module of the graph
    INPUT = "input"  # a leaf with a label, or one passed to a module
    LEAF = "leaf"  # any other Value that somebody made, and so may train
    CONSTANT = "constant"  # a leaf that an operation made of a number, as the 2 in `2 * x`
    RESULT = "result"  # the output of an operation


class Group:
    """The Values recorded in one scope: by the calls of a module, or in a `with scope(...)` block.

    `places` are those of its Values in the order of evaluation, those of inner groups and the
    parameters of the module among them. `height` is 0 for an innermost group. Where other Values
    lie between the calls of a module, each call is a group.
    """

    def __init__(self, scope: Scope, parent: Group | None) -> None:
        self.scope = scope
        self.module: Any = scope.module  # None for a named scope, or once it is deleted
        self.parent = parent
        # From the outermost group around it down to itself.
        self.nest: tuple[Group, ...] = (*parent.nest, self) if parent else (self,)
        self.title: str = scope.name
        self.path = ""  # from the outermost module, as in layers[0]
        self.height = 0
        self.places: list[int] = []
        self.parameters: list[tuple[str, Value]] = []  # paths relative to the module

    @property
    def kind(self) -> str:
        """Return the class of the module, or the name of the scope."""
        return self.scope.name

    def line(self) -> Iterator[Group]:
        """Return this group, the one around it, and so on outward."""
        return reversed(self.nest)

    def copy(self, parent: Group | None, title: str) -> Group:
        """Return a group of the same scope, still empty."""
        other = Group(self.scope, parent)
        other.path, other.title = self.path, title
        return other


class Outline:
    """A graph as people see it: its Values in order of evaluation, their kinds, names and groups.

    `roots` is the Value at its end, or several. A Value is called by its entry in `names` (see
    `names_of`), else by its label, else, if it is a parameter, by its attribute path, else by the
    variable that its source line assigned.

    >>> x, y = Value(2.0, label="x"), Value(3.0, label="y")
    >>> found = Outline(x * y + 1)
    >>> [(found.name(v) or v._op, found.kinds[v].value) for v in found.order]
    [('x', 'input'), ('y', 'input'), ('*', 'result'), ('', 'constant'), ('+', 'result')]
    """

    def __init__(
        self, roots: Value | Sequence[Value], names: Mapping[Any, Any] | None = None
    ) -> None:
        self.roots: tuple[Value] | tuple[Value, ...] = (
            (roots,) if isinstance(roots, Value) else tuple(roots)
        )
        with uncollected():
            self._look(names)

    def _look(self, names: Mapping[Any, Any] | None) -> None:
        self.order: list[Value] = all_before(self.roots)
        self._place = place = dict(zip(map(id, self.order), range(len(self.order))))
        # Of all Values in order: the places of their operands, names, kinds, innermost groups.
        self.operands: list[list[int]] = [[place[id(x)] for x in v.parents] for v in self.order]
        self.name_at: list[str] = [str(v.label or "") for v in self.order]
        self.kind_at: list[Kind] = []
        self.home_at: list[Group | None] = []
        self.groups: list[Group] = []  # outer ones first
        self._paths: dict[int, str] = {}  # of parameters, by place, from the outermost module
        self._make_groups()
        self._set_names(names)
        self._number_namesakes()
        self._set_kinds()
        self._make_convex()
        self._fill_groups()

    @property
    def root(self) -> Value:
        """Return the Value at the end of the graph; the last one if there are several."""
        return self.roots[-1]

    def place(self, v: Value) -> int:
        """Return the place of a Value in the order of evaluation."""
        return self._place[id(v)]

    def name(self, v: Value) -> str:
        """Return the name of a Value, or an empty string if it has none."""
        return self.name_at[self.place(v)]

    @cached_property
    def kinds(self) -> IdentityDict[Value, Kind]:
        """Return the kind of each Value."""
        return IdentityDict(zip(self.order, self.kind_at))

    @cached_property
    def ops(self) -> list[Any]:
        """List the operations of all Values in order; None for leaves."""
        return [v.op for v in self.order]

    @cached_property
    def consumers(self) -> list[list[int]]:
        """List the places of the Values that use each one, once for each use."""
        found: list[list[int]] = [[] for _ in self.order]
        for i, used in enumerate(self.operands):
            for x in used:
                found[x].append(i)
        return found

    @cached_property
    def home(self) -> IdentityDict[Value, Group | None]:
        """Return the innermost group of each Value."""
        return IdentityDict(zip(self.order, self.home_at))

    @cached_property
    def filled(self) -> bool:
        """Tell whether a backward pass has run: some result has a gradient."""
        results = [v for v, used in zip(self.order, self.operands) if used] or self.order
        return any(v.grad != 0 for v in results)

    def _make_groups(self) -> None:
        made: dict[Scope, Group] = {}
        for scope in map(scope_of, self.order):
            if scope is None:
                self.home_at.append(None)
                continue
            line = []
            while scope is not None and scope not in made:
                line.append(scope)
                scope = scope.parent
            group = made[scope] if scope is not None else None
            for inner in reversed(line):
                group = made[inner] = Group(inner, group)
                self.groups.append(group)
            self.home_at.append(group)

    def _set_names(self, given: Mapping[Any, Any] | None) -> None:
        """Name Values: as given, else by labels, paths, or the lines that assigned them."""
        prefix = self._find_parameters(module_names(given))
        for i, path in self._paths.items():
            self.name_at[i] = self.name_at[i] or prefix[i] + path
        for v, name in assigned_names(self.order).items():
            i = self.place(v)
            self.name_at[i] = self.name_at[i] or name
        for v, name in names_of(given).items():
            if name and id(v) in self._place:
                self.name_at[self.place(v)] = str(name)

    def _find_parameters(self, given: Mapping[int, str]) -> dict[int, str]:
        """Find modules and parameters by path; return what tells those of several models apart.

        `given` has names of models, by their ids.
        """
        outermost: dict[int, list[Group]] = {}
        for group in self.groups:
            if _is_outermost(group):
                same = id(group.scope if group.module is None else group.module)
                outermost.setdefault(same, []).append(group)
        titles = tell_apart([groups[0].kind for groups in outermost.values()])
        prefix: dict[int, str] = {}
        for (key, groups), title in zip(outermost.items(), titles):
            title = given.get(key, title)
            model = f"{title}." if len(outermost) > 1 else ""
            paths, parameters = groups[0].scope.paths
            holders = self._name_groups(groups, paths, title, model)
            for path, p in parameters:
                i = self._place.get(id(p))
                if i is not None and i not in self._paths:
                    self._paths[i] = path
                    self.home_at[i] = _holder(path, holders)
                    prefix[i] = model
        return prefix

    def _name_groups(
        self, outer: Sequence[Group], paths: Mapping[int, str], title: str, model: str
    ) -> dict[str, Group]:
        """Set the titles of the groups of a module and of its parts; return these by path."""
        found: dict[str, Group] = {}
        for group in self.groups:
            path = paths.get(group.scope.key)
            if path is not None and not set(outer).isdisjoint(group.line()):
                found.setdefault(path, group)
                group.path = path
                group.title = model + path if path else title
        return found

    def _number_namesakes(self) -> None:
        """Give numbers to deleted modules of one class, which no longer have a path."""
        lost = [g for g in self.groups if g.title == g.kind and g.module is None and not g.path]
        for parent in {g.parent for g in lost}:
            siblings = [g for g in lost if g.parent is parent]
            for group, title in zip(siblings, tell_apart([g.kind for g in siblings])):
                group.title = title

    def _set_kinds(self) -> None:
        home_at = self.home_at
        entering: set[int] = set()  # used by an operation in another scope
        for home, operands in zip(home_at, self.operands) if self.groups else ():
            if home is not None:
                entering.update([x for x in operands if home_at[x] is not home])
        for i, v in enumerate(self.order):
            if self.operands[i]:
                kind = Kind.RESULT
            elif i in self._paths:
                kind = Kind.PARAMETER
            elif i in entering or self.name_at[i]:
                kind = Kind.INPUT
                home_at[i] = None  # even if a Layer made it from a number
            else:
                kind = Kind.CONSTANT if v._is_plain_number else Kind.LEAF
            self.kind_at.append(kind)

    def _make_convex(self) -> None:
        """Split each group that other Values lie between, from the outermost groups inward."""
        depth = 0
        while any(len(group.nest) > depth for group in self.groups):
            number: dict[Group, int] = {}
            within: dict[Group | None, int | None] = {None: None}
            for group in self.groups:
                if len(group.nest) > depth:
                    within[group] = number.setdefault(group.nest[depth], len(number))
            pieces = convex_pieces(self.operands, [within.get(home) for home in self.home_at])
            if any(pieces):
                self._split(pieces, depth)
            depth += 1

    def _split(self, pieces: Sequence[int], depth: int) -> None:
        """Move each Value into the copy of its groups that belongs to its piece."""
        count: Counter[Group] = Counter()
        for home, piece in zip(self.home_at, pieces):
            nest = home.nest if home else ()
            if len(nest) > depth and piece >= count[nest[depth]]:
                count[nest[depth]] = piece + 1
        copies: dict[tuple[Group, int | Group], Group] = {}
        for i, number in enumerate(pieces):
            nest = home.nest if (home := self.home_at[i]) else ()
            if len(nest) <= depth or (count[nest[depth]] == 1 and number == 0):
                continue
            group = nest[depth]
            title = f"{group.title}, call {number + 1} of {count[group]}"
            if number == LEAVES:
                title = f"{group.title}: parameters"
            new = copies.get((group, number))
            if new is None:
                new = copies[group, number] = group.copy(group.parent, title)
            for inner in nest[depth + 1 :]:
                found = copies.get((inner, new))
                if found is None:
                    found = copies[inner, new] = inner.copy(new, inner.title)
                new = found
            self.home_at[i] = new
        if copies:
            self._collect_groups()

    def _collect_groups(self) -> None:
        found: dict[Group, None] = {}
        for home in self.home_at:
            if home is not None and home not in found:
                found.update(dict.fromkeys(home.nest))
        self.groups = list(found)

    def _fill_groups(self) -> None:
        for group in reversed(self.groups):
            if group.parent:
                group.parent.height = max(group.parent.height, group.height + 1)
        for i, home in enumerate(self.home_at):
            for group in home.nest if home else ():
                group.places.append(i)
        for i, path in self._paths.items():
            for group in home.nest if (home := self.home_at[i]) else ():
                group.parameters.append((path.removeprefix(group.path).lstrip("."), self.order[i]))


def all_before(roots: Sequence[Value]) -> list[Value]:
    """List everything that some Values were made from, operands first."""
    return toposort(*roots)


def _is_outermost(group: Group) -> bool:
    """Tell whether a group belongs to a module and lies in no other module's."""
    return [g for g in group.line() if g.scope.key] == [group]


def _holder(path: str, holders: Mapping[str, Group]) -> Group:
    """Return the innermost module on the path to a parameter.

    The path is shortened step by step: `layers[0].w[1]`, `layers[0].w`, `layers[0]`.
    """
    while path not in holders and path:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    return holders[path]
