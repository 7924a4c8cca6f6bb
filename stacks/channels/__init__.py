"""The channels of this repository's app: each module of this package defines one as `CHANNEL`.

A new file is a new channel, and nothing else names it. A module may also define `add_resources`,
which adds resources that only its channel has to the channel's stack.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from stacks.config import Channel
from stacks.errors import ConfigurationError

if TYPE_CHECKING:  # the names of the channels do not need the constructs
    from stacks.channel_stack import ChannelStack


def find_channels() -> tuple[Channel, ...]:
    """Return the channels of the modules of this package, in the order of their names.

    Raises:
        ConfigurationError: A module does not define the channel of its name.
    """
    return tuple(map(_channel, sorted(module.name for module in iter_modules(__path__))))


def _channel(name: str) -> Channel:
    channel = getattr(import_module(f"{__name__}.{name}"), "CHANNEL", None)
    if not isinstance(channel, Channel) or channel.name != name:
        raise ConfigurationError(f"stacks/channels/{name}.py: expected CHANNEL, the Channel {name}")
    return channel


def add_resources(stack: "ChannelStack") -> None:
    """Add the resources that only this channel has, after those that every channel has."""
    module = import_module(f"{__name__}.{stack.names.channel.name}")
    if add := getattr(module, "add_resources", None):
        add(stack)


CHANNELS = find_channels()
"""The channels of every environment; each has a stack."""
