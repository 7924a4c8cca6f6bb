"""The straightforward way from a context object to a message, which both competitors take.

Secrets, the AI, the vendor, the final update; whatever fails is logged, recorded as `failed` and
raised. Whether a message is to be processed at all is for the caller to decide.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import boto3
from aws_lambda_powertools import Logger
from botocore.config import Config
from openai import OpenAI

from lambda_src.channels.whatsapp import PARTS
from lambda_src.core import time_budget
from lambda_src.core.ai.responses import generate_with_responses
from lambda_src.core.contract import LogEvent, Status, Step
from lambda_src.core.drafts.texts import validate_output
from lambda_src.core.errors import PermanentFailure, ProcessingError
from lambda_src.core.ledger import Failure, SentRecord
from lambda_src.core.models import Answer, GenerationRequest, OutgoingMessage
from lambda_src.core.settings import Settings
from lambda_src.services.dynamodb import items, serialize
from lambda_src.services.secrets_manager_service import (
    ChannelSecrets,
    is_within,
    twilio_credentials,
)
from lambda_src.utils.assistant_definitions import AssistantFiles
from lambda_src.utils.context_processor import ContextParser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mypy_boto3_dynamodb import DynamoDBClient

    from lambda_src.core.models import ContextObject, RecordKey
    from lambda_src.core.ports import Sender

AWS_CLIENT = Config(
    connect_timeout=time_budget.AWS_CONNECT_SECONDS, read_timeout=time_budget.AWS_READ_SECONDS
)
"""Our timeouts, and the SDK's own number of attempts."""


@dataclass(frozen=True, slots=True)
class Records:
    """Writes conversations' records; raises what boto3 raises."""

    client: DynamoDBClient
    table_name: str
    version: str

    def create(self, context: ContextObject) -> bool:
        """Write the first record; False if there is one, and then nothing is written."""
        try:
            self.replace(context, ConditionExpression="attribute_not_exists(conversation_id)")
        except self.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def replace(self, context: ContextObject, **condition: str) -> None:
        """Write the first record, even if there is one."""
        item = serialize(self._first(context))
        self.client.put_item(TableName=self.table_name, Item=item, **condition)  # type: ignore[arg-type]

    def finish(self, key: RecordKey, sent: SentRecord) -> None:
        """Record what was sent."""
        self._set(
            key,
            conversation_status=Status.SENT,
            message_sid=sent.vendor_id,
            messages=[items.history_entry(sent.vendor_id, sent.answer, sent.sent_at)],
            thread_id=sent.answer.thread_id,
            initial_processing_time_ms=sent.processing_time_ms,
            updated_at=items.timestamp(sent.recorded_at),
        )

    def fail(self, key: RecordKey, failure: Failure) -> None:
        """Record `failed`, and why."""
        self._set(
            key,
            conversation_status=failure.status,
            failure=items.failure_attributes(failure),
            updated_at=items.timestamp(failure.at),
        )

    def _first(self, context: ContextObject) -> dict[str, object]:
        now = items.timestamp(time.time())
        return {
            **context.attributes,
            **items.key_attributes(context.key),
            "conversation_status": Status.PROCESSING,
            "task_complete": 0,
            "messages": [],
            "hand_off_to_human": False,
            "function_call": False,
            "processor_version": self.version,
            "created_at": now,
            "updated_at": now,
        }

    def _set(self, key: RecordKey, **attributes: object) -> None:
        self.client.update_item(
            TableName=self.table_name,
            Key=serialize(items.key_attributes(key)),
            UpdateExpression="SET " + ", ".join(f"{name} = :{name}" for name in attributes),
            ExpressionAttributeValues=serialize({f":{k}": v for k, v in attributes.items()}),
        )


