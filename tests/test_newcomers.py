"""What people who come from PyTorch, NumPy or the original write: told alike on both cores."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
from both_cores import CORES

import micrograd
from micrograd import Value, losses, nn, optim
from micrograd.value.words import elsewhere

# A line, and what its message must say.
LINES = {
    "v.backward(retain_graph=True)": "write v.backward()",
    "v.backward(2.0)": "(2.0 * v).backward()",
    "v.backward(create_graph=True)": "write v.backward()",
    "v.backwards()": "write v.backward()",
    "v.cpu()": "write v itself",
    "v.to('cuda')": "write v itself",
    "v.T": "write v itself",
    "v.view(1, -1)": "write v itself",
    "len(v)": "len(values)",
    "v.clone()": "Value(v.data) for a new leaf",
    "v.matmul(w)": "micrograd.dot(weights, inputs)",
    "v @ w": "write v * w",
    "[1.0] @ v": "micrograd.dot(weights, inputs)",
    "v.leaky_relu()": "micrograd.maximum(v, 0.01 * v)",
    "v.gelu()": "v * v.ndtr()",
    "v.ln()": "v.log()",
    "v.ReLU()": "v.relu()",
    "v.softmax()": "[e / sum(exps) for e in exps]",
    "v.max()": "micrograd.maximum(v, w)",
    "v.clamp(0, 1)": "micrograd.minimum(micrograd.maximum(v, 0.0), 1.0)",
    "v.add_(1)": "v.data += 1.0",
    "v.zero_()": "v.data = 0.0",
    "v.is_leaf": "not v.parents",
    "v.grad_fn": "v.op",
    "v.children": "v.parents",
    "v.name": "v.label",
    "v.draw()": "micrograd.draw.graph(v)",
    "complex(v)": "complex(v.data)",
    "f'{v:d}'": 'f"{v.data:.0f}"',
    "format(v, 'abc')": 'f"{v:.2f}"',
    "v < 'a'": "'Value' and 'str'",
    "v >= None": "'Value' and 'NoneType'",
    "mg.exp(None)": "exp takes numbers, Values or arrays, got (NoneType)",
    "mg.exp({1.0})": "got (set)",
    "mg.maximum(v, None)": "got (Value, NoneType)",
    "mg.softmax": "[e / sum(exps) for e in exps]",
    "mg.log_softmax": "micrograd.logsumexp(*logits)",
    "mg.Adam": "micrograd.optim.AdamW",
    "mg.mse_loss": "micrograd.losses.squared_error(output, target)",
    "mg.BCELoss": "micrograd.losses.binary_cross_entropy(logit, label)",
    "mg.zeros": "[Value(0.0) for _ in range(n)]",
    "mg.randn": "random.uniform(-1, 1)",
    "mg.manual_seed": "random.seed(1)",
    "mg.jit": "micrograd.program(f)",
    "mg.vmap": "micrograd.program(f)",
    "mg.matmul": "micrograd.dot(weights, inputs)",
    "mg.ln": "micrograd.log(x)",
    "mg.leaky_relu": "micrograd.maximum(x, 0.01 * x)",
    "mg.inference_mode": "micrograd.no_grad()",
    "mg.gradcheck": "micrograd.check_grads(f, x)",
    "mg.pi": "math.pi",
    "mg.nn.functional": "micrograd.relu(x)",
    "mg.nn.Conv2d": "a Module of your own",
    "mg.nn.ModuleList": "write a list",
    "mg.nn.MLP([2, 3, 1])": "write MLP(2, [3, 1])",
    "mg.nn.MLP(2)": "write MLP(2, [3, 1])",
    "mg.nn.MLP(2, [])": "write MLP(2, [3, 1])",
    "mg.nn.MLP(2, [3], nonlin='relu')": "write MLP(2, [3, 1])",
    "mg.nn.Layer(2, 0)": "at least 1, got 0",
    "mg.nn.Layer(2, 3, 'relu')": "write Layer(2, 3)",
    "mg.nn.Neuron(-1)": "at least 0, got -1",
    "model(None)": "write model([1.0, 2.0])",
    "model()": "write model([1.0, 2.0])",
    "model(1.0, 2.0)": "write model([1.0, 2.0])",
    "model({'a': 1.0, 'b': 2.0})": "write model([1.0, 2.0])",
    "model({1.0, 2.0})": "write model([1.0, 2.0])",
    "model('ab')": "write model([1.0, 2.0])",
    "model([1.0, 'a'])": "'a' is one of its inputs",
    "model([None, 1.0])": "None is one of its inputs",
    "mg.nn.Neuron(2)([None, None])": "None is one of its inputs",
    "model.forward([1.0, 2.0])": "model([1.0, 2.0])",
    "model.train()": "a model has no modes",
    "model.backward()": "loss.backward()",
    "model.weight": "model.parameters()",
    "mg.nn.Module()([1.0])": "def __call__(self, x)",
    "model.load_state_dict([1.0])": "model.state_dict()",
    "model.load_state_dict({})": "'layers[0].neurons[0].w[0]'] and 11 more, unknown none",
}


def told(line: str, mg: Any) -> str:
    """Return the error of a line, and what it says."""
    names = {"mg": mg, "v": mg.Value(2.0, label="v"), "w": mg.Value(3.0)}
    try:
        eval(line, names | {"model": mg.nn.MLP(2, [3, 1])})
    except Exception as error:
        kind = next(k for k in type(error).__mro__ if k.__module__ == "builtins")
        return f"{kind.__name__}: {error}"
    return "no error"


@pytest.mark.parametrize("line", LINES)
def test_a_line_from_elsewhere_is_told_what_to_write(line: str) -> None:
    messages = {told(line, mg) for mg in CORES.values()}
    assert len(messages) == 1
    [message] = messages
    assert LINES[line] in message
    assert len(message) <= 2 * 110


def test_advice_is_short_and_says_how_it_goes_on() -> None:
    tables = [table for name, table in vars(elsewhere).items() if name.startswith(("ON_", "IN_"))]
    for table in tables:
        assert table
        for name, advice in table.items():
            assert 8 <= len(advice) <= 170, name


def test_what_is_advised_for_operations_is_what_they_are() -> None:
    """Each line gives the value of the operation that it stands for."""
    wanted: dict[str, Any] = {
        "ln": math.log, "silu": lambda x: x / (1 + math.exp(-x)), "clip": lambda x: min(x, 1.0),
        "gelu": lambda x: x * (1 + math.erf(x / math.sqrt(2))) / 2, "rsqrt": lambda x: x**-0.5,
        "leaky_relu": lambda x: x, "elu": lambda x: x, "log_sigmoid": lambda x: -math.log1p(
            math.exp(-x)), "square": lambda x: x * x, "reciprocal": lambda x: 1 / x,
    }  # fmt: skip
    for name, function in wanted.items():
        for x in (0.5, 2.0):
            line = elsewhere.ON_VALUE[name].removeprefix("write ")
            given = eval(line, {"micrograd": micrograd, "v": Value(x)})
            assert given.data == pytest.approx(function(x)), line
    minus = {"micrograd": micrograd, "v": Value(-2.0)}
    assert eval(elsewhere.ON_VALUE["elu"][6:], minus).data == pytest.approx(math.expm1(-2.0))
    assert eval(elsewhere.ON_VALUE["leaky_relu"][6:], minus).data == -0.02


def test_an_optimiser_says_what_it_takes() -> None:
    model: Any = nn.MLP(2, [3, 1])
    optimizer: Any = optim.SGD(model, lr=0.1)
    calls = [
        (partial(optim.SGD, model.parameters, lr=0.1), "the method parameters itself"),
        (partial(optim.SGD, model), "write SGD(model.parameters(), lr=0.1)"),
        (partial(optim.SGD, model, lr=0.1, nesterov=True), "'nesterov'; write SGD("),  # type: ignore[call-arg]
        (partial(optim.SGD, None, lr=0.1), "got None: write model.parameters()"),  # type: ignore[arg-type]
        (partial(optim.SGD, model.named_parameters(), lr=0.1), "give model.parameters()"),
        (partial(optimizer.step, model), "then optimizer.step()"),
        (lambda: optimizer.state_dict(), "micrograd.save"),
        (lambda: optim.lr_scheduler, "lr=lambda step"),
    ]
    for call, advice in calls:
        with pytest.raises((TypeError, AttributeError)) as caught:
            call()  # type: ignore[operator]
        assert advice in str(caught.value)
        assert len(str(caught.value)) <= 200


def test_losses_take_one_example() -> None:
    v: Any = Value(0.5)
    loss: Any
    for loss in (losses.squared_error, losses.hinge, losses.binary_cross_entropy):
        with pytest.raises(TypeError, match=r"takes one output and one label.*zip"):
            loss([v], [1.0])
        with pytest.raises(TypeError, match="takes one output and one label"):
            loss(v, [1.0])
    with pytest.raises(TypeError, match="write binary_cross_entropy"):
        losses.cross_entropy(v, 0)


def test_what_was_not_initialised_has_a_text() -> None:
    for mg in CORES.values():
        made = mg.Value.__new__(mg.Value)
        assert repr(made) == str(made) == "<Value without data: its __init__ was not called>"
    for kind, text in [
        (nn.MLP, "MLP of []"), (nn.Layer, "Layer of []"), (nn.Neuron, "LinearNeuron(0)"),
        (optim.SGD, "SGD(0 parameters)"), (optim.AdamW, "AdamW(0 parameters)"),
    ]:  # fmt: skip
        thing: Any = object.__new__(kind)
        assert repr(thing) == text
        assert "0 parameters" in getattr(thing, "_repr_html_", lambda: "0 parameters")()


def test_a_module_may_have_what_modules_lack() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            self.weight = Value(2.0)

        def forward(self, x: Any) -> Any:
            return self.weight * x

    net: Any = Net()
    assert net.forward(3.0).data == 6.0
    assert net.weight in net.parameters()
    assert {"forward", "weight"} <= set(dir(net))
    assert not {"train", "fit"} & set(dir(net))
    assert not hasattr(net, "train")
    with pytest.raises(
        TypeError, match="a Net has no call: write its method forward as def __call"
    ):
        net(3.0)
    assert bool(Value(0.0)) is True
    assert not hasattr(Value(0.0), "__len__")
