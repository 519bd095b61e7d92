"""Pickles and copies of programs: in a process that has the function's source, and in one without.

Here a process without it is this one, where the function cannot be found by its name; at the end
stands a real one.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import processes
import pytest

import micrograd as mg
from micrograd import Value
from micrograd.nn import MLP
from micrograd.programs import ProgramError

X = np.random.default_rng(0).normal(size=(40, 3))
Y = X[:, 0] * X[:, 1]


def again(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


def branching() -> tuple[MLP, Any]:
    """Make a program of two paths; it takes them by what its parameters make of a row."""
    model, scale = MLP(3, [4, 1], activation="tanh"), Value(0.5)

    @mg.program
    def loss(x: Any, y: Any = 0.0) -> Any:
        """Measure an error."""
        z = model(x)
        return (z - y) ** 2 if z > 0 else scale * mg.log(1 + z * z)

    loss(X, Y)
    return model, loss


def gradients(parameters: list[Value], total: Value) -> list[float]:
    for p in parameters:
        p.grad = 0.0
    total.backward()
    return [p.grad for p in parameters]


@pytest.mark.parametrize("duplicate", [again, copy.deepcopy])
def test_it_computes_the_same_and_its_parameters_come_along(duplicate: Callable[..., Any]) -> None:
    model, loss = branching()
    model, loss = again((model, loss))
    expected = loss(X, Y)
    slopes = gradients(model.parameters(), expected.mean())
    own, other = duplicate((model, loss))
    found = other(X, Y)
    assert np.array_equal(found.data, expected.data)
    assert gradients(own.parameters(), found.mean()) == slopes
    own.parameters()[0].data += 1.0
    assert not np.array_equal(other(X, Y).data, expected.data)
    assert np.array_equal(loss(X, Y).data, expected.data)
    assert str(other) == str(loss)
    assert other.__doc__ == "Measure an error."


def test_guards_are_asked_of_the_parameters_as_they_are() -> None:
    model, loss = branching()
    own, other = again((model, loss))
    for p, q in zip(model.parameters(), own.parameters()):
        p.data = q.data = -2.0 * p.data  # so that rows change sides
    assert np.array_equal(other(X, Y).data, loss(X, Y).data)


def test_another_path_another_shape_and_retrace_raise() -> None:
    @mg.program
    def signed(x: Any) -> Any:
        return x[0] if x[0] > 0 else -2 * x[0]

    signed([[1.0], [2.0]])
    other = again(signed)
    assert other([[3.0]]).data.tolist() == [3.0]
    with pytest.raises(ProgramError, match=r"without the source .* row 2 takes another path"):
        other([[3.0], [1.0], [-1.0]])
    assert other([[3.0]]).data.tolist() == [3.0]
    with pytest.raises(ProgramError, match=r"without the source .* other shapes"):
        other([[3.0, 1.0]])
    with pytest.raises(ProgramError, match=r"without the source .* retrace"):
        other.retrace()
    with pytest.raises(ProgramError, match=r"without the source .* scalars"):
        mg.program(lambda x: other([x]))([1.0])
    assert other(np.empty((0, 1))).shape == (0,)
    assert copy.copy(other)([[3.0]]).data.tolist() == [3.0]
    signed([[-1.0]])
    assert again(signed)([[-1.0]]).data.tolist() == [2.0]


@pytest.mark.parametrize("of", [abs, mg.relu, lambda y: mg.max([y, -y])])
def test_slopes_at_kinks_come_along(of: Callable[..., Any]) -> None:
    w = Value(2.0)
    slope = mg.program(lambda x: mg.grad(of((w * x - 1) ** 3), [w])[0])
    rows = [1.5, -1.0, 0.25]
    expected = slope(rows)
    slopes = gradients([w], expected.sum())
    w, other = again((w, slope))
    found = other(rows)
    assert found.data.tolist() == expected.data.tolist()
    assert gradients([w], found.sum()) == slopes


def test_nothing_traced_is_nothing_to_pickle() -> None:
    with pytest.raises(pickle.PicklingError, match="call it once"):
        pickle.dumps(mg.program(lambda x: x))


def test_what_a_name_no_longer_refers_to_is_not_pickled() -> None:
    factor = Value(2.0)
    scaled = mg.program(lambda x: factor * x)
    scaled([1.0])
    factor = Value(3.0)
    with pytest.raises(pickle.PicklingError, match="call it once"):
        pickle.dumps(scaled)
    scaled([1.0])
    assert again(scaled)([1.0]).data.tolist() == [3.0]


def test_indices_and_ragged_rows_come_along() -> None:
    table = [Value(1.0), Value(2.0), Value(4.0)]
    score = mg.program(lambda tokens: mg.max([mg.take(table, i) for i in tokens]))
    rows = [[0, 1], [2], [1, 1], [0]]
    expected = score(rows).data
    own, other = again((table, score))
    assert other(rows).data.tolist() == expected.tolist()
    other(rows).sum().backward()
    assert [v.grad for v in own] == [1.0, 2.0, 1.0]
    with pytest.raises(IndexError, match="index 3 in row 1"):
        other([[0], [3]])


def test_an_operation_of_ones_own_is_found_by_its_functions() -> None:
    op = mg.Op("halved", half, half_slope)
    w = Value(3.0)
    halved = mg.program(lambda x: op(w * x))
    halved([1.0, -1.0])
    own, other = again((w, halved))
    result = other([1.0, -1.0, 4.0])
    assert result.data.tolist() == [1.5, -1.5, 6.0]
    result.sum().backward()
    assert own.grad == 2.0


def half(x: Any) -> Any:
    return x / 2


def half_slope(x: Any, out: Any) -> Any:
    return 0.5 if x > 0 else 0.5 + 0 * x


def test_a_large_program_is_read_in_a_moment_and_no_number_is_lost() -> None:
    model = MLP(30, [20, 10])
    loss = mg.program(lambda x: sum(mg.relu(z) for z in model(x)))
    rows = np.random.default_rng(1).normal(size=(9, 30))
    expected = loss(rows)
    slopes = gradients(model.parameters(), expected.mean())
    data = pickle.dumps((model, loss))
    assert len(data) < 200 * len(model.parameters())
    own, other = pickle.loads(data)
    assert gradients(own.parameters(), other(rows).mean()) == slopes


SCRIPT = """
import pickle, sys
import micrograd as mg

MAKE = {make}
if MAKE:
    w = mg.Value(2.0)

    @mg.program
    def scaled(x):
        return w * x if x > 0 else -x

    scaled([1.0, -1.0])
    w.data = 5.0
    pickle.dump(scaled, open(sys.argv[1], "wb"))
else:
    scaled = "another thing of that name"
    loaded = pickle.load(open(sys.argv[1], "rb"))
    print(loaded([1.0, 2.0, -3.0]).data.tolist())
"""


def test_a_process_without_the_source_loads_it(tmp_path: Path) -> None:
    for make, out in ((True, ""), (False, "[5.0, 10.0, 3.0]\n")):
        script = tmp_path / f"script_{make}.py"
        script.write_text(SCRIPT.format(make=make))
        done = processes.run(str(script), str(tmp_path / "scaled.pickle"))
        assert done.stdout == out, done.stderr
