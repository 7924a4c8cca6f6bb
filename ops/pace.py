"""A rate that many threads keep to together."""

import time
from collections.abc import Callable
from threading import Event, Lock


class Stopped(Exception):
    """The work was called off while a thread waited for its turn."""


class Pace:
    """Lets at most so many through each second, evenly.

    Args:
        per_second: How many; 0 means no limit.
        clock: Monotonic seconds.
        wait: Waits so many seconds; True if the work was called off meanwhile.
    """

    def __init__(
        self,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._clock = clock
        self._stopped = Event()
        self._wait = wait or self._stopped.wait
        self._next = clock()
        self._lock = Lock()

    def stop(self) -> None:
        """Let nobody through any more."""
        self._stopped.set()

    def turn(self) -> None:
        """Return when it is the caller's turn.

        Raises:
            Stopped: The work was called off.
        """
        with self._lock:
            now = self._clock()
            mine = max(self._next, now)
            self._next = mine + self._interval
        if self._wait(mine - now) or self._stopped.is_set():
            raise Stopped
