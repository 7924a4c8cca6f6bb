"""The largest bodies and records through the real handler."""

import json
from bisect import bisect_left
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambda_src import index
from lambda_src.services.dynamodb import exceeds_size, serialize
from lambda_src.services.dynamodb.items import MAX_RECORD_BYTES, new_record
from local.fakes.faults import Fault
from tests.support.channel import (
    CONVERSATION,
    FREE_TEXT_SECRET,
    RECIPIENT,
    TWILIO_SECRET,
    Channel,
    context,
    openai_config,
)
from tests.support.records import HELD_LEASE

LONGEST_TEXT = "國" * 1_600
"""The longest free text that Twilio accepts, in characters of three bytes."""


@pytest.fixture(autouse=True)
def _long_timeout(channel: Channel, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - comes first
    """Bodies of megabytes delay a busy machine; a timeout is not the subject here."""
    monkeypatch.setenv("TWILIO_TIMEOUT_SECONDS", "20")


def test_the_largest_message_of_the_queue_is_sent(channel: Channel) -> None:
    """A megabyte with little content."""
    assert [] == channel.deliver(context().ljust(2**20))
    assert 1 == len(channel.phone())


def with_record_size(size: int, **changes: Any) -> str:
    """Return a context object whose first record has that many bytes."""

    def filled(length: int) -> str:
        return context(
            lambda d: d["frontend_payload"].update(project_data={"text": "x" * length}),
            lambda d: openai_config(d).update(changes),
        )

    def is_enough(length: int) -> bool:
        parsed = index.batch_handler().parse(filled(length))
        lease = replace(HELD_LEASE, key=parsed.key, owner="o" * 32)
        return exceeds_size(size - 1, new_record(parsed, lease, "unversioned"))

    return filled(bisect_left(range(size), True, lo=size - 5_000, key=is_enough))


@pytest.mark.parametrize(
    ("excess", "expected"),
    [
        (-1, ("initial_message_sent", None)),
        (0, ("initial_message_sent", None)),
        (1, ("failed", "record_too_large")),
    ],
)
def test_the_largest_record_is_sent_with_the_longest_text(
    channel: Channel, excess: int, expected: tuple[str, str | None]
) -> None:
    """Whatever the AI writes, a record that was created has room for it."""
    channel.set_secret(TWILIO_SECRET, FREE_TEXT_SECRET)
    channel.openai.fail_next(Fault.wrong_output(LONGEST_TEXT))
    body = with_record_size(MAX_RECORD_BYTES + excess, assistant_id_template_sender="free_text")
    is_too_large = excess > 0
    assert ([body] if is_too_large else []) == channel.deliver(body)
    assert expected == channel.status()
    assert is_too_large or channel.record()["messages"]


def test_the_largest_record_is_sent_with_the_longest_variables(channel: Channel) -> None:
    """They are stored twice, once as JSON, in which quotes are escaped."""
    variables = {"1": '"' * 40, "2": "\\" * 200}
    channel.openai.fail_next(Fault.wrong_output(json.dumps(variables)))
    assert [] == channel.deliver(with_record_size(MAX_RECORD_BYTES))
    assert variables == json.loads(channel.record()["messages"][0]["content"])


def fill_record(channel: Channel, room: int) -> None:
    """Let another system fill the record, to about so many bytes below the table's limit."""
    key = serialize({"primary_channel": RECIPIENT, "conversation_id": CONVERSATION})

    def is_refused(length: int) -> bool:
        # Removed first, since moto adds the new value's size to the old one's.
        channel.dynamodb.update_item(
            TableName=channel.table, Key=key, UpdateExpression="REMOVE filling"
        )
        try:
            channel.set_fields(filling="x" * length)
        except ClientError:
            return True
        return False

    maximum = bisect_left(range(500_000), True, lo=395_000, hi=410_000, key=is_refused) - 1
    assert not is_refused(maximum - room)


def test_an_intent_that_does_not_fit_sends_nothing(channel: Channel) -> None:
    """Another system filled the record, and the answer exceeds the limit."""
    channel.openai.fail_next(Fault.error(500, "server_error"))
    body = context()
    channel.deliver(body)
    fill_record(channel, room=300)
    assert [body] == channel.deliver(body, receive_count=2)
    assert [] == channel.phone()
    assert "ERROR" == channel.events()["record_too_large"]["level"]
    assert ("failed", "record_too_large") == channel.status()


def test_a_final_write_that_does_not_fit_raises_an_alarm(channel: Channel) -> None:
    """At each delivery; the message is never sent again."""
    body = context()

    def fill_first(params: dict[str, Any], **_: object) -> None:
        if "message_sid" in str(params["body"]):
            channel.set_fields(send_deadline=0)
            fill_record(channel, room=0)

    channel.openai.fail_next(Fault.wrong_output(json.dumps({"1": "Amara", "2": '"' * 200})))
    channel.table_client().meta.events.register("before-call.dynamodb.UpdateItem", fill_first)

    for receive_count in (1, 2):
        assert [body] == channel.deliver(body, receive_count=receive_count)
        line = channel.events()["final_db_update_failed"]
        assert ("CRITICAL", "record_too_large") == (line["level"], line["failure_code"])
        assert [line["message_sid"]] == [message["sid"] for message in channel.twilio.messages()]
