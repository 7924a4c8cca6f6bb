"""The queue and the heartbeat in memory; both write into one journal, so that order is visible."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lambda_src.core.errors import ProcessingError


class FakeQueue:
    """Implements the port `Queue`; `shown_again` holds seconds by receipt handle."""

    def __init__(self, journal: list[str]) -> None:
        self.shown_again: dict[str, int] = {}
        self.receives_allowed = 10
        self.error: ProcessingError | None = None
        self._journal = journal

    def show_again(self, seconds: Mapping[str, int]) -> None:
        """Make received messages visible again."""
        self._journal.append("visibility set")
        self.shown_again.update(seconds)

    def max_receive_count(self) -> int:
        """How many receives the queue allows."""
        if self.error:
            raise self.error
        return self.receives_allowed


class FakeHeartbeat:
    """Implements the port `Heartbeat`; beats when told to, and by then renews every lease."""

    def __init__(self, journal: list[str]) -> None:
        self.kept: dict[str, str] = {}
        self.unkept: frozenset[str] = frozenset()
        self.leases: dict[str, Callable[[], None]] = {}
        self.renewal_errors: list[Exception] = []
        self._journal = journal

    def keeping(self, receipt_handles: Mapping[str, str]) -> "FakeHeartbeat":
        """The heartbeat, for the messages of one batch."""
        self.kept = dict(receipt_handles)
        return self

    def start(self) -> None:
        """Begin."""
        self._journal.append("heartbeat started")

    def stop(self) -> frozenset[str]:
        """End, with the ids of the messages that were not kept invisible."""
        self._journal.append("heartbeat stopped")
        return self.unkept

    @contextmanager
    def renewing(self, message_id: str, renew: Callable[[], None]) -> Iterator[None]:
        """Renew that lease with each beat while the context lasts."""
        self.leases[message_id] = renew
        try:
            yield
        finally:
            del self.leases[message_id]

    def beat(self) -> None:
        """Renew every lease; what goes wrong is kept to be looked at."""
        for renew in list(self.leases.values()):
            try:
                renew()
            except Exception as error:  # noqa: BLE001 - as the real heartbeat, it goes on
                self.renewal_errors.append(error)
