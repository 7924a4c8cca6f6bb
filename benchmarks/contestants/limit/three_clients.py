"""The minimum of any such handler at start: an interpreter and three AWS clients."""

from typing import Any

from botocore.session import get_session

session: Any = get_session()
clients = [session.create_client(service) for service in ("sqs", "dynamodb", "secretsmanager")]


def lambda_handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Do nothing."""
    return {"batchItemFailures": []}
