"""The soak's messages on a queue and behind it, spoken to by the real SDK."""

import json
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws
from moto.moto_api._internal.models import moto_api_backend

from tests.faults.rules import Place
from tests.faults.soak.mail import Mail, NotAtRestError
from tests.faults.soak.plan import Arrival, Plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_sqs import SQSClient

CONVERSATIONS = Plan.drawn(25, 1).conversations
FIRST, SECOND = CONVERSATIONS[:2]


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> "Iterator[SQSClient]":
    """Return a client of an SQS in memory."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    with mock_aws():
        moto_api_backend.reset()
        yield boto3.client("sqs", region_name="us-east-1")


@pytest.fixture
def queues(sqs: "SQSClient") -> tuple[str, str]:
    """Make a queue whose messages are dead after one receive, and the one behind it."""
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    queue = sqs.create_queue(
        QueueName="queue", Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"}
    )["QueueUrl"]
    return queue, dead


@pytest.fixture
def mail(sqs: "SQSClient", queues: tuple[str, str]) -> Mail:
    """Return the mail of these queues."""
    return Mail(sqs, *queues)


def _receive(sqs: "SQSClient", queue: str, *, delete: bool) -> None:
    for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]:
        if delete:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])


def _places(mail: Mail) -> dict[str, list[Place]]:
    places: dict[str, list[Place]] = {}
    for letter in mail.letters():
        places.setdefault(letter.conversation_id, []).append(letter.place)
    return places


def _make_dead(sqs: "SQSClient", queue: str) -> None:
    _receive(sqs, queue, delete=False)
    sqs.receive_message(QueueUrl=queue)


def test_every_context_object_is_put_on_the_queue(mail: Mail) -> None:
    """All arrive, also those that are not to be seen yet."""
    mail.put([Arrival(conversation, number) for number, conversation in enumerate(CONVERSATIONS)])
    assert len(CONVERSATIONS) == mail.waiting()


def test_deleted_and_dead_messages_are_told_apart(
    sqs: "SQSClient", queues: tuple[str, str], mail: Mail
) -> None:
    """What is in the dead-letter queue is dead, what is nowhere deleted; nothing changes."""
    mail.put([Arrival(FIRST, 0)])
    _receive(sqs, queues[0], delete=True)
    mail.put([Arrival(SECOND, 0), Arrival(SECOND, 0)])
    _make_dead(sqs, queues[0])
    expected = {
        FIRST.conversation_id: [Place.DELETED],
        SECOND.conversation_id: [Place.DEAD, Place.DEAD],
    }
    assert [expected, expected] == [_places(mail), _places(mail)]


def test_chosen_dead_letters_are_redriven(
    sqs: "SQSClient", queues: tuple[str, str], mail: Mail
) -> None:
    """Those of the chosen conversations are on the queue again, the others stay dead."""
    mail.put([Arrival(FIRST, 0), Arrival(SECOND, 0)])
    _make_dead(sqs, queues[0])
    assert 1 == mail.redrive([SECOND])
    assert 1 == mail.waiting()
    _receive(sqs, queues[0], delete=True)
    assert Place.DEAD in _places(mail)[FIRST.conversation_id]
    assert [Place.DELETED] == _places(mail)[SECOND.conversation_id]


def test_rest_is_when_nothing_was_on_the_queue_for_a_while(mail: Mail) -> None:
    """An empty queue is at rest; one that stays full when the time is over is an error."""
    seen: list[int] = []
    mail.await_rest(quiet=0.01, patience=60, tell=seen.append)
    assert {0} == set(seen)
    mail.put([Arrival(FIRST, 0)])
    with pytest.raises(NotAtRestError, match="1 messages"):
        mail.await_rest(quiet=0.01, patience=0, tell=seen.append)
