"""Train on more rows than one process likes, by a cluster of two worker processes.

    python demos/cluster.py

Rows are written to disk in chunks, once; the workers read them there, and send back sums. The
address of Dask's dashboard is shown, where each task can be watched (it needs `pip install bokeh`).
`--rows` and `--workers` choose the size, `--folder` where the chunks are kept.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from pathlib import Path
from typing import Any

import dask.array as da
from distributed import Client, LocalCluster
from tqdm import tqdm

import micrograd as mg
from micrograd.nn import MLP

CHUNK = 250_000  # rows


def write(folder: Path, rows: int) -> None:
    """Write points in the plane, and how high a wave is there, as chunks of NumPy's format."""
    marker = folder / f"{rows} rows"
    if marker.exists():
        return
    state = da.random.default_rng(0)
    points = state.uniform(-2.0, 2.0, size=(rows, 2), chunks=(CHUNK, 2))
    heights = da.sin(2.0 * points[:, 0]) * da.cos(points[:, 1])
    heights += 0.1 * state.normal(size=rows, chunks=CHUNK)
    both = da.concatenate([points, heights[:, None]], axis=1).rechunk((CHUNK, 3))
    da.to_npy_stack(str(folder), both, axis=0)
    marker.touch()


def train(folder: Path, steps: int) -> tuple[float, float]:
    """Fit a network by AdamW on all rows at each step; return the last loss and rows per second."""
    random.seed(0)
    model = MLP(2, [16, 16, 1], activation="tanh")
    optimizer = mg.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.0)

    @mg.program
    def error(x: Any) -> Any:  # of one row
        return (model(x[:2]) - x[2]) ** 2

    rows = da.from_npy_stack(str(folder), mmap_mode="r")
    error(rows).mean()  # traced, and sent to the workers
    began = time.perf_counter()
    bar = tqdm(range(steps), desc="steps", unit="step")
    for _ in bar:
        loss = error(rows).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bar.set_postfix(loss=f"{loss.data:.4f}")
    return loss.data, steps * len(rows) / (time.perf_counter() - began)


def main() -> None:
    """Start the cluster, write the rows, and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "waves"))
    asked = parser.parse_args()
    options = {"n_workers": asked.workers, "threads_per_worker": 1}
    with LocalCluster(**options) as cluster, Client(cluster) as client:
        print(f"{asked.workers} workers; watch them at {client.dashboard_link}")
        folder = asked.folder / str(asked.rows)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{asked.rows:,} rows in chunks of {CHUNK:,} are in {folder}")
        write(folder, asked.rows)
        loss, speed = train(folder, asked.steps)
    print(f"loss {loss:.4f} (the noise has 0.01), {speed / 1e6:.2f} million rows a second")


if __name__ == "__main__":
    main()
