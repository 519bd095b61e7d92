"""Files of parameters: names, shapes, bits, optimisers, misfits, and saves that are cut short."""

from __future__ import annotations

import importlib
import math
import os
import random
import subprocess
import sys
import textwrap
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Value
from micrograd.files.tensors import tensors_of
from micrograd.nn import MLP, Module, Neuron


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def shapes(model: Any) -> dict[str, tuple[int, ...]]:
    return {name: values.shape for name, values in tensors_of(model).items()}


def data(model: Any) -> list[float]:
    return [v.data for values in tensors_of(model).values() for v in values.ravel()]


# Names and shapes ------------------------------------------------------------------------------


def test_a_layer_is_two_tensors_with_the_names_of_pytorch() -> None:
    assert shapes(MLP(3, [4, 4, 1])) == {
        "layers.0.weight": (4, 3),
        "layers.0.bias": (4,),
        "layers.1.weight": (4, 4),
        "layers.1.bias": (4,),
        "layers.2.weight": (1, 4),
        "layers.2.bias": (1,),
    }


def test_layers_of_one_shape_keep_their_positions() -> None:
    assert list(shapes(MLP(4, [4, 4]))) == [
        f"layers.{i}.{x}" for i in (0, 1) for x in ("weight", "bias")
    ]


def matrix(rows: int, columns: int) -> list[list[Value]]:
    return [[Value(random.random()) for _ in range(columns)] for _ in range(rows)]


def test_a_dict_of_matrices_is_a_tensor_for_each() -> None:
    state = {"wte": matrix(27, 16), "layer0.attn_wq": matrix(16, 16), "scale": Value(1.0)}
    assert shapes(state) == {"wte": (27, 16), "layer0.attn_wq": (16, 16), "scale": ()}


class Ragged(Module):
    def __init__(self) -> None:
        self.rows = [[Value(1.0)], [Value(2.0), Value(3.0)]]
        self.cube = np.array([[[Value(4.0)]] * 1] * 1, dtype=object)
        self.computed = self.rows[0][0] * 2


def test_ragged_lists_and_arrays_of_values_and_results_that_are_no_parameters() -> None:
    assert shapes(Ragged()) == {"rows.0": (1,), "rows.1": (2,), "cube": (1, 1, 1)}


class LectureNeuron:
    def __init__(self, nin: int) -> None:
        self.w, self.b = [Value(random.random()) for _ in range(nin)], Value(0.0)


class LectureLayer:
    def __init__(self, nin: int, nout: int) -> None:
        self.neurons = [LectureNeuron(nin) for _ in range(nout)]


def test_neurons_of_ones_own_are_rows_of_a_matrix() -> None:
    assert shapes([LectureLayer(2, 3), LectureLayer(3, 3)]) == {
        "0.neurons.w": (3, 2),
        "0.neurons.b": (3,),
        "1.neurons.w": (3, 3),
        "1.neurons.b": (3,),
    }


class Tied(Module):
    def __init__(self) -> None:
        self.into = matrix(2, 3)
        self.out = self.into


def test_shared_values_are_stored_once(path: Path) -> None:
    model = Tied()
    assert shapes(model) == {"into": (2, 3)}
    mg.save(model, path)
    mg.load(other := Tied(), path)
    assert data(other) == data(model)
    assert other.out is other.into


class Closed(Module):
    """A module whose own `parameters` knows a Value that no attribute holds, and leaves one out."""

    def __init__(self) -> None:
        self.fixed, hidden = Value(7.0), Value(random.random())
        self.f: Callable[[], Value] = lambda: hidden

    def parameters(self) -> list[Value]:
        return [self.f()]


def test_a_module_says_itself_which_parameters_it_has(path: Path) -> None:
    model, other = Closed(), Closed()
    assert shapes(model) == {"parameters.0": ()}
    mg.save(model, path)
    other.fixed.data = 8.0
    mg.load(other, path)
    assert (other.f().data, other.fixed.data) == (model.f().data, 8.0)


def test_a_value_alone_and_nothing_at_all(path: Path) -> None:
    assert shapes(Value(1.0)) == {"value": ()}
    with pytest.raises(ValueError, match="list holds no parameters"):
        mg.save([], path)
    with pytest.raises(ValueError, match=r"several parameters would be called a\.b: rename"):
        mg.save({"a.b": Value(1.0), "a": {"b": Value(2.0)}}, path)
    assert not path.exists()


