"""Variants that mistake when a delivery is at its end."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from lambda_src.core.batch import BatchHandler
from lambda_src.core.context import RecordKey
from lambda_src.core.delivery import Delivery
from lambda_src.core.final_record import FinalRecord
from lambda_src.core.ledger import Claim, Failure, SentRecord
from lambda_src.core.send_errors import FinalUpdateFailed
from tests.faults.variants.around_conversations import AroundConversations


class FailedWriteIgnored(FinalRecord):
    """The message is sent, and that is what counts."""

    def write(self, key: RecordKey, sent: SentRecord, time_left: Callable[[], float]) -> None:
        """Record a sent message, if the table lets it."""
        with suppress(FinalUpdateFailed):
            super().write(key, sent, time_left)


class OptOutForgotten(AroundConversations):
    """An opt-out is a failure of its conversation like any other."""

    def record_failure(self, claim: Claim, failure: Failure) -> None:
        """Write `failed` or `retry`, and nothing else."""
        super().record_failure(claim, replace(failure, suppresses=False))


class FailuresNotReported(BatchHandler):
    """A mapping without `ReportBatchItemFailures` takes every batch for done."""

    def handle(self, deliveries: Sequence[Delivery]) -> list[str]:
        """Work on the deliveries."""
        super().handle(deliveries)
        return []
