"""Virtual time: it does not move for driver and workers until the driver advances it.

A lease expires, a visibility ends and a retry is due without waiting, and nothing depends on the
machine's speed. Only the timeouts of sockets are real.
"""

import math
import threading
import time
from multiprocessing.context import BaseContext
from typing import Any, cast

EPOCH = 1_767_225_600.0
"""Epoch seconds at which every run begins: 2026-01-01."""
SLOTS = 64
"""Workers that one run may have."""
POLL_SECONDS = 0.002
NEVER = math.inf

_real_sleep = time.sleep


class SharedTime:
    """A clock in memory that the driver shares with its workers, each of which has a slot."""

    def __init__(self, context: BaseContext) -> None:
        self._now: Any = context.RawValue("d", EPOCH)
        # When each worker's next heartbeat is due; not later than now during one.
        self.heartbeats: Any = context.RawArray("d", SLOTS)
        # Until when each worker sleeps; later than now only while it does.
        self.sleeps: Any = context.RawArray("d", SLOTS)
        self.reset()

    def reset(self) -> None:
        self._now.value = EPOCH
        self.heartbeats[:], self.sleeps[:] = [NEVER] * SLOTS, [-NEVER] * SLOTS

    @property
    def now(self) -> float:
        now: float = self._now.value
        return now

    def advance(self, to: float) -> None:
        self._now.value = max(self.now, to)


class WorkerTime:
    """The time of one worker, in epoch seconds."""

    def __init__(self, shared: SharedTime, slot: int) -> None:
        self._shared = shared
        self._slot = slot
        self._lock = threading.Lock()
        self._sleepers: dict[int, float] = {}

    def time(self) -> float:
        return self._shared.now

    def sleep(self, seconds: float) -> None:
        """Wait until the driver has advanced the time so far."""
        until = self._shared.now + seconds
        with self._lock:
            self._sleepers[threading.get_ident()] = until
            self._show_next_end()
        while self._shared.now < until:
            _real_sleep(POLL_SECONDS)
        with self._lock:
            del self._sleepers[threading.get_ident()]
            self._show_next_end()

    def _show_next_end(self) -> None:
        self._shared.sleeps[self._slot] = min(self._sleepers.values(), default=-NEVER)

    def event(self) -> threading.Event:
        """Return an event whose `wait` uses this time, for the worker's one heartbeat."""
        return _HeartbeatEvent(self._shared, self._slot)


class _HeartbeatEvent(threading.Event):
    def __init__(self, shared: SharedTime, slot: int) -> None:
        super().__init__()
        self._shared = shared
        self._slot = slot
        shared.heartbeats[slot] = shared.now  # the first heartbeat is at once

    def wait(self, timeout: float | None = None) -> bool:
        due = NEVER if timeout is None else self._shared.now + timeout
        self._shared.heartbeats[self._slot] = due
        while self._shared.now < due:
            if super().wait(POLL_SECONDS):
                self._shared.heartbeats[self._slot] = NEVER
                return True
        return self.is_set()


_bound: list[WorkerTime] = []


def bind(worker: WorkerTime) -> None:
    """Let this process's `time.time` and `time.sleep` use a worker's time from now on."""
    _bound.append(worker)


def install() -> None:
    """Replace the process's `time.time` and `time.sleep`: real until a worker's time is bound.

    To be called before anything else is imported, because some libraries keep a reference to them.
    """
    real_time = time.time

    def sleep(seconds: float) -> None:
        (_bound[-1].sleep if _bound else _real_sleep)(seconds)

    time.time = lambda: _bound[-1].time() if _bound else real_time()
    time.sleep = cast("Any", sleep)  # the real one also takes what has an index
