"""Find names of Values: in the caller's variables, in lines that assign them, for many at once."""

# ruff: noqa: RUF001, RUF002  (the cross of a shape is meant)

from __future__ import annotations

import ast
import functools
import linecache
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from micrograd.engine import Value
from micrograd.graph.scopes import line_of
from micrograd.nn import Module
from micrograd.value.identity import IdentityDict, IdentitySet


def names_of(given: Mapping[Any, Any] | None) -> IdentityDict[Value, str]:
    """Return the names of Values, from Value: name, or from name: what holds the Values.

    What holds them is a Value, a list, a tuple, a dict, an array or a Module; anything else is
    skipped, so that `locals()` will do. A variable of its own names a Value before a list does.
    Raises TypeError for keys that are neither.

    >>> w, b = [Value(1.0), Value(2.0)], Value(3.0)
    >>> found = names_of({"w": w, "b": b})
    >>> [found[v] for v in (*w, b)], names_of({b: "offset"})[b]
    (['w[0]', 'w[1]', 'b'], 'offset')
    """
    names: IdentityDict[Value, str] = IdentityDict()
    for key, held in (given or {}).items():
        if isinstance(key, Value):
            names[key] = held
        elif not isinstance(key, str):
            raise TypeError(
                "names must be of Values, as in names={w: 'w'} or names={'w': [w1, w2]} or "
                f"names=locals(): got {key!r}"
            )
    for path, v in _all_held(given):
        if isinstance(v, Value):
            names.setdefault(v, path)
    return names


def module_names(given: Mapping[Any, Any] | None) -> dict[int, str]:
    """Return the names of the modules among what is named, by their ids.

    >>> model = Module()
    >>> module_names({"nets": [model]})[id(model)]
    'nets[0]'
    """
    names: dict[int, str] = {}
    for path, module in _all_held(given):
        if isinstance(module, Module):
            names.setdefault(id(module), path)
    return names


def _all_held(given: Mapping[Any, Any] | None) -> Iterator[tuple[str, Value | Module]]:
    """Yield the Values and modules among variables, those first that are variables themselves."""
    variables = [
        (name, held)
        for name, held in (given or {}).items()
        if isinstance(name, str) and not name.startswith("_")  # a notebook's results
    ]
    for name, held in sorted(variables, key=lambda one: not isinstance(one[1], (Value, Module))):
        yield from _held(name, held, set())


def _held(path: str, thing: Any, around: set[int]) -> Iterator[tuple[str, Value | Module]]:
    """Yield the Values and modules that something holds, with the way to each."""
    if isinstance(thing, Value):
        yield path, thing
        return
    if id(thing) in around:  # a list that holds itself
        return
    inner: Iterable[tuple[str, Any]] = ()
    if isinstance(thing, Module):
        yield path, thing
        inner = [(f"{path}.{name}", p) for name, p in thing.named_parameters()]
    elif isinstance(thing, (list, tuple)):
        inner = [(f"{path}[{i}]", part) for i, part in enumerate(thing)]
    elif isinstance(thing, dict):
        inner = [(f"{path}[{key!r}]", part) for key, part in thing.items()]
    elif str(getattr(thing, "dtype", "")) == "object":  # an array of Values
        inner = [(path, thing.tolist())]
    for name, part in inner:
        yield from _held(name, part, around | {id(thing)})


def assigned_names(order: Sequence[Value]) -> IdentityDict[Value, str]:
    """Name the results that a line `name = ...` assigned, recorded within `source_lines`.

    A line that ran several times numbers its results; those of a list share its name.
    """
    lines = IdentityDict((v, line) for v in order if v.parents and (line := line_of(v)))
    used_there = IdentitySet(
        x for v, line in lines.items() for x in v.parents if lines.get(x) == line
    )
    found: dict[tuple[str, bool], list[Value]] = {}
    for v, line in lines.items():
        name, operation, a_list = _assignment(*line)
        if name and (v not in used_there or operation == v._op):
            found.setdefault((name, a_list), []).append(v)
    names: IdentityDict[Value, str] = IdentityDict()
    for (name, a_list), values in found.items():
        for i, v in enumerate(values, start=1):
            names[v] = name if len(values) == 1 or a_list else f"{name}{i}"
    return names


