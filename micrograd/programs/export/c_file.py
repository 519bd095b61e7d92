"""A program as a file of C99: the value and the gradient of one row."""

from __future__ import annotations

import re
from collections.abc import Sequence

from micrograd.programs.export.dialects import C_DIALECT, Functions
from micrograd.programs.export.loops import Loops
from micrograd.programs.export.ways import (
    DONE,
    NOT_AN_INDEX,
    NOT_FINITE,
    OTHER_PATH,
    write_way,
)
from micrograd.programs.export.writable import Argument, Way, Writable
from micrograd.programs.trace.captures import Name
from micrograd.symbolic.languages import C

# What the text calls its own.
_OURS = re.compile(
    r"((own_|all_)?parameters|(all_)?gradient|constants|weights|result|place|are_finite|status"
    r"|s|k|end|(memory|own|table)_\d+|i\d+)"
)
_IN_A_LINE = 4  # numbers
_LISTED = 12  # lines of names


# Sums of eight: it takes a third of the time of asking for each.
_ARE_FINITE = """static inline int are_finite(const double *x, int count)
{
    int i = 0;
    for (; i + 8 <= count; i += 8) {
        double s = ((x[i] + x[i + 1]) + (x[i + 2] + x[i + 3]))
            + ((x[i + 4] + x[i + 5]) + (x[i + 6] + x[i + 7]));
        if (!isfinite(s)) return 0;
    }
    for (; i < count; i++) {
        if (!isfinite(x[i])) return 0;
    }
    return 1;
}"""


def c_file(writable: Writable, gradient: bool) -> str:
    """Return the text of the file."""
    return _File(writable, gradient and len(writable.numbers) > 0).text()


