"""What must hold before anything is sent: each rule has a problem of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, FailFast, ValidationInfo

from lambda_src.utils.wire_types import Text, problem


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose queue a context object is read from.

    `is_own_secret` tells whether a secret reference lies within the channel's prefixes.
    """

    channel: str
    is_own_secret: Callable[[str], bool]


def _reader(info: ValidationInfo) -> Reader:
    reader: Reader = (info.context or {})["reader"]
    return reader


def _this_channel(value: str, info: ValidationInfo) -> str:
    channel = _reader(info).channel
    if value != channel:
        raise problem("wrong_channel", f"the channel {channel}")
    return value


def _naming_this_channel(value: list[str], info: ValidationInfo) -> list[str]:
    channel = _reader(info).channel
    if channel not in value:
        raise problem("channel_not_allowed", f"an array that names {channel}")
    return value


def _active(value: str) -> str:
    if value != "active":
        raise problem("project_not_active", "the status active")
    return value


def _true(value: object) -> object:
    if value is not True:
        raise problem("consent_not_given", "true")
    return value


def _own_secret(value: str, info: ValidationInfo) -> str:
    if not _reader(info).is_own_secret(value):
        raise problem("secret_reference_refused", "a secret within the channel's prefixes")
    return value


ThisChannel = Annotated[Text, AfterValidator(_this_channel)]
# One problem is enough of a list: of a megabyte of wrong parts, all of them would fill the memory.
ChannelsWithThis = Annotated[list[Text], FailFast(), AfterValidator(_naming_this_channel)]
Active = Annotated[Text, AfterValidator(_active)]
Consent = Annotated[Any, AfterValidator(_true)]
SecretReference = Annotated[Text, AfterValidator(_own_secret)]
