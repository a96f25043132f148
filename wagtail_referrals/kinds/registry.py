"""A registry of named things that a shop can add to from its ``AppConfig.ready()``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar

from django.core.exceptions import ImproperlyConfigured


class Named(Protocol):
    @property
    def key(self) -> str: ...

    @property
    def label(self) -> object: ...


T = TypeVar("T", bound=Named)


class Registry(Generic[T]):
    """Things by key, in the order of registration.

    ``register`` raises ``ImproperlyConfigured`` for a key that is taken: two apps that both think a key is
    theirs would otherwise pay each other's rewards. ``get`` raises ``LookupError`` for an unknown key.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._items: dict[str, T] = {}

    def register(self, item: T, *, before: str = "") -> T:
        """``before``: the key of the item in front of which it stands; by default it is the last."""
        if item.key in self._items:
            raise ImproperlyConfigured(f'The {self.what} "{item.key}" is registered twice.')
        self._items[item.key] = item
        if before in self._items:
            # What follows moves behind it.
            keys = list(self._items)
            for key in keys[keys.index(before) : -1]:
                self._items[key] = self._items.pop(key)
        return item

    def unregister(self, key: str) -> None:
        self._items.pop(key, None)

    def get(self, key: str) -> T:
        try:
            return self._items[key]
        except KeyError:
            raise LookupError(
                f'No {self.what} "{key}" is registered. Known: {", ".join(self._items)}.'
            ) from None

    def __contains__(self, key: str) -> bool:
        return key in self._items

    def __iter__(self) -> Iterator[T]:
        return iter(self._items.values())

    def choices(self) -> list[tuple[str, object]]:
        """(key, label) of all, in the order of registration."""
        return [(item.key, item.label) for item in self]
