"""The DynamoDB adapter with a fixed answer to every call, as it comes over the wire."""

import json
from collections.abc import Callable
from io import BytesIO
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config

from lambda_src.services.dynamodb_service import ConversationsTable


class _Body(BytesIO):
    def stream(self, *_: object, **__: object) -> list[bytes]:
        """Return the whole body, as the HTTP library's does."""
        return [self.read()]


def table_answering(
    table: str, status: int, code: str = "", message: str = "", *, body: bytes | None = None
) -> ConversationsTable:
    """Return the adapter, answered with DynamoDB's error of that code, or with another body."""
    error = {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message}
    content = json.dumps(error).encode() if body is None else body
    return _intercepted(table, lambda url: AWSResponse(url, status, HTTPHeaders(), _Body(content)))


def table_failing(table: str, error: Exception) -> ConversationsTable:
    """Return the adapter with a client that gets no answer."""

    def fail(_: str) -> AWSResponse:
        raise error

    return _intercepted(table, fail)


def _intercepted(table: str, answer: Callable[[str], AWSResponse]) -> ConversationsTable:
    def intercept(
        request: AWSPreparedRequest, **_: object
    ) -> Any:  # hooks are typed without result
        return answer(request.url or "")

    client = boto3.client("dynamodb", config=Config(retries={"total_max_attempts": 1}))
    client.meta.events.register_first("before-send.dynamodb.*", intercept)
    return ConversationsTable(client, table, "1.0.0", channel="whatsapp")
