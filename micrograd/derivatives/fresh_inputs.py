"""A function called on new Values, so that the derivative of its result can be taken."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

from micrograd.derivatives import chain_rule, sweeps
from micrograd.derivatives.chain_rule import Entry
from micrograd.derivatives.errors import explain, name_of, no_value, suspects
from micrograd.derivatives.surroundings import ENDED, TIED, VARIABLES, Surroundings, look, were_kept
from micrograd.derivatives.sweeps import identity, tied
from micrograd.derivatives.trees import (
    Nested,
    array_of,
    as_blocks,
    as_objects,
    is_nested,
    map_values,
)
from micrograd.engine import Value
from micrograd.graph import past
from micrograd.native.takeover import prefer_c
from micrograd.value import hooks
from micrograd.value.custom_nodes import refuse_forgotten
from micrograd.value.numbers import is_number, refuse_masked, to_float

_running: dict[int, Call] = {}  # the calls whose function runs, in any thread, by their ids


class Call:
    """Call `f(x, ...)` on new Values in the place of x, and hold its result.

    x is the argument at `argnums`; with several of these, the tuple of them. With `has_aux` the
    function returns a pair, and the second of it is kept as it is.

    The new Values are marked. So it is seen from a graph alone whether it depends on other calls,
    whatever thread recorded it, and derivatives nest without being confused. Where x held Values,
    the new ones are tied to them in the end; until then they are leaves, so that no walk through
    the graph of `f` goes on into all that was computed before.
    """

    argnums: int | tuple[int, ...]
    has_aux: bool

    f: Callable[..., Any]
    args: Any
    kwargs: Any
    originals: list[Any]
    at_values: bool
    variables: list[Value]
    shape: tuple[int, ...] | Nested | None
    thread: int
    surroundings: Surroundings | None  # for the calls within this one, once there is such a call

    def __init__(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        kwargs: Any,
        argnums: int | tuple[int, ...] = 0,
        has_aux: bool = False,
    ) -> None:
        self.f, self.args, self.kwargs = f, args, kwargs
        self.argnums, self.has_aux = argnums, has_aux
        self.thread, self.surroundings = threading.get_ident(), None
        x = args[0] if argnums == 0 and args else self._chosen()
        self.shape, self.originals = elements(x)  # None for the shape of one number
        if set(map(type, self.originals)) == {float}:
            self.at_values, self.variables = False, new_variables(self.originals)
        else:
            self.at_values = any(isinstance(original, Value) for original in self.originals)
            self.variables = [leaf_for(original) for original in self.originals]
            for v in self.variables:
                v._is_variable = True
        _running[id(self)] = self
        try:
            self.result: Any = self._run(self.variables)
        except (TypeError, ValueError, AttributeError) as error:
            explain(error)
            raise
        finally:
            del _running[id(self)]
        self.aux: Any = None
        if has_aux:
            self.result, self.aux = self._pair(self.result)

    def _chosen(self) -> Any:
        """Return the argument, or the tuple of arguments, that the derivative is taken by."""
        chosen = [self.args[i] for i in self._places()]
        if not isinstance(self.argnums, tuple):
            return chosen[0]
        return Nested(as_blocks(chosen))

    def _places(self) -> tuple[int, ...]:
        """Return the positions that argnums names."""
        places = self.argnums if isinstance(self.argnums, tuple) else (self.argnums,)
        for i in places:
            if not 0 <= i < len(self.args):
                raise TypeError(
                    f"{name_of(self.f)} was called with {len(self.args)} positional argument(s), "
                    f"and a derivative by argument {i} was asked for"
                )
        return places

    def _run(self, variables: list[Value]) -> Any:
        """Call the function with these in the place of x."""
        x: Any = variables[0] if self.shape is None else self.in_form(variables)
        if self.argnums == 0:
            return self.f(x, *self.args[1:], **self.kwargs)
        given = list(self.args)
        if isinstance(self.argnums, tuple):
            for i, part in zip(self.argnums, x):
                given[i] = part
        else:
            given[self.argnums] = x
        return self.f(*given, **self.kwargs)

    def _pair(self, result: Any) -> Any:
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(
                f"{name_of(self.f)} returned {result!r}: with has_aux=True it returns a pair, the "
                "result to be differentiated and what else is wanted"
            )
        return result

    def with_aux(self, derivative: Any, as_values: bool) -> Any:
        """Return a derivative, with has_aux in a pair with what the function returned beside."""
        if not self.has_aux:
            return derivative
        return derivative, self.aux if as_values else map_values(lambda v: v.data, self.aux)

    def in_form(
        self, entries: Sequence[Any], outer: tuple[int, ...] = (), kind: type = object
    ) -> Any:
        """Return entries, one for each number in x, in the form of x; `outer` is as in `shaped`."""
        if isinstance(self.shape, Nested):
            return self.shape.filled(entries, outer, kind)
        if self.shape is None and outer == ():
            return entries[0]
        return array_of(entries, (*outer, *(self.shape or ())), kind)

    def scalar(self) -> Value:
        """Return the result, if it is one Value, or a number that does not depend on x."""
        result = self.result
        if getattr(result, "shape", None) == () and hasattr(result, "item"):
            result = result.item()
        if isinstance(result, Value):
            return _remembered(result)
        if not isinstance(result, (str, bytes)) and hasattr(result, "__len__"):
            raise TypeError(
                f"{name_of(self.f)} returned {len(result)} results; a gradient is that of one. Use "
                "jacobian for all of them, or return their sum, say"
            )
        return self._constant(result)

    def outputs(self) -> tuple[list[Value], tuple[int, ...] | Nested]:
        """Return the results as a list of Values, and their shape; () if there is one."""
        result = self.result
        if isinstance(result, Value) or is_number(result):
            return [self.scalar()], ()
        shape, entries = self._results(result)
        outputs = [
            _remembered(y) if isinstance(y, Value) else self._constant(y, i)
            for i, y in enumerate(entries)
        ]
        return outputs, shape

    def _results(self, result: Any) -> tuple[tuple[int, ...] | Nested, list[Any]]:
        """Return the form of several results, and all of them in a list."""
        what = f"the result of {name_of(self.f)}"
        if is_nested(result):
            nested = Nested(result, what)
            return nested, nested.leaves
        if isinstance(result, (str, bytes)) or not hasattr(result, "__len__"):
            raise no_value(self.f, result)
        array = as_objects(result, what)
        return array.shape, array.ravel().tolist()

    def _constant(self, y: Any, i: int | None = None) -> Value:
        """Return a result that is a number as a Value, whose derivatives are zeros.

        Raises TypeError where the number depends on x, so that its gradient was dropped.
        """
        where = "" if i is None else f" as result {i}"
        if not is_number(y) or isinstance(y, bool) or any(suspects(self.f)):
            raise no_value(self.f, y, where)
        if not self._stays(y, i):
            raise no_value(self.f, y, where)
        return Value(y)

    def _stays(self, y: Any, i: int | None) -> bool:
        """Tell whether a result is the same number when each x is moved a little, unequally."""
        moved = [
            Value(v._number + 1e-3 * math.sqrt(2 + k) * (abs(v._number) or 1.0))
            for k, v in enumerate(self.variables)
        ]
        again = self._run(moved)
        if self.has_aux:
            again = self._pair(again)[0]
        if i is not None:
            again = self._results(again)[1][i]
        return is_number(again) and (float(again) == float(y) or (math.isnan(again) and y != y))

    def derivatives(
        self, outputs: Sequence[Entry], returned: Sequence[Entry] | None = None
    ) -> tuple[list[list[Any]], bool]:
        """Return the derivative of each output by each variable, and whether these are Values.

        They are where x held Values, and where something else may differentiate the result.
        Outputs that are derivatives themselves are those of what `f` `returned`. Raises ValueError
        where that depends on a Value kept from an earlier call.
        """
        tracer: Any = hooks.tracer_here()
        values = [y for y in outputs if isinstance(y, Value)] if tracer is not None else []
        traced = any(map(tracer.is_traced, values)) if values else False
        if not (traced or self.at_values):
            for y in values:
                tracer.read(y, "data")  # it may refuse, since numbers cannot be traced
            rows = sweeps.jacobian(outputs, self.variables, self.own())
            if rows is not None:
                return rows, False
        if not traced:
            self._check(outputs if returned is None else returned)
        return chain_rule.jacobian(outputs, self.variables), True

    def own(self) -> sweeps.Own:
        """Return what tells a sweep that the variables are the own ones of this call."""
        return self._others_are_behind if self._around() else True

    def _around(self) -> list[Call]:
        """Return the calls of this thread that run and within which this one was made."""
        return [call for call in list(_running.values()) if call.thread == self.thread]

    def _look(self, around: list[Call], values: Sequence[Value]) -> int:
        """Return what these Values are made of, but for the variables of this call."""
        for call in around:
            if call.surroundings is None:
                call.surroundings = Surroundings(call.variables)
        known = [call.surroundings for call in around if call.surroundings is not None]
        return look(values, set(map(id, self.variables)), known, _running_variables)

    def _others_are_behind(self, values: list[Value]) -> bool:
        around = self._around()
        return not around or bool(self._look(around, values) & VARIABLES)

    def _check(self, outputs: Sequence[Entry]) -> None:
        around = self._around()
        if around:
            made_of = self._look(around, [y for y in outputs if isinstance(y, Value)])
            were_kept_here = bool(made_of & (ENDED | TIED))
        else:
            nodes = sweeps.nodes_behind(outputs)
            others = {id(v) for v in nodes if v._is_variable} - set(map(id, self.variables))
            were_kept_here = not others <= _running_variables() or (
                any(v.op is tied for v in nodes) and were_kept(outputs)
            )
        if were_kept_here:
            raise ValueError(
                f"{name_of(self.f)} used a copy of its x, or a Value that was got in an earlier "
                "call of grad and kept: nothing leads from there to this x. Use x itself, or the "
                "number, .data, if it is meant as a constant"
            )

    def shaped(self, entries: Any, shape: tuple[int, ...] | Nested, as_values: bool = False) -> Any:
        """Return the entries in an array of `shape` and then that of x; a single one as it is.

        Where x is nested, that is a nesting of such arrays; where the shape is, one of those.
        """
        if as_values:
            for variable, original in zip(self.variables, self.originals):
                tie(variable, original)
            entries = distinct(entries, self.variables)
            if isinstance(self.result, Value):
                self.result._is_answer = True
        kind = object if as_values else float
        if not isinstance(shape, Nested):
            return self.in_form(entries, shape, kind)
        blocks, at, n = [], 0, len(self.variables)
        for outer in shape.shapes:
            end = at + n * math.prod(outer or ())
            blocks.append(self.in_form(entries[at:end], outer or (), kind))
            at = end
        return shape.with_blocks(blocks)


def _running_variables() -> set[int]:
    """Return the ids of the variables of all calls that run, in any thread."""
    return {id(v) for call in list(_running.values()) for v in call.variables}


def _remembered(y: Value) -> Value:
    """Return a result, unless it was computed within `no_grad`."""
    if y._forgot:
        refuse_forgotten(y, "a derivative")
    return y


@prefer_c
def new_variables(numbers: list[float]) -> list[Value]:
    """Return marked leaves, in C since this takes most of the time of a small derivative."""
    variables = list(map(Value, numbers))
    for v in variables:
        v._is_variable = True
    return variables


def elements(x: Any, what: str = "x") -> tuple[tuple[int, ...] | Nested | None, list[Any]]:
    """Return the shape of x, None if it is one number, and its numbers or Values in a list."""
    if x.__class__ is float or isinstance(x, Value):
        return None, [x]
    if x.__class__ is list and set(map(type, x)) == {float}:
        return (len(x),), x
    refuse_masked(x, what)
    if getattr(getattr(x, "dtype", None), "char", "") == "d" and x.shape:
        return x.shape, x.ravel().tolist()
    if is_number(x):
        return None, [to_float(x, what)]
    if isinstance(x, Nested) or is_nested(x):
        nested = x if isinstance(x, Nested) else Nested(x, what)
        numbers = [
            e if isinstance(e, Value) else to_float(e, name)
            for e, name in zip(nested.leaves, nested.names)
        ]
        return nested, numbers
    if isinstance(x, (str, bytes, set)) or not hasattr(x, "__len__"):
        raise TypeError(
            f"{what} must be a number, a sequence or an array of numbers, or a nesting of these in "
            f"lists, dicts and dataclasses; got {x!r}"
        )
    array = as_objects(x, what)
    return array.shape, [e if isinstance(e, Value) else to_float(e, what) for e in array.flat]


def leaf_for(original: Any) -> Any:
    """Return a new leaf that stands for a number or a Value, until `tie` lets it depend on that."""
    if original.__class__ is float or not isinstance(original, Value):
        return Value(original)
    leaf = Value(original._number)
    leaf._original = original
    return leaf


def tie(leaf: Any, original: Any) -> None:
    """Connect a leaf that stood for a Value to it; numbers stay as they are."""
    for name in ("_is_variable", "_original"):
        if name in getattr(leaf, "_attributes", ()):
            delattr(leaf, name)
    if isinstance(leaf, Value) and leaf._is_variable:
        leaf._is_variable = False  # in C it is no attribute of its own
    if isinstance(original, Value):
        past.sink(original, leaf)
        leaf.op, leaf.args = tied, (original,)


def distinct(
    entries: list[Entry], known: Sequence[Any], roots: Sequence[Value] = ()
) -> list[Value]:
    """Return the entries as Values, each an object of its own: a label names only one.

    They are none of the known ones either, and none of those that the roots are made of.
    """
    seen = {id(v) for v in known}
    values: list[Value] = []
    for entry, is_old in zip(entries, among(entries, roots)):
        value: Any = entry if isinstance(entry, Value) else Value(entry)
        if is_old or id(value) in seen:
            value = identity(value)
        if value.op is not None:
            value._is_answer = True
        seen.add(id(value))
        values.append(value)
    return values


@prefer_c
def among(entries: Sequence[Entry], roots: Sequence[Value]) -> list[bool]:
    """Tell of each entry whether it is one of the Values that the roots are made of."""
    nodes, _ = past.walk_to([v for v in entries if isinstance(v, Value)], roots)
    inside = {id(v) for v in nodes}
    return [id(entry) in inside for entry in entries]
