"""`dot` makes the nodes of sum(map(mul, ...)) on both cores; a subclass's operands are as good."""

from __future__ import annotations

import inspect
import pickle
from operator import mul
from typing import Any

import pytest
from both_cores import CORES
from test_cores import on_both, outcome
from test_derivative_graphs import described

NAMES = sorted(CORES)


def kinds(mg: Any) -> list[Any]:
    """Return makers of pairs of factors."""

    class Own(mg.Value):  # type: ignore[misc]
        pass

    class Loud(mg.Value):  # type: ignore[misc]
        def __mul__(self, other: Any) -> Any:
            return mg.Value(100.0)

        def _apply(self, op: Any, operands: Any) -> Any:
            return super()._apply(op, operands) * 2.0

    value, own, loud = mg.Value, Own, Loud
    return [
        lambda a, b: (value(a), value(b)),
        lambda a, b: (value(a), b),
        lambda a, b: (a, value(b)),
        lambda a, b: (int(a), value(b)),
        lambda a, b: (own(a), own(b)),
        lambda a, b: (own(a), value(b)),
        lambda a, b: (value(a), own(b)),
        lambda a, b: (loud(a), value(b)),
        lambda a, b: (value(a), loud(b)),
        lambda a, b: (a, b),
        lambda a, b: (value(a), 1e300),
    ]


@pytest.mark.parametrize("kind", range(11))
@pytest.mark.parametrize("start", ["none", "0", "0.5", "value", "keyword"])
def test_dot_is_the_sum_node_for_node(kind: int, start: str) -> None:
    def compute(mg: Any, by: Any) -> Any:
        pairs = [kinds(mg)[kind](a, b) for a, b in [(1.5, -2.0), (3.0, 0.25), (1e200, 1.0)]]
        ws, xs = [list(factors) for factors in zip(*pairs)]
        first = {"none": (), "0": (0,), "0.5": (0.5,)}.get(start, (mg.Value(0.5),))
        result = outcome(lambda: by(ws, xs, *first))
        return described(mg, [result]) if isinstance(result, mg.Value) else result

    def by_sum(ws: Any, xs: Any, first: Any = 0) -> Any:
        return sum(map(mul, ws, xs), first)

    def by_dot(mg: Any) -> Any:
        if start == "keyword":
            return lambda ws, xs, first: mg.dot(tuple(ws), iter(xs), start=first)
        return mg.dot

    on_both(lambda mg: compute(mg, by_dot(mg)))
    for mg in CORES.values():
        assert compute(mg, by_dot(mg)) == compute(mg, by_sum)


@pytest.mark.parametrize("name", NAMES)
def test_what_dot_refuses(name: str) -> None:
    mg = CORES[name]
    v = mg.Value(1.0)
    with pytest.raises(ValueError, match="as many of both factors, got 1 and 2"):
        mg.dot([v], [v, v])
    with pytest.raises(TypeError):
        mg.dot([v], ["a"])
    with pytest.raises(TypeError):
        mg.dot([v], [v], begin=1.0)
    with pytest.raises(TypeError):
        mg.dot([v])
    assert mg.dot([], [], v) is v
    assert mg.dot([], []) == 0


@pytest.mark.parametrize("name", NAMES)
def test_lists_that_shrink_meanwhile_do_no_harm(name: str) -> None:
    mg = CORES[name]
    ws: list[Any] = [mg.Value(float(i)) for i in range(100)]
    xs: list[Any] = list(ws)

    class Shrinking(mg.Value):  # type: ignore[misc, name-defined]
        def __rmul__(self, other: Any) -> Any:
            del ws[1:], xs[1:]
            return mg.Value(1.0)

    xs[3] = Shrinking(1.0)
    outcome(lambda: mg.dot(ws, xs))
    assert len(ws) <= 100


@pytest.mark.parametrize("name", NAMES)
def test_dot_is_pickled_and_described_by_its_public_place(name: str) -> None:
    mg = CORES[name]
    for function in (mg.dot, mg.toposort, *[getattr(mg.bulk, f) for f in mg.bulk.FUNCTIONS]):
        assert function.__module__ in ("micrograd.native.products", "micrograd.engine") or (
            function.__module__ == "micrograd.native.bulk"
        )
    assert list(inspect.signature(mg.dot).parameters) == ["ws", "xs", "start"]


def test_functions_are_pickled_by_name() -> None:
    import micrograd
    from micrograd import dot
    from micrograd.native import bulk

    for function in (dot, micrograd.toposort, bulk.read_data):
        assert pickle.loads(pickle.dumps(function)) is function
        assert b"_engine" not in pickle.dumps(function)


def test_a_program_with_dot_is_the_loop() -> None:
    np = pytest.importorskip("numpy")
    import micrograd
    from micrograd import dot

    w, b = [micrograd.Value(2.0), micrograd.Value(-1.0)], micrograd.Value(0.5)

    def f(x: Any) -> Any:
        return dot(w, list(x), b).tanh()

    rows = np.array([[1.0, 2.0], [0.5, -1.0]])
    results = micrograd.program(f)(rows)
    np.testing.assert_allclose(results.data, [f(row).data for row in rows.tolist()], rtol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_operands_of_a_subclass_record_ordinary_nodes(name: str) -> None:
    mg = CORES[name]

    class Own(mg.Value):  # type: ignore[misc, name-defined]
        pass

    x, y = Own(0.5), Own(2.0)
    outs: list[Any] = [x + y, x * 2, 2 - x, x**2, x**y, -x, x.tanh(), abs(x), x.maximum(y), y / x]
    for out in outs:
        assert type(out) is mg.Value
        assert out.parents[0] is x or out.parents[-1] is x
        out.backward()
        mg.grad(out, [x])
    with pytest.raises(ZeroDivisionError, match="divide"):
        x / Own(0.0)
    with pytest.raises(TypeError):
        x + "a"
