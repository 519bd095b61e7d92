"""Where a Value belongs: to which example of a batch, to which module."""

from __future__ import annotations

from collections.abc import Iterable

from micrograd import ops
from micrograd.engine import Value
from micrograd.graph.scopes import Scope, scope_of, tell_apart
from micrograd.graph.steps import Step
from micrograd.nn import Module
from micrograd.value.identity import IdentityDict, IdentitySet

# Examples: the connected parts below the outermost sum -------------------------------------------


def number_examples(output: Value, steps: list[Step]) -> IdentityDict[Value, int]:
    """Return the number of the example that each node belongs to, from 1.

    An example is a term of the outermost sum that has inputs of its own. A node and its operands
    belong to the same term, apart from leaves, since all terms share the parameters. A single
    term is not an example among others: the result is empty then.
    """
    interior = IdentitySet(step.consumer for step in steps)
    terms, users = _terms(output, steps, interior)
    with_inputs = {found.pop() for found in users.values() if len(found) == 1}
    numbers: dict[int, int] = {}
    examples: IdentityDict[Value, int] = IdentityDict()
    for node, term in reversed(list(terms.items())):  # in the order in which they were recorded
        if term in with_inputs:
            examples[node] = numbers.setdefault(term, len(numbers) + 1)
    return examples if len(numbers) > 1 else IdentityDict()


def _terms(
    output: Value, steps: list[Step], interior: IdentitySet[Value]
) -> tuple[IdentityDict[Value, int], IdentityDict[Value, set[int]]]:
    """Return the term of each node below the outermost sum, and the terms that use each leaf.

    The outermost sum is everything from the output down that only adds, subtracts, or scales by
    leaves.
    """
    terms: IdentityDict[Value, int] = IdentityDict()
    users: IdentityDict[Value, set[int]] = IdentityDict()
    same: list[int] = []  # a term that is part of another points to that one
    outer = IdentitySet([output])
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
        IdentityDict((node, found[term]) for node, term in terms.items()),
        IdentityDict((leaf, {found[term] for term in parts}) for leaf, parts in users.items()),
    )


def _first(same: list[int], term: int) -> int:
    while same[term] != term:
        same[term] = term = same[same[term]]
    return term


def _adds_up(node: Value, interior: IdentitySet[Value]) -> bool:
    """Tell whether a node adds, subtracts, or scales by a leaf."""
    if node.op in (ops.add, ops.subtract, ops.negative):
        return True
    varying = [x for x in node.parents if x in interior]
    if node.op is ops.multiply:
        return len(varying) == 1
    return node.op is ops.divide and varying == [node.parents[0]]


# Modules ----------------------------------------------------------------------------------------


def module_names(values: Iterable[Value]) -> list[str]:
    """Name the module that recorded each Value, or else its scope; "" outside of any.

    A part of a module is named by its path, as in `MLP.layers[0].neurons[1]`, or as it calls itself
    in `course_name`.
    """
    scopes = [scope_of(v) for v in values]
    lines = {scope: enclosing_modules(scope) for scope in dict.fromkeys(scopes)}
    outermost = list(dict.fromkeys(line[-1] for line in lines.values() if line))
    titles = dict(zip(outermost, tell_apart([type(module).__name__ for module in outermost])))
    paths = {root: {part: path for path, part in root.named_modules()} for root in outermost}
    names = {}
    for scope, line in lines.items():
        if not line:
            names[scope] = scope.path if scope else ""
            continue
        part, root = line[0], line[-1]
        if called := getattr(part, "course_name", ""):
            names[scope] = called
            continue
        path = paths[root].get(part, type(part).__name__)
        names[scope] = f"{titles[root]}.{path}" if path else titles[root]
    return [names[scope] for scope in scopes]


def parameter_path(v: Value, users: Iterable[Value]) -> str:
    """Return the path to a parameter from the outermost module that recorded these Values.

    The path is empty if v is not a parameter of such a module.
    """
    lines = map(enclosing_modules, dict.fromkeys(map(scope_of, users)))
    for module in dict.fromkeys(line[-1] for line in lines if line):
        for path, p in module.named_parameters():
            if p is v:
                return path
    return ""


def enclosing_modules(scope: Scope | None) -> list[Module]:
    """List the modules around a scope, the innermost first."""
    found = []
    while scope is not None:
        if scope.module is not None:
            found.append(scope.module)
        scope = scope.parent
    return found
