"""The events worker: records what the vendor reports about messages that it accepted.

An event is a status callback, which is verified, an event that the vendor itself puts on the queue,
or a request to look a message up at the vendor.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar
from urllib.parse import urlsplit

from lambda_src.core import time_budget
from lambda_src.core.contract import (
    LOOKUP_DELAYS_SECONDS,
    DropReason,
    Kind,
    LogEvent,
    Metric,
    Status,
    Step,
)
from lambda_src.core.deadlines import map_with_deadline, thread_pool
from lambda_src.core.delivery.status import (
    FAILURES,
    NOT_LOOKED_UP,
    EventAction,
    advance,
    event_action,
    is_known,
    next_lookup,
    reached,
)
from lambda_src.core.errors import (
    AccountRefused,
    ConfigurationRefused,
    CredentialsRefused,
    PermanentFailure,
    ProcessingError,
    RecipientOptedOut,
    TransientFailure,
    UnrecognizedRecord,
    unexpected_error,
)
from lambda_src.core.ledger import (
    ConditionFailed,
    DeliveryChange,
    DeliveryRecord,
    DeliveryReport,
    DeliveryState,
    DeliveryStore,
    ProvenSend,
)
from lambda_src.core.log import LOG_FIELDS, log_failure, log_unfinished
from lambda_src.core.models import (
    Callback,
    Delivery,
    DeliveryEvent,
    RecordKey,
    callback_path,
    decode_reference,
)
from lambda_src.core.ports import (
    Callbacks,
    Clock,
    Credentials,
    Metrics,
    Queue,
    Secrets,
    StatusLookup,
    VendorEvents,
)
from lambda_src.core.retry import SYSTEM_RANDOM, schedule_redelivery

log = logging.getLogger(__name__)

MIN_REFRESH_SECONDS = 60.0
"""A secret is read past the cache at most once in this time because of events that do not match it:
anyone can send such events."""
MAX_CONFLICTS = 5
"""Lost races for a record after which an event is delivered again."""
LAST_ANSWER_SECONDS = LOOKUP_DELAYS_SECONDS[-1] + 86_400
"""After a send. A lookup that the vendor has not answered by then is not repeated."""
LATEST = 10.0**11
"""Epoch seconds above which a number is no time."""
COMPLAINT = "complaint"
"""Failure code of a suppression after a complaint."""

T = TypeVar("T")


class EventDropped(Exception):
    """An event that changes nothing and is not delivered again."""

    def __init__(self, reason: DropReason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class CallbackAddress:
    """What the path of a callback's URL names: a conversation and one of its intents."""

    conversation_id: str
    intent_id: str


@dataclass(frozen=True, slots=True)
class EventResult:
    """What an event counts in."""

    metrics: Sequence[Metric] = ()
    failure: Kind | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """What the vendor reports, and the error if it is a failure."""

    event: DeliveryEvent
    report: DeliveryReport
    error: ProcessingError | None
    is_lookup: bool = False


