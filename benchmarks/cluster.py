"""Measure what a step on a cluster costs: rows a second of processor time, the step, the bytes.

    python benchmarks/cluster.py

The network and the rows are those of demos/cluster.py. A step of few rows is all overhead; the
least of many is told, since other work on the machine only adds to it. docs/cluster.md plans with
these numbers.
"""

from __future__ import annotations

import pickle
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "demos"))

import dask.array as da
import numpy as np
import psutil
from cluster import write
from distributed import Client, LocalCluster

import micrograd as mg
from micrograd.nn import MLP

ROWS = 2_000_000


def least(error: Any, rows: Any) -> float:
    """Return the least of the seconds that steps on these rows take."""
    found = []
    for _ in range(50):
        began = time.perf_counter()
        error(rows).mean().backward()
        found.append(time.perf_counter() - began)
    return min(found)


def main() -> None:
    """Measure one process, then clusters of one and two workers."""
    model = MLP(2, [16, 16, 1], activation="tanh")
    error = mg.program(lambda x: (model(x[:2]) - x[2]) ** 2)
    some = np.random.default_rng(0).normal(size=(250_000, 3))

    def step(rows: Any) -> None:
        error(rows).mean().backward()

    step(some)
    began = time.process_time()
    for _ in range(5):
        step(some)
    print(f"one process: {5 * len(some) / (time.process_time() - began):,.0f} rows a second")
    folder = Path(tempfile.gettempdir(), "waves", str(ROWS))
    folder.mkdir(parents=True, exist_ok=True)
    for workers in (1, 2):
        options = {"n_workers": workers, "threads_per_worker": 1, "dashboard_address": ":0"}
        with LocalCluster(**options) as cluster, Client(cluster) as client:
            write(folder, ROWS)
            few = da.from_array(some[:800], chunks=(100, 3))
            rows = da.from_npy_stack(str(folder), mmap_mode="r")
            step(few)
            print(f"{workers} workers: a step of few rows takes {least(error, few):.3f} s")
            processes = [psutil.Process(w["pid"]) for w in client.run(_pid).values()]
            before = sum(sum(p.cpu_times()[:2]) for p in processes)
            for _ in range(5):
                step(rows)
            spent = sum(sum(p.cpu_times()[:2]) for p in processes) - before
            print(f"  {5 * ROWS / spent:,.0f} rows a second of the workers' processor time")
    count = len(error.parameters())
    print(f"{count} parameters: {len(pickle.dumps(np.zeros(count)))} bytes, and so the gradients")


def _pid() -> dict[str, int]:
    import os

    return {"pid": os.getpid()}


if __name__ == "__main__":
    main()
