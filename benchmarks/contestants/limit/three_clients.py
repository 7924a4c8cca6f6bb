"""The minimum of any such handler at start: an interpreter and three AWS clients."""

from typing import Any

import boto3

clients = [boto3.client(service) for service in ("sqs", "dynamodb", "secretsmanager")]


def lambda_handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Do nothing."""
    return {"batchItemFailures": []}
