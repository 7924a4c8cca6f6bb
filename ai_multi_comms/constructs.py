"""The public names of the infrastructure: what is listed here is kept, the rest may change.

From the whole to its parts: a `SharedStack` and a `ChannelStack` for each `Channel` are a
deployment; an app that needs another shape puts it together from the constructs that these two are
made of. Every name of a resource follows from the channel and the environment (`ChannelNames`,
`SharedNames`), and every construct brings the invariants along, which stop a synth that would lose
messages.
"""

from stacks.alarms.log_alarms import LogAlarm, LogAlarmRule, log_alarm_rules
from stacks.alarms.metric_alarms import FunctionAlarms, QueueAlarms
from stacks.alarms.no_throughput_alarm import NoThroughputAlarm
from stacks.alarms.notifier import AlarmNotifier, AlarmRule
from stacks.callback_endpoint import CallbackEndpoint, CallbackReceiver
from stacks.channel_dashboard import ChannelDashboard
from stacks.channel_queue import ChannelQueue
from stacks.channel_secrets import ChannelSecrets
from stacks.channel_stack import ChannelStack
from stacks.config import (
    Channel,
    ChannelNames,
    LogMetricNames,
    Privilege,
    SharedNames,
)
from stacks.config.environments import Environment, Tier, load_environment
from stacks.conversations_table import ConversationsTable
from stacks.critical_alerts_topic import CriticalAlertsTopic
from stacks.delivery_events import DeliveryEvents
from stacks.encryption_key import EncryptionKey
from stacks.errors import ConfigurationError, PackageError, SynthesisError
from stacks.hand_off_queue import HandOffQueue
from stacks.packaging.contents import Additions
from stacks.packaging.lambda_package import (
    LambdaPackage,
    Target,
    build_package,
    build_receiver,
    requested_target,
)
from stacks.processor import Processor
from stacks.scheduled_job import ScheduledJob
from stacks.ses_sending import SesSending
from stacks.shared_stack import SharedStack
from stacks.vendor_check import VendorCheck
from stacks.vendor_topic import VendorTopic

__all__ = [
    "Additions",
    "AlarmNotifier",
    "AlarmRule",
    "CallbackEndpoint",
    "CallbackReceiver",
    "Channel",
    "ChannelDashboard",
    "ChannelNames",
    "ChannelQueue",
    "ChannelSecrets",
    "ChannelStack",
    "ConfigurationError",
    "ConversationsTable",
    "CriticalAlertsTopic",
    "DeliveryEvents",
    "EncryptionKey",
    "Environment",
    "FunctionAlarms",
    "HandOffQueue",
    "LambdaPackage",
    "LogAlarm",
    "LogAlarmRule",
    "LogMetricNames",
    "NoThroughputAlarm",
    "PackageError",
    "Privilege",
    "Processor",
    "QueueAlarms",
    "ScheduledJob",
    "SesSending",
    "SharedNames",
    "SharedStack",
    "SynthesisError",
    "Target",
    "Tier",
    "VendorCheck",
    "VendorTopic",
    "build_package",
    "build_receiver",
    "load_environment",
    "log_alarm_rules",
    "requested_target",
]
