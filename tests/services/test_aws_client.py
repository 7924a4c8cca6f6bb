"""The AWS clients that a function calls with."""

from typing import Any

import boto3
import botocore
import pytest
from botocore.exceptions import ClientError

from lambda_src.composition import AWS_CLIENT


def test_aws_is_told_who_calls(table: str) -> None:
    """CloudTrail shows the product and botocore's version beside each call."""
    client = boto3.client("dynamodb", config=AWS_CLIENT)
    sent: list[str] = []

    def note(request: Any, **_: object) -> None:
        sent.append(request.headers["User-Agent"].decode())

    client.meta.events.register("before-send.dynamodb.DescribeTable", note)
    client.describe_table(TableName=table)
    (name,) = sent
    assert {"ai-multi-comms", f"Botocore/{botocore.__version__}"} <= set(name.split())


def test_a_wrong_call_is_refused_by_aws(table: str) -> None:
    """What the SDK no longer checks, AWS does: the answer is an error of the service."""
    client = boto3.client("dynamodb", config=AWS_CLIENT)
    with pytest.raises(ClientError, match="ValidationException"):
        client.update_item(TableName=table, Key={})
