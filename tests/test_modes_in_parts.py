"""Blocks in code that runs in parts: they hold while it runs, not between."""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from processes import environment, printed

import micrograd as mg
from micrograd import Value
from micrograd.graph import modes, scopes, strict
from micrograd.graph.scopes import line_of, scope_of


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


def has_line() -> bool:
    return line_of(Value(1.0)) is not None


def is_in_scope() -> bool:
    return scope_of(Value(1.0)) is not None


def part() -> Any:
    return mg.scope("part")


part.__name__ = "scope"  # as messages call it

MODES: list[tuple[Callable[[], Any], Callable[[], bool]]] = [
    (mg.strict, is_strict),
    (mg.ieee, is_ieee),
    (mg.source_lines, has_line),
    (part, is_in_scope),
]


@pytest.fixture(params=MODES, ids=["strict", "ieee", "source_lines", "scope"])
def mode(request: pytest.FixtureRequest) -> Iterator[Any]:
    block, holds = request.param
    assert not holds()
    yield block, holds
    assert not holds()
    assert not modes._ieee_modes
    assert not modes._line_modes
    assert not scopes._framed
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


def test_a_block_of_strict_holds_for_all_threads_and_others_for_one() -> None:
    seen: list[bool] = []
    for block, holds in MODES:
        with block():
            other = threading.Thread(target=lambda: seen.append(holds()))  # noqa: B023
            other.start()
            other.join()
    assert seen == [True, False, False, False]


def test_it_decorates_what_runs_at_once_and_in_parts(mode: Any) -> None:
    block: Any = mode[0]
    holds: Callable[[], bool] = mode[1]

    @block()  # type: ignore[untyped-decorator]
    def once(*, times: int) -> list[bool]:
        """Ask some times."""
        return [holds() for _ in range(times)]

    @block()  # type: ignore[untyped-decorator]
    def generator() -> Iterator[bool]:
        yield holds()
        yield holds()

    @block()  # type: ignore[untyped-decorator]
    async def coroutine() -> bool:
        await asyncio.sleep(0)
        return holds()

    assert not holds()
    assert (once.__name__, once.__doc__) == ("once", "Ask some times.")
    assert once(times=2) == [True, True]
    for inner in generator():
        assert (inner, holds()) == (True, False)
    assert asyncio.run(coroutine())
    with pytest.raises(TypeError, match=f"write `with {block.__name__}"):

        @block()  # type: ignore[untyped-decorator]
        async def several() -> Any:
            yield 1


def test_a_decorator_that_switches_strict_mode_off_leaves_it_on_elsewhere() -> None:
    @mg.strict(False)
    def plain() -> bool:
        return is_strict()

    with mg.strict():
        assert (plain(), is_strict()) == (False, True)
    assert not is_strict()


@pytest.mark.parametrize(("setting", "pure"), [("1", True), ("0", False), ("", False)])
def test_a_setting_of_0_keeps_the_c_core(setting: str, pure: bool) -> None:
    line = "import micrograd; print(micrograd.core)"
    core = printed(line, env=environment(MICROGRAD_PURE=setting)).strip()
    built = importlib.util.find_spec("micrograd.native._engine") is not None
    assert core == ("c" if built and not pure else "python")


def path() -> str:
    found = scope_of(Value(1.0))
    return "" if found is None else found.path


def test_scopes_of_generators_and_of_who_asks_them() -> None:
    network = mg.nn.MLP(1, [1])

    def generator() -> Generator[str, None, None]:
        yield path()
        with mg.scope("inner"):
            yield path()
            with mg.scope("more"), mg.scope("and more"):
                yield path()
            of_result = scope_of(network([1.0]))
            assert of_result is not None
            seen.append(of_result.path)
            yield path()

    seen: list[str] = []
    with mg.scope("outer"):
        running = generator()
        seen += [next(running), next(running)]
        with mg.scope("other"):
            seen += [next(running), path()]
        seen.append(path())
    seen += [next(running), path()]
    running.close()
    assert seen == [
        "outer", "outer/inner", "outer/inner/more/and more", "outer/other", "outer",
        "outer/inner/MLP/Layer/Neuron", "outer/inner", "",
    ]  # fmt: skip


def test_a_scope_decorates_functions() -> None:
    @mg.scope("step")
    def step() -> str:
        return path()

    @mg.scope("parts")
    def parts() -> Iterator[str]:
        yield path()

    assert (step(), list(parts()), path()) == ("step", ["parts"], "")
