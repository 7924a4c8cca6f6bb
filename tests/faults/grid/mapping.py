"""The driver as the event source mapping: receives, invokes, deletes what has not failed."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.grid.calls import CallName
from tests.faults.grid.held import Held
from tests.faults.grid.runner import GridError, Runner
from tests.faults.grid.virtual_time import SLOTS
from tests.faults.grid.world import World

TICK = 0.001
"""Seconds after which a message is seen whose visibility ends now."""


@dataclass(frozen=True)
class Attendance:
    """Which calls of a delivery are held, and who deals with them."""

    holds: Callable[[CallName], bool]
    deal: Callable[[Held, Runner], None]


def _deal_with_none(held: Held, _: Runner) -> None:
    held.pass_on()


UNATTENDED = Attendance(lambda _: False, _deal_with_none)


@dataclass(frozen=True)
class EventSourceMapping:
    """Brings the messages of a world's queue to workers, one after the other."""

    world: World

    def deliver_next(self, attendance: Attendance = UNATTENDED) -> Runner | None:
        """Deliver the next message, once it is to be seen; None if there is none on the queue.

        Raises:
            GridError: The messages do not come to an end.
        """
        while (visible_at := self.world.queue.next_visible()) is not None:
            self.world.let_pass(max(visible_at - self.world.now, 0.0) + TICK)
            if runner := self._deliver_visible(attendance):
                return runner
        return None

    def deliver_visible(self) -> None:
        """Deliver each message once that is to be seen now, as to other workers meanwhile."""
        for _ in range(self.world.queue.count_visible()):
            self._deliver_visible(UNATTENDED)

    def _deliver_visible(self, attendance: Attendance) -> Runner | None:
        record = self.world.queue.receive()
        if record is None:  # it has become a dead letter
            return None
        if len(self.world.runners) == SLOTS:
            raise GridError("the deliveries do not come to an end")
        runner = self.world.start(record, attendance.holds)
        while held := runner.next_held():
            attendance.deal(held, runner)
        failed = runner.finish()
        if failed is not None and record["messageId"] not in failed:
            self.world.queue.delete(record["receiptHandle"])
        return runner
