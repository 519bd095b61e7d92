"""Where a Value belongs: to which example of a batch, to which module."""

from __future__ import annotations

from collections.abc import Iterable

from micrograd import ops
from micrograd.engine import Value
from micrograd.graph.scopes import Scope, scope_of
from micrograd.graph.steps import Step
from micrograd.nn import Module

# Examples: what hangs together below the outermost sum -------------------------------------------


def examples(output: Value, steps: list[Step]) -> dict[Value, int]:
    """Number the terms of the outermost sum that have inputs of their own; give every node's.

    Two nodes are of the same term when one is an operand of the other; leaves do not count, since
    parameters are shared by all. One such term alone is no example among others.
    """
    interior = {step.consumer for step in steps}
    terms, users = _terms(output, steps, interior)
    with_inputs = {found.pop() for found in users.values() if len(found) == 1}
    numbers: dict[int, int] = {}
    examples: dict[Value, int] = {}
    for node, term in reversed(terms.items()):  # in the order in which they were recorded
        if term in with_inputs:
            examples[node] = numbers.setdefault(term, len(numbers) + 1)
    return examples if len(numbers) > 1 else {}


def _terms(
    output: Value, steps: list[Step], interior: set[Value]
) -> tuple[dict[Value, int], dict[Value, set[int]]]:
    """The term of every node below the outermost sum, and for every leaf the terms that use it.

    The outermost sum is what only adds, subtracts and scales by leaves, down from the output.
    """
    terms: dict[Value, int] = {}
    users: dict[Value, set[int]] = {}
    same: list[int] = []  # a term that turned out to be part of another points to that one
    outer = {output}
    for node, _, operand, *_ in steps:  # all consumers of a node come before the node itself
        term = terms.get(node)
        if term is None:
            if node in outer and _adds_up(node, interior):
                outer.add(operand)
                continue
            term = terms[node] = len(same)
            same.append(term)
        if operand not in interior:
            users.setdefault(operand, set()).add(term)
        elif terms.setdefault(operand, term) != term:
            same[_first(same, term)] = _first(same, terms[operand])
    found = [_first(same, term) for term in range(len(same))]
    return (
        {node: found[term] for node, term in terms.items()},
        {leaf: {found[term] for term in parts} for leaf, parts in users.items()},
    )


def _first(same: list[int], term: int) -> int:
    while same[term] != term:
        same[term] = term = same[same[term]]
    return term


def _adds_up(node: Value, interior: set[Value]) -> bool:
    """Whether a node adds, subtracts, or scales by a leaf."""
    if node.op in (ops.add, ops.subtract, ops.negative):
        return True
    varying = [x for x in node.parents if x in interior]
    if node.op is ops.multiply:
        return len(varying) == 1
    return node.op is ops.divide and varying == [node.parents[0]]


# Modules ----------------------------------------------------------------------------------------


def modules(values: Iterable[Value]) -> list[str]:
    """Name the module that each Value was recorded in, or else its scope; "" outside of any.

    A part of a module is called by its path, as in `MLP.layers[0].neurons[1]`.
    """
    scopes = [scope_of(v) for v in values]
    lines = {scope: modules_around(scope) for scope in dict.fromkeys(scopes)}
    outermost = list(dict.fromkeys(line[-1] for line in lines.values() if line))
    titles = dict(zip(outermost, _told_apart([type(module).__name__ for module in outermost])))
    paths = {root: {part: path for path, part in root.named_modules()} for root in outermost}
    names = {}
    for scope, line in lines.items():
        if not line:
            names[scope] = scope.path if scope else ""
            continue
        part, root = line[0], line[-1]
        path = paths[root].get(part, type(part).__name__)
        names[scope] = f"{titles[root]}.{path}" if path else titles[root]
    return [names[scope] for scope in scopes]


def path_of_parameter(v: Value, users: Iterable[Value]) -> str:
    """Give the path to a parameter from the outermost module that these Values were recorded in.

    It is empty where v is not a parameter of one.
    """
    lines = map(modules_around, dict.fromkeys(map(scope_of, users)))
    for module in dict.fromkeys(line[-1] for line in lines if line):
        for path, p in module.named_parameters():
            if p is v:
                return path
    return ""


def modules_around(scope: Scope | None) -> list[Module]:
    """The modules that a scope is in, the innermost first."""
    found = []
    while scope is not None:
        if scope.module is not None:
            found.append(scope.module)
        scope = scope.parent
    return found


def _told_apart(names: list[str]) -> list[str]:
    """Number those that occur more than once."""
    return [
        f"{name}{names[: i + 1].count(name)}" if names.count(name) > 1 else name
        for i, name in enumerate(names)
    ]
