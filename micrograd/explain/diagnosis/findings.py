"""Findings, each with its cause, and how they are shown."""

from __future__ import annotations

import linecache
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from micrograd.engine import Value
from micrograd.explain.names import name_of
from micrograd.graph.scopes import line_of

# The kinds of findings.
NAN_FORWARD = "NaN in the forward pass"
INFINITY_FORWARD = "infinity in the forward pass"
NAN_BACKWARD = "NaN in the backward pass"
INFINITY_BACKWARD = "infinity in the backward pass"
NO_DERIVATIVE = "no derivative at this point"
STALE = "data changed after recording"
NOT_RUN = "backward not run"
NOT_ZEROED = "grads not zeroed"
DEAD_RELU = "dead ReLU"
NO_DEPENDENCE = "the output does not depend on it"
INTERIOR_PARAMETER = "a parameter is an interior node"

_PATHS = {STALE: "outdated with it"}  # what a path is called, if not "poisoned"
_SHOWN = 3  # names in a list, and nodes at either end of a path


class Finding(NamedTuple):
    """One fault: what is wrong, at which node, and what to do about it."""

    kind: str
    node: Value | None  # the first cause
    text: str
    advice: str
    path: list[Value]  # from the cause to the last node that it poisoned

    @property
    def line(self) -> tuple[str, int] | None:
        """The file and line that made the node, if recorded within `source_lines`."""
        return None if self.node is None else line_of(self.node)

    def __str__(self) -> str:
        lines = [f"{self.kind}: {self.text}"]
        if self.line is not None:
            file, number = self.line
            code = linecache.getline(file, number).strip()
            lines.append(f"made in {Path(file).name}, line {number}: {code}".rstrip(": "))
        if len(self.path) > 1:
            lines.append(f"{_PATHS.get(self.kind, 'poisoned')}: {show_path(self.path)}")
        return "\n  ".join([*lines, self.advice])


class Diagnosis:
    """The result of `diagnose`: `.data`, a Finding for each cause, the gravest first."""

    data: list[Finding]
    subject: str

    def __init__(self, subject: str, data: list[Finding]) -> None:
        self.subject, self.data = subject, data

    def __str__(self) -> str:
        if not self.data:
            return f"{self.subject}: nothing wrong was found"
        findings = [f"{i}. {finding}" for i, finding in enumerate(self.data, start=1)]
        return "\n".join([f"{self.subject}: {count_of(len(self.data), 'finding')}", *findings])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        items = "".join(
            f"<li>{'<br>'.join(map(escape, str(finding).splitlines()))}</li>"
            for finding in self.data
        )
        title = str(Diagnosis(self.subject, [])) if not self.data else self.subject
        return f"<p>{escape(title)}</p>" + (f"<ol>{items}</ol>" if items else "")


def join_names(names: Sequence[str]) -> str:
    """List the first names, and say how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def show_path(path: Sequence[Value]) -> str:
    """Write a path from the cause on; of a long one, both ends."""
    names = [name_of(v) for v in path]
    if len(names) > 2 * _SHOWN:
        left_out = f"({len(names) - 2 * _SHOWN} more)"
        names = [*names[:_SHOWN], left_out, *names[-_SHOWN:]]
    return " -> ".join(names)


def count_of(number: int, thing: str) -> str:
    """Write a count, with the noun in the singular or plural."""
    return f"{number} {thing}" + ("" if number == 1 else "s")
