"""Variants that mistake what must be written before a send, or what became of it."""

from contextlib import suppress

from lambda_src.core.context import RecordKey
from lambda_src.core.ledger import Claim, ConditionFailed, Intent, SentRecord
from lambda_src.core.message import Answer
from lambda_src.core.ports import Conversations
from tests.faults.variants.around_conversations import AroundConversations


class Unannounced(AroundConversations):
    """Nothing is written before the send; the final write goes from `processing`.

    The table lets none do so, hence the announcement is made up for right before the final write.
    """

    def __init__(self, table: Conversations) -> None:
        super().__init__(table)
        self._owed: dict[RecordKey, tuple[Claim, Intent, Answer]] = {}

    def begin_send(self, claim: Claim, intent: Intent, answer: Answer) -> None:
        """Write nothing yet."""
        self._owed[claim.key] = (claim, intent, answer)

    def record_sent(self, key: RecordKey, sent: SentRecord) -> None:
        """Write the sid."""
        if owed := self._owed.get(key):
            with suppress(ConditionFailed):  # made up for already, or the record is another's
                super().begin_send(*owed)
        super().record_sent(key, sent)
        self._owed.pop(key, None)
