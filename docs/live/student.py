"""The lab in the live page: run a student's code, and grade the class Value in it."""

from __future__ import annotations

import traceback
from typing import Any

from micrograd.explain import grade
from micrograd.explain.known_mistakes.time_limit import TimeIsUp, time_limit

SECONDS = 5  # for the code itself; each graph has its own limit
FILE = "your code"


def graded(code: str, operations: str) -> str:
    """Return the grade as HTML; ValueError says where code does not run."""
    names: dict[str, Any] = {"__name__": "lab"}
    try:
        with time_limit(SECONDS):
            exec(compile(code, FILE, "exec"), names)
    except TimeIsUp:
        raise ValueError(f"your code runs for more than {SECONDS} seconds") from None
    except SyntaxError as error:
        raise ValueError(f"line {error.lineno}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        line = [frame.lineno for frame in frames if frame.filename == FILE][-1]
        raise ValueError(f"line {line}: {type(error).__name__}: {error}") from None
    if "Value" not in names:
        raise ValueError("there is no class Value in your code")
    html: str = grade(names["Value"], operations)._repr_html_()
    return html