# There and back --------------------------------------------------------------------------------


def test_every_bit_comes_back(path: Path) -> None:
    numbers = [0.1, -0.0, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, math.nan]
    mg.save([Value(x) for x in numbers], path)
    loaded = [Value(1.0) for _ in numbers]
    mg.load(loaded, path)
    assert np.array([v.data for v in loaded]).tobytes() == np.array(numbers).tobytes()


def test_other_libraries_read_it(path: Path) -> None:
    model = MLP(3, [4, 2], activation="tanh")
    mg.save(model, path)
    stored = safetensors.numpy.load_file(path)
    x = np.array([0.5, -1.0, 2.0])
    hidden = np.tanh(stored["layers.0.weight"] @ x + stored["layers.0.bias"])
    out = stored["layers.1.weight"] @ hidden + stored["layers.1.bias"]
    assert [v.data for v in model(x.tolist())] == pytest.approx(out, rel=1e-12)


def test_torch_reads_it(path: Path) -> None:
    torch = pytest.importorskip("torch")
    model = MLP(3, [4, 2], activation="tanh")
    mg.save(model, path)
    linear = torch.nn.Linear
    stack = {"0": linear(3, 4), "tanh": torch.nn.Tanh(), "1": linear(4, 2)}
    net = torch.nn.Module()
    net.layers = torch.nn.Sequential(OrderedDict(stack)).double()
    net.load_state_dict(importlib.import_module("safetensors.torch").load_file(path))
    x = [0.5, -1.0, 2.0]
    out = net.layers(torch.tensor(x, dtype=torch.float64)).tolist()
    assert [v.data for v in model(x)] == pytest.approx(out, rel=1e-12)


def test_files_of_other_libraries_load(path: Path) -> None:
    weight, bias = np.array([[0.5, -2.0]], np.float32), np.array([1.5], np.float16)
    safetensors.numpy.save_file({"weight": weight, "bias": bias}, path)
    layer = mg.nn.Layer(2, 1)
    mg.load(layer, path)
    assert data(layer) == [0.5, -2.0, 1.5]


@pytest.mark.parametrize("make", [mg.optim.AdamW, lambda ps: mg.optim.SGD(ps, 0.1, momentum=0.9)])
def test_training_goes_on_bit_for_bit(path: Path, make: Callable[..., Any]) -> None:
    def steps(model: MLP, optimizer: Any, count: int) -> None:
        for _ in range(count):
            loss: Any = sum((model([i / 4, 1.0]) - i) ** 2 for i in range(4))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    model = MLP(2, [5, 1], activation="tanh")
    optimizer = make(model.parameters())
    steps(model, optimizer, 3)
    mg.save(model, path, optimizer)
    resumed = MLP(2, [5, 1], activation="tanh")
    again = make(list(reversed(resumed.parameters())))  # which number is whose is kept by name
    mg.load(resumed, path, again)
    assert again.steps == 3
    steps(model, optimizer, 3)
    steps(resumed, again, 3)
    assert data(resumed) == data(model)
    mg.load(MLP(2, [5, 1]), path)  # without the state of the optimiser


# What does not fit -----------------------------------------------------------------------------


def assert_refused(model: Any, path: Path, *faults: str, optimizer: Any = None) -> None:
    before = data(model)
    with pytest.raises(ValueError, match=r"nothing was loaded|is no safetensors file") as refused:
        mg.load(model, path, optimizer)
    for fault in faults:
        assert fault in str(refused.value)
    assert data(model) == before


def test_all_differences_are_listed_at_once_and_nothing_changes(path: Path) -> None:
    mg.save(MLP(3, [4, 2]), path)
    assert_refused(
        MLP(3, [5, 2, 1]),
        path,
        "does not fit this MLP, so nothing was loaded:\n",
        "- layers.0.weight has shape (4, 3), not (5, 3)\n",
        "- layers.0.bias has shape (4,), not (5,)\n",
        "- layers.2.weight is missing\n",
    )
    assert_refused(MLP(3, [4]), path, "- layers.1.bias is unknown\n- layers.1.weight is unknown")


