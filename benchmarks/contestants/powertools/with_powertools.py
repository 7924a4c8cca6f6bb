"""The straightforward handler with Powertools' batch processor and idempotency utility.

As Powertools' documentation combines the two
(https://docs.aws.amazon.com/powertools/python/latest/utilities/batch/).
"""

import os
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from straightforward import Heartbeat, process

config = IdempotencyConfig(
    event_key_jmespath="powertools_json(body).conversation_data.conversation_id",
    raise_on_no_idempotency_key=True,
)
store = DynamoDBPersistenceLayer(os.environ["IDEMPOTENCY_TABLE"])
processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


@idempotent_function(data_keyword_argument="record", config=config, persistence_store=store)
def send_once(record: SQSRecord) -> None:
    """Process a message unless it was processed before."""
    with Heartbeat(record.receipt_handle):
        process(record.json_body)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Process a batch, message by message."""
    config.register_lambda_context(context)
    response = process_partial_response(
        event=event, record_handler=send_once, processor=processor, context=context
    )
    return dict(response)
