"""The channels' own parts, a file each: `<channel>.py` names them as `PARTS`."""

from importlib import import_module
from importlib.util import find_spec

from lambda_src.core.channel_parts import ChannelParts
from lambda_src.core.contract import Variable
from lambda_src.core.settings import ConfigurationError


def parts_of(channel: str) -> ChannelParts:
    """What a channel brings; only its own file is imported.

    Args:
        channel: The channel's name, as the variable CHANNEL has it.

    Raises:
        ConfigurationError: There is no such file, or it names no parts.
    """
    file = f"lambda_src/channels/{channel}.py"
    if not channel.isidentifier() or find_spec(f"{__name__}.{channel}") is None:
        raise ConfigurationError(f"{Variable.CHANNEL}: there is no {file} with its sender")
    parts = getattr(import_module(f"{__name__}.{channel}"), "PARTS", None)
    if not isinstance(parts, ChannelParts):
        raise ConfigurationError(f"{Variable.CHANNEL}: {file} names no ChannelParts as PARTS")
    return parts
