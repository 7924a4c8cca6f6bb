"""Scheduled lookups on real adapters: marks, the scheduled job, and the worker's requests."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from moto.sqs.models import sqs_backends

from lambda_src import scheduler
from lambda_src.channels import whatsapp
from lambda_src.core import (
    LOOKUP_DELAYS_SECONDS,
    ConfigurationError,
    OpenWork,
    RecordKey,
)
from lambda_src.core.scheduled_job import JobFailed
from lambda_src.services.dynamodb import serialize
from lambda_src.services.dynamodb.updates import open_values
from lambda_src.services.dynamodb_service import OpenWorkTable
from local.fakes.aws import ACCOUNT as AWS_ACCOUNT
from local.fakes.aws import REGION
from local.fakes.faults import Fault
from local.fakes.twilio import TwilioSettings
from tests.support.callbacks import Callbacks
from tests.support.channel import (
    ACCOUNT,
    CONVERSATION,
    RECIPIENT,
    TWILIO_CREDENTIALS,
    TWILIO_SECRET,
    context,
    failing_operation,
)

HOUR, DAY = 3_600, 86_400
FIRST, SECOND, THIRD, LAST = LOOKUP_DELAYS_SECONDS
KEY = {"primary_channel": RECIPIENT, "conversation_id": CONVERSATION}
REQUEST = json.dumps({"lookup": KEY})


def _marks(callbacks: Callbacks) -> tuple[str | None, int | None]:
    """Return what is open, without its shard, and its time in seconds after the send."""
    record = callbacks.channel.record()
    if "open_work" not in record:
        assert "open_since" not in record
        return None, None
    kind, _, shard = record["open_work"].rpartition("#")
    assert len(shard) == 1
    seconds = record["open_since"] - record["send_intent_at"]  # some pass before the final write
    return kind, round(seconds / 10) * 10


def _age(callbacks: Callbacks, seconds: int) -> None:
    """Let a message have been sent that long ago, so that its lookup is due."""
    now = int(time.time())
    callbacks.channel.set_fields(send_intent_at=now - seconds, open_since=now - 1)


# --- marks


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (("queued", "sent"), FIRST),
        (("read", "delivered"), None),
        (("failed", "sent"), None),
    ],
)
def test_a_sent_message_is_marked_until_its_status_is_final(
    callbacks: Callbacks, statuses: tuple[str, ...], expected: int | None
) -> None:
    """By the writes that record the send and the status."""
    sid = callbacks.send()
    for status in statuses:
        callbacks.report(status, sid)
    assert (expected and "whatsapp#delivery", expected) == _marks(callbacks)


@pytest.mark.parametrize(
    ("before", "status", "expected"),
    [("sending", "sent", FIRST), ("send_unknown", "delivered", None), ("failed", "sent", FIRST)],
)
def test_a_proven_send_is_marked_like_any_other(
    callbacks: Callbacks, before: str, status: str, expected: int | None
) -> None:
    """The mark of an unknown send is replaced."""
    callbacks.channel.twilio.fail_next(Fault.reset(effect_applied=True))
    assert 1 == len(callbacks.channel.deliver(context()))
    marks = open_values("whatsapp", OpenWork.UNKNOWN, RecordKey(*KEY.values()), 1)
    fields = {name.removeprefix(":"): value for name, value in marks.items()}
    fields = fields if before == "send_unknown" else {}
    callbacks.channel.set_fields(conversation_status=before, **fields)
    callbacks.report(status, callbacks.channel.twilio.messages()[-1]["sid"])
    assert (expected and "whatsapp#delivery", expected) == _marks(callbacks)


# --- lookups

SENT = TwilioSettings(sent_after_seconds=0, delivered_after_seconds=3_600)
DELIVERED = TwilioSettings(sent_after_seconds=0, delivered_after_seconds=0)


@pytest.mark.parametrize(
    ("age", "settings", "status", "expected"),
    [
        (7 * HOUR, SENT, "sent", THIRD),
        (3 * DAY, SENT, "sent", None),
        (HOUR, TwilioSettings(sent_after_seconds=9), "queued", SECOND),
        (HOUR, DELIVERED, "delivered", None),
    ],
)
def test_a_lookup_records_the_vendors_status(
    callbacks: Callbacks, age: int, settings: TwilioSettings, status: str, expected: int | None
) -> None:
    """And the next time, until the status is final or 72 hours have passed; with one request."""
    callbacks.channel.twilio.settings = settings
    callbacks.send()
    _age(callbacks, age)
    callbacks.channel.read_metrics()
    calls = callbacks.channel.vendor_calls()
    assert 0 == callbacks.work(REQUEST, REQUEST)
    assert (status, None) == callbacks.delivery()
    assert (expected and "whatsapp#delivery", expected) == _marks(callbacks)
    assert callbacks.channel.vendor_calls() - calls in {1, 2}  # duplicates may be concurrent
    delivered = {"MessagesDelivered": 1} if status == "delivered" else {}
    assert {"DeliveryEventsReceived": 2} | delivered == callbacks.counts()
    calls = callbacks.channel.vendor_calls()
    assert 0 == callbacks.work(REQUEST)
    assert calls == callbacks.channel.vendor_calls()


@pytest.mark.parametrize(
    ("code", "kind", "alarm"),
    [(63033, "permanent", ""), (63112, "account_refused", "CRITICAL")],
)
def test_a_failure_that_is_looked_up_is_one_like_any_other(
    callbacks: Callbacks, code: int, kind: str, alarm: str
) -> None:
    """Classified and counted, with an opt-out or an alarm; a callback that follows adds nothing."""
    callbacks.channel.twilio.settings = DELIVERED
    callbacks.channel.twilio.fail_next(Fault.undelivered(code))
    sid = callbacks.send()
    _age(callbacks, HOUR)
    callbacks.channel.read_metrics()
    assert 0 == callbacks.work(REQUEST)
    callbacks.report("undelivered", sid, ErrorCode=str(code))
    assert ("undelivered", str(code)) == callbacks.delivery()
    assert (None, None) == _marks(callbacks)
    expected = {"DeliveryEventsReceived": 2, "MessagesUndelivered": 1}
    assert expected | {f"Failures/delivery/{kind}": 1} == callbacks.counts()
    levels = [line["level"] for line in callbacks.channel.read_log()]
    assert bool(alarm) == ("CRITICAL" in levels)
    failed = callbacks.channel.deliver(context(conversation_id="the next"))
    assert (code == 63033) == bool(failed)


def _record(**fields: Any) -> Callable[[Callbacks], None]:
    return lambda callbacks: callbacks.channel.set_fields(**fields)


def _forget(callbacks: Callbacks) -> None:
    callbacks.channel.twilio.clear_state()


def _answer(fault: Fault) -> Callable[[Callbacks], None]:
    return lambda callbacks: callbacks.channel.twilio.fail_next(fault, times=9)


def _config(reference: str) -> dict[str, Any]:
    return {"whatsapp": {"whatsapp_credentials_id": reference}}


NO_ANSWER: dict[str, tuple[str, Callable[[Callbacks], None]]] = {
    "unknown at the vendor": ("message_unknown", _forget),
    "refused credentials": ("lookup_failed", _answer(Fault.error(401, 20003))),
    "a refused request": ("lookup_failed", _answer(Fault.error(400, 20001))),
    "no credentials": ("no_credentials", _record(channel_config={})),
}


@pytest.mark.parametrize(
    ("case", "age", "expected"),
    [*((case, HOUR, SECOND) for case in NO_ANSWER), ("a refused request", 3 * DAY, None)],
)
def test_a_lookup_that_cannot_succeed_waits_for_the_next_time(
    callbacks: Callbacks, case: str, age: int, expected: int | None
) -> None:
    """It is counted by its reason and not delivered again, so that others are not kept waiting."""
    reason, change = NO_ANSWER[case]
    callbacks.send()
    _age(callbacks, age)
    change(callbacks)
    callbacks.channel.read_metrics()
    assert 0 == callbacks.work(REQUEST)
    assert ("queued", None) == callbacks.delivery()
    assert (expected and "whatsapp#delivery", expected) == _marks(callbacks)
    assert {"DeliveryEventsReceived": 1, "DeliveryEventsDropped": 1} == callbacks.counts()
    lines = callbacks.channel.read_log()
    (line,) = [each for each in lines if each["event"] == "delivery_event_dropped"]
    assert ("WARNING", reason, CONVERSATION) == (
        line["level"],
        line["reason"],
        line["conversation_id"],
    )
    assert RECIPIENT[1:] not in json.dumps(lines)


@pytest.mark.parametrize("fault", [Fault.error(429, 20429), Fault.reset()])
def test_a_lookup_without_an_answer_is_repeated(callbacks: Callbacks, fault: Fault) -> None:
    """With a backoff, until a day after the last time: then the message is given up."""
    callbacks.channel.twilio.settings = SENT
    callbacks.send()
    _age(callbacks, HOUR)
    before = callbacks.channel.record()
    callbacks.channel.twilio.fail_next(fault)
    assert 1 == callbacks.work(REQUEST)
    assert before == callbacks.channel.record()
    (message,) = sqs_backends[AWS_ACCOUNT][REGION].queues["events"]._messages
    assert message.visible_at > time.time() * 1000
    assert 0 == callbacks.work(message.body)
    assert ("sent", None) == callbacks.delivery()
    _age(callbacks, 4 * DAY)
    callbacks.channel.twilio.fail_next(fault)
    assert 0 == callbacks.work(REQUEST)
    assert (None, None) == _marks(callbacks)
    assert '"lookup_failed"' in json.dumps(callbacks.channel.read_log())


@pytest.mark.parametrize("missing", ["callbacks", "make_status_lookup", "both"])
def test_a_channel_may_lack_callbacks_or_lookups(
    callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """But not both. Without lookups, requests end like those that cannot succeed."""
    callbacks.channel.twilio.settings = DELIVERED
    callbacks.send()
    _age(callbacks, HOUR)
    names = ("callbacks", "make_status_lookup") if missing == "both" else (missing,)
    without: dict[str, Any] = dict.fromkeys(names)
    monkeypatch.setattr(whatsapp, "PARTS", replace(whatsapp.PARTS, **without))
    if missing == "both":
        with pytest.raises(ConfigurationError, match="no callbacks, vendor events or"):
            callbacks.worker()
        return
    with monkeypatch.context() as patch:
        patch.delenv("SECRET_PREFIXES")
        with pytest.raises(ConfigurationError, match="SECRET_PREFIXES: missing or empty"):
            callbacks.worker()
    assert 0 == callbacks.work(REQUEST)
    expected = "delivered" if missing == "callbacks" else "queued"
    assert (expected, None) == callbacks.delivery()
    assert (None if missing == "callbacks" else SECOND) == _marks(callbacks)[1]
    assert 0 == callbacks.work('{"url": "u", "signature": "", "body": "", "received_at": 1}')


def test_rotated_credentials_are_read_again(
    callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, as by a send."""
    callbacks.channel.twilio.settings = DELIVERED
    callbacks.send()
    callbacks.worker().recorder.secrets.credentials(TWILIO_SECRET)
    monkeypatch.setitem(callbacks.channel.twilio._logins, ACCOUNT, (ACCOUNT, "rotated"))
    rotated = TWILIO_CREDENTIALS | {"twilio_auth_token": "rotated"}
    callbacks.channel.set_secret(TWILIO_SECRET, json.dumps(rotated))
    _age(callbacks, HOUR)
    assert 0 == callbacks.work(REQUEST)
    assert ("delivered", None) == callbacks.delivery()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"open_work": "sms#delivery#0"}, ("sms#delivery", FIRST)),
        ({"open_since": 9_999_999_999}, None),
        ({"channel_method": "sms"}, None),
        ({"delivery_status": "delivered"}, (None, None)),
        ({"conversation_status": "failed"}, (None, None)),
    ],
)
def test_a_lookup_that_is_not_due_asks_nothing(
    callbacks: Callbacks, change: dict[str, Any], expected: Any
) -> None:
    """A mark that contradicts the record is removed; the rest of the record stays."""
    callbacks.send()
    _age(callbacks, FIRST + 1)
    callbacks.channel.set_fields(**change)
    before = callbacks.channel.record()
    calls = callbacks.channel.vendor_calls()
    assert 0 == callbacks.work(REQUEST)
    assert calls == callbacks.channel.vendor_calls()
    after = callbacks.channel.record()
    if expected == (None, None):
        before = {name: before[name] for name in before if not name.startswith("open_")}
    assert before == after


