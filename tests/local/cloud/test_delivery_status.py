"""Status callbacks from the fake of Twilio through the deployed endpoint into the records."""

import http.client
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from twilio.request_validator import RequestValidator

from lambda_src.core.contract import DeliveryStatus, LogEvent, Metric, Status
from local.channel import Channel
from local.cloud import LocalCloud
from local.emulator.alerts import alarms_on_line
from local.emulator.function_logs import LogLine
from local.fakes import FaultKind, SentCallback
from local.lifecycle import wait_for
from local.message_tracker import MessageTracker
from local.vendors import FakeVendors
from tests.local.cloud.messages import (
    EMAIL,
    FORGED,
    LATE_SECONDS,
    TIMEOUT_SECONDS,
    each_channel,
    recipient,
    several_waits,
)
from tests.support.metrics import metric_sum

pytestmark = several_waits
Trackers = Mapping[str, MessageTracker]
LAST = {"whatsapp": DeliveryStatus.READ, "sms": DeliveryStatus.DELIVERED}
"""The last status of a message that arrives, by channel."""
MAX_BODY_BYTES = 65_536


def _record(tracker: MessageTracker, status: DeliveryStatus) -> dict[str, Any]:
    """Return a conversation's record as soon as its message has a delivery status."""

    def record() -> dict[str, Any] | None:
        found = tracker.status().record
        return found if found.get("delivery_status") == status else None

    found = wait_for(record, TIMEOUT_SECONDS)
    assert found, tracker.status().record
    return found


def _callbacks(fakes: FakeVendors, number: str) -> list[SentCallback]:
    return [each for each in fakes.twilio.callbacks() if number in each.parameters["To"]]


def _lines(channel: Channel, event: LogEvent) -> list[LogLine]:
    return [line for line in channel.delivery_log() if line.fields.get("event") == event]


