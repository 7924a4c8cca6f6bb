"""The channel's queue on SQS: visibility kept, and given back."""

import time
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.sqs.models import sqs_backends

from lambda_src.core.errors import TransientFailure
from lambda_src.services.sqs_service import ChannelQueue

VISIBILITY = 90


@pytest.fixture
def client(queue_url: str) -> Any:  # noqa: ARG001 - a boto3 client, and its queue
    """An SQS client of the test's own."""
    return boto3.client("sqs")


@pytest.fixture
def queue(client: Any, queue_url: str) -> ChannelQueue:
    """The adapter."""
    return ChannelQueue(client, queue_url, VISIBILITY)


def received(client: Any, queue_url: str, count: int) -> dict[str, str]:
    """Messages received, as message id to receipt handle."""
    for number in range(count):
        client.send_message(QueueUrl=queue_url, MessageBody=str(number))
    messages: dict[str, str] = {}
    while len(messages) < count:
        answer = client.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
        messages |= {m["MessageId"]: m["ReceiptHandle"] for m in answer["Messages"]}
    return messages


def seconds_until_visible(message_id: str) -> int:
    """Seconds until the queue shows a message again, rounded."""
    (queue, *_) = [q for q in _queues() if q.name == "queue"]
    (message,) = [m for m in queue._messages if m.id == message_id]
    seconds: float = message.visible_at / 1000 - time.time()
    return round(seconds)


def _queues() -> list[Any]:
    return list(sqs_backends["123456789012"]["eu-west-1"].queues.values())


def test_extends_every_message_of_a_batch(queue: ChannelQueue, client: Any, queue_url: str) -> None:
    """One call keeps all messages invisible for the configured time, more than ten too."""
    messages = received(client, queue_url, 12)

    assert frozenset() == queue.extend(messages)

    assert {VISIBILITY} == {seconds_until_visible(message) for message in messages}


def test_names_the_messages_that_could_not_be_extended(
    queue: ChannelQueue, client: Any, queue_url: str
) -> None:
    """A message whose receipt handle the queue refuses is named, the others are extended."""
    messages = {**received(client, queue_url, 1), "gone": "no-such-handle"}

    assert frozenset({"gone"}) == queue.extend(messages)


def test_shows_each_message_again_in_its_own_time(
    queue: ChannelQueue, client: Any, queue_url: str
) -> None:
    """Failed messages come back after the delay given for each."""
    first, second = received(client, queue_url, 2).items()

    queue.show_again({first[1]: 0, second[1]: 600})

    assert [0, 600] == [seconds_until_visible(first[0]), seconds_until_visible(second[0])]


def test_queue_that_does_not_answer_fails_no_batch(
    queue: ChannelQueue, client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A visibility that cannot be changed is logged; the messages come back by themselves."""

    def fail(**_: object) -> None:
        raise ClientError({"Error": {"Code": "Throttled", "Message": "no"}}, "ChangeVisibility")

    client.meta.events.register("before-call.sqs.*", fail)

    queue.show_again({"a-handle": 10})

    assert "failed messages come back when their visibility ends" in caplog.messages


def test_tells_the_most_receives(queue: ChannelQueue) -> None:
    """The redrive policy's maxReceiveCount is read from the queue."""
    assert 10 == queue.max_receive_count()


def test_queue_that_does_not_tell_is_transient(client: Any) -> None:
    """A queue that does not answer is a passing fault."""
    queue = ChannelQueue(client, "https://sqs.eu-west-1.amazonaws.com/123456789012/none", 90)

    with pytest.raises(TransientFailure, match="queue_unavailable"):
        queue.max_receive_count()
