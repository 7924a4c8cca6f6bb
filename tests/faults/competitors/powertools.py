"""The straightforward way inside Powertools' batch processor and idempotency utility.

As Powertools' documentation combines the two
(https://docs.aws.amazon.com/powertools/python/latest/utilities/batch/): the record handler is made
idempotent by the message's conversation, with Lambda's context registered, so that what a dead
invocation left in progress expires with that invocation's time. Its records are in a table of their
own (`IDEMPOTENCY_TABLE`, partition key `id`) and expire later than any message.

Only the utility prevents duplicates. The conversation's record is therefore written without a
condition: a record that a failed delivery left must not keep the next one from sending. There is no
heartbeat; the queue's visibility timeout is longer than the function may run.
"""

from __future__ import annotations

import datetime
import os
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.idempotency import base as handling
from aws_lambda_powertools.utilities.idempotency.persistence import base, datarecord, dynamodb

from lambda_src.core.errors import RejectedContext
from tests.faults.competitors.straightforward import AWS_CLIENT, straightforward

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

ASKING: tuple[ModuleType, ...] = (handling, base, datarecord, dynamodb)
"""Modules that name `datetime` as `dt`."""


def use_clock(clock: Callable[[], float]) -> None:
    """Let the utility use a clock from now on, in this process."""
    moved = SimpleNamespace(timedelta=datetime.timedelta, datetime=_datetime_of(clock))
    for module in ASKING:
        cast("Any", module).dt = moved


def _datetime_of(clock: Callable[[], float]) -> type[datetime.datetime]:
    class Moved(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Moved:
            return cls.fromtimestamp(clock(), tz)

    return Moved


IDEMPOTENCY_TABLE = "IDEMPOTENCY_TABLE"
CONVERSATION = "powertools_json(body).conversation_data.conversation_id"
EXPIRES_AFTER_SECONDS = 28 * 24 * 3600
"""Twice the longest that SQS keeps a message."""

config = IdempotencyConfig(
    event_key_jmespath=CONVERSATION,
    raise_on_no_idempotency_key=True,
    expires_after_seconds=EXPIRES_AFTER_SECONDS,
)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    config.register_lambda_context(context)
    processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
    response = process_partial_response(
        event=event, record_handler=_idempotent(), processor=processor, context=context
    )
    return dict(response)


def _send(record: SQSRecord) -> None:
    steps = straightforward()
    try:
        context = steps.parse(record.body)
    except RejectedContext as rejected:
        if rejected.key:
            steps.record_failure(rejected.key, rejected)
        raise
    with steps.log_conversation(context):
        with steps.failure_recorded(context.key):
            steps.records.replace(context)
        steps.send_and_record(context)


@cache
def _idempotent() -> Callable[..., None]:
    store = DynamoDBPersistenceLayer(os.environ[IDEMPOTENCY_TABLE], boto_config=AWS_CLIENT)
    handler: Callable[..., None] = idempotent_function(
        _send, data_keyword_argument="record", config=config, persistence_store=store
    )
    return handler
