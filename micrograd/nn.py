"""Neurons, layers and multi-layer perceptrons, made of Values."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import mul
from typing import Any, Union

from micrograd.engine import Value
from micrograd.graph.scopes import scope_calls
from micrograd.value.numbers import is_number, to_float

# The name of a method of Value, "linear" for none, or any function of a Value.
Activation = Union[str, Callable[[Value], Value]]


class Module:
    """Something with parameters: every leaf Value in its attributes, lists, arrays, submodules.

    A subclass may say which they are by overriding `parameters`; the rest follows. The Values that
    a call of a module records know it: see `scopes.scope_of`.

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
        """Set the grad of every parameter to 0, since `backward()` adds to what is there.

        >>> neuron = Neuron(2)
        >>> neuron([1.0, 2.0]).backward()
        >>> neuron.zero_grad()
        >>> neuron.b.grad
        0.0
        """
        for p in self.parameters():
            p.grad = 0.0

    def parameters(self) -> list[Value]:
        """List the parameters, each once.

        >>> len(MLP(2, [16, 16, 1]).parameters())
        337
        """
        return [v for v in _values(self) if not v.parents]

    def named_parameters(self) -> list[tuple[str, Value]]:
        """List the parameters with the paths of attributes that lead to them.

        >>> [name for name, _ in Layer(1, 2).named_parameters()]
        ['neurons[0].w[0]', 'neurons[0].b', 'neurons[1].w[0]', 'neurons[1].b']
        """
        ways = _values(self)
        return [
            (_name(ways[p]) if p in ways else f"parameters()[{i}]", p)
            for i, p in enumerate(self.parameters())
        ]

    def named_modules(self) -> list[tuple[str, Module]]:
        """List this module, with the path "", and those in it, with the paths that lead to them.

        >>> [name for name, _ in MLP(1, [2, 1]).named_modules()][:4]
        ['', 'layers[0]', 'layers[0].neurons[0]', 'layers[0].neurons[1]']
        """
        modules: dict[int, tuple[Module, _Way]] = {}
        _collect([(self, _HERE)], {}, modules)
        return [(_name(way), module) for module, way in modules.values()]

    def state_dict(self) -> dict[str, float]:
        """Give the data of every parameter by its name.

        >>> sorted(Neuron(1).state_dict())
        ['b', 'w[0]']
        """
        return {name: p.data for name, p in self.named_parameters()}

    def load_state_dict(self, state: Mapping[str, float]) -> None:
        """Set every parameter's data from a `state_dict()`.

        Raises KeyError when names are missing or unknown, TypeError when a number is not one;
        nothing is changed then.

        >>> neuron = Neuron(1)
        >>> neuron.load_state_dict({"w[0]": 0.5, "b": -1.0})
        >>> neuron([4.0]).data
        1.0
        """
        named = dict(self.named_parameters())
        missing = sorted(named.keys() - state.keys())
        unknown = sorted(state.keys() - named.keys())
        if missing or unknown:
            raise KeyError(
                f"the state does not fit this {type(self).__name__}: missing {missing or 'none'}, "
                f"unknown {unknown or 'none'}; load one saved from a module of the same shape"
            )
        data = {name: to_float(state[name], f"state[{name!r}]") for name in named}
        for name, p in named.items():
            p.data = data[name]


# The way to a leaf: the way to what holds it, how to write the last step, and that step.
_Way = tuple[Any, str, Any]
_HERE: _Way = ((), "", "")


def held_values(module: Module) -> list[tuple[str, Value]]:
    """List all Values in a module with the paths that lead to them: those too that are no leaves.

    >>> neuron = Neuron(1)
    >>> neuron.b = neuron.b - 0.1
    >>> [name for name, _ in held_values(neuron)]
    ['w[0]', 'b']
    """
    return [(_name(way), v) for v, way in _values(module).items()]


def _values(module: Module) -> dict[Value, _Way]:
    """All Values in a module, each with the first way that leads to it."""
    values: dict[Value, _Way] = {}
    _collect([(module, _HERE)], values, {})
    return values


