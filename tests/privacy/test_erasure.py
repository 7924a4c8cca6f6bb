"""A person is erased: records, waiting messages and dead letters."""

from typing import Any

import pytest

from ops.erasure import Erasure
from tests.privacy.erased import NOW, SIGNATURE, left
from tests.privacy.test_opt_outs import to
from tests.services.channel import RECIPIENT, Channel, context, recipient_data

SOMEBODY = "+447700900999"


def bodies(channel: Channel, url: str) -> list[str]:
    """What is visible on a queue."""
    answer = channel.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return [message["Body"] for message in answer.get("Messages", [])]


def test_records_and_messages_go_and_others_stay(
    channel: Channel, erasure: Erasure, dead_letters_url: str
) -> None:
    """Everything of the person is gone from the table and both queues, and nothing of others."""
    channel.deliver(context(conversation_id="first"))
    channel.deliver(context(lambda d: recipient_data(d).pop("comms_consent")))
    plain = to(RECIPIENT[1:])  # as a body had it that was refused
    channel.deliver(context(plain, conversation_id="plain"))
    channel.deliver(context(to(SOMEBODY)))
    mentions = context(to(SOMEBODY), lambda d: d.update(project_data={"ask": RECIPIENT}))
    for url in (channel.queue_url, dead_letters_url):
        for body in (context(), f"not JSON, of {RECIPIENT}", mentions):
            channel.sqs.send_message(QueueUrl=url, MessageBody=body)

    receipt = erasure.erase(RECIPIENT, SIGNATURE)

    assert {"first", "conversation-1", "plain"} == set(receipt.conversations)
    assert {"whatsapp queue": 2, "whatsapp dead letters": 2} == receipt.removed
    assert (0, 0, 1) == tuple(left(channel, r) for r in (RECIPIENT, RECIPIENT[1:], SOMEBODY))
    assert [mentions] == bodies(channel, channel.queue_url) == bodies(channel, dead_letters_url)
    assert receipt.is_complete


def test_a_receipt_names_what_is_kept_elsewhere_and_nobody(
    channel: Channel, erasure: Erasure
) -> None:
    """It lists OpenAI's and Twilio's ids of what was sent, who erased and why, and no number."""
    channel.deliver(context())
    record = channel.record()

    receipt = erasure.erase(RECIPIENT, SIGNATURE)

    assert ((record["thread_id"],), (record["message_sid"],)) == (receipt.threads, receipt.messages)
    assert (SIGNATURE.who, "request 17", "2033-05-18T03:33:20.000+00:00") == (
        receipt.who,
        receipt.why,
        receipt.at,
    )
    assert RECIPIENT[1:] not in str(receipt)


def test_a_survey_changes_nothing(channel: Channel, erasure: Erasure) -> None:
    """What would be erased is told as it will be, and stays."""
    channel.deliver(context())
    channel.sqs.send_message(QueueUrl=channel.queue_url, MessageBody=context())
    before = channel.dynamodb.scan(TableName=channel.table)["Items"]

    surveyed = erasure.survey(RECIPIENT, SIGNATURE)

    assert before == channel.dynamodb.scan(TableName=channel.table)["Items"]
    assert [context()] == bodies(channel, channel.queue_url)
    assert surveyed == erasure.erase(RECIPIENT, SIGNATURE)


@pytest.mark.parametrize(
    "state",
    [
        {"conversation_status": "sending"},
        {"conversation_status": "send_unknown"},
        {"conversation_status": "processing", "lease_expires_at": int(NOW) + 1},
    ],
    ids=["sending", "unknown", "worked on"],
)
def test_what_may_be_on_its_way_stays(
    channel: Channel, erasure: Erasure, state: dict[str, Any]
) -> None:
    """An open send keeps its record, and so does a worker; the receipt says that more is to do."""
    channel.deliver(context())
    channel.set_fields(**state)

    survey, receipt = (go(RECIPIENT, SIGNATURE) for go in (erasure.survey, erasure.erase))

    assert (("conversation-1",), ()) == (receipt.open, receipt.conversations)
    assert (receipt.open, False) == (survey.open, receipt.is_complete)
    assert 1 == left(channel, RECIPIENT)


def test_a_lapsed_lease_keeps_nothing(channel: Channel, erasure: Erasure) -> None:
    """A record whose worker died goes; whatever is left of that worker can write nothing."""
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(context())
    channel.set_fields(conversation_status="processing", lease_expires_at=int(NOW) - 1)

    assert ("conversation-1",) == erasure.erase(RECIPIENT, SIGNATURE).conversations
    assert 0 == left(channel, RECIPIENT)


def test_messages_in_somebodys_hands_are_told(channel: Channel, erasure: Erasure) -> None:
    """What cannot be looked into makes the erasure incomplete."""
    channel.sqs.send_message(QueueUrl=channel.queue_url, MessageBody=context())
    channel.sqs.receive_message(QueueUrl=channel.queue_url)

    receipt = erasure.erase(RECIPIENT, SIGNATURE)

    assert (1, False) == (receipt.in_flight["whatsapp queue"], receipt.is_complete)
