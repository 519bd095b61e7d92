"""The nodes of an ONNX graph, and the table's operations in terms of ONNX's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd import ops
from micrograd.derivatives.kinks import Choice
from micrograd.ops import Op, Steps
from micrograd.programs.export.dialects import formula_of
from micrograd.symbolic.formula import Formula, of_value_of, operand_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

# ONNX's operations that are the table's.
_SAME = {
    "add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div", "negative": "Neg",
    "abs": "Abs", "sign": "Sign", "maximum": "Max", "minimum": "Min", "exp": "Exp", "log": "Log",
    "sqrt": "Sqrt", "power": "Pow", "sin": "Sin", "cos": "Cos", "tan": "Tan", "arcsin": "Asin",
    "arccos": "Acos", "arctan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh",
    "arcsinh": "Asinh", "arccosh": "Acosh", "arctanh": "Atanh", "floor": "Floor",
    "ceil": "Ceil", "round": "Round", "sigmoid": "Sigmoid", "relu": "Relu",
}  # fmt: skip
_COMPARISONS = {"less": "Less", "less_equal": "LessOrEqual", "equal": "Equal"}

# Those that onnxruntime has in float32 alone.
SINGLE = {
    *("tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "arcsinh", "arccosh", "arctanh"),
}


def _log1p(x: Any) -> Any:
    """Return log(1 + x) to the last digits also near 0, as Kahan does."""
    u = 1 + x
    return ops.where(ops.equal(u, 1), x, ops.log(u) * (x / ops.where(ops.equal(u, 1), 1.0, u - 1)))


def _expm1(x: Any) -> Any:
    """Return exp(x) - 1 to the last digits also near 0: 2 sinh(x/2) exp(x/2) by its series."""
    small = ops.less(ops.abs(x), 0.5)
    near: Any = ops.where(small, x, 0.0)
    series: Any = 1.0
    for k in range(16, 1, -1):
        series = 1 + near * series / k
    return ops.where(small, near * series, ops.exp(x) - 1)


def _erf(x: Any) -> Any:
    size = ops.abs(x)
    return ops.where(ops.less(size, 1), _erf_near(x), ops.sign(x) * (1 - _erfc_far(size)))


def _erfc(x: Any) -> Any:
    size = ops.abs(x)
    far = _erfc_far(size)
    return ops.where(ops.less(size, 1), 1 - _erf_near(x), ops.where(ops.less(x, 0), 2 - far, far))


def _erf_near(x: Any) -> Any:
    """Return erf(x) by its series, for x between -1 and 1."""
    near: Any = ops.where(ops.less(ops.abs(x), 1), x, 0.0)
    series: Any = 1.0
    for n in range(24, 0, -1):
        series = 1 + 2 * near * near * series / (2 * n + 1)
    return ops.ERF_SLOPE * near * ops.exp(-near * near) * series


def _erfc_far(x: Any) -> Any:
    """Return erfc(x) by Laplace's continued fraction, for x from 1 on."""
    far: Any = ops.where(ops.less(x, 1), 1.0, x)
    fraction = far
    for n in range(150, 0, -1):
        fraction = far + n / 2 / fraction
    return ops.ERF_SLOPE / 2 * ops.exp(-far * far) / fraction


def _arctan2(y: Any, x: Any) -> Any:
    """Return the angle of a point: that of its slope, and half a turn where x is negative."""
    is_upright = ops.equal(x, 0)
    angle = ops.arctan(y / ops.where(is_upright, 1.0, x))
    below = ops.less(y, 0) + ops.equal(y, 0) * ops.less(1 / y, 0)  # -0 is below
    half = ops.where(ops.less(x, 0), ops.where(below, -math.pi, math.pi), 0.0)
    return ops.where(is_upright, ops.sign(y) * (math.pi / 2), angle + half)


def _hypot(x: Any, y: Any) -> Any:
    largest = ops.maximum(ops.abs(x), ops.abs(y))
    unit = ops.where(ops.equal(largest, 0), 1.0, largest)
    return largest * ops.sqrt((x / unit) * (x / unit) + (y / unit) * (y / unit))


