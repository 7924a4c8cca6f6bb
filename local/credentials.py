"""The vendors' credentials that the deployed secrets get: the real ones, or the stand-ins'."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from local.assembly import ENVIRONMENT
from local.aws import Aws
from local.errors import LocalCloudError
from local.resources import CHANNEL

REQUIRED = ("OPENAI_API_KEY", "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN")
TEMPLATE = "TWILIO_TEMPLATE_SID"

OPENAI_SECRET = f"ai-multi-comms/{ENVIRONMENT}/openai-api-key/{CHANNEL}"
TWILIO_SECRETS = f"ai-multi-comms/{ENVIRONMENT}/{CHANNEL}-credentials/"
FREE_TEXT_SECRET = f"{TWILIO_SECRETS}demo-company-free-text"


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
        """The value of the channel's OpenAI secret, in its documented form."""
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

    One more tenant is added, whose secret names no template: its messages are free text.
    """
    pages = aws.secretsmanager.get_paginator("list_secrets").paginate()
    for name in [secret["Name"] for page in pages for secret in page["SecretList"]]:
        if name == OPENAI_SECRET:
            value = credentials.openai_secret
        elif name.startswith(TWILIO_SECRETS):
            value = credentials.twilio_secret
        else:
            continue
        aws.secretsmanager.put_secret_value(SecretId=name, SecretString=value)
    _add_free_text_tenant(aws, credentials)


def _add_free_text_tenant(aws: Aws, credentials: Credentials) -> None:
    """Add a tenant whose messages are free text; a tenant added later needs no deployment."""
    value = replace(credentials, template_sid=None).twilio_secret
    aws.secretsmanager.create_secret(Name=FREE_TEXT_SECRET, SecretString=value)
