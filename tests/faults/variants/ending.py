"""Variants that mistake when a delivery is at its end."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from lambda_src.core.batch import BatchHandler
from lambda_src.core.context import RecordKey
from lambda_src.core.contract import Status
from lambda_src.core.delivery import Delivery
from lambda_src.core.errors import FinalUpdateFailed, Step, TransientFailure
from lambda_src.core.final_record import FinalRecord
from lambda_src.core.ledger import Claim, Entry, Failure, SentRecord
from lambda_src.core.settlement import Settlement
from tests.faults.variants.around_conversations import AroundConversations


class FailedWriteIgnored(FinalRecord):
    """The message is sent, and that is what counts."""

    def write(self, key: RecordKey, sent: SentRecord, time_left: Callable[[], float]) -> None:
        """Record a sent message, if the table lets it."""
        with suppress(FinalUpdateFailed):
            super().write(key, sent, time_left)


class FailuresNotReported(BatchHandler):
    """A mapping without `ReportBatchItemFailures` takes every batch for done."""

    def handle(self, deliveries: Sequence[Delivery]) -> list[str]:
        """Work on the deliveries."""
        super().handle(deliveries)
        return []


class OthersIgnored(AroundConversations):
    """A message like ours that the vendor lists is ours."""

    def others(self, key: RecordKey) -> tuple[Entry, ...]:  # noqa: ARG002 - nobody is asked for
        """None."""
        return ()


class AbsentIsUnsent(Settlement):
    """What the vendor does not list, however often it is looked for, was not sent."""

    def _declare_unknown(
        self,
        delivery: Delivery,  # noqa: ARG002 - nobody is told
        entry: Entry,
    ) -> None:
        claim = Claim(entry.key, entry.owner, entry.attempt, 0.0, entry.created_at)
        failure = Failure(Status.RETRY, "not_found_at_vendor", Step.SETTLE, "", self.clock())
        self.conversations.record_failure(claim, failure)
        raise TransientFailure(failure.code, Step.SETTLE)