@dataclass(frozen=True, slots=True)
class EventRecorder:
    """Records what one event reports: verified, or looked up, with the record's credentials.

    Attributes:
        channel: The channel's name.
        store: The conversations table.
        secrets: The channel's secrets.
        clock: Returns the time in epoch seconds.
        callbacks: The vendor's status callbacks; None: the channel has none.
        vendor_events: The vendor's events on the queue; None: there are none.
        lookup: Asks the vendor for a status; None: the channel's vendor has no lookup.
    """

    channel: str
    store: DeliveryStore
    secrets: Secrets
    clock: Clock
    callbacks: Callbacks | None = None
    vendor_events: VendorEvents | None = None
    lookup: StatusLookup | None = None
    _refreshed: dict[str, float] = field(default_factory=dict)

    def record(self, delivery: Delivery) -> EventResult:
        """Record an event.

        Raises:
            EventDropped: It is unreadable, not authentic, or about no message of ours.
            ProcessingError: AWS did not answer, or the vendor a lookup; the event is to be
                delivered again.
        """
        match parse_event(delivery.body):
            case Callback() as callback if self.callbacks:
                return self._record_callback(callback, self.callbacks, delivery)
            case RecordKey() as key:
                return self._look_up(key, delivery)
            case dict() as document if self.vendor_events:
                return self._record_vendor_event(document, self.vendor_events, delivery)
        raise EventDropped(DropReason.UNREADABLE)

    def _record_callback(
        self, callback: Callback, callbacks: Callbacks, delivery: Delivery
    ) -> EventResult:
        address = parse_address(callback.url, self.channel)
        event = callbacks.read(callback)
        if event is None:
            raise EventDropped(DropReason.UNREADABLE)
        found = self._find(RecordKey(event.recipient, address.conversation_id), delivery)
        delivery.step = Step.SECRETS
        self._verify(callback, callbacks, found.credentials_reference)
        delivery.step = Step.DELIVERY
        reported = _reported(event, callback.received_at, callbacks)
        return self._record_report(found, address.intent_id, reported, delivery)

    def _record_vendor_event(
        self, document: Mapping[str, Any], vendor_events: VendorEvents, delivery: Delivery
    ) -> EventResult:
        read = vendor_events.read(document)
        if read is None:
            raise EventDropped(DropReason.UNREADABLE)
        found = self._find(RecordKey(read.event.recipient, read.conversation_id), delivery)
        if read.opted_out:
            _drop_or_alarm(
                found,
                event_action(found, read.intent_id, read.event.vendor_id),
                read.event.vendor_id,
            )
            self.store.suppress(read.event.recipient, COMPLAINT, read.at)
            log.info(
                "the recipient is suppressed",
                extra={
                    "event": LogEvent.DELIVERY_RECORDED,
                    "message_sid": read.event.vendor_id,
                    "reported_status": COMPLAINT,
                },
            )
            return EventResult()
        reported = _reported(read.event, read.at, vendor_events)
        return self._record_report(found, read.intent_id, reported, delivery)

    def _record_report(
        self, found: DeliveryRecord, intent_id: str, reported: Reported, delivery: Delivery
    ) -> EventResult:
        def apply(found: DeliveryRecord) -> EventResult:
            action = event_action(found, intent_id, reported.event.vendor_id)
            return self._apply(found, action, reported, delivery)

        return self._until_unchanged(found, apply)

    def _look_up(self, key: RecordKey, delivery: Delivery) -> EventResult:
        _log_conversation(key)  # our own request, whether or not the table answers
        found = self._find(key, delivery)
        vendor_id = found.ledger.vendor_id
        if not self._is_due(found):  # answered since, or the request came twice
            return EventResult()
        if found.ledger.status is not Status.SENT or found.delivery.status in NOT_LOOKED_UP:
            self._schedule_lookup(found, None)  # another program changed the record
            return EventResult()
        try:
            reported = self._ask(found, delivery)
        except EventDropped:
            # Not repeated at once: requests for one tenant would keep the others' from the queue.
            self._schedule_lookup(found, next_lookup(found.sent_at, self.clock()))
            raise

        def apply(found: DeliveryRecord) -> EventResult:
            if not self._is_due(found) or found.ledger.vendor_id != vendor_id:
                return EventResult()
            return self._apply(found, EventAction.ADVANCE, reported, delivery)

        return self._until_unchanged(found, apply)

    def _is_due(self, found: DeliveryRecord) -> bool:
        return found.lookup_at is not None and found.lookup_at <= self.clock()

    def _ask(self, found: DeliveryRecord, delivery: Delivery) -> Reported:
        lookup, vendor_id = self.lookup, found.ledger.vendor_id
        if lookup is None:
            raise EventDropped(DropReason.LOOKUP_FAILED)
        reference = found.credentials_reference
        try:
            try:
                event = lookup.look_up(self._credentials(reference), vendor_id)
            except CredentialsRefused:
                event = lookup.look_up(self._fresh_credentials(reference), vendor_id)
        except EventDropped:
            raise
        except (AccountRefused, PermanentFailure) as refused:
            log_failure(refused, delivery, "not looked up")
            raise EventDropped(DropReason.LOOKUP_FAILED) from refused
        except Exception as failed:
            if self.clock() < found.sent_at + LAST_ANSWER_SECONDS:
                raise
            raise EventDropped(DropReason.LOOKUP_FAILED) from failed
        if event is None:
            raise EventDropped(DropReason.MESSAGE_UNKNOWN)
        return _reported(event, self.clock(), lookup, is_lookup=True)

    def _schedule_lookup(self, found: DeliveryRecord, at: float | None) -> None:
        try:
            self.store.schedule_lookup(found, at)
        except ConditionFailed:
            log.debug("another event has changed when the vendor is asked")

    def _until_unchanged(
        self, found: DeliveryRecord, apply: Callable[[DeliveryRecord], EventResult]
    ) -> EventResult:
        for _ in range(MAX_CONFLICTS):
            try:
                return apply(found)
            except ConditionFailed:
                found = self._read(found.ledger.key)
        raise TransientFailure("delivery_contended", Step.DELIVERY)

    def _find(self, key: RecordKey, delivery: Delivery) -> DeliveryRecord:
        delivery.step = Step.DELIVERY
        found = self._read(key)
        _log_conversation(key)
        return found

    def _read(self, key: RecordKey) -> DeliveryRecord:
        try:
            found = self.store.read_delivery(key)
        except UnrecognizedRecord as error:
            raise EventDropped(DropReason.RECORD_FOREIGN) from error
        if found is None:
            raise EventDropped(DropReason.NO_RECORD)
        if found.ledger.channel != self.channel:
            raise EventDropped(DropReason.OTHER_CHANNEL)
        return found

    def _verify(self, callback: Callback, callbacks: Callbacks, reference: str) -> None:
        if callbacks.verify(self._credentials(reference), callback) is None:
            return
        reason = callbacks.verify(self._fresh_credentials(reference), callback)
        if reason is not None:
            raise EventDropped(reason)

    def _fresh_credentials(self, reference: str) -> Credentials:
        # After a rotation the cached secret is the old one. If another event has had it read
        # again, the cache has the new one.
        is_due = self.clock() - self._refreshed.get(reference, 0.0) >= MIN_REFRESH_SECONDS
        credentials = self._credentials(reference, fresh=is_due)
        if is_due:
            self._refreshed[reference] = self.clock()
        return credentials

    def _credentials(self, reference: str, *, fresh: bool = False) -> Credentials:
        try:  # an empty reference is refused, unless the channel has no credentials
            return self.secrets.credentials(reference, fresh=fresh)
        except (ConfigurationRefused, PermanentFailure) as error:
            raise EventDropped(DropReason.NO_CREDENTIALS) from error

    def _apply(
        self,
        found: DeliveryRecord,
        action: EventAction,
        reported: Reported,
        delivery: Delivery,
    ) -> EventResult:
        event, report, error = reported.event, reported.report, reported.error
        opted_out = error.code if isinstance(error, RecipientOptedOut) else ""
        _drop_or_alarm(found, action, event.vendor_id)
        if action is EventAction.SUSPECT_SECOND_MESSAGE:
            if opted_out:
                self.store.suppress(event.recipient, opted_out, report.at)
            return EventResult()
        proven = None if action is EventAction.ADVANCE else _proven_send(found, event.vendor_id)
        state = advance(found.delivery, report)
        # A duplicate must not suppress a recipient again whom an operator has allowed.
        is_news = proven is not None or not is_known(found.delivery, report)
        if is_news or reported.is_lookup:
            lookup_at = self._lookup_at(found, state, proven, is_lookup=reported.is_lookup)
            suppressed_for = opted_out if is_news else ""
            change = DeliveryChange(state, self.clock(), proven, suppressed_for, lookup_at)
            self._write(found, event, report, change)
        return self._result(found.delivery, state, error, delivery)

    def _lookup_at(
        self,
        found: DeliveryRecord,
        state: DeliveryState,
        proven: ProvenSend | None,
        *,
        is_lookup: bool,
    ) -> float | None:
        if self.lookup is None or state.status in NOT_LOOKED_UP:
            return None
        if is_lookup:
            return next_lookup(found.sent_at, self.clock())
        return proven.sent_at + LOOKUP_DELAYS_SECONDS[0] if proven else found.lookup_at

    def _write(
        self,
        found: DeliveryRecord,
        event: DeliveryEvent,
        report: DeliveryReport,
        change: DeliveryChange,
    ) -> None:
        state = change.state
        if state != found.delivery or change.proven:
            self.store.record_delivery(found, change)
        else:
            if change.lookup_at != found.lookup_at:
                self._schedule_lookup(found, change.lookup_at)
            if change.suppressed_for:
                recipient = found.ledger.key.primary_channel
                self.store.suppress(recipient, change.suppressed_for, change.at)
        log.info(
            "recorded",
            extra={
                "event": LogEvent.DELIVERY_RECORDED,
                "message_sid": event.vendor_id,
                "reported_status": report.status,
                "delivery_status": state.status,
                "delivery_error_code": state.error_code,
                "proves_send": change.proven is not None,
            },
        )

    def _result(
        self,
        before: DeliveryState,
        after: DeliveryState,
        error: ProcessingError | None,
        delivery: Delivery,
    ) -> EventResult:
        metrics = reached(before.status, after.status)
        is_news = (before.status, before.error_code) != (after.status, after.error_code)
        if error is None or not is_news:
            return EventResult(metrics)
        if error.alarm:  # other messages fail as well until an operator acts
            log_failure(error, delivery, "not delivered")
        is_first = before.status not in FAILURES
        return EventResult(metrics, error.kind if is_first else None)


