"""Parameters as named tensors: one for the weights of a layer, one for its biases.

A name is a path of attributes, keys and positions, joined by dots. A list of Values becomes an axis
of a tensor, and so does a list of such lists, unless it is ragged, or a list of neurons (objects
that hold single Values beside flat lists of them). In other lists each object has its position in
its names. `nn.Layer` has the names and shapes of PyTorch: `layers.0.weight`, of shape (outputs,
inputs), and `layers.0.bias`.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from micrograd.engine import Value
from micrograd.nn import Layer, Module, Neuron
from micrograd.value.contents import Path, walk

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.object_]

NEURON = {"w": "weight", "b": "bias"}  # PyTorch's words for the attributes of nn.Neuron


def tensors_of(root: Any) -> dict[str, Values]:
    """Return the parameters that `root` holds as arrays of Values by name, each Value once.

    Raises ValueError where there are none, or where two would have the same name.

    >>> {name: values.shape for name, values in tensors_of(Layer(2, 3)).items()}
    {'weight': (3, 2), 'bias': (3,)}
    >>> {name: values.shape for name, values in tensors_of({"wte": [[Value(0.5)]] * 1}).items()}
    {'wte': (1, 1)}
    """
    parameters: list[Value] = root.parameters() if isinstance(root, Module) else []
    left = {id(p): f"parameters.{i}" for i, p in enumerate(parameters)}
    nodes: dict[Path, _Node] = {}
    for thing, path in walk(root):
        if isinstance(thing, Value) and not _is_parameter(thing, root, left):
            continue
        nodes[path] = node = _Node(thing)
        if path:
            nodes[path[0]].parts[path[2]] = node
    found = [(".".join(name) or "value", v) for name, v in nodes[()].tensors().items()]
    found += [(left[id(p)], _scalar(p)) for p in parameters if id(p) in left]
    tensors = dict(found)
    if len(tensors) < len(found):
        names = [name for name, _ in found]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"several parameters would be called {', '.join(twice)}: rename a key")
    if not tensors:
        raise ValueError(f"{type(root).__name__} holds no parameters, so there is nothing to store")
    return tensors


def _is_parameter(value: Value, root: Any, left: dict[int, str]) -> bool:
    """Tell whether a Value is one, of a module by its own word, and strike it off what is left."""
    if isinstance(root, Module):
        return left.pop(id(value), None) is not None
    return not value.parents


def _scalar(value: Value) -> Values:
    scalar = np.empty((), object)
    scalar[()] = value
    return scalar


class _Node:
    """A thing on the way to a Value, or the Value, and what was found in it by the last step."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing
        self.parts: dict[Any, _Node] = {}

    def tensors(self) -> dict[tuple[str, ...], Values]:
        """Return the tensors in it, by the steps of their names from here on."""
        if isinstance(self.thing, Value):
            return {(): _scalar(self.thing)}
        inside = {step: part.tensors() for step, part in self.parts.items()}
        if self._is_axis(list(inside.values())):
            return {name: np.stack([part[name] for part in inside.values()]) for name in inside[0]}
        return {
            (*self._step(step), *name): values
            for step, part in inside.items()
            for name, values in part.items()
        }

    def _is_axis(self, inside: list[dict[tuple[str, ...], Values]]) -> bool:
        """Tell whether this is a list of Values, of arrays, or of neurons, all of one shape."""
        if not isinstance(self.thing, (list, tuple, deque)) or list(self.parts) != [
            *range(len(self.thing))
        ]:
            return False
        shapes = [{name: values.shape for name, values in part.items()} for part in inside]
        if not shapes or not shapes[0] or shapes.count(shapes[0]) != len(shapes):
            return False
        ranks = [len(shape) for shape in shapes[0].values()]
        return list(shapes[0]) == [()] or (min(ranks) == 0 and max(ranks) < 2)

    def _step(self, step: Any) -> tuple[str, ...]:
        if isinstance(self.thing, Layer) and step == "neurons":
            return ()
        if isinstance(self.thing, Neuron):
            return (NEURON.get(step, step),)
        return (str(step),)


class Parameters:
    """The data of some Values, as a tensor of a file."""

    def __init__(self, values: Values) -> None:
        self.values: list[Value] = values.ravel().tolist()
        self.shape: tuple[int, ...] = values.shape

    def read(self) -> NDArray[np.float64]:
        """Return their data."""
        return np.array([v.data for v in self.values]).reshape(self.shape)

    def write(self, numbers: NDArray[np.float64]) -> None:
        """Set their data."""
        for v, number in zip(self.values, numbers.ravel().tolist()):
            v.data = number


class Memory:
    """The memory of an optimiser for some parameters, as a tensor of a file."""

    indices: list[int]
    memory: array[float]
    shape: tuple[int, ...]

    def __init__(self, memory: array[float], indices: list[int], shape: tuple[int, ...]) -> None:
        self.memory, self.indices, self.shape = memory, indices, shape

    def read(self) -> NDArray[np.float64]:
        """Return what is remembered of them."""
        return np.array([self.memory[i] for i in self.indices]).reshape(self.shape)

    def write(self, numbers: NDArray[np.float64]) -> None:
        """Set what is remembered of them."""
        for i, number in zip(self.indices, numbers.ravel().tolist()):
            self.memory[i] = number


Tensor = Union[Parameters, Memory]
