"""Time in the grid: it stands still for everyone until the driver lets it pass.

A lease lapses, a visibility ends and a retry is due without anybody waiting, and nothing depends on
how fast the machine is. Only the timeouts of sockets are real.
"""

import math
import threading
import time
from multiprocessing.context import BaseContext
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

EPOCH = 1_767_225_600.0
"""When every world begins: 2026-01-01, in epoch seconds."""
SLOTS = 64
"""Workers that one world may have."""
POLL_SECONDS = 0.002
NEVER = math.inf

_real_sleep = time.sleep


class SharedTime:
    """A clock in memory that the driver shares with its workers.

    Each worker has a slot, in which it says when its next beat is due and until when it sleeps.

    Args:
        context: How the workers are started.
    """

    def __init__(self, context: BaseContext) -> None:
        self._cells: Any = context.RawArray("d", 1 + 2 * SLOTS)
        self.reset()

    def reset(self) -> None:
        """Begin anew, with nobody waiting."""
        self._cells[:] = [EPOCH] + [NEVER] * (2 * SLOTS)

    @property
    def now(self) -> float:
        """The time, in epoch seconds."""
        now: float = self._cells[0]
        return now

    def advance(self, to: float) -> None:
        """Let it be later; time never goes back."""
        self._cells[0] = max(self._cells[0], to)

    def beat_of(self, slot: int) -> float:
        """When the worker's next beat is due; not later than now while it is beating."""
        due: float = self._cells[1 + 2 * slot]
        return due

    def set_beat(self, slot: int, due: float) -> None:
        """Say when the worker's next beat is due."""
        self._cells[1 + 2 * slot] = due

    def sleep_of(self, slot: int) -> float:
        """Until when the worker sleeps; later than now only while it does."""
        until: float = self._cells[2 + 2 * slot]
        return -NEVER if until == NEVER else until

    def set_sleep(self, slot: int, until: float) -> None:
        """Say until when the worker sleeps."""
        self._cells[2 + 2 * slot] = until


class WorkerTime:
    """The time as one worker knows it."""

    def __init__(self, shared: SharedTime, slot: int) -> None:
        self._shared = shared
        self._slot = slot
        self._lock = threading.Lock()
        self._sleepers: dict[int, float] = {}

    def time(self) -> float:
        """The time, in epoch seconds."""
        return self._shared.now

    def sleep(self, seconds: float) -> None:
        """Return once so much time has passed, which the driver sees to."""
        me, until = threading.get_ident(), self._shared.now + seconds
        with self._lock:
            self._sleepers[me] = until
            self._say()
        while self._shared.now < until:
            _real_sleep(POLL_SECONDS)
        with self._lock:
            del self._sleepers[me]
            self._say()

    def _say(self) -> None:
        self._shared.set_sleep(self._slot, min(self._sleepers.values(), default=NEVER))

    def event(self) -> threading.Event:
        """An event whose `wait` goes by this time, for the one heart of the worker."""
        return _BeatEvent(self._shared, self._slot)


class _BeatEvent(threading.Event):
    def __init__(self, shared: SharedTime, slot: int) -> None:
        super().__init__()
        self._shared = shared
        self._slot = slot
        shared.set_beat(slot, shared.now)  # the first beat is at once

    def wait(self, timeout: float | None = None) -> bool:
        due = NEVER if timeout is None else self._shared.now + timeout
        self._shared.set_beat(self._slot, due)
        while self._shared.now < due:
            if super().wait(POLL_SECONDS):
                self._shared.set_beat(self._slot, NEVER)
                return True
        return self.is_set()


class ProcessTime:
    """What stands in place of the process's own `time.time` and `time.sleep`.

    It is put there before anything else is imported, since some keep the functions they found, and
    is the real time until a worker's own is bound.
    """

    def __init__(self) -> None:
        self._time: Callable[[], float] = time.time
        self._sleep: Callable[[float], None] = time.sleep

    def install(self) -> None:
        """Take the place of the process's time."""
        time.time = self.time
        time.sleep = cast("Any", self.sleep)  # it takes what is called an index, too

    def time(self) -> float:
        """The time, in epoch seconds."""
        return self._time()

    def sleep(self, seconds: float) -> None:
        """Return once so much time has passed."""
        self._sleep(seconds)

    def bind(self, worker: WorkerTime) -> None:
        """Go by a worker's time from now on."""
        self._time, self._sleep = worker.time, worker.sleep


PROCESS_TIME = ProcessTime()
