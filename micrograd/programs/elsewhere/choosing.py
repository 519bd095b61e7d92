"""All paths of a function as one function of arrays: each is computed for all rows, then chosen.

On NumPy, rows part at a guard, and each path runs on its own rows. How many these are is known only
when there are numbers, and a compiler wants to know shapes before. So each path runs on all rows;
in those that go another way it is given the row that it was traced on, which keeps its arithmetic
finite there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd.engine import Value
from micrograd.programs.elsewhere.functional import Functional
from micrograd.programs.elsewhere.namespaces import on_host
from micrograd.programs.elsewhere.pieces import Run
from micrograd.programs.run.forms import Form
from micrograd.value.identity import IdentityDict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micrograd.programs.paths import Fork, Path

    Array = NDArray[Any]


class Way:
    """A path as a function, and where its parameters stand among all."""

    def __init__(self, path: Path, parameters: Sequence[Value]) -> None:
        self.path = path
        place = IdentityDict((p, i) for i, p in enumerate(parameters))
        self.places: list[int] = [place[p] for p in path.parameters]
        self.is_whole: bool = self.places == list(range(len(parameters)))
        back = {at: i for i, at in enumerate(self.places)}
        self._back = [back.get(i, len(self.places)) for i in range(len(parameters))]

    @cached_property
    def program(self) -> Functional:
        """The results of the path and its reverse pass."""
        return Functional(self.path.program.plan, len(self.places))

    @cached_property
    def conditions(self) -> Functional:
        """Its guards alone."""
        return Functional(self.path.conditions.plan, 0)

    def own(self, run: Run, parameters: Any) -> Any:
        """Return the path's parameters among all."""
        if self.is_whole:
            return parameters
        return run.xp.take(parameters, run.constant(np.array(self.places, int)), axis=0)

    def whole(self, run: Run, gradients: Any) -> Any:
        """Return gradients of all parameters, 0 where the path has none."""
        if self.is_whole:
            return gradients
        zero = run.xp.zeros((1,), dtype=run.dtype, device=run.device)
        joined = run.xp.concat([gradients, zero], axis=0)
        return run.xp.take(joined, run.constant(np.array(self._back, int)), axis=0)