def _log_conversation(key: RecordKey) -> None:
    LOG_FIELDS.set({**LOG_FIELDS.get({}), "conversation_id": key.conversation_id})


def _drop_or_alarm(found: DeliveryRecord, action: EventAction, vendor_id: str) -> None:
    match action:
        case EventAction.DROP:
            raise EventDropped(DropReason.INTENT_UNKNOWN)
        case EventAction.SUSPECT_SECOND_MESSAGE:
            log.critical(
                "the vendor reports a second message of the conversation",
                extra={
                    "event": LogEvent.SECOND_MESSAGE_SUSPECTED,
                    "message_sid": vendor_id,
                    "recorded_message_sid": found.ledger.vendor_id,
                },
            )
        case EventAction.CONTRADICT:
            log.critical(
                "the vendor reports a message that was recorded as not sent",
                extra={
                    "event": LogEvent.CALLBACK_CONTRADICTS_RECORD,
                    "message_sid": vendor_id,
                    "conversation_status": found.ledger.status,
                },
            )


def _proven_send(found: DeliveryRecord, vendor_id: str) -> ProvenSend:
    record = found.ledger
    duration_ms = round(max(0.0, found.sent_at - record.created_at) * 1000)
    return ProvenSend(vendor_id, record.answer, found.sent_at, duration_ms)


