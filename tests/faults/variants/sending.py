"""Variants that mistake what must stand written, or hold, before a message is sent."""

from collections.abc import Callable
from contextlib import suppress

from lambda_src.core.context import ContextObject, RecordKey
from lambda_src.core.drafting import Drafting
from lambda_src.core.ledger import Claim, ConditionFailed, Intent, SentRecord
from lambda_src.core.message import Answer
from lambda_src.core.ports import Conversations, Credentials
from lambda_src.core.sending import Sending
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


class AnswerNotUsed(Drafting):
    """The AI is asked each time, whatever the record holds."""

    def draft(
        self,
        context: ContextObject,
        kept: Answer | None,  # noqa: ARG002 - that it is not used is the mistake
        time_left: Callable[[], float],
        check_lease: Callable[[], None],
    ) -> tuple[Credentials, Answer]:
        """Return the credentials to send with, and the answer to send."""
        return super().draft(context, None, time_left, check_lease)


class Unhurried(Sending):
    """A worker that was held up between its announcement and the send goes on."""

    def _is_stalled(self, intent: Intent) -> bool:  # noqa: ARG002 - the intent's age is not asked
        return False
