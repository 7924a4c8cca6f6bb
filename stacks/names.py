"""One naming rule for every physical name: other systems and people type these."""

from dataclasses import dataclass

from stacks.channels import Channel
from stacks.environments import Environment

PROJECT = "ai-multi-comms"
"""What names begin with, in this repository's app."""


@dataclass(frozen=True)
class SharedNames:
    """Names of what the channels of an environment share.

    Another repository names its own `project`, or overrides single names.
    """

    environment: Environment
    project: str = PROJECT

    @property
    def stack(self) -> str:
        """The shared stack."""
        return f"{self.project}-shared-{self.environment.name}"

    @property
    def table(self) -> str:
        """The conversations table."""
        return f"conversations-{self.environment.name}"

    @property
    def key_alias(self) -> str:
        """The environment's own key, where it has one."""
        return f"alias/{self.project}-{self.environment.name}"

    @property
    def log_groups(self) -> str:
        """The log groups of all processor functions, as a pattern."""
        return f"/aws/lambda/*-channel-processor-{self.environment.name}"

    @property
    def topic(self) -> str:
        """The topic of critical alerts."""
        return f"ai-comms-critical-alerts-{self.environment.name}"


@dataclass(frozen=True)
class LogMetricNames:
    """Names along the way from a log line to a metric."""

    metric_filter: str
    metric: str
    namespace: str


@dataclass(frozen=True)
class ChannelNames:
    """Names of one channel's resources in one environment.

    Another repository names its own `project`, or overrides single names.
    """

    channel: Channel
    environment: Environment
    project: str = PROJECT

    @property
    def stack(self) -> str:
        """The channel's stack."""
        return f"{self.project}-{self.channel.name}-{self.environment.name}"

    @property
    def queue(self) -> str:
        """The queue that the router sends to."""
        return f"{self.project}-{self.channel.name}-queue-{self.environment.name}"

    @property
    def dead_letter_queue(self) -> str:
        """Where messages end that could not be sent."""
        return f"{self.project}-{self.channel.name}-dlq-{self.environment.name}"

    @property
    def function(self) -> str:
        """The processor function."""
        return f"{self.channel.name}-channel-processor-{self.environment.name}"

    @property
    def log_group(self) -> str:
        """The processor function's log group."""
        return f"/aws/lambda/{self.function}"

    @property
    def openai_secret(self) -> str:
        """The channel's OpenAI key; further keys may stand below it, behind a slash."""
        return f"{self.project}/{self.environment.name}/openai-api-key/{self.channel.name}"

    @property
    def credentials_prefix(self) -> str:
        """What the names of all tenants' credentials for this channel begin with."""
        return f"{self.project}/{self.environment.name}/{self.channel.name}-credentials/"

    @property
    def router_policy(self) -> str:
        """The policy of whoever sends to the queue."""
        return f"{self.project}-{self.channel.name}-router-{self.environment.name}"

    @property
    def operator_policy(self) -> str:
        """The policy of the people on duty for the channel."""
        return f"{self.project}-{self.channel.name}-operator-{self.environment.name}"

    @property
    def dashboard(self) -> str:
        """The channel's dashboard."""
        return f"{self.project}-{self.channel.name}-dashboard-{self.environment.name}"

    @property
    def metrics_namespace(self) -> str:
        """Where the channel's own metrics are, those of its log and those of its runtime."""
        return f"AIComms/{self.channel.display}Processor/{self.environment.title}"

    def log_metric(self, subject: str) -> LogMetricNames:
        """Return the names of the metric that counts one kind of log line.

        Args:
            subject: What the line tells of, in PascalCase: `FinalDbUpdateFailure`.
        """
        title, part = self.environment.title, self.channel.metric_filter_part
        return LogMetricNames(
            metric_filter="-".join(word for word in (f"{subject}Filter", part, title) if word),
            metric=f"{subject}Count",
            namespace=self.metrics_namespace,
        )

    def alarm(self, subject: str) -> str:
        """Return the name of the alarm on a subject, in PascalCase: `DeadLetters`."""
        return f"{self.channel.display}Processor{subject}Alarm-{self.environment.title}"
