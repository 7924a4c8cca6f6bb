"""The public names of the infrastructure: what is listed here is kept, the rest may change.

From the whole to its parts: a `SharedStack` and a `ChannelStack` for each `Channel` are a
deployment; an app that needs another shape puts it together from the constructs that these two are
made of. Every name of a resource follows from the channel and the environment (`ChannelNames`,
`SharedNames`), and every construct brings the invariants along, which stop a synth that would lose
messages.
"""

from stacks.alarming_lines import AlarmingLines, alarming_lines
from stacks.channel_dashboard import ChannelDashboard
from stacks.channel_queue import ChannelQueue
from stacks.channel_secrets import ChannelSecrets
from stacks.channel_stack import ChannelStack
from stacks.channels import Channel
from stacks.conversations_table import ConversationsTable
from stacks.critical_alerts_topic import CriticalAlertsTopic
from stacks.encryption_key import EncryptionKey
from stacks.environments import Environment, load_environment
from stacks.errors import ConfigurationError, PackageError, SynthesisError
from stacks.function_alarms import FunctionAlarms
from stacks.lambda_package import LambdaPackage, build_package
from stacks.log_alarm import LogAlarm
from stacks.names import ChannelNames, LogMetricNames, SharedNames
from stacks.on_call import AlarmRule, OnCall
from stacks.package_sources import Additions
from stacks.package_target import Target, requested_target
from stacks.processor import Processor
from stacks.queue_alarms import QueueAlarms
from stacks.shared_stack import SharedStack
from stacks.silence_alarm import SilenceAlarm
from stacks.tiers import Tier

__all__ = [
    "Additions",
    "AlarmRule",
    "AlarmingLines",
    "Channel",
    "ChannelDashboard",
    "ChannelNames",
    "ChannelQueue",
    "ChannelSecrets",
    "ChannelStack",
    "ConfigurationError",
    "ConversationsTable",
    "CriticalAlertsTopic",
    "EncryptionKey",
    "Environment",
    "FunctionAlarms",
    "LambdaPackage",
    "LogAlarm",
    "LogMetricNames",
    "OnCall",
    "PackageError",
    "Processor",
    "QueueAlarms",
    "SharedNames",
    "SharedStack",
    "SilenceAlarm",
    "SynthesisError",
    "Target",
    "Tier",
    "alarming_lines",
    "build_package",
    "load_environment",
    "requested_target",
]
