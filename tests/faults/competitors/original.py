"""The public original's algorithm, as its sequence and error diagrams show it.

For one message of the batch after the other: start its heartbeat, write its record on the condition
that there is none, read the secrets, let the AI write, send, update the record. An existing record
means "already processed", and is acknowledged with a warning. Any failure is logged, recorded as
`failed` and reported; a failed final update calls an operator first.

Where the diagrams say nothing, the reading that is best for the original:

- A table that fails at the first write is a database error and not "exists".
- Vendors get our timeouts; the SDKs' own retries stay as they are.
- The mapping reports batch item failures.
- The Responses API replaces the Assistants API, which no longer exists.
- A heartbeat begins one interval after its message is begun, since the diagram draws the call
  within the loop over intervals.
"""

from __future__ import annotations

from functools import cache
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import boto3

from lambda_src.core.contract import LogEvent
from lambda_src.core.errors import RejectedContext
from tests.faults.competitors.straightforward import AWS_CLIENT, straightforward

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.typing import LambdaContext
    from mypy_boto3_sqs import SQSClient

    from lambda_src.core.models import ContextObject


def lambda_handler(event: Mapping[str, Any], _context: LambdaContext) -> dict[str, Any]:
    failed = [record["messageId"] for record in event["Records"] if not _is_done(record)]
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _is_done(record: Mapping[str, Any]) -> bool:
    steps = straightforward()
    try:
        context = steps.parse(record["body"])
    except RejectedContext as rejected:
        if rejected.key:
            steps.record_failure(rejected.key, rejected)
        return False
    with steps.log_conversation(context):
        return _is_done_with_heartbeat(context, SQSHeartbeat(record["receiptHandle"]))


def _is_done_with_heartbeat(context: ContextObject, heartbeat: SQSHeartbeat) -> bool:
    heartbeat.start()
    try:
        is_sent = _send_once(context)
    except Exception:  # noqa: BLE001 - logged and recorded where it happened
        return False
    finally:
        has_failed = heartbeat.stop()
    if is_sent and has_failed:
        straightforward().log.error("not kept invisible", event=str(LogEvent.HEARTBEAT_FAILED))
        return False
    return True


def _send_once(context: ContextObject) -> bool:
    steps = straightforward()
    with steps.failure_recorded(context.key):
        is_new = steps.records.create(context)
    if not is_new:
        steps.log.warning("already processed", event=str(LogEvent.ALREADY_PROCESSED))
        return False
    steps.send_and_record(context)
    return True


class SQSHeartbeat:
    """Extends one message's visibility at every interval, from `start` until `stop`."""

    def __init__(self, receipt_handle: str) -> None:
        self._receipt_handle = receipt_handle
        self._stopped = Event()
        self._has_failed = False
        self._thread = Thread(target=self._run, name="sqs-heartbeat", daemon=True)

    def start(self) -> None:
        """Start; the first heartbeat is one interval later."""
        self._thread.start()

    def stop(self) -> bool:
        """Stop, and return whether any heartbeat failed."""
        self._stopped.set()
        self._thread.join()
        return self._has_failed

    def _run(self) -> None:
        settings = straightforward().settings
        while not self._stopped.wait(settings.heartbeat_interval_seconds):
            try:
                _sqs().change_message_visibility(
                    QueueUrl=settings.queue_url,
                    ReceiptHandle=self._receipt_handle,
                    VisibilityTimeout=settings.heartbeat_visibility_seconds,
                )
            except Exception:  # noqa: BLE001 - returned when it stops
                self._has_failed = True


@cache
def _sqs() -> SQSClient:
    return boto3.client("sqs", config=AWS_CLIENT)
