"""What comes to the queue, and how the queue delivers it."""

from collections.abc import Sequence
from dataclasses import dataclass

from lambda_src.core.context import RecordKey
from tests.faults.schedules.picking import Absent, pick
from tests.faults.schedules.reached import Reached
from tests.faults.schedules.sqs import QueueMessage
from tests.faults.schedules.surroundings import Surroundings
from tests.faults.schedules.workers import Workers
from tests.unit import contexts

RECIPIENTS = (contexts.RECIPIENT, contexts.RECIPIENT, "+15550100124")
"""Of each conversation: two are with the same person."""
KEYS = tuple(RecordKey(r, f"conversation-{number}") for number, r in enumerate(RECIPIENTS))


def _body(key: RecordKey) -> str:
    named = contexts.changed("conversation_data.conversation_id", key.conversation_id)
    path = "frontend_payload.recipient_data.recipient_tel"
    return contexts.body(contexts.changed(path, key.primary_channel, named))


BODIES = {key: _body(key) for key in KEYS}


@dataclass(frozen=True)
class Mail:
    """Brings the mail to the containers, each public method by an action of a schedule."""

    ACTIONS = ("arrive", "deliver", "duplicate", "overtake", "redrive")

    world: Surroundings
    workers: Workers

    def arrive(self, conversation: int) -> None:
        """A context object is enqueued, perhaps not for the first time."""
        key = pick(KEYS, conversation)
        self.world.witness.open(key)
        self.world.sqs.put(key, BODIES[key])

    def deliver(self, most: int) -> None:
        """A container gets the messages that waited longest, up to so many."""
        self._receive(self.world.sqs.visible[:most])

    def duplicate(self, which: int) -> None:
        """SQS delivers a message that is in flight, or was deleted, once more."""
        received = [m for m in self.world.sqs.messages if m.receives and not m.is_dead]
        self._receive([pick(received, which)])

    def overtake(self, worker: int) -> None:
        """SQS delivers a message that a container is at once more."""
        self._receive(pick(self.workers.busy, worker).messages[:1])

    def redrive(self, which: int) -> None:
        """A dead letter goes back to the queue."""
        self.world.sqs.redrive(pick(self.world.sqs.dead, which))
        self.world.witness.reached.add(Reached.REDRIVEN)

    def _receive(self, messages: Sequence[QueueMessage]) -> None:
        received = [m for m in messages if self.world.sqs.receive(m)]
        if len(received) < len(messages):
            self.world.witness.reached.add(Reached.DEAD_LETTER)
        if len(received) > 1:
            self.world.witness.reached.add(Reached.SEVERAL_IN_A_BATCH)
        if not received:
            raise Absent
        self.workers.begin(received)
