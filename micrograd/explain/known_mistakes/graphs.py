"""The graphs on which a student's Value is graded, and how one is run."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, NamedTuple

from micrograd import ops

# Each is Python code: statements, then the output. A graph is run if all its operations were asked
# for. `{f}` stands for each operation that is a method without arguments: relu, tanh ...


class Graph(NamedTuple):
    """A graph of a concept; `how` tells what is done besides one pass from fresh leaves."""

    concept: str
    code: str
    how: str = ""
    leaves: tuple[float, ...] = (-2.0, 3.0, 0.5)  # a, b, c

    @property
    def name(self) -> str:
        """The code on one line, and how it is run."""
        return "; ".join(self.code.splitlines()) + (f" ({self.how})" if self.how else "")

    @property
    def operations(self) -> set[str]:
        """The operators and methods that it needs."""
        nodes = list(ast.walk(ast.parse(self.code)))
        operators = {
            OPERATORS[type(x.op)] for x in nodes if isinstance(x, (ast.BinOp, ast.UnaryOp))
        }
        return operators | {x.attr for x in nodes if isinstance(x, ast.Attribute)}

    @property
    def optional(self) -> bool:
        """True where it may fail: the lecture's own class adds up in interior nodes as well."""
        return self.how == AGAIN


AGAIN = "twice, leaves zeroed"
ADDED = "a pass each, added up"
UPDATED = "again after an update"

ONE = "one operation"
SHARED = "a Value used more than once"
ORDER = "the order of the walk"
PASSES = "several passes"
SIZE = "large graphs"

_GRAPHS = [
    *(
        Graph(ONE, code)
        for code in (
            *("a + b", "a + 1", "1 + a", "a * b", "a * 3", "3 * a", "a - b", "a - 1", "1 - a"),
            *("-a", "a / b", "a / 4", "4 / a", "a ** 3", "a ** 4", "b ** 0.5", "c.{f}()"),
        )
    ),
    Graph(ONE, "b.{f}()", leaves=(2.0, 1.5, 0.5)),
    Graph(ONE, "a.relu()"),
    *(
        Graph(SHARED, code)
        for code in (
            *("a + a", "a * a", "a * b + c", "a * b + a", "a * b - a * c", "d = a - b; d * d"),
            *("d = a + a; d + d", "d = a + a; d * d"),
            # An operation comes last to a Value that has its share of another: it has to add.
            *("(a - b) * a * b", "-a * a", "a / b * a * b", "a ** 3 + a"),
        )
    ),
    *(
        Graph(ORDER, code)
        for code in (
            "d = a * b; e = a + b; d * e",
            "d = a * a; e = d * b; d + e",
            "d = a * a; e = d * b; e + d",
            "d = a + b; e = d * d; f = e * d; d * e + f",
            "d = b * c; e = d.{f}(); e * d + e * e",
            "d = (a * b).{f}(); e = (a * c + b).{f}(); f = (d * e + c).{f}(); f + d * f",
        )
    ),
    Graph(PASSES, "d = a * a; d * a", AGAIN),
    Graph(PASSES, "d = a + b; e = d * d; e + d", AGAIN),
    Graph(PASSES, "a * a * b", ADDED),
    Graph(PASSES, "d = a * a; d * b + a", UPDATED),
    Graph(SIZE, "d = a\nfor _ in range(50): d = d * c + a\nd"),
    Graph(SIZE, "d = a\nfor _ in range(30): d = d + d\nd"),
]
OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.USub: "-",
}
METHODS = [name for name, op in ops.TABLE.items() if len(op.derivatives) == 1]


def graphs_of(operations: list[str]) -> list[Graph]:
    """List the graphs that need no other operations than these."""
    methods = [name for name in operations if name not in OPERATORS.values()]
    written = [
        graph._replace(code=graph.code.replace("{f}", name))
        for graph in _GRAPHS
        for name in (methods if "{f}" in graph.code else [""])
    ]
    distinct = {(graph.code, graph.how, graph.leaves): graph for graph in reversed(written)}
    return [g for g in reversed(distinct.values()) if g.operations.issubset(operations)]


# Running them ------------------------------------------------------------------------------------

Numbers = dict[str, float]  # "output", "a.grad" ...


def run(
    graph: Graph,
    make: Callable[[float], Any],
    backward: Callable[[Any], object] = lambda output: output.backward(),
    zeroing: bool = True,
    updating: bool = True,
    recording_again: bool = True,
) -> Numbers:
    """Record a graph, run its passes, and read the output and the leaves' grads."""
    used = {x.id for x in ast.walk(ast.parse(graph.code)) if isinstance(x, ast.Name)}
    leaves = {name: make(x) for name, x in zip("abc", graph.leaves) if name in used}
    output = _record(graph.code, leaves)
    backward(output)
    if graph.how:
        for leaf in leaves.values():
            if graph.how != ADDED and zeroing:
                leaf.grad = 0.0
            if graph.how == UPDATED and updating:
                leaf.data = leaf.data + 0.25
        if graph.how == ADDED or (graph.how == UPDATED and recording_again):
            output = _record(graph.code, leaves)
        backward(output)
    grads = {f"{name}.grad": _number(leaf.grad, f"{name}.grad") for name, leaf in leaves.items()}
    return {"output": _number(output.data, "the data of the output"), **grads}


def _record(code: str, leaves: dict[str, Any]) -> Any:
    *statements, output = ast.parse(code).body
    assert isinstance(output, ast.Expr)
    names = dict(leaves)
    exec(compile(ast.Module(statements, []), "<graph>", "exec"), names)
    return eval(compile(ast.Expression(output.value), "<graph>", "eval"), names)


def _number(x: Any, what: str) -> float:
    try:
        return float(x)
    except (TypeError, ValueError):
        raise TypeError(f"{what} is {x!r}, which is not a number") from None
