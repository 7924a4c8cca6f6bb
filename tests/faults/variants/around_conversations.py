"""Something put around the conversations table, which passes every call on as it is."""

from lambda_src.core.context import ContextObject, RecordKey
from lambda_src.core.ledger import Claim, Entry, Failure, Intent, SentRecord
from lambda_src.core.message import Answer
from lambda_src.core.ports import Conversations


class AroundConversations(Conversations):
    """Implements the port `Conversations` by `table`; variants break one call of it."""

    def __init__(self, table: Conversations) -> None:
        self.table = table

    def create(self, context: ContextObject, claim: Claim) -> None:
        """Write the first record."""
        self.table.create(context, claim)

    def take_over(self, claim: Claim, seen: Entry) -> None:
        """Hold a record as it was seen."""
        self.table.take_over(claim, seen)

    def renew(self, claim: Claim, expires_at: float) -> None:
        """Extend the lease."""
        self.table.renew(claim, expires_at)

    def store_answer(self, claim: Claim, answer: Answer) -> None:
        """Keep the AI's answer."""
        self.table.store_answer(claim, answer)

    def begin_send(self, claim: Claim, intent: Intent, answer: Answer) -> None:
        """Announce the send."""
        self.table.begin_send(claim, intent, answer)

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the sid."""
        self.table.record_sent(key, sent)

    def record_failure(self, claim: Claim, failure: Failure) -> None:
        """Write `failed` or `retry`."""
        self.table.record_failure(claim, failure)

    def record_rejection(
        self, key: RecordKey, failure: Failure, request_id: str | None, asked_at: float
    ) -> None:
        """Write `failed` for a refused context object."""
        self.table.record_rejection(key, failure, request_id, asked_at)

    def turn_away(self, seen: Entry, failure: Failure) -> None:
        """Write `failed` over a record as it was seen."""
        self.table.turn_away(seen, failure)

    def count_look(self, key: RecordKey, seen: Entry) -> None:
        """Count one more look."""
        self.table.count_look(key, seen)

    def declare_unknown(self, key: RecordKey, failure: Failure, seen: Entry) -> None:
        """Write `send_unknown`."""
        self.table.declare_unknown(key, failure, seen)

    def others(self, key: RecordKey) -> tuple[Entry, ...]:
        """The recipient's other conversations."""
        return self.table.others(key)
