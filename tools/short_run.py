"""Do a little of everything that the C core can, for valgrind's memcheck, which is slow."""

import copy
import gc
import pickle
import sys
import weakref
from array import array
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import contextlib

from micrograd import Op, Value, engine, ops
from micrograd.native import bulk
from micrograd.native.blocks import block_of

assert engine.core == "c"


class Own(Value):
    """A subclass, to be mixed with Values."""


def _rule(a: Any, b: Any, c: Any, out: Any) -> Any:
    return a


def _value(a: Any, b: Any, c: Any) -> Any:
    return a + b * c


three = Op("three", _value, _rule, _rule, _rule)


def everything() -> None:
    """Make, walk, copy, attach and drop Values."""
    x, y = Value(0.5, label="x"), Own(0.25)
    nodes = [
        op(*[x, y + 0, x * y][: len(op.derivatives)])
        for op in ops.TABLE.values()
        if op.name not in ("arccosh", "polygamma")  # which are not defined there
    ]
    total = sum(nodes, three(x, y, 2.0)) ** 2 + 2**x - x**3 / y
    out = Value(total.data, (total,))

    def pass_on() -> None:
        total.grad += out.grad

    out._backward = pass_on
    out.backward()
    refs = [weakref.ref(node) for node in nodes]
    copies = [copy.deepcopy(total), pickle.loads(pickle.dumps(total))]
    assert len(engine.toposort(copies[0])) == len(engine.toposort(copies[1]))
    numbers = array("d", bytes(16))
    for name in bulk.FUNCTIONS:
        getattr(bulk, name)([x, y], numbers)
    block = block_of([x, y])
    for use in (block.pull_data, block.push_data, block.pull_grads, block.push_grads):
        use()
    block.add(numbers)
    block.zero_grads()
    assert not block.has([x])
    for bad in (
        lambda: block.add(array("d")),
        lambda: Value("a"),
        lambda: (Value(0.0).sqrt() + x).backward(),
        lambda: x + "a",
    ):
        with contextlib.suppress(TypeError, ValueError, ZeroDivisionError):
            bad()
    x.end = [out]
    del block, use, nodes, total, out, x, y, pass_on
    gc.collect()
    assert not any(ref() for ref in refs)


for _ in range(3):
    everything()
deep = Value(1.0)
for _ in range(20_000):
    deep = deep * 1.0 + 1.0
deep.backward()
