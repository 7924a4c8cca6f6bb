"""One call at a time for each key; whoever asks meanwhile shares its outcome."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Calls for ten threads at once what would else be called ten times, or one after another."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, Future[T]] = {}
        self._lock = Lock()

    def call(self, key: Hashable, function: Callable[[], T]) -> T:
        """Call the function, or wait for the call under way with that key.

        Args:
            key: What the call is for; calls of one key are taken for the same.
            function: What to call.

        Returns:
            The call's result. What it raises is raised to everyone who waited.
        """
        with self._lock:
            future = self._under_way.get(key)
            if future:
                is_ours = False
            else:
                is_ours, future = True, Future()
                self._under_way[key] = future
        if is_ours:
            self._run(key, function, future)
        return future.result()

    def _run(self, key: Hashable, function: Callable[[], T], future: Future[T]) -> None:
        try:
            future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - raised again to everyone who waits
            future.set_exception(error)
        finally:
            with self._lock:
                del self._under_way[key]
