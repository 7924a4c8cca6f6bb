"""The push channel's own parts: addresses, credentials, lengths and the sender."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from lambda_src.processors import (
    AddressFormat,
    Addressing,
    ChannelParts,
    Limit,
    OperatorParts,
    SecretField,
    Settings,
    TextFormat,
    TextRules,
    invalid_secret,
)

from push_processor.sender import PushSender

VENDOR = "https://push.example.com"
BASE_URL = "PUSH_BASE_URL"
"""Variable with another base URL, for local servers only: no template sets it."""

DEVICE = AddressFormat(
    "device_malformed", "[0-9a-f]{64}", "a device token: 64 hexadecimal digits in lower case"
)
APP = AddressFormat(
    "app_malformed", r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+", "an app's id such as com.example.app"
)
MAX_LENGTH = 178
"""Characters that a lock screen shows."""

_KEY = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class PushCredentials:
    """A tenant's key for the vendor; this channel has no templates."""

    app_key: str = field(repr=False)
    template_id: str | None = None


def read_credentials(secret: object) -> PushCredentials:
    """Return the credentials of `{"push_app_key": "…"}`.

    Raises:
        ConfigurationRefused: The secret has another format; its text contains no value.
    """
    key = secret.get("push_app_key") if isinstance(secret, dict) else None
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        expected = "push_app_key to be printable ASCII without blanks"
        raise invalid_secret(expected, type(key).__name__)
    return PushCredentials(key)


def make_sender(settings: Settings) -> PushSender:
    """Return the channel's sender."""
    return PushSender(settings.send_timeout_seconds, os.environ.get(BASE_URL, VENDOR))


PARTS = ChannelParts(
    make_sender=make_sender,
    read_credentials=read_credentials,
    addressing=Addressing(sender=APP, recipient_field="recipient_device", recipient=DEVICE),
    text_rules=TextRules(body=(Limit(MAX_LENGTH),)),
    operator=OperatorParts(
        vendor="the push vendor",
        message_id=TextFormat(re.compile("PN[0-9]+"), "PN and digits"),
        secret_fields=(SecretField("push_app_key"),),
    ),
    assistants=Path(__file__).parent / "assistants",
)
