"""The channels' own parts: each module `<channel>.py` defines them as `PARTS`."""

from importlib import import_module
from importlib.util import find_spec

from lambda_src.core import ChannelParts, ConfigurationError, Variable


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
