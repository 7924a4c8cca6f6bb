"""The one place where real parts are put together, for a channel that brings its own ones."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from lambda_src.core import timing
from lambda_src.core.batch import BatchHandler
from lambda_src.core.claims import Claims
from lambda_src.core.deferred import DeferredWriter
from lambda_src.core.delivery import Delivery
from lambda_src.core.drafting import Drafting
from lambda_src.core.final_record import FinalRecord
from lambda_src.core.flow import MessageFlow
from lambda_src.core.measuring import MeasuredSender, MeasuredWriter
from lambda_src.core.putting_down import PuttingDown
from lambda_src.core.receives import Receives
from lambda_src.core.sending import Sending
from lambda_src.core.settlement import Settlement
from lambda_src.core.tally import Tally
from lambda_src.services.cloudwatch_metrics import CloudWatchMetrics
from lambda_src.services.dynamodb_service import ConversationsTable
from lambda_src.services.retention import Retention
from lambda_src.services.secrets_manager_service import ChannelSecrets, is_within
from lambda_src.services.sqs_service import ChannelQueue
from lambda_src.utils import logging_config
from lambda_src.utils.assistant_definitions import DIRECTORY, AssistantFiles
from lambda_src.utils.context_processor import ContextParser
from lambda_src.utils.imports_ahead import ON_DEMAND, import_ahead
from lambda_src.utils.sqs_heartbeat import SQSHeartbeat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext

    from lambda_src.core.channel_parts import ChannelParts
    from lambda_src.core.ports import Writer
    from lambda_src.core.settings import Settings

AWS_CLIENT = Config(
    connect_timeout=timing.AWS_CONNECT_SECONDS,
    read_timeout=timing.AWS_READ_SECONDS,
    max_pool_connections=25,
    retries={"mode": "standard", "total_max_attempts": timing.AWS_ATTEMPTS},
    parameter_validation=False,
    user_agent="ai-multi-comms",
)
"""Short, so that no call outlasts the time kept back for it, a lease, or a visibility.

Besides, what botocore does anew at each call is spared, a twelfth of a message's processor time:
AWS checks what it is given, and botocore's own name is put together of a dozen parts, twice.
"""

WRITER = "lambda_src.core.openai_processor"
"""Half of all that is imported, and nothing needs it before the AI is asked."""


def put_together(settings: Settings, parts: ChannelParts) -> BatchHandler:
    """Put a channel's handler together, to be kept for as long as the container lives.

    Args:
        settings: The function's configuration.
        parts: What the channel brings.
    """
    service = f"{settings.channel}-channel-processor"
    logging_config.configure(settings.log_level, service, settings.version)
    queue = ChannelQueue(
        boto3.client("sqs", config=AWS_CLIENT),
        settings.queue_url,
        settings.heartbeat_visibility_seconds,
    )
    metrics = CloudWatchMetrics(settings.powertools_metrics_namespace or f"AIComms/{service}")
    handler = BatchHandler(
        queue=queue,
        heartbeat=partial(
            SQSHeartbeat, extend=queue.extend, interval=settings.heartbeat_interval_seconds
        ),
        parse=ContextParser(
            settings.channel,
            partial(is_within, prefixes=settings.secret_prefixes),
            parts.addressing,
        ),
        flow=_flow(settings, parts, queue, metrics),
        tally=Tally(metrics, time.time),
        max_concurrency=settings.max_concurrency,
        backoff_base=settings.backoff_base_seconds,
    )
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        initialization = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", ON_DEMAND)
        import_ahead((*parts.imported_late, WRITER), initialization)
    return handler


def _writer(settings: Settings) -> Writer:
    from lambda_src.core.openai_processor import OpenAIProcessor  # noqa: PLC0415 - see WRITER

    return OpenAIProcessor(settings.assistants_base_url)


def _flow(
    settings: Settings, parts: ChannelParts, queue: ChannelQueue, metrics: CloudWatchMetrics
) -> MessageFlow:
    now = time.time
    times = settings.timing
    table = ConversationsTable(
        boto3.client("dynamodb", config=AWS_CLIENT),
        settings.conversations_table,
        settings.version,
        Retention(settings.conversation_retention_days),
        channel=settings.channel,
    )
    secrets = ChannelSecrets(
        boto3.client("secretsmanager", config=AWS_CLIENT),
        settings.secret_prefixes,
        parts.read_credentials,
    )
    sender = MeasuredSender(parts.make_sender(settings), metrics)
    writer = MeasuredWriter(DeferredWriter(partial(_writer, settings)), metrics)
    assistants = AssistantFiles(parts.assistants or DIRECTORY)
    claims = Claims(table, now, settings.lease_seconds)
    final_record, receives = FinalRecord(table), Receives(queue)
    return MessageFlow(
        claims=claims,
        drafting=Drafting(secrets, assistants, writer, times, parts.text_rules),
        sending=Sending(claims, secrets, sender, now, times),
        final_record=final_record,
        putting_down=PuttingDown(table, now),
        settlement=Settlement(table, secrets, sender, receives, final_record, now, times),
        receives=receives,
        clock=now,
        timing=times,
    )


def answer(
    handler: BatchHandler, event: Mapping[str, Any], context: LambdaContext
) -> dict[str, Any]:
    """Let a handler work on one batch.

    Args:
        handler: From `put_together`.
        event: An SQS event.
        context: Lambda's context; its remaining time is what no work exceeds.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": messageId}, …]}`, the messages that must not be
        deleted.
    """
    time_left = partial(_seconds_left, context)
    deliveries = [Delivery.from_record(record, time_left) for record in event["Records"]]
    failed = handler.handle(deliveries)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _seconds_left(context: LambdaContext) -> float:
    return context.get_remaining_time_in_millis() / 1000
