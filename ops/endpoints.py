"""Where AWS and the vendors are reached: as the environment says, or in the running local cloud."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lambda_src.core import TWILIO_BASE_URL, Variable
from ops.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.session import Session
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

STATE_FILE = Path(__file__).parents[1] / ".cache" / "local" / "running.json"
"""Where `make local` writes its `LocalCloudState` as JSON while it runs."""

CLIENT_OPTIONS: dict[str, Any] = {
    "connect_timeout": 5,
    "read_timeout": 30,  # longer than a long poll
    "max_pool_connections": 32,
    "retries": {"mode": "standard", "total_max_attempts": 4},
}
"""The configuration of every AWS client."""


def new_session() -> Session:
    """Return an AWS session with the default credentials.

    It is imported here, because a help text needs none; and not through boto3, a layer above it
    whose import takes as long again.
    """
    from botocore.session import get_session  # noqa: PLC0415

    return get_session()


@dataclass(frozen=True)
class LocalCloudState:
    """How to reach a local cloud that another process keeps running.

    Attributes:
        pid: Id of that process.
        endpoint: URL of the embedded AWS.
        account: Account id of the embedded AWS.
        region: Region of the embedded AWS.
        inboxes: Origins of the vendors' fakes, which have the recipients' messages.
        has_real_vendors: Whether OpenAI and Twilio are not fakes.
        base_urls: Vendors' base URLs by environment variable; empty for the real vendors.
        list_lag_seconds: How late a fake may list a message; None: as late as its vendor.
        fakes: Origins of what faults can be injected into, by name.
        dynamodb: URL of DynamoDB for operators, whose requests no fault is injected into; empty for
            the embedded AWS's own.
    """

    pid: int
    endpoint: str
    account: str
    region: str
    inboxes: list[str] = field(default_factory=list)
    has_real_vendors: bool = False
    base_urls: Mapping[str, str] = field(default_factory=dict)
    list_lag_seconds: float | None = None
    fakes: Mapping[str, str] = field(default_factory=dict)
    dynamodb: str = ""

    @classmethod
    def find(cls, state_file: Path = STATE_FILE) -> LocalCloudState | None:
        """Return the running local cloud; None if there is none, or only a stale or broken file."""
        try:
            state = cls(**json.loads(state_file.read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return state if state.is_alive() else None

    def is_alive(self) -> bool:
        """Return whether the process exists and the embedded AWS accepts connections."""
        address = urlsplit(self.endpoint)
        try:
            os.kill(self.pid, 0)
            socket.create_connection((address.hostname, address.port), timeout=1).close()
        except OSError:
            return False
        return True


@dataclass(frozen=True)
class Endpoints:
    """An AWS session and the vendors' base URLs.

    Attributes:
        session: Creates clients with the credentials in use.
        aws_url: URL of an AWS emulator; None lets the SDK decide (`AWS_ENDPOINT_URL` or region).
        base_urls: Vendors' base URLs by environment variable; a missing one is the vendor's own.
        list_lag_seconds: How late a fake may list a message; None: as late as its vendor.
        dynamodb_url: URL of DynamoDB, if it is not that of the emulator; else empty.
    """

    session: Session
    aws_url: str | None = None
    base_urls: Mapping[str, str] = field(default_factory=dict)
    list_lag_seconds: float | None = None
    dynamodb_url: str = ""

    @property
    def openai_base_url(self) -> str:
        """URL of a local OpenAI server; empty for the one that the function uses."""
        return self.base_urls.get(Variable.OPENAI_BASE_URL, "")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Endpoints:
        """Use the default credential chain, and a local Twilio if the environment has its URL.

        A key is tested at the address that the deployed function uses, whatever the operator's own
        `OPENAI_BASE_URL` is.
        """
        twilio = environment.get(TWILIO_BASE_URL)
        base_urls = {TWILIO_BASE_URL: twilio} if twilio else {}
        session = new_session()
        if region := environment.get("AWS_REGION"):  # the SDK reads AWS_DEFAULT_REGION only
            session.set_config_variable("region", region)
        return cls(session, base_urls=base_urls)

    @classmethod
    def from_local_cloud(cls, state_file: Path = STATE_FILE) -> Endpoints:
        """Use the local cloud that `make local` keeps running in another terminal.

        Raises:
            OperatorError: No local cloud is running.
        """
        state = LocalCloudState.find(state_file)
        if state is None:
            raise OperatorError(
                "no local cloud is running: start one with `make local` in another terminal"
            )
        return cls.of(state)

    @classmethod
    def of(cls, state: LocalCloudState) -> Endpoints:
        """Use this local cloud."""
        session = new_session()
        # The embedded AWS accepts any secret.
        session.set_credentials(f"local-cloud-{state.account}", "local-cloud")
        session.set_config_variable("region", state.region)
        return cls(session, state.endpoint, state.base_urls, state.list_lag_seconds, state.dynamodb)


class AwsClients:
    """AWS clients, each created on first use.

    Args:
        endpoints: Session and URL.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """Stacks, whose outputs name all resources."""
        client: CloudFormationClient = self._client("cloudformation")
        return client

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """Alarms and metrics."""
        client: CloudWatchClient = self._client("cloudwatch")
        return client

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """The conversations table."""
        client: DynamoDBClient = self._client("dynamodb", self._endpoints.dynamodb_url)
        return client

    @cached_property
    def functions(self) -> LambdaClient:
        """The processor's configuration and its event source mapping."""
        client: LambdaClient = self._client("lambda")
        return client

    @cached_property
    def secretsmanager(self) -> SecretsManagerClient:
        """The channel's secrets."""
        client: SecretsManagerClient = self._client("secretsmanager")
        return client

    @cached_property
    def sqs(self) -> SQSClient:
        """The channel's queue and its dead-letter queue."""
        client: SQSClient = self._client("sqs")
        return client

    @cached_property
    def sts(self) -> STSClient:
        """The identity of the credentials in use."""
        client: STSClient = self._client("sts")
        return client

    def _client(self, service: str, url: str = "") -> Any:
        """Create a client, for another URL than the others' if one is given.

        Raises:
            OperatorError: The configured endpoint is not a URL, or the region not a name.
        """
        from botocore.config import Config  # noqa: PLC0415 - as in new_session

        session, options = self._endpoints.session, Config(**CLIENT_OPTIONS)
        url_in_use = url or self._endpoints.aws_url
        try:
            return session.create_client(service, endpoint_url=url_in_use, config=options)
        except ValueError as error:
            # Only the SDK knows where it read it: a variable of the environment, or a profile.
            raise OperatorError(
                f"{error}: AWS_ENDPOINT_URL (or endpoint_url of the profile) begins with http://"
                " or https://, and AWS_REGION is the name of a region"
            ) from None
