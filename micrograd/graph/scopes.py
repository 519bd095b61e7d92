"""Remember where a Value came from: the scope it was recorded in, the line that made it.

`with scope("loss"):` names a part of a computation, and each call of an nn.Module is a scope by
itself. Pictures fold by scopes. A copy belongs to the scope in which it is made; a pickled Value
forgets its scope.
"""

from __future__ import annotations

import functools
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from types import FrameType, FunctionType
from typing import TYPE_CHECKING, Any

from micrograd.engine import Value
from micrograd.graph.modes import Block, generator_frame, swap_scope
from micrograd.graph.modes import source_lines as source_lines
from micrograd.native.takeover import prefer_c
from micrograd.value import hooks

if TYPE_CHECKING:
    from micrograd.nn import Module


class Scope:
    """A part of a computation, made by `scope(name)` or by a call of a module."""

    __slots__ = ("__weakref__", "_kept", "_module", "_modules", "_names", "key", "name", "parent")

    def __init__(self, name: str, parent: Scope | None = None) -> None:
        self.name: str = name
        self.parent: Scope | None = parent
        self._module: Callable[[], Module | None] = _nothing
        self._modules: dict[int, Scope] = {}  # of the modules called here, by their id
        self._names: weakref.WeakValueDictionary[str, Scope] | None = None
        self.key: int = 0  # the id of the module
        self._kept: _Paths | None = None  # of an outermost module, for when it is gone

    @property
    def paths(self) -> tuple[dict[int, str], list[tuple[str, Value]]]:
        """The paths of the modules in this one, by id, and its parameters by path.

        Those of a module that is gone are as they were at its first call.
        """
        module = self.module
        if module is None:
            modules, parameters = self._kept or ({}, [])
            alive = [(path, p()) for path, p in parameters]
            return modules, [(path, p) for path, p in alive if p is not None]
        return {id(part): path for path, part in module.named_modules()}, module.named_parameters()

    @property
    def module(self) -> Module | None:
        """The module whose calls this is, as long as it lives; None for a scope of a name."""
        return self._module()

    @property
    def path(self) -> str:
        """The names from the outermost scope to this one.

        >>> with scope("step"), scope("loss") as s:
        ...     print(s.path)
        step/loss
        """
        return self.name if self.parent is None else f"{self.parent.path}/{self.name}"

    def ancestry(self) -> list[Scope]:
        """Return this scope and those around it, from the innermost.

        >>> with scope("step"), scope("loss") as s:
        ...     print(s.ancestry())
        [<Scope step/loss>, <Scope step>]
        """
        return [self] if self.parent is None else [self, *self.parent.ancestry()]

    def __repr__(self) -> str:
        return f"<Scope {self.path}>"

    def _of_name(self, name: str) -> Scope:
        """Return the scope of this name in here, made anew when nothing belongs to it any more."""
        if self._names is None:
            self._names = weakref.WeakValueDictionary()
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = Scope(name, self._as_parent())
        return found

    def _of_module(self, module: Module) -> Scope:
        """Return the scope of this module's calls in here; self, if they are its own."""
        if self.module is module:
            return self
        modules, key = self._modules, id(module)
        found = modules.get(key)
        if found is None:
            found = Scope(type(module).__name__, self._as_parent())
            found._module = weakref.ref(module, lambda _: modules.pop(key, None))
            found.key = key
            if not self.key:
                found._kept = _paths_in(module)
            modules[key] = found
        return found

    def _as_parent(self) -> Scope | None:
        return None if self is _outside else self


def _nothing() -> None:
    return None


_Paths = tuple[dict[int, str], list[tuple[str, weakref.ref[Value]]]]


def _paths_in(module: Module) -> _Paths | None:
    """Keep the paths of a module's parts and parameters, without keeping these alive."""
    try:
        modules = {id(part): path for path, part in module.named_modules()}
        return modules, [(path, weakref.ref(p)) for path, p in module.named_parameters()]
    except Exception:  # names are for pictures alone: a call that works goes on working
        return None


