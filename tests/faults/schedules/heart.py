"""The heartbeat of a container, whose thread is a task of the schedule."""

from collections.abc import Callable, Mapping

from lambda_src.utils.sqs_heartbeat import SQSHeartbeat, _renew
from tests.faults.schedules.tasks import Host, Task, current

INTERVAL = 25.0


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
