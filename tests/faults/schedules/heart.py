"""The heartbeat and the pool of a container, whose threads are tasks of the schedule."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import Any, Protocol

from lambda_src.core.delivery import Delivery
from lambda_src.utils.sqs_heartbeat import SQSHeartbeat, _renew
from tests.faults.schedules.tasks import Author, Task, current

INTERVAL = 25.0


class Host(Protocol):
    """What runs tasks: a container."""

    def spawn(self, work: Callable[[], object], author: Author | None = None) -> Task:
        """Begin a task."""

    def check_alive(self) -> None:
        """Raise `GreenletExit` in a container that was killed."""

    def author_of(self, message_id: str) -> Author:
        """Whose work a message of the present batch is."""


class Heart(SQSHeartbeat):
    """The runtime's own heartbeat, but that its thread's beats come when the schedule says so."""

    def __init__(
        self,
        receipt_handles: Mapping[str, str],
        extend: Callable[[Mapping[str, str]], frozenset[str]],
        host: Host,
    ) -> None:
        super().__init__(receipt_handles, extend, INTERVAL)
        self.is_given_up = False
        self._host = host
        self._beating: Task | None = None

    def start(self) -> None:
        """Begin, with a first beat at once."""
        self.beat()

    @property
    def is_beating(self) -> bool:
        """Whether a beat is under way."""
        return self._beating is not None and not self._beating.dead

    def beat(self) -> None:
        """Begin a beat, unless the heart was stopped or is at one still."""
        if not (self._stopped.is_set() or self.is_beating):
            self._beating = self._host.spawn(self._beat)

    def stop(self) -> frozenset[str]:
        """End; a beat that hangs is not waited for once the schedule gave it up."""
        self._host.check_alive()
        self._stopped.set()
        current().wait_until(lambda: self.is_given_up or not self.is_beating)
        if self.is_beating:
            self._fail(self._receipt_handles, "hanging")
        return frozenset(self._failed)

    def _renew_all(self) -> None:
        leases = dict(self._leases)
        if leases and not self._stopped.is_set():
            for message_id, renew in leases.items():
                current().author = self._host.author_of(message_id)
                _renew(message_id, renew)
            current().author = None


class Pool(Executor):
    """Works on all messages of a batch at once, each as a task."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def map(  # type: ignore[override]  # of one iterable, the batch's deliveries
        self, fn: Callable[[Delivery], Any], deliveries: list[Delivery]
    ) -> Iterator[Any]:
        """Begin a task for each delivery, and return the results once all are done."""
        results: dict[str, Any] = {}
        tasks = [
            self._host.spawn(
                partial(_keep, results, fn, delivery), self._host.author_of(delivery.message_id)
            )
            for delivery in deliveries
        ]
        current().wait_until(lambda: all(task.dead for task in tasks))
        return iter([results[delivery.message_id] for delivery in deliveries])


def _keep(results: dict[str, Any], fn: Callable[[Delivery], Any], delivery: Delivery) -> None:
    results[delivery.message_id] = fn(delivery)
