"""A straightforward handler: one message after the other, with boto3, openai and twilio.

Clients are created at import, and secrets are read once: what an experienced engineer would
write in a day. It parses what it needs, and has no ledger and no error handling.
"""

import json
import logging
import os
import time
from datetime import UTC, datetime
from functools import cache
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import boto3
from boto3.dynamodb.types import TypeSerializer
from openai import OpenAI
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

log = logging.getLogger()
log.setLevel(logging.INFO)

BEAT_SECONDS = 30
VISIBILITY_SECONDS = 120
INSTRUCTIONS = "Write the first WhatsApp message that a company sends to a person."
SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("1", "2")},
    "required": ["1", "2"],
    "additionalProperties": False,
}

sqs = boto3.client("sqs")
dynamodb = boto3.client("dynamodb")
secretsmanager = boto3.client("secretsmanager")
serializer = TypeSerializer()


class LocalHttpClient(TwilioHttpClient):
    """Twilio's HTTP client with another base URL."""

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        """Make a request."""
        local = urlsplit(os.environ["TWILIO_BASE_URL"])
        rebased = urlunsplit((local.scheme, local.netloc, *urlsplit(url)[2:]))
        return super().request(method, rebased, *args, **options)


def lambda_handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Process a batch, message by message."""
    failed = []
    for record in event["Records"]:
        try:
            with Heartbeat(record["receiptHandle"]):
                process(json.loads(record["body"]))
        except Exception:
            log.exception("failed")
            failed.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failed}


def process(context: dict[str, Any]) -> None:
    """Generate and send the message of a context object, and record it."""
    recipient = context["frontend_payload"]["recipient_data"]
    company = context["company_data_payload"]
    key = {
        "primary_channel": recipient["recipient_tel"],
        "conversation_id": context["conversation_data"]["conversation_id"],
    }
    started = time.time()
    create_record(key, context)
    openai_config = company["ai_config"]["openai_config"]["whatsapp"]
    channel_config = company["channel_config"]["whatsapp"]
    thread_id, answer = write(openai_config, context)
    sid = send(channel_config, recipient["recipient_tel"], answer)
    finish_record(key, thread_id, answer, sid, round((time.time() - started) * 1000))
    log.info("sent %s", sid)


def create_record(key: dict[str, str], context: dict[str, Any]) -> None:
    """Create the record; fails if it exists."""
    front, company = context["frontend_payload"], context["company_data_payload"]
    now = datetime.now(UTC).isoformat()
    record = {
        **key,
        **{name: value for name, value in company.items() if name != "allowed_channels"},
        **front["recipient_data"],
        **front["request_data"],
        "project_data": json.dumps(front["project_data"]),
        "conversation_status": "processing",
        "task_complete": 0,
        "messages": [],
        "created_at": now,
        "updated_at": now,
    }
    dynamodb.put_item(
        TableName=os.environ["CONVERSATIONS_TABLE"],
        Item={name: serializer.serialize(value) for name, value in record.items()},
        ConditionExpression="attribute_not_exists(conversation_id)",
    )


def write(openai_config: dict[str, Any], context: dict[str, Any]) -> tuple[str, Any]:
    """Generate the template's variables."""
    client = openai_client(secret(openai_config["api_key_reference"])["ai_api_key"])
    conversation = client.conversations.create()
    response = client.responses.create(
        model=os.environ["MODEL"],
        instructions=INSTRUCTIONS,
        input=json.dumps(context["frontend_payload"]["project_data"]),
        conversation=conversation.id,
        text={
            "format": {"type": "json_schema", "name": "variables", "schema": SCHEMA, "strict": True}
        },
    )
    return conversation.id, response


def send(channel_config: dict[str, Any], recipient: str, answer: Any) -> str | None:
    """Send with Twilio."""
    credentials = secret(channel_config["whatsapp_credentials_id"])
    client = twilio_client(credentials["twilio_account_sid"], credentials["twilio_auth_token"])
    return client.messages.create(
        to=f"whatsapp:{recipient}",
        from_=f"whatsapp:{channel_config['company_whatsapp_number']}",
        content_sid=credentials["twilio_template_sid"],
        content_variables=json.dumps(json.loads(answer.output_text)),
    ).sid


def finish_record(
    key: dict[str, str], thread_id: str, answer: Any, sid: str | None, milliseconds: int
) -> None:
    """Record the sent message."""
    message = {
        "message_id": answer.id,
        "role": "assistant",
        "content": answer.output_text,
        "total_tokens": answer.usage.total_tokens,
    }
    values = {
        ":status": "initial_message_sent",
        ":sid": sid,
        ":thread": thread_id,
        ":messages": [message],
        ":took": milliseconds,
        ":at": datetime.now(UTC).isoformat(),
    }
    dynamodb.update_item(
        TableName=os.environ["CONVERSATIONS_TABLE"],
        Key={name: serializer.serialize(value) for name, value in key.items()},
        UpdateExpression=(
            "SET conversation_status = :status, message_sid = :sid, thread_id = :thread,"
            " messages = :messages, initial_processing_time_ms = :took, updated_at = :at"
        ),
        ExpressionAttributeValues={n: serializer.serialize(v) for n, v in values.items()},
    )


@cache
def secret(name: str) -> dict[str, str]:
    """Return a secret, read once."""
    value: dict[str, str] = json.loads(
        secretsmanager.get_secret_value(SecretId=name)["SecretString"]
    )
    return value


@cache
def openai_client(api_key: str) -> OpenAI:
    """Return the client of an API key."""
    return OpenAI(api_key=api_key)


@cache
def twilio_client(account_sid: str, auth_token: str) -> Client:
    """Return the client of an account."""
    return Client(account_sid, auth_token, http_client=LocalHttpClient())


class Heartbeat:
    """Keep a message invisible for a `with` block."""

    def __init__(self, receipt_handle: str) -> None:
        self._receipt_handle = receipt_handle
        self._stopped = Event()
        self._thread = Thread(target=self._beat, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT_SECONDS):
            sqs.change_message_visibility(
                QueueUrl=os.environ["QUEUE_URL"],
                ReceiptHandle=self._receipt_handle,
                VisibilityTimeout=VISIBILITY_SECONDS,
            )