# Those that are made of others here. ONNX's numbers are rounded to one kind at each step.
_MADE: dict[str, Callable[..., Any]] = {
    "log1p": _log1p,
    "expm1": _expm1,
    "erf": _erf,
    "erfc": _erfc,
    "arctan2": _arctan2,
    "hypot": _hypot,
    "log2": lambda x: ops.log(x) / ops.LOG_2,
    "log10": lambda x: ops.log(x) / ops.LOG_10,
    "mod": lambda x, y: x - y * ops.TABLE["floor"](x / y),
    "trunc": lambda x: ops.sign(x) * ops.TABLE["floor"](ops.abs(x)),
}


class Nodes:
    """An ONNX graph that is being written; tensors are known by their names."""

    def __init__(self, dtype: str) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.nodes: list[Any] = []
        self.constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self.lacking: set[str] = set()  # operations that ONNX lacks

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node, and return the name of what it gives."""
        from onnx import helper

        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [*inputs], [name], **attributes))
        return name

    def constant(self, array: Any) -> str:
        """Add a constant: floats as the graph computes, integers as they are."""
        found: NDArray[Any] = np.asarray(array)
        if found.dtype.kind == "f":
            found = found.astype(self.dtype)
        key = found.dtype.str, found.shape, found.tobytes()
        return self.constants.setdefault(key, f"constant_{len(self.constants)}")

    def initializers(self) -> list[Any]:
        """Return the constants as the graph holds them."""
        from onnx import numpy_helper

        return [
            numpy_helper.from_array(np.frombuffer(numbers, dtype).reshape(shape), name)
            for (dtype, shape, numbers), name in self.constants.items()
        ]

    def number(self, truth: str) -> str:
        """Turn truths into 0 and 1."""
        return self.add("Cast", truth, to=self.kind)

    @property
    def kind(self) -> int:
        """The number by which ONNX knows the floats of this graph."""
        from onnx import helper

        kind: int = helper.np_dtype_to_tensor_dtype(self.dtype)
        return kind

    def apply(self, op: Op, operands: Sequence[str]) -> str:
        """Add an operation on tensors; what ONNX lacks is taken down in `lacking`."""
        if op is ops.stop_gradient or isinstance(op, Choice):
            return operands[0]
        if ops.TABLE.get(op.name) is not op:
            names, formula = formula_of(op)
            return self._formula(formula, dict(zip(names, operands)))
        if op.name in SINGLE and self.dtype == np.float64:
            self.lacking.add(op.name)
        if op.name in _SAME:
            return self.add(_SAME[op.name], *operands)
        if op.name in _COMPARISONS:
            return self.number(self.add(_COMPARISONS[op.name], *operands))
        if op is ops.where:
            return self.add("Where", self.truth(operands[0]), *operands[1:])
        names = operand_names(op)
        if op is ops.erf and self.dtype == np.float32:
            return self.add("Erf", *operands)
        if op.name in _MADE:
            formula = _MADE[op.name](*map(Formula, names))
        else:
            formula = of_value_of(op)
            if formula.op is op or (isinstance(op.value, Steps) and self.dtype == np.float32):
                self.lacking.add(op.name)
                return operands[0]
        return self._formula(formula, dict(zip(names, operands)))

    def truth(self, number: str) -> str:
        """Turn numbers into truths: what is not 0."""
        return self.add("Not", self.add("Equal", number, self.constant(0.0)))

    def _formula(self, formula: Formula, names: dict[str, str]) -> str:
        """Add a formula, each of its parts once."""
        done: dict[int, str] = {}
        todo = [formula]
        while todo:
            node = todo[-1]
            missing = [x for x in node.args if id(x) not in done]
            if missing and id(node) not in done:
                todo += missing
                continue
            todo.pop()
            if id(node) in done:
                continue
            if node.op is not None:
                done[id(node)] = self.apply(node.op, [done[id(x)] for x in node.args])
            elif isinstance(node.symbol, str):
                done[id(node)] = names[node.symbol]
            else:
                done[id(node)] = self.constant(float(node.symbol))
        return done[id(formula)]
