"""A batch's metrics: each delivery is counted once, by its result."""

from collections import Counter
from collections.abc import Mapping, Sequence

from lambda_src.core.contract import ENDS, Kind, Metric, Step
from lambda_src.core.errors import (
    ProcessingError,
    RecipientErased,
    RejectedContext,
    UnrecognizedRecord,
)
from lambda_src.core.models import Delivery, Outcome

Result = Outcome | ProcessingError
"""The result of one delivery."""

_METRIC_OF_OUTCOME = {
    Outcome.SENT: Metric.MESSAGES_SENT,
    Outcome.SETTLED: Metric.MESSAGES_SETTLED,
    Outcome.ALREADY_PROCESSED: Metric.MESSAGES_REPEATED,
    Outcome.HELD: Metric.MESSAGES_HELD,
}
_METRIC_OF_KIND = {
    Kind.PERMANENT: Metric.MESSAGES_FAILED,
    Kind.USED_UP: Metric.MESSAGES_FAILED,
    Kind.UNKNOWN: Metric.MESSAGES_UNKNOWN,
    Kind.ENDED: Metric.MESSAGES_REPEATED,
}
"""Failures after which the message is not attempted again; all others count as retried."""
_REJECTED_AT_EACH_DELIVERY = (RejectedContext, UnrecognizedRecord, RecipientErased)


def count_results(
    deliveries: Sequence[Delivery], results: Mapping[str, Result], heartbeat_failures: int
) -> tuple[dict[Metric, int], dict[tuple[Step, Kind], int]]:
    """Return the numbers of a batch by metric, and its failures by step and kind.

    Zeros are included, so that graphs and alarms have no gaps.

    Args:
        deliveries: The batch.
        results: The result of each delivery, by message id.
        heartbeat_failures: Number of messages for which the heartbeat failed.
    """
    counts: Counter[Metric] = Counter(dict.fromkeys(ENDS, 0))
    counts[Metric.MESSAGES_RECEIVED] = len(deliveries)
    counts[Metric.HEARTBEAT_FAILURES] = heartbeat_failures
    failures: Counter[tuple[Step, Kind]] = Counter()
    for delivery in deliveries:
        result = results[delivery.message_id]
        metric = _metric_of(delivery, result)
        counts[metric] += 1
        if isinstance(result, ProcessingError) and metric is not Metric.MESSAGES_REPEATED:
            failures[result.step, result.kind] += 1
    return dict(counts), dict(failures)


def _metric_of(delivery: Delivery, result: Result) -> Metric:
    if isinstance(result, Outcome):
        return _METRIC_OF_OUTCOME[result]
    if isinstance(result, _REJECTED_AT_EACH_DELIVERY) and delivery.receive_count > 1:
        return Metric.MESSAGES_REPEATED  # the first delivery was counted as failed
    return _METRIC_OF_KIND.get(result.kind, Metric.MESSAGES_RETRIED)
