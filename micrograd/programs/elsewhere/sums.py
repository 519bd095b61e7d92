"""Sums of products as instructions, and biases, which turn back into what is added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from micrograd import ops
from micrograd.programs.elsewhere.contracting import EXAMPLES, contract
from micrograd.programs.elsewhere.pieces import Piece, Pieces, Run, full, rows_of
from micrograd.programs.lower.plan import Plan
from micrograd.programs.lower.strides import View

_LETTERS = "abcdefghijklmnopqrstuvwxy"
_REDUCED = {"add": "sum", "maximum": "max", "minimum": "min"}


class Sums:
    """The instructions for the sums of a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._pieces = Pieces(plan.storages)
        self._constants: int = -1  # their storage
        self._known: dict[Any, Piece] = {}  # by number
        self._number: dict[int, float] = {}  # of the slots that hold one number for all rows

    def _operand(self, view: View) -> Piece:
        """Return an operand; a number that is known beforehand is one for all rows."""
        if view.storage != self._constants:
            return self._pieces.read(view)
        dims = tuple([1 if s == 0 else d for d, s in zip(view.dims, view.strides)])
        numbers = np.array(self._plan.constants)[rows_of(view, dims)]
        if len(set(numbers.tolist())) > 1 or not len(numbers) or numbers[0] != numbers[0]:
            return self._pieces.add(dims, False, numbers_of(numbers.reshape(dims)))
        number = float(numbers[0])
        key = (number, np.signbit(number))
        if key not in self._known:
            piece = self._known[key] = self._pieces.add((), False, numbers_of(np.array(number)))
            self._number[piece.slot] = number
        return self._known[key]

    def _contract(
        self, out: View, operands: Sequence[View], letters: Sequence[str], of: str
    ) -> Piece:
        """Sum products: `letters` are the axes of each operand's dimensions, `of` those of `out`.

        An axis along which an operand repeats itself is none of its own. A row of ones behind an
        operand, which turns a bias into a weight, is turned back: to add is less than to copy.
        """
        for i, (view, axes) in enumerate(zip(operands, letters)):
            axis = self._ends_in_ones(view)
            if axis is not None:
                return self._split(out, operands, letters, of, i, axes[axis])
        sizes: dict[str, int] = {}
        read, own = [], []
        for view, axes in zip(operands, letters):
            sizes.update(zip(axes, view.dims))
            kept = [d for d, step in enumerate(view.strides) if step or view.dims[d] == 1]
            kept.sort(key=lambda d: -abs(view.strides[d]))  # as they stand: nothing is copied
            moving = view._replace(
                dims=tuple([view.dims[d] for d in kept]),
                strides=tuple([view.strides[d] for d in kept]),
            )
            piece = self._operand(moving)
            dims = "".join(axes[d] for d in kept) if piece.dims else ""
            read.append(piece)
            own.append(dims + (EXAMPLES if piece.varies else ""))
        result = of + (EXAMPLES if out.varies else "")
        seen = set("".join(own))
        times = float(np.prod([size for x, size in sizes.items() if x not in seen | set(result)]))
        kept_letters = "".join(x for x in result if x in seen)
        expanded = [slice(None) if x in seen else None for x in result]

        def make(run: Run, *arrays: Any) -> Any:
            found = contract(run.xp, arrays, own, kept_letters)
            if times != 1.0:
                found = found * times
            if None in expanded:
                found = found[tuple(expanded)]
            return full(run, found, out)

        return self._pieces.add(out.dims, out.varies, make, *read)

    def _ends_in_ones(self, view: View) -> int | None:
        """Return the axis along which the rows end in the row of ones of their storage."""
        storage = self._plan.storages[view.storage]
        moving = [d for d, step in enumerate(view.strides) if step]
        if not storage.ones or len(moving) != 1 or view.dims[moving[0]] < 2:
            return None
        [axis] = moving
        last = view.base + (view.dims[axis] - 1) * view.strides[axis]
        return axis if last == storage.rows else None

    def _split(
        self,
        out: View,
        operands: Sequence[View],
        letters: Sequence[str],
        of: str,
        ones: int,
        letter: str,
    ) -> Piece:
        """Do the same for all but the last along an axis, where one operand is 1, and for that."""
        short, last = [], []
        for view, axes in zip(operands, letters):
            at = axes.find(letter)
            short.append(view if at < 0 else _all_but_last(view, at))
            last.append(view if at < 0 else _last(view, at))
        others = [i for i in range(len(operands)) if i != ones]
        rest_letters = [letters[i].replace(letter, "") for i in others]
        varies = out.varies and any(last[i].varies for i in others)
        at = of.find(letter)
        rest_out = (out if at < 0 else _last(out, at))._replace(varies=varies)
        main = self._contract(out if at < 0 else _all_but_last(out, at), short, letters, of)
        rest = self._contract(
            rest_out, [last[i] for i in others], rest_letters, of.replace(letter, "")
        )
        expand = out.varies and not varies

        def make(run: Run, x: Any, y: Any) -> Any:
            y = y[..., None] if expand else y
            if at < 0:
                return x + y
            index = (*[slice(None)] * at, None, ...)
            y = full(run, y, rest_out._replace(varies=out.varies))
            return run.xp.concat([x, y[index]], axis=at)

        return self._pieces.add(out.dims, out.varies, make, main, rest)

    def _product(self, out: View, operands: Sequence[View], detail: Any) -> Piece:
        batch, rows, terms = detail
        axes = _LETTERS[: batch + rows + terms]
        varying = axes[:batch] + axes[batch + rows :]
        return self._contract(out, operands, [axes, varying], axes[: batch + rows])

    def _outer(self, out: View, operands: Sequence[View], detail: Any) -> Piece:
        terms, batch, height, width = detail
        axes = _LETTERS[: terms + batch + height + width]
        common = axes[: terms + batch]
        left = axes[: terms + batch + height]
        right = common + axes[terms + batch + height :]
        return self._contract(out, operands, [left, right], axes[terms:])

    def _einsum(self, out: View, operands: Sequence[View], detail: str) -> Piece:
        inputs, _, result = detail.partition("->")
        letters = [x.replace(EXAMPLES, "") for x in inputs.split(",")]
        return self._contract(out, operands, letters, result.replace(EXAMPLES, ""))

    def _sum(self, out: View, operands: Sequence[View], detail: Any) -> Piece:
        op, terms = detail
        [view] = operands
        if op is ops.add:
            axes = _LETTERS[: len(view.dims)]
            return self._contract(out, operands, [axes], axes[: len(axes) - terms])
        depth = len(view.dims)
        axes_summed = tuple(range(depth - terms, depth))
        if view.varies and not out.varies:
            axes_summed = (*axes_summed, depth)

        def make(run: Run, x: Any) -> Any:
            found = getattr(run.xp, _REDUCED[op.name])(x, axis=axes_summed)
            return full(run, found, out)

        return self._pieces.add(out.dims, out.varies, make, self._pieces.read(view))


def _all_but_last(view: View, axis: int) -> View:
    dims = (*view.dims[:axis], view.dims[axis] - 1, *view.dims[axis + 1 :])
    return view._replace(dims=dims)


def _last(view: View, axis: int) -> View:
    """Return the last of a view along an axis, without that axis."""
    base = view.base + (view.dims[axis] - 1) * view.strides[axis]
    dims = (*view.dims[:axis], *view.dims[axis + 1 :])
    strides = (*view.strides[:axis], *view.strides[axis + 1 :])
    return view._replace(base=base, dims=dims, strides=strides)


def numbers_of(numbers: Any) -> Any:
    return lambda run: run.constant(numbers, run.dtype)
