"""Examples recorded as graphs: the passes through a network, and what each costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from micrograd.engine import Value
from micrograd.explain.course.network import Network, Pass, cross_entropy
from micrograd.explain.course.notation import entry
from micrograd.graph.scopes import scope

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Loss = Callable[[Any, Any], Any]


class Recording:
    """Examples, counted from 0; each is recorded when it is first asked for."""

    inputs: NDArray[np.float64]
    labels: list[Any]
    loss: Loss | None
    network: Network

    def __init__(
        self,
        network: Network,
        inputs: NDArray[np.float64],
        labels: list[Any],
        loss: Loss | None,
    ) -> None:
        self.network, self.inputs, self.labels, self.loss = network, inputs, labels, loss
        self._found: dict[int, tuple[Pass, Value]] = {}

    def __len__(self) -> int:
        return len(self.inputs)

    def passed(self, i: int) -> Pass:
        """Return the z and a of example i."""
        return self._example(i)[0]

    def cost(self, i: int) -> Value:
        """Return the cost of example i."""
        return self._example(i)[1]

    def _example(self, i: int) -> tuple[Pass, Value]:
        if i not in self._found:
            passed = self.network.forward(self.inputs[i].tolist())
            self._found[i] = passed, self._cost(i, passed.a[-1])
        return self._found[i]

    def _cost(self, i: int, outputs: list[Value]) -> Value:
        label = self.labels[i]
        with scope("cost"):  # one box in pictures
            if self.loss is None:
                cost: Any = cross_entropy(outputs, label, i + 1)
            else:
                cost = self.loss(outputs[0] if len(outputs) == 1 else outputs, label)
        if not isinstance(cost, Value):
            raise TypeError(
                f"loss(outputs, label) must return one Value, got {cost!r} for example {i + 1}: "
                "compute it from the outputs with operators and micrograd's functions"
            )
        cost.label = entry("cost", i + 1)
        return cost
