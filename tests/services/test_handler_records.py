"""Records that the table refuses, and records that others made or changed."""

import json

import pytest

from tests.services.channel import Channel, context, recipient_data
from tests.services.mishaps import refused


def test_item_that_the_table_refuses_fails_at_once(channel: Channel) -> None:
    """A first record that DynamoDB finds invalid is recorded as failed, and not tried again."""
    invalid = "ValidationException"
    with refused(channel, "TransactWriteItems", invalid, containing="lease_owner"):
        assert [context()] == channel.deliver(context())

    assert "record_refused" == channel.record()["failure"]["code"]
    assert "ERROR" == channel.events()["record_refused"]["level"]
    assert 0 == channel.vendor_calls()


@pytest.mark.parametrize("name", ["", "k" * 70_000])
def test_odd_names_in_project_data_are_sent_all_the_same(channel: Channel, name: str) -> None:
    """What DynamoDB does not take as an attribute name is no reason not to send."""
    body = context(lambda d: d["frontend_payload"].update(project_data={"job": {name: 1}}))

    assert [] == channel.deliver(body)

    assert {name: 1} == json.loads(channel.record()["project_data"]["job"])


@pytest.mark.parametrize("consent", [True, False])
def test_foreign_record_is_left_alone(channel: Channel, *, consent: bool) -> None:
    """A record in a state that the ledger does not know is reported, and nothing is sent."""
    channel.set_fields(conversation_status="pending")
    before = channel.record()
    body = context(lambda d: recipient_data(d).update(comms_consent=consent))

    assert [body] == channel.deliver(body)

    told = channel.read_log()
    assert before == channel.record()
    assert "record_foreign" in {line.get("failure_code") for line in told}
    assert "unexpected_error" not in {line["event"] for line in told}
    assert 0 == channel.vendor_calls()


def test_released_rejection_is_sent(channel: Channel) -> None:
    """A conversation refused once is sent when its record was released and its context mended."""
    channel.deliver(context(lambda d: recipient_data(d).update(comms_consent=False)))
    channel.set_fields(conversation_status="retry")

    assert [] == channel.deliver(context())

    assert "initial_message_sent" == channel.record()["conversation_status"]
    assert 1 == channel.record()["attempt"]
    assert 1 == len(channel.phone())
