"""`strict` and `ieee` in code that runs in parts: they hold while it runs, not between."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from processes import environment, printed

import micrograd as mg
from micrograd import Value
from micrograd.graph import modes, strict


def is_strict() -> bool:
    try:
        return Value(1.0) == Value(2.0)
    except TypeError:
        return True


def is_ieee() -> bool:
    try:
        return Value(0.0).log().data == -float("inf")
    except ValueError:
        return False


MODES: list[tuple[Callable[[], Any], Callable[[], bool]]] = [
    (mg.strict, is_strict),
    (mg.ieee, is_ieee),
]


@pytest.fixture(params=MODES, ids=["strict", "ieee"])
def mode(request: pytest.FixtureRequest) -> Iterator[Any]:
    block, holds = request.param
    assert not holds()
    yield block, holds
    assert not holds()
    assert not modes._ieee_modes
    assert [m.on for m in strict._modes] == [False]


def test_it_does_not_hold_for_who_asks_a_generator(mode: Any) -> None:
    block, holds = mode

    def generator() -> Iterator[bool]:
        with block():
            yield holds()
            with block():
                yield holds()
            yield holds()
        yield holds()

    seen = []
    for inner in generator():
        seen.append(inner)
        assert not holds()
    assert seen == [True, True, True, False]


def test_generators_that_are_left_leave_nothing(mode: Any) -> None:
    block, holds = mode

    def generator() -> Any:
        with block():
            while True:
                yield holds()

    one, other = generator(), generator()
    assert [next(one), next(other)] == [True, True]
    one.close()
    assert next(other)
    assert not holds()
    del other


def test_a_context_manager_made_of_a_generator_holds_for_its_block(mode: Any) -> None:
    block, holds = mode

    @contextmanager
    def careful() -> Iterator[None]:
        with block():
            yield

    with careful():
        assert holds()
        with careful():
            assert holds()
        assert holds()


def test_tasks_do_not_share_it(mode: Any) -> None:
    block, holds = mode

    async def careful() -> list[bool]:
        seen = []
        with block():
            for _ in range(3):
                seen.append(holds())
                await asyncio.sleep(0)
        return seen

    async def plain() -> list[bool]:
        seen = []
        for _ in range(5):
            seen.append(holds())
            await asyncio.sleep(0)
        return seen

    async def numbers() -> AsyncIterator[bool]:
        with block():
            yield holds()
            yield holds()

    async def asks() -> list[bool]:
        return [x for pair in [[inner, holds()] async for inner in numbers()] for x in pair]

    async def all_at_once() -> Any:
        return await asyncio.gather(careful(), plain(), asks(), careful())

    assert asyncio.run(all_at_once()) == [[True] * 3, [False] * 5, [True, False] * 2, [True] * 3]


def test_the_last_strict_block_decides_and_a_switch_changes_that() -> None:
    def generator() -> Iterator[bool]:
        with mg.strict():
            with mg.strict(False):
                yield is_strict()
            yield is_strict()
            mg.strict(False)
            yield is_strict()

    assert list(generator()) == [False, True, False]
    try:
        mg.strict()
        assert is_strict()
        with mg.strict(False):
            assert not is_strict()
            assert list(generator()) == [False, True, False]
        assert is_strict()
    finally:
        mg.strict(False)
    assert not is_strict()


def test_a_block_of_strict_holds_for_all_threads_and_of_ieee_for_one() -> None:
    seen: list[bool] = []
    for block, holds in MODES:
        with block():
            other = threading.Thread(target=lambda: seen.append(holds()))  # noqa: B023
            other.start()
            other.join()
    assert seen == [True, False]


def test_ieee_decorates_what_runs_in_parts() -> None:
    @mg.ieee()
    def once() -> bool:
        return is_ieee()

    @mg.ieee()
    def generator() -> Iterator[bool]:
        yield is_ieee()
        yield is_ieee()

    assert once()
    for inner in generator():
        assert (inner, is_ieee()) == (True, False)
    with pytest.raises(TypeError, match="write `with ieee"):

        @mg.ieee()
        async def several() -> Any:
            yield 1


@pytest.mark.parametrize(("setting", "pure"), [("1", True), ("0", False), ("", False)])
def test_a_setting_of_0_keeps_the_c_core(setting: str, pure: bool) -> None:
    line = "import micrograd; print(micrograd.core)"
    core = printed(line, env=environment(MICROGRAD_PURE=setting)).strip()
    built = importlib.util.find_spec("micrograd.native._engine") is not None
    assert core == ("c" if built and not pure else "python")
