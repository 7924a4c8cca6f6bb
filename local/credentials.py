"""The vendors' credentials that the deployed secrets get: the real ones, or the stand-ins'."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from local.assembly import ENVIRONMENT
from local.aws import Aws
from local.errors import LocalCloudError
from local.example_secrets import credentials_with_template
from stacks.channels import CHANNELS

REQUIRED = ("OPENAI_API_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")
TEMPLATE = "TWILIO_TEMPLATE_SID"

PREFIX = f"ai-multi-comms/{ENVIRONMENT}/"
OPENAI_SECRETS = tuple(f"{PREFIX}openai-api-key/{channel.name}" for channel in CHANNELS)
CREDENTIALS = tuple(f"{PREFIX}{channel.name}-credentials/" for channel in CHANNELS)
"""How the names of the tenants' secrets begin, by channel."""


@dataclass(frozen=True)
class Credentials:
    """What OpenAI and Twilio ask for; nothing of it shows when printed.

    Attributes:
        template_sid: the content template of first messages; None for free text.
    """

    openai_api_key: str = field(repr=False)
    twilio_account_sid: str = field(repr=False)
    twilio_auth_token: str = field(repr=False)
    template_sid: str | None = field(default=None, repr=False)

    @property
    def openai_secret(self) -> str:
        """The value of a channel's OpenAI secret, in its documented form."""
        return json.dumps({"ai_api_key": self.openai_api_key})

    @property
    def twilio_secret(self) -> str:
        """The value of a tenant's Twilio secret, in its documented form."""
        value = {
            "twilio_account_sid": self.twilio_account_sid,
            "twilio_auth_token": self.twilio_auth_token,
        }
        template = {"twilio_template_sid": self.template_sid} if self.template_sid else {}
        return json.dumps(value | template)


def real_credentials(environment: Mapping[str, str]) -> Credentials | None:
    """The credentials that the user's environment holds.

    Args:
        environment: the process environment.

    Returns:
        None when no variable is set, which means the stand-ins.

    Raises:
        LocalCloudError: only some are set; the text names those missing.
    """
    given = {name: environment[name] for name in (*REQUIRED, TEMPLATE) if environment.get(name)}
    if not given:
        return None
    missing = [name for name in REQUIRED if name not in given]
    if missing:
        raise LocalCloudError(
            f"{', '.join(given)} set but not {', '.join(missing)}: set all of them to use the real"
            " services, or none to use the stand-ins"
        )
    openai_api_key, account_sid, auth_token = (given[name] for name in REQUIRED)
    return Credentials(openai_api_key, account_sid, auth_token, given.get(TEMPLATE))


def store_secrets(aws: Aws, credentials: Credentials) -> None:
    """Give the deployed placeholder secrets their values, each tenant the same account.

    The tenants of the example contexts are added where the environment does not list them; a
    tenant added later needs no deployment.
    """
    pages = aws.secretsmanager.get_paginator("list_secrets").paginate()
    deployed = {secret["Name"] for page in pages for secret in page["SecretList"]}
    examples = credentials_with_template()
    for name in sorted(deployed | examples.keys()):
        value = _value(name, credentials, has_template=examples.get(name, True))
        if value and name in deployed:
            aws.secretsmanager.put_secret_value(SecretId=name, SecretString=value)
        elif value:
            aws.secretsmanager.create_secret(Name=name, SecretString=value)


def _value(name: str, credentials: Credentials, *, has_template: bool) -> str | None:
    """What a secret shall hold; None for a secret that is no channel's."""
    if name in OPENAI_SECRETS:
        return credentials.openai_secret
    if not name.startswith(CREDENTIALS):
        return None
    return (credentials if has_template else replace(credentials, template_sid=None)).twilio_secret
