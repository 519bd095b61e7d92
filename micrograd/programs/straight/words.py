"""The words of straight-line code for the C executor, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd.programs.straight.line import StraightLine

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


class Words(NamedTuple):
    """The words of operations one behind the other, and where those of each end."""

    words: Array
    ends: Array
    missing: list[int]  # operations that have none


def words_of(
    line: StraightLine,
    codes: tuple[Array, Array],
    places: Sequence[tuple[int, int, int]],
    loop: int,
    n: int,
) -> Words:
    """Return the words of a part of a code.

    `codes` are those of its kinds of operations, on one number and on `n`, or -1; `places` the
    place of each storage, and how far it is there to the next row and to the next example; `loop`
    is the code of LOOP.
    """
    place, row, example = np.array(places).T
    at = place[line.storages] + line.rows * row[line.storages]
    step = np.where(line.varies, example[line.storages], 0)
    loops = line.varies[line.results] & (n > 1)
    code = np.where(loops, codes[1][line.kinds], codes[0][line.kinds])
    numbers = np.diff(line.starts) + 1  # the result, and the operands
    widths = np.where(code < 0, 0, np.where(loops, 4 + 2 * numbers, 1 + numbers))
    ends = widths.cumsum()
    begins = ends - widths
    words = np.empty(widths.sum(), np.int32)
    for wanted, head in ((loops, (loop, code, 1, n)), (~loops, (code,))):
        chosen = np.flatnonzero(wanted & (code >= 0))
        for k, word in enumerate(head):
            words[begins[chosen] + k] = word[chosen] if isinstance(word, np.ndarray) else word
        apart = 2 if len(head) > 1 else 1
        for k in range(numbers[chosen].max(initial=0)):
            having = chosen[numbers[chosen] > k]
            read = line.operands[line.starts[having] + k - 1] if k else line.results[having]
            words[begins[having] + len(head) + apart * k] = at[read]
            if apart > 1:
                words[begins[having] + len(head) + apart * k + 1] = step[read]
    return Words(words, ends, np.flatnonzero(code < 0).tolist())