def _collect(
    parts: Iterable[tuple[Any, _Way]],
    values: dict[Value, _Way],
    modules: dict[int, tuple[Module, _Way]],
) -> None:
    """Walk attributes, lists, arrays, dicts; modules go by their id, since they may be equal."""
    for thing, way in parts:
        inner: Iterable[tuple[Any, _Way]] = ()
        if isinstance(thing, Value):
            values.setdefault(thing, way)
        elif isinstance(thing, Module):
            if id(thing) not in modules:
                modules[id(thing)] = thing, way
                inner = [(part, (way, ".{}", name)) for name, part in vars(thing).items()]
        elif isinstance(thing, (list, tuple)):
            inner = [(part, (way, "[{}]", i)) for i, part in enumerate(thing)]
        elif isinstance(thing, dict):
            inner = [(part, (way, "[{!r}]", key)) for key, part in thing.items()]
        elif str(getattr(thing, "dtype", "")) == "object":  # an array of Values
            inner = [(thing.tolist(), way)]
        if inner:
            _collect(inner, values, modules)


def _name(way: _Way) -> str:
    steps = []
    while way:
        way, written, step = way
        steps.append(written.format(step))
    return "".join(reversed(steps)).lstrip(".")


_ACTIVATION_NAMES = {"relu": "ReLU", "tanh": "Tanh", "sigmoid": "Sigmoid", "linear": "Linear"}


class Neuron(Module):
    """A weighted sum of `nin` inputs plus a bias, then the activation if `nonlin`.

    The weights are drawn by `random.uniform(-1, 1)`. `activation` is "relu", "tanh", "sigmoid",
    "linear" or a function of a Value. Called on a sequence of `nin` numbers or Values, or on one
    alone if `nin` is 1; raises ValueError for any other number of inputs.

    >>> neuron = Neuron(2, activation="tanh")
    >>> neuron.w[0].data, neuron.w[1].data, neuron.b.data = -3.0, 1.0, 6.8813735870195432
    >>> print(f"{neuron([2.0, 0.0]):.6f}")
    0.707107
    """

    def __init__(self, nin: int, nonlin: bool = True, activation: Activation = "relu") -> None:
        names = list(_ACTIVATION_NAMES)  # a list is searched for anything, hashable or not
        if not callable(activation) and activation not in names:
            raise ValueError(
                f"activation {activation!r} is not known: give one of "
                f"{', '.join(map(repr, names))}, or a function of a Value"
            )
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
        return self.activate(sum(map(mul, w, inputs), self.b))

    def activate(self, z: Value) -> Value:
        """Apply the activation to the weighted sum z; without one, give z itself.

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
        name = _activation_name(self.activation) if self.nonlin else "Linear"
        return f"{name}Neuron({len(self.w)})"


def _inputs(x: Any) -> list[Any]:
    """List the inputs; a Value or a number alone is one of them."""
    return [x] if isinstance(x, Value) or is_number(x) else list(x)


def _activation_name(activation: Activation) -> str:
    if isinstance(activation, str):
        return _ACTIVATION_NAMES[activation]
    name: str = getattr(activation, "__name__", type(activation).__name__)
    return name


class Layer(Module):
    """`nout` neurons that see the same `nin` inputs; keyword arguments go to each Neuron.

    Called on the inputs, it gives a list of Values, or a single Value if `nout` is 1.

    >>> Layer(2, 3, activation="sigmoid")
    Layer of [SigmoidNeuron(2), SigmoidNeuron(2), SigmoidNeuron(2)]
    """

    def __init__(self, nin: int, nout: int, **kwargs: Any) -> None:
        self.neurons = [Neuron(nin, **kwargs) for _ in range(nout)]

    def __call__(self, x: Any) -> Any:
        # A number becomes one Value that all neurons share, not one for each of their weights.
        x = [x if isinstance(x, Value) or not is_number(x) else Value(x) for x in _inputs(x)]
        out = [n(x) for n in self.neurons]
        return out[0] if len(out) == 1 else out

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(str(n) for n in self.neurons)}]"


class MLP(Module):
    """A multi-layer perceptron: `nin` inputs, then layers of `nouts` neurons, the last one linear.

    Called on the inputs, it gives a list of Values, or a single Value if the last layer has one.

    >>> MLP(2, [3, 1])
    MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(3)]]
    """

    def __init__(self, nin: int, nouts: Sequence[int], activation: Activation = "relu") -> None:
        sizes = [nin, *nouts]
        self.layers = [
            Layer(sizes[i], sizes[i + 1], nonlin=i != len(nouts) - 1, activation=activation)
            for i in range(len(nouts))
        ]

    def __call__(self, x: Any) -> Any:
        for layer in self.layers:
            x = layer(x)
        return x

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(str(layer) for layer in self.layers)}]"
