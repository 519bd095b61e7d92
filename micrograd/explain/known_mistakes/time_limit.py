"""A limit on the time that somebody else's code may take, in any thread, on any system."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class TimeIsUp(BaseException):
    """Raised in code that took too long; no Exception: `except Exception` lets it by."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeIsUp in code called within, as soon as it has taken so many seconds.

    Python asks at every step, as for a debugger: so it stops loops and recursions of Python
    code, but not a single call into C, nor a loop that catches even BaseException. (A signal
    would serve the main thread of Unix alone.) A debugger or a measurement of coverage is set
    aside meanwhile.

    >>> def forever():
    ...     while True: pass
    >>> with time_limit(0.05):
    ...     forever()
    Traceback (most recent call last):
    micrograd.explain.known_mistakes.time_limit.TimeIsUp
    """
    deadline = time.perf_counter() + seconds

    def watch(frame: FrameType, event: str, argument: Any) -> Any:  # pragma: no cover
        frame.f_trace_opcodes = True  # `while True: pass` on one line never comes to another
        if time.perf_counter() > deadline:
            raise TimeIsUp
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        yield
    finally:
        sys.settrace(before)
