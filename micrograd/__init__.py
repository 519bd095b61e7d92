"""A small engine for automatic differentiation of scalars, and neural networks on top of it.

>>> import micrograd as mg
>>> x = mg.Value(0.5)
>>> y = mg.tanh(3 * x)
>>> y.backward()
>>> print(f"{y:.4f} {x.grad:.4f}")
0.9051 0.5421
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from micrograd.engine import Value, core, toposort
from micrograd.native.products import dot
from micrograd.ops import (
    Op,
    abs,  # noqa: F401
    add,
    arccos,
    arccosh,
    arcsin,
    arcsinh,
    arctan,
    arctan2,
    arctanh,
    cbrt,
    cos,
    cosh,
    divide,
    equal,
    erf,
    erfc,
    exp,
    expm1,
    hypot,
    less,
    less_equal,
    log,
    log1p,
    log2,
    log10,
    logaddexp,
    maximum,
    minimum,
    multiply,
    negative,
    power,
    relu,
    sigmoid,
    sign,
    sin,
    sinh,
    softplus,
    sqrt,
    stop_gradient,
    subtract,
    tan,
    tanh,
    where,
)
from micrograd.special.elementary import exp2, logit, sinc, xlogy
from micrograd.special.gammas import digamma, gamma, lgamma, polygamma
from micrograd.special.normal import erfinv, log_ndtr, ndtr, ndtri
from micrograd.special.rounding import ceil, copysign, floor, mod, trunc
from micrograd.special.rounding import round as round
from micrograd.value.selection import logsumexp, take
from micrograd.value.selection import max as max
from micrograd.value.selection import min as min
from micrograd.value.words.elsewhere import IN_MICROGRAD, missing

if TYPE_CHECKING:
    from micrograd import draw, explain, losses, math, nn, optim, programs
    from micrograd.derivatives import (
        check_grads,
        fixed_point,
        grad,
        hessian,
        hvp,
        implicit_root,
        jacobian,
        jvp,
        solve,
        value_and_grad,
    )
    from micrograd.draw import draw_dot
    from micrograd.explain import examples
    from micrograd.files import load, save
    from micrograd.graph import scopes
    from micrograd.graph.modes import ieee, no_grad, source_lines
    from micrograd.graph.scopes import scope
    from micrograd.graph.strict import strict
    from micrograd.programs import program

# `from micrograd import *` leaves Python's own `abs`, `max`, `min` and `round` alone.
__all__ = [
    "Op",
    "Value",
    "add",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctan2",
    "arctanh",
    "cbrt",
    "ceil",
    "check_grads",
    "copysign",
    "core",
    "cos",
    "cosh",
    "digamma",
    "divide",
    "dot",
    "draw",
    "draw_dot",
    "equal",
    "erf",
    "erfc",
    "erfinv",
    "examples",
    "exp",
    "exp2",
    "explain",
    "expm1",
    "fixed_point",
    "floor",
    "gamma",
    "grad",
    "hessian",
    "hvp",
    "hypot",
    "ieee",
    "implicit_root",
    "jacobian",
    "jvp",
    "less",
    "less_equal",
    "lgamma",
    "load",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_ndtr",
    "logaddexp",
    "logit",
    "logsumexp",
    "losses",
    "math",
    "maximum",
    "minimum",
    "mod",
    "multiply",
    "ndtr",
    "ndtri",
    "negative",
    "nn",
    "no_grad",
    "optim",
    "polygamma",
    "power",
    "program",
    "programs",
    "relu",
    "save",
    "scope",
    "scopes",
    "sigmoid",
    "sign",
    "sin",
    "sinc",
    "sinh",
    "softplus",
    "solve",
    "source_lines",
    "sqrt",
    "stop_gradient",
    "strict",
    "subtract",
    "take",
    "tan",
    "tanh",
    "toposort",
    "trunc",
    "value_and_grad",
    "where",
    "xlogy",
]

# These load when they are first used, so that `import micrograd` stays quick.
_LAZY_MODULES = ("draw", "explain", "losses", "math", "nn", "optim", "programs")
_LAZY_FUNCTIONS = {
    "check_grads": "derivatives",
    "draw_dot": "draw",
    "fixed_point": "derivatives",
    "grad": "derivatives",
    "hessian": "derivatives",
    "hvp": "derivatives",
    "ieee": "graph.modes",
    "implicit_root": "derivatives",
    "jacobian": "derivatives",
    "jvp": "derivatives",
    "load": "files",
    "program": "programs",
    "no_grad": "graph.modes",
    "save": "files",
    "scope": "graph.scopes",
    "solve": "derivatives",
    "source_lines": "graph.modes",
    "strict": "graph.strict",
    "value_and_grad": "derivatives",
}
# Modules that can still be imported from where they once stood: notebooks and pickles name them.
_MOVED = {
    "bulk": "native.bulk",
    "copying": "value.copying",
    "examples": "explain.examples",
    "formula": "symbolic.formula",
    "scopes": "graph.scopes",
    "steps": "graph.steps",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY_MODULES or name in _MOVED:
        return importlib.import_module(f"micrograd.{name}")
    if name in _LAZY_FUNCTIONS:
        module = importlib.import_module(f"micrograd.{_LAZY_FUNCTIONS[name]}")
        globals()[name] = getattr(module, name)  # to import again would wait for a lock each time
        return globals()[name]
    raise missing("micrograd", name, IN_MICROGRAD)


def __dir__() -> list[str]:
    return sorted({*__all__, "abs", "max", "min"})  # what there is to complete


class _Docstring(str):
    """The docstring of a class; each of its objects is described by its own."""

    __slots__ = ()

    def __get__(self, op: Op | None, kind: type) -> str:
        if op is None:
            return str(self)
        described: str = importlib.import_module("micrograd.symbolic.described").described(op)
        return described


Op.__doc__ = _Docstring(Op.__doc__ or "")  # help(mg.tanh) has its formula and its derivative


class _MovedModules:
    """Import a module of `_MOVED` by its former name; it is the same module then."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        package, _, module = name.partition(".")
        if package != "micrograd" or module not in _MOVED:
            return None
        return ModuleSpec(name, cast(Any, _MovedModules()))

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the import system make a module, which exec_module replaces."""

    def exec_module(self, module: ModuleType) -> None:
        home = _MOVED[module.__name__.removeprefix("micrograd.")]
        sys.modules[module.__name__] = importlib.import_module(f"micrograd.{home}")


sys.meta_path.append(_MovedModules)
