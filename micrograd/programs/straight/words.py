"""The words of straight-line code for the C executor, all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np

from micrograd.ops import Op
from micrograd.programs.lower.strides import Step
from micrograd.programs.straight.line import StraightLine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


class Target(NamedTuple):
    """What words are written for."""

    code_of: Callable[[Op, int], Union[int, None]]  # of an operation on so many numbers
    places: Sequence[tuple[int, int, int]]  # of storages; how far to the next row, and example
    loop: int  # the code of LOOP
    n: int  # examples
    few: int  # examples for which there is no loop, but an instruction each


def parts(line: StraightLine, target: Target) -> Iterator[bytes | Step]:
    """Yield the words of as many operations as have some, and the steps in between."""
    n = target.n
    alone, many = (
        np.array([-1 if code is None else code for code in codes], np.int32)
        for codes in (
            [None if op is None else target.code_of(op, count) for op in line.ops]
            for count in (1, n)
        )
    )
    varies = line.varies[line.results]
    code = np.where(varies, many[line.kinds], alone[line.kinds])
    words, ends = _words(line, code, varies, target)
    written = 0
    for k in np.flatnonzero(code < 0).tolist():
        yield words[written : ends[k]].tobytes()
        written = int(ends[k])
        yield line[k]
    yield words[written:].tobytes()


def _words(line: StraightLine, code: Array, varies: Array, target: Target) -> tuple[Array, Array]:
    """Return the words of all operations that have a code, and where those of each end."""
    n = target.n
    place, row, example = np.array(target.places).T
    at = place[line.storages] + line.rows * row[line.storages]
    step = np.where(line.varies, example[line.storages], 0)
    loops = varies & (n > target.few)
    numbers = np.diff(line.starts) + 1  # the result, and the operands
    times = np.where(loops | ~varies, 1, n)
    widths = np.where(loops, 4 + 2 * numbers, 1 + numbers)
    ends = np.where(code < 0, 0, times * widths).cumsum()
    words = np.empty(ends[-1] if len(ends) else 0, np.int32)
    begins = ends - times * widths
    for wanted, head in ((loops, (target.loop, code, 1, n)), (~loops, (code,))):
        chosen = np.flatnonzero(wanted & (code >= 0))
        which = np.arange(times[chosen].sum()) - np.repeat(
            times[chosen].cumsum() - times[chosen], times[chosen]
        )  # of the examples that have an instruction each
        chosen = np.repeat(chosen, times[chosen])
        starts = begins[chosen] + which * widths[chosen]
        for k, word in enumerate(head):
            words[starts + k] = word[chosen] if isinstance(word, np.ndarray) else word
        apart = 2 if len(head) > 1 else 1
        for k in range(numbers[chosen].max(initial=0)):
            having = np.flatnonzero(numbers[chosen] > k)
            own, to = chosen[having], starts[having] + len(head) + apart * k
            read = line.operands[line.starts[own] + k - 1] if k else line.results[own]
            words[to] = at[read] + which[having] * step[read]
            if apart > 1:
                words[to + 1] = step[read]
    return words, ends
