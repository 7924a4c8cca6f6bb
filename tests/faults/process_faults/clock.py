"""Virtual time: it does not move for driver and workers until the driver advances it.

A lease expires, a visibility ends and a retry is due without waiting, and nothing depends on the
machine's speed. Only the timeouts of sockets are real.
"""

import math
import threading
import time
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH = 1_767_225_600.0
"""Epoch seconds at which every run begins: 2026-01-01."""
SLOTS = 64
"""Workers that one run may have."""
POLL_SECONDS = 0.002
NEVER = math.inf

_real_sleep = time.sleep


class SharedTime:
    """A clock in memory that the driver shares with its workers.

    Each worker has a slot for the times of its next heartbeat and of the end of its sleep.

    Args:
        context: How the workers are started.
    """

    def __init__(self, context: BaseContext) -> None:
        self._cells: Any = context.RawArray("d", 1 + 2 * SLOTS)
        self.reset()

    def reset(self) -> None:
        """Start again, with no worker waiting."""
        self._cells[:] = [EPOCH] + [NEVER] * (2 * SLOTS)

    @property
    def now(self) -> float:
        """Epoch seconds."""
        now: float = self._cells[0]
        return now

    def advance(self, to: float) -> None:
        """Move the time forward to epoch seconds; it never goes back."""
        self._cells[0] = max(self._cells[0], to)

    def heartbeat_of(self, slot: int) -> float:
        """Return when the worker's next heartbeat is due; not later than now during one."""
        due: float = self._cells[1 + 2 * slot]
        return due

    def set_heartbeat(self, slot: int, due: float) -> None:
        """Set when the worker's next heartbeat is due."""
        self._cells[1 + 2 * slot] = due

    def sleep_of(self, slot: int) -> float:
        """Return until when the worker sleeps; later than now only while it does."""
        until: float = self._cells[2 + 2 * slot]
        return -NEVER if until == NEVER else until

    def set_sleep(self, slot: int, until: float) -> None:
        """Set until when the worker sleeps."""
        self._cells[2 + 2 * slot] = until


class WorkerTime:
    """The time of one worker."""

    def __init__(self, shared: SharedTime, slot: int) -> None:
        self._shared = shared
        self._slot = slot
        self._lock = threading.Lock()
        self._sleepers: dict[int, float] = {}

    def time(self) -> float:
        """Return epoch seconds."""
        return self._shared.now

    def sleep(self, seconds: float) -> None:
        """Wait until the driver has advanced the time so far."""
        me, until = threading.get_ident(), self._shared.now + seconds
        self._set_sleeper(me, until)
        while self._shared.now < until:
            _real_sleep(POLL_SECONDS)
        self._set_sleeper(me, None)

    def _set_sleeper(self, thread: int, until: float | None) -> None:
        with self._lock:
            if until is None:
                del self._sleepers[thread]
            else:
                self._sleepers[thread] = until
            self._shared.set_sleep(self._slot, min(self._sleepers.values(), default=NEVER))

    def event(self) -> threading.Event:
        """Return an event whose `wait` uses this time, for the worker's one heartbeat."""
        return _HeartbeatEvent(self._shared, self._slot)


class _HeartbeatEvent(threading.Event):
    def __init__(self, shared: SharedTime, slot: int) -> None:
        super().__init__()
        self._shared = shared
        self._slot = slot
        shared.set_heartbeat(slot, shared.now)  # the first heartbeat is at once

    def wait(self, timeout: float | None = None) -> bool:
        due = NEVER if timeout is None else self._shared.now + timeout
        self._shared.set_heartbeat(self._slot, due)
        while self._shared.now < due:
            if super().wait(POLL_SECONDS):
                self._shared.set_heartbeat(self._slot, NEVER)
                return True
        return self.is_set()


class ProcessTime:
    """Replaces the process's `time.time` and `time.sleep`.

    It is the real time until a worker's own is bound. It must be installed before anything else is
    imported, because some libraries keep a reference to the functions.
    """

    def __init__(self) -> None:
        self._time: Callable[[], float] = time.time
        self._sleep: Callable[[float], None] = time.sleep

    def install(self) -> None:
        """Replace the process's time."""
        time.time = self.time
        time.sleep = cast("Any", self.sleep)  # the real one also takes what has an index

    def time(self) -> float:
        """Return epoch seconds."""
        return self._time()

    def sleep(self, seconds: float) -> None:
        """Wait so many seconds."""
        self._sleep(seconds)

    def bind(self, worker: WorkerTime) -> None:
        """Use a worker's time from now on."""
        self._time, self._sleep = worker.time, worker.sleep


PROCESS_TIME = ProcessTime()
