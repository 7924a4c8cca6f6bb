"""What an app is configured with: environments, channels and the names that follow from both."""

from stacks.config.channel import TWILIO_CREDENTIALS, Channel, Privilege
from stacks.config.environments import Environment, Tier, load_environment
from stacks.config.names import PROJECT, ChannelNames, LogMetricNames, SharedNames

__all__ = [
    "PROJECT",
    "TWILIO_CREDENTIALS",
    "Channel",
    "ChannelNames",
    "Environment",
    "LogMetricNames",
    "Privilege",
    "SharedNames",
    "Tier",
    "load_environment",
]