_outside = Scope("")  # holds the outermost scopes; no Value belongs to it


class _ScopeBlock(Block):
    """Code whose Values are put into a scope; in a generator, only while that runs."""

    _name = "scope"

    def __init__(self, name: str) -> None:
        super().__init__()
        self._of = name

    def _recreate_cm(self) -> _ScopeBlock:
        return _ScopeBlock(self._of)

    def __enter__(self) -> Scope:  # type: ignore[override]
        frame = generator_frame()
        before = swap_scope(None)
        swap_scope(before)
        inner = (_in_force(before) or _outside)._of_name(self._of)
        if frame is None:
            swap_scope(inner)
        else:
            with _lock:
                _framed.append((frame, inner))
                hooks.set_scope_here(_in_force)
        self._entered.append((frame, inner, before))
        return inner

    def __exit__(self, *error: object) -> None:
        frame, inner, before = self._entered.pop()
        if frame is None:
            swap_scope(before)
            return
        with _lock:
            _framed.remove((frame, inner))
            if not _framed:
                hooks.set_scope_here(None)


_lock = threading.Lock()
_framed: list[tuple[FrameType, Scope]] = []  # the scopes that hold while a frame runs


def _in_force(scope: Scope | None) -> Scope | None:
    """Return the scope that holds here, given that of the thread.

    It is that of the innermost generator that runs and has one, unless the thread's was entered
    within that, by what it calls.
    """
    frame: FrameType | None = sys._getframe(1)
    while _framed and frame is not None:
        for of, inner in reversed(_framed):
            if of is frame:
                return scope if scope is not None and inner in scope.ancestry() else inner
        frame = frame.f_back
    return scope


def scope(name: str) -> _ScopeBlock:
    """Put the Values that this thread records in this block into a scope.

    Scopes nest; the same name at the same place is the same scope. It decorates functions, too; in
    a generator or coroutine it holds while that runs. Raises TypeError for a name that is not a
    string.

    >>> x = Value(3.0)
    >>> with scope("square"):
    ...     y = x * x
    >>> scope_of(y).name, scope_of(x)
    ('square', None)
    """
    if not isinstance(name, str):
        raise TypeError(f"scope: its name is a string, as in scope('loss'); got {name!r}")
    return _ScopeBlock(name)


def scope_of(v: Value) -> Scope | None:
    """Return the scope that a Value was recorded in; None if that was outside of any.

    >>> scope_of(Value(1.0)) is None
    True
    """
    found: Scope | None = getattr(v, "_scope", None)
    return found


def scope_calls(module: type[Module]) -> None:
    """Make every call of a class of modules a scope, unless it inherits one that is."""
    call = next((vars(k)["__call__"] for k in module.__mro__ if "__call__" in vars(k)), None)
    if isinstance(call, FunctionType) and not hasattr(call, "_in_scope"):
        within = in_scope(call, _outside)
        within._in_scope = True
        module.__call__ = functools.update_wrapper(within, call)  # type: ignore[method-assign]


@prefer_c
def in_scope(call: Callable[..., Any], outside: Scope) -> Any:
    """Make the method of a module that calls one of its methods in the scope of its calls."""

    def within(module: Module, *args: Any, **kwargs: Any) -> Any:
        before = swap_scope(None)
        try:
            around = _in_force(before) or outside
            swap_scope(around._modules.get(id(module)) or around._of_module(module))
            return call(module, *args, **kwargs)
        finally:
            swap_scope(before)

    return within


def line_of(v: Value) -> tuple[str, int] | None:
    """Return the file and line that made a Value, where it is known: see `source_lines`.

    >>> line_of(Value(1.0)) is None
    True
    """
    return v._line


def tell_apart(names: Iterable[str]) -> list[str]:
    """Add numbers to the names that occur more than once.

    >>> tell_apart(["Layer", "MLP", "Layer"])
    ['Layer1', 'MLP', 'Layer2']
    """
    names = list(names)
    seen: dict[str, int] = {}
    told = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        told.append(f"{name}{seen[name]}" if names.count(name) > 1 else name)
    return told
