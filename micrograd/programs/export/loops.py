"""A plan as loops over arrays of numbers, for one example: what C and JavaScript share.

A storage of the plan is an array, or shares one; a step is a nest of loops whose innermost line is
one assignment. Only what a `Dialect` says differs between the two languages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import inf, prod
from typing import Any

from micrograd import ops
from micrograd.ops import Op
from micrograd.programs.export.accesses import Access, Dims, joined
from micrograd.programs.export.dialects import Functions
from micrograd.programs.lift.groups import CONSTANTS, INPUT, PARAMETERS
from micrograd.programs.lower.plan import Plan
from micrograd.programs.lower.strides import Step, View
from micrograd.value.selection import Chosen, Take

# What a sum, a maximum and a minimum begin with.
_BEGINNINGS = {ops.add: 0.0, ops.maximum: -inf, ops.minimum: inf}


class Loops:
    """The lines of a plan's steps, and the arrays and tables that they need.

    `inputs` says what the arrays are called in which the arguments are given. The others are
    called parameters, weights (what each result counts for in the gradient) and gradient.
    """

    def __init__(
        self, plan: Plan, functions: Functions, inputs: dict[str, str], depth: int
    ) -> None:
        self.lines: list[str] = []
        self.arrays: dict[str, int] = {}  # to be declared, and how long they are
        self.tables: dict[tuple[int, ...], str] = {}  # of places
        self.constants: list[float] = plan.constants
        self.used: set[str] = set()
        self._plan = plan
        self._functions = functions
        self._dialect = functions.dialect
        self._depth = depth
        self._given = inputs
        self._names = [self._name(index) for index in range(len(plan.storages))]
        self._copy_inputs()

    def forward(self) -> None:
        """Write the steps that compute the results."""
        self._write(self._plan.forward)

    def backward(self) -> None:
        """Write the steps that compute the gradient."""
        gradient, count = "gradient", self._plan.storages[self._plan.gradients].rows
        self.used.add(gradient)
        if len(_written(self._plan)) < count:
            with self.loops((count,)) as [i]:
                self.line(f"{gradient}[{i}] = 0.0;")
        self._write(self._plan.backward)
        for storage, places, rows in self._plan.copied:
            for place, row in zip(places.tolist(), rows.tolist()):
                self.line(f"{gradient}[{place}] = {self.element(storage, row)};")

    def element(self, storage: int, row: int) -> str:
        """Write one element of a storage."""
        return self._access(View(storage, True, row, (), ())).at(())

    def line(self, text: str) -> None:
        """Add a line."""
        self.lines.append("    " * self._depth + text)

    @contextmanager
    def loops(self, dims: Dims, first: int = 0) -> Iterator[list[str]]:
        """Open loops, inside of `first` others; give their counters, and close them."""
        counters = [f"i{first + d + 1}" for d in range(len(dims))]
        for size, i in zip(dims, counters):
            self.line(f"for ({self._dialect.counter} {i} = 0; {i} < {size}; {i}++) {{")
            self._depth += 1
        yield counters
        for _ in dims:
            self._depth -= 1
            self.line("}")

    # Arrays --------------------------------------------------------------------------------------

    def _name(self, index: int) -> str:
        storage = self._plan.storages[index]
        if storage.kind == PARAMETERS:
            return "parameters"
        if storage.kind == CONSTANTS:
            return "constants"
        if storage.kind == INPUT and not storage.name:
            return "weights"
        if storage.kind == INPUT and not storage.ones:
            return self._given[storage.name]
        if index == self._plan.gradients:
            return "gradient"
        rows = storage.rows + storage.ones
        name = f"own_{index}"
        if storage.memory is not None:
            name, rows = f"memory_{storage.memory}", self._plan.memories[storage.memory]
        self.arrays[name] = rows
        return name

    def _copy_inputs(self) -> None:
        """Give the inputs that need one an element more, which is 1; and so for other arrays."""
        for storage, name in zip(self._plan.storages, self._names):
            if storage.ones and storage.kind == INPUT:
                given = self._given[storage.name]
                self.used.add(given)
                with self.loops((storage.rows,)) as [i]:
                    self.line(f"{name}[{i}] = {given}[{i}];")
            if storage.ones:
                self.used.add(name)
                self.line(f"{name}[{storage.rows}] = 1.0;")

    def _number(self, number: float) -> str:
        text, _ = self._dialect.language.number(number)
        return text if text[0].isdigit() else f"({text})"

    def _access(self, view: View, dims: Dims | None = None) -> Access:
        """Return a view as an element under these loops, of which it may lack some in front."""
        name = self._names[view.storage]
        if name == "constants" and not any(view.strides):
            return Access(self._number(self.constants[view.base]), 0, (0,) * len(dims or view.dims))
        self.used.add(name)
        dims = view.dims if dims is None else dims
        strides = [0] * (len(dims) - len(view.dims))
        for size, stride in zip(view.dims, view.strides):
            strides.append(0 if size == 1 else stride)
        return Access(name, view.base, tuple(strides))

    def _table(self, places: Any) -> str:
        key = tuple(places.tolist())
        return self.tables.setdefault(key, f"table_{len(self.tables) + 1}")

    # Steps ---------------------------------------------------------------------------------------

    def _write(self, steps: Sequence[Step]) -> None:
        for step in steps:
            getattr(self, f"_{step.kind}")(step)

    def _row(self, step: Step) -> None:
        views = [step.out, *step.operands]
        dims, accesses = joined(
            step.out.dims, [self._access(view, step.out.dims) for view in views]
        )
        with self.loops(dims) as counters:
            texts = [access.at(counters) for access in accesses]
            if isinstance(step.detail, Take):
                place = self._functions.place(texts[1], step.detail.count)
                self._take_among(texts[0], place, accesses[2:], counters)
            elif isinstance(step.detail, Chosen):
                place = self._functions.place(texts[1], step.detail.count)
                self.line(f"{texts[0]} = {place} == {texts[2]} ? 1.0 : 0.0;")
            else:
                self.line(f"{texts[0]} = {self._functions.call(step.detail, texts[1:])};")

    def _take_among(
        self, out: str, place: str, table: Sequence[Access], counters: Sequence[str]
    ) -> None:
        """Take the element at a place of a table: with a step, if they lie at equal distances."""
        first = table[0]
        step = table[-1].base - first.base
        step //= max(1, len(table) - 1)
        even = [first._replace(base=first.base + k * step) for k in range(len(table))]
        if even == list(table):
            moving = Access(first.array, first.base, (*first.strides, step))
            self.line(f"{out} = {moving.at([*counters, place])};")
            return
        i = f"i{len(counters) + 1}"
        self.line(f"{self._dialect.constant.replace('double', 'int')} {i} = {place};")
        *others, last = [access.at(counters) for access in table]
        choices = "".join(f"{i} == {k} ? {text} : " for k, text in enumerate(others))
        self.line(f"{out} = {choices}{last};")

    def _product(self, step: Step) -> None:
        batch, rows, _ = step.detail
        shared, varying = step.operands
        members = batch + rows
        self._contract(
            step.out,
            shared.dims[members:],
            [
                (shared, shared.strides[:members], shared.strides[members:]),
                (varying, (*varying.strides[:batch], *[0] * rows), varying.strides[batch:]),
            ],
        )

    def _outer(self, step: Step) -> None:
        terms, batch, rows, columns = step.detail
        left, right = step.operands
        by_member = left.strides[terms:]
        self._contract(
            step.out,
            left.dims[:terms],
            [
                (left, (*by_member, *[0] * columns), left.strides[:terms]),
                (
                    right,
                    (
                        *right.strides[terms : terms + batch],
                        *[0] * rows,
                        *right.strides[terms + batch :],
                    ),
                    right.strides[:terms],
                ),
            ],
        )

    def _einsum(self, step: Step) -> None:
        """Write a sum over the letters that the result lacks; `z` are the examples, here one."""
        inputs, members = step.detail.replace("z", "").split("->")
        sizes: dict[str, int] = {}
        steps = []
        for letters, view in zip(inputs.split(","), step.operands):
            steps.append(dict(zip(letters, view.strides)))
            sizes |= dict(zip(letters, view.dims))
        summed = [letter for letter in sizes if letter not in members]
        self._contract(
            step.out,
            tuple([sizes[letter] for letter in summed]),
            [
                (
                    view,
                    tuple([own.get(letter, 0) for letter in members]),
                    tuple([own.get(letter, 0) for letter in summed]),
                )
                for view, own in zip(step.operands, steps)
            ],
        )

    def _sum(self, step: Step) -> None:
        op, terms = step.detail
        [view] = step.operands
        members = len(view.dims) - terms
        factor = (view, view.strides[:members], view.strides[members:])
        self._contract(step.out, view.dims[members:], [factor], op)

    def _contract(
        self,
        out: View,
        terms: Dims,
        factors: Sequence[tuple[View, Dims, Dims]],
        op: Op = ops.add,
    ) -> None:
        """Combine the products of some factors over the terms, for each element of `out`.

        A factor has a step for each dimension of `out` and for each of the terms.
        """
        members = out.dims
        accesses = [Access(self._names[out.storage], out.base, out.strides)]
        by_term: list[Access] = []
        for view, member, term in factors:
            access = self._access(view)
            accesses.append(access._replace(strides=member))
            by_term.append(access._replace(strides=term))
        self.used.add(accesses[0].array)
        # The same term many times is a product.
        moving = [d for d in range(len(terms)) if any(a.strides[d] for a in by_term)]
        times = prod(terms[d] for d in range(len(terms)) if d not in moving)
        terms, by_term = tuple([terms[d] for d in moving]), [a.only(moving) for a in by_term]
        members, accesses = joined(members, accesses)
        terms, by_term = joined(terms, by_term)
        both = [
            member._replace(strides=member.strides + term.strides)
            for member, term in zip(accesses[1:], by_term)
        ]
        factor = [] if times == 1 or op is not ops.add else [f"{float(times)}"]
        if not terms:
            with self.loops(members) as counters:
                product = " * ".join([*factor, *[access.at(counters) for access in both]])
                self.line(f"{accesses[0].at(counters)} = {product};")
        elif not factor and op is ops.add and _is_quicker_by_rows(accesses, by_term):
            self._add_rows(members, terms, accesses[0], both)
        else:
            self._add_terms(members, terms, accesses[0], both, op, factor)

    def _add_terms(
        self,
        members: Dims,
        terms: Dims,
        out: Access,
        both: Sequence[Access],
        op: Op,
        factor: Sequence[str],
    ) -> None:
        """Add up the terms of one member after another."""
        with self.loops(members) as counters, self._braces(not members):
            self.line(f"{self._dialect.number} s = {self._number(_BEGINNINGS[op])};")
            with self.loops(terms, len(counters)) as more:
                product = " * ".join([access.at([*counters, *more]) for access in both])
                if op is ops.add:
                    self.line(f"s += {product};")
                else:
                    self.line(f"s = {self._functions.call(op, ['s', product])};")
            self.line(f"{out.at(counters)} = {' * '.join([*factor, 's'])};")

    @contextmanager
    def _braces(self, needed: bool) -> Iterator[None]:
        """Put lines that stand in no loop between braces, so that their names end there."""
        if needed:
            self.line("{")
            self._depth += 1
        yield
        if needed:
            self._depth -= 1
            self.line("}")

    def _add_rows(self, members: Dims, terms: Dims, out: Access, both: Sequence[Access]) -> None:
        """Add the first term to each of a row of members, then the second, and so on."""
        *outer, last = members
        with self.loops(tuple(outer)) as counters:
            with self.loops((last,), len(outer)) as [i]:
                self.line(f"{out.at([*counters, i])} = 0.0;")
            inner = (*terms, last)
            with self.loops(inner, len(outer)) as [*more, i]:
                product = " * ".join([access.at([*counters, i, *more]) for access in both])
                self.line(f"{out.at([*counters, i])} += {product};")

    def _segments(self, step: Step) -> None:
        [source] = step.operands
        [size] = source.dims
        table = self._table(step.detail)
        count = len(step.detail)
        out, given = self._access(step.out), self._access(source)
        with self.loops((count,)) as [i]:
            end = f"{i} + 1 < {count} ? {table}[{i} + 1] : {size}"
            self.line(f"{self._dialect.constant.replace('double', 'int')} end = {end};")
            self.line(f"{out.at([i])} = 0.0;")
            declared = f"{self._dialect.counter} k = {table}[{i}]"
            self.line(f"for ({declared}; k < end; k++) {out.at([i])} += {given.at(['k'])};")

    def _running(self, step: Step) -> None:
        [source] = step.operands
        out, given = self._access(step.out), self._access(source)
        with self.loops(step.out.dims) as [i, j]:
            before = out._replace(base=out.base - out.strides[0]).at([i, j])
            added = f"{before} + {given.at([i, j])}"
            self.line(f"{out.at([i, j])} = {i} ? {added} : {given.at([i, j])};")

    def _clear(self, step: Step) -> None:
        name = self._access(step.out).array
        with self.loops((len(step.detail),)) as [i]:
            self.line(f"{name}[{self._table(step.detail)}[{i}]] = 0.0;")

    def _take(self, step: Step) -> None:
        [source] = step.operands
        out, given = self._access(step.out), self._access(source)
        with self.loops((len(step.detail),)) as [i]:
            self.line(f"{out.at([i])} = {given.at([f'{self._table(step.detail)}[{i}]'])};")

    def _put(self, step: Step) -> None:
        [source] = step.operands
        out, given = self._access(step.out).array, self._access(source)
        with self.loops((len(step.detail),)) as [i]:
            self.line(f"{out}[{self._table(step.detail)}[{i}]] = {given.at([i])};")


def _written(plan: Plan) -> set[int]:
    """Return the places of the gradient that the steps of the backward pass write."""
    found: set[int] = set()
    for step in plan.backward:
        if step.out.storage == plan.gradients:
            if step.kind == "put":
                found.update(step.detail.tolist())
                continue
            places = {step.out.base}
            for size, stride in zip(step.out.dims, step.out.strides):
                places = {place + k * stride for place in places for k in range(size)}
            found |= places
    return found.union(*[places.tolist() for _, places, _ in plan.copied])


def _is_quicker_by_rows(accesses: Sequence[Access], by_term: Sequence[Access]) -> bool:
    """Return whether the last dimension of the members lies without gaps, and the terms do not."""
    out, *factors = accesses
    if not out.strides or out.strides[-1] != 1:
        return False
    far = any(access.strides[-1] not in (0, 1) for access in by_term)
    return far and all(access.strides[-1] in (0, 1) for access in factors)
