"""One batch: all messages concurrently, each fails independently, none is forgotten."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from random import Random
from typing import Any, TypeVar

from lambda_src.core import time_budget
from lambda_src.core.contract import ENDS, Kind, LogEvent, Metric, Step
from lambda_src.core.deadlines import map_with_deadline, thread_pool
from lambda_src.core.errors import (
    ProcessingError,
    RecipientErased,
    RejectedContext,
    UnrecognizedRecord,
    unexpected_error,
)
from lambda_src.core.flow import MessageFlow
from lambda_src.core.log import (
    LOG_FIELDS,
    insufficient_time,
    log_failure,
    log_unfinished,
)
from lambda_src.core.models import ContextObject, Delivery, Outcome
from lambda_src.core.ports import Clock, Heartbeat, Metrics, Queue
from lambda_src.core.retry import SYSTEM_RANDOM, schedule_redelivery

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_REQUEST_AGE_SECONDS = 2 * 14 * 86_400
"""A queue and its dead-letter queue keep a message for 14 days each: no request is older."""

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


@dataclass(frozen=True, slots=True)
class BatchHandler:
    """Processes every delivery of a batch, up to `max_concurrency` of them at once.

    Attributes:
        queue: The channel's queue.
        heartbeat: Makes a heartbeat, not yet started, for messages given as message id → receipt
            handle.
        parse: Parses a message body.
        flow: Processes one message.
        metrics: Receives the batch's numbers.
        clock: Returns the time in epoch seconds.
        max_concurrency: Messages processed at once.
        backoff_base: First backoff delay in seconds.
        pool: Makes an executor for that many messages; simulations replace it.
        random: Source of the backoff's jitter; simulations replace it.
    """

    queue: Queue
    heartbeat: Callable[[Mapping[str, str]], Heartbeat]
    parse: Callable[[str], ContextObject]
    flow: MessageFlow
    metrics: Metrics
    clock: Clock
    max_concurrency: int
    backoff_base: float
    pool: Callable[[int], Executor] = thread_pool
    random: Random = SYSTEM_RANDOM

    def handle_event(self, event: Mapping[str, Any], remaining_ms: int) -> dict[str, Any]:
        """Process an SQS event.

        Args:
            event: An SQS event.
            remaining_ms: Milliseconds until Lambda ends the function.

        Returns:
            `{"batchItemFailures": [{"itemIdentifier": messageId}, …]}`, the messages that must not
            be deleted.
        """
        deadline = self.clock() + remaining_ms / 1000
        deliveries = [Delivery.from_record(record, deadline) for record in event["Records"]]
        failed = self.handle(deliveries)
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

    def handle(self, deliveries: Sequence[Delivery]) -> list[str]:
        """Return the ids of the messages that must not be deleted, in the batch's order."""
        log.info("received", extra={"event": LogEvent.BATCH_RECEIVED, "messages": len(deliveries)})
        heartbeat_failures: frozenset[str] = frozenset()
        if all(map(self._has_time, deliveries)):
            results, heartbeat_failures = self._process_with_heartbeat(deliveries)
        else:  # too late for a heartbeat to stop in time
            results = {d.message_id: insufficient_time(d) for d in deliveries}
        errors = {id_: end for id_, end in results.items() if isinstance(end, ProcessingError)}
        if errors:
            schedule_redelivery(
                deliveries, errors, self.backoff_base, self.random, self._change_visibility
            )
        failed = [
            d.message_id
            for d in deliveries
            if d.message_id in errors or d.message_id in heartbeat_failures
        ]
        log.info(
            "finished",
            extra={
                "event": LogEvent.BATCH_FINISHED,
                "messages": len(deliveries),
                "failed": len(failed),
            },
        )
        self.metrics.publish(*_count_results(deliveries, results, len(heartbeat_failures)))
        return failed

    def _process_with_heartbeat(
        self, deliveries: Sequence[Delivery]
    ) -> tuple[dict[str, Result], frozenset[str]]:
        heartbeat = self.heartbeat({d.message_id: d.receipt_handle for d in deliveries})
        heartbeat.start()
        try:
            results = self._process_all(deliveries, heartbeat)
        finally:
            heartbeat_failures = heartbeat.stop()
        return results, heartbeat_failures

    def _process_all(
        self, deliveries: Sequence[Delivery], heartbeat: Heartbeat
    ) -> dict[str, Result]:
        started: set[str] = set()
        results: dict[str, Result] = {}

        def process(delivery: Delivery) -> None:
            started.add(delivery.message_id)
            results[delivery.message_id] = self._process_message(delivery, heartbeat)

        # Messages with the fewest deliveries left start first: a final one must not be too late.
        by_urgency = sorted(deliveries, key=lambda delivery: -delivery.receive_count)
        self._map(
            process, by_urgency, self._seconds_left(deliveries, time_budget.HARD_STOP_SECONDS)
        )
        finished = dict(results)
        if len(finished) == len(deliveries):
            return finished
        return {**finished, **log_unfinished(deliveries, started, finished)}

    def _process_message(self, delivery: Delivery, heartbeat: Heartbeat) -> Result:
        if not self._has_time(delivery):
            return insufficient_time(delivery)
        token = LOG_FIELDS.set({"sqs_message_id": delivery.message_id})
        try:
            return self._parse_and_process(delivery, heartbeat)
        except Exception as raised:  # noqa: BLE001 - one message must never fail the batch
            error = unexpected_error(raised, delivery.step)
            log_failure(error, delivery)
            return error
        finally:
            LOG_FIELDS.reset(token)

    def _parse_and_process(self, delivery: Delivery, heartbeat: Heartbeat) -> Outcome:
        try:
            context = self.parse(delivery.body)
        except RejectedContext as rejected:
            conversation_id = rejected.key.conversation_id if rejected.key else ""
            self._add_log_fields(delivery, conversation_id, rejected.request_id)
            self.flow.reject(delivery, rejected)
            raise
        self._add_log_fields(delivery, context.key.conversation_id, context.request_id)
        outcome = self.flow.process(delivery, context, heartbeat)
        if outcome is Outcome.SENT and context.requested_at is not None:
            seconds = self.clock() - context.requested_at
            if 0 <= seconds <= MAX_REQUEST_AGE_SECONDS:
                self.metrics.record({Metric.END_TO_END_SECONDS: seconds})
        if outcome is Outcome.ALREADY_PROCESSED:
            log.warning("already processed", extra={"event": LogEvent.ALREADY_PROCESSED})
        return outcome

    def _add_log_fields(
        self, delivery: Delivery, conversation_id: str, request_id: str | None
    ) -> None:
        fields = {"sqs_message_id": delivery.message_id}
        if conversation_id:
            fields["conversation_id"] = conversation_id
        if request_id:
            fields["request_id"] = request_id
        LOG_FIELDS.set(fields)

    def _change_visibility(self, delays: Mapping[str, int], deadline: float) -> bool:
        seconds = deadline - self.clock() - time_budget.MARGIN_SECONDS
        return self._map(self.queue.change_visibility, [delays], seconds)

    def _map(self, work: Callable[[T], object], items: Sequence[T], seconds: float) -> bool:
        workers = max(1, min(self.max_concurrency, len(items)))
        return map_with_deadline(seconds, work, items, self.pool(workers))

    def _seconds_left(self, deliveries: Sequence[Delivery], reserve: float) -> float:
        deadline = min((delivery.deadline for delivery in deliveries), default=0.0)
        return deadline - self.clock() - reserve

    def _has_time(self, delivery: Delivery) -> bool:
        return delivery.deadline - self.clock() >= time_budget.MIN_START_SECONDS


def _count_results(
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
