"""Putting a context object on the channel's queue, as the router does."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_GROUP = re.compile(r"[!-~]{1,128}")


def message_group(company_id: str) -> str:
    """The tenant as a message group, so that one tenant's burst lets the others through.

    SQS takes 128 printable ASCII characters
    (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html);
    another id is told by its digest.
    """
    return company_id if _GROUP.fullmatch(company_id) else _digest(company_id)


@dataclass(frozen=True)
class Queue:
    """The channel's queue.

    Attributes:
        client: An SQS client.
        url: The queue's.
    """

    client: SQSClient
    url: str

    def put(self, body: str, company_id: str) -> str:
        """Send a body for a tenant, which may be empty; return the message's id."""
        group: dict[str, Any] = {"MessageGroupId": message_group(company_id)} if company_id else {}
        answer = self.client.send_message(QueueUrl=self.url, MessageBody=body, **group)
        return answer["MessageId"]


def _digest(company_id: str) -> str:
    return hashlib.sha256(company_id.encode()).hexdigest()