class Forward:
    """A forward pass on arrays, from which the reverse pass goes back.

    `values` has shape (k, n); `left` are the rows that no known path takes, or None if that cannot
    be, and `outside` those with an index out of range.
    """

    def __init__(
        self,
        ways: Mapping[Path, Way],
        root: Fork,
        like: Run,
        parameters: Any,
        given: Mapping[str, Any],
        lenient: bool = False,
    ) -> None:
        self._like = like
        self.xp: Any = like.xp
        self._parameters = parameters
        self._given = given
        self._chosen: list[tuple[Way, Any, Run]] = []
        self.left: Any = None
        self.outside: Any = None
        self.values: Any = None
        self.form: Form = ()
        self._choose(ways, root, lenient)
        for way, mask, run in self._chosen:
            self._add(way, mask, run)
        wrong = _either(self.left, self.outside)
        self._wrong = wrong
        if wrong is not None:
            xp = like.xp
            self.values = xp.where(wrong, xp.full_like(self.values, float("nan")), self.values)

    def _run(self, parameters: Any, given: Mapping[str, Any]) -> Run:
        like = self._like
        run = Run(like.xp, like.dtype, like.device, like.n)
        run.parameters, run.given = parameters, dict(given)
        return run

    def _choose(self, ways: Mapping[Path, Way], root: Fork, lenient: bool) -> None:
        """Find the rows of each path: at each fork, one path's guard decides for all.

        To be `lenient` is to let all rows go on where only one way is known.
        """
        todo: list[tuple[Fork, int, Any]] = [(root, 0, None)]
        guards: dict[Path, list[Any]] = {}
        while todo:
            fork, depth, mask = todo.pop()
            path = fork.longest
            assert path is not None
            if not fork.next:
                self._chosen.append((ways[path], mask, self._run(None, {})))
                continue
            if path not in guards:
                way = ways[path]
                run = self._run(way.own(self._like, self._parameters), self._given)
                guards[path] = way.conditions.forward(run)[1]
            truth = self._like.xp.broadcast_to(guards[path][depth], (self._like.n,))
            for value in (True, False):
                own = truth if value else ~truth
                if lenient and len(fork.next) == 1:
                    own = self._like.xp.ones_like(truth)
                own = own if mask is None else own & mask
                if value in fork.next:
                    todo.append((fork.next[value], depth + 1, own))
                elif not lenient:
                    self.left = _either(self.left, own)

    def _add(self, way: Way, mask: Any, run: Run) -> None:
        """Compute a path, and put its results where it is chosen."""
        xp, path = self._like.xp, way.path
        if self.values is not None and path.form != self.form:
            raise TypeError(
                "the function returns a list on one path and not, or not as long, "
                "on another: return as many scalars on each"
            )
        self.form = path.form
        run.parameters = way.own(run, self._parameters)
        run.given = dict(self._given)
        alone = len(self._chosen) == 1
        if mask is not None and not alone:
            for name, columns in self._given.items():
                known = run.constant(path.example[name][:, None], run.dtype)
                run.given[name] = xp.where(mask, columns, known)
        for index in path.indices:
            column = run.given[index.name][index.column, ...]
            beyond = (column < -index.size) | (column >= index.size)
            self.outside = _either(self.outside, beyond)
        values, _ = way.program.forward(run)
        stacked = xp.stack(values) if values else xp.zeros((0, run.n), dtype=run.dtype)
        known = self.values
        self.values = stacked if known is None or mask is None else xp.where(mask, stacked, known)

    def backward(self, seeds: Any) -> Any:
        """Return the gradients of all parameters for seeds of shape (k, n)."""
        like = self._like
        xp = like.xp
        total: Any = None
        for way, mask, run in self._chosen:
            own = seeds
            if mask is not None and len(self._chosen) > 1:
                own = xp.where(mask, seeds, xp.zeros_like(seeds))
            found = way.whole(like, way.program.backward(run, own))
            total = found if total is None else total + found
        if self._wrong is not None:
            nan = xp.full_like(total, float("nan"))
            total = xp.where(xp.any(self._wrong), nan, total)
        if not getattr(total, "requires_grad", False) and is_true(xp, ~xp.isfinite(total)):
            return self._careful(seeds)
        return total

    def _careful(self, seeds: Any) -> Any:
        """Walk back node by node: a gradient of zero passes nothing on, though a slope be infinite.

        That takes numbers, so a compiled function leaves nan where a zero met an infinity.
        """
        like = self._like
        numbers, weights = (on_host(x).astype(float) for x in (self._parameters, seeds))
        total = np.zeros(len(numbers))
        for way, mask, _ in self._chosen:
            rows = slice(None) if mask is None else on_host(mask)
            given = {name: on_host(x)[:, rows].astype(float) for name, x in self._given.items()}
            own = way.path.program.careful.gradients(given, numbers[way.places], weights[:, rows])
            np.add.at(total, way.places, own)
        return like.xp.asarray(total, dtype=like.dtype, device=like.device)


def is_true(xp: Any, mask: Any) -> bool:
    """Return whether there is a true element; not if that cannot be told while compiling."""
    if mask is None or _stands_for_later(mask):
        return False
    try:
        return bool(xp.any(mask))
    except (TypeError, RuntimeError):  # it stands for arrays that come later
        return False


def _stands_for_later(x: Any) -> bool:
    """Return whether an array has a shape but no numbers yet, as PyTorch's while it compiles."""
    return any(kind.__name__ in ("FakeTensor", "FunctionalTensor") for kind in type(x).__mro__)


def _either(x: Any, y: Any) -> Any:
    if x is None or y is None:
        return y if x is None else x
    return x | y
