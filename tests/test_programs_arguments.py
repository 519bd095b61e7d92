"""The arguments of programs reach the function as the call gives them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import pytest
from eager_loop import assert_agree

from micrograd import Value, program

FACTOR = Value(7.0)


def all_by_either(x: Any, y: Any = 2.0, z: Any = 3.0) -> Any:
    return x + 10 * y + 100 * z


def by_position_only(x: Any, y: Any = 2.0, /, z: Any = FACTOR, w: Any = 5.0) -> Any:
    return x + 10 * y + 100 * z + 1000 * w


def by_name_only(x: Any = 1.0, *, y: Any = 2.0, z: Any = 3.0) -> Any:
    return x + 10 * y + 100 * z


def with_more(x: Any, y: Any = 2.0, *more: Any, z: Any = 3.0) -> Any:
    return x + 10 * y + 100 * z + sum(1000 * 2**i * v for i, v in enumerate(more))


def with_names(x: Any, y: Any = 2.0, /, **named: Any) -> Any:
    return x + 10 * y + sum(100 * (1 + len(name)) * v for name, v in sorted(named.items()))


def with_both(x: Any = 1.0, /, *more: Any, z: Any = 3.0, **named: Any) -> Any:
    return with_names(x, **named) + with_more(x, 2.0, *more, z=z)


FUNCTIONS = [
    *(all_by_either, by_position_only, by_name_only, with_more, with_names, with_both),
    lambda x, scale=2.0, y=0.0: x * scale + y,
]
NAMES = ["x", "y", "z", "w", "more[0]", "more", "named", "a b"]


def calls(function: Callable[..., Any]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Draw how many arguments go by position and which by name."""
    signature = inspect.signature(function)
    for count in range(4):
        for length in range(4):
            for names in combinations([*NAMES, "scale"], length):
                try:
                    function(*[0] * count, **dict.fromkeys(names, 0))
                    # Where **named has the name of a positional-only one, Pythons differ in this.
                    signature.bind(*[0] * count, **dict.fromkeys(names, 0))
                except TypeError:
                    continue
                if count or names:
                    yield count, names


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__.strip("<>"))
def test_each_way_to_give_arguments(function: Callable[..., Any]) -> None:
    traced = program(function)
    ways = list(calls(function))
    assert len(ways) > 5
    for count, names in ways:
        rows = [[1.5 + 3 * i + row for i in range(count + len(names))] for row in range(2)]
        expected = [function(*row[:count], **dict(zip(names, row[count:]))) for row in rows]
        columns = [list(column) for column in zip(*rows)]
        found = traced(*columns[:count], **dict(zip(names, columns[count:])))
        numbers = [v.data if isinstance(v, Value) else v for v in expected]
        assert found.data == pytest.approx(numbers, rel=1e-14), (count, names)


def test_a_default_that_is_left_out_is_a_parameter_still() -> None:
    factor = Value(2.0)

    def function(x: Any, scale: Any = factor, y: Any = 0.0) -> Any:
        return x * scale + y

    traced = program(function)
    traced([1.0, 2.0], y=[10.0, 20.0]).sum().backward()
    assert factor.grad == 3.0
    assert_agree(function, [[1.0, 2.0]], [factor])


def test_a_method_with_defaults() -> None:
    class Line:
        def __init__(self) -> None:
            self.w = Value(2.0)

        @program
        def at(self, x: Any, scale: Any = 2.0, y: Any = 0.0) -> Any:
            return self.w * x * scale + y

    assert Line().at([1.0, 2.0], y=[10.0, 20.0]).data.tolist() == [14.0, 28.0]


def test_integers_beyond_64_bits_are_numbers() -> None:
    double = program(lambda x: 2 * x)
    assert double([2**70, 1]).data.tolist() == [2.0**71, 2.0]
    assert double([2**63, 1]).data.tolist() == [2.0**64, 2.0]
