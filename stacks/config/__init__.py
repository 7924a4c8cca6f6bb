"""What an app is configured with: environments, channels and the names that follow from both."""

from stacks.config.channels import CHANNELS, Channel
from stacks.config.environments import Environment, Tier, load_environment
from stacks.config.names import PROJECT, ChannelNames, LogMetricNames, SharedNames

__all__ = [
    "CHANNELS",
    "PROJECT",
    "Channel",
    "ChannelNames",
    "Environment",
    "LogMetricNames",
    "SharedNames",
    "Tier",
    "load_environment",
]