class _File:
    def __init__(self, writable: Writable, gradient: bool) -> None:
        self.writable = writable
        self.name = C.name(writable.name)
        self.gradient = gradient
        self.functions = Functions(C_DIALECT)
        self.longest = 0  # of the paths: the numbers in its arrays
        self.inputs: dict[str, str] = {}
        for argument in writable.arguments:
            name = C.name(argument.name)
            while _OURS.fullmatch(name) or name in (*self.inputs.values(), self.name):
                name += "_"
            self.inputs[argument.name] = name

    def text(self) -> str:
        """Return all of the file."""
        ways = [self._way(way, number) for number, way in enumerate(self.writable.ways, 1)]
        parts = [
            self._comment(),
            "#include <math.h>\n#include <stddef.h>",
            self._declarations(),
            self._numbers(),
            _ARE_FINITE if self.gradient else "",
            "\n".join(self.functions.definitions()),
            *ways,
            self._function(),
        ]
        return "\n\n".join(filter(None, parts)) + "\n"

    # The head ------------------------------------------------------------------------------------

    def _comment(self) -> str:
        writable, several = self.writable, self.writable.is_list
        lines = [f"The program {writable.name}, for one row, in C99. Written by micrograd.", ""]
        for argument in writable.arguments:
            kind = "integers" if argument.is_integer else "numbers"
            lines.append(f"{self.inputs[argument.name]}: {_counted(argument, kind)}")
        if len(writable.numbers):
            lines.append(f"parameters: {len(writable.numbers)}, in this order:")
            lines += [f"    {line}" for line in _listed(writable.names)]
        lines.append(f"result: {writable.width}")
        if self.gradient and several:
            lines.append("weights: what each result counts for in the gradient")
        if self.gradient:
            lines.append(
                "gradient: that of the result by the parameters, or NULL for the value alone"
            )
        lines.append(f"stack: about {8 * self.longest} bytes, for the numbers on the way")
        lines += ["", f"Returns {DONE} when done, or why result and gradient are not to be used:"]
        if any(way.plan.count_guards for way in writable.ways):
            lines.append(
                f"{OTHER_PATH}: the row takes a path through an `if` that was not traced before"
            )
        if any(way.asks for way in writable.ways) and any(a.is_integer for a in writable.arguments):
            lines.append(f"{NOT_AN_INDEX}: an integer argument is none, or out of its range")
        if self.gradient:
            lines.append(
                f"{NOT_FINITE}: the gradient is not finite, or beyond 1e307; the result is right"
            )
        text = "\n".join(f" * {line}".rstrip() for line in lines)
        return "/*\n" + text.replace("*/", "* /").replace("/*", "/ *") + "\n */"

    def _signature(self, name: str) -> str:
        given = [*self.inputs.values()]
        if len(self.writable.numbers):
            given.insert(0, "parameters")
        if self.gradient and self.writable.is_list:
            given.append("weights")
        taken = [f"const double *restrict {each}" for each in given]
        taken += ["double *restrict result", *["double *restrict gradient"] * self.gradient]
        return f"int {name}({', '.join(taken)})"

    def _declarations(self) -> str:
        lines = [f"{self._signature(self.name)};"]
        if len(self.writable.numbers):
            count = len(self.writable.numbers)
            lines.append(f"extern const double {self.name}_parameters[{count}];")
        return "\n".join(lines)

    def _numbers(self) -> str:
        numbers = self.writable.numbers.tolist()
        if not numbers:
            return ""
        listed = _numbers(numbers)
        return f"const double {self.name}_parameters[{len(numbers)}] = {{\n{listed}\n}};"

    # Functions -----------------------------------------------------------------------------------

    def _way(self, way: Way, number: int) -> str:
        loops = write_way(self.writable, way, self.functions, self.inputs, 1)
        is_part = way.ranks != list(range(len(self.writable.numbers)))
        all_gradient = "all_gradient" if is_part else "gradient"
        if self.gradient:
            loops.line(f"if (!{all_gradient}) return {DONE};")
            loops.backward()
            if is_part:
                self._pass_on(loops, way.ranks)
            finite = f"are_finite({all_gradient}, {len(self.writable.numbers)})"
            loops.line(f"return {finite} ? {DONE} : {NOT_FINITE};")
        else:
            loops.line(f"return {DONE};")
        self.longest = max(self.longest, sum(loops.arrays.values()))
        lines = [f"    {line}" for line in self._head(loops, way.ranks if is_part else None)]
        signature = self._signature(self.name)
        if len(self.writable.ways) > 1:
            signature = f"static {self._signature(f'{self.name}_path_{number}')}"
        if is_part:
            signature = re.sub(r"restrict (parameters|gradient)\b", r"restrict all_\1", signature)
        return "\n".join([signature, "{", *lines, *loops.lines, "}"])

    def _pass_on(self, loops: Loops, ranks: Sequence[int]) -> None:
        """Put the gradient of a path's own parameters among those of all, else 0."""
        with loops.loops((len(self.writable.numbers),)) as [i]:
            loops.line(f"all_gradient[{i}] = 0.0;")
        if ranks:
            with loops.loops((len(ranks),)) as [i]:
                loops.line(f"all_gradient[own_parameters[{i}]] = gradient[{i}];")

    def _head(self, loops: Loops, ranks: Sequence[int] | None) -> list[str]:
        """Declare the arrays of a path, and copy its own parameters, those of `ranks`."""
        used = loops.used
        lines = [
            f"static const int {name}[{len(table)}] = {{{', '.join(map(str, table))}}};"
            for table, name in loops.tables.items()
        ]
        if "constants" in used:
            numbers = ", ".join(C.number(x)[0] for x in loops.constants)
            lines.append(f"static const double constants[{len(loops.constants)}] = {{{numbers}}};")
        if "weights" in used and not self.writable.is_list:
            lines.append("const double weights[1] = {1.0};")
        lines += [f"double {name}[{rows}];" for name, rows in loops.arrays.items() if name in used]
        given = {name for name in self.inputs.values() if name not in used}
        if self.gradient and self.writable.is_list and "weights" not in used:
            given.add("weights")
        if ranks:
            places = ", ".join(map(str, ranks))
            lines.append(f"static const int own_parameters[{len(ranks)}] = {{{places}}};")
            lines.append(f"double parameters[{len(ranks)}];")
            lines += [f"double gradient[{len(ranks)}];"] if self.gradient else []
            lines.append(
                f"for (int i1 = 0; i1 < {len(ranks)}; i1++) "
                "parameters[i1] = all_parameters[own_parameters[i1]];"
            )
            used.add("parameters")
            if "parameters" in given:
                given.remove("parameters")
        elif ranks is not None:
            given.add("all_parameters")
        elif len(self.writable.numbers) and "parameters" not in used:
            given.add("parameters")
        return [*lines, *[f"(void){name};" for name in sorted(given)]]

    def _function(self) -> str:
        """Try one path after the other."""
        if len(self.writable.ways) == 1:
            return ""
        names = ", ".join(re.findall(r"restrict (\w+)", self._signature("")))
        first, *others = [
            f"{self.name}_path_{number}({names})"
            for number in range(1, len(self.writable.ways) + 1)
        ]
        lines = [f"    int status = {first};"]
        lines += [f"    if (status == {OTHER_PATH}) status = {call};" for call in others]
        return "\n".join([self._signature(self.name), "{", *lines, "    return status;", "}"])


def _counted(argument: Argument, kind: str) -> str:
    is_even = all(isinstance(x, int) for x in argument.shape)
    shape = " x ".join(map(str, argument.shape)) if argument.shape and is_even else argument.size
    return f"{shape} {kind if argument.size != 1 else kind[:-1]}"


def _numbers(numbers: Sequence[float]) -> str:
    texts = [C.number(x)[0] for x in numbers]
    rows = [texts[i : i + _IN_A_LINE] for i in range(0, len(texts), _IN_A_LINE)]
    return ",\n".join(f"    {', '.join(row)}" for row in rows)


def _listed(names: Sequence[Name]) -> list[str]:
    """Name the parameters, those of one list in a line."""
    starts = [
        i
        for i, (before, name) in enumerate(zip([None, *names], names))
        if before is None
        or before.pattern != name.pattern
        or before.indices[:-1] != name.indices[:-1]
    ]
    lines = []
    for start, end in zip(starts, [*starts[1:], len(names)]):
        if end == start + 1:
            lines.append(f"{start}: {names[start]}")
        else:
            lines.append(f"{start} to {end - 1}: {names[start]} to {names[end - 1]}")
    return lines if len(lines) <= _LISTED else [*lines[: _LISTED - 2], "...", lines[-1]]
