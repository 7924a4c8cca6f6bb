"""What became of a batch's deliveries, as numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lambda_src.core.delivery import Delivery
from lambda_src.core.errors import ProcessingError, RecipientErased, RecordForeign
from lambda_src.core.flow import Outcome
from lambda_src.core.metric_names import ENDS, Kind, Metric
from lambda_src.core.ports import Clock, Metrics
from lambda_src.core.rejection import RejectedContext

Result = Outcome | ProcessingError
"""How the work on one delivery ended."""

_DAY_SECONDS = 86_400
OLDEST_REQUEST_SECONDS = 2 * 14 * _DAY_SECONDS
"""A queue and its dead-letter queue keep a message for 14 days each: no request gets older."""

_OF_OUTCOMES = {
    Outcome.SENT: Metric.MESSAGES_SENT,
    Outcome.SETTLED: Metric.MESSAGES_SETTLED,
    Outcome.ALREADY_PROCESSED: Metric.MESSAGES_REPEATED,
}
_OF_KINDS = {
    Kind.PERMANENT: Metric.MESSAGES_FAILED,
    Kind.USED_UP: Metric.MESSAGES_FAILED,
    Kind.UNKNOWN: Metric.MESSAGES_UNKNOWN,
    Kind.ENDED: Metric.MESSAGES_REPEATED,
}
"""Of failures after which a message is given up; it is delivered again after any other."""
_REFUSED_EACH_TIME = (RejectedContext, RecordForeign, RecipientErased)


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts each delivery of a batch once, by how it ended."""

    metrics: Metrics
    clock: Clock

    def publish(
        self, deliveries: Sequence[Delivery], results: Mapping[str, Result], *, unkept: int
    ) -> None:
        """Count a batch and publish it: zeros too, so that graphs and alarms have no gaps.

        Args:
            deliveries: The batch.
            results: How the work on each ended, by message id.
            unkept: For how many of them the heartbeat failed.
        """
        self.metrics.count(Metric.MESSAGES_RECEIVED, len(deliveries))
        self.metrics.count(Metric.HEARTBEAT_FAILURES, unkept)
        for end in ENDS:
            self.metrics.count(end, 0)
        for delivery in deliveries:
            self._count(delivery, results[delivery.message_id])
        self.metrics.publish()

    def measure_since(self, requested_at: float | None) -> None:
        """Measure the time from the router's request until now, when the message is sent.

        A request without a time, or with one that cannot be true, is left out.
        """
        if requested_at is None:
            return
        seconds = self.clock() - requested_at
        if 0 <= seconds <= OLDEST_REQUEST_SECONDS:
            self.metrics.measure(Metric.END_TO_END_SECONDS, seconds)

    def _count(self, delivery: Delivery, result: Result) -> None:
        end = _end(delivery, result)
        self.metrics.count(end)
        if isinstance(result, ProcessingError) and end is not Metric.MESSAGES_REPEATED:
            self.metrics.count_failure(result.step, result.kind)


def _end(delivery: Delivery, result: Result) -> Metric:
    if isinstance(result, Outcome):
        return _OF_OUTCOMES[result]
    if isinstance(result, _REFUSED_EACH_TIME) and delivery.receive_count > 1:
        return Metric.MESSAGES_REPEATED  # its first delivery was counted as failed
    return _OF_KINDS.get(result.kind, Metric.MESSAGES_RETRIED)
