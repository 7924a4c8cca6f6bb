"""The channels' own parts: each module `<channel>.py` defines them as `PARTS`."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TypeVar

from lambda_src.core import ChannelParts, ConfigurationError, Settings
from lambda_src.core.contract import Variable

T = TypeVar("T")


def build_configured(
    build: Callable[[Settings, ChannelParts], T], *, needs_secrets: bool = True
) -> T:
    """Build a handler for the environment's variables and the channel that CHANNEL names.

    Args:
        build: Builds the handler from settings and parts.
        needs_secrets: Whether the function reads secrets on every channel.

    Raises:
        ConfigurationError: An environment variable is missing or invalid.
    """
    settings = Settings.from_environment(needs_secrets=needs_secrets)
    return build(settings, parts_of(settings.channel))


def parts_of(channel: str) -> ChannelParts:
    """Return a channel's parts; only its own module is imported.

    Args:
        channel: The channel's name, the value of the variable CHANNEL.

    Raises:
        ConfigurationError: There is no such module, or it defines no parts.
    """
    file = f"lambda_src/channels/{channel}.py"
    if not channel.isidentifier() or find_spec(f"{__name__}.{channel}") is None:
        raise ConfigurationError(f"{Variable.CHANNEL}: there is no {file} with its sender")
    parts = getattr(import_module(f"{__name__}.{channel}"), "PARTS", None)
    if not isinstance(parts, ChannelParts):
        raise ConfigurationError(f"{Variable.CHANNEL}: {file} defines no ChannelParts as PARTS")
    return parts
