"""Programs on Dask arrays: here on threads; on two processes where `distributed` is installed."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value
from micrograd.nn import MLP
from micrograd.programs.cluster.tasks import Part, added

da = pytest.importorskip("dask.array")

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(1000, 3)), rng.normal(size=1000)
NET, SCALE = MLP(3, [4, 1], activation="tanh"), Value(0.5)
PARAMETERS = [*NET.parameters(), SCALE]


def error(x: Any, y: Any) -> Any:
    """Return a loss of three paths."""
    if x[0] > 0:
        return (NET(x) - y) ** 2
    return mg.log(x[1] * x[1] + SCALE) if x[2] > 0 else SCALE * y


def gradients(total: Value) -> Any:
    for p in PARAMETERS:
        p.grad = 0.0
    total.backward()
    return np.array([p.grad for p in PARAMETERS])


def assert_same(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("chunks", [1000, 300, (1, 99, 500, 400)])
def test_it_gives_what_one_process_gives(chunks: Any) -> None:
    program = mg.program(error)
    expected = mg.program(error)(X, Y)
    result: Any = program(da.from_array(X, chunks=(chunks, 2)), da.from_array(Y, chunks=250))
    total = result.mean()
    assert_same(total.data, expected.mean().data)
    penalty = 0.1 * SCALE * SCALE
    assert_same(gradients(total + penalty), gradients(expected.mean() + penalty))
    assert_same(gradients(result.sum()), gradients(expected.sum()))
    assert_same(result.data.compute(), expected.data)


def test_the_order_of_additions_depends_on_the_chunks_alone() -> None:
    parts = [Part(x, np.array([x * x]), 1, []) for x in rng.normal(size=37).tolist()]
    whole = added(parts)
    for size in (2, 4, 8, 64):
        batches = [added(parts[i : i + size]) for i in range(0, len(parts), size)]
        again = added(batches)
        assert (again.total, again.gradient[0], again.results) == (
            whole.total,
            whole.gradient[0],
            37,
        )


def test_several_results_have_columns() -> None:
    program = mg.program(lambda x: [SCALE * x[0], x[1] * x[2]])
    expected = mg.program(lambda x: [SCALE * x[0], x[1] * x[2]])(X)
    result = program(da.from_array(X, chunks=(300, 3)))
    assert_same(result.mean().data, expected.mean().data)
    assert_same(result[:, 0].mean().data, expected[:, 0].mean().data)
    assert_same(gradients(result[:, 0].mean()), gradients(expected[:, 0].mean()))
    assert_same(result[:, 1].data.compute(), expected.data[:, 1])
    with pytest.raises(IndexError, match="no \\[2\\]"):
        result[:, 2]
    with pytest.raises(TypeError, match="columns"):
        result[3]


def test_rows_of_arguments_may_have_other_shapes() -> None:
    program = mg.program(lambda x, y: [SCALE * sum(x) - sum(y[0]), x[0] * y[0][1]])
    wide = rng.normal(size=(1000, 2, 4))
    expected = program(X, wide)
    result: Any = program(
        da.from_array(X, chunks=(300, 3)), da.from_array(wide, chunks=(250, 1, 4))
    )
    assert_same(result.data.compute(), expected.data)
    assert_same(gradients(result.sum()), gradients(expected.sum()))


def test_parameters_are_as_they_were_at_the_call_and_no_grad_holds() -> None:
    program = mg.program(lambda x: SCALE * x)
    column = da.from_array(X[:, 0], chunks=300)
    result = program(column)
    before = SCALE.data
    SCALE.data = 2.0
    try:
        assert_same(result.sum().data, before * X[:, 0].sum())
        assert_same(program(column).sum().data, 2.0 * X[:, 0].sum())
    finally:
        SCALE.data = before
    with mg.no_grad():
        total = program(column).sum()
    with pytest.raises(Exception, match="no_grad"):
        total.backward()


def test_unknown_sizes_and_numpy_beside_them() -> None:
    program, expected = mg.program(error), mg.program(error)(X, Y)
    dx, dy = da.from_array(X, chunks=(300, 3)), da.from_array(Y, chunks=300)
    assert_same(program(dx, Y).mean().data, expected.mean().data)
    kept = Y > 0
    some = program(dx[dy > 0], dy[dy > 0]).mean()
    assert_same(some.data, expected.data[kept].mean())
    empty = program(dx[dy > 99], dy[dy > 99])
    assert empty.sum().data == 0.0
    assert np.isnan(empty.mean().data)


def test_what_does_not_fit_raises() -> None:
    program = mg.program(error)
    dx = da.from_array(X, chunks=(300, 3))
    with pytest.raises(ValueError, match="y has 999 examples"):
        program(dx, Y[1:])
    with pytest.raises(TypeError, match="real numbers"):
        program(dx, da.from_array(np.array(["a"] * 1000), chunks=300))
    with pytest.raises(ValueError, match="no rows"):
        mg.program(error)(dx[:0], Y[:0])
    with pytest.raises(TypeError, match="unsupported operand"):
        program(dx, Y) + 1


# A cluster ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    import dask

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    # So long after a worker was lost, a cluster closes its nanny, unless the next worker of that
    # name is there at this moment: one that was killed again is not.
    patience = dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"})
    with (
        patience,
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster) as made,
    ):
        yield made


def test_a_cluster_gives_the_same_bits_every_time(client: Any) -> None:
    program, expected = mg.program(error), mg.program(error)(X, Y)
    dx, dy = da.from_array(X, chunks=(70, 3)), da.from_array(Y, chunks=70)
    total = program(dx, dy).mean()
    first = gradients(total)
    assert_same(total.data, expected.mean().data)
    assert_same(first, gradients(expected.mean()))
    assert (gradients(program(dx, dy).mean()) == first).all()
    held = client.persist([dx, dy])
    assert (gradients(program(*held).mean()) == first).all()
    held = client.persist([dx.rechunk((50, 1)), dy])
    assert (gradients(program(held[0].rechunk((70, 3)), dy).mean()) == first).all()


def from_npy(folder: Path) -> Any:
    da.to_npy_stack(str(folder), da.from_array(np.c_[X, Y], chunks=(300, 4)))
    return da.from_npy_stack(str(folder), mmap_mode="r")


def from_zarr(folder: Path) -> Any:
    pytest.importorskip("zarr")
    da.from_array(np.c_[X, Y], chunks=(300, 4)).to_zarr(str(folder / "rows.zarr"))
    return da.from_zarr(str(folder / "rows.zarr"))


def from_hdf5(folder: Path) -> Any:
    h5py = pytest.importorskip("h5py")
    with h5py.File(folder / "rows.h5", "w") as file:
        file["rows"] = np.c_[X, Y]
    return da.from_array(h5py.File(folder / "rows.h5")["rows"], chunks=(300, 4))


def from_parquet(folder: Path) -> Any:
    pytest.importorskip("pyarrow")
    frames, pandas = pytest.importorskip("dask.dataframe"), pytest.importorskip("pandas")
    table = pandas.DataFrame(np.c_[X, Y], columns=list("abcd"))
    frames.from_pandas(table, npartitions=4).to_parquet(folder)
    return frames.read_parquet(folder).to_dask_array(lengths=True)


@pytest.mark.filterwarnings("ignore")  # of the libraries that read
@pytest.mark.parametrize("source", [from_npy, from_zarr, from_hdf5, from_parquet])
def test_rows_on_disk_are_read_by_the_workers(
    source: Callable[[Path], Any], tmp_path: Path, client: Any
) -> None:
    from distributed.protocol.pickle import dumps

    program = mg.program(lambda row: error(row[:3], row[3]))
    expected = mg.program(error)(X, Y)
    result: Any = program(source(tmp_path))
    total = result.mean()
    assert_same(total.data, expected.mean().data)
    assert_same(gradients(total), gradients(expected.mean()))
    # What is sent for a task says where its rows are.
    call = result._call
    assert len(dumps(call._batch(0, 2))) < 10_000 < 600 * 4 * 8


def test_a_program_may_have_a_client_of_its_own(client: Any) -> None:
    distributed = pytest.importorskip("distributed")
    expected = mg.program(error)(X, Y)
    options = {"n_workers": 1, "processes": False, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster, set_as_default=False) as own,
    ):
        program = mg.program(error, client=own)
        held = own.persist([da.from_array(x, chunks=300) for x in (X, Y)])
        total = program(*held).mean()
        assert_same(total.data, expected.mean().data)
        assert_same(gradients(total), gradients(expected.mean()))
        assert vars(own)["_micrograd_plans"]
    with pytest.raises(TypeError, match="client= is a"):
        mg.program(error, client=3)


@pytest.mark.filterwarnings("ignore")  # of the workers that died
@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_killed_worker_changes_no_bit(client: Any) -> None:
    program = mg.program(slow)
    dx, dy = da.from_array(X, chunks=(70, 3)), da.from_array(Y, chunks=70)
    right = gradients(program(dx, dy).mean())
    for _ in range(int(os.environ.get("MICROGRAD_KILLS", "2"))):
        client.wait_for_workers(2, timeout=30)
        pids = list(client.run(os.getpid).values())
        killer = threading.Timer(rng.uniform(0.0, 0.05), os.kill, (pids[0], signal.SIGKILL))
        killer.start()
        assert (gradients(program(dx, dy).mean()) == right).all()
        killer.join()


def slow(x: Any, y: Any) -> Any:
    """Compute for a while, so that a worker dies in the middle."""
    total = error(x, y)
    for _ in range(60):
        total = total + mg.sin(total) * SCALE
    return total


@pytest.mark.filterwarnings("ignore")
def test_all_workers_gone_is_an_error_in_time() -> None:
    distributed = pytest.importorskip("distributed")
    import dask

    program = mg.program(error)
    dx, dy = da.from_array(X, chunks=(300, 3)), da.from_array(Y, chunks=300)
    before = [p.data for p in PARAMETERS]
    options = {"n_workers": 1, "processes": False, "dashboard_address": ":0"}
    with (
        dask.config.set({"distributed.scheduler.no-workers-timeout": "1s"}),
        distributed.LocalCluster(**options) as cluster,
        distributed.Client(cluster),
    ):
        gradients(program(dx, dy).mean())
        cluster.scale(0)
        while cluster.scheduler.workers:
            time.sleep(0.05)
        grads = [p.grad for p in PARAMETERS]
        with pytest.raises(Exception, match=r"without any running workers"):
            program(dx, dy).mean()
    assert [p.data for p in PARAMETERS] == before
    assert [p.grad for p in PARAMETERS] == grads
