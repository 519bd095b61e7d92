"""Optimisers: how a step along the gradients changes the parameters."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Callable, Iterable
from typing import Any, Union

from micrograd.engine import Value
from micrograd.native.blocks import block_of

# A number, or a schedule: a function of the number of steps taken so far (0 at the first).
LearningRate = Union[float, Callable[[int], float]]

FEW = 32  # parameters; for fewer, an array does not pay


class Optimizer:
    """Parameters, a learning rate and a count of steps; a subclass says what one step does.

    Raises TypeError for parameters that are not Values, ValueError for none or the same twice.
    """

    _known_block: Any = None

    def __init__(self, parameters: Iterable[Value], lr: LearningRate) -> None:
        self.parameters = list(parameters)
        self.lr = lr
        self.steps = 0
        if not self.parameters:
            raise ValueError(
                "there is nothing to optimise: give model.parameters(), not an empty list"
            )
        for p in self.parameters:
            if not isinstance(p, Value):
                raise TypeError(f"a parameter is a Value, got {p!r}; give model.parameters()")
        if len(set(self.parameters)) < len(self.parameters):
            raise ValueError("a parameter is given twice and would be moved twice; give each once")

    def zero_grad(self) -> None:
        """Set the grad of every parameter to 0, since `backward()` adds to what is there.

        >>> p = Value(1.0)
        >>> p.backward()
        >>> SGD([p], lr=0.1).zero_grad()
        >>> p.grad
        0.0
        """
        self._block().zero_grads()

    def step(self) -> None:
        """Move every parameter once, by the gradients that are in `grad` now.

        >>> p = Value(1.0)
        >>> p.grad = 2.0
        >>> SGD([p], lr=0.1).step()
        >>> p.data
        0.8
        """
        self._move(self.lr(self.steps) if callable(self.lr) else self.lr)
        self.steps += 1

    def _move(self, lr: float) -> None:
        raise TypeError(
            f"{type(self).__name__} does not say how it moves the parameters: _move(lr)"
        )

    def _block(self) -> Any:
        """The block of the parameters, found anew where the list was changed."""
        if self._known_block is None or not self._known_block.has(self.parameters):
            self._known_block = block_of(self.parameters)
        return self._known_block

    def __getstate__(self) -> dict[str, Any]:
        return {name: x for name, x in vars(self).items() if name != "_known_block"}

    def _move_all(self, move: Callable[..., None], *memories: array[float]) -> None:
        """Call `move(math, parameters, *memories)`; or, where NumPy is loaded, on one of arrays.

        What it does to one parameter, it does to arrays as well, number by number the same.
        """
        np: Any = sys.modules.get("numpy")  # to import it takes longer than many steps
        if np is not None and len(self.parameters) > FEW:
            block = self._block()
            block.pull_data()
            block.pull_grads()
            all_as_one = _Arrays(np.array(block.data), np.asarray(block.grad))
            arrays = [np.asarray(memory) for memory in memories]
            remembered = [[x] for x in arrays]
            try:
                with np.errstate(all="raise", under="ignore"):
                    move(np, [all_as_one], *remembered)
            except FloatingPointError:
                pass  # one by one, it is seen what it is
            else:
                for before, [now] in zip(arrays, remembered):
                    if now is not before:
                        before[:] = now
                np.asarray(block.data)[:] = all_as_one.data
                block.push_data()
                return
        move(math, self.parameters, *memories)


class SGD(Optimizer):
    """Gradient descent with momentum: v = momentum * v + grad, then data -= lr * v.

    `lr` is a number or a function of the number of steps taken. Raises ValueError for a momentum
    outside [0, 1). Source: Sutskever et al., On the importance of initialization and momentum in
    deep learning (2013), with the learning rate applied after the sum.

    >>> p = Value(1.0)
    >>> optimizer = SGD([p], lr=lambda step: 0.5 / (step + 1), momentum=0.9)
    >>> p.grad = 1.0
    >>> optimizer.step()
    >>> optimizer.step()
    >>> print(f"{p:.3f}")
    0.025
    """

    def __init__(
        self, parameters: Iterable[Value], lr: LearningRate, momentum: float = 0.0
    ) -> None:
        super().__init__(parameters, lr)
        _check("momentum", momentum)
        self.momentum = momentum
        self.velocity = _zeros(len(self.parameters))

    def _move(self, lr: float) -> None:
        momentum = self.momentum

        def move(_: Any, parameters: list[Any], velocity: Any) -> None:
            if not momentum:  # then the velocity is the gradient
                for p in parameters:
                    p.data -= lr * p.grad
                return
            for i, p in enumerate(parameters):
                velocity[i] = v = momentum * velocity[i] + p.grad
                p.data -= lr * v

        self._move_all(move, self.velocity)


class AdamW(Optimizer):
    """Adam with decoupled weight decay; with `weight_decay=0` it is Adam.

    Running means of the gradient and of its square, m and v, are divided by their weights so far;
    then data -= lr * (m / (sqrt(v) + eps) + weight_decay * data). Raises ValueError for betas
    outside [0, 1). Sources: Kingma and Ba, Adam (2015), algorithm 1; Loshchilov and Hutter,
    Decoupled weight decay regularization (2019), algorithm 2.

    >>> p = Value(1.0)
    >>> optimizer = AdamW([p], lr=0.1, weight_decay=0.0)
    >>> p.grad = 3.0
    >>> optimizer.step()
    >>> print(f"{p:.6f}")
    0.900000
    """

    def __init__(
        self,
        parameters: Iterable[Value],
        lr: LearningRate = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, lr)
        self.beta1, self.beta2 = betas
        _check("betas[0]", self.beta1)
        _check("betas[1]", self.beta2)
        self.eps = eps
        self.weight_decay = weight_decay
        self.means = _zeros(len(self.parameters))
        self.squares = _zeros(len(self.parameters))

    def _move(self, lr: float) -> None:
        beta1, beta2, eps, decay = self.beta1, self.beta2, self.eps, self.weight_decay
        weight1, weight2 = 1 - beta1 ** (self.steps + 1), 1 - beta2 ** (self.steps + 1)
        new1, new2 = 1 - beta1, 1 - beta2

        def move(numbers: Any, parameters: list[Any], means: Any, squares: Any) -> None:
            sqrt = numbers.sqrt
            for i, p in enumerate(parameters):
                grad, data = p.grad, p.data
                means[i] = mean = beta1 * means[i] + new1 * grad
                squares[i] = square = beta2 * squares[i] + new2 * grad * grad
                slope = mean / weight1 / (sqrt(square / weight2) + eps)
                p.data = data - lr * (slope + decay * data)

        self._move_all(move, self.means, self.squares)


class _Arrays:
    """All parameters as one: arrays of their data and grads."""

    def __init__(self, data: Any, grad: Any) -> None:
        self.data = data
        self.grad = grad


def _zeros(n: int) -> array[float]:
    return array("d", bytes(8 * n))


def _check(name: str, rate: float) -> None:
    if not 0 <= rate < 1:
        raise ValueError(f"{name} must be at least 0 and less than 1, got {rate!r}")
