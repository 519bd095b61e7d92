"""One path through a function as statements: its results, what it refuses, its gradient."""

from __future__ import annotations

from micrograd import ops
from micrograd.programs.export.dialects import Functions
from micrograd.programs.export.loops import Loops
from micrograd.programs.export.writable import Way, Writable

DONE, OTHER_PATH, NOT_AN_INDEX, NOT_FINITE = range(4)


def write_way(
    writable: Writable, way: Way, functions: Functions, inputs: dict[str, str], depth: int
) -> Loops:
    """Write the forward pass of a path, which ends early for a row that does not take it.

    `inputs` are the names of the arrays in which the arguments are given.
    """
    loops = Loops(way.plan, functions, inputs, depth)
    given = [*loops.lines]
    loops.lines.clear()
    for argument in writable.arguments:
        if argument.is_integer and way.asks and argument.size:
            name = inputs[argument.name]
            loops.used.add(name)
            with loops.loops((argument.size,)) as [i]:
                whole = functions.call(ops.TABLE["floor"], [f"{name}[{i}]"])
                loops.line(f"if ({name}[{i}] != {whole}) return {NOT_AN_INDEX};")
    loops.lines += given
    loops.forward()
    truths = way.plan.truths[:, 0].tolist()
    for storage, rows, places in way.plan.guards:
        for row, place in zip(rows.tolist(), places.tolist()):
            wrong = "==" if truths[place] else "!="
            loops.line(f"if ({loops.element(storage, row)} {wrong} 0.0) return {OTHER_PATH};")
    for index in way.indices:
        x = f"{inputs[index.name]}[{index.column}]"
        loops.used.add(inputs[index.name])
        loops.line(f"if (!({x} >= -{index.size} && {x} < {index.size})) return {NOT_AN_INDEX};")
    for k, (storage, row) in enumerate(way.plan.outputs):
        loops.line(f"result[{k}] = {loops.element(storage, row)};")
    return loops
