"""Neurons, layers and multi-layer perceptrons made of Values."""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from micrograd.engine import Value
from micrograd.graph.scopes import scope_calls
from micrograd.native.products import dot
from micrograd.value.contents import Path, walk, written
from micrograd.value.numbers import is_number, shortened, to_float
from micrograd.value.words.calls import called_as
from micrograd.value.words.elsewhere import IN_NN, ON_MODULE, lacks, missing
from micrograd.value.words.summaries import ParameterList, State, overview

# The name of a method of Value, "linear" for no activation, or a function of a Value.
Activation = Union[str, Callable[[Value], Value]]

if TYPE_CHECKING:

    class Outputs(Value, list[Value]):  # type: ignore[misc]
        """A Value if there is one output, else a list of Values: which, the sizes tell."""


class Module:
    """Own parameters: every leaf Value in attributes, containers, objects and submodules.

    A subclass may override `parameters`; the other methods follow it. Values that only a function
    refers to (the w of `lambda x: w * x`) are not found: keep them in an attribute too. The Values
    recorded by a call of a module know the module: see `scopes.scope_of`.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    >>> Line().state_dict()
    {'slope': 2.0, 'offset': 1.0}
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        scope_calls(cls)

    def zero_grad(self) -> None:
        """Set the grad of every parameter to 0, because `backward()` accumulates.

        >>> neuron = Neuron(2)
        >>> neuron([1.0, 2.0]).backward()
        >>> neuron.zero_grad()
        >>> neuron.b.grad
        0.0
        """
        for p in self.parameters():
            p.grad = 0.0

    def parameters(self) -> list[Value]:
        """Return the parameters, each once.

        >>> len(MLP(2, [16, 16, 1]).parameters())
        337
        """
        found = [v for v, _ in walk(self) if isinstance(v, Value) and not v.parents]
        return ParameterList(found, self.named_parameters)

    def named_parameters(self) -> list[tuple[str, Value]]:
        """Return the parameters with their attribute paths.

        >>> [name for name, _ in Layer(1, 2).named_parameters()]
        ['neurons[0].w[0]', 'neurons[0].b', 'neurons[1].w[0]', 'neurons[1].b']
        """
        paths = {id(v): path for v, path in _values(self)}
        return [
            (written(paths[id(p)]) if id(p) in paths else f"parameters()[{i}]", p)
            for i, p in enumerate(self.parameters())
        ]

    def named_modules(self) -> list[tuple[str, Module]]:
        """Return this module, under the path "", and its submodules with their attribute paths.

        >>> [name for name, _ in MLP(1, [2, 1]).named_modules()][:4]
        ['', 'layers[0]', 'layers[0].neurons[0]', 'layers[0].neurons[1]']
        """
        return [(written(path), part) for part, path in walk(self) if isinstance(part, Module)]

    def state_dict(self) -> dict[str, float]:
        """Return the data of every parameter by name.

        >>> sorted(Neuron(1).state_dict())
        ['b', 'w[0]']
        """
        return State({name: p.data for name, p in self.named_parameters()})

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Set the data of every parameter from a `state_dict()`.

        Raises KeyError for missing or unknown names and TypeError for data that is not a number;
        no parameter is changed then.

        >>> neuron = Neuron(1)
        >>> neuron.load_state_dict({"w[0]": 0.5, "b": -1.0})
        >>> neuron([4.0]).data
        1.0
        """
        if not isinstance(state, Mapping):
            raise TypeError(
                f"a state is a dict of numbers by name, got {shortened(state)}: give "
                "model.state_dict(), or write micrograd.load(model, path) for a file"
            )
        named = dict(self.named_parameters())
        missing, unknown = named.keys() - state.keys(), state.keys() - named.keys()
        if missing or unknown:
            raise KeyError(
                f"the state does not fit this {type(self).__name__}: missing {_listed(missing)}, "
                f"unknown {_listed(unknown)}; load one saved from a module of the same shape"
            )
        data = {name: to_float(state[name], f"state[{name!r}]") for name in named}
        for name, p in named.items():
            p.data = data[name]

    def _repr_html_(self) -> str:
        return overview(type(self).__name__, self.named_parameters()).html()

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in ON_MODULE or hasattr(self, name)]


