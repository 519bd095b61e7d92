"""Running a tape on arrays (for now: node by node)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from micrograd.engine import Value
from micrograd.programs.trace import Tape, total


class Executable:
    def __init__(
        self,
        tape: Tape,
        outputs: Sequence[int],
        gradients: Mapping[Value, int],
        parameters: Sequence[Value],
    ) -> None:
        self.tape, self.outputs = tape, list(outputs)
        self.parameters = list(parameters)
        self.gradients = [gradients.get(p) for p in self.parameters]
        self.reverse_start = next(
            (i for i, (name, _) in tape.inputs.items() if not name), len(tape.ops)
        )

    def forward(self, inputs: Mapping[str, Any], data: Any, n: int) -> tuple[Any, Any]:
        tape = self.tape
        values: list[Any] = [None] * len(tape.ops)
        for i, (name, column) in tape.inputs.items():
            values[i] = inputs[name][column] if name else None
        for p, number in zip(self.parameters, data):
            values[tape.parameters[p]] = np.float64(number)
        for i, number in tape.constants.items():
            values[i] = np.float64(number)
        self._run(values, 0, self.reverse_start)
        out = np.empty((len(self.outputs), n))
        for k, i in enumerate(self.outputs):
            out[k] = values[i]
        return out, values

    def backward(self, values: Any, seeds: Any) -> Any:
        values = list(values)
        for i, (name, column) in self.tape.inputs.items():
            if not name:
                values[i] = seeds[column]
        self._run(values, self.reverse_start, len(values))
        return np.array([0.0 if g is None else float(values[g]) for g in self.gradients])

    def _run(self, values: Any, start: int, stop: int) -> None:
        with np.errstate(all="ignore"):
            for i in range(start, stop):
                op = self.tape.ops[i]
                if op is total:
                    values[i] = values[self.tape.operands[i][0]].sum()
                elif op is not None:
                    values[i] = op(*[values[j] for j in self.tape.operands[i]])
