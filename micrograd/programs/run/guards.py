"""The guards of a path: whether they come out, on the rows of a call, as they did when traced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd.programs.lower.plan import Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


class Guards:
    """The guards of a plan in the buffers of a workspace; `asked` are those that lie side by side.

    To look at these, all at once, is enough as long as each row takes the path.
    """

    def __init__(
        self, plan: Plan, buffers: Sequence[Array], asked: Sequence[Array], n: int
    ) -> None:
        self._n = n
        self._truths: Array = plan.truths
        self._all = [(buffers[s], *places) for s, *places in plan.guards]
        by_storage = {s: plan.truths[places[rows.argsort()]] for s, rows, places in plan.guards}
        self._checks = [
            (np.equal, (numbers, truths, np.empty(numbers.shape, bool)))
            for numbers, together in zip(asked, plan.asked)
            for truths in [np.concatenate([by_storage[s] for s in together]).astype(numbers.dtype)]
        ]
        self._few = len(self._all) - sum(map(len, plan.asked))  # that lie elsewhere

    def differing(self) -> Array | None:
        """Return the first guard of each example that comes out otherwise than on the path.

        Of an example for which all hold it is the number of guards; None if they do for all.
        """
        for equal, arguments in self._checks:
            if np.count_nonzero(equal(*arguments)) < arguments[-1].size:
                break
        else:
            if not self._few:
                return None
        found = np.empty((len(self._truths), self._n), bool)
        for buffer, of_buffer, places in self._all:
            numbers = buffer[of_buffer]
            found[places] = numbers if numbers.ndim > 1 else numbers[:, None]
        found ^= self._truths
        differ = np.flatnonzero(found.any(axis=1))
        if not len(differ):
            return None
        first = np.full(self._n, len(found))
        for guard in differ[::-1]:  # few, as a rule: argmax takes a loop of its own for each row
            np.putmask(first, found[guard], guard)
        return first
