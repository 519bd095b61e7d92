"""A program as JavaScript: the results of one row."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np

from micrograd.programs.export.dialects import JAVASCRIPT_DIALECT, Functions
from micrograd.programs.export.loops import Loops
from micrograd.programs.export.ways import DONE, write_way
from micrograd.programs.export.writable import Way, Writable

_READ = (
    "const read = (text) => new Float64Array("
    "Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);"
)


def javascript_of(writable: Writable) -> str:
    """Define `paths`, functions of the arguments' arrays and an array for the results.

    They return what the functions in C do: 0 when done, 1 for a row that takes another path.

    >>> from micrograd import Value, program
    >>> w = Value(2.0)
    >>> scaled = program(lambda x: w * x)
    >>> _ = scaled([1.0])
    >>> print(javascript_of(scaled._writable()).splitlines()[-5])
        memory_0[0] = parameters[0] * x_0[0];
    """
    functions = Functions(JAVASCRIPT_DIALECT)
    names = {argument.name: f"x_{i}" for i, argument in enumerate(writable.arguments)}
    paths = [_path(writable, way, functions, names) for way in writable.ways]
    numbers = base64.b64encode(np.asarray(writable.numbers, "<f8").tobytes()).decode()
    return "\n".join(
        [
            _READ,
            f'const numbers = read("{numbers}");',
            *functions.definitions(),
            "const paths = [",
            *[f"{path}," for path in paths],
            "];",
        ]
    )


def _path(writable: Writable, way: Way, functions: Functions, names: dict[str, str]) -> str:
    loops = write_way(writable, way, functions, names, 1)
    loops.line(f"return {DONE};")
    body = "\n".join(loops.lines)
    taken = ", ".join([*names.values(), "result"])
    return "\n".join(
        ["(() => {", *_head(loops, way.ranks), f"return ({taken}) => {{", body, "};})()"]
    )


def _head(loops: Loops, ranks: Sequence[int]) -> list[str]:
    """Declare the arrays of a path: they are made once."""
    lines = [f"const {name} = {[*table]};" for table, name in loops.tables.items()]
    if "constants" in loops.used:
        numbers = [JAVASCRIPT_DIALECT.language.number(x)[0] for x in loops.constants]
        lines.append(f"const constants = [{', '.join(numbers)}];")
    if "parameters" in loops.used:
        are_first = ranks == [*range(len(ranks))]
        own = "numbers" if are_first else f"Float64Array.from({ranks}, (i) => numbers[i])"
        lines.append(f"const parameters = {own};")
    return lines + [
        f"const {name} = new Float64Array({rows});"
        for name, rows in loops.arrays.items()
        if name in loops.used
    ]
