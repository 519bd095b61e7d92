"""Where a gradient comes from: every contribution that is added up in it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from functools import cached_property
from itertools import chain, count
from typing import NamedTuple, TypeVar

from micrograd.engine import Value, toposort
from micrograd.explain.membership import module_names, number_examples, parameter_path
from micrograd.graph.steps import Step, backward_steps, local_formula
from micrograd.symbolic.formula import Formula
from micrograd.value.identity import IdentityDict, OperandSet
from micrograd.value.words.calls import called_as
from micrograd.value.words.tables import Cell, Table, format_cell

MANY = 12  # contributions that are still shown one by one
Group = TypeVar("Group", bound=Hashable)


class Contribution(NamedTuple):
    """One share of a Value's gradient: local derivative times upstream gradient of one use.

    `local` is d consumer / d v, or None where a `_backward` assigned by hand only tells what it
    adds; `upstream` is d output / d consumer; `product` is what is added. `example` is the number
    of the example that it belongs to, from 1, or None; `module` names the module (or else the
    scope) that recorded the consumer, "" outside of any.

    >>> w = Value(0.5, label="w")
    >>> (row,) = contributions(w.sigmoid(), w).data
    >>> row.formula, row.upstream
    (Formula('out * (1 - out)'), 1.0)
    """

    consumer: Value
    position: int  # which of consumer.parents v is
    local: float | None
    upstream: float
    product: float
    example: int | None
    module: str

    @property
    def formula(self) -> Formula | None:
        """The formula of `local`; None if no operation made the consumer."""
        if self.local is None:
            return None
        return local_formula(self.consumer, self.position, _names(self.consumer, self.position))


@called_as("contributions(loss, w), for all that is added up in w.grad")
def contributions(output: Value, v: Value) -> Contributions:
    """List everything that `output.backward()` adds up in `v.grad`, and where it comes from.

    There is one contribution for each time that v is an operand. v may be a leaf or any Value on
    the way; the list is empty if output does not depend on it. No data or grad changes. Raises
    what `backward()` raises, and TypeError if an argument is not a Value.

    >>> w, x = Value(0.5, label="w"), Value(3.0, label="x")
    >>> print(contributions(2 * (w * x) + w**2, w))
    Contributions of the output to w.grad
    through  local derivative  its value  gradient that arrived  product
    --------------------------------------------------------------------
    w * x    x                         3                      2        6
    w ** 2   2 * w                     1                      1        1
    sum                                                                7
    2 paths from w to the output.
    w.grad is 0 now: backward() has not run, or it was set to 0 since.
    """
    for name, argument in (("output", output), ("v", v)):
        if not isinstance(argument, Value):
            raise TypeError(f"contributions: {name} must be a Value, got {argument!r}")
    return Contributions(output, v)


class Contributions:
    """The result of `contributions`; shows itself as a table and, in LaTeX, as a sum.

    `data` lists the contributions in the order in which the graph was recorded. `total` is their
    sum: the derivative of `output` with respect to `v`.

    >>> w = Value(0.5)
    >>> found = contributions(w * 3 + w * w, w)
    >>> [(row.local, row.upstream, row.product) for row in found.data], found.total
    ([(3.0, 1.0, 3.0), (0.5, 1.0, 0.5), (0.5, 1.0, 0.5)], 4.0)
    """

    def __init__(self, output: Value, v: Value) -> None:
        self.output = output
        self.v = v
        self._steps = backward_steps(output)
        own = [step for step in self._steps if step.operand is v]
        self.total: float = own[-1].total if own else float(v is output)
        own.reverse()  # in the order in which the graph was recorded
        numbers = number_examples(output, self._steps) if own else {}
        names = module_names(step.consumer for step in own)
        self.data: list[Contribution] = [
            _contribution(step, numbers, name) for step, name in zip(own, names)
        ]

    @property
    def remainder(self) -> float:
        """The part of `v.grad` beyond the total: from other outputs, or from earlier passes.

        >>> w = Value(3.0)
        >>> for _ in range(2):
        ...     (w * w).backward()
        >>> contributions(w * w, w).remainder
        6.0
        """
        return self.v.grad - self.total

    @cached_property
    def paths(self) -> int:
        """The number of paths from v to the output along which a gradient can pass.

        `backward()` does not walk them one by one; it adds up at each node what has arrived.

        >>> v = w = Value(1.0)
        >>> for _ in range(10):
        ...     v = v + v
        >>> contributions(v, w).paths
        1024
        """
        interior = {step.consumer for step in self._steps}
        counted = Counter({self.output: 1})
        consumer = self.output
        for step in self._steps:
            if step.consumer is not consumer:
                if consumer is not self.v:
                    del counted[consumer]  # with many paths these are long numbers
                consumer = step.consumer
            if step.operand in interior or step.operand is self.v:
                counted[step.operand] += counted[consumer]
        return counted[self.v]

    def by_example(self) -> dict[int | None, float]:
        """Add up the products of each example; the key None collects what belongs to no example.

        Examples are the terms of the outermost sum, in the order in which they were recorded:
        parts of the graph that share only leaves, the parameters. A term without a leaf of its own
        has no inputs, so it is not an example (but a penalty on the weights, say). A single term
        is not counted as an example either.

        >>> w = Value(0.5)
        >>> costs = [(w * x - y) ** 2 for x, y in [(1.0, 2.0), (2.0, 3.0)]]
        >>> contributions(sum(costs) / 2 + 0.1 * (w * w), w).by_example()
        {1: -1.5, 2: -4.0, None: 0.1}
        """
        return _sums((row.example, row.product) for row in self.data)

    def by_module(self) -> dict[str, float]:
        """Add up the products by the module, or else the scope, that recorded the consumer.

        >>> from micrograd.nn import MLP
        >>> model, x = MLP(1, [2, 1]), Value(0.5)
        >>> list(contributions(model(x) + x, x).by_module())
        ['MLP.layers[0].neurons[0]', 'MLP.layers[0].neurons[1]', '']
        """
        return _sums((row.module, row.product) for row in self.data)

    def tables(self) -> list[Table]:
        """Lay out the contributions one by one and, if there are many, in groups too.

        >>> w = Value(0.5, label="w")
        >>> costs = [(w * x * (w + x)) ** 2 for x in (1, 2, 3, 4, 5, 6, 7)]
        >>> print(contributions(sum(costs), w).tables()[1])
        example    product
        ------------------
        example 1        3
        example 2       30
        example 3      126
        example 4      360
        example 5      825
        example 6     1638
        example 7     2940
        sum           5922
        """
        output, v, path = _name(self.output, "the output"), _name(self.v, "v"), self._path
        by_example = {_example_name(key): total for key, total in self.by_example().items()}
        by_module = {key or "no module": total for key, total in self.by_module().items()}
        groups = {"example": by_example, "module": by_module}
        several = {name: sums for name, sums in groups.items() if len(sums) > 1}
        tables = [
            _table(
                f"Contributions of {output} to {v}.grad" + (path and f", {v} = {path}"),
                [*several, "through", "local derivative", "its value", "gradient that arrived"],
                [row.product for row in self.data],
                lambda i: _cells(self.data[i], several),
                self.total,
                self._note(),
            )
        ]
        if len(self.data) > MANY:
            tables += [
                _by_group(name, sums, self.total)
                for name, sums in several.items()
                if len(sums) < len(self.data)
            ]
        return tables

    @cached_property
    def _path(self) -> str:
        """The path to v in its module, if it is a parameter without a label."""
        users = [row.consumer for row in self.data]
        return "" if self.v.label or self.v.parents else parameter_path(self.v, users)

    def _note(self) -> str:
        v = _name(self.v, "v")
        if self.v is self.output:
            return "The output is this Value itself: its derivative with respect to itself is 1."
        if not self.data:
            note = f"The output does not depend on {v}, or no derivative is passed on to it."
            if self.output in toposort(self.v):
                note += "\nIt is the other way round: ask for contributions(v, output)."
            return note
        lines = [f"{_count(self.paths, 'path')} from {v} to the output."]
        grad = format_cell(self.v.grad)
        if self.v.grad == 0 != self.total:
            lines.append(f"{v}.grad is 0 now: backward() has not run, or it was set to 0 since.")
        elif not math.isclose(self.v.grad, self.total, rel_tol=1e-9, abs_tol=1e-300):
            lines.append(
                f"{v}.grad is {grad} now: {format_cell(self.remainder)} came from other passes."
            )
        return "\n".join(lines)

    def __str__(self) -> str:
        return "\n\n".join(table.text() for table in self.tables())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self.tables())

    def _repr_latex_(self) -> str:
        output, v = _latex_name(self.output, "output"), _latex_name(self.v, "v")
        products = [
            _rounded(row.product)
            if row.local is None
            else _rounded(row.local) * _rounded(row.upstream)
            for row in self.data[:MANY]
        ]
        terms = sum(products[1:], products[0]).latex() if products else "0"
        dots = r" + \dots" if len(self.data) > MANY else ""
        total = _rounded(self.total).latex()
        return rf"$$ \frac{{\partial\,{output}}}{{\partial\,{v}}} = {terms}{dots} = {total} $$"


def _contribution(step: Step, numbers: Mapping[Value, int], module: str) -> Contribution:
    # If v is a term of the outermost sum, v itself tells which example that is.
    example = numbers.get(step.consumer, numbers.get(step.operand))
    consumer, position, _, local, upstream, product, _ = step
    return Contribution(consumer, position, local, upstream, product, example, module)


def _sums(pairs: Iterable[tuple[Group, float]]) -> dict[Group, float]:
    sums: dict[Group, float] = {}
    for group, number in pairs:
        sums[group] = sums.get(group, 0.0) + number
    return sums


# Layout ----------------------------------------------------------------------------------------


def _table(
    title: str,
    header: list[str],
    products: list[float],
    cells: Callable[[int], list[Cell]],
    total: float,
    note: str = "",
) -> Table:
    """Lay out products and their sum; of many products, the largest."""
    by_size = sorted(range(len(products)), key=lambda i: -abs(products[i]))
    rows = [[*cells(i), products[i]] for i in sorted(by_size[:MANY])]
    blanks = [""] * (len(header) - 1)
    if others := [products[i] for i in by_size[MANY:]]:
        rows.append([f"{len(others)} smaller ones", *blanks, math.fsum(others)])
    rows.append(["sum", *blanks, total])
    return Table(title, [*header, "product"], rows, note)


def _by_group(name: str, sums: Mapping[str, float], total: float) -> Table:
    cells: list[list[Cell]] = [[key] for key in sums]
    return _table("", [name], list(sums.values()), cells.__getitem__, total)


def _cells(row: Contribution, groups: Iterable[str]) -> list[Cell]:
    places = {"example": _example_name(row.example), "module": row.module or "no module"}
    formula = "" if row.formula is None else row.formula.text()
    local = "" if row.local is None else row.local
    through = _expression(row.consumer, row.position)
    return [*(places[name] for name in groups), through, formula, local, row.upstream]


def _expression(node: Value, position: int) -> str:
    """Write a node in terms of its operands."""
    if node.op is None:
        return node.label or node._op or "a node made by hand"
    names = _names(node, position)
    operands = [Formula(names[x] if isinstance(x, Value) else x) for x in node.args]
    return operands[0]._apply(node.op, tuple(operands)).text()


def _names(node: Value, position: int) -> IdentityDict[Value, str]:
    """Name the operands of a node by their labels, those without one v, x, y, x3 ..."""
    operands = OperandSet(node.parents)
    names = IdentityDict((operand, operand.label) for operand in operands if operand.label)
    names.setdefault(node.parents[position], "v")
    free = (name for name in chain("xy", map("x{}".format, count(3))) if name not in names.values())
    for operand in operands:
        if operand not in names:
            names[operand] = next(free)
    return names


def _name(v: Value, otherwise: str) -> str:
    return v.label or otherwise


def _count(number: int, thing: str) -> str:
    """Write a count, such as `1 path`; a very long number as a power of ten."""
    if number < 10**15:
        return f"{number:,} {thing}{'s' if number != 1 else ''}"
    return f"about 10**{int(number.bit_length() * math.log10(2))} {thing}s"


def _example_name(example: int | None) -> str:
    return f"example {example}" if example else "no example"


def _rounded(number: float) -> Formula:
    return Formula(float(format_cell(number)))


def _latex_name(v: Value, otherwise: str) -> str:
    return Formula(v.label or otherwise).latex()
