"""Save and load parameters by name, and the state of an optimiser."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Union

from micrograd.files.atomic import replace_file
from micrograd.files.tensors import Memory, Parameters, Tensor, tensors_of
from micrograd.optim import Optimizer

Name = Union[str, "os.PathLike[str]"]

FLOATS = ("F64", "F32", "F16")  # the types that are loaded, as the format calls them


def save(model: Any, path: Name, optimizer: Optimizer | None = None) -> None:
    """Write the parameters of `model`, and the state of its `optimizer`, to a safetensors file.

    `model` is a Module, or any object or container that holds Values; tensors are float64. What an
    optimiser remembers of each parameter and its number of steps are kept; its settings, such as
    the learning rate, are not. A file of that name is replaced when the new one is complete. Raises
    ValueError where there are no parameters, or where the optimiser moves others.

    >>> import tempfile
    >>> from micrograd.nn import Neuron
    >>> neuron, other = Neuron(3), Neuron(3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(neuron, f"{folder}/neuron.safetensors")
    ...     load(other, f"{folder}/neuron.safetensors")
    >>> other.state_dict() == neuron.state_dict()
    True
    """
    numpy_format = _safetensors().numpy
    contents = {name: tensor.read() for name, tensor in _tensors(model, optimizer).items()}
    replace_file(Path(os.path.realpath(path)), numpy_format.save(contents, _metadata(optimizer)))


def load(model: Any, path: Name, optimizer: Optimizer | None = None) -> None:
    """Set the parameters of `model`, and the state of its `optimizer`, from a file of `save`.

    Nothing in the file is executed. Files of other libraries load too, where names and shapes are
    the same and the numbers are floats. Raises ValueError for a file in another format or a damaged
    one, and for names or shapes that differ, all of which it lists; nothing is changed then.

    >>> from micrograd.nn import Neuron
    >>> load(Neuron(3), "nowhere.safetensors")
    Traceback (most recent call last):
    FileNotFoundError: No such file or directory: nowhere.safetensors
    """
    safetensors = _safetensors()
    tensors = _tensors(model, optimizer)
    try:
        with safetensors.safe_open(os.fspath(path), framework="numpy") as file:
            metadata = file.metadata() or {}
            faults = _faults(tensors, file, metadata, optimizer)
            if faults:
                raise ValueError(
                    f"{path} does not fit this {type(model).__name__}, so nothing was loaded:\n"
                    + "\n".join(f"- {fault}" for fault in faults)
                )
            numbers = {name: file.get_tensor(name).astype(float) for name in tensors}
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file, or a damaged one: {error}") from None
    for name, tensor in tensors.items():
        tensor.write(numbers[name])
    if optimizer:
        optimizer.steps = int(metadata["optimizer.steps"])


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError:
        raise ImportError(
            "saving and loading need safetensors: pip install 'micrograd[files]'"
        ) from None
    return safetensors


def _tensors(model: Any, optimizer: Optimizer | None) -> dict[str, Tensor]:
    """Return all that a file holds, by name."""
    values = tensors_of(model)
    tensors: dict[str, Tensor] = {name: Parameters(array) for name, array in values.items()}
    if optimizer is None:
        return tensors
    places = {id(p): i for i, p in enumerate(optimizer.parameters)}
    moved: dict[str, list[int]] = {}
    for name, array in values.items():
        found = [places.pop(id(p)) for p in array.ravel() if id(p) in places]
        if found and len(found) < array.size:
            raise ValueError(f"the optimizer moves only a part of {name}: give it all, or none")
        if found:
            moved[name] = found
    if places:
        raise ValueError(
            f"the optimizer moves {len(places)} Values that are no parameters of this "
            f"{type(model).__name__}: give the optimizer of this model"
        )
    for memory in optimizer._memories:
        for name, indices in moved.items():
            remembered = Memory(getattr(optimizer, memory), indices, values[name].shape)
            if tensors.setdefault(f"optimizer.{memory}.{name}", remembered) is not remembered:
                raise ValueError(f"a parameter is called optimizer.{memory}.{name}: rename it")
    return tensors


def _metadata(optimizer: Optimizer | None) -> dict[str, str] | None:
    if optimizer is None:
        return None
    return {"optimizer": type(optimizer).__name__, "optimizer.steps": str(optimizer.steps)}


def _faults(
    tensors: Mapping[str, Tensor],
    file: Any,
    metadata: Mapping[str, str],
    optimizer: Optimizer | None,
) -> list[str]:
    """List all in which a file differs from what is to be loaded."""
    faults = []
    if optimizer:
        stored, wanted = metadata.get("optimizer"), type(optimizer).__name__
        if stored != wanted:
            faults.append(f"it holds the state of {stored or 'no optimizer'}, not of {wanted}")
        elif not metadata.get("optimizer.steps", "").isdecimal():
            faults.append("the optimizer's number of steps is missing")
    there = set(file.keys())
    faults += [f"{name} is missing" for name in sorted(tensors.keys() - there)]
    if optimizer is None and "optimizer" in metadata:  # its state is there, and not asked for
        there = {name for name in there if not name.startswith("optimizer.")} | tensors.keys()
    faults += [f"{name} is unknown" for name in sorted(there - tensors.keys())]
    for name in sorted(there & tensors.keys()):
        shape, kind = tuple(file.get_slice(name).get_shape()), file.get_slice(name).get_dtype()
        if shape != tensors[name].shape:
            faults.append(f"{name} has shape {shape}, not {tensors[name].shape}")
        if kind not in FLOATS:
            faults.append(f"{name} has numbers of type {kind}, not one of {', '.join(FLOATS)}")
    return faults