@dataclass(frozen=True, slots=True)
class Straightforward:
    """The steps; `openai` returns the client for an API key, with the SDK's own retries."""

    settings: Settings
    parse: ContextParser
    records: Records
    secrets: ChannelSecrets
    openai: Callable[[str], OpenAI]
    sender: Sender
    log: Logger

    def log_conversation(self, context: ContextObject) -> AbstractContextManager[None]:
        """Add the conversation to every log line inside the context."""
        return self.log.append_context_keys(conversation_id=context.key.conversation_id)

    def send_and_record(self, context: ContextObject) -> None:
        """Send the message of a conversation whose record exists, and record that."""
        started = time.time()
        with self.failure_recorded(context.key):
            answer, sid = self._generate_and_send(context)
        now = time.time()
        sent = SentRecord(sid, answer, now, now, round((now - started) * 1000))
        with self.failure_recorded(context.key), self._alarmed(sid):
            self.records.finish(context.key, sent)
        self.log.info("sent", event=str(LogEvent.MESSAGE_SENT), message_sid=sid)

    @contextmanager
    def failure_recorded(self, key: RecordKey) -> Iterator[None]:
        """Log an error inside the context, and try to record it as `failed`."""
        try:
            yield
        except Exception as error:
            self.record_failure(key, error)
            raise

    def record_failure(self, key: RecordKey, error: Exception) -> None:
        """Log an error, and try to record it as `failed`."""
        code, step = _kind(error)
        self.log.error("failed", event=code, failure_step=str(step))
        try:
            self.records.fail(key, Failure(Status.FAILED, code, step, "", time.time()))
        except Exception as unrecorded:  # noqa: BLE001 - the message has failed all the same
            self.log.error(  # noqa: TRY400 - without its text, which may quote the record
                "the failure could not be recorded",
                event=str(LogEvent.STATUS_WRITE_FAILED),
                failure_code=type(unrecorded).__name__,
            )

    @contextmanager
    def _alarmed(self, sid: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.log.critical(
                "sent, but not recorded",
                event=str(LogEvent.FINAL_DB_UPDATE_FAILED),
                failure_code=_kind(error)[0],
                message_sid=sid,
            )
            raise

    def _generate_and_send(self, context: ContextObject) -> tuple[Answer, str]:
        api_key = self.secrets.openai_key(context.api_key_reference)
        credentials = self.secrets.credentials(context.credentials_reference)
        answer = self._generate(context, api_key)
        message = OutgoingMessage(
            context.sender,
            context.recipient,
            body=answer.text,
            template_id=credentials.template_id or "",
            variables=answer.variables,
        )
        return answer, self.sender.send(credentials, message)

    def _generate(self, context: ContextObject, api_key: str) -> Answer:
        definition = context.assistant or AssistantFiles().find(context.assistant_id)
        if definition is None:
            raise PermanentFailure("assistant_unknown", Step.AI)
        request = GenerationRequest(
            engine=context.engine,
            assistant_id=context.assistant_id,
            definition=definition,
            prompt_context=context.prompt_context,
            metadata={"conversation_id": context.key.conversation_id},
            timeout=self.settings.openai_timeout_seconds,
        )
        answer = generate_with_responses(self.openai(api_key), request, [])
        return validate_output(answer, definition, PARTS.text_rules)


@cache
def straightforward() -> Straightforward:
    """Build the parts, once per container."""
    settings = Settings.from_environment()
    is_allowed = partial(is_within, prefixes=settings.secret_prefixes)
    dynamodb = boto3.client("dynamodb", config=AWS_CLIENT)
    secrets = boto3.client("secretsmanager", config=AWS_CLIENT)
    return Straightforward(
        settings=settings,
        parse=ContextParser(settings.channel, is_allowed),
        records=Records(dynamodb, settings.conversations_table, settings.version),
        secrets=ChannelSecrets(secrets, settings.secret_prefixes, twilio_credentials),
        openai=cache(lambda api_key: OpenAI(api_key=api_key)),
        sender=PARTS.make_sender(settings),
        log=Logger(service=f"{settings.channel}-channel-processor", level=settings.log_level),
    )


def _kind(error: Exception) -> tuple[str, Step]:
    if isinstance(error, ProcessingError):
        return error.code, error.step
    return type(error).__name__, Step.RECORD