def _post(url: str, body: bytes, *, method: str = "POST", signature: str = "") -> int:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    if signature:
        headers["X-Twilio-Signature"] = signature
    connection.request(method, parts.path, body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.fixture
def callback(trackers: Trackers, fakes: FakeVendors) -> tuple[str, MessageTracker]:
    """Return the URL of a genuine callback, and the message that was read."""
    number = recipient("good")
    _record(trackers[number], DeliveryStatus.READ)
    return _callbacks(fakes, number)[0].url, trackers[number]


@each_channel
@pytest.mark.parametrize("situation", ["good", "forged", "reordered"])
def test_a_message_arrives(
    channel: str, situation: str, trackers: Trackers, fakes: FakeVendors
) -> None:
    """Its record says so, in spite of forged callbacks and of one that is late."""
    number = recipient(situation, channel)
    record = _record(trackers[number], LAST[channel])
    assert (Status.SENT, "") == (
        record["conversation_status"],
        record.get("delivery_error_code", ""),
    )
    # A busy function may answer too late for Twilio; the other callbacks reported the status.
    answered = [c.responses[-1] for c in _callbacks(fakes, number) if c.responses[-1]]
    assert {HTTPStatus.NO_CONTENT} == {each for each in answered if each < 500}


@each_channel
def test_a_late_callback_does_not_take_a_status_back(
    channel: str, trackers: Trackers, fakes: FakeVendors
) -> None:
    """The callback `sent` that arrives late is part of the history and changes nothing else."""
    tracker = trackers[recipient("reordered", channel)]
    _record(tracker, LAST[channel])

    def reported() -> set[str]:
        return {each["status"] for each in tracker.status().record["delivery_events"]}

    assert wait_for(lambda: "sent" in reported(), LATE_SECONDS + TIMEOUT_SECONDS)
    assert LAST[channel] == tracker.status().record["delivery_status"]
    number = recipient("reordered", channel)

    def faults() -> set[FaultKind | None]:
        return {each.fault for each in _callbacks(fakes, number) if each.status == "sent"}

    # The worker may be faster than the receiver's response.
    assert wait_for(faults, TIMEOUT_SECONDS)
    assert {FaultKind.CALLBACK_DELAYED} == faults()


@each_channel
def test_forged_callbacks_are_dropped(
    channel: str, trackers: Trackers, cloud: LocalCloud, fakes: FakeVendors
) -> None:
    """None is recorded; each is logged and counted as dropped."""
    number = recipient("forged", channel)
    record = _record(trackers[number], LAST[channel])
    assert not {"failed", "undelivered"} & {each["status"] for each in record["delivery_events"]}
    sent = [each.fault for each in _callbacks(fakes, number)]
    assert len(FORGED[channel]) == len([fault for fault in sent if fault])
    dropped = LogEvent.DELIVERY_EVENT_DROPPED
    deployed = cloud.channels[channel]
    assert wait_for(lambda: len(_lines(deployed, dropped)) >= len(FORGED[channel]), TIMEOUT_SECONDS)


def test_an_email_is_reported(trackers: Trackers) -> None:
    """SES's events reach the record, whose key is the address in lower case."""
    record = _record(trackers[EMAIL], DeliveryStatus.DELIVERED)
    assert (EMAIL.lower(), Status.SENT) == (
        record["primary_channel"],
        record["conversation_status"],
    )


def test_a_second_message_raises_an_alarm(
    trackers: Trackers, cloud: LocalCloud, fakes: FakeVendors
) -> None:
    """An authentic callback about another message of the same intent is a CRITICAL line."""
    number = recipient("good")
    before = _record(trackers[number], DeliveryStatus.READ)
    genuine = _callbacks(fakes, number)[0]
    form = {**genuine.parameters, "MessageSid": f"SM{'0' * 32}", "SmsSid": f"SM{'0' * 32}"}
    validator = RequestValidator(fakes.credentials.twilio_auth_token)  # type: ignore[no-untyped-call]  # the SDK has no types
    signature = validator.compute_signature(genuine.url, form)  # type: ignore[no-untyped-call]  # the same
    assert 204 == _post(genuine.url, urlencode(form).encode(), signature=signature)

    event = LogEvent.SECOND_MESSAGE_SUSPECTED
    lines = wait_for(lambda: _lines(cloud.channel, event), TIMEOUT_SECONDS)
    assert lines
    (line,) = lines
    assert "CRITICAL" == line.fields["level"]
    assert number not in line.text
    (log_group,) = [
        each
        for each in cloud.resources.delivery_log_groups
        if alarms_on_line(cloud.aws, each, line.text)
    ]
    (alarm,) = alarms_on_line(cloud.aws, log_group, line.text)
    assert wait_for(lambda: cloud.alerts.alarm_on(alarm.full_metric), TIMEOUT_SECONDS)
    assert before == trackers[number].status().record


@pytest.mark.parametrize(
    ("method", "change", "body", "status"),
    [
        ("GET", "", b"", HTTPStatus.NOT_FOUND),
        ("OPTIONS", "", b"", HTTPStatus.NOT_FOUND),
        ("POST", "/more", b"a=1", HTTPStatus.NOT_FOUND),
        ("POST", "", b"a" * (MAX_BODY_BYTES + 1), HTTPStatus.NO_CONTENT),
        ("POST", "", b"", HTTPStatus.NO_CONTENT),
        ("POST", "", b"\xff", HTTPStatus.NO_CONTENT),
    ],
    ids=["get", "options", "path", "large", "empty", "encoding"],
)
def test_other_requests_change_nothing(
    callback: tuple[str, MessageTracker], method: str, change: str, body: bytes, status: int
) -> None:
    """Other methods and paths are unknown; what is no callback is accepted, once, and dropped."""
    url, tracker = callback
    before = tracker.status().record
    assert status == _post(url + change, body, method=method)
    assert before == tracker.status().record


@each_channel
def test_statuses_are_counted(channel: str, trackers: Trackers, cloud: LocalCloud) -> None:
    """The worker's metrics are in the channel's namespace."""
    namespace = {"whatsapp": "AIComms/WhatsAppProcessor/Dev", "sms": "AIComms/SmsProcessor/Dev"}
    _record(trackers[recipient("undelivered", channel)], DeliveryStatus.UNDELIVERED)
    _record(trackers[recipient("good", channel)], LAST[channel])
    expected = {Metric.EVENTS_RECEIVED, Metric.MESSAGES_DELIVERED, Metric.MESSAGES_UNDELIVERED}
    if channel == "whatsapp":
        expected.add(Metric.MESSAGES_READ)

    def counted() -> set[Metric]:
        return {each for each in Metric if metric_sum(cloud.aws, namespace[channel], each)}

    assert wait_for(lambda: expected <= counted(), TIMEOUT_SECONDS), counted()


def test_nothing_personal_is_logged(trackers: Trackers, cloud: LocalCloud) -> None:
    """No line of the receivers and the workers contains a recipient's number."""
    _record(trackers[recipient("undelivered")], DeliveryStatus.UNDELIVERED)
    text = "\n".join(line.text for each in cloud.channels.values() for line in each.delivery_log())
    assert LogEvent.DELIVERY_RECORDED in text
    assert "+4477" not in text
    assert "%2B4477" not in text
