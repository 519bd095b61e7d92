"""Explanations: where a gradient comes from, number by number, in the words of a course.

Each function gives an object that prints itself, shows itself in a notebook, and has `.data` for
programs.
"""

from __future__ import annotations

from micrograd.explain.contribution_table import contributions
from micrograd.explain.course.textbook import deltas
from micrograd.explain.diagnosis.graph_faults import diagnose
from micrograd.explain.known_mistakes.grading import grade
from micrograd.explain.known_mistakes.wrong_passes import mistakes
from micrograd.explain.what_if.descent import step
from micrograd.explain.what_if.nudging import nudge

__all__ = ["contributions", "deltas", "diagnose", "grade", "mistakes", "nudge", "step"]
