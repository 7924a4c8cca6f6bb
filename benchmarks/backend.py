"""The services around a measured function: AWS in another process, the fake vendors on loopback."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import boto3
from mypy_boto3_sqs import SQSClient

from benchmarks.runtime import AWS_CORES
from local.fakes import FakeOpenAI, FakeTwilio, OpenAISettings
from tests.support import aws_account
from tests.support.aws_server import aws_server
from tests.support.channel import MODEL, context

IDEMPOTENCY_TABLE = "idempotency"
CALLBACK_BASE_URL = "https://callbacks.example"
BATCH_SIZE = 10


@dataclass(frozen=True)
class Backend:
    """One AWS account and the vendors.

    Attributes:
        openai: The fake OpenAI.
        twilio: The fake Twilio, which sends no status callbacks by itself.
        environment: Environment variables of a function that uses them.
    """

    openai: FakeOpenAI
    twilio: FakeTwilio
    environment: Mapping[str, str]
    _sqs: SQSClient = field(default_factory=lambda: boto3.client("sqs"))
    _numbers: Iterator[int] = field(default_factory=count)

    def receive(self, size: int) -> dict[str, Any]:
        """Return an SQS event with that many new messages, which are in flight."""
        url = self.environment["QUEUE_URL"]
        bodies = [context(conversation_id=f"bench-{next(self._numbers)}") for _ in range(size)]
        if bodies:
            entries: Any = [{"Id": str(n), "MessageBody": b} for n, b in enumerate(bodies)]
            self._sqs.send_message_batch(QueueUrl=url, Entries=entries)
        return self._take(url, size)

    def receive_callbacks(self, size: int) -> dict[str, Any]:
        """Return an SQS event with that many delivery events, which are in flight."""
        return self._take(self.environment["EVENTS_QUEUE_URL"], size)

    def _take(self, url: str, size: int) -> dict[str, Any]:
        records: list[dict[str, Any]] = []
        while len(records) < size:
            answer = self._sqs.receive_message(
                QueueUrl=url, MaxNumberOfMessages=size - len(records)
            )
            records += map(_record, answer.get("Messages", []))
        return {"Records": records}

    def finish(self, event: Mapping[str, Any], queue: str = "QUEUE_URL") -> None:
        """Delete an event's messages, and clear what the vendors store.

        Args:
            event: The event.
            queue: The variable with the URL of its queue.
        """
        for record in event["Records"]:
            self._sqs.delete_message(
                QueueUrl=self.environment[queue], ReceiptHandle=record["receiptHandle"]
            )
        self.openai.reset()
        self.twilio.reset()

    def set_ai_seconds(self, seconds: float) -> None:
        """Set the duration of an AI answer."""
        self.openai.settings = OpenAISettings(answer_seconds=seconds)


@contextmanager
def backend() -> Iterator[Backend]:
    """Run the services for a `with` block; sets the AWS variables of this process."""
    with (
        aws_server(AWS_CORES) as aws,
        aws_account.fake_openai() as openai,
        aws_account.fake_twilio(clock=_now) as twilio,
    ):
        os.environ.update(aws)
        yield Backend(openai, twilio, _create_account(openai, twilio))


def _now() -> float:
    """Return the time; with a clock of its own the fake sends no callbacks by itself."""
    return time.time()


def _create_account(openai: FakeOpenAI, twilio: FakeTwilio) -> dict[str, str]:
    aws_account.create_secrets()
    boto3.client("dynamodb").create_table(
        TableName=IDEMPOTENCY_TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    return {
        **{name: value for name, value in os.environ.items() if name.startswith("AWS_")},
        **aws_account.variables(
            aws_account.create_queue(), aws_account.create_table(), openai, twilio
        ),
        "MODEL": MODEL,
        "IDEMPOTENCY_TABLE": IDEMPOTENCY_TABLE,
        "CALLBACK_BASE_URL": CALLBACK_BASE_URL,
        "EVENTS_QUEUE_URL": boto3.client("sqs").create_queue(QueueName="events")["QueueUrl"],
    }


def _record(message: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {"ApproximateReceiveCount": "1"},
        "eventSource": "aws:sqs",
    }
