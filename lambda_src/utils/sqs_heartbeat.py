"""The heartbeat: extends a batch's visibility and renews its leases during processing."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from lambda_src.core import LogEvent, time_budget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

log = logging.getLogger(__name__)


class SQSHeartbeat:
    """Extends the visibility timeout of every message of a batch, from `start` until `stop`.

    One thread serves the whole batch. Its first heartbeat is immediate and *shortens* the queue's
    own visibility timeout, so that the messages of a crashed function are visible again soon.

    Args:
        receipt_handles: The batch's messages, as message id → receipt handle.
        extend: Extends the visibility of such messages; returns the ids for which that failed. An
            exception counts as a failure for all of them.
        interval: Seconds between heartbeats.
    """

    def __init__(
        self,
        receipt_handles: Mapping[str, str],
        extend: Callable[[Mapping[str, str]], frozenset[str]],
        interval: float,
    ) -> None:
        self._receipt_handles = dict(receipt_handles)
        self._extend = extend
        self._interval = interval
        self._stopped = Event()
        self._failed: set[str] = set()
        self._renewals: dict[str, Callable[[], None]] = {}
        self._lock = Lock()
        self._thread = Thread(target=self._run, name="sqs-heartbeat", daemon=True)

    def start(self) -> None:
        """Start, with a first heartbeat at once."""
        self._thread.start()

    def stop(self) -> frozenset[str]:
        """Stop, and return the ids of the messages for which any heartbeat failed.

        The thread has ended on return, so that no heartbeat overwrites a visibility that is set
        later. A heartbeat that hangs for longer than an AWS request may take counts as failed.
        """
        self._stopped.set()
        self._thread.join(time_budget.AWS_CALL_SECONDS)
        if self._thread.is_alive():
            self._add_failures(self._receipt_handles, "hanging")
        return frozenset(self._failed)

    @contextmanager
    def renewing(self, message_id: str, renew: Callable[[], None]) -> Iterator[None]:
        """Call `renew` with each heartbeat inside the context; its exceptions are logged.

        The ledger's next conditional write detects a lease that was not renewed.
        """
        with self._lock:
            self._renewals[message_id] = renew
        try:
            yield
        finally:
            with self._lock:
                del self._renewals[message_id]

    def _run(self) -> None:
        self._beat(renew=False)  # leases acquired until now are new
        while not self._stopped.wait(self._interval):
            self._beat()

    def _beat(self, *, renew: bool = True) -> None:
        try:
            self._add_failures(self._extend(self._receipt_handles), "refused")
            if renew:
                self._renew_all()
        except Exception as error:  # noqa: BLE001 - the next heartbeat may succeed
            self._add_failures(self._receipt_handles, type(error).__name__)

    def _add_failures(self, message_ids: Iterable[str], kind: str) -> None:
        for message_id in message_ids:
            self._failed.add(message_id)
            log.error(
                "the message's visibility could not be extended",
                extra={
                    "event": LogEvent.HEARTBEAT_FAILED,
                    "sqs_message_id": message_id,
                    "error_type": kind,
                },
            )

    def _renew_all(self) -> None:
        with self._lock:
            renewals = dict(self._renewals)
        if renewals and not self._stopped.is_set():
            with ThreadPoolExecutor(len(renewals)) as pool:
                list(pool.map(_renew, renewals, renewals.values()))


def _renew(message_id: str, renew: Callable[[], None]) -> None:
    try:
        renew()
    except Exception as error:  # noqa: BLE001 - must not prevent other leases' renewals
        log.warning(
            "the lease could not be renewed",
            extra={
                "event": LogEvent.LEASE_RENEWAL_FAILED,
                "sqs_message_id": message_id,
                "error_type": type(error).__name__,
            },
        )
