"""What other libraries call what is here: each of their names, with the line to write instead."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


def _each(names: str, advice: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), advice)


_NUMBER = "write v.data for the bare number"
_SUM = "write sum(values), or sum(values) / len(values) for their mean"
_ONE = "a Value is one number; a list of Values has a length, len(values)"
_NO_SHAPE = "a Value is one number without a shape: write v itself"
_PLAIN = "its number is a Python float, on the CPU: write v itself, or v.data for the bare number"
_DOT = "write micrograd.dot(weights, inputs), for two lists"
_LARGEST = "write max(range(len(values)), key=lambda i: values[i].data)"
_BACKWARD = "write v.backward(), which leaves the derivatives in the grads"
_DRAW = "write micrograd.draw.graph(v), or micrograd.draw.stepper(v)"
_SOFTMAX = (
    "write exps = [micrograd.exp(z) for z in logits], then [e / sum(exps) for e in exps]; a loss "
    "of the logits is losses.cross_entropy(logits, label)"
)

# What is missing of a Value and of the package: the line to write, where {x} is the operand.
_OPERATIONS = {
    "ln": "{log}",
    **_each("silu swish", "{x} * {sigmoid}"),
    "gelu": "{x} * {ndtr}",
    **_each("leaky_relu leakyrelu", "{m}.maximum({x}, 0.01 * {x})"),
    "elu": "{m}.maximum({x}, 0.0) + {m}.minimum({x}, 0.0).expm1()",
    **_each("logsigmoid log_sigmoid", "-{m}.softplus(-{x})"),
    **_each("clip clamp", "{m}.minimum({m}.maximum({x}, 0.0), 1.0)"),
    **_each("square pow", "{x} ** 2"),
    "rsqrt": "1 / {sqrt}",
    "reciprocal": "1 / {x}",
}


def _operations(x: str, form: str) -> dict[str, str]:
    """Return how operations are written that have no name here, of an operand called `x`."""
    called = {name: form.format(name) for name in ("log", "sigmoid", "ndtr", "sqrt")}
    lines = {n: f"write {t.format(x=x, m='micrograd', **called)}" for n, t in _OPERATIONS.items()}
    for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh"):
        lines[f"a{name}"] = f"write {form.format(f'arc{name}')}"
    return lines


ON_VALUE = {
    "__len__": "it is one number; a list of Values has a length, len(values)",
    **_operations("v", "v.{}()"),
    **_each("item numpy tolist value val", _NUMBER),
    "detach": "write v.data for the bare number, or v.stop_gradient() for a Value without gradient",
    **_each("clone copy", "write Value(v.data) for a new leaf, or copy.copy(v)"),
    "zero_grad": "write v.grad = 0, or model.zero_grad() for all parameters",
    **_each("zero_ fill_ copy_", "write v.data = 0.0"),
    **_each("add_ sub_ mul_ div_", "write v.data += 1.0, which records nothing"),
    **_each(
        "requires_grad requires_grad_",
        "every leaf has a gradient; with micrograd.no_grad(): records nothing",
    ),
    **_each("retain_grad retains_grad", "every Value keeps its grad after v.backward()"),
    "is_leaf": "write not v.parents",
    "grad_fn": "write v.op for the operation, v.parents for its operands",
    **_each("children prev parent inputs", "write v.parents for the operands it was made of"),
    **_each("gradient derivative", "write v.grad"),
    **_each("backwards backprop backpropagate", _BACKWARD),
    "name": "write v.label",
    **_each("draw show plot visualize", _DRAW),
    **_each("sum mean", _SUM),
    "norm": "write micrograd.sqrt(sum(x * x for x in values))",
    **_each("std var", "write m = sum(values) / n, then sum((x - m) ** 2 for x in values) / n"),
    **_each("max min", "write micrograd.maximum(v, w) or micrograd.minimum(v, w)"),
    **_each("argmax argmin", _LARGEST),
    **_each("dot matmul mm inner", _DOT),
    **_each("softmax log_softmax", _SOFTMAX),
    **_each("shape ndim size", _ONE),
    **_each("T t view reshape squeeze unsqueeze flatten ravel transpose permute expand", _NO_SHAPE),
    **_each("cpu cuda to device dtype type astype float double half int long", _PLAIN),
    **{
        name: f"write v {sign} w"
        for name, sign in {"add": "+", "sub": "-", "mul": "*", "div": "/"}.items()
    },
    "neg": "write -v",
    "atan2": "write v.arctan2(w)",
    **{name: f"write v.{name.lower()}()" for name in ("ReLU", "Tanh", "Sigmoid")},
}

# The names below are looked up in small letters, without underscores and without "loss" at the end.

_LOSSES = {
    **_each("mse meansquarederror l2", "squared_error(output, target)"),
    **_each(
        "bce bcewithlogits binarycrossentropy binarycrossentropywithlogits logistic log",
        "binary_cross_entropy(logit, label), which takes the score before sigmoid",
    ),
    **_each(
        "crossentropy nll softmaxcrossentropy softmax logsoftmax",
        "cross_entropy(logits, label), which takes the scores before softmax",
    ),
    **_each("l1 mae absolute", "abs(output - target)"),
    **_each("hinge maxmargin margin svm", "hinge(score, label)"),
    **_each("huber smoothl1", "where(abs(e) < 1, e * e / 2, abs(e) - 0.5) of e = output - target"),
    **_each("kl kldiv", "cross_entropy(logits, probabilities), which differs by a constant"),
}

IN_LOSSES = {name: f"write {line}" for name, line in _LOSSES.items()}

_HOMES = {
    "nn": ("Module", "Neuron", "Layer", "MLP"),
    "optim": ("SGD", "AdamW"),
    "losses": ("hinge", "squared_error", "binary_cross_entropy", "cross_entropy"),
}
_MANY = "a list of Values stands for an array: [Value(0.0) for _ in range(n)]"
_RANDOM = "write [Value(random.uniform(-1, 1)) for _ in range(n)], with Python's random"

IN_MICROGRAD = {
    **{name.replace("_", ""): line for name, line in _operations("x", "micrograd.{}(x)").items()},
    **{
        name: f"write micrograd.losses.{line}"
        for name, line in _LOSSES.items()
        if line.partition("(")[0] in _HOMES["losses"] and name != "log"
    },
    "softmax": _SOFTMAX,
    "logsoftmax": "write z - micrograd.logsumexp(*logits) for each z of the logits",
    **_each("tensor parameter variable node scalar", "write micrograd.Value(3.0)"),
    **_each("array zeros ones full eye asarray stack cat concatenate", _MANY),
    **_each("rand randn random normal uniform", _RANDOM),
    **_each("seed manualseed", "weights are drawn by Python's random: write random.seed(1)"),
    **_each("arange linspace", "write Python's range, or NumPy's arange and linspace"),
    **_each("sum mean", _SUM),
    "prod": "write math.prod(values)",
    "norm": "write micrograd.sqrt(sum(x * x for x in values))",
    **_each("argmax argmin", _LARGEST),
    **_each("matmul mm inner einsum", _DOT),
    "pow": "write v ** 2, or micrograd.power(x, y)",
    "atan2": "write micrograd.arctan2(y, x)",
    **_each("pi e inf nan", "write math.pi, math.e, math.inf or math.nan, of Python's math"),
    **_each("float32 float64 dtype device cuda", "every number is a Python float, on the CPU"),
    **_each(
        "backward gradient gradients autograd",
        "write v.backward(), or micrograd.grad(f)(x) for a function of numbers",
    ),
    **_each("jit compile vmap trace vectorize", "write micrograd.program(f), called on all rows"),
    **_each("setgradenabled inferencemode nograds", "write with micrograd.no_grad():"),
    **_each("gradcheck checkgrad numericalgradient", "write micrograd.check_grads(f, x)"),
    "stepper": "write micrograd.draw.stepper(v)",
    **_each("graph drawgraph plot show visualize", "write micrograd.draw.graph(v)"),
    "adam": "write micrograd.optim.AdamW(parameters, lr, weight_decay=0), which is Adam",
    **_each("functional f", "operations are in micrograd itself: write micrograd.relu(x)"),
    **{
        name.lower().replace("_", ""): f"write micrograd.{home}.{name}"
        for home, names in _HOMES.items()
        for name in names
    },
}

IN_NN = {
    **_each("linear dense", "write Layer(nin, nout, nonlin=False)"),
    **{
        name: f'the activation belongs to the layer: Layer(nin, nout, activation="{name}")'
        for name in ("relu", "tanh", "sigmoid")
    },
    **_each(
        "leakyrelu gelu elu silu swish",
        "an activation is a function of a Value: Layer(nin, nout, activation=lambda v: ...)",
    ),
    "sequential": "write MLP(nin, [16, 16, 1]), or a Module of your own",
    **_each("modulelist moduledict parameterlist", "write a list: a Module finds what is in it"),
    "parameter": "write Value(0.5): a Module finds the Values in its attributes",
    **_each("softmax logsoftmax", _SOFTMAX),
    **_each(
        "mse bce crossentropy nll l1 bcewithlogits", "losses are functions in micrograd.losses"
    ),
    "functional": "operations are in micrograd itself: write micrograd.relu(x)",
    "init": "set the data: for p in model.parameters(): p.data = random.gauss(0, 1)",
    **_each(
        "conv1d conv2d dropout embedding rnn lstm gru batchnorm1d layernorm transformer "
        "multiheadattention",
        "write a Module of your own, with __init__ and __call__",
    ),
}

IN_OPTIM = {
    "adam": "write AdamW(parameters, lr, weight_decay=0), which is Adam",
    **_each("rmsprop adagrad adadelta adamax nadam radam lbfgs", "there are SGD and AdamW"),
    "momentum": "write SGD(parameters, lr, momentum=0.9)",
    **_each(
        "lrscheduler steplr exponentiallr lambdalr cosineannealinglr reducelronplateau",
        "lr may be a function of the steps: SGD(parameters, lr=lambda step: 0.1 / (1 + step))",
    ),
}

_MODE = "a model has no modes: use it as it is; with micrograd.no_grad(): records nothing"
_SIZE = "write len(model.parameters())"

ON_MODULE = {
    "__call__": "write its method forward as def __call__(self, x): ...",
    **_each("forward predict", "call the model itself: model([1.0, 2.0])"),
    **_each("train eval requires_grad_ freeze", _MODE),
    **_each("to cpu cuda float double half", "its numbers are Python floats: use it as it is"),
    "backward": "call it on the loss: loss.backward()",
    **_each("grad gradient", "write [p.grad for p in model.parameters()]"),
    **_each("step optimizer", "write optim.SGD(model, lr=0.1), then step() of that"),
    **_each("fit compile", "write the loop: loss, model.zero_grad(), loss.backward(), step"),
    **_each("weight weights", "write neuron.w, layer.neurons[0].w or model.parameters()"),
    "bias": "write neuron.b, layer.neurons[0].b or model.parameters()",
    **_each("children modules", "write model.named_modules()"),
    **_each("num_parameters count_params numel", _SIZE),
    "summary": "a notebook shows a model as a table; write print(model) elsewhere",
    "apply": "write for p in model.parameters(): ...",
    **_each(
        "register_parameter add_module register_module", "set an attribute: self.w = Value(0.5)"
    ),
    "save": 'write micrograd.save(model, "model.safetensors")',
}

ON_OPTIMIZER = {
    **_each("zero_grads clear_grads", "write optimizer.zero_grad()"),
    "minimize": "write loss.backward(), then optimizer.step()",
    **_each("state_dict load_state_dict", "write micrograd.save and micrograd.load"),
    **_each(
        "param_groups add_param_group",
        "make one optimiser per group; optimizer.add(parameters) adds to this one",
    ),
}


def missing(module: str, name: str, known: Mapping[str, str] | None = None) -> AttributeError:
    """Return the error for a name that a module lacks, with advice where the name is `known`.

    >>> missing("micrograd.optim", "Adam", IN_OPTIM)
    AttributeError('micrograd.optim has no Adam: write AdamW(parameters, lr, weight_decay=0), \
which is Adam')
    """
    plain = name.lower().replace("_", "")
    advice = (known or {}).get(plain.removesuffix("loss"))
    if advice is None:  # Python itself may suggest a name that is alike
        text = f"module {module!r} has no attribute {name!r}"
        return AttributeError(text, name=name, obj=sys.modules.get(module))
    return AttributeError(f"{module} has no {name}: {advice}")


class MissingError(AttributeError, TypeError):
    """The error of len(v) and v(), which Python asks a class for: an attribute and no attribute."""


class Missing:
    """An attribute that objects of a class do not have; whoever asks for it is told what to write.

    Setting it on an object, or defining it in a subclass, makes it one that they have.
    """

    def __init__(self, name: str, advice: str) -> None:
        self._name = name
        self._advice = advice

    def __get__(self, instance: Any, owner: type) -> Any:
        kind = owner.__name__
        spelled = kind[:2].isupper() and kind[0] in "FHLMNRSX"  # an MLP
        article = "an" if spelled or kind[0] in "AEIOU" else "a"
        special = self._name.startswith("__")
        error = MissingError if special else AttributeError
        name = self._name.strip("_") if special else self._name
        raise error(f"{article} {kind} has no {name}: {self._advice}")


def lacks(owner: type, names: Mapping[str, str]) -> None:
    """Give a class the attributes that it lacks, each with its advice."""
    for name, advice in names.items():
        setattr(owner, name, Missing(name, advice))
