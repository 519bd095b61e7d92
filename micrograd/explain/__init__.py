"""Explanations: where a gradient comes from, number by number, in the words of a course.

Each function gives an object that prints itself, shows itself in a notebook, and has `.data` for
programs.
"""

from __future__ import annotations

from micrograd.explain.descent import step
from micrograd.explain.doctor import diagnose
from micrograd.explain.grading import grade
from micrograd.explain.ledger import contributions
from micrograd.explain.misconceptions import mistakes
from micrograd.explain.slopes import nudge
from micrograd.explain.textbook import deltas

__all__ = ["contributions", "deltas", "diagnose", "grade", "mistakes", "nudge", "step"]