def _reported(
    event: DeliveryEvent,
    at: float,
    source: Callbacks | VendorEvents | StatusLookup,
    *,
    is_lookup: bool = False,
) -> Reported:
    if event.status is None:
        raise EventDropped(DropReason.STATUS_UNKNOWN)
    error = source.classify(event) if event.status in FAILURES else None
    report = DeliveryReport(event.status, event.error_code, at)
    return Reported(event, report, error, is_lookup)


def parse_event(body: str) -> Callback | RecordKey | dict[str, Any]:
    """Parse an event.

    Returns:
        The receiver's event; the key of the record that the scheduled job requests to look up; or
        another object, which the vendor may have put on the queue.

    Raises:
        EventDropped: It is no JSON object.
    """
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise EventDropped(DropReason.UNREADABLE) from None  # its text contains the body
    match event:
        case {
            "url": str(url),
            "signature": str(signature),
            "body": str(form),
            "received_at": int(at) | float(at),
        } if 0 < at < LATEST:
            return Callback(url, signature, form, at)
        case {
            "lookup": {"primary_channel": str(recipient), "conversation_id": str(conversation_id)}
        } if recipient and conversation_id:
            return RecordKey(recipient, conversation_id)
        case dict():
            return event
    raise EventDropped(DropReason.UNREADABLE)


def parse_address(url: str, channel: str) -> CallbackAddress:
    """Return what a callback's URL names.

    Raises:
        EventDropped: It is another channel's, or not of the form that a send requests.
    """
    try:
        path = urlsplit(url).path
        named, reference, intent_id = path.rpartition("/callbacks/")[2].split("/")
        conversation_id = decode_reference(reference)
    except ValueError:
        raise EventDropped(DropReason.UNREADABLE) from None
    if not path.endswith(callback_path(named, conversation_id, intent_id)):
        raise EventDropped(DropReason.UNREADABLE)
    if named != channel:
        raise EventDropped(DropReason.OTHER_CHANNEL)
    return CallbackAddress(conversation_id, intent_id)


