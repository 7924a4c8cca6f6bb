"""What surrounds the measured functions: AWS in a process of its own, the vendors on loopback."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
from mypy_boto3_sqs import SQSClient

from local.stand_ins import OpenAISettings, OpenAIStandIn, TwilioStandIn
from tests.services import account
from tests.services.aws_server import aws_server
from tests.services.channel import MODEL, context

if TYPE_CHECKING:
    from collections.abc import Mapping

IDEMPOTENCY_TABLE = "idempotency"
LARGEST_BATCH = 10


@dataclass(frozen=True)
class World:
    """One AWS account and the vendors.

    Attributes:
        openai: The stand-in for OpenAI.
        twilio: The stand-in for Twilio.
        environment: The environment variables of a function that works here.
    """

    openai: OpenAIStandIn
    twilio: TwilioStandIn
    environment: "Mapping[str, str]"

    @cached_property
    def _sqs(self) -> SQSClient:
        return boto3.client("sqs")

    @cached_property
    def _numbers(self) -> "Iterator[int]":
        return count()

    def batch(self, size: int) -> dict[str, Any]:
        """An SQS event with so many messages that really are in flight, each of its own."""
        entries = [
            {
                "Id": str(index),
                "MessageBody": context(conversation_id=f"conversation-{next(self._numbers)}"),
            }
            for index in range(size)
        ]
        url = self.environment["QUEUE_URL"]
        if entries:
            self._sqs.send_message_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]
        records: list[dict[str, Any]] = []
        while len(records) < size:
            records += map(_record, self._received(url, size - len(records)))
        return {"Records": records}

    def _received(self, url: str, number: int) -> list[Any]:
        answer = self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=number)
        messages: list[Any] = answer.get("Messages", [])
        return messages

    def done(self, event: "Mapping[str, Any]") -> None:
        """Delete an event's messages, and forget what the vendors keep of them."""
        for record in event["Records"]:
            self._sqs.delete_message(
                QueueUrl=self.environment["QUEUE_URL"], ReceiptHandle=record["receiptHandle"]
            )
        self.openai.reset()
        self.twilio.reset()

    def ai_takes(self, seconds: float) -> None:
        """Let the AI need so long for an answer."""
        self.openai.settings = OpenAISettings(answer_seconds=seconds)


@contextmanager
def world() -> Iterator[World]:
    """Run everything while the context lasts."""
    with (
        aws_server() as aws,
        account.openai_stand_in() as openai,
        account.twilio_stand_in() as twilio,
    ):
        os.environ.update(aws)
        yield World(openai, twilio, _furnished(openai, twilio))


def _furnished(openai: OpenAIStandIn, twilio: TwilioStandIn) -> dict[str, str]:
    account.create_secrets()
    boto3.client("dynamodb").create_table(
        TableName=IDEMPOTENCY_TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    variables = account.variables(account.create_queue(), account.create_table(), openai, twilio)
    aws = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    own = {"MODEL": MODEL, "IDEMPOTENCY_TABLE": IDEMPOTENCY_TABLE}
    return {**aws, **variables, **own}


def _record(message: "Mapping[str, Any]") -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }
