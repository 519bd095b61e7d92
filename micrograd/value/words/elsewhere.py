"""What other libraries call what is here: each of their names, with the line to write instead."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

_NUMBER = "write v.data for the bare number"
_SUM = "write sum(values), or sum(values) / len(values) for their mean"
_ONE = "a Value is one number; a list of Values has a length, len(values)"

_ANGLES = ("sin", "cos", "tan", "sinh", "cosh", "tanh")

ON_VALUE = {
    **dict.fromkeys(("item", "numpy", "tolist", "value"), _NUMBER),
    "detach": "write v.data for the bare number, or v.stop_gradient() for a Value without gradient",
    "zero_grad": "write v.grad = 0, or model.zero_grad() for all parameters",
    "requires_grad": "every leaf has a gradient; with micrograd.no_grad(): records nothing",
    "gradient": "write v.grad",
    **dict.fromkeys(("sum", "mean"), _SUM),
    **dict.fromkeys(("shape", "ndim", "size"), _ONE),
    "pow": "write v ** 2",
    "square": "write v ** 2",
    **{
        f"a{name}": f"write v.arc{name}()" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")
    },
}

IN_MICROGRAD = {
    **dict.fromkeys(("tensor", "parameter", "variable"), "write micrograd.Value(3.0)"),
    **dict.fromkeys(("sum", "mean"), _SUM),
    "pow": "write v ** 2, or micrograd.power(x, y)",
    **{f"a{name}": f"write micrograd.arc{name}(x)" for name in _ANGLES},
    "atan2": "write micrograd.arctan2(y, x)",
    "stepper": "write micrograd.draw.stepper(v)",
    "graph": "write micrograd.draw.graph(v)",
    **{
        name.lower(): f"write micrograd.{home}.{name}"
        for home, names in {
            "nn": ("Module", "Neuron", "Layer", "MLP"),
            "optim": ("SGD", "AdamW"),
            "losses": ("hinge", "squared_error", "binary_cross_entropy", "cross_entropy"),
        }.items()
        for name in names
    },
}

_BINARY = "write binary_cross_entropy(logit, label), which takes the score before sigmoid"
_CLASSES = "write cross_entropy(logits, label), which takes the scores before softmax"

IN_LOSSES = {
    **dict.fromkeys(("mse", "meansquarederror", "l2"), "write squared_error(output, target)"),
    **dict.fromkeys(("bce", "bcewithlogits", "binarycrossentropy", "logistic", "log"), _BINARY),
    **dict.fromkeys(("crossentropy", "nll", "softmax", "softmaxcrossentropy"), _CLASSES),
    **dict.fromkeys(("l1", "mae", "absolute"), "write abs(output - target)"),
    **dict.fromkeys(("hinge", "maxmargin", "margin", "svm"), "write hinge(score, label)"),
}

IN_NN = {
    **dict.fromkeys(("linear", "dense"), "write Layer(nin, nout, nonlin=False)"),
    **{
        name: f'the activation belongs to the layer: Layer(nin, nout, activation="{name}")'
        for name in ("relu", "tanh", "sigmoid")
    },
    "sequential": "write MLP(nin, [16, 16, 1]), or a Module of your own",
    "parameter": "write Value(0.5): a Module finds the Values in its attributes",
    "softmax": "losses.cross_entropy(logits, label) takes the scores before softmax",
    **dict.fromkeys(("mse", "bce", "crossentropy"), "losses are functions in micrograd.losses"),
}

IN_OPTIM = {
    "adam": "write AdamW(parameters, lr, weight_decay=0), which is Adam",
    **dict.fromkeys(("rmsprop", "adagrad", "lbfgs"), "there are SGD and AdamW"),
    "momentum": "write SGD(parameters, lr, momentum=0.9)",
}


def missing(module: str, name: str, known: Mapping[str, str] | None = None) -> AttributeError:
    """Return the error for a name that a module lacks, with advice where the name is `known`.

    >>> missing("micrograd.optim", "Adam", IN_OPTIM)
    AttributeError('micrograd.optim has no Adam: write AdamW(parameters, lr, weight_decay=0), \
which is Adam')
    """
    plain = name.lower().replace("_", "").removesuffix("loss")
    advice = (known or {}).get(plain)
    if advice is None:  # Python itself may suggest a name that is alike
        text = f"module {module!r} has no attribute {name!r}"
        return AttributeError(text, name=name, obj=sys.modules.get(module))
    return AttributeError(f"{module} has no {name}: {advice}")


class Missing:
    """An attribute that objects of a class do not have; whoever asks for it is told what to write.

    Setting it on an object, or defining it in a subclass, makes it one that they have.
    """

    def __init__(self, name: str, advice: str) -> None:
        self._name = name
        self._advice = advice

    def __get__(self, instance: Any, owner: type) -> Any:
        raise AttributeError(f"a {owner.__name__} has no {self._name}: {self._advice}")
