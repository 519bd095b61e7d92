"""Explain gradients: where they come from, whether they are right, in the words of a course.

May import every other room; none imports it. Begin with contribution_table.py. Each function
returns an object that prints itself, shows itself in a notebook, and has `.data` for programs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from micrograd.explain.contribution_table import contributions
from micrograd.explain.diagnosis.graph_faults import diagnose
from micrograd.explain.known_mistakes.grading import grade
from micrograd.explain.known_mistakes.side_by_side import mistakes
from micrograd.explain.what_if.descent import step
from micrograd.explain.what_if.nudging import nudge

if TYPE_CHECKING:
    from micrograd.explain.course.textbook import deltas
    from micrograd.explain.known_mistakes.gradient_check import check_gradient

__all__ = [
    "check_gradient",
    "contributions",
    "deltas",
    "diagnose",
    "grade",
    "mistakes",
    "nudge",
    "step",
]


def __getattr__(name: str) -> Any:
    if name == "deltas":  # these need NumPy, so they load when they are first used
        from micrograd.explain.course.textbook import deltas

        return deltas
    if name == "check_gradient":
        from micrograd.explain.known_mistakes.gradient_check import check_gradient

        return check_gradient
    raise AttributeError(f"module 'micrograd.explain' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), "check_gradient", "deltas"})
