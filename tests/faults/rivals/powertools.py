"""The straightforward way inside Powertools' batch processor and idempotency utility.

As Powertools' documentation combines the two
(https://docs.aws.amazon.com/powertools/python/latest/utilities/batch/): the record handler is made
idempotent by the message's conversation, with Lambda's context registered, so that what a dead
invocation left in progress expires with that invocation's time. Its records stand in a table of
their own (`IDEMPOTENCY_TABLE`, partition key `id`) and expire later than any message.

The utility alone guards against duplicates. The conversation's record is therefore put without a
condition: a record that a failed delivery left must not keep the next one from sending. There is no
heartbeat; the queue's visibility is longer than the function may run.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

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

from lambda_src.core.rejection import RejectedContext
from tests.faults.rivals.straightforward import AWS_CLIENT, straightforward

if TYPE_CHECKING:
    from collections.abc import Callable

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

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
    """Work on one batch of context objects, one by one.

    Args:
        event: An SQS event.
        context: Lambda's context; its remaining time is how long a message counts as in
            progress.

    Returns:
        `{"batchItemFailures": [{"itemIdentifier": messageId}, …]}`.
    """
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
    with steps.telling_of(context):
        with steps.failure_recorded(context.key):
            steps.records.replace(context)
        steps.carry_out(context)


@cache
def _idempotent() -> Callable[..., None]:
    store = DynamoDBPersistenceLayer(os.environ[IDEMPOTENCY_TABLE], boto_config=AWS_CLIENT)
    handler: Callable[..., None] = idempotent_function(
        _send, data_keyword_argument="record", config=config, persistence_store=store
    )
    return handler
