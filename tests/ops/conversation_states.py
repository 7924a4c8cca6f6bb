"""Every state of a dead-letter message's conversation, and whether a redrive sends the message."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from lambda_src.core.contract import Status, Step
from lambda_src.core.ledger import Failure, Intent, Lease, SentRecord
from lambda_src.core.models import ContextObject, RecordKey
from lambda_src.services.dynamodb_service import ConversationsTable
from tests.support.fakes import ANSWER

HOURS_AGO = time.time() - 7200
FIXED_CAUSES = ("--fixed-cause", "twilio_21612", "--fixed-cause", "consent_not_given")


@dataclass(frozen=True)
class StateWriter:
    """Brings a conversation into a state, with the runtime's own writes."""

    table: ConversationsTable
    context: ContextObject

    @property
    def lease(self) -> Lease:
        """A lease that expired long ago."""
        return Lease(self.context.key, "a worker", 1, HOURS_AGO + 80, HOURS_AGO)

    def acquire(self) -> None:
        """A worker acquired the lease and died."""
        self.table.create(self.context, self.lease)

    def fail(self, status: Status, code: str) -> None:
        """A worker recorded a failure."""
        self.acquire()
        self.table.record_failure(self.lease, Failure(status, code, Step.SEND, "", HOURS_AGO))

    def reject(self) -> None:
        """The context object was rejected before a lease was acquired."""
        failure = Failure(Status.FAILED, "consent_not_given", Step.PARSE, "", HOURS_AGO)
        self.table.record_rejection(self.context.key, failure, "req-0001", HOURS_AGO)

    def send(self) -> None:
        """The message was sent and recorded."""
        self._record_intent()
        sent = SentRecord("SM" + "0" * 32, ANSWER, HOURS_AGO, HOURS_AGO, 0)
        self.table.record_sent(self.context.key, sent)

    def lose(self) -> None:
        """The outcome of the send is unknown."""
        self._record_intent()
        failure = Failure(Status.SEND_UNKNOWN, "not_found_at_vendor", Step.SETTLE, "", HOURS_AGO)
        all_records = self.table.related_records(RecordKey(self.context.key.primary_channel, ""))
        (found,) = (record for record in all_records if record.key == self.context.key)
        self.table.mark_unknown(self.context.key, failure, found)

    def _record_intent(self) -> None:
        self.acquire()
        self.table.record_intent(self.lease, Intent(HOURS_AGO, HOURS_AGO + 15), ANSWER)


@dataclass(frozen=True)
class State:
    """A state of a conversation.

    Attributes:
        write: Brings the conversation into the state.
        arrives: Whether a redrive with `FIXED_CAUSES` sends its message.
        copies: Number of its dead-letter messages.
    """

    write: Callable[[StateWriter], None]
    arrives: bool
    copies: int = 1


def _failed(status: Status, code: str) -> Callable[[StateWriter], None]:
    return partial(StateWriter.fail, status=status, code=code)


STATES: Mapping[str, State] = {
    "untouched": State(lambda _: None, arrives=True),
    "copied": State(lambda _: None, arrives=True, copies=2),
    "waiting": State(_failed(Status.RETRY, "openai_500"), arrives=True),
    "lapsed": State(StateWriter.acquire, arrives=True),
    "fixed": State(_failed(Status.FAILED, "twilio_21612"), arrives=True),
    "rejected": State(StateWriter.reject, arrives=True),
    "sent": State(StateWriter.send, arrives=False),
    "failed": State(_failed(Status.FAILED, "twilio_21211"), arrives=False),
    "unknown": State(StateWriter.lose, arrives=False),
}