def test_numbers_that_are_no_floats_are_refused(path: Path) -> None:
    safetensors.numpy.save_file({"w": np.array([1, 2])}, path)
    assert_refused(
        {"w": [Value(0.5), Value(0.5)]}, path, "w has numbers of type I64, not one of F64"
    )


def test_the_state_of_another_optimiser_is_refused(path: Path) -> None:
    model = MLP(2, [2])
    adam, sgd = mg.optim.AdamW(model.parameters()), mg.optim.SGD(model.parameters(), 0.1)
    mg.save(model, path, adam)
    assert_refused(model, path, "it holds the state of AdamW, not of SGD", optimizer=sgd)
    mg.save(model, path)
    assert_refused(model, path, "it holds the state of no optimizer, not of SGD", optimizer=sgd)
    assert_refused(model, path, "optimizer.velocity.layers.0.weight is missing", optimizer=sgd)


def test_an_optimiser_of_other_parameters_is_refused(path: Path) -> None:
    model = MLP(2, [2])
    with pytest.raises(ValueError, match="moves 6 Values that are no parameters of this MLP"):
        mg.save(model, path, mg.optim.AdamW(MLP(2, [2]).parameters()))
    with pytest.raises(ValueError, match=r"moves only a part of layers\.0\.weight"):
        mg.save(model, path, mg.optim.AdamW(model.parameters()[:1]))
    assert not path.exists()


def test_parameters_that_the_optimiser_does_not_move_have_no_state(path: Path) -> None:
    model = MLP(2, [2, 2])
    optimizer = mg.optim.AdamW(model.layers[1].parameters())
    mg.save(model, path, optimizer)
    assert "optimizer.means.layers.1.bias" in safetensors.numpy.load_file(path)
    assert "optimizer.means.layers.0.bias" not in safetensors.numpy.load_file(path)
    mg.load(model, path, optimizer)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_random_bytes_are_refused(path: Path, contents: bytes) -> None:
    path.write_bytes(contents)
    assert_refused(MLP(2, [2]), path, "is no safetensors file")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_mutated_file_loads_whole_or_not_at_all(path: Path, drawn: st.DataObject) -> None:
    model = MLP(2, [2])
    optimizer = mg.optim.AdamW(model.parameters())
    mg.save(model, path, optimizer)
    contents = bytearray(path.read_bytes())
    for _ in range(drawn.draw(st.integers(1, 4))):
        contents[drawn.draw(st.integers(0, len(contents) - 1))] = drawn.draw(st.integers(0, 255))
    length = drawn.draw(st.sampled_from([len(contents), len(contents) - 1, len(contents) // 2]))
    path.write_bytes(contents[:length])
    before = data(model)
    try:
        mg.load(model, path, optimizer)
    except ValueError:
        assert data(model) == before
        assert optimizer.steps == 0


# Whole or not at all ---------------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    mg.save([Value(1.0)], path)

    def fail(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, failing, fail)
    with pytest.raises(KeyboardInterrupt):
        mg.save([Value(2.0)], path)
    monkeypatch.undo()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    loaded = [Value(0.0)]
    mg.load(loaded, path)
    assert loaded[0].data == 1.0


def test_a_link_keeps_leading_to_the_file(path: Path) -> None:
    link = path.with_name("latest.safetensors")
    mg.save([Value(1.0)], path)
    link.symlink_to(path)
    mg.save([Value(2.0)], link)
    assert link.is_symlink()
    loaded = [Value(0.0)]
    mg.load(loaded, path)
    assert loaded[0].data == 2.0


def test_a_process_that_is_killed_leaves_a_whole_file(path: Path) -> None:
    """Kill a process that saves all the time; whichever save it was, the file is whole."""
    script = textwrap.dedent(f"""
        import micrograd as mg
        values = [mg.Value(0.0) for _ in range(20_000)]
        for i in range(10**9):
            for v in values: v.data = float(i)
            mg.save(values, {str(path)!r})
            print(i, flush=True)
    """)
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout
        for _ in range(5):
            process.stdout.readline()
        process.kill()
    loaded = [Value(-1.0) for _ in range(20_000)]
    mg.load(loaded, path)
    assert len({v.data for v in loaded}) == 1


def test_it_is_said_what_to_install(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"pip install 'micrograd\[files\]'"):
        mg.save(Neuron(1), path)
