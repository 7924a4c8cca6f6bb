"""The pool of a container, whose threads are tasks of the schedule."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

from lambda_src.core.delivery import Delivery
from tests.faults.schedules.reached import Reached
from tests.faults.schedules.tasks import Host, Task, current


class Pool(Executor):
    """Works on all items at once, each as a task; has as many threads as there are items."""

    def __init__(self, host: Host, reached: set[Reached]) -> None:
        self._host = host
        self._reached = reached
        self._tasks: list[Task] = []

    def map(  # type: ignore[override]  # of one iterable, and never in chunks
        self, fn: Callable[[Any], Any], items: Sequence[Any], *, timeout: float
    ) -> Iterator[Any]:
        """Begin a task for each item, and return the results once all are done.

        Raises:
            TimeoutError: Some are not done after that many seconds of the host's clock.
        """
        results: dict[int, Any] = {}
        ends_at = self._host.clock() + timeout
        self._tasks = [
            self._host.spawn(partial(_keep, results, place, fn, item), self._author_of(item))
            for place, item in enumerate(items)
        ]
        current().wait_until(lambda: self._is_done or self._host.clock() > ends_at)
        if not self._is_done:
            self._reached.add(Reached.CUT_OFF)
            raise TimeoutError
        return iter([results[place] for place in range(len(items))])

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002 - the base class's own signature
        """Begin nothing any more; what is under way goes on."""
        for task in self._tasks:
            if task.is_new:
                task.end()

    @property
    def _is_done(self) -> bool:
        return all(task.dead for task in self._tasks)

    def _author_of(self, item: object) -> Any:
        return self._host.author_of(item.message_id) if isinstance(item, Delivery) else None


def _keep(results: dict[int, Any], place: int, fn: Callable[[Any], Any], item: Any) -> None:
    results[place] = fn(item)
