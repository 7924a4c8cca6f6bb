"""The heartbeat: keeps a batch's messages invisible and their leases alive while it works."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from lambda_src.core import timing
from lambda_src.core.contract import LogEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

log = logging.getLogger(__name__)


class SQSHeartbeat:
    """Extends the visibility of every message of a batch, from `start` until `stop`.

    One thread serves the whole batch: the first beat is at once, and *shrinks* the visibility that
    the queue gave, so that the messages of a crashed function come back soon.

    Args:
        receipt_handles: The batch's messages, as message id to receipt handle.
        extend: Sets the visibility of messages given likewise; returns the ids of those for which
            that failed. May raise, which counts as failed for all of them.
        interval: Seconds between beats.
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
        self._leases: dict[str, Callable[[], None]] = {}
        self._lock = Lock()
        self._thread = Thread(target=self._run, name="sqs-heartbeat", daemon=True)

    def start(self) -> None:
        """Begin, with a first beat at once."""
        self._thread.start()

    def stop(self) -> frozenset[str]:
        """End, and return the ids of the messages for which a beat failed at any point.

        Returns once the thread has ended: no beat follows that could undo a visibility set later.
        A beat that hangs is not waited for any longer than a call to AWS may take; it has failed.
        """
        self._stopped.set()
        self._thread.join(timing.AWS_CALL_SECONDS)
        if self._thread.is_alive():
            self._fail(self._receipt_handles, "hanging")
        return frozenset(self._failed)

    @contextmanager
    def renewing(self, message_id: str, renew: Callable[[], None]) -> Iterator[None]:
        """Call `renew` with each beat while the context lasts; what it raises is logged.

        A lease that was not renewed is noticed by the ledger's next conditional write.
        """
        with self._lock:
            self._leases[message_id] = renew
        try:
            yield
        finally:
            with self._lock:
                del self._leases[message_id]

    def _run(self) -> None:
        self._beat(renew=False)  # whatever was claimed by now was claimed this very moment
        while not self._stopped.wait(self._interval):
            self._beat()

    def _beat(self, *, renew: bool = True) -> None:
        try:
            self._fail(self._extend(self._receipt_handles), "refused")
            if renew:
                self._renew_all()
        except Exception as error:  # noqa: BLE001 - the heart goes on beating
            self._fail(self._receipt_handles, type(error).__name__)

    def _fail(self, message_ids: Iterable[str], kind: str) -> None:
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
            leases = dict(self._leases)
        if leases and not self._stopped.is_set():
            with ThreadPoolExecutor(len(leases)) as pool:
                list(pool.map(_renew, leases, leases.values()))


def _renew(message_id: str, renew: Callable[[], None]) -> None:
    try:
        renew()
    except Exception as error:  # noqa: BLE001 - one lease must not end the others'
        log.warning(
            "the lease could not be renewed",
            extra={
                "event": LogEvent.LEASE_RENEWAL_FAILED,
                "sqs_message_id": message_id,
                "error_type": type(error).__name__,
            },
        )
