"""Neurons, layers and multi-layer perceptrons, made of Values."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Union

from micrograd.engine import Value

# The name of a method of Value, "linear" for none, or any function of a Value.
Activation = Union[str, Callable[[Value], Value]]


class Module:
    """Something with parameters: every leaf Value found in its attributes, lists and submodules.

    A subclass may say which they are by overriding `parameters`; the rest follows.

    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Value(2.0), Value(1.0)
    >>> Line().state_dict()
    {'slope': 2.0, 'offset': 1.0}
    """

    def zero_grad(self) -> None:
        """Set the grad of every parameter to 0, since `backward()` adds to what is there.

        >>> neuron = Neuron(2)
        >>> neuron([1.0, 2.0]).backward()
        >>> neuron.zero_grad()
        >>> neuron.b.grad
        0.0
        """
        for p in self.parameters():
            p.grad = 0

    def parameters(self) -> list[Value]:
        """List the parameters, each once.

        >>> len(MLP(2, [16, 16, 1]).parameters())
        337
        """
        return [p for _, p in _leaves(self, "")]

    def named_parameters(self) -> list[tuple[str, Value]]:
        """List the parameters with the paths of attributes that lead to them.

        >>> [name for name, _ in Layer(1, 2).named_parameters()]
        ['neurons[0].w[0]', 'neurons[0].b', 'neurons[1].w[0]', 'neurons[1].b']
        """
        names = {p: name for name, p in reversed(list(_leaves(self, "")))}
        return [(names.get(p, f"parameters()[{i}]"), p) for i, p in enumerate(self.parameters())]

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
