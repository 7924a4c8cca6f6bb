"""A handle on the embedded AWS: its address, and clients and commands that can reach only it."""

from __future__ import annotations

import functools
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import botocore.session
from botocore.config import Config

from local import paths

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

DUMMY_SECRET = "local-cloud"  # noqa: S105 - the embedded AWS accepts any
NO_USER_CONFIGURATION = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Session variables of botocore (config key, environment variable, default, conversion) that keep
it from reading a profile from the environment and from the user's files."""

_client_creation = threading.Lock()  # boto3's sessions are not thread-safe when creating clients


@dataclass(frozen=True)
class Aws:
    """The address of an AWS on this machine, and its clients.

    Attributes:
        endpoint: URL of every service.
        account: twelve digits.
        region: a region's name.
    """

    endpoint: str
    account: str
    region: str

    @functools.cached_property
    def cloudformation(self) -> CloudFormationClient:
        """The deployed stacks."""
        client: CloudFormationClient = self._client("cloudformation")
        return client

    @functools.cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """Metrics and alarms."""
        client: CloudWatchClient = self._client("cloudwatch")
        return client

    @functools.cached_property
    def dynamodb(self) -> DynamoDBClient:
        """The conversations table."""
        client: DynamoDBClient = self._client("dynamodb")
        return client

    @functools.cached_property
    def functions(self) -> LambdaClient:
        """The deployed function and its event source mapping."""
        client: LambdaClient = self._client("lambda")
        return client

    @functools.cached_property
    def logs(self) -> CloudWatchLogsClient:
        """The function's log lines, and the metric filters over them."""
        client: CloudWatchLogsClient = self._client("logs")
        return client

    @functools.cached_property
    def secretsmanager(self) -> SecretsManagerClient:
        """The channel's secrets."""
        client: SecretsManagerClient = self._client("secretsmanager")
        return client

    @functools.cached_property
    def sesv2(self) -> Any:
        """The configuration sets of e-mails; they are sent by a fake."""
        return self._client("sesv2")

    @functools.cached_property
    def sns(self) -> SNSClient:
        """The alerts topic, and the topics of vendors' events."""
        client: SNSClient = self._client("sns")
        return client

    @functools.cached_property
    def sqs(self) -> SQSClient:
        """The channel's queue and its dead-letter queue."""
        client: SQSClient = self._client("sqs")
        return client

    def command_environment(self) -> dict[str, str]:
        """Return the environment in which AWS's command lines reach this AWS and no other.

        It contains nothing of the user's AWS configuration, and of this process's environment only
        what programs need to run at all.
        """
        missing_file = str(paths.CACHE / "no-such-file")
        return base_environment() | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self._access_key,
            "AWS_SECRET_ACCESS_KEY": DUMMY_SECRET,
            "AWS_REGION": self.region,
            "AWS_CONFIG_FILE": missing_file,
            "AWS_SHARED_CREDENTIALS_FILE": missing_file,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @functools.cached_property
    def _session(self) -> boto3.Session:
        """A session without the user's profile, so that no request can reach a real account."""
        return boto3.Session(
            aws_access_key_id=self._access_key,
            aws_secret_access_key=DUMMY_SECRET,
            region_name=self.region,
            botocore_session=botocore.session.Session(session_vars=NO_USER_CONFIGURATION),
        )

    @property
    def _access_key(self) -> str:
        """A key per account: the CDK's command line caches the account of a key."""
        return f"local-cloud-{self.account}"

    def _client(self, service: str) -> Any:
        """Create a client that connects to the loopback address, bypassing any proxy."""
        config = Config(proxies={}, connect_timeout=5, read_timeout=30, retries={"max_attempts": 2})
        with _client_creation:
            return self._session.client(service, endpoint_url=self.endpoint, config=config)  # type: ignore[call-overload]  # any service's name


def base_environment() -> dict[str, str]:
    """Return the variables that programs need, with the project's programs first in the path."""
    kept = ("HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | _program_path()


def environment_without_aws() -> dict[str, str]:
    """Return this process's environment, for programs that download packages, without AWS's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | _program_path()


def _program_path() -> dict[str, str]:
    return {
        "PATH": f"{paths.VENV_BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_COLOR": "1",
    }
