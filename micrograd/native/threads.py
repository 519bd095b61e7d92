"""Parts of a call on several threads: what is computed does not depend on how many there are."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Iterable
from threading import Lock, Thread
from typing import Any

VARIABLE = "MICROGRAD_THREADS"


def checked(asked: Any) -> int | None:
    """Return how many threads a program was asked to use, None for as many as there are."""
    if asked is None:
        available(None)  # says now, not at the first large call, what is wrong in the environment
        return None
    if not isinstance(asked, bool) and hasattr(asked, "__index__") and operator.index(asked) > 0:
        return operator.index(asked)
    raise ValueError(f"threads is a whole number from 1 on, or None for all processors: {asked!r}")


def available(asked: int | None) -> int:
    """Return how many threads to use: as asked for, else by MICROGRAD_THREADS, else all."""
    if asked is not None:
        return asked
    given = os.environ.get(VARIABLE, "")
    if given:
        if given.isdecimal() and int(given) > 0:
            return int(given)
        raise ValueError(f"{VARIABLE} is a whole number from 1 on, but is {given!r}")
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_order(
    compute: Callable[[Any], Any], items: Iterable[Any], take: Callable[[Any], None], threads: int
) -> None:
    """Compute each item on one of so many threads, and take what comes out in their order.

    The threads last as long as the call: so nothing is left over for a fork or the end of the
    interpreter. (After an interrupt, one may still end the item that it has begun.) This one works
    too, and alone where no others can be started. An error ends the work, and is raised when all
    have stopped.
    """
    work = _Work(compute, items, take)
    helpers: list[Thread] = []
    try:
        for _ in range(threads - 1):
            helpers.append(Thread(target=work.work, name="micrograd"))
            try:
                helpers[-1].start()
            except RuntimeError:  # there are no threads here, or no more of them
                break
        work.work()
    finally:
        work.stopped = True
        for helper in helpers:
            if helper.is_alive():  # else an interrupt came as it was started: it will find no work
                helper.join()
    if work.error is not None:
        raise work.error


class _Work:
    def __init__(
        self, compute: Callable[[Any], Any], items: Iterable[Any], take: Callable[[Any], None]
    ) -> None:
        self.stopped = False
        self.error: BaseException | None = None
        self._compute, self._take = compute, take
        self._left = iter(enumerate(items))
        self._lock = Lock()
        self._done: dict[int, Any] = {}  # what waits for those before it
        self._taken = 0

    def work(self) -> None:
        """Compute one item after the other, until none is left."""
        try:
            while not self.stopped and (own := self._next()) is not None:
                self._put(own[0], self._compute(own[1]))
        except BaseException as error:
            self.stopped, self.error = True, error

    def _next(self) -> tuple[int, Any] | None:
        with self._lock:
            return next(self._left, None)

    def _put(self, number: int, found: Any) -> None:
        with self._lock:
            self._done[number] = found
            while self._taken in self._done:
                self._take(self._done.pop(self._taken))
                self._taken += 1
