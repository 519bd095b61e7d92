"""Steps as instructions of the C executor, which does in C what executor.py says with NumPy.

The numbers of a workspace lie in one array. An instruction is a few words: what is done, and where
in that array; native/_executor.c tells their order. What C has no instruction for, a user's
operation say, remains a call of NumPy, and what is written before it is a list of its own.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from micrograd import ops
from micrograd.derivatives.kinks import Choice
from micrograd.native import takeover
from micrograd.ops import Op
from micrograd.programs.lower.chunks import Pass
from micrograd.programs.lower.strides import Step, View
from micrograd.programs.run import axes as along
from micrograd.programs.run.axes import Axis
from micrograd.programs.run.kernels import Call, has_vectors_in_numpy_alone
from micrograd.programs.straight.line import StraightLine
from micrograd.programs.straight.words import Target, parts
from micrograd.value.selection import Chosen, Take, logsumexp_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

FARTHEST = 2**31  # places are counted in 32 bits
# Beyond these, NumPy is quicker, though to call it takes longer: see benchmarks/README.md.
MANY = 200  # numbers of which it computes a function with vectors, as sin
LARGE = {"j": 300_000, "k": 60_000, "": 4000}  # multiply-adds of a product, by how C reads it
FEW = 4  # numbers that are quicker one by one than as a loop
# The kinds of sums, and what is added to those that add to what is there.
PRODUCTS, NUMBERS, LARGEST, SMALLEST, ADDS = range(5)
_OF_NUMBERS = {ops.add: NUMBERS, ops.maximum: LARGEST, ops.minimum: SMALLEST}

executor: Any = takeover.executor()
executors = {8: executor, 4: takeover.executor("_executor32")}  # by the bytes of a number


def can_write(numbers: Array) -> bool:
    """Return whether steps on these numbers may be written as instructions."""
    return executors[numbers.itemsize] is not None and numbers.size < FARTHEST


class Instructions:
    """The instructions for steps on some buffers, which are parts of `numbers`."""

    def __init__(self, numbers: Array, buffers: Sequence[Array], n: int) -> None:
        self._numbers, self._n = numbers, n
        self._executor: Any = executors[numbers.itemsize]
        self._more = self._in_parts = False
        first = numbers.__array_interface__["data"][0]
        # Of each buffer: its place, and how far it is to the next row, and to the next example.
        self._places: list[tuple[int, int, int]] = []
        self._moving: list[bool] = []  # whether it has all examples, not those of a chunk
        for buffer in buffers:
            place = (buffer.__array_interface__["data"][0] - first) // buffer.itemsize
            row, example = (*[step // buffer.itemsize for step in buffer.strides], 0)[:2]
            self._places.append((place, row, example))
            self._moving.append(buffer.ndim > 1 and buffer.shape[1] == n)
        self._codes: dict[str, int] = self._executor.codes
        self._rows: dict[Op, int | None] = {}
        self._words = array("i")

    def in_chunks(self, steps: Pass, chunk: int) -> list[Call] | None:
        """Return steps on a chunk of the examples at a time; None if C does not have one of them.

        The chunks between the first and the last are written once, and how far it is to the next.
        """
        n, places = self._n, self._places
        self._in_parts = True
        complete = True

        def write(own: Sequence[Step], start: int, count: int, more: bool = False) -> array[int]:
            nonlocal complete
            self._words, self._n, self._more = array("i"), count, more
            self._places = [
                (place + start * example if moving else place, row, example)
                for (place, row, example), moving in zip(places, self._moving)
            ]
            complete = complete and all(map(self.write, own))
            return self._words

        parts: list[tuple[Any, ...]] = [(write([*steps.before, *steps.each], 0, chunk),)]
        times, rest = divmod(n - chunk, chunk)
        if times:
            words = write(steps.each, chunk, chunk, more=True)
            before = write(steps.each, 0, chunk, more=True)
            moves = array("i", [to - at for at, to in zip(before, words)])
            parts.append((words, moves, times))
        parts.append((write(steps.each, n - rest, rest, more=True),) if rest else ())
        parts.append((write(steps.after, 0, n),))
        self._words, self._n, self._places = array("i"), n, places
        if not complete:
            return None
        parts = [part for part in parts if part and part[0]]
        return [(self._executor.Instructions(self._numbers, *part).run, ()) for part in parts]

    def as_calls(self) -> list[Call]:
        """Return what was written as one call, and begin anew."""
        words, self._words = self._words, array("i")
        return [(self._executor.Instructions(self._numbers, words).run, ())] if words else []

    def write(self, step: Step) -> bool:
        """Write a step, if there are instructions for it."""
        written: bool = getattr(self, f"_{step.kind}")(step)
        return written

    def unwritten(self, steps: Sequence[Step]) -> Iterator[Step]:
        """Yield the steps to be written one by one; straight-line code is written here."""
        target = Target(self._code_for, self._places, self._codes["LOOP"], self._n, FEW)
        for part in parts(steps, target) if isinstance(steps, StraightLine) else steps:
            if isinstance(part, bytes):
                self._words.frombytes(part)
            else:
                yield part

    # Rows of the table --------------------------------------------------------------------------

    def _row(self, step: Step) -> bool:
        code = self._code(step.detail)
        if code is None:
            if isinstance(step.detail, Chosen):
                return self._selection("CHOSEN", step, self._axes([step.out, *step.operands]), 0)
            return self._choose(step) if isinstance(step.detail, Take) else self._log_of_sum(step)
        out, operands = step.out, step.operands
        if isinstance(step.detail, Choice):  # the slope, and then where it may be a choice
            operands = operands[:1]
        if not out.dims and (self._n == 1 or not out.varies):
            places = self._places
            words = [code]
            for view in (out, *operands):
                place, row, _ = places[view.storage]
                words.append(place + view.base * row)
            self._words.extend(words)
            return True
        size = math.prod(out.dims) * (self._n if out.varies else 1)
        if size > MANY and has_vectors_in_numpy_alone(step.detail):
            return False
        views = [out, *operands]
        if not out.dims:  # most steps of a program without structure: in a fifth of the time
            return self._line(code, views)
        axes = self._axes(views)
        return self._loop(code, self._bases(views), axes)

    def _log_of_sum(self, step: Step) -> bool:
        """Write a log of a sum of exponentials in pairs, what the result overwrites first."""
        own, code, before = self._bases([step.out]), self._codes["logaddexp"], self._words[:]
        first, *rest = sorted(step.operands, key=lambda view: self._bases([view]) != own)
        fits = getattr(step.detail, "make", None) is logsumexp_of and len(rest) > 0
        fits = fits and own not in [self._bases([view]) for view in rest[1:]]
        for view in rest if fits else ():
            views, first = [step.out, first, view], step.out
            fits = fits and self._loop(code, self._bases(views), self._axes(views))
        self._words = self._words if fits else before
        return fits

    def _line(self, code: int, views: Sequence[View]) -> bool:
        """Write a row of the table for single rows of numbers, one of each example."""
        last = self._n - 1
        lines: list[tuple[int, int]] = []
        for storage, varies, base, _, _ in views:
            place, row, example = self._places[storage]
            place, step = place + base * row, example if varies else 0
            if not lines:
                first, own = place, step
            meets = place <= first + last * own and first <= place + last * step
            if meets and (place, step) != (first, own):
                return False
            lines.append((place, step))
        if last < FEW:
            for k in range(self._n):
                self._words.extend([code, *[place + k * step for place, step in lines]])
            return True
        words = [x for line in lines for x in line]
        self._words.extend([self._codes["LOOP"], code, 1, self._n, *words])
        return True

    def _code_for(self, op: Op, count: int) -> int | None:
        return None if count > MANY and has_vectors_in_numpy_alone(op) else self._code(op)

    def _code(self, op: Op) -> int | None:
        """Return the code of an operation; None if C does not have it."""
        if op not in self._rows:
            name = "stop_gradient" if isinstance(op, Choice) else op.name
            known = ops.TABLE.get(op.name) is op or isinstance(op, Choice)
            self._rows[op] = self._codes.get(name) if known else None
        return self._rows[op]

    def _loop(self, code: int, bases: list[int], axes: Sequence[Axis]) -> bool:
        """Write a row of the table, for the result and its operands along some axes."""
        axes = along.merged(axes)
        if along.overlap(bases, axes):
            return False
        if math.prod([axis.extent for axis in axes]) <= FEW:
            for places in along.walked(bases, axes):
                self._words.extend([code, *places])
            return True
        words = [self._codes["LOOP"], code, len(axes), *[axis.extent for axis in axes]]
        for k, base in enumerate(bases):
            words += [base, *[axis.steps[k] for axis in axes]]
        self._words.extend(words)
        return True

    def _choose(self, step: Step) -> bool:
        """Write what chooses from a table by an index, if the table lies at even distances."""
        views = [step.out, *step.operands]
        first, *others = self._bases(views[2:])
        gap = others[0] - first if others else 0
        even = others == [first + gap * k for k in range(1, len(others) + 1)]
        axes = self._axes(views)
        return (
            even
            and all(len({*axis.steps[2:]}) == 1 for axis in axes)
            and self._selection(
                "CHOOSE", step, [Axis(axis.extent, axis.steps[:3]) for axis in axes], gap
            )
        )

    def _selection(self, name: str, step: Step, axes: Sequence[Axis], gap: int) -> bool:
        """Write a result, an index, and the first place of what it chooses."""
        bases = self._bases([step.out, *step.operands[:2]])
        axes = along.merged(axes) or [Axis(1, (0, 0, 0))]
        count = step.detail.count
        if along.overlap(bases, [*axes, Axis(count, (0, 0, gap))], apart=True):
            return False
        words = [self._codes[name], count, len(axes), *[axis.extent for axis in axes]]
        for k, base in enumerate(bases):
            words += [base, *[axis.steps[k] for axis in axes]]
        self._words.extend([*words, gap] if name == "CHOOSE" else words)
        return True

    # Views --------------------------------------------------------------------------------------

    def _bases(self, views: Sequence[View]) -> list[int]:
        places = [self._places[view.storage] for view in views]
        return [place + view.base * row for view, (place, row, _) in zip(views, places)]

    def _axes(self, views: Sequence[View]) -> list[Axis]:
        """Return the axes of views of the same dimensions, and the examples behind these."""
        rows = [self._places[view.storage][1] for view in views]
        steps = zip(*[[s * row for s in view.strides] for view, row in zip(views, rows)])
        axes = [Axis(extent, own) for extent, own in zip(views[0].dims, steps)]
        return [*axes, self._examples(views)]

    def _examples(self, views: Sequence[View]) -> Axis:
        steps = [self._places[view.storage][2] if view.varies else 0 for view in views]
        return Axis(self._n if any(view.varies for view in views) else 1, tuple(steps))

    # Sums ---------------------------------------------------------------------------------------

    def _product(self, step: Step) -> bool:
        batch, rows, terms = step.detail
        members = batch + rows
        lettered = [
            range(members),
            [*range(members), *range(members, members + terms)],
            [*range(batch), *range(members, members + terms)],
        ]
        return self._products(step, members + terms, lettered)

    def _outer(self, step: Step) -> bool:
        terms, batch, rows, columns = step.detail
        members = batch + rows + columns
        summed = range(members, members + terms)
        lettered = [
            range(members),
            [*summed, *range(batch + rows)],
            [*summed, *range(batch), *range(batch + rows, members)],
        ]
        return self._products(step, members + terms, lettered)

    def _einsum(self, step: Step) -> bool:
        inputs, result = step.detail.replace("z", "").split("->")
        letters = [result, *inputs.split(",")]
        every = sorted({letter for own in letters for letter in own})
        every.sort(key=lambda letter: letter not in result)
        lettered = [[every.index(letter) for letter in own] for own in letters]
        return len(letters) == 3 and self._products(step, len(every), lettered)

    def _products(self, step: Step, count: int, lettered: Sequence[Sequence[int]]) -> bool:
        """Write a sum of products; `lettered` says along which of the axes each view goes."""
        views = [step.out, *step.operands]
        extents = [1] * count
        steps = [[0, 0, 0] for _ in range(count)]
        for k, (view, own) in enumerate(zip(views, lettered)):
            row = self._places[view.storage][1]
            for axis, extent, stride in zip(own, view.dims, view.strides):
                extents[axis] = extent
                steps[axis][k] = stride * row
        axes = [Axis(extent, tuple(own)) for extent, own in zip(extents, steps)]
        members = len(step.out.dims)
        kept, terms = axes[:members], axes[members:]
        (kept if step.out.varies else terms).append(self._examples(views))
        is_product, more = step.kind != "einsum", self._more and not step.out.varies
        return self._write_sum(PRODUCTS, self._bases(views), kept, terms, is_product, more)

    def _sum(self, step: Step) -> bool:
        op, count = step.detail
        if op not in _OF_NUMBERS:
            return False
        out, [view] = step.out, step.operands
        axes = self._axes([view, view])[:-1]
        row = self._places[out.storage][1]
        members = len(view.dims) - count
        kept = [Axis(axis.extent, (s * row, axis.steps[1])) for s, axis in zip(out.strides, axes)]
        terms = [Axis(axis.extent, (0, axis.steps[1])) for axis in axes[members:]]
        (kept if out.varies else terms).append(self._examples([out, view]))
        more = self._more and not out.varies
        return self._write_sum(_OF_NUMBERS[op], self._bases([out, view]), kept, terms, more=more)

    def _write_sum(
        self,
        kind: int,
        bases: list[int],
        kept: Sequence[Axis],
        terms: Sequence[Axis],
        is_product: bool = False,
        more: bool = False,
    ) -> bool:
        """Write a sum; a large one leave to NumPy, if it is a matrix product there."""
        kept, terms = along.merged(kept), along.merged(terms)
        if more and not terms:
            terms = [Axis(1, (0,) * len(bases))]
        if not terms:  # nothing is added up
            name = "multiply" if kind == PRODUCTS else "stop_gradient"
            return self._loop(self._codes[name], bases, kept)
        if along.overlap(bases, [*kept, *terms], apart=True):
            return False
        if not (kept or more or kind == PRODUCTS) and terms[0].extent <= FEW and len(terms) == 1:
            self._add_up(kind, bases, terms[0])
            return True
        found = along.roles(kept, terms)
        work = found.i.extent * found.j.extent * found.k.extent
        if is_product and not self._in_parts and work > LARGE[found.loops]:
            return False
        if found.swap:
            bases = [bases[0], bases[2], bases[1]]
        axes = [*found.outer, found.i, found.j, *found.inner, found.m, found.k]
        words = [self._codes["SUM"], kind + ADDS * more, len(found.outer), len(found.inner)]
        words += [axis.extent for axis in axes]
        words += [bases[0], *[axis.steps[0] for axis in (*found.outer, found.i, found.j)]]
        for k, base in enumerate(bases[1:], 1):
            words += [base, *[axis.steps[k] for axis in axes]]
        self._words.extend(words)
        return True

    def _add_up(self, kind: int, bases: list[int], terms: Axis) -> None:
        """Write the sum, or an extreme, of a few numbers as steps on two each."""
        [code] = [self._codes[op.name] for op, same in _OF_NUMBERS.items() if same == kind]
        out, first = bases
        places = [first + k * terms.steps[1] for k in range(terms.extent)]
        for before, place in zip([places[0], *[out] * terms.extent], places[1:]):
            self._words.extend([code, out, before, place])

    # Rows that move -----------------------------------------------------------------------------

    def _take(self, step: Step) -> bool:
        return self._move("TAKE", len(step.detail), [step.out, *step.operands], step.detail)

    def _put(self, step: Step) -> bool:
        return self._move("PUT", len(step.detail), [step.out, *step.operands], step.detail)

    def _clear(self, step: Step) -> bool:
        return self._move("CLEAR", len(step.detail), [step.out], step.detail)

    def _segments(self, step: Step) -> bool:
        ends = [*step.detail[1:], step.operands[0].dims[0]]
        return self._move("SEGMENTS", len(ends), [step.out, *step.operands], ends)

    def _running(self, step: Step) -> bool:
        rows, count = step.out.dims
        views = [step.out, *step.operands]
        for _, row, example in [self._places[view.storage] for view in views]:
            if step.out.varies and row != self._n * example:
                return False
        self._move("RUNNING", rows, views, (), count)
        return True

    def _move(
        self, name: str, rows: int, views: Sequence[View], listed: Sequence[int], count: int = 1
    ) -> bool:
        """Write what is done with whole rows, `count` of them at a time."""
        numbers = count * (self._n if views[0].varies else 1)
        if not rows:
            return True
        words = [self._codes[name], rows, numbers]
        for view in views:
            place, row, example = self._places[view.storage]
            words += [place, count * row, example if view.varies else row if count > 1 else 0]
        self._words.extend([*words, *map(int, listed)])
        return True
