"""What becomes of messages: deployed mapping, deployed function, real SDKs."""

from collections.abc import Mapping

from lambda_src.core.contract import Status
from local.journey import Journey, Milestone
from local.vendors import StandIns
from local.world import World
from tests.local.world.traffic import (
    BAD,
    FREE,
    GOOD,
    PATIENCE_SECONDS,
    THROTTLED,
    UNANSWERED,
    each_channel,
    on,
    status_and_sid,
)


@each_channel
def test_a_context_object_becomes_a_message(
    channel: str, journeys: Mapping[str, Journey], stand_ins: StandIns
) -> None:
    """A good context object ends as one message on the phone and a complete record."""
    number = on(channel, GOOD)
    end = journeys[number].end(PATIENCE_SECONDS)
    (message,) = stand_ins.twilio.phone(number)
    assert Milestone.SENT is end.milestone
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
    assert expected == {name: end.record.get(name) for name in expected}
    assert ["assistant"] == [entry["role"] for entry in end.record["messages"]]


def test_free_text_serves_where_the_secret_names_no_template(
    journeys: Mapping[str, Journey], stand_ins: StandIns
) -> None:
    """A tenant without a template sends the assistant's whole text."""
    end = journeys[FREE].end(PATIENCE_SECONDS)
    (message,) = stand_ins.twilio.phone(FREE)
    assert (Milestone.SENT, message.body) == (end.milestone, end.record["messages"][0]["content"])


@each_channel
def test_a_send_without_an_answer_is_settled(
    channel: str, journeys: Mapping[str, Journey], stand_ins: StandIns
) -> None:
    """A message whose answer was lost is found at the vendor, recorded, and not sent again."""
    number = on(channel, UNANSWERED)
    end = journeys[number].end(PATIENCE_SECONDS)
    (message,) = stand_ins.twilio.phone(number)
    assert Milestone.SENT is end.milestone
    assert (Status.SENT, message.sid) == status_and_sid(end)


@each_channel
def test_a_vendors_passing_failure_is_retried(
    channel: str, journeys: Mapping[str, Journey], stand_ins: StandIns
) -> None:
    """A message whose AI is asked for patience is sent by a later delivery, once."""
    number = on(channel, THROTTLED)
    end = journeys[number].end(PATIENCE_SECONDS)
    (message,) = stand_ins.twilio.phone(number)
    assert (Milestone.SENT, 2) == (end.milestone, end.deliveries)
    assert (Status.SENT, message.sid) == status_and_sid(end)


@each_channel
def test_bad_input_ends_in_the_dead_letter_queue(
    channel: str, journeys: Mapping[str, Journey], stand_ins: StandIns
) -> None:
    """A bad context object ends among the dead letters, and its record says why."""
    end = journeys[on(channel, BAD)].end(PATIENCE_SECONDS)
    assert (Milestone.DEAD_LETTER, Status.FAILED) == (
        end.milestone,
        end.record["conversation_status"],
    )
    assert "company_data_payload.company_name" in end.record["failure"]["detail"]
    assert [] == stand_ins.twilio.phone(on(channel, BAD))


def test_a_body_without_a_key_ends_there_too(world: World) -> None:
    """A body that is not even JSON ends among the dead letters, with its reason in the log."""
    journey = Journey.begin(world.channel, "not JSON")
    end = journey.end(PATIENCE_SECONDS)
    assert (Milestone.DEAD_LETTER, {}) == (end.milestone, end.record)
    assert "JSON" in end.reason
    assert "not JSON" == world.channel.dead_letters().get(journey.message_id, "not JSON")