@dataclass(frozen=True, slots=True)
class EventBatchHandler:
    """Records a batch of events; each fails independently.

    Attributes:
        recorder: Records one event.
        queue: The events queue.
        metrics: Receives the batch's numbers.
        clock: Returns the time in epoch seconds.
        max_concurrency: Events processed at once.
        backoff_base: First backoff delay in seconds.
        pool: Makes an executor for that many events; simulations replace it.
        random: Source of the backoff's jitter.
    """

    recorder: EventRecorder
    queue: Queue
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
            `{"batchItemFailures": [{"itemIdentifier": messageId}, …]}`, the events that must not be
            deleted.
        """
        deadline = self.clock() + remaining_ms / 1000
        deliveries = [Delivery.from_record(record, deadline) for record in event["Records"]]
        log.info("received", extra={"event": LogEvent.BATCH_RECEIVED, "messages": len(deliveries)})
        started: set[str] = set()
        results: dict[str, EventResult | ProcessingError | EventDropped] = {}

        def process(delivery: Delivery) -> None:
            started.add(delivery.message_id)
            results[delivery.message_id] = self._process(delivery)

        self._map(process, deliveries, remaining_ms / 1000 - time_budget.HARD_STOP_SECONDS)
        finished = dict(results)
        finished.update(log_unfinished(deliveries, started, finished))
        errors = {id_: end for id_, end in finished.items() if isinstance(end, ProcessingError)}
        failed = [delivery for delivery in deliveries if delivery.message_id in errors]
        if errors:
            schedule_redelivery(
                deliveries, errors, self.backoff_base, self.random, self._change_visibility
            )
        log.info(
            "finished",
            extra={
                "event": LogEvent.BATCH_FINISHED,
                "messages": len(deliveries),
                "failed": len(failed),
            },
        )
        self._count(len(deliveries), list(finished.values()))
        return {"batchItemFailures": [{"itemIdentifier": d.message_id} for d in failed]}

    def _process(self, delivery: Delivery) -> EventResult | ProcessingError | EventDropped:
        token = LOG_FIELDS.set({"sqs_message_id": delivery.message_id})
        try:
            return self.recorder.record(delivery)
        except EventDropped as dropped:
            return _log_dropped(dropped)
        except PermanentFailure as refused:
            log_failure(refused, delivery, "not recorded")
            return _log_dropped(EventDropped(DropReason.RECORD_REFUSED))
        except Exception as raised:  # noqa: BLE001 - one event must never fail the batch
            error = unexpected_error(raised, delivery.step)
            log_failure(error, delivery, "not recorded")
            return error
        finally:
            LOG_FIELDS.reset(token)

    def _change_visibility(self, delays: Mapping[str, int], deadline: float) -> bool:
        seconds = deadline - self.clock() - time_budget.MARGIN_SECONDS
        return self._map(self.queue.change_visibility, [delays], seconds)

    def _map(self, work: Callable[[T], object], items: Sequence[T], seconds: float) -> bool:
        workers = max(1, min(self.max_concurrency, len(items)))
        return map_with_deadline(seconds, work, items, self.pool(workers))

    def _count(
        self, received: int, results: Sequence[EventResult | ProcessingError | EventDropped]
    ) -> None:
        recorded = [result for result in results if isinstance(result, EventResult)]
        changes = Counter(metric for result in recorded for metric in result.metrics)
        counts = {
            Metric.EVENTS_RECEIVED: received,
            Metric.EVENTS_DROPPED: sum(isinstance(result, EventDropped) for result in results),
            Metric.MESSAGES_DELIVERED: changes[Metric.MESSAGES_DELIVERED],
            Metric.MESSAGES_READ: changes[Metric.MESSAGES_READ],
            Metric.MESSAGES_UNDELIVERED: changes[Metric.MESSAGES_UNDELIVERED],
        }
        failures = Counter(
            (Step.DELIVERY, result.failure) for result in recorded if result.failure is not None
        )
        self.metrics.publish(counts, failures)


def _log_dropped(dropped: EventDropped) -> EventDropped:
    log.warning(
        "a delivery event was dropped",
        extra={"event": LogEvent.DELIVERY_EVENT_DROPPED, "reason": dropped.reason},
    )
    return dropped
