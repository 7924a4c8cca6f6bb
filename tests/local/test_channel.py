"""Sending to a queue as the channel router does, on an embedded AWS."""

import uuid

from local.aws import Aws
from local.channel import Channel
from local.contexts import EXAMPLE
from local.resources import Resources


def _groups(aws: Aws, url: str) -> dict[str, str | None]:
    """The message group of each message on a queue, by the message's body."""
    received = aws.sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["MessageGroupId"]
    )["Messages"]
    return {
        message["Body"]: message.get("Attributes", {}).get("MessageGroupId") for message in received
    }


def test_each_company_is_a_message_group(embedded_aws: Aws) -> None:
    """A context object is sent in its company's group, and what names no company in none."""
    url = embedded_aws.sqs.create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"]
    names = dict.fromkeys(Resources.__annotations__, "") | {"queue_url": url}
    channel = Channel(embedded_aws, Resources(**names))
    body = EXAMPLE.read_text("utf-8")

    channel.send(body)
    channel.send("no context object")

    assert {body: "demo-company", "no context object": None} == _groups(embedded_aws, url)
