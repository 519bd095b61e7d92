"""How the tasks of a step are run: by the active Dask client, or on this machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from micrograd.programs.cluster import tasks
from micrograd.programs.cluster.tasks import OnDisk, Part, Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

WIDE = 8  # parts that one task adds up
SECONDS = 5.0  # for which the number of threads is taken to be the same


class Batch(NamedTuple):
    """The chunks of one task: a graph that the worker computes, or futures that workers hold."""

    on_disk: OnDisk | None
    arguments: list[str]
    futures: list[Any]


def checked(client: Any) -> Any:
    """Return a client, or None; raises TypeError for what is neither, or does not wait."""
    if client is not None and not (hasattr(client, "submit") and hasattr(client, "nthreads")):
        raise TypeError(
            f"client= is a client of Dask, dask.distributed.Client(...); got {client!r}"
        )
    if getattr(client, "asynchronous", False):
        raise TypeError(f"a program waits for its results, and {client!r} is asynchronous")
    return client


def active_client() -> Any:
    """Return the client that is active here, or None."""
    if "distributed" not in sys.modules:  # nobody has made one
        return None
    from distributed import default_client

    try:
        client = default_client()
    except ValueError:
        return None
    return checked(client)


def threads_of(client: Any) -> int:
    """Return how many tasks run at once."""
    if client is None:
        from dask.system import CPU_COUNT

        return int(CPU_COUNT)
    known, until = vars(client).get("_micrograd_threads", (0, 0.0))
    if not known or time.monotonic() > until:  # to ask takes as long as a small step
        known = max(1, sum(client.nthreads().values()))
        vars(client)["_micrograd_threads"] = known, time.monotonic() + SECONDS
    return int(known)


def compute(
    client: Any, plan: Plan, vector: Array, batches: Sequence[Batch], options: tuple[Any, ...]
) -> Part:
    """Run a task for each batch, and few that add up what they give."""
    if client is None:
        return _compute_here(plan, vector, batches, options)
    # Results of tasks, not scattered data: who holds these may die, and they are computed again.
    held = _held(client, plan)
    numbers = client.submit(tasks.same, vector, pure=False)
    parts = [
        client.submit(tasks.measured, held, numbers, batch.on_disk, *options, pure=False)
        if batch.on_disk is not None
        else client.submit(
            tasks.measured_in_memory,
            held,
            numbers,
            batch.arguments,
            *options,
            *batch.futures,
            pure=False,
        )
        for batch in batches
    ]
    levels = [parts]  # which must not be let go before the last is there
    while len(levels[-1]) > 1:
        last = levels[-1]
        groups = [last[i : i + WIDE] for i in range(0, len(last), WIDE)]
        levels.append([client.submit(tasks.added, group, pure=False) for group in groups])
    part: Part = levels[-1][0].result()
    return part


def _held(client: Any, plan: Plan) -> Any:
    """Return the plan as a future; it is sent to a cluster once."""
    known = vars(client).setdefault("_micrograd_plans", {})
    if plan.digest not in known or known[plan.digest].status in ("error", "cancelled", "lost"):
        known[plan.digest] = client.submit(tasks.same, plan, pure=False)
        while len(known) > tasks.KEPT:
            del known[next(iter(known))]
    return known[plan.digest]


def _compute_here(
    plan: Plan, vector: Array, batches: Sequence[Batch], options: tuple[Any, ...]
) -> Part:
    import dask

    measured = dask.delayed(tasks.measured, pure=False, traverse=False)
    parts = [measured(plan, vector, batch.on_disk, *options) for batch in batches]
    return tasks.added(dask.compute(*parts))
