"""A channel for one test: the real handler and SDKs, on moto and the fake vendors."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import ClientError
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_secretsmanager import SecretsManagerClient
from mypy_boto3_sqs import SQSClient

from lambda_src import index
from lambda_src.services.dynamodb import deserialize, serialize
from local.fakes.openai import FakeOpenAI
from local.fakes.twilio import FakeTwilio

if TYPE_CHECKING:
    from lambda_src.services.dynamodb_service import ConversationsTable

EXAMPLE = Path(__file__).parents[2] / "examples" / "contexts" / "whatsapp.json"
RECIPIENT = "+447700900123"
CONVERSATION = "conversation-1"
PREFIXES = (
    "ai-multi-comms/dev/openai-api-key/whatsapp",
    "ai-multi-comms/dev/whatsapp-credentials/",
)
OPENAI_SECRET = PREFIXES[0]
TWILIO_SECRET = f"{PREFIXES[1]}demo-company"
API_KEY = "a-made-up-api-key"
ACCOUNT = "AC" + "0" * 32
TOKEN = "a-made-up-auth-token"
TEMPLATE = "HX" + "1" * 32
MODEL = "gpt-6-luna"
TWILIO_CREDENTIALS = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": TOKEN}
ASSISTANT = {
    "model": MODEL,
    "instructions": "Write.",
    "variables": {"1": {"description": "The first name"}, "2": {"description": "The message"}},
}
"""An inline definition of an assistant."""
FREE_TEXT_SECRET = json.dumps(TWILIO_CREDENTIALS)
"""A Twilio secret without a template: messages are free text."""

Change = Callable[[dict[str, Any]], object]
LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]


def context(*changes: Change, conversation_id: str = CONVERSATION) -> str:
    """Return the example context object as JSON, after the changes."""
    document = json.loads(EXAMPLE.read_text())
    document["conversation_data"]["conversation_id"] = conversation_id
    for change in changes:
        change(document)
    return json.dumps(document)


def recipient_data(document: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a context object about the recipient."""
    part: dict[str, Any] = document["frontend_payload"]["recipient_data"]
    return part


