"""All operations as operators and methods, for any class with an `_apply` method."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from micrograd import ops
from micrograd.ops import Op

Result = TypeVar("Result")


class Operators(Generic[Result]):
    """Turn `x + y` into `x._apply(ops.add, (x, y))`, and methods such as `x.tanh()` likewise.

    The methods have the names of NumPy's functions: `np.tanh` of an array of Values calls them.
    """

    __slots__ = ()

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Result:
        """Apply an operation to operands, self among them; NotImplemented if one is foreign."""
        raise TypeError(f"{type(self).__name__} has no _apply method to compute {op.name}")

    def _call(self, op: Op, *others: Any) -> Result:
        result: Result = op(self, *others)
        return result

    def __add__(self, other: Any) -> Result:
        return self._apply(ops.add, (self, other))

    def __radd__(self, other: Any) -> Result:
        return self._apply(ops.add, (other, self))

    def __sub__(self, other: Any) -> Result:
        return self._apply(ops.subtract, (self, other))

    def __rsub__(self, other: Any) -> Result:
        return self._apply(ops.subtract, (other, self))

    def __mul__(self, other: Any) -> Result:
        return self._apply(ops.multiply, (self, other))

    def __rmul__(self, other: Any) -> Result:
        return self._apply(ops.multiply, (other, self))

    def __truediv__(self, other: Any) -> Result:
        return self._apply(ops.divide, (self, other))

    def __rtruediv__(self, other: Any) -> Result:
        return self._apply(ops.divide, (other, self))

    def __pow__(self, exponent: Any, modulus: Any = None) -> Result:
        if modulus is not None:
            return NotImplemented
        return self._apply(ops.power, (self, exponent))

    def __rpow__(self, base: Any) -> Result:
        return self._apply(ops.power, (base, self))

    def __neg__(self) -> Result:
        return self._apply(ops.negative, (self,))

    def __abs__(self) -> Result:
        return self._apply(ops.abs, (self,))

    def exp(self) -> Result:
        return self._apply(ops.exp, (self,))

    def expm1(self) -> Result:
        return self._apply(ops.expm1, (self,))

    def log(self) -> Result:
        return self._apply(ops.log, (self,))

    def log1p(self) -> Result:
        return self._apply(ops.log1p, (self,))

    def log2(self) -> Result:
        return self._apply(ops.log2, (self,))

    def log10(self) -> Result:
        return self._apply(ops.log10, (self,))

    def sqrt(self) -> Result:
        return self._apply(ops.sqrt, (self,))

    def cbrt(self) -> Result:
        return self._apply(ops.cbrt, (self,))

    def sin(self) -> Result:
        return self._apply(ops.sin, (self,))

    def cos(self) -> Result:
        return self._apply(ops.cos, (self,))

    def tan(self) -> Result:
        return self._apply(ops.tan, (self,))

    def arcsin(self) -> Result:
        return self._apply(ops.arcsin, (self,))

    def arccos(self) -> Result:
        return self._apply(ops.arccos, (self,))

    def arctan(self) -> Result:
        return self._apply(ops.arctan, (self,))

    def sinh(self) -> Result:
        return self._apply(ops.sinh, (self,))

    def cosh(self) -> Result:
        return self._apply(ops.cosh, (self,))

    def tanh(self) -> Result:
        return self._apply(ops.tanh, (self,))

    def arcsinh(self) -> Result:
        return self._apply(ops.arcsinh, (self,))

    def arccosh(self) -> Result:
        return self._apply(ops.arccosh, (self,))

    def arctanh(self) -> Result:
        return self._apply(ops.arctanh, (self,))

    def sigmoid(self) -> Result:
        return self._apply(ops.sigmoid, (self,))

    def softplus(self) -> Result:
        return self._apply(ops.softplus, (self,))

    def relu(self) -> Result:
        return self._apply(ops.relu, (self,))

    def sign(self) -> Result:
        return self._apply(ops.sign, (self,))

    def erf(self) -> Result:
        return self._apply(ops.erf, (self,))

    def erfc(self) -> Result:
        return self._apply(ops.erfc, (self,))

    def stop_gradient(self) -> Result:
        return self._apply(ops.stop_gradient, (self,))

    def arctan2(self, other: Any) -> Result:
        return self._call(ops.arctan2, other)

    def hypot(self, other: Any) -> Result:
        return self._call(ops.hypot, other)

    def logaddexp(self, other: Any) -> Result:
        return self._call(ops.logaddexp, other)

    def maximum(self, other: Any) -> Result:
        return self._call(ops.maximum, other)

    def minimum(self, other: Any) -> Result:
        return self._call(ops.minimum, other)

    def less(self, other: Any) -> Result:
        return self._call(ops.less, other)

    def less_equal(self, other: Any) -> Result:
        return self._call(ops.less_equal, other)

    def equal(self, other: Any) -> Result:
        return self._call(ops.equal, other)

    def where(self, x: Any, y: Any) -> Result:
        return self._call(ops.where, x, y)
