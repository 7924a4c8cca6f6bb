"""Variants that mistake when a delivery is at its end."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from lambda_src.core.batch import BatchHandler
from lambda_src.core.context import RecordKey
from lambda_src.core.delivery import Delivery
from lambda_src.core.errors import FinalUpdateFailed
from lambda_src.core.final_record import FinalRecord
from lambda_src.core.ledger import SentRecord


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
