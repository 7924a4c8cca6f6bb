"""A client of AWS's SDK whose requests are answered in this process, without a socket."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from botocore.awsrequest import HTTPHeaders
    from mypy_boto3_dynamodb import DynamoDBClient

Answer = Callable[[str, dict[str, str], bytes], Response]
"""Answers a request, given its method, headers and body."""


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: Any) -> Iterator[bytes]:
        """The body, in one piece."""
        yield self._content


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def dynamodb_client(region: str, answer: Answer) -> "DynamoDBClient":
    """A DynamoDB client whose requests that function answers."""

    def answered(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        headers = {name: _text(value) for name, value in request.headers.items()}
        response = answer(request.method, headers, cast("bytes", request.body))
        body = _Body(response.get_data())
        answered_with = cast("HTTPHeaders", dict(response.headers))
        return AWSResponse(request.url, response.status_code, answered_with, body)

    client = boto3.client(
        "dynamodb",
        region_name=region,
        aws_access_key_id="made-up",
        aws_secret_access_key="made-up",
    )
    # A handler of this event may answer, which the hooks' types do not know.
    client.meta.events.register("before-send.dynamodb", cast("Callable[..., None]", answered))
    return client
