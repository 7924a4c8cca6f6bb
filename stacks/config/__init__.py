"""What an app is configured with: environments, channels and the names that follow from both.

Environments are in `stacks.config.environments` only, which imports the CDK: the local cloud needs
the channels' entries alone, and would otherwise hold 350 MB more.
"""

from stacks.config.channel import TWILIO_CREDENTIALS, Channel, Privilege
from stacks.config.names import PROJECT, ChannelNames, LogMetricNames, SharedNames

__all__ = [
    "PROJECT",
    "TWILIO_CREDENTIALS",
    "Channel",
    "ChannelNames",
    "LogMetricNames",
    "Privilege",
    "SharedNames",
]
