"""Dead letters of every kind, and what must become of each."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle, islice

from lambda_src.core.context import ContextObject, RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.errors import Step
from lambda_src.core.ledger import Claim, Failure, Intent, SentRecord
from lambda_src.services.dynamodb_service import ConversationsTable
from tests.services.channel import context, recipient_data
from tests.unit.fakes.writer import ANSWER

HOURS_AGO = time.time() - 7200
MENDED = ("--mended", "twilio_21606", "--mended", "consent_not_given")


@dataclass(frozen=True)
class World:
    """Where the records are made, by the runtime's own writes."""

    table: ConversationsTable
    context: ContextObject

    @property
    def claim(self) -> Claim:
        """A claim whose lease has long lapsed."""
        return Claim(self.context.key, "a worker", 1, HOURS_AGO + 80, HOURS_AGO)

    def take(self) -> None:
        """A worker took the conversation, and was never heard of again."""
        self.table.create(self.context, self.claim)

    def fail(self, status: Status, code: str) -> None:
        """A worker took it and put it down."""
        self.take()
        self.table.record_failure(self.claim, Failure(status, code, Step.SEND, "", HOURS_AGO))

    def reject(self) -> None:
        """It was refused before it was claimed."""
        failure = Failure(Status.FAILED, "consent_not_given", Step.PARSE, "", HOURS_AGO)
        self.table.record_rejection(self.context.key, failure, "req-0001", HOURS_AGO)

    def announce(self) -> None:
        """A send was announced."""
        self.take()
        self.table.begin_send(self.claim, Intent(HOURS_AGO, HOURS_AGO + 15), ANSWER)

    def send(self) -> None:
        """It was sent."""
        self.announce()
        sent = SentRecord("SM" + "0" * 32, ANSWER, HOURS_AGO, HOURS_AGO, 0)
        self.table.record_sent(self.context.key, sent)

    def lose(self) -> None:
        """Nobody knows whether it was sent."""
        self.announce()
        failure = Failure(Status.SEND_UNKNOWN, "not_found_at_vendor", Step.SETTLE, "", HOURS_AGO)
        everyone = RecordKey(self.context.key.primary_channel, "")
        (seen,) = (each for each in self.table.others(everyone) if each.key == self.context.key)
        self.table.declare_unknown(self.context.key, failure, seen)


@dataclass(frozen=True)
class Kind:
    """A state that a dead letter's conversation may be in.

    Attributes:
        make: Brings the conversation there.
        arrives: Whether its message arrives after a redrive, once.
        letters: How many letters of it there are.
    """

    make: Callable[[World], None]
    arrives: bool
    letters: int = 1


KINDS: Mapping[str, Kind] = {
    "untouched": Kind(lambda _: None, arrives=True),
    "copied": Kind(lambda _: None, arrives=True, letters=2),
    "waiting": Kind(lambda w: w.fail(Status.RETRY, "openai_500"), arrives=True),
    "lapsed": Kind(World.take, arrives=True),
    "mended": Kind(lambda w: w.fail(Status.FAILED, "twilio_21606"), arrives=True),
    "rejected": Kind(World.reject, arrives=True),
    "sent": Kind(World.send, arrives=False),
    "failed": Kind(lambda w: w.fail(Status.FAILED, "twilio_21211"), arrives=False),
    "unknown": Kind(World.lose, arrives=False),
}


@dataclass(frozen=True)
class Conversation:
    """One conversation whose letter is dead."""

    kind: str
    recipient: str
    body: str


def conversations(number: int) -> list[Conversation]:
    """As many conversations, of all kinds in turn, each recipient having several."""
    kinds = islice(cycle(KINDS), number)
    return [_conversation(kind, index) for index, kind in enumerate(kinds)]


def _conversation(kind: str, index: int) -> Conversation:
    recipient = f"+447700900{index // len(KINDS) % 1000:03}"
    body = context(
        lambda document: recipient_data(document).update(recipient_tel=recipient),
        conversation_id=f"{kind}-{index}",
    )
    return Conversation(kind, recipient, json.dumps(json.loads(body)))
