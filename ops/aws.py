"""Clients of AWS's services, each made when it is first needed."""

from __future__ import annotations

from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

    from ops.surroundings import Surroundings

CLIENT = Config(
    connect_timeout=5,
    read_timeout=30,  # longer than a long poll
    max_pool_connections=32,
    retries={"mode": "standard", "total_max_attempts": 4},
)


class Aws:
    """AWS, as far as the tool asks it anything.

    Args:
        surroundings: Where it answers.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._making = Lock()  # boto3's sessions are not safe to make clients from in parallel

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """The stacks, whose outputs name all resources."""
        client: CloudFormationClient = self._client("cloudformation")
        return client

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """Alarms and metrics."""
        client: CloudWatchClient = self._client("cloudwatch")
        return client

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """The conversations."""
        client: DynamoDBClient = self._client("dynamodb")
        return client

    @cached_property
    def functions(self) -> LambdaClient:
        """The processor's configuration, and what feeds it."""
        client: LambdaClient = self._client("lambda")
        return client

    @cached_property
    def secretsmanager(self) -> SecretsManagerClient:
        """The channel's secrets."""
        client: SecretsManagerClient = self._client("secretsmanager")
        return client

    @cached_property
    def sqs(self) -> SQSClient:
        """The queue and its dead letters."""
        client: SQSClient = self._client("sqs")
        return client

    @cached_property
    def sts(self) -> STSClient:
        """Whose credentials these are."""
        client: STSClient = self._client("sts")
        return client

    def _client(self, service: Any) -> Any:
        with self._making:
            return self._surroundings.session.client(
                service, endpoint_url=self._surroundings.endpoint, config=CLIENT
            )
