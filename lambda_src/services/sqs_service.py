"""The channel's queue: message visibility, and the queue's own attributes."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.core import (
    FIRST_ASKED_AT,
    LogEvent,
    Step,
    TransientFailure,
    call_aws,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mypy_boto3_sqs import SQSClient

T = TypeVar("T")

log = logging.getLogger(__name__)

MAX_BATCH_SIZE = 10
"""SQS's limit for the entries of one request."""
REQUEST_ERRORS = (BotoCoreError, ClientError, TimeoutError)
"""Errors of a request that SQS did not answer, not in time, or refused."""


_GROUP = re.compile(r"[!-~]{1,128}")
_NOT_OF_SQS = {0xFFFE: r"\ufffe", 0xFFFF: r"\uffff"}
"""Characters of JSON texts that SQS refuses or replaces, and how JSON escapes them
(https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html)."""


class ChannelQueue:
    """Implements the port `Queue` on one SQS queue.

    Args:
        client: An SQS client.
        queue_url: The channel's queue.
        heartbeat_visibility: Visibility timeout in seconds that each heartbeat sets.
    """

    def __init__(self, client: SQSClient, queue_url: str, heartbeat_visibility: int) -> None:
        self._client = client
        self._queue_url = queue_url
        self._heartbeat_visibility = heartbeat_visibility

    def extend(self, receipt_handles: Mapping[str, str]) -> frozenset[str]:
        """Extend the visibility timeout of received messages.

        Args:
            receipt_handles: Message id → receipt handle.

        Returns:
            The ids of the messages that the queue refused to extend.

        Raises:
            BotoCoreError, ClientError, TimeoutError: The queue did not answer, or refused the
                whole request.
        """
        ids = {handle: message_id for message_id, handle in receipt_handles.items()}
        failed = self._set_visibility(dict.fromkeys(ids, self._heartbeat_visibility))
        return frozenset(ids[handle] for handle in failed)

    def change_visibility(self, seconds: Mapping[str, int]) -> None:
        """Make received messages visible after the given seconds by receipt handle."""
        try:
            failed = len(self._set_visibility(seconds))
        except REQUEST_ERRORS:
            failed = len(seconds)
        if failed:
            log.warning(
                "failed messages are delivered again when their visibility timeout ends",
                extra={"event": LogEvent.VISIBILITY_CHANGE_FAILED, "messages": failed},
            )

    def max_receive_count(self) -> int:
        """Return how often a message is received before it moves to the dead-letter queue."""
        try:
            return self._max_receive_count
        except REQUEST_ERRORS as error:
            raise TransientFailure(
                "queue_unavailable", Step.SETTLE, type(error).__name__
            ) from error

    @cached_property
    def _max_receive_count(self) -> int:
        answer = call_aws(
            lambda: self._client.get_queue_attributes(
                QueueUrl=self._queue_url, AttributeNames=["RedrivePolicy"]
            )
        )
        return int(json.loads(answer["Attributes"]["RedrivePolicy"])["maxReceiveCount"])

    def _set_visibility(self, seconds: Mapping[str, int]) -> set[str]:
        """Set visibility timeouts by receipt handle; return the handles that were refused."""
        handles = list(seconds)
        failed: set[str] = set()
        for start in range(0, len(handles), MAX_BATCH_SIZE):
            part = {handle: seconds[handle] for handle in handles[start : start + MAX_BATCH_SIZE]}
            failed |= call_aws(partial(self._request_visibility, part))
        return failed

    def _request_visibility(self, seconds: Mapping[str, int]) -> set[str]:
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


class HandOffQueue:
    """Implements the port `HandOffQueue` on one SQS queue.

    Args:
        client: An SQS client.
        queue_url: The hand-off queue.
    """

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def put(self, body: str) -> None:
        """Put a context object on the queue."""
        parameters = context_message(body, "")
        _ask(
            lambda: self._client.send_message(QueueUrl=self._queue_url, **parameters),
            Step.HOLD,
        )


class ContextQueue:
    """Implements the port `ContextQueue` on the channel's queue.

    Args:
        client: An SQS client.
        queue_url: The channel's queue.
    """

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def send(self, body: str, company_id: str, asked_at: int) -> None:
        """Put a context object on the queue; `asked_at` is in epoch milliseconds."""
        parameters = context_message(body, company_id, asked_at)
        _ask(lambda: self._client.send_message(QueueUrl=self._queue_url, **parameters))


def context_message(body: str, company_id: str, asked_at: int | None = None) -> dict[str, Any]:
    """Return the parameters of a request that puts a context object on its channel's queue.

    Args:
        body: The context object as JSON.
        company_id: The company, whose message group it is in; empty: it is in none.
        asked_at: When it was first asked for, in epoch milliseconds, if it is put there again.
    """
    parameters: dict[str, Any] = {"MessageBody": body.translate(_NOT_OF_SQS)}
    if company_id:
        parameters["MessageGroupId"] = message_group(company_id)
    if asked_at is not None:
        first_asked = {"DataType": "Number", "StringValue": str(asked_at)}
        parameters["MessageAttributes"] = {FIRST_ASKED_AT: first_asked}
    return parameters


def message_group(company_id: str) -> str:
    """Return the message group of a tenant, so that SQS serves tenants fairly.

    SQS accepts 128 printable ASCII characters
    (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html);
    another id is replaced by its SHA-256 digest.
    """
    if _GROUP.fullmatch(company_id):
        return company_id
    return hashlib.sha256(company_id.encode()).hexdigest()


class EventsQueue:
    """Implements the port `RequestQueue` on one SQS queue.

    Args:
        client: An SQS client.
        queue_url: The events queue.
    """

    def __init__(self, client: SQSClient, queue_url: str) -> None:
        self._client = client
        self._queue_url = queue_url

    def count_waiting(self) -> int:
        """Return about how many messages wait: visible, delayed or in flight."""
        answer = _ask(
            lambda: self._client.get_queue_attributes(
                QueueUrl=self._queue_url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesDelayed",
                    "ApproximateNumberOfMessagesNotVisible",
                ],
            )
        )
        return sum(map(int, answer["Attributes"].values()))

    def send(self, delayed: Sequence[tuple[str, int]]) -> None:
        """Put up to ten messages on the queue: bodies, and the seconds until each is visible."""
        answer = _ask(
            lambda: self._client.send_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(index), "MessageBody": body, "DelaySeconds": seconds}
                    for index, (body, seconds) in enumerate(delayed)
                ],
            )
        )
        if answer.get("Failed"):
            raise TransientFailure("queue_unavailable", Step.DELIVERY, answer["Failed"][0]["Code"])


def _ask(request: Callable[[], T], step: Step = Step.DELIVERY) -> T:
    try:
        return call_aws(request)
    except REQUEST_ERRORS as error:
        raise TransientFailure("queue_unavailable", step, type(error).__name__) from error