_SYMBOLS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


@functools.cache
def _assignment(filename: str, number: int) -> tuple[str, str, bool]:
    """Return the name that a line assigns, the operation it ends with, and if it makes a list.

    That operation, if the line has no other such, tells the result from partial results where the
    line uses what it made before.
    """
    try:
        (line,) = ast.parse(linecache.getline(filename, number).strip()).body
    except (SyntaxError, ValueError):
        return "", "", False
    if isinstance(line, (ast.AugAssign, ast.AnnAssign)):
        target: ast.expr = line.target
    elif isinstance(line, ast.Assign) and len(line.targets) == 1:
        target = line.targets[0]
    else:
        return "", "", False
    operations = [_operation(part) for part in ast.walk(line)]
    made = line if isinstance(line, ast.AugAssign) else line.value
    a_list = isinstance(made, ast.ListComp)
    last = _operation(made.elt if isinstance(made, ast.ListComp) else made)
    name = target.id if isinstance(target, ast.Name) else ""
    return name, last if operations.count(last) == 1 else "", a_list


def _operation(part: ast.AST | None) -> str:
    if isinstance(part, (ast.BinOp, ast.AugAssign)):
        return _SYMBOLS.get(type(part.op), "")
    if isinstance(part, ast.Call) and isinstance(part.func, ast.Attribute):
        return {"relu": "ReLU"}.get(part.func.attr, part.func.attr)
    return ""


_INDEX = re.compile(r"\[([^]]*)\]")


def stem(name: str) -> str:
    """Return a name without indices and digits, which Values of one kind share.

    >>> stem("state['wq'][3][0]"), stem("x12")
    ("state['wq']", 'x')
    """
    return re.sub(r"\[\d+\]|\d+$", "", name)


def shapes(paths: Iterable[str]) -> list[str]:
    """Summarise the paths of parameters by name and shape.

    >>> shapes(["neurons[0].w[0]", "neurons[0].w[1]", "neurons[0].b"])
    ['w 2', 'b']
    >>> shapes(f"neurons[{i}].w[{j}]" for i in range(3) for j in range(2))
    ['w 3×2']
    >>> shapes(["layers[0].w[0]", "layers[0].w[1]", "layers[1].w[0]"])
    ['layers[0].w 2', 'layers[1].w']
    """
    patterns: dict[str, list[tuple[str, ...]]] = {}
    for path in paths:
        patterns.setdefault(_INDEX.sub("[]", path), []).append(tuple(_INDEX.findall(path)))
    said = []
    for pattern, indices in patterns.items():
        parts = [("", indices)] if _fills_a_box(indices) else _by_first_index(pattern, indices)
        name = pattern.replace("[]", "").rpartition(".")[2] or pattern
        for prefix, members in parts:
            sizes = [len(set(side)) for side in zip(*members)]
            shape = "×".join(str(size) for size in sizes if size > 1)
            if not _fills_a_box(members):
                shape = f"({len(members):,})"  # ragged: only their number
            said.append(f"{prefix}{name} {shape}".rstrip())
    return said


def _fills_a_box(indices: list[tuple[str, ...]]) -> bool:
    return math.prod(len(set(side)) for side in zip(*indices)) == len(indices)


def _by_first_index(
    pattern: str, indices: list[tuple[str, ...]]
) -> list[tuple[str, list[tuple[str, ...]]]]:
    parts: dict[str, list[tuple[str, ...]]] = {}
    for first, *rest in indices:
        parts.setdefault(first, []).append(tuple(rest))
    name = pattern.partition("[]")[0]
    return [(f"{name}[{first}].", rest) for first, rest in parts.items()]
