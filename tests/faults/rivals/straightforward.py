"""The straightforward way from a context object to a message, which both rivals take.

Secrets, the AI, the vendor, the final update; whatever fails is logged, recorded as `failed` and
raised. Whether a message is to be worked on at all is for the caller to decide.
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
from lambda_src.core import timing
from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.errors import PermanentFailure, ProcessingError, Step
from lambda_src.core.ledger import Failure, SentRecord
from lambda_src.core.message import Answer, Assignment, OutgoingMessage, fit
from lambda_src.core.openai_responses import write_with_responses
from lambda_src.core.settings import Settings
from lambda_src.services.secrets_manager_service import ChannelSecrets, is_within
from lambda_src.utils.assistant_definitions import AssistantFiles
from lambda_src.utils.context_processor import ContextParser
from tests.faults.rivals.records import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lambda_src.core.context import ContextObject, RecordKey
    from lambda_src.core.ports import Sender

AWS_CLIENT = Config(
    connect_timeout=timing.AWS_CONNECT_SECONDS, read_timeout=timing.AWS_READ_SECONDS
)
"""Our timeouts, and the SDK's own number of tries."""


@dataclass(frozen=True, slots=True)
class Straightforward:
    """The steps; `openai` gives the client for an API key, with the SDK's own number of tries."""

    settings: Settings
    parse: ContextParser
    records: Records
    secrets: ChannelSecrets
    openai: Callable[[str], OpenAI]
    sender: Sender
    log: Logger

    def telling_of(self, context: ContextObject) -> AbstractContextManager[None]:
        """Name the conversation in every log line while the context lasts."""
        return self.log.append_context_keys(conversation_id=context.key.conversation_id)

    def carry_out(self, context: ContextObject) -> None:
        """Bring a conversation whose record stands to its message, and record that.

        Raises:
            Exception: Whatever went wrong, once it is logged and recorded as far as possible.
        """
        started = time.time()
        with self.failure_recorded(context.key):
            answer, sid = self._write_and_send(context)
        now = time.time()
        sent = SentRecord(sid, answer, now, now, round((now - started) * 1000))
        with self.failure_recorded(context.key), self._alarmed(sid):
            self.records.finish(context.key, sent)
        self.log.info("sent", event=str(LogEvent.MESSAGE_SENT), message_sid=sid)

    @contextmanager
    def failure_recorded(self, key: RecordKey) -> Iterator[None]:
        """Log what goes wrong while the context lasts, and try to record it as `failed`."""
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
        except Exception as unwritten:  # noqa: BLE001 - the message has failed all the same
            self.log.error(  # noqa: TRY400 - without its text, which may quote the record
                "the failure could not be recorded",
                event=str(LogEvent.STATUS_WRITE_FAILED),
                failure_code=type(unwritten).__name__,
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

    def _write_and_send(self, context: ContextObject) -> tuple[Answer, str]:
        api_key = self.secrets.openai_key(context.api_key_reference)
        credentials = self.secrets.credentials(context.credentials_reference)
        answer = self._write(context, api_key)
        message = OutgoingMessage(
            context.sender,
            context.recipient,
            body=answer.text,
            template_sid=credentials.template_sid or "",
            variables=answer.variables,
        )
        return answer, self.sender.send(credentials, message)

    def _write(self, context: ContextObject, api_key: str) -> Answer:
        definition = context.assistant or AssistantFiles().find(context.assistant_id)
        if definition is None:
            raise PermanentFailure("assistant_unknown", Step.AI)
        assignment = Assignment(
            engine=context.engine,
            assistant_id=context.assistant_id,
            definition=definition,
            briefing=context.briefing,
            metadata={"conversation_id": context.key.conversation_id},
            timeout=self.settings.openai_timeout_seconds,
        )
        return fit(write_with_responses(self.openai(api_key), assignment), definition)


@cache
def straightforward() -> Straightforward:
    """Put the parts together, once per container.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    settings = Settings.from_environment()
    return Straightforward(
        settings=settings,
        parse=ContextParser(
            settings.channel, partial(is_within, prefixes=settings.secret_prefixes)
        ),
        records=Records(
            boto3.client("dynamodb", config=AWS_CLIENT),
            settings.conversations_table,
            settings.version,
        ),
        secrets=ChannelSecrets(
            boto3.client("secretsmanager", config=AWS_CLIENT), settings.secret_prefixes
        ),
        openai=cache(lambda api_key: OpenAI(api_key=api_key)),
        sender=PARTS.make_sender(settings),
        log=Logger(service=f"{settings.channel}-channel-processor", level=settings.log_level),
    )


def _kind(error: Exception) -> tuple[str, Step]:
    if isinstance(error, ProcessingError):
        return error.code, error.step
    return type(error).__name__, Step.RECORD
