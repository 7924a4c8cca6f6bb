"""A Lambda container: the real core, stopped and let go on at each call that leaves it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from random import Random
from typing import TYPE_CHECKING, Any, cast

from greenlet import GreenletExit

from lambda_src.core.batch import BatchHandler
from lambda_src.core.context import RecordKey
from lambda_src.core.delivery import Delivery
from tests.faults.schedules.heart import INTERVAL, Heart
from tests.faults.schedules.pool import Pool
from tests.faults.schedules.sqs import QueueMessage
from tests.faults.schedules.stepped import OwnClock, Stepped
from tests.faults.schedules.surroundings import Late, Surroundings
from tests.faults.schedules.tasks import Author, Moment, Task, current
from tests.faults.schedules.troubles import Effect, Trouble
from tests.unit import contexts
from tests.unit.fakes.assembly import Assembly, SleepingClock
from tests.unit.fakes.secrets import FakeSecrets
from tests.unit.fakes.world import FUNCTION_TIMEOUT, TIMING

if TYPE_CHECKING:
    from lambda_src.core.ports import Conversations, Queue, Secrets, Sender, Writer

Alter = Callable[[BatchHandler], BatchHandler]
"""Makes a handler another one: a broken variant."""

parse = cache(contexts.parser)


class Container(Assembly):
    """Runs one batch at a time; a container that was killed takes no effect any more.

    Args:
        world: What it shares with the others.
        skew: Seconds by which its clock is ahead.
        alter: What is done to its handler.
    """

    def __init__(self, world: Surroundings, skew: float, alter: Alter) -> None:
        self.world = world
        self.is_dead = False
        self.ends_at = 0.0
        self.tasks: list[Task] = []
        self.heart: Heart | None = None
        self.messages: Sequence[QueueMessage] = ()
        self._authors: dict[str, Author] = {}
        self._invocation: Task | None = None
        self.clock: SleepingClock = OwnClock(self.call, world.clock, skew)
        self.timing = TIMING
        self.lease = world.lease
        self._put_together(alter)

    def _put_together(self, alter: Alter) -> None:
        world = self.world
        secrets = FakeSecrets()
        secrets.openai_keys.stored = world.secrets.openai_keys.stored
        secrets.twilio_credentials.stored = world.secrets.twilio_credentials.stored
        self.conversations = cast("Conversations", Stepped("conversations", world.table, self.call))
        self.secrets = cast("Secrets", Stepped("secrets", secrets, self.call))
        self.assistants = world.assistants
        self.writer = cast("Writer", Stepped("writer", world.ai, self.call))
        self.sender = cast("Sender", Stepped("sender", world.vendor, self.call))
        self.queue = cast("Queue", Stepped("queue", world.sqs, self.call))
        self._handler = alter(
            replace(
                self.batch(),
                parse=parse,
                pool=lambda _: Pool(self, world.witness.reached),
                random=Random(0),  # noqa: S311 - jitter, the same in every run
            )
        )

    def keeping(self, receipt_handles: Mapping[str, str]) -> Heart:
        """A heartbeat for the messages of a batch."""
        extend = cast("Any", self.queue).extend
        self.heart = Heart(receipt_handles, extend, self)
        return self.heart

    @property
    def is_busy(self) -> bool:
        """Whether a batch is being worked on."""
        return self._invocation is not None and not self._invocation.dead

    @property
    def ready(self) -> list[Task]:
        """The tasks that can go on."""
        return [task for task in self.tasks if task.is_ready]

    def is_at(self, key: RecordKey) -> bool:
        """Whether a conversation is worked on: in this batch, or left over of an earlier one."""
        is_in_batch = self.is_busy and any(author.key == key for author in self._authors.values())
        return is_in_batch or any(task.is_of(key) for task in self.tasks)

    @property
    def has_no_time(self) -> bool:
        """Whether Lambda's time for the batch is over."""
        return self.clock() >= self.ends_at

    def author_of(self, message_id: str) -> Author:
        """Whose work a message of the present batch is."""
        return self._authors[message_id]

    def begin(self, messages: Sequence[QueueMessage]) -> None:
        """Take a batch, just received."""
        self.ends_at = ends_at = self.clock() + FUNCTION_TIMEOUT
        self.tasks = [task for task in self.tasks if not task.dead]
        self.messages = messages
        self._authors = {m.message_id: Author(m.handle, m.key) for m in messages}

        def time_left() -> float:  # of this batch, also for what is left over of it
            return ends_at - self.clock()

        deliveries = [
            Delivery(m.message_id, m.handle, m.body, m.receives, m.handle, time_left)
            for m in messages
        ]
        self._invocation = self.spawn(partial(self._invoke, deliveries))

    def spawn(self, work: Callable[[], object], author: Author | None = None) -> Task:
        """Begin a task."""
        task = Task(work, author)
        self.tasks.append(task)
        return task

    def kill(self) -> None:
        """End the process, wherever it is."""
        self.is_dead = True
        for task in self.tasks:
            task.end()

    def check_alive(self) -> None:
        """Raise `GreenletExit` in a container that was killed."""
        if self.is_dead:
            raise GreenletExit

    def call(self, name: str, effect: "partial[Any]") -> Any:
        """Make a call that leaves the container, with what goes wrong with it."""
        task = current()
        self._stand(task, Moment.BEFORE, name)
        trouble, task.trouble = task.trouble or self.world.outage(name), None
        seen = self.world.witness.seen(name, task.author, effect)
        if name == "writer.write":
            self._beat_for(task, self.world.ai_seconds)
        try:
            return self._make(Late(name, task.author, seen), trouble) if trouble else seen()
        finally:
            self._stand(task, Moment.AFTER, name)

    def _beat_for(self, task: Task, seconds: float) -> None:
        """Let time pass for a task, while the heart beats."""
        ends_at = self.clock() + seconds
        while self.heart and self.clock() < ends_at:
            self.world.clock.advance(INTERVAL)
            self.heart.beat()
            task.wait_until(lambda: not (self.heart and self.heart.is_beating))

    def _stand(self, task: Task, moment: Moment, name: str) -> None:
        self.check_alive()
        task.stand(moment, name)

    def _make(self, call: Late, trouble: Trouble) -> Any:
        self.world.witness.troubled(call.author, trouble)
        match trouble.effect:
            case Effect.UNTOLD:
                with suppress(Exception):  # whatever the answer was, it is lost
                    call.effect()
            case Effect.LATE:
                self.world.late.append(call)
            case Effect.TWICE:
                with suppress(Exception):
                    call.effect()
                self._stand(current(), Moment.AFTER, call.call)
                return call.effect()
        if trouble.error:
            raise trouble.error()
        return None

    def _invoke(self, deliveries: list[Delivery]) -> None:
        failed = self._handler.handle(deliveries)
        for delivery in deliveries:
            # Nobody heeds the answer of a function whose time was over.
            if delivery.message_id not in failed and not self.has_no_time:
                handle = delivery.receipt_handle
                self.call("mapping.delete", partial(self.world.sqs.delete, handle))
