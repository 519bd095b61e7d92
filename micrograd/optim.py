"""Optimisers: rules that move parameters along their gradients."""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Union

from micrograd.engine import Value
from micrograd.native.blocks import block_of
from micrograd.value.numbers import shortened, to_float
from micrograd.value.words.calls import called_as
from micrograd.value.words.elsewhere import IN_OPTIM, ON_OPTIMIZER, lacks, missing
from micrograd.value.words.tables import Table

if TYPE_CHECKING:
    from micrograd.nn import Module

# A number, or a schedule: a function of the number of steps taken so far (0 at the first).
LearningRate = Union[float, Callable[[int], float]]

FEW = 32  # up to so many parameters a loop beats arrays


class Optimizer:
    """Hold the parameters, the learning rate and the number of steps; subclasses define a step.

    `parameters` are Values, or a Module, whose parameters they are then. Raises TypeError for
    parameters that are not Values, ValueError for none or duplicates, and for a learning rate that
    is negative or not finite: at the step, if it is a schedule's.
    """

    # The attributes that remember a number per parameter, in the order of the parameters.
    _memories: tuple[str, ...] = ()
    _parameters: tuple[Value, ...] = ()
    _known_block: Any = None

    def __init__(self, parameters: Iterable[Value] | Module, lr: LearningRate) -> None:
        self.parameters = parameters
        self.lr: LearningRate = lr if callable(lr) else _number("lr", lr)
        self.steps: int = 0

    @property
    def parameters(self) -> tuple[Value, ...]:
        """The parameters that are moved. Assign others to drop some or to add to them.

        What is remembered of a parameter (its momentum, say) stays with it; new ones start at 0.
        """
        return self._parameters

    @parameters.setter
    def parameters(self, parameters: Iterable[Value] | Module) -> None:
        chosen = _chosen(parameters)
        if not chosen:
            raise ValueError(
                "there is nothing to optimise: give model.parameters(), not an empty list"
            )
        for p in chosen:
            if not isinstance(p, Value):
                raise TypeError(
                    f"a parameter is a Value, got {shortened(p)}; give model.parameters()"
                )
        position = {id(p): i for i, p in enumerate(chosen)}
        if len(position) < len(chosen):
            raise ValueError("a parameter is given twice and would be moved twice; give each once")
        for name in self._memories:
            before, now = vars(self).get(name, ()), array("d", bytes(8 * len(chosen)))
            for p, number in zip(self._parameters, before):
                if id(p) in position:
                    now[position[id(p)]] = number
            setattr(self, name, now)
        self._parameters = chosen
        self._known_block = None

    def add(self, parameters: Iterable[Value] | Module) -> None:
        """Move these parameters too from now on. Raises as the constructor does.

        >>> p, q = Value(1.0), Value(2.0)
        >>> optimizer = SGD([p], lr=0.1)
        >>> optimizer.add([q])
        >>> optimizer.parameters == (p, q)
        True
        """
        self.parameters = (*self.parameters, *_chosen(parameters))

    def zero_grad(self) -> None:
        """Set the grad of every parameter to 0, because `backward()` accumulates.

        >>> p = Value(1.0)
        >>> p.backward()
        >>> SGD([p], lr=0.1).zero_grad()
        >>> p.grad
        0.0
        """
        self._block().zero_grads()

    @called_as("loss.backward(), then optimizer.step()")
    def step(self) -> None:
        """Move every parameter once, by the gradient in its `grad`.

        >>> p = Value(1.0)
        >>> p.grad = 2.0
        >>> SGD([p], lr=0.1).step()
        >>> p.data
        0.8
        """
        self._move(_number("lr", self.lr(self.steps) if callable(self.lr) else self.lr))
        self.steps += 1

    def _move(self, lr: float) -> None:
        raise TypeError(
            f"{type(self).__name__} does not say how it moves the parameters: _move(lr)"
        )

    def _block(self) -> Any:
        """Return the block of the parameters, which gives their numbers as arrays."""
        if self._known_block is None or not self._known_block.has(self.parameters):
            self._known_block = block_of(list(self.parameters))
        return self._known_block

    def _settings(self) -> dict[str, Any]:
        """Return what the constructor was given beside parameters, and the number of steps."""
        hidden = {"_parameters", "_known_block", *self._memories}
        return {name: x for name, x in vars(self).items() if name not in hidden}

    def __repr__(self) -> str:
        settings = "".join(f", {name}={x!r}" for name, x in self._settings().items())
        return f"{type(self).__name__}({len(self.parameters)} parameters{settings})"

    def _repr_html_(self) -> str:
        rows: list[list[Any]] = [[name, str(x)] for name, x in self._settings().items()]
        rows += [
            [f"norm of {name}", f"{math.hypot(*vars(self).get(name, ())):.6g}"]
            for name in self._memories
        ]
        title = f"{type(self).__name__} of {len(self.parameters)} parameters"
        return Table(title, ["setting", "value"], rows).html()

    def __dir__(self) -> list[str]:
        return [
            name for name in super().__dir__() if name not in ON_OPTIMIZER or hasattr(self, name)
        ]

    def __getstate__(self) -> dict[str, Any]:
        return {name: x for name, x in vars(self).items() if name != "_known_block"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        if "parameters" in state:  # pickled when they were a list
            state["_parameters"] = tuple(state.pop("parameters"))
        vars(self).update(state)

    def _move_all(self, move: Callable[..., None], in_c: str, *settings: float) -> None:
        """Call `move(math, parameters, *memories)`, or do the same to all at once where it is many.

        On the C core a method of their block does, `in_c`, from the `settings`. Else, if NumPy is
        loaded, `move` does to arrays, number by number, what it does to a parameter. Where it
        raises, nothing has moved.
        """
        memories = [getattr(self, name) for name in self._memories]
        block = self._block() if len(self.parameters) > FEW else None
        if hasattr(block, in_c) and getattr(block, in_c)(*settings, *memories):
            return
        np: Any = sys.modules.get("numpy")  # importing it takes longer than many steps
        if np is not None and block is not None:
            block.pull_data()
            block.pull_grads()
            all_as_one = _Arrays(np.array(block.data), np.asarray(block.grad))
            arrays = [np.asarray(memory) for memory in memories]
            remembered = [[x] for x in arrays]
            try:
                with np.errstate(all="raise", under="ignore"):
                    move(np, [all_as_one], *remembered)
            except FloatingPointError:
                pass  # the loop below raises the error of that parameter
            else:
                for before, [now] in zip(arrays, remembered):
                    if now is not before:
                        before[:] = now
                np.asarray(block.data)[:] = all_as_one.data
                block.push_data()
                return
        data, numbers = [p.data for p in self.parameters], [memory[:] for memory in memories]
        try:
            move(math, self.parameters, *memories)
        except BaseException:
            for p, number in zip(self.parameters, data):
                p.data = number
            for memory, before in zip(memories, numbers):
                memory[:] = before
            raise


lacks(Optimizer, ON_OPTIMIZER)


class SGD(Optimizer):
    """Step by gradient descent with momentum: v = momentum * v + grad, then data -= lr * v.

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

    _memories = ("velocity",)
    velocity: array[float]

    @called_as("SGD(model.parameters(), lr=0.1), and momentum=0.9 if you like")
    def __init__(
        self, parameters: Iterable[Value] | Module, lr: LearningRate, momentum: float = 0.0
    ) -> None:
        super().__init__(parameters, lr)
        self.momentum: float = _rate("momentum", momentum)

    def _move(self, lr: float) -> None:
        momentum = self.momentum

        def move(_: Any, parameters: Any, velocity: Any) -> None:
            if not momentum:  # then the velocity is the gradient
                for p in parameters:
                    p.data -= lr * p.grad
                return
            for i, p in enumerate(parameters):
                velocity[i] = v = momentum * velocity[i] + p.grad
                p.data -= lr * v

        self._move_all(move, "descend", lr, momentum)


class AdamW(Optimizer):
    """Step by Adam with decoupled weight decay; with `weight_decay=0` it is Adam.

    Keep running means m of the gradient and v of its square, corrected for their start at 0;
    then data -= lr * (m / (sqrt(v) + eps) + weight_decay * data). Raises ValueError for betas
    outside [0, 1) and for an eps that is not positive. Sources: Kingma and
    Ba, Adam (2015), algorithm 1; Loshchilov and Hutter, Decoupled weight decay regularization
    (2019), algorithm 2.

    >>> p = Value(1.0)
    >>> optimizer = AdamW([p], lr=0.1, weight_decay=0.0)
    >>> p.grad = 3.0
    >>> optimizer.step()
    >>> print(f"{p:.6f}")
    0.900000
    """

    beta1: float
    beta2: float

    _memories = ("means", "squares")
    means: array[float]
    squares: array[float]

    @called_as("AdamW(model.parameters(), lr=0.001)")
    def __init__(
        self,
        parameters: Iterable[Value] | Module,
        lr: LearningRate = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, lr)
        if not hasattr(betas, "__len__") or len(betas) != 2:
            raise TypeError(f"betas are two numbers, got {betas!r}")
        self.beta1, self.beta2 = _rate("betas[0]", betas[0]), _rate("betas[1]", betas[1])
        self.eps: float = _number("eps", eps)
        if self.eps == 0:
            raise ValueError("eps must be more than 0: a gradient of 0 would be divided by it")
        self.weight_decay: float = _number("weight_decay", weight_decay)

    def _move(self, lr: float) -> None:
        beta1, beta2, eps, decay = self.beta1, self.beta2, self.eps, self.weight_decay
        weight1, weight2 = 1 - beta1 ** (self.steps + 1), 1 - beta2 ** (self.steps + 1)
        new1, new2 = 1 - beta1, 1 - beta2

        def move(numbers: Any, parameters: Any, means: Any, squares: Any) -> None:
            sqrt = numbers.sqrt
            for i, p in enumerate(parameters):
                grad, data = p.grad, p.data
                means[i] = mean = beta1 * means[i] + new1 * grad
                squares[i] = square = beta2 * squares[i] + new2 * grad * grad
                slope = mean / weight1 / (sqrt(square / weight2) + eps)
                p.data = data - lr * (slope + decay * data)

        settings = (lr, beta1, beta2, new1, new2, weight1, weight2, eps, decay)
        self._move_all(move, "adapt", *settings)


def _chosen(parameters: Iterable[Value] | Module) -> tuple[Value, ...]:
    """Return the Values of a list, or the parameters of a module."""
    given: Any = parameters
    if hasattr(given, "parameters"):
        given = given.parameters()
    if isinstance(given, Value):
        raise TypeError("an optimiser takes a list of Values: write [p], or model.parameters()")
    if not isinstance(given, Iterable):
        found = shortened(given)
        if callable(given):
            found = f"the method {getattr(given, '__name__', found)} itself, not what it returns"
        raise TypeError(
            f"an optimiser takes a list of Values, got {found}: write model.parameters()"
        )
    return tuple(given)


class _Arrays:
    """Stand for all parameters at once, with arrays as data and grad."""

    def __init__(self, data: Any, grad: Any) -> None:
        self.data = data
        self.grad = grad


def _number(name: str, number: Any) -> float:
    """Return a finite number, at least 0; raise TypeError or ValueError, naming it, for others."""
    x = to_float(number, name)
    if not 0 <= x < math.inf:
        raise ValueError(f"{name} must be at least 0 and finite, got {number!r}")
    return x


def _rate(name: str, number: Any) -> float:
    x = to_float(number, name)
    if not 0 <= x < 1:
        raise ValueError(f"{name} must be at least 0 and less than 1, got {number!r}")
    return x


def __getattr__(name: str) -> Any:
    raise missing(__name__, name, IN_OPTIM)