lacks(Module, ON_MODULE)


def _listed(names: Iterable[str]) -> str:
    """Name some parameters, or the first two of many."""
    found = sorted(names)
    more = f" and {len(found) - 2} more" if len(found) > 2 else ""
    return f"{found[:2]}{more}" if found else "none"


def held_values(module: Module) -> list[tuple[str, Value]]:
    """Return all Values in a module with their attribute paths, leaves or not.

    >>> neuron = Neuron(1)
    >>> neuron.b = neuron.b - 0.1
    >>> [name for name, _ in held_values(neuron)]
    ['w[0]', 'b']
    """
    return [(written(path), v) for v, path in _values(module)]


def _values(module: Module) -> list[tuple[Value, Path]]:
    return [(thing, path) for thing, path in walk(module) if isinstance(thing, Value)]


_ACTIVATION_NAMES = {"relu": "ReLU", "tanh": "Tanh", "sigmoid": "Sigmoid", "linear": "Linear"}


class Neuron(Module):
    """Compute a weighted sum of `nin` inputs plus a bias, then the activation if `nonlin`.

    Weights are drawn with `random.uniform(-1, 1)`. `activation` is "relu", "tanh", "sigmoid",
    "linear" or a function of a Value. Call the neuron on `nin` numbers or Values (on one alone if
    `nin` is 1); another number of inputs raises ValueError.

    >>> neuron = Neuron(2, activation="tanh")
    >>> neuron.w[0].data, neuron.w[1].data, neuron.b.data = -3.0, 1.0, 6.8813735870195432
    >>> print(f"{neuron([2.0, 0.0]):.6f}")
    0.707107
    """

    w: list[Value]
    b: Value  # strict mode reads this

    @called_as("Neuron(2), a neuron of 2 inputs")
    def __init__(self, nin: int, nonlin: bool = True, activation: Activation = "relu") -> None:
        names = list(_ACTIVATION_NAMES)  # a list is searched for anything, hashable or not
        if not callable(activation) and activation not in names:
            raise ValueError(
                f"activation {activation!r} is not known: give one of "
                f"{', '.join(map(repr, names))}, or a function of a Value"
            )
        _check_size("Neuron(nin) takes the number of its inputs", nin, 0)
        self.w = [Value(random.uniform(-1, 1)) for _ in range(nin)]
        self.b = Value(0)
        self.nonlin = nonlin
        self.activation = activation

    def __call__(self, x: Any) -> Value:
        inputs, w = x if x.__class__ is list else _inputs(x), self.w
        if len(inputs) != len(w):
            raise ValueError(
                f"this neuron takes {len(w)} inputs, got {len(inputs)}: give one per weight"
            )
        if inputs and inputs[0].__class__ not in _USUAL:
            _refuse_others(inputs[0], x)
        return self.activate(dot(w, inputs, self.b))

    def activate(self, z: Value) -> Value:
        """Apply the activation to the weighted sum z; without one, return z itself.

        >>> Neuron(1, activation="relu").activate(Value(-2.0)).data
        0.0
        """
        if not self.nonlin or (activation := self.activation) == "linear":
            return z
        if callable(activation):
            return activation(z)
        activated: Value = getattr(z, activation)()
        return activated

    def __repr__(self) -> str:
        own = vars(self)  # which lack what __init__ would have set
        name = _activation_name(own.get("activation", "relu")) if own.get("nonlin") else "Linear"
        return f"{name}Neuron({len(own.get('w', ()))})"


_USUAL = frozenset({Value, float})


def _check_size(what: str, size: Any, least: int) -> None:
    if not hasattr(size, "__index__"):
        raise TypeError(f"{what}, a whole number, got {size!r}: write Layer(2, 3), say")
    if operator.index(size) < least:
        raise ValueError(f"{what}, at least {least}, got {size!r}: write Layer(2, 3), say")


