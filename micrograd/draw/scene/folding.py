"""Which Values of a graph share a box: those of a module, the terms of a sum, and those alike.

A graph of a hundred thousand Values is folded in a few passes over it, without recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, NamedTuple

from micrograd import ops
from micrograd.draw.scene.outline import Group, Kind, Outline
from micrograd.engine import Value
from micrograd.native.gc_pause import uncollected

BOXES = 60  # the most boxes in a picture, unless another number is asked for
MANY = 4  # the fewest terms, or Values used alike, that share a box
LONG = 8  # the fewest operations in a row that share a box
PARTS = 10  # into how many parts a graph is cut if nothing else helps


class Box:
    """What stands for one Value in a picture, or for many.

    `group` is the module or scope that a folded box holds; `pattern` says what else it is, such
    as "+ of 100 terms". A Value of its own has neither.
    """

    __slots__ = ("group", "pattern", "values")

    def __init__(self, values: list[Value], group: Group | None = None, pattern: str = "") -> None:
        self.values = values
        self.group = group
        self.pattern = pattern

    @property
    def folded(self) -> bool:
        """Whether it stands for a module or for several Values."""
        return self.group is not None or bool(self.pattern)


class Arrow(NamedTuple):
    """An operand's way into an operation; where a box is folded, all the ways from one to another.

    `consumer.parents[position]` is the operand, where both boxes are single Values; else
    `merged` tells how many ways it stands for.
    """

    tail: Box
    head: Box
    consumer: Value
    position: int
    merged: int


class Folding:
    """The boxes of a picture, operands before what uses them, and the box that holds each Value."""

    def __init__(self, outline: Outline, boxes: Iterable[Box]) -> None:
        self.outline = outline
        self.boxes = list(boxes)
        self.box_of = {v: box for box in self.boxes for v in box.values}
        self._used: set[Value] | None = None

    def exits(self, box: Box) -> list[Value]:
        """List the results in a box that other boxes use, or the root."""
        if self._used is None:
            self._used = {self.outline.root}
            for head in self.boxes:
                for consumer in head.values:
                    self._used.update(x for x in consumer.parents if self.box_of[x] is not head)
        return [v for v in box.values if v in self._used and v.parents]

    def arrows(self) -> list[Arrow]:
        """List the arrows, those into one box together, in the order of its operands.

        >>> a = Value(2.0, label="a")
        >>> pair = unfolded(Outline(a + a))
        >>> [(arrow.consumer._op, arrow.position) for arrow in pair.arrows()]
        [('+', 0), ('+', 1)]
        """
        found: list[Arrow] = []
        box_of = self.box_of
        for head in self.boxes:
            merged: dict[Box, list[Any]] = {}  # the first way from each folded box, and how many
            for consumer in head.values:
                for position, operand in enumerate(consumer.parents):
                    tail = box_of[operand]
                    if tail is head:
                        continue
                    if tail in merged:
                        merged[tail][-1] += 1
                    elif head.folded or tail.folded:
                        merged[tail] = [consumer, position, 1]
                    else:
                        found.append(Arrow(tail, head, consumer, position, 1))
            found += (Arrow(tail, head, *way) for tail, way in merged.items())
        return found


def unfolded(outline: Outline) -> Folding:
    """Give every Value a box of its own.

    >>> len(unfolded(Outline(Value(2.0) + Value(3.0))).boxes)
    3
    """
    return Folding(outline, [Box([v]) for v in outline.order])


def fold(
    outline: Outline,
    most: int = 60,
    modules: str | None = None,
    fits: Callable[[Folding], bool] = lambda folding: True,
) -> Folding:
    """Fold a graph, the innermost modules first, until at most `most` boxes remain, and it `fits`.

    Modules that hold all results stay open, since a single box shows nothing. When closing modules
    is not enough, long sums and chains fold too, and Values that are used alike; at last the graph
    is cut into parts. `modules` names a class of modules, or a scope, to be folded instead;
    "network" stands for the outermost ones. Raises ValueError when there is none of that name.

    >>> from micrograd.nn import MLP
    >>> model = MLP(2, [16, 16, 1])
    >>> small = fold(Outline(model([1.0, -2.0])), most=10)
    >>> [box.group.title for box in small.boxes if box.group]
    ['layers[0]', 'layers[1]', 'layers[2]']
    """
    with uncollected():
        return _fold(outline, most, modules, fits)


def _fold(
    outline: Outline, most: int, modules: str | None, fits: Callable[[Folding], bool]
) -> Folding:
    folding = unfolded(outline)
    if modules is None and len(outline.order) <= most and fits(folding):
        return folding
    ways = [_named(outline, modules)] if modules is not None else _by_height(outline)
    graph = _Graph(outline)
    for with_patterns in (False, True):
        for closed in ways:
            units = graph.units(closed, with_patterns)
            if len(set(units.unit)) <= most:
                folding = Folding(outline, units.boxes())
                if modules is not None or fits(folding):
                    return folding
    return (
        folding
        if len(folding.boxes) <= most
        else Folding(outline, _parts(units.boxes(), min(PARTS, most - 1)))
    )


def _by_height(outline: Outline) -> list[set[Group]]:
    """What may be closed, from innermost modules only to the outermost that leave a picture."""
    results = sum(1 for v in outline.order if outline.kinds[v] is Kind.RESULT)
    closable = [g for g in outline.groups if _results(outline, g) < results]
    heights = sorted({g.height for g in closable})
    return [{g for g in closable if g.height <= height} for height in heights] or [set()]


def check_fold(outline: Outline, fold: Any) -> None:
    """Raise ValueError when `fold` is neither a number of boxes, nor None, nor a name in there."""
    is_number = isinstance(fold, int) and not isinstance(fold, bool)
    if not (fold is None or isinstance(fold, str) or (is_number and fold >= 2)):
        raise ValueError(
            f"fold must be a number of boxes, 2 or more, a name, or None: got {fold!r}"
        )
    if isinstance(fold, str):
        _named(outline, fold)


def _results(outline: Outline, group: Group) -> int:
    return sum(1 for v in group.values if outline.kinds[v] is Kind.RESULT)


def _named(outline: Outline, name: str) -> set[Group]:
    if name.lower() == "network":
        found = {g for g in outline.groups if g.parent is None}
    else:
        found = {g for g in outline.groups if g.kind.lower() == name.lower()}
    if not found:
        kinds = sorted({g.kind for g in outline.groups}, key=str.lower)
        raise ValueError(
            f"this graph holds no {name!r} to fold: "
            + (
                f"it has {', '.join(kinds)}"
                if kinds
                else "nothing in it was made by a module or within micrograd.scope(...)"
            )
        )
    return found


class _Graph:
    """A graph as lists of numbers: a Value is its place in the order of evaluation."""

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self.order = outline.order
        index = {v: i for i, v in enumerate(self.order)}
        self.operands = [[index[x] for x in v.parents] for v in self.order]
        self.consumers: list[list[int]] = [[] for _ in self.order]
        for i, operands in enumerate(self.operands):
            for x in operands:
                self.consumers[x].append(i)
        self.homes = [outline.home[v] for v in self.order]
        self.kinds = [outline.kinds[v] for v in self.order]

    def units(self, closed: set[Group], with_patterns: bool) -> _Units:
        """What shares a box when the groups in `closed` are folded."""
        held = _outermost(self.outline.groups, closed)
        units = _Units(self, [held.get(home) for home in self.homes])
        if with_patterns:
            units.join_sums()
            units.join_chains()
            units.join_alike()
        return units


def _outermost(groups: list[Group], closed: set[Group]) -> dict[Group | None, Group]:
    """For each group that is folded, the outermost closed one around it."""
    held: dict[Group | None, Group] = {}
    for group in groups:  # an outer one before those in it
        around = held.get(group.parent)
        if around is not None or group in closed:
            held[group] = around or group
    return held


class _Units:
    """Values joined step by step: each has a unit, named by a folded group or by a Value in it."""

    def __init__(self, graph: _Graph, folded: list[Group | None]) -> None:
        self.graph = graph
        self.folded = folded
        self.unit: list[Group | int] = [group or i for i, group in enumerate(folded)]
        self.pattern: dict[int, str] = {}  # what a unit of several Values is
        self._places: dict[int, dict[int, int]] = {}

    def members(self) -> dict[Group | int, list[int]]:
        """The Values of each unit, units in the order of their last Values."""
        found: dict[Group | int, list[int]] = {}
        for i in reversed(range(len(self.unit))):
            found.setdefault(self.unit[i], []).append(i)
        return {unit: found[unit][::-1] for unit in reversed(found)}

    def boxes(self) -> list[Box]:
        """A box per unit."""
        order = self.graph.order
        return [
            Box([order[i] for i in inside], unit) if isinstance(unit, Group)
            else Box([order[i] for i in inside], pattern=self.pattern.get(unit, ""))
            for unit, inside in self.members().items()
        ]  # fmt: skip

    def join_sums(self) -> None:
        """Join a long sum, or product, of terms that nothing else uses on the way."""
        graph = self.graph
        top: dict[int, int] = {}  # of each addition: the last one of its sum
        terms: dict[int, list[int]] = {}
        for i in reversed(range(len(graph.order))):
            op = graph.order[i].op
            if self.folded[i] is not None or (op is not ops.add and op is not ops.multiply):
                continue
            after = graph.consumers[i]
            outer = after[0] if len(after) == 1 and self._together(i, after[0]) else None
            joined = outer in top and graph.order[after[0]].op is op
            top[i] = top[after[0]] if joined else i
            terms.setdefault(top[i], []).append(i)
        for last, additions in terms.items():
            outside = [x for i in additions for x in graph.operands[i] if top.get(x) != last]
            start = [x for x in outside if self._is_start(x)]  # what sum() begins with
            number = len(outside) - len(start)
            if number >= MANY:
                symbol = graph.order[last]._op
                what = "terms" if symbol == "+" else "factors"
                self._join(last, [*additions, *start], f"{symbol} of {number:,} {what}")

    def _is_start(self, x: int) -> bool:
        graph = self.graph
        return (
            graph.kinds[x] is Kind.CONSTANT
            and graph.order[x].data == 0
            and len(graph.consumers[x]) == 1
        )

    def join_chains(self) -> None:
        """Join operations in a row, each of which takes nothing but the last one and leaves."""
        graph = self.graph
        chain: dict[int, list[int]] = {}  # by the last operation so far
        for i in range(len(graph.order) - 1):  # the root stays by itself
            if self.unit[i] != i or i in self.pattern or graph.kinds[i] is not Kind.RESULT:
                continue
            before = {x for x in graph.operands[i] if graph.kinds[x] is Kind.RESULT}
            x = before.pop() if len(before) == 1 else -1
            follows = x in chain and set(graph.consumers[x]) == {i} and self._together(x, i)
            row = chain.pop(x) if follows else []
            row.append(i)
            chain[i] = row
        for last, row in chain.items():
            if len(row) >= LONG:
                own = [x for i in row for x in graph.operands[i] if self._is_own(x, i)]
                self._join(last, [*row, *own], f"{len(row):,} operations in a row")

    def _is_own(self, x: int, i: int) -> bool:
        graph = self.graph
        return graph.kinds[x] is Kind.CONSTANT and set(graph.consumers[x]) == {i}

    def _together(self, i: int, j: int) -> bool:
        return self.folded[j] is None and self.graph.homes[i] is self.graph.homes[j]

    def _join(self, last: int, inside: Iterable[int], pattern: str) -> None:
        for i in inside:
            self.unit[i] = last
        self.pattern[last] = pattern

    def join_alike(self) -> None:
        """Let units of one kind that are used in the same way, by units alike, share a box.

        Consumers are looked at first: what feeds the same sum with the same operation is alike,
        and so is then what feeds these.
        """
        members = self.members()
        roles: dict[Hashable, int] = {}
        role: dict[Group | int, int] = {}
        sharing: dict[int, list[Group | int]] = {}
        for unit, inside in reversed(members.items()):
            key = unit if isinstance(unit, Group) else self._role(unit, inside, role)
            role[unit] = roles.setdefault(key, len(roles))
            sharing.setdefault(role[unit], []).append(unit)
        for units in sharing.values():
            if len(units) >= MANY:
                first = units[-1]
                assert isinstance(first, int)
                pattern = self._pattern_of_many(len(units), first)
                for unit in units:
                    assert isinstance(unit, int)
                    self._join(first, members[unit], pattern)

    def _role(self, unit: int, inside: list[int], role: dict[Group | int, int]) -> Hashable:
        """What a unit is, and what uses it how."""
        graph = self.graph
        uses = set()
        for i in inside:
            for j in graph.consumers[i]:
                user = self.unit[j]
                if user == unit:
                    continue
                anywhere = isinstance(user, Group) or user in self.pattern
                place = -1 if anywhere else self._place(i, j)
                uses.add((user if isinstance(user, Group) else role[user], place))
        v = graph.order[unit]
        what = self.pattern.get(unit) or v._op
        return what, graph.kinds[unit], graph.homes[unit], frozenset(uses)

    def _place(self, i: int, j: int) -> int:
        """Where `i` first stands among the operands of `j`."""
        operands = self.graph.operands[j]
        if len(operands) <= MANY:
            return operands.index(i)
        if j not in self._places:  # the call of a program may have thousands
            self._places[j] = {}
            for place, x in enumerate(operands):
                self._places[j].setdefault(x, place)
        return self._places[j][i]

    def _pattern_of_many(self, number: int, unit: int) -> str:
        if unit in self.pattern:
            return f"{number:,} alike: {self.pattern[unit]}"
        kind = self.graph.kinds[unit]
        if kind is Kind.RESULT:
            return f"{number:,} alike: {self.graph.order[unit]._op or 'results'}"
        return f"{number:,} {kind.value}s"


def _parts(boxes: list[Box], parts: int) -> Iterator[Box]:
    """Cut what is left into parts that follow each other; the root keeps a box of its own."""
    *others, last = boxes
    size = -(-len(others) // parts)
    for start in range(0, len(others), size):
        values = [v for box in others[start : start + size] for v in box.values]
        yield Box(values, pattern=f"part {start // size + 1} of {-(-len(others) // size)}")
    yield last
