"""Limit the time that a user's code may take, in any thread, on any system."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class TimeIsUp(BaseException):
    """Raised in code that takes too long; not an Exception, so `except Exception` lets it pass."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeIsUp in code that runs within for longer than this.

    It uses Python's trace function, which a debugger uses too: it stops loops and recursions of
    Python code, but not a single call into C, nor a loop that catches BaseException. (A signal
    would work only in the main thread, on Unix.) A debugger or a coverage tool is suspended
    meanwhile.

    >>> def forever():
    ...     while True: pass
    >>> with time_limit(0.05):
    ...     forever()
    Traceback (most recent call last):
    micrograd.explain.known_mistakes.time_limit.TimeIsUp
    """
    deadline = time.perf_counter() + seconds

    def watch(frame: FrameType, event: str, argument: Any) -> Any:  # pragma: no cover
        frame.f_trace_opcodes = True  # `while True: pass` never reaches another line
        if time.perf_counter() > deadline:
            raise TimeIsUp
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        yield
    finally:
        sys.settrace(before)