# --- the scheduled job


def _add(callbacks: Callbacks, name: str, overdue: float, channel: str = "whatsapp") -> None:
    key = RecordKey(f"+{name}", name)
    values = open_values(channel, OpenWork.DELIVERY, key, time.time() - overdue)
    item = {name.removeprefix(":"): value for name, value in values.items()}
    item |= {"primary_channel": key.primary_channel, "conversation_id": key.conversation_id}
    callbacks.channel.dynamodb.put_item(TableName=callbacks.channel.table, Item=serialize(item))


def _requested() -> list[tuple[str, int]]:
    """Return the requested conversations and the seconds until each request is visible."""
    messages: list[Any] = sqs_backends[AWS_ACCOUNT][REGION].queues["events"]._messages
    found = [
        (json.loads(each.body), round((each.delayed_until - each.sent_timestamp) / 1000))
        for each in messages
        if each.body.startswith('{"lookup"')
    ]
    assert all({"primary_channel", "conversation_id"} == set(body["lookup"]) for body, _ in found)
    in_order = sorted(found, key=lambda each: each[1])
    return [(body["lookup"]["conversation_id"], max(0, delay)) for body, delay in in_order]


def test_due_lookups_are_requested_at_a_limited_rate(
    callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest first, from all shards and pages, as many as fit beside those that wait."""
    monkeypatch.setenv("DELIVERY_LOOKUPS_PER_SECOND", "1")
    monkeypatch.setattr(OpenWorkTable, "PAGE_SIZE", 2)
    for number in range(40):
        _add(callbacks, str(number), 5_000 - number)
    _add(callbacks, "not due", -60)
    _add(callbacks, "another channel", 9_000, "sms")
    monkeypatch.setattr("lambda_src.core.scheduled_job.SCHEDULE_SECONDS", 30)
    for _ in range(5):
        callbacks.channel.sqs.send_message(QueueUrl=callbacks.queue_url, MessageBody="waits")
    callbacks.schedule()
    assert [(str(number), number + 5) for number in range(25)] == _requested()
    line = callbacks.channel.events()["lookups_scheduled"]
    assert ("INFO", 25, 5) == (line["level"], line["requested"], line["waiting"])
    counts = callbacks.counts()
    assert 25 == counts["DeliveryLookupsRequested"]
    assert 5_000 <= counts["OldestLookupDueSeconds"] < 5_060
    callbacks.schedule()
    assert 25 == len(_requested())
    assert {"OldestLookupDueSeconds"} == set(callbacks.counts())


def test_a_run_without_due_lookups_publishes_zeros(callbacks: Callbacks) -> None:
    """Missing data means that the job did not run."""
    callbacks.send()
    callbacks.channel.read_metrics()
    callbacks.schedule()
    published = {name: line[name] for line in callbacks.channel.read_metrics() for name in line}
    names = ("DeliveryLookupsRequested", "OldestLookupDueSeconds", "OldestHeldDraftSeconds")
    assert [[0]] * 4 == [published[name] for name in (*names, "ApprovedDraftsQueued")]
    assert [] == _requested()


@pytest.mark.parametrize(
    ("operation", "seconds_left"),
    [("Query", 60), ("GetQueueAttributes", 60), ("SendMessageBatch", 60), ("none", 1)],
)
def test_a_fault_of_aws_ends_the_run(
    callbacks: Callbacks, operation: str, seconds_left: float
) -> None:
    """With an error that contains no address, also without time; the records remain due."""
    _add(callbacks, "1", 10)
    with (
        failing_operation(callbacks.channel, operation, "InternalError"),
        pytest.raises(JobFailed) as failed,
    ):
        callbacks.schedule(seconds_left)
    assert RECIPIENT[1:] not in f"{failed.value!r} {failed.value.__cause__!r}"
    lines = callbacks.channel.read_log()
    assert "ERROR" in [line["level"] for line in lines]
    assert RECIPIENT[1:] not in json.dumps(lines)
    was_read = operation == "SendMessageBatch"
    assert ({"OldestLookupDueSeconds"} if was_read else set()) == set(callbacks.counts())


def test_variables_of_the_job_are_checked(
    callbacks: Callbacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All problems at once; only its own variables are needed, and no events queue."""
    for name in ("EVENTS_QUEUE_URL", "SECRET_PREFIXES"):
        monkeypatch.delenv(name)
    callbacks.schedule()
    assert "DeliveryLookupsRequested" not in str(callbacks.channel.read_metrics())
    scheduler.scheduler.cache_clear()
    monkeypatch.delenv("QUEUE_URL")
    monkeypatch.setenv("DELIVERY_LOOKUPS_PER_SECOND", "101")
    with pytest.raises(ConfigurationError, match=r"SECOND: .* 1 to 100; QUEUE_URL: missing"):
        callbacks.schedule()