def _inputs(x: Any) -> list[Any]:
    """Return the inputs as a list; a Value or a number alone is one input."""
    if isinstance(x, Value) or is_number(x):
        return [x]
    if isinstance(x, (str, bytes, set, frozenset, Mapping)) or not isinstance(x, Iterable):
        raise TypeError(
            "a module takes one example, a sequence of numbers or Values, but got "
            f"{shortened(x)}: write model([1.0, 2.0]), say"
        )
    return list(x)


def _shared(element: Any, x: Any) -> Any:
    """Return one of the inputs x as it goes to several neurons."""
    if isinstance(element, Value):
        return element
    if is_number(element):
        return Value(element)
    _refuse_others(element, x)
    return element


def _refuse_others(element: Any, x: Any) -> None:
    """Raise TypeError if one of the inputs x is a row, or nothing that could be a number."""
    if element is None or isinstance(element, (str, bytes, complex)):
        raise TypeError(
            f"a module takes numbers or Values, but {shortened(element)} is one of its inputs: "
            "write model([1.0, 2.0]), say"
        )
    if hasattr(element, "__len__") and not is_number(element):
        raise _no_example(x)


def _no_example(x: Any) -> TypeError:
    shape = getattr(x, "shape", None)
    found = f"an array of shape {shape}" if shape is not None else f"{len(x)} rows"
    return TypeError(
        f"a module takes one example, a sequence of numbers or Values, but got {found}: call it "
        "row by row, [model(x) for x in X], or on all rows at once, micrograd.program(model)(X)"
    )


def _activation_name(activation: Activation) -> str:
    if isinstance(activation, str):
        return _ACTIVATION_NAMES[activation]
    name: str = getattr(activation, "__name__", type(activation).__name__)
    return name


class Layer(Module):
    """Apply `nout` neurons to the same `nin` inputs; keyword arguments go to each Neuron.

    A call returns a list of Values, or a single Value if `nout` is 1.

    >>> Layer(2, 3, activation="sigmoid")
    Layer of [SigmoidNeuron(2), SigmoidNeuron(2), SigmoidNeuron(2)]
    """

    @called_as("Layer(2, 3), which gives 2 inputs to 3 neurons")
    def __init__(self, nin: int, nout: int, **kwargs: Any) -> None:
        _check_size("Layer(nin, nout) takes the number of its neurons", nout, 1)
        self.neurons: list[Neuron] = [Neuron(nin, **kwargs) for _ in range(nout)]

    @called_as("model([1.0, 2.0]), with one list of all inputs")
    def __call__(self, x: Any) -> Outputs:
        # A number becomes one Value shared by all neurons, not one per weight.
        inputs = [v if type(v) is Value else _shared(v, x) for v in _inputs(x)]
        out: Any = [n(inputs) for n in self.neurons]
        return out[0] if len(out) == 1 else out  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, vars(self).get('neurons', ())))}]"


class MLP(Module):
    """Stack layers of `nouts` neurons on `nin` inputs, the last layer linear.

    A call returns a list of Values, or a single Value if the last layer has one neuron.

    >>> MLP(2, [3, 1])
    MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(3)]]
    """

    @called_as("MLP(2, [3, 1]): 2 inputs, then layers of 3 neurons and of 1")
    def __init__(self, nin: int, nouts: Sequence[int], activation: Activation = "relu") -> None:
        if not isinstance(nouts, Iterable):
            raise TypeError(
                f"MLP(nin, nouts) takes the sizes of its layers as a list: write MLP({nin!r}, "
                f"[{nouts!r}])"
            )
        nouts = list(nouts)
        if not nouts:
            raise ValueError(f"an MLP has a layer at least: write MLP({nin!r}, [3, 1])")
        sizes = [nin, *nouts]
        self.layers: list[Layer] = [
            Layer(sizes[i], sizes[i + 1], nonlin=i != len(nouts) - 1, activation=activation)
            for i in range(len(nouts))
        ]

    @called_as("model([1.0, 2.0]), with one list of all inputs")
    def __call__(self, x: Any) -> Outputs:
        for layer in self.layers:
            x = layer(x)
        return x  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, vars(self).get('layers', ())))}]"


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, IN_NN)
