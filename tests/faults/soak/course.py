"""The course of a soak: trouble, then rest and a person on duty, until there is nothing to do."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.faults.soak.duty import Duty
from tests.faults.soak.gathering import Gathering
from tests.faults.soak.mail import LARGEST_BATCH, Mail
from tests.faults.soak.mischief import TOO_LATE, Mischief
from tests.faults.soak.pace import CONCURRENCY, mapping_paused
from tests.faults.soak.plan import Arrival, Plan
from tests.faults.soak.trouble import Trouble
from tests.faults.soak.workers import Workers

if TYPE_CHECKING:
    from local.vendors import StandIns
    from local.world import World
    from tests.faults.soak.facts import Facts

OnProgress = Callable[[int, int], None]
"""Told how many of the queue messages are off the queue, and how many there are."""

LOOK_SECONDS = 0.5
QUIET_SECONDS = TOO_LATE + 2
"""After so long without a message on the queue, no worker and no vendor is at it any more."""
PATIENCE_SECONDS = 400.0
ROUNDS = 4
LATE_DUPLICATES = CONCURRENCY * LARGEST_BATCH
"""A whole batch for each process, so that each also gives out its last lines of log."""


@dataclass(frozen=True)
class Rest:
    """Everything as it stood at one moment, nothing being under way.

    Attributes:
        at: the moment, in seconds since the epoch.
        facts: of every conversation, but for what the log says.
    """

    at: float
    facts: "list[Facts]"


class Course:
    """A soak through a local cloud that nothing else uses.

    Args:
        world: the local cloud.
        vendors: its stand-ins.
        plan: what is to happen.
        on_progress: told how far it is.

    Attributes:
        mischief: what went wrong with vendors and table.
        workers: what befell the function's processes.
        duty: what the person on duty did.
    """

    def __init__(
        self, world: "World", vendors: "StandIns", plan: Plan, on_progress: OnProgress
    ) -> None:
        self._world = world
        self._plan = plan
        self._on_progress = on_progress
        self._mail = Mail(
            world.aws.sqs, world.resources.queue_url, world.resources.dead_letter_queue_url
        )
        self._gathering = Gathering(world, vendors, self._mail)
        self.mischief = Mischief(vendors, world.gateway, plan)
        self.workers = Workers(world.ministack.pid, urlsplit(world.aws.endpoint).port or 0)
        self.duty = Duty(world, self._mail)
        self._trouble = Trouble(plan, self.workers, self.mischief, vendors, world.gateway)

    def rests(self) -> list[Rest]:
        """Run it, and return everything at each rest; the last is when all is over.

        Raises:
            NotAtRestError: messages stayed on the queue for minutes after the last fault.
        """
        with self._trouble:
            self._put(self._plan.arrivals)
            self._await_trouble()
        rests = [self._rest()]
        while self.duty.attend(self._plan.conversations, rests[-1].facts) and len(rests) < ROUNDS:
            rests.append(self._rest())
        self._put(self._late_duplicates(rests[-1].facts), is_followed=False)
        return [*rests, self._rest()]

    def _put(self, arrivals: Sequence[Arrival], *, is_followed: bool = True) -> None:
        with mapping_paused(self._world):
            self._mail.put(arrivals, is_followed=is_followed)

    def _await_trouble(self) -> None:
        while (waiting := self._mail.waiting()) and not self._trouble.is_over:
            self._tell(waiting)
            time.sleep(LOOK_SECONDS)

    def _rest(self) -> Rest:
        self._mail.await_rest(quiet=QUIET_SECONDS, patience=PATIENCE_SECONDS, tell=self._tell)
        now = time.time()
        return Rest(now, self._gathering.facts(self._plan.conversations, self.duty.releases))

    def _late_duplicates(self, facts: "list[Facts]") -> list[Arrival]:
        sent = {one.conversation_id for one in facts if one.sids}
        again = [c for c in self._plan.conversations if c.conversation_id in sent]
        return [
            Arrival(conversation, 0, is_duplicate=True)
            for conversation in itertools.islice(itertools.cycle(again), LATE_DUPLICATES)
        ]

    def _tell(self, waiting: int) -> None:
        arrivals = len(self._plan.arrivals)
        self._on_progress(max(0, arrivals - waiting), arrivals)
