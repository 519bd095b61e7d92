"""Find the graph that an exception interrupted: what was recorded, and the line that broke it."""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from micrograd.draw.scene.names import names_of
from micrograd.draw.scene.outline import all_before
from micrograd.engine import Value
from micrograd.value.identity import IdentityDict

_OWN_CODE = str(Path(__file__).parents[2])


class Failure(NamedTuple):
    """The Values at the ends of an unfinished graph, names for want of labels, and the place."""

    roots: list[Value]
    names: Mapping[Value, str]
    where: str


def failure(error: BaseException) -> Failure:
    """Return the graph behind the variables of the function that raised an error.

    Raises ValueError if it held no Values.

    >>> def ratio(a, b):
    ...     difference = a - b
    ...     return 1 / difference
    >>> try:
    ...     ratio(Value(2.0), Value(2.0))
    ... except ZeroDivisionError as error:
    ...     print([failure(error).names[v] for v in failure(error).roots])
    ['difference']
    """
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        code = frame.f_code
        if code.co_filename.startswith(_OWN_CODE):
            continue
        names = names_of(frame.f_locals)
        if names:
            source = linecache.getline(code.co_filename, line).strip()
            where = f"{type(error).__name__} in line {line} of {code.co_name}: {source}"
            unlabelled = IdentityDict((v, name) for v, name in names.items() if not v.label)
            return Failure(_ends(list(names)), unlabelled, where.rstrip(": "))
    raise ValueError(
        f"{type(error).__name__} left no Values to draw: no function that it passed held any"
    )


def _ends(values: list[Value]) -> list[Value]:
    """Return the Values that no other one was made from."""
    used = {id(x) for v in all_before(values) for x in v.parents}
    return [v for v in values if id(v) not in used]
