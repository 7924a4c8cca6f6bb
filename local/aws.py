"""A handle on the embedded AWS: its address, and clients and commands that can reach only it."""

from __future__ import annotations

import functools
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

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

DUMMY_SECRET = "local-cloud"  # noqa: S105 - the embedded AWS takes any
NO_USER_SETUP = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
"""Session variables of botocore (config key, environment variable, default, conversion) which keep
it from looking for a profile in the environment and in the user's files."""

_making_clients = threading.Lock()  # boto3's sessions are not safe to make clients from in parallel


class _ClientArguments(TypedDict):
    endpoint_url: str
    config: Config


@dataclass(frozen=True)
class Aws:
    """Where an AWS answers on this machine.

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
        with _making_clients:
            return self._session.client("cloudformation", **self._arguments)

    @functools.cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """Metrics and alarms."""
        with _making_clients:
            return self._session.client("cloudwatch", **self._arguments)

    @functools.cached_property
    def dynamodb(self) -> DynamoDBClient:
        """The conversations table."""
        with _making_clients:
            return self._session.client("dynamodb", **self._arguments)

    @functools.cached_property
    def functions(self) -> LambdaClient:
        """The deployed function and its event source mapping."""
        with _making_clients:
            return self._session.client("lambda", **self._arguments)

    @functools.cached_property
    def logs(self) -> CloudWatchLogsClient:
        """The function's log lines, and the metric filters over them."""
        with _making_clients:
            return self._session.client("logs", **self._arguments)

    @functools.cached_property
    def secretsmanager(self) -> SecretsManagerClient:
        """The channel's secrets."""
        with _making_clients:
            return self._session.client("secretsmanager", **self._arguments)

    @functools.cached_property
    def sns(self) -> SNSClient:
        """The alerts topic."""
        with _making_clients:
            return self._session.client("sns", **self._arguments)

    @functools.cached_property
    def sqs(self) -> SQSClient:
        """The channel's queue and its dead-letter queue."""
        with _making_clients:
            return self._session.client("sqs", **self._arguments)

    @functools.cached_property
    def _session(self) -> boto3.Session:
        """A session without the user's profile, so that no real account can be meant."""
        return boto3.Session(
            aws_access_key_id=self._access_key,
            aws_secret_access_key=DUMMY_SECRET,
            region_name=self.region,
            botocore_session=botocore.session.Session(session_vars=NO_USER_SETUP),
        )

    @property
    def _access_key(self) -> str:
        """A key of the account's own: the CDK's command line remembers each key's account."""
        return f"local-cloud-{self.account}"

    @property
    def _arguments(self) -> _ClientArguments:
        """Straight to the loopback address, past any proxy of the environment."""
        config = Config(proxies={}, connect_timeout=5, read_timeout=30, retries={"max_attempts": 2})
        return {"endpoint_url": self.endpoint, "config": config}

    def command_environment(self) -> dict[str, str]:
        """The environment in which AWS's command lines talk to this AWS and no other.

        Nothing of the user's AWS setup or of this process's environment gets in, except what
        programs need to run at all.
        """
        nowhere = str(paths.CACHE / "no-such-file")
        return base_environment() | {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ACCESS_KEY_ID": self._access_key,
            "AWS_SECRET_ACCESS_KEY": DUMMY_SECRET,
            "AWS_REGION": self.region,
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


def base_environment() -> dict[str, str]:
    """What programs need of this process's environment, with the project's programs first."""
    kept = ("HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ} | _programs()


def environment_without_aws() -> dict[str, str]:
    """This process's environment, for programs that fetch packages, without the user's AWS."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | _programs()


def _programs() -> dict[str, str]:
    return {
        "PATH": f"{paths.VENV_BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "NO_COLOR": "1",
    }
