"""Collections of Values by identity, whatever `==` and `hash` mean in a subclass of Value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSet, Set
from typing import TYPE_CHECKING, Any, TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")


class IdentityDict(MutableMapping[Key, Item]):
    """A dict that finds its keys by identity.

    >>> a, b = [1], [1]
    >>> found = IdentityDict({})
    >>> found[a], found[b] = "a", "b"
    >>> found[a], len(found), [1] in found
    ('a', 2, False)
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[Key, Item] | Iterable[tuple[Key, Item]] = ()) -> None:
        pairs = items.items() if isinstance(items, Mapping) else items
        self._items = {id(key): (key, item) for key, item in pairs}

    def __getitem__(self, key: Key) -> Item:
        return self._items[id(key)][1]

    def __setitem__(self, key: Key, item: Item) -> None:
        self._items[id(key)] = key, item

    def __delitem__(self, key: Key) -> None:
        del self._items[id(key)]

    def __contains__(self, key: object) -> bool:
        return id(key) in self._items

    if not TYPE_CHECKING:  # the type stays, but not the time to raise a KeyError and to catch it

        def get(self, key: Any, default: Any = None) -> Any:
            """Return the item of a key, or the default."""
            found = self._items.get(id(key))
            return default if found is None else found[1]

    def __iter__(self) -> Iterator[Key]:
        return (key for key, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __reduce__(self) -> tuple[Any, ...]:
        return IdentityDict, ([*self._items.values()],)  # copies have identities of their own

    def __repr__(self) -> str:
        pairs = ", ".join(f"{key!r}: {item!r}" for key, item in self._items.values())
        return f"IdentityDict({{{pairs}}})"


class IdentitySet(MutableSet[Key]):
    """A set that finds its elements by identity.

    >>> a, b = [1], [1]
    >>> found = IdentitySet([a, b, a])
    >>> len(found), a in found, [1] in found
    (2, True, False)
    """

    __slots__ = ("_elements",)

    def __init__(self, elements: Iterable[Key] = ()) -> None:
        self._elements = {id(x): x for x in elements}

    def __contains__(self, x: object) -> bool:
        return id(x) in self._elements

    def __iter__(self) -> Iterator[Key]:
        return iter(self._elements.values())

    def __len__(self) -> int:
        return len(self._elements)

    def add(self, x: Key) -> None:
        """Add an element, unless it is there."""
        self._elements[id(x)] = x

    def update(self, elements: Iterable[Key]) -> None:
        """Add some elements."""
        self._elements.update((id(x), x) for x in elements)

    def discard(self, x: Key) -> None:
        """Remove an element, if it is there."""
        self._elements.pop(id(x), None)


_READING = {
    "copy",
    "difference",
    "intersection",
    "issubset",
    "issuperset",
    "symmetric_difference",
    "union",
}
_CHANGING = {"add", "clear", "discard", "pop", "remove", "update"}


class OperandSet(Set[Any]):
    """The operands of a Value in order, each once: a set that has indices and cannot be changed.

    >>> from micrograd import Value
    >>> a, b = Value(1.0), Value(2.0)
    >>> (a - b)._prev[0] is a, (a - b)._prev == {b, a}
    (True, True)
    """

    __slots__ = ("_values",)

    def __init__(self, values: Iterable[Any]) -> None:
        self._values = tuple({id(v): v for v in values}.values())

    @classmethod
    def _from_iterable(cls, values: Iterable[Any]) -> Set[Any]:
        return set(values)

    def __contains__(self, x: object) -> bool:
        return any(v is x for v in self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __reversed__(self) -> Iterator[Any]:
        return iter(self._values[::-1])

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> Any:
        return self._values[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Set):
            return NotImplemented
        return {id(v) for v in self} == {id(v) for v in other}

    __hash__ = None  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        if name in _READING:
            return getattr(set(self._values), name)
        if name in _CHANGING:
            raise AttributeError(
                f"{name}: the operands of a Value cannot be changed; make a new Value of others"
            )
        raise AttributeError(f"the set of a Value's operands has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"{{{', '.join(map(repr, self._values))}}}" if self._values else "set()"