def openai_config(document: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a context object that configures the AI."""
    config = document["company_data_payload"]["ai_config"]["openai_config"]
    part: dict[str, Any] = config["whatsapp"]
    return part


def channel_config(document: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a context object that configures the channel."""
    part: dict[str, Any] = document["company_data_payload"]["channel_config"]["whatsapp"]
    return part


@dataclass(frozen=True)
class Channel:
    """One channel in one environment.

    Attributes:
        handoff_url: The hand-off queue.
        openai: The fake OpenAI.
        twilio: The fake Twilio.
        read_log: Returns the log lines since the last call.
        read_metrics: Returns the metrics' lines since the last call.
    """

    sqs: SQSClient
    dynamodb: DynamoDBClient
    secretsmanager: SecretsManagerClient
    queue_url: str
    handoff_url: str
    table: str
    openai: FakeOpenAI
    twilio: FakeTwilio
    read_log: Callable[[], list[dict[str, Any]]]
    read_metrics: Callable[[], list[dict[str, Any]]]

    def deliver(
        self,
        *bodies: str,
        receive_count: int = 1,
        seconds_left: float = 170,
        handler: LambdaHandler = index.lambda_handler,
    ) -> list[str]:
        """Deliver bodies as one batch, and return those that the handler reports as failed."""
        messages = [self._receive(body, receive_count) for body in bodies]
        failed = self.invoke(messages, seconds_left=seconds_left, handler=handler)
        for message in messages:  # so that the next delivery has its own message
            self.delete(message)
        return [message["Body"] for message in messages if message["MessageId"] in failed]

    def invoke(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        seconds_left: float = 170,
        handler: LambdaHandler = index.lambda_handler,
    ) -> frozenset[str]:
        """Invoke the handler with received messages, and return the ids that it reports."""
        names = ("MessageId", "ReceiptHandle", "Body", "Attributes")
        records = [
            {name[0].lower() + name[1:]: message[name] for name in names}
            | {"messageAttributes": _as_in_events(message.get("MessageAttributes", {}))}
            for message in messages
        ]
        lambda_context = SimpleNamespace(
            get_remaining_time_in_millis=lambda: round(seconds_left * 1000)
        )
        result = handler({"Records": records}, lambda_context)
        return frozenset(failure["itemIdentifier"] for failure in result["batchItemFailures"])

    def receive_all(self) -> list[Any]:
        """Receive what is on the channel's queue, with all attributes."""
        found: list[Any] = []
        while batch := self.sqs.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages"):
            found += batch
        return found

    def delete(self, message: Mapping[str, Any]) -> None:
        self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])

    def _receive(self, body: str, receive_count: int) -> dict[str, Any]:
        # The queue's own message has another body, since the queue would refuse some.
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody="a body")
        (message,) = self.sqs.receive_message(QueueUrl=self.queue_url)["Messages"]
        attributes = {
            "ApproximateReceiveCount": str(receive_count),
            "SentTimestamp": str(round(time.time() * 1000)),
        }
        return {**message, "Body": body, "Attributes": attributes}

    def record(self, conversation_id: str = CONVERSATION, recipient: str = RECIPIENT) -> Any:
        """Return the conversation's record as Python values, or None."""
        key = serialize({"primary_channel": recipient, "conversation_id": conversation_id})
        found = self.dynamodb.get_item(TableName=self.table, Key=key)
        return deserialize(found["Item"]) if "Item" in found else None

    def status(
        self, conversation_id: str = CONVERSATION, recipient: str = RECIPIENT
    ) -> tuple[str, str | None]:
        """Return the record's status, and its failure code if it has one."""
        record = self.record(conversation_id, recipient)
        return record["conversation_status"], record.get("failure", {}).get("code")

    def set_fields(self, conversation: str = CONVERSATION, **fields: object) -> None:
        self.dynamodb.update_item(
            TableName=self.table,
            Key=serialize({"primary_channel": RECIPIENT, "conversation_id": conversation}),
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in fields),
            ExpressionAttributeValues=serialize({f":{k}": v for k, v in fields.items()}),
        )

    def set_secret(self, name: str, value: str) -> None:
        self.secretsmanager.put_secret_value(SecretId=name, SecretString=value)

    def phone(self) -> list[str]:
        """Return the texts that the recipient got, the oldest first."""
        return [message.body for message in self.twilio.inbox(RECIPIENT)]

    def handed_off(self) -> list[dict[str, Any]]:
        """Receive the context objects on the hand-off queue, which stay invisible for a while."""
        found = self.sqs.receive_message(QueueUrl=self.handoff_url, MaxNumberOfMessages=10)
        return [json.loads(message["Body"]) for message in found.get("Messages", ())]

    def vendor_calls(self) -> int:
        return len(self.openai.requests) + len(self.twilio.requests)

    def table_client(self) -> DynamoDBClient:
        """Return the runtime's own DynamoDB client."""
        store = cast("ConversationsTable", index.batch_handler().flow.leases.store)
        client: DynamoDBClient = store._client
        return client

    def events(self) -> dict[str, dict[str, Any]]:
        """Return the log lines since the last call by event, the last line of each."""
        return {line["event"]: line for line in self.read_log()}


@contextmanager
def failing_call(operation: str, failure: BaseException, *, containing: str = "") -> Iterator[None]:
    """Let each call of an AWS operation that contains a text fail before it is made."""
    make_call = BaseClient._make_api_call  # type: ignore[attr-defined]  # typed without it

    def fail_or_call(client: BaseClient, name: str, parameters: Any) -> Any:
        if name == operation and containing in str(parameters):
            raise failure
        return make_call(client, name, parameters)

    with patch.object(BaseClient, "_make_api_call", fail_or_call):
        yield


@contextmanager
def failing_operation(
    _: Channel, operation: str, code: str, *, containing: str = ""
) -> Iterator[None]:
    """Let AWS refuse an operation whose parameters contain a text; the error quotes the number."""
    error = ClientError({"Error": {"Code": code, "Message": f"no {RECIPIENT}"}}, operation)
    with failing_call(operation, error, containing=containing):
        yield


def expire_send_deadline(channel: Channel, conversation: str = CONVERSATION) -> None:
    """Let the time pass in which the recorded send may be in progress."""
    channel.set_fields(conversation, send_deadline=0)


def _as_in_events(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message's attributes as the event source mapping passes them on."""
    return {
        name: {"stringValue": each["StringValue"], "dataType": each["DataType"]}
        for name, each in attributes.items()
    }
