"""Pickles of programs: the function's name, what was traced of it, and the parameters.

A function is found again by its name, as pickle finds functions. Where it is not, the program is
what was traced: its paths, with their guards, plans and parameters.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from micrograd.engine import Value
from micrograd.programs.branches import Paths
from micrograd.programs.paths import Path
from micrograd.programs.run.executable import Way
from micrograd.programs.trace.captures import Name
from micrograd.programs.trace.sourceless import Sourceless
from micrograd.value.identity import IdentityDict, IdentitySet


class Source(NamedTuple):
    """Where a function stands: its module and its name there."""

    module: str
    name: str
    fingerprint: str  # in __main__, which is another module in another process

    def find(self) -> Any:
        """Return what stands there now: a program or a function, or None."""
        try:
            found: Any = import_module(self.module)
            for name in self.name.split("."):
                found = getattr(found, name)
        except (ImportError, AttributeError):
            return None
        function = getattr(found, "__wrapped__", found)
        if not isinstance(function, FunctionType):
            return None
        same = not self.fingerprint or self.fingerprint == _fingerprint(function.__code__)
        return found if same else None


def source_of(program: Any) -> Source | None:
    """Return where the function of a program, or the program in its place, can be found."""
    function = program.__wrapped__
    if isinstance(function, Sourceless):
        return None
    name: str = function.__qualname__
    in_main = function.__module__ == "__main__"
    fingerprint = _fingerprint(function.__code__) if in_main else ""
    source = Source(function.__module__, name, fingerprint)
    is_there = function.__module__ in sys.modules and source.find() in (program, function)
    return source if is_there else None


def _fingerprint(code: CodeType) -> str:
    """Return a digest of what a function does, to tell two of one name apart."""
    parts = [
        _fingerprint(x) if isinstance(x, CodeType) else repr((type(x).__name__, x))
        for x in code.co_consts
        if not isinstance(x, frozenset)  # which has no order
    ]
    text = repr((code.co_code, code.co_names, code.co_varnames, code.co_freevars, parts))
    return hashlib.sha256(text.encode()).hexdigest()


class Traced(NamedTuple):
    """What was traced of a function, for every structure of its arguments."""

    function: Sourceless
    names: IdentityDict[Value, Name]  # of the parameters
    trees: list[tuple[Any, Any, list[Path]]]  # structure, integer arguments, paths

    @classmethod
    def of(cls, function: Callable[..., Any], names: Any, trees: dict[Any, Paths]) -> Traced | None:
        """Return what there is to be pickled, or None if nothing was traced."""
        found = [(key, tree.integers, tree.found) for key, tree in trees.items() if tree.found]
        if not found:
            return None
        used = IdentitySet(p for *_, paths in found for path in paths for p in path.parameters)
        own = IdentityDict((v, name) for v, name in names.items() if v in used)
        stand_in = function if isinstance(function, Sourceless) else Sourceless(function)
        return cls(stand_in, own, found)

    def planted(self, way: Way) -> dict[Any, Paths]:
        """Return trees of these paths, which compute this way."""
        trees = {}
        for key, integers, paths in self.trees:
            shapes = dict(zip(*key[:2]))
            tree = trees[key] = Paths(self.function, self.names, integers, shapes, way)
            for path in paths:
                tree.plant(path)
        return trees
