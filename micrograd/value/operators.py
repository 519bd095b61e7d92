"""All operations as operators and methods, for any class with an `_apply` method."""

from __future__ import annotations

import math
from typing import Any, Generic, TypeVar

from micrograd import ops
from micrograd.ops import Op
from micrograd.special import elementary, gammas, normal, rounding

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

    def __mod__(self, other: Any) -> Result:
        return self._apply(rounding.mod, (self, other))

    def __rmod__(self, other: Any) -> Result:
        return self._apply(rounding.mod, (other, self))

    def __floordiv__(self, other: Any) -> Result:
        return self._whole_quotient(self, other)

    def __rfloordiv__(self, other: Any) -> Result:
        return self._whole_quotient(other, self)

    def _whole_quotient(self, x: Any, y: Any) -> Result:
        result: Result = rounding.round((x - rounding.mod(x, y)) / y)
        return result

    def radians(self) -> Result:
        return self._apply(ops.multiply, (self, math.pi / 180))

    def degrees(self) -> Result:
        return self._apply(ops.multiply, (self, 180 / math.pi))

    def deg2rad(self) -> Result:  # NumPy has both names
        return self.radians()

    def rad2deg(self) -> Result:
        return self.degrees()

    def fabs(self) -> Result:  # np.fabs asks for it
        return abs(self)

    def exp(self) -> Result:
        """Return exp(x); its derivative is out, where out is the result."""
        return self._apply(ops.exp, (self,))

    def expm1(self) -> Result:
        """Return expm1(x); its derivative is exp(x)."""
        return self._apply(ops.expm1, (self,))

    def log(self) -> Result:
        """Return log(x); its derivative is 1 / x."""
        return self._apply(ops.log, (self,))

    def log1p(self) -> Result:
        """Return log1p(x); its derivative is 1 / (1 + x)."""
        return self._apply(ops.log1p, (self,))

    def log2(self) -> Result:
        """Return log2(x); its derivative is 1 / (x * 0.6931)."""
        return self._apply(ops.log2, (self,))

    def log10(self) -> Result:
        """Return log10(x); its derivative is 1 / (x * 2.303)."""
        return self._apply(ops.log10, (self,))

    def sqrt(self) -> Result:
        """Return sqrt(x); its derivative is 0.5 / out, where out is the result."""
        return self._apply(ops.sqrt, (self,))

    def cbrt(self) -> Result:
        """Return cbrt(x); its derivative is 1 / (3 * out * out), where out is the result."""
        return self._apply(ops.cbrt, (self,))

    def sin(self) -> Result:
        """Return sin(x); its derivative is cos(x)."""
        return self._apply(ops.sin, (self,))

    def cos(self) -> Result:
        """Return cos(x); its derivative is -sin(x)."""
        return self._apply(ops.cos, (self,))

    def tan(self) -> Result:
        """Return tan(x); its derivative is 1 + out * out, where out is the result."""
        return self._apply(ops.tan, (self,))

    def arcsin(self) -> Result:
        """Return arcsin(x); its derivative is 1 / sqrt((1 - x) * (1 + x))."""
        return self._apply(ops.arcsin, (self,))

    def arccos(self) -> Result:
        """Return arccos(x); its derivative is -1 / sqrt((1 - x) * (1 + x))."""
        return self._apply(ops.arccos, (self,))

    def arctan(self) -> Result:
        """Return arctan(x); its derivative is 1 / (1 + x * x)."""
        return self._apply(ops.arctan, (self,))

    def sinh(self) -> Result:
        """Return sinh(x); its derivative is cosh(x)."""
        return self._apply(ops.sinh, (self,))

    def cosh(self) -> Result:
        """Return cosh(x); its derivative is sinh(x)."""
        return self._apply(ops.cosh, (self,))

    def tanh(self) -> Result:
        """Return tanh(x); its derivative is 1 - out * out, where out is the result."""
        return self._apply(ops.tanh, (self,))

    def arcsinh(self) -> Result:
        """Return arcsinh(x); its derivative is 1 / hypot(1, x)."""
        return self._apply(ops.arcsinh, (self,))

    def arccosh(self) -> Result:
        """Return arccosh(x); its derivative is 1 / (sqrt(x - 1) * sqrt(x + 1))."""
        return self._apply(ops.arccosh, (self,))

    def arctanh(self) -> Result:
        """Return arctanh(x); its derivative is 1 / ((1 - x) * (1 + x))."""
        return self._apply(ops.arctanh, (self,))

    def sigmoid(self) -> Result:
        """Return sigmoid(x); its derivative is out * (1 - out), where out is the result."""
        return self._apply(ops.sigmoid, (self,))

    def softplus(self) -> Result:
        """Return softplus(x); its derivative is sigmoid(x)."""
        return self._apply(ops.softplus, (self,))

    def relu(self) -> Result:
        """Return relu(x); its derivative is sign(out), where out is the result."""
        return self._apply(ops.relu, (self,))

    def sign(self) -> Result:
        """Return sign(x); its derivative is 0."""
        return self._apply(ops.sign, (self,))

    def erf(self) -> Result:
        """Return erf(x); its derivative is 1.128 * exp(-x * x)."""
        return self._apply(ops.erf, (self,))

    def erfc(self) -> Result:
        """Return erfc(x); its derivative is -1.128 * exp(-x * x)."""
        return self._apply(ops.erfc, (self,))

    def stop_gradient(self) -> Result:
        """Return stop_gradient(x), which has no derivative."""
        return self._apply(ops.stop_gradient, (self,))

    def arctan2(self, x: Any) -> Result:
        """Return arctan2(y, x).

        Its derivatives are x / hypot(y, x) / hypot(y, x) by y and -y / hypot(y, x) / hypot(y,
        x) by x.
        """
        return self._call(ops.arctan2, x)

    def hypot(self, other: Any) -> Result:
        """Return hypot(x, y).

        Its derivatives are sin(arctan2(x, abs(y))) by x and sin(arctan2(y, abs(x))) by y.
        """
        return self._call(ops.hypot, other)

    def logaddexp(self, other: Any) -> Result:
        """Return logaddexp(x, y).

        Its derivatives are sigmoid(x - y) by x and sigmoid(y - x) by y.
        """
        return self._call(ops.logaddexp, other)

    def maximum(self, other: Any) -> Result:
        """Return maximum(x, y).

        Its derivatives are 0.5 + 0.5 * sign(x - y) by x and 0.5 + 0.5 * sign(y - x) by y.
        """
        return self._call(ops.maximum, other)

    def minimum(self, other: Any) -> Result:
        """Return minimum(x, y).

        Its derivatives are 0.5 - 0.5 * sign(x - y) by x and 0.5 - 0.5 * sign(y - x) by y.
        """
        return self._call(ops.minimum, other)

    def less(self, other: Any) -> Result:
        """Return less(x, y), which has no derivative."""
        return self._call(ops.less, other)

    def less_equal(self, other: Any) -> Result:
        """Return less_equal(x, y), which has no derivative."""
        return self._call(ops.less_equal, other)

    def equal(self, other: Any) -> Result:
        """Return equal(x, y), which has no derivative."""
        return self._call(ops.equal, other)

    def where(self, x: Any, y: Any) -> Result:
        """Return where(c, x, y).

        Its derivatives are where(c, 1, 0) by x and where(c, 0, 1) by y.
        """
        return self._call(ops.where, x, y)

    def floor(self) -> Result:
        """Return floor(x); its derivative is 0."""
        return self._apply(rounding.floor, (self,))

    def ceil(self) -> Result:
        """Return ceil(x); its derivative is 0."""
        return self._apply(rounding.ceil, (self,))

    def trunc(self) -> Result:
        """Return trunc(x); its derivative is 0."""
        return self._apply(rounding.trunc, (self,))

    def round(self) -> Result:
        """Return round(x); its derivative is 0."""
        return self._apply(rounding.round, (self,))

    def exp2(self) -> Result:
        """Return exp2(x); its derivative is out * 0.6931, where out is the result."""
        return self._apply(elementary.exp2, (self,))

    def logit(self) -> Result:
        """Return logit(x); its derivative is 1 / (x * (1 - x))."""
        return self._apply(elementary.logit, (self,))

    def sinc(self) -> Result:
        """Return sinc(x); its derivative is computed in steps."""
        return self._apply(elementary.sinc, (self,))

    def gamma(self) -> Result:
        """Return gamma(x); its derivative is out * digamma(x), where out is the result."""
        return self._apply(gammas.gamma, (self,))

    def lgamma(self) -> Result:
        """Return lgamma(x); its derivative is digamma(x)."""
        return self._apply(gammas.lgamma, (self,))

    def digamma(self) -> Result:
        """Return digamma(x); its derivative is polygamma(1, x)."""
        return self._apply(gammas.digamma, (self,))

    def ndtr(self) -> Result:
        """Return ndtr(x); its derivative is exp(-x * x / 2) / 2.507."""
        return self._apply(normal.ndtr, (self,))

    def log_ndtr(self) -> Result:
        """Return log_ndtr(x); its derivative is computed in steps."""
        return self._apply(normal.log_ndtr, (self,))

    def ndtri(self) -> Result:
        """Return ndtri(p).

        Its derivative is 2.507 * exp(out * out / 2), where out is the result.
        """
        return self._apply(normal.ndtri, (self,))

    def erfinv(self) -> Result:
        """Return erfinv(x); its derivative is exp(out * out) / 1.128, where out is the result."""
        return self._apply(normal.erfinv, (self,))

    # The names that Python's math and NumPy's round ask for.
    def __floor__(self) -> Result:
        return self.floor()

    def __ceil__(self) -> Result:
        return self.ceil()

    def __trunc__(self) -> Result:
        return self.trunc()

    def rint(self) -> Result:
        return self.round()

    def mod(self, y: Any) -> Result:
        """Return mod(x, y).

        Its derivatives are 1 by x and round((out - x) / y) by y, where out is the result.
        """
        return self._call(rounding.mod, y)

    def copysign(self, y: Any) -> Result:
        """Return copysign(x, y); its derivative is sign(x) * copysign(1, y) by x."""
        return self._call(rounding.copysign, y)

    def xlogy(self, y: Any) -> Result:
        """Return xlogy(x, y).

        Its derivatives are log(y) by x and x / (y + float(x == 0) * float(y == 0)) by y.
        """
        return self._call(elementary.xlogy, y)

    def polygamma(self, x: Any) -> Result:
        """Return polygamma(n, x); its derivative is polygamma(n + 1, x) by x."""
        return self._call(gammas.polygamma, x)
