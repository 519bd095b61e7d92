"""Find the line of the user's code that is running, not of this package or Python's own."""

from __future__ import annotations

import linecache
import os
import sys
from functools import cache
from pathlib import Path

_PACKAGE = str(Path(__file__).parents[1]) + os.sep
_STANDARD_LIBRARY = str(Path(os.__file__).parent) + os.sep


def user_line() -> tuple[str, int]:
    """Return the file and line number of the innermost frame that runs the user's code."""
    frame = sys._getframe(1)
    while frame.f_back is not None and not _is_users(frame.f_code.co_filename):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def described(file: str, line: int) -> str:
    """Name a line, and quote it if its file can be read."""
    text = linecache.getline(file, line).strip()
    return f"{file}, line {line}{f': {text}' if text else ''}"


@cache
def _is_users(file: str) -> bool:
    if file.startswith((_PACKAGE, "<frozen ")):
        return False
    return not file.startswith(_STANDARD_LIBRARY) or "site-packages" in file
