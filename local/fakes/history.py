"""The latest items of a sequence that grows without an end."""

import threading
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")


class History(Generic[T]):
    """A sequence that may forget its oldest items; thread-safe.

    An item's position is the number of items before it, forgotten ones included.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: deque[T] = deque()
        self._end = 0

    @property
    def forgotten(self) -> int:
        """The number of items that are no longer there."""
        with self._lock:
            return self._end - len(self._items)

    def limit(self, number: int) -> None:
        """Keep no more than the latest items from now on."""
        with self._lock:
            self._items = deque(self._items, maxlen=number)

    def append(self, create: Callable[[int], T]) -> T:
        """Append what a function returns for the item's position."""
        with self._lock:
            item = create(self._end)
            self._items.append(item)
            self._end += 1
        return item

    def replace(self, position: int, old: T, new: T) -> None:
        """Replace an item, unless it is no longer there."""
        with self._lock:
            index = position - (self._end - len(self._items))
            if 0 <= index < len(self._items) and self._items[index] is old:
                self._items[index] = new

    def all(self) -> list[T]:
        """Return the items, oldest first."""
        with self._lock:
            return list(self._items)

    def since(self, position: int) -> tuple[int, list[T]]:
        """Return the position of the next item, and the items from a position on, oldest first."""
        with self._lock:
            count = min(self._end - position, len(self._items))
            return self._end, list(islice(reversed(self._items), max(0, count)))[::-1]

    def latest(self, number: int) -> list[T]:
        """Return the latest items, the newest first."""
        with self._lock:
            return list(islice(reversed(self._items), number))

    def clear(self) -> None:
        """Forget all items."""
        with self._lock:
            self._items.clear()
