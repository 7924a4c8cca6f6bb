"""The channel's queue, as the handler touches it beside the event source mapping."""

from __future__ import annotations

import json
import logging
from functools import cached_property, partial
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.core import timing
from lambda_src.core.contract import LogEvent
from lambda_src.core.errors import Step, TransientFailure
from lambda_src.core.in_time import within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_sqs import SQSClient

log = logging.getLogger(__name__)

LARGEST_BATCH = 10
"""Entries that SQS takes in one call."""
FAILURES = (BotoCoreError, ClientError, TimeoutError)
"""What a call raises that the queue does not answer, not in time, or refuses."""


class ChannelQueue:
    """Implements the port `Queue` on one SQS queue.

    Args:
        client: An SQS client.
        queue_url: The channel's queue.
        heartbeat_visibility: Seconds of invisibility that each beat grants.
    """

    def __init__(self, client: SQSClient, queue_url: str, heartbeat_visibility: int) -> None:
        self._client = client
        self._queue_url = queue_url
        self._visibility = heartbeat_visibility

    def extend(self, receipt_handles: Mapping[str, str]) -> frozenset[str]:
        """Keep messages invisible a while longer.

        Args:
            receipt_handles: Message ids and their receipt handles.

        Returns:
            The ids of the messages for which the queue refused it.

        Raises:
            BotoCoreError, ClientError, TimeoutError: The queue did not answer, or refused all of
                them.
        """
        ids = {handle: message_id for message_id, handle in receipt_handles.items()}
        failed = self._change_visibility(dict.fromkeys(ids, self._visibility))
        return frozenset(ids[handle] for handle in failed)

    def show_again(self, seconds: Mapping[str, int]) -> None:
        """Make received messages visible again, given as receipt handle to seconds."""
        try:
            failed = len(self._change_visibility(seconds))
        except FAILURES:
            failed = len(seconds)
        if failed:
            log.warning(
                "failed messages come back when their visibility ends",
                extra={"event": LogEvent.VISIBILITY_CHANGE_FAILED, "messages": failed},
            )

    def max_receive_count(self) -> int:
        """How many receives the queue allows before a message becomes a dead letter."""
        try:
            return self._max_receive_count
        except FAILURES as error:
            raise TransientFailure(
                "queue_unavailable", Step.SETTLE, type(error).__name__
            ) from error

    @cached_property
    def _max_receive_count(self) -> int:
        answer = within(
            timing.AWS_CALL_SECONDS,
            lambda: self._client.get_queue_attributes(
                QueueUrl=self._queue_url, AttributeNames=["RedrivePolicy"]
            ),
        )
        return int(json.loads(answer["Attributes"]["RedrivePolicy"])["maxReceiveCount"])

    def _change_visibility(self, seconds: Mapping[str, int]) -> set[str]:
        """Change messages' visibility; return the receipt handles for which that failed."""
        handles = list(seconds)
        failed: set[str] = set()
        for start in range(0, len(handles), LARGEST_BATCH):
            part = {handle: seconds[handle] for handle in handles[start : start + LARGEST_BATCH]}
            failed |= within(timing.AWS_CALL_SECONDS, partial(self._change, part))
        return failed

    def _change(self, seconds: Mapping[str, int]) -> set[str]:
        handles = list(seconds)
        answer = self._client.change_message_visibility_batch(
            QueueUrl=self._queue_url,
            Entries=[
                {
                    "Id": str(index),
                    "ReceiptHandle": handle,
                    "VisibilityTimeout": seconds[handle],
                }
                for index, handle in enumerate(handles)
            ],
        )
        return {handles[int(entry["Id"])] for entry in answer.get("Failed", [])}
