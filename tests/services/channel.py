"""A channel of its own for one test: real runtime, real SDKs, moto and the stand-ins."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_secretsmanager import SecretsManagerClient
from mypy_boto3_sqs import SQSClient

from lambda_src import index
from lambda_src.services.dynamodb_values import deserialized, serialized
from local.stand_ins.openai import OpenAIStandIn
from local.stand_ins.twilio import TwilioStandIn

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

Change = Callable[[dict[str, Any]], object]
LambdaHandler = Callable[[dict[str, Any], Any], dict[str, Any]]


def context(*changes: Change, conversation_id: str = CONVERSATION) -> str:
    """The example context object as JSON, after the changes."""
    document = json.loads(EXAMPLE.read_text())
    document["conversation_data"]["conversation_id"] = conversation_id
    for change in changes:
        change(document)
    return json.dumps(document)


def recipient_data(document: dict[str, Any]) -> dict[str, Any]:
    """The part of a context object that is about the recipient."""
    part: dict[str, Any] = document["frontend_payload"]["recipient_data"]
    return part


def openai_config(document: dict[str, Any]) -> dict[str, Any]:
    """The part of a context object that configures the AI."""
    part: dict[str, Any] = document["company_data_payload"]["ai_config"]["openai_config"][
        "whatsapp"
    ]
    return part


def channel_config(document: dict[str, Any]) -> dict[str, Any]:
    """The part of a context object that configures the channel."""
    part: dict[str, Any] = document["company_data_payload"]["channel_config"]["whatsapp"]
    return part


@dataclass
class LambdaContext:
    """What Lambda tells the handler about its own time."""

    seconds_left: float = 170.0

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""
        return round(self.seconds_left * 1000)


@dataclass(frozen=True)
class Channel:
    """One channel in one environment, empty at first.

    Attributes:
        openai: The stand-in for OpenAI.
        twilio: The stand-in for Twilio.
        read_log: Gives the log lines that were not given before.
        read_metrics: Gives the lines of metrics that were not given before.
    """

    sqs: SQSClient
    dynamodb: DynamoDBClient
    secretsmanager: SecretsManagerClient
    queue_url: str
    table: str
    openai: OpenAIStandIn
    twilio: TwilioStandIn
    read_log: Callable[[], list[dict[str, Any]]]
    read_metrics: Callable[[], list[dict[str, Any]]]

    def deliver(
        self,
        *bodies: str,
        receive_count: int = 1,
        seconds_left: float = 170,
        handler: LambdaHandler = index.lambda_handler,
    ) -> list[str]:
        """Deliver bodies as one batch, as the event source mapping does.

        Returns:
            The bodies whose messages the handler reports as failed.
        """
        messages = [self._received(body, receive_count) for body in bodies]
        failed = self.hand_over(messages, seconds_left=seconds_left, handler=handler)
        for message in messages:  # so that the next delivery is a message of its own
            self.delete(message)
        return [message["Body"] for message in messages if message["MessageId"] in failed]

    def hand_over(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        seconds_left: float = 170,
        handler: LambdaHandler = index.lambda_handler,
    ) -> frozenset[str]:
        """Give received messages to the handler as one batch.

        Returns:
            The ids of those that it reports as failed.
        """
        records = [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            for message in messages
        ]
        result = handler({"Records": records}, cast("Any", LambdaContext(seconds_left)))
        return frozenset(failure["itemIdentifier"] for failure in result["batchItemFailures"])

    def delete(self, message: Mapping[str, Any]) -> None:
        """Delete a received message from the queue."""
        self.sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])

    def _received(self, body: str, receive_count: int) -> dict[str, Any]:
        # The queue's own message has another body: some of those delivered it would refuse.
        self.sqs.send_message(QueueUrl=self.queue_url, MessageBody="a body")
        (message,) = self.sqs.receive_message(QueueUrl=self.queue_url)["Messages"]
        attributes = {
            "ApproximateReceiveCount": str(receive_count),
            "SentTimestamp": str(round(time.time() * 1000)),
        }
        return {**message, "Body": body, "Attributes": attributes}

    def record(self, conversation_id: str = CONVERSATION, recipient: str = RECIPIENT) -> Any:
        """The conversation's record as Python values, None if there is none."""
        key = serialized({"primary_channel": recipient, "conversation_id": conversation_id})
        found = self.dynamodb.get_item(TableName=self.table, Key=key)
        return deserialized(found["Item"]) if "Item" in found else None

    def set_fields(self, conversation: str = CONVERSATION, **fields: object) -> None:
        """Set attributes of the conversation's record."""
        self.dynamodb.update_item(
            TableName=self.table,
            Key=serialized({"primary_channel": RECIPIENT, "conversation_id": conversation}),
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in fields),
            ExpressionAttributeValues=serialized({f":{k}": v for k, v in fields.items()}),
        )

    def set_secret(self, name: str, value: str) -> None:
        """Give a secret another value."""
        self.secretsmanager.put_secret_value(SecretId=name, SecretString=value)

    def phone(self) -> list[str]:
        """The texts on the recipient's phone, oldest first."""
        return [message.body for message in self.twilio.phone(RECIPIENT)]

    def vendor_calls(self) -> int:
        """How many requests either vendor got."""
        return len(self.openai.requests) + len(self.twilio.requests)

    def table_client(self) -> DynamoDBClient:
        """The runtime's own DynamoDB client, whose events tests may listen to."""
        conversations = index.batch_handler().flow.final_record.conversations
        client: DynamoDBClient = cast("ConversationsTable", conversations)._client
        return client

    def events(self) -> dict[str, dict[str, Any]]:
        """The log lines since the last call by their event, the last of each."""
        return {line["event"]: line for line in self.read_log()}
