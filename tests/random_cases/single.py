"""Programs of float32 beside those of float64, as near as the numbers that they compute with allow.

How near that is is measured: the program of float64 is run again on arguments and parameters that
are a little off. What float32 gives may be farther off than these, but not by much.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

import micrograd as mg
from micrograd import Value
from random_cases import arguments
from random_cases.cases import Case
from random_cases.comparing import WrongError

OFF = 1e-6  # of each number: some ten times what float32 rounds
TIMES = 100  # what float32 may be farther off
RELATIVE = 3e-5  # to the largest of an array
TINY = 1e-6  # to what may have been added up, and have cancelled to nothing
WEIGHTS = 3.0, 3e-250  # of all results
RANGE = 1e-36, 1e36  # in which no number, and no product of a few, is infinite or 0 in float32
REFUSED = "beyond the range of float32", "too small for float32", "is 0 in float32"


class Found(NamedTuple):
    """The results of a call, and the gradients of their sum."""

    data: Any
    grads: dict[str, Any]


def check(case: Case) -> None:
    """Raise WrongError where the program of float32 is farther off than it can be."""
    rng = np.random.default_rng(case.rng("single").getrandbits(64))
    rows = int(rng.choice([1, 2, 5, 17, 40, 70]))
    given = [arguments.numbers(rng, rows, a) for a in case.arguments]
    wide = mg.program(case.function)
    right = _found(wide, case, given)
    try:
        narrow = _found(mg.program(case.function, dtype="float32"), case, given)
    except (OverflowError, ValueError) as error:
        if any(text in str(error) for text in REFUSED):
            return
        raise
    if narrow.data.dtype != np.float32:
        raise WrongError(f"a program of float32 gives {narrow.data.dtype}")
    others = [*_a_little_off(wide, case, given, rng)]
    pairs = [("the result", right.data, narrow.data, [x.data for x in others])]
    for name, grads in right.grads.items():
        pairs.append(
            (f"the gradient of {name}", grads, narrow.grads[name], [x.grads[name] for x in others])
        )
    scale = rows + max(map(_largest, right.grads.values()), default=0.0)
    for name, exact, found, near in pairs:
        told = _told(exact, found, near, TINY * scale)
        if told and _is_in_range(case, given):
            raise WrongError(f"{name} of float32, on {rows} rows, {told}")


def _found(program: Any, case: Case, given: Sequence[Any]) -> Found:
    for ps in case.parameters.values():
        for p in ps:
            p.grad = 0.0
    result = arguments.call(program, case.arguments, [_lists(x) for x in given])
    known, rng = np.isfinite(result.data), case.rng("weight")
    weight, is_whole = rng.choice(WEIGHTS), known.all() and rng.random() < 0.5
    (weight * (result if is_whole else result[known]).sum()).backward()
    grads = {n: np.array([p.grad for p in ps]) / weight for n, ps in case.parameters.items()}
    return Found(result.data, grads)


def _lists(array: Any) -> Any:
    return array.tolist() if array.dtype == object else array


def _a_little_off(program: Any, case: Case, given: Sequence[Any], rng: Any) -> Iterator[Found]:
    """Yield what the program of float64 gives for other numbers, always to both sides."""
    for _ in range(3):
        seed = rng.integers(2**32)
        for sign in (1, -1):
            own = np.random.default_rng(seed)
            moved = [_moved(x, sign, own) for x in given]
            with _parameters_moved(case, sign, own):
                yield _found(program, case, moved)


def _moved(x: Any, sign: int, rng: Any) -> Any:
    """Return numbers that are a little off; integers as they are."""
    if isinstance(x, list):
        return [_moved(part, sign, rng) for part in x]
    if isinstance(x, np.ndarray) and x.dtype.kind == "O":
        moved = np.empty(len(x), object)
        moved[:] = [_moved(part, sign, rng) for part in x]
        return moved
    if isinstance(x, int) or (isinstance(x, np.ndarray) and x.dtype.kind == "i"):
        return x
    return x * (
        1 + sign * OFF * rng.uniform(0.3, 1, np.shape(x)) * rng.choice([-1, 1], np.shape(x))
    )


@contextmanager
def _parameters_moved(case: Case, sign: int, rng: Any) -> Iterator[None]:
    every = [p for ps in case.parameters.values() for p in ps]
    before = [p.data for p in every]
    for p in every:
        p.data = float(_moved(p.data, sign, rng))
    try:
        yield
    finally:
        for p, number in zip(every, before):
            p.data = number


def _largest(array: Any) -> float:
    return float(np.max(np.abs(array), initial=0.0, where=np.isfinite(array)))


def _told(exact: Any, found: Any, near: Sequence[Any], least: float) -> str:
    """Say where float32 is too far off, more than the `least` that counts, or return nothing."""
    known = np.isfinite(exact)
    for other in near:
        known &= np.isfinite(other)
    if not known.any():
        return ""
    spread = max(float(np.abs(other - exact)[known].max()) for other in near)
    tolerance = TIMES * spread + RELATIVE * float(np.abs(exact[known]).max()) + least
    wrong = known & ~(np.abs(found.astype(float) - exact) <= tolerance)
    if not wrong.any():
        return ""
    place = tuple(int(i[0]) for i in np.nonzero(np.atleast_1d(wrong)))
    numbers = [float(np.atleast_1d(x)[place]) for x in (found, exact)]
    where = f"is off at {list(place)}, by more than {tolerance:.1e}"
    return f"{where}: {numbers[0]!r}, in float64 {numbers[1]!r}"


def _is_in_range(case: Case, given: Sequence[Any]) -> bool:
    """Return whether float32 has all numbers that the loop over the rows meets."""
    for row in zip(*given):
        try:
            out = arguments.call(case.function, case.arguments, [_values(x) for x in row])
        except (ArithmeticError, ValueError):
            return False
        outputs = out if isinstance(out, (list, tuple)) else [out]
        roots = [v for v in outputs if isinstance(v, Value)]
        nodes = itertools.chain.from_iterable(mg.toposort(v) for v in roots)
        if not all(v.data == 0 or RANGE[0] < abs(v.data) < RANGE[1] for v in nodes):
            return False
    return True


def _values(numbers: Any) -> Any:
    if isinstance(numbers, list) or np.ndim(numbers):
        return [_values(x) for x in numbers]
    return int(numbers) if isinstance(numbers, (int, np.integer)) else Value(float(numbers))
