"""Check a gradient that somebody computed by the course's algorithm, and name the mistake in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd import ops
from micrograd.explain.course import formulas
from micrograd.explain.course.network import Network, examples_of, network_of, targets_of
from micrograd.explain.course.notation import entry
from micrograd.explain.known_mistakes.given_gradient import (
    distance,
    matrices_of,
    sizes_of,
    slack_of,
    split,
    vector_of,
)
from micrograd.explain.known_mistakes.wrong_gradients import (
    REVERSED,
    Gradient,
    Problem,
    Slip,
    updated_midway,
    wrong_averages,
    wrong_layouts,
    wrong_sums,
)
from micrograd.value.numbers import to_float
from micrograd.value.words.calls import called_as
from micrograd.value.words.tables import Cell, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micrograd.explain.course.textbook import Deltas

    Array = NDArray[np.float64]

# Relative to the largest entry. What finite differences and printed digits leave is below this.
_TOLERANCE = 1e-4
_ROUNDING = 1e-11
_CLEARLY = 100  # times closer to a mistake than to the right gradient
_SHOWN = 3  # entries
_COMMON = (
    *("g' forgotten", "y - a", "lambda on the bias", "1/m missing", "bias column left"),
    *("Delta not accumulated", "bias dropped", "examples mixed", "squared error"),
)
_FEW = 100  # examples, for which several rates are tried


class Verdict(NamedTuple):
    """An explanation of a gradient: the mistakes that make it, none if it is right."""

    mistakes: tuple[Slip, ...]
    difference: float  # the largest between two entries, relative to the largest entry


class GradientCheck:
    """The result of `check_gradient`: `.right`, `.mistakes` (their names), `.data`.

    `data` lists the Verdicts that fit equally well, `expected` holds the right gradient, `given`
    the one that was checked, and `difference` is the largest one between their entries, relative
    to the largest entry.
    """

    data: list[Verdict]
    expected: Gradient
    given: Gradient

    def __init__(
        self, given: Gradient, expected: Gradient, data: list[Verdict], notes: Sequence[str]
    ) -> None:
        self.given, self.expected, self.data = given, expected, data
        self.difference: float = distance(given, expected)
        self._notes = list(notes)

    @property
    def right(self) -> bool:
        """True where the gradient is right."""
        return any(not verdict.mistakes for verdict in self.data)

    @property
    def mistakes(self) -> list[str]:
        """The names of the mistakes that fit; of several that fit equally well, all."""
        names = (mistake.name for verdict in self.data for mistake in verdict.mistakes)
        return list(dict.fromkeys(names))

    def table(self) -> Table:
        """Lay out the verdict above the entries that differ most."""
        worst: list[tuple[float, list[Cell]]] = []
        for level, (mine, right) in enumerate(zip(self.given, self.expected), start=1):
            off = np.abs(mine - right)
            for place in np.argsort(off, axis=None)[::-1][:_SHOWN].tolist():
                k, j = divmod(place, off.shape[1])
                row: list[Cell] = [entry(f"Theta{level}", k + 1, j), mine[k, j], right[k, j]]
                worst.append((off[k, j], [row[0], *map(float, row[1:])]))
        worst.sort(key=lambda found: -found[0])
        least = _ROUNDING * max(float(np.abs(right).max()) for right in self.expected)
        shown = [row for off, row in worst[:_SHOWN] if off > least]  # none, if it was transposed
        rows = [] if self.right else shown
        return Table(
            self._title(), ["weight", "given", "right"], rows, "\n".join(self._explained())
        )

    def _title(self) -> str:
        if self.right:
            far = "" if self.difference <= _TOLERANCE else " as far as its digits go"
            return f"The gradient is right{far} (largest relative difference {self.difference:.1g})"
        if not self.data:
            return "The gradient is wrong, in a way that is not one of the usual mistakes"
        ways = [" and ".join(m.name for m in verdict.mistakes) for verdict in self.data]
        return f"The gradient is wrong: {', or '.join(dict.fromkeys(ways))}"

    def _explained(self) -> Iterator[str]:
        yield from self._notes
        found = dict.fromkeys(m for verdict in self.data for m in verdict.mistakes)
        yield from (f"{mistake.name}: {mistake.why}" for mistake in found)
        if not self.data:
            yield self._where_it_begins()

    def _where_it_begins(self) -> str:
        fits = [distance([x], [y]) <= _TOLERANCE for x, y in zip(self.given, self.expected)]
        last = len(fits)
        if not fits[-1]:
            return f"D{last} is wrong already: look at delta{last + 1} = a{last + 1} - y first"
        level = max(i for i, fit in enumerate(fits, start=1) if not fit)
        return (
            f"D{level + 1} is right and D{level} is not: look at delta{level + 1} = "
            f"Theta{level + 1}' * delta{level + 2} .* g'(z{level + 1})"
        )

    def __str__(self) -> str:
        table = self.table()
        return table.text() if table.rows else "\n".join([table.title, *self._explained()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table().html()


@called_as("check_gradient(Theta, X, y, grad)")
def check_gradient(
    Theta: Any,  # noqa: N803
    X: Any,  # noqa: N803
    y: Any,
    grad: Any,
    lam: float = 0.0,
) -> GradientCheck:
    """Check a gradient against the right one; if it is wrong, name the usual mistake in it.

    `Theta`, `X`, `y` and `lam` are as for `deltas`: matrices or an MLP of sigmoids, a row of
    inputs per example, classes from 1 or rows of targets. `grad` is a list of matrices shaped like
    Theta, `found.D` of `deltas`, or one unrolled vector, in Octave's or NumPy's order. It counts as
    right if it agrees to 1e-4 of its largest entry, as finite differences do, unless a mistake
    explains it a hundred times better; where all entries have been printed with few digits, it is
    compared as far as these go. Raises ValueError if the shapes do not
    fit or a number is not finite, TypeError for what is no gradient.

    >>> from micrograd import examples
    >>> from micrograd.explain import deltas
    >>> example = examples.ng_ex4()
    >>> found = deltas(example.model, example.X, example.y)
    >>> check_gradient(example.model, example.X, example.y, found.D).right
    True
    >>> print(check_gradient(example.model, example.X, example.y, found.Delta))
    The gradient is wrong: 1/m missing
    weight         given     right
    ------------------------------
    Theta1(2,0)  2.93969  0.979897
    Theta2(1,0)  2.65025  0.883417
    Theta1(1,0)  2.29842  0.766138
    1/m missing: D is Delta / m: J is an average
    """
    network = network_of(Theta, sigmoid_outputs=True)
    if not _only_sigmoids(network):
        raise ValueError("check_gradient knows networks of sigmoids: give matrices Theta")
    inputs = examples_of(X, network, Theta)
    labels = [label.tolist() if hasattr(label, "tolist") else label for label in y]
    if len(labels) != len(inputs):
        raise ValueError(f"X has {len(inputs)} examples and y has {len(labels)}: give one row each")
    width = len(network.units[-1])
    targets = [targets_of(label, width, i) for i, label in enumerate(labels, start=1)]
    strength = to_float(lam, "lam")
    if not 0 <= strength < math.inf:
        raise ValueError(f"lam is a number that is not negative, got {lam!r}")
    thetas = formulas.per_weight(network, lambda w: w.data)
    problem = Problem(thetas, inputs, np.array(targets), strength)
    return _Examination(problem).of(grad)


def course_mistakes(found: Deltas) -> Iterator[tuple[str, str, float, float, str]]:
    """Yield each usual mistake with the weight where it is furthest off, and both numbers there."""
    recording = found.recording
    if recording.loss is not None or not _only_sigmoids(recording.network):
        raise ValueError("the course's mistakes are those of sigmoids with its own cost")
    thetas = [np.asarray(theta) for theta in found.Theta.values()]
    examination = _Examination(
        Problem(thetas, recording.inputs, np.array(recording.labels), found.lam)
    )
    seen = set()
    for slip, gradient in sorted(examination.single(), key=lambda made: _rank(made[0])):
        if slip.name in seen or distance(gradient, examination.right) <= _ROUNDING:
            continue
        seen.add(slip.name)
        off = [np.abs(x - y) for x, y in zip(gradient, examination.right)]
        level = int(np.argmax([x.max() for x in off]))
        k, j = divmod(int(off[level].argmax()), off[level].shape[1])
        wrong, right = gradient[level][k, j], examination.right[level][k, j]
        yield slip.name, entry(f"Theta{level + 1}", k + 1, j), float(wrong), float(right), slip.why


def _rank(slip: Slip) -> int:
    """Put the commonest mistakes first."""
    return next((i for i, name in enumerate(_COMMON) if slip.name.startswith(name)), len(_COMMON))


def _only_sigmoids(network: Network) -> bool:
    return all(unit.g is ops.sigmoid for units in network.units for unit in units)


class _Examination:
    """The search for what made a gradient."""

    def __init__(self, problem: Problem) -> None:
        p = self.problem = problem
        self.sums = p.accumulated(p.delta)
        self.right = formulas.gradients(self.sums, p.thetas, p.m, p.lam)
        self.shapes = [d.shape for d in self.right]
        self._slack: Gradient = []  # what rounding to printed digits may have changed, by entry

    def of(self, grad: Any) -> GradientCheck:
        """Compare a gradient in the form in which it was given."""
        matrices = matrices_of(grad)
        if matrices is None:
            return self._of_vector(vector_of(grad))
        given = [x.shape for x in matrices]
        if given == self.shapes:
            return self._of_matrices(matrices)
        for mistake, found in self._in_other_shapes(matrices):
            verdicts = self._verdicts(found)
            if verdicts:
                data = [Verdict((mistake, *v.mistakes), v.difference) for v in verdicts]
                return GradientCheck(found, self.right, data, [])
        raise ValueError(
            f"the gradient has matrices of {sizes_of(given)}, Theta has {sizes_of(self.shapes)}: "
            "give one number per weight, the bias in column 0"
        )

    def _of_vector(self, flat: Array) -> GradientCheck:
        size = sum(a * b for a, b in self.shapes)
        if flat.size != size:
            raise ValueError(
                f"the gradient has {flat.size:,} numbers and the network {size:,} weights in "
                f"matrices of {sizes_of(self.shapes)}: give one number per weight"
            )
        parts = split(flat, self.shapes)
        orders = {
            "F": "read column by column, as Octave's (:) unrolls a matrix",
            "C": "read row by row, as NumPy's ravel unrolls a matrix",
        }
        checks = []
        for order, note in orders.items():
            given = [x.reshape(s, order=order) for x, s in zip(parts, self.shapes)]  # type: ignore[call-overload]
            checks.append(GradientCheck(given, self.right, self._verdicts(given), [note]))
        if not any(check.data for check in checks) and len(set(self.shapes)) > 1:
            checks += self._reversed(flat, orders)
        found = [check for check in checks if check.data]
        return min(
            found or checks,
            key=lambda check: (len(check.data[0].mistakes) if check.data else 9, check.difference),
        )

    def _reversed(self, flat: Array, orders: Mapping[str, str]) -> Iterator[GradientCheck]:
        """Try the layers in reverse order."""
        shapes = self.shapes[::-1]
        for order, note in orders.items():
            parts = zip(split(flat, shapes), shapes)
            given = [x.reshape(s, order=order) for x, s in parts][::-1]  # type: ignore[call-overload]
            difference = distance(given, self.right, slack_of(given))
            if difference <= _TOLERANCE:
                verdict = Verdict((REVERSED,), difference)
                yield GradientCheck(given, self.right, [verdict], [note])

    def _of_matrices(self, given: Gradient) -> GradientCheck:
        return GradientCheck(given, self.right, self._verdicts(given), [])

    def _in_other_shapes(self, given: Gradient) -> Iterator[tuple[Slip, Gradient]]:
        pairs = list(zip(given, self.shapes))
        if len(given) != len(self.shapes):
            return
        if [x.shape for x in given] == self.shapes[::-1]:
            yield REVERSED, given[::-1]
        if all(x.shape in (s, s[::-1]) for x, s in pairs):
            mistake = Slip("transposed", "D has a row per unit, like Theta: delta * a'")
            yield mistake, [x if x.shape == s else x.T for x, s in pairs]
        if all(x.shape in (s, (s[0], s[1] - 1)) for x, s in pairs):
            mistake = Slip("bias dropped", "a bias has the input 1, so its derivative is delta")
            right = [d[:, :1] for d in self.right]
            yield (
                mistake,
                [x if x.shape == s else np.column_stack([b, x]) for (x, s), b in zip(pairs, right)],
            )
        if all(x.shape in (s, (s[0] + 1, s[1])) for x, s in pairs):
            mistake = Slip(
                "bias column left in Theta'",
                "the bias unit has no delta: leave out row 0 of Theta' * delta",
            )
            yield mistake, [x if x.shape == s else x[1:] for x, s in pairs]

    def _verdicts(self, given: Gradient) -> list[Verdict]:
        """List what explains a gradient: nothing, or the mistakes that come closest to it."""
        self._slack = slack_of(given)
        as_it_is = Verdict((), distance(given, self.right, self._slack))
        if as_it_is.difference <= _ROUNDING:
            return [as_it_is]
        tried = (self._verdict((slip,), given, gradient) for slip, gradient in self.single())
        found = [v for v in tried if v.difference <= _TOLERANCE]
        if as_it_is.difference > _TOLERANCE and not found:
            found = [v for v in self._pairs(given) if v.difference <= _TOLERANCE]
        if as_it_is.difference > _TOLERANCE and not found:
            found = [v for v in self._updates(given) if v.difference <= _TOLERANCE]
        best = min((v.difference for v in found), default=math.inf)
        if as_it_is.difference <= min(_CLEARLY * best, _TOLERANCE):
            return [as_it_is]
        return [v for v in found if v.difference <= max(10 * best, _ROUNDING)]

    def single(self) -> Iterator[tuple[Slip, Gradient]]:
        """Yield each mistake alone, with the gradient that it makes."""
        for slip, sums in wrong_sums(self.problem):
            yield slip, self._average(sums)
        for slip, average in wrong_averages(self.problem):
            yield slip, average(self.sums)
        yield from wrong_layouts(self.right)

    def _pairs(self, given: Gradient) -> Iterator[Verdict]:
        """Try a mistake in the accumulators together with one in the average."""
        averages = list(wrong_averages(self.problem))
        for slip, sums in wrong_sums(self.problem):
            for other, average in averages:
                yield self._verdict((slip, other), given, average(sums))

    def _average(self, sums: Gradient) -> Gradient:
        return formulas.gradients(sums, self.problem.thetas, self.problem.m, self.problem.lam)

    def _updates(self, given: Gradient) -> Iterator[Verdict]:
        """Fit the learning rate of an update of Theta in the middle of the pass."""
        p = self.problem
        for early, each in ((True, False), (False, True), (True, True)):
            if (each and p.m == 1) or (not each and p.layers == 2):
                continue
            when = "after each example" if each else "before delta2 is computed"
            if early and each:
                when = "after each product"
            mistake = Slip(
                "Theta updated in the middle",
                f"Theta moves {when}: first all derivatives at the same Theta, then one step",
            )
            for start in (0.01, 0.3, 3.0) if p.m <= _FEW else (0.1,):
                gradient = self._fitted(given, start, early, each)
                if gradient is not None:
                    yield self._verdict((mistake,), given, gradient)

    def _fitted(self, given: Gradient, start: float, early: bool, each: bool) -> Gradient | None:
        """Find the rate by Gauss and Newton's method; None if there is none above 0."""
        target = np.concatenate([x.ravel() for x in given])

        def gradient(alpha: float) -> Gradient:
            return self._average(updated_midway(self.problem, alpha, early=early, each=each))

        def flat(alpha: float) -> Array:
            return np.concatenate([x.ravel() for x in gradient(alpha)])

        alpha, off = start, math.inf
        for _ in range(12):
            with np.errstate(all="ignore"):
                here = flat(alpha)
                before, off = off, float(np.linalg.norm(target - here))
                if not off < 0.9 * before:  # it does not get closer, or has arrived
                    break
                slope = (flat(alpha * (1 + 1e-6)) - here) / (alpha * 1e-6)
                step = float(slope @ (target - here) / (slope @ slope))
            if not math.isfinite(step) or not 0 < alpha + step < 1e3:
                return None
            alpha += step
        return gradient(alpha)

    def _verdict(self, mistakes: tuple[Slip, ...], given: Gradient, gradient: Gradient) -> Verdict:
        if distance(gradient, self.right) <= _ROUNDING:  # it makes no difference here
            return Verdict(mistakes, math.inf)
        return Verdict(mistakes, distance(given, gradient, self._slack))
