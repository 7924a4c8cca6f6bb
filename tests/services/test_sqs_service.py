"""The channel's queue on SQS: visibility extended and changed, and the receive limit."""

import time
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.sqs.models import sqs_backends

from lambda_src.core.errors import TransientFailure
from lambda_src.services.sqs_service import ChannelQueue
from local.fakes.aws import ACCOUNT, QUEUE, REGION

VISIBILITY = 90


@pytest.fixture
def client(queue_url: str) -> Any:  # noqa: ARG001 - a boto3 client, and its queue
    """An SQS client of the test's own."""
    return boto3.client("sqs")


@pytest.fixture
def queue(client: Any, queue_url: str) -> ChannelQueue:
    """The adapter."""
    return ChannelQueue(client, queue_url, VISIBILITY)


def receive(client: Any, queue_url: str, count: int) -> dict[str, str]:
    """Return received messages as message id → receipt handle."""
    for number in range(count):
        client.send_message(QueueUrl=queue_url, MessageBody=str(number))
    messages: dict[str, str] = {}
    while len(messages) < count:
        answer = client.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
        messages |= {m["MessageId"]: m["ReceiptHandle"] for m in answer["Messages"]}
    return messages


def invisible_for(message_id: str) -> int:
    """Return the seconds until a message is visible again."""
    messages = sqs_backends[ACCOUNT][REGION].queues[QUEUE]._messages
    (message,) = [m for m in messages if m.id == message_id]
    return round(message.visible_at / 1000 - time.time())


def test_every_message_of_a_batch_is_extended(
    queue: ChannelQueue, client: Any, queue_url: str
) -> None:
    """Also more than SQS's ten; a refused receipt handle is named."""
    messages = receive(client, queue_url, 12)
    assert frozenset() == queue.extend(messages)
    assert {VISIBILITY} == {invisible_for(message) for message in messages}
    assert frozenset({"gone"}) == queue.extend({**messages, "gone": "no-such-handle"})


def test_each_message_gets_its_own_delay(queue: ChannelQueue, client: Any, queue_url: str) -> None:
    """A failed message is visible again after it."""
    (first, handle), (second, other) = receive(client, queue_url, 2).items()
    queue.change_visibility({handle: 0, other: 600})
    assert [0, 600] == [invisible_for(first), invisible_for(second)]


def test_a_queue_that_does_not_answer_fails_no_batch(
    queue: ChannelQueue, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged; the messages come back when their visibility timeout ends."""

    def fail(**_: object) -> None:
        raise ClientError({"Error": {"Code": "Throttled", "Message": "no"}}, "ChangeVisibility")

    client.meta.events.register("before-call.sqs.*", fail)
    queue.change_visibility({"a-handle": 10})
    expected = "failed messages are delivered again when their visibility timeout ends"
    assert expected in caplog.messages


def test_the_receive_limit_is_the_redrive_policys(client: Any, queue: ChannelQueue) -> None:
    """A queue that does not answer is a transient failure."""
    assert 10 == queue.max_receive_count()
    missing = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/none"
    with pytest.raises(TransientFailure, match="queue_unavailable"):
        ChannelQueue(client, missing, VISIBILITY).max_receive_count()
