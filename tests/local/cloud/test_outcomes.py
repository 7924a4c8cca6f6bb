"""Outcomes of messages: deployed event source mapping, deployed function, real SDKs."""

from collections.abc import Mapping

from lambda_src.core.contract import Status
from local.cloud import LocalCloud
from local.message_tracker import MessageState, MessageTracker
from local.vendors import FakeVendors
from tests.local.cloud.messages import (
    BAD,
    FREE,
    GOOD,
    OVERLOADED,
    TIMEOUT_SECONDS,
    UNANSWERED,
    each_channel,
    on,
    status_and_sid,
)


@each_channel
def test_a_context_object_becomes_a_message(
    channel: str, trackers: Mapping[str, MessageTracker], fakes: FakeVendors
) -> None:
    """A valid context object results in one message on the phone and a complete record."""
    number = on(channel, GOOD)
    status = trackers[number].wait(TIMEOUT_SECONDS)
    (message,) = fakes.twilio.inbox(number)
    assert MessageState.SENT is status.state
    assert message.body
    sender = {"whatsapp": "whatsapp:+15550100001", "sms": "+15550100001"}[channel]
    assert sender == message.sender
    expected = {
        "conversation_status": Status.SENT,
        "message_sid": message.sid,
        "primary_channel": number,
        "channel_method": channel,
        "company_name": "Harbour Logistics",
        "recipient_first_name": "Amara",
        "router_version": "2.4.0",
    }
    assert expected == {name: status.record.get(name) for name in expected}
    assert ["assistant"] == [entry["role"] for entry in status.record["messages"]]


def test_free_text_is_sent_without_a_template(
    trackers: Mapping[str, MessageTracker], fakes: FakeVendors
) -> None:
    """If a tenant's secret names no template, the assistant's text is sent."""
    status = trackers[FREE].wait(TIMEOUT_SECONDS)
    (message,) = fakes.twilio.inbox(FREE)
    assert MessageState.SENT is status.state
    assert message.body == status.record["messages"][0]["content"]


@each_channel
def test_a_send_without_response_is_reconciled(
    channel: str, trackers: Mapping[str, MessageTracker], fakes: FakeVendors
) -> None:
    """A message whose response was lost is found at the vendor, recorded, and not sent again."""
    number = on(channel, UNANSWERED)
    status = trackers[number].wait(TIMEOUT_SECONDS)
    (message,) = fakes.twilio.inbox(number)
    assert MessageState.SENT is status.state
    assert (Status.SENT, message.sid) == status_and_sid(status)


@each_channel
def test_a_temporary_vendor_failure_is_retried(
    channel: str, trackers: Mapping[str, MessageTracker], fakes: FakeVendors
) -> None:
    """A message whose AI request failed with status 503 is sent by a later delivery, once."""
    number = on(channel, OVERLOADED)
    status = trackers[number].wait(TIMEOUT_SECONDS)
    (message,) = fakes.twilio.inbox(number)
    assert (MessageState.SENT, 2) == (status.state, status.deliveries)
    assert (Status.SENT, message.sid) == status_and_sid(status)


@each_channel
def test_bad_input_moves_to_the_dead_letter_queue(
    channel: str, trackers: Mapping[str, MessageTracker], fakes: FakeVendors
) -> None:
    """An invalid context object becomes a dead letter, and its record contains the reason."""
    status = trackers[on(channel, BAD)].wait(TIMEOUT_SECONDS)
    assert MessageState.DEAD_LETTER is status.state
    assert Status.FAILED == status.record["conversation_status"]
    assert "company_data_payload.company_name" in status.record["failure"]["detail"]
    assert [] == fakes.twilio.inbox(on(channel, BAD))


def test_a_body_without_a_key_moves_there_too(cloud: LocalCloud) -> None:
    """A body that is not JSON becomes a dead letter, and the log contains the reason."""
    tracker = MessageTracker.send(cloud.channel, "not JSON")
    status = tracker.wait(TIMEOUT_SECONDS)
    assert (MessageState.DEAD_LETTER, {}) == (status.state, status.record)
    assert "JSON" in status.reason
    assert "not JSON" == cloud.channel.dead_letters()[tracker.message_id]
