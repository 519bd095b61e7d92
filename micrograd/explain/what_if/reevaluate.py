"""Evaluate a recorded graph on other numbers, without changing anything in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from micrograd import ops
from micrograd.engine import Value, toposort
from micrograd.explain.names import name_of
from micrograd.native.gc_pause import uncollected
from micrograd.ops import Op
from micrograd.value.errors import ARITHMETIC_ERRORS, forward_error
from micrograd.value.identity import IdentityDict
from micrograd.value.numbers import to_float

if TYPE_CHECKING:
    import numpy as np


class Reevaluation:
    """The output as it would be if the Values in `moved` held other numbers.

    A moved Value need not be a leaf; its own operands are then ignored. Raises TypeError if a node
    that depends on a moved Value was not made by an operation.

    >>> x = Value(3.0)
    >>> reevaluation = Reevaluation(x * x + 1, [x])
    >>> reevaluation.output([2.0]), x.data
    (5.0, 3.0)
    """

    @uncollected()
    def __init__(self, output: Value, moved: Sequence[Value]) -> None:
        nodes = toposort(output)
        self._position = IdentityDict((v, i) for i, v in enumerate(nodes))
        self._moved = [self._position.get(v) for v in moved]
        self._numbers: list[Any] = [v.data for v in nodes]
        # For each node to compute: where its number goes, its operation, where its operands are.
        self._steps: list[tuple[int, Op, list[int]]] = []
        reached = set(moved)
        for i, v in enumerate(nodes):
            if v not in reached and not reached.isdisjoint(v.parents):
                reached.add(v)
                self._steps.append((i, _operation(v), [self._place(x) for x in v.args]))

    def _place(self, operand: Any) -> int:
        if isinstance(operand, Value):
            return self._position[operand]
        self._numbers.append(operand)  # an exponent
        return len(self._numbers) - 1

    def output(self, data: Sequence[float]) -> float:
        """Return the output for new data of the moved Values; raise what arithmetic raises."""
        return self._run(data)[len(self._position) - 1]

    def everything(self, data: Sequence[float]) -> IdentityDict[Value, float]:
        """Return the data of every Value of the graph, for new data of the moved ones."""
        return IdentityDict(zip(self._position, self._run(data)))

    def _run(self, data: Sequence[float]) -> list[float]:
        numbers = self._start(data)
        for i, op, operands in self._steps:
            inputs = [numbers[k] for k in operands]
            try:
                numbers[i] = op.value(*inputs)
            except ARITHMETIC_ERRORS as error:
                raise forward_error(error, op, inputs) from error
            if numbers[i].__class__ is not float:
                numbers[i] = to_float(numbers[i])
        return numbers

    def outputs(self, data: Sequence[np.ndarray]) -> np.ndarray:
        """Return the outputs for an array of data per moved Value, by IEEE arithmetic."""
        import numpy as np

        numbers = self._start(data)
        functions = {op: _on_arrays(op) for op in {op for _, op, _ in self._steps}}
        with np.errstate(all="ignore"):
            for (i, op, operands), unused in zip(self._steps, self._last_uses()):
                result = functions[op](*[numbers[k] for k in operands])
                numbers[i] = result if result.dtype == float else result.astype(float)
                for k in unused:
                    numbers[k] = None  # free the array
        shape = np.broadcast_shapes(*[np.shape(column) for column in data])
        return np.broadcast_to(numbers[len(self._position) - 1], shape)

    def _start(self, data: Sequence[Any]) -> list[Any]:
        numbers = self._numbers.copy()
        for i, number in zip(self._moved, data):
            if i is not None:  # it is part of this graph
                numbers[i] = number
        return numbers

    def _last_uses(self) -> list[list[int]]:
        """List, for each step, the operands that no later step needs."""
        last = {k: step for step, (_, _, operands) in enumerate(self._steps) for k in operands}
        last.pop(len(self._position) - 1, None)  # the output is needed in the end
        unused: list[list[int]] = [[] for _ in self._steps]
        for k, step in last.items():
            unused[step].append(k)
        return unused


def _operation(v: Value) -> Op:
    if v._closure is not None:
        raise TypeError(
            f"{name_of(v)} has a _backward assigned by hand: how it is computed is known to your "
            "code alone. Instead of the output, pass a function without arguments that computes it"
        )
    if v.op is None:
        raise TypeError(
            f"{name_of(v)} was made by Value.node, or from children: only its number and its "
            "derivatives were recorded, not how it is computed. Instead of the output, pass a "
            "function without arguments that computes it"
        )
    return v.op


def _on_arrays(op: Op) -> Callable[..., Any]:
    """Return NumPy's function for an operation, or the operation itself, which takes arrays too."""
    import numpy as np

    return getattr(np, op.name, op) if ops.TABLE.get(op.name) is op else op
