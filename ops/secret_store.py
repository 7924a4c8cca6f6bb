"""The channel's secrets in Secrets Manager: read, written, and never shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lambda_src.services.secret_forms import malformed
from ops.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_secretsmanager import SecretsManagerClient

    from ops.deployment import Deployment


@dataclass(frozen=True)
class SecretStore:
    """Those within the channel's prefixes, and no others.

    Attributes:
        client: A Secrets Manager client.
        deployment: The channel.
    """

    client: SecretsManagerClient
    deployment: Deployment

    def names(self) -> Iterator[str]:
        """The names of all secrets of the channel."""
        for prefix in self.deployment.settings.secret_prefixes:
            pages = self.client.get_paginator("list_secrets").paginate(
                Filters=[{"Key": "name", "Values": [prefix]}]
            )
            found = (secret["Name"] for page in pages for secret in page["SecretList"])
            # Secrets Manager's filter goes by how parts of a name begin, whatever their case.
            yield from filter(self.deployment.is_own_secret, found)

    def checked(self, name: str) -> str:
        """The name of a secret of the channel.

        Raises:
            OperatorError: It lies outside the channel's prefixes.
        """
        if not self.deployment.is_own_secret(name):
            prefixes = " or ".join(self.deployment.settings.secret_prefixes)
            raise OperatorError(f"{name}: the channel's secrets are {prefixes}")
        return name

    def read(self, name: str) -> Any:
        """A secret's JSON.

        Raises:
            PermanentFailure: It holds no JSON.
            ClientError: There is none, or it may not be read.
        """
        text = self.client.get_secret_value(SecretId=name).get("SecretString", "")
        return parsed(text)

    def write(self, name: str, value: Any) -> str:
        """Store a secret's JSON as a new version; make the secret if there is none.

        Returns:
            What was done, in a word.
        """
        text = json.dumps(value)
        try:
            self.client.put_secret_value(SecretId=name, SecretString=text)
        except self.client.exceptions.ResourceNotFoundException:
            self.client.create_secret(Name=name, SecretString=text)
            return "made"
        return "stored"


def parsed(text: str) -> Any:
    """The JSON that a secret's text holds.

    Raises:
        PermanentFailure: It holds none; the text stands in no error.
    """
    try:
        return json.loads(text)
    except ValueError:
        raise malformed("a JSON object", "other text") from None
