"""Physical names of resources, which people and other systems type; each follows from one rule."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stacks.config.channel import Channel
from stacks.errors import ConfigurationError

if TYPE_CHECKING:  # it imports the CDK
    from stacks.config.environments import Environment

PROJECT = "ai-multi-comms"
"""The prefix of names in this repository's app."""


@dataclass(frozen=True)
class SharedNames:
    """Names of the resources that an environment's channels share.

    Another repository passes its own `project`, or overrides single properties.
    """

    environment: "Environment"
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
        """A pattern for the log groups of all channels' functions."""
        return f"/aws/lambda/*-{self.environment.name}"

    @property
    def callback_api(self) -> str:
        """The HTTP API that receives vendors' status callbacks."""
        return f"{self.project}-callbacks-{self.environment.name}"

    @property
    def hand_off_queue(self) -> str:
        """The queue of copies of the context objects whose drafts are held."""
        return f"{self.project}-handoff-queue-{self.environment.name}"

    @property
    def topic(self) -> str:
        """The topic of critical alerts."""
        return f"ai-comms-critical-alerts-{self.environment.name}"


@dataclass(frozen=True)
class LogMetricNames:
    """Names of a metric filter and of the metric that it feeds."""

    metric_filter: str
    metric: str
    namespace: str


@dataclass(frozen=True)
class ChannelNames:
    """Names of one channel's resources in one environment.

    Another repository passes its own `project`, or overrides single properties.
    """

    channel: Channel
    environment: "Environment"
    project: str = PROJECT

    def fill(self, text: str, *, partition: str, region: str, account: str) -> str:
        """Return a text of the channel's entry with its placeholders replaced.

        Raises:
            ConfigurationError: It has a placeholder that is none of those of `Privilege`.
        """
        values = {"partition": partition, "region": region, "account": account}
        values |= {"project": self.project, "environment": self.environment.name}
        try:
            return text.format(**values)
        except (IndexError, KeyError, ValueError):
            known = ", ".join(f"{{{name}}}" for name in values)
            raise ConfigurationError(
                f"channel {self.channel.name}: {text!r} has another placeholder than {known}"
            ) from None

    @property
    def stack(self) -> str:
        """The channel's stack."""
        return f"{self.project}-{self.channel.name}-{self.environment.name}"

    @property
    def queue(self) -> str:
        """The queue that the router sends to."""
        return self._named("queue")

    @property
    def dead_letter_queue(self) -> str:
        """The dead-letter queue."""
        return self._named("dlq")

    @property
    def hand_off_queue(self) -> str:
        """The environment's queue of copies of the context objects whose drafts are held."""
        return SharedNames(self.environment, self.project).hand_off_queue

    @property
    def function(self) -> str:
        """The processor function."""
        return f"{self.channel.name}-channel-processor-{self.environment.name}"

    @property
    def handler(self) -> str:
        """The processor function's handler."""
        return self.channel.handler

    @property
    def function_description(self) -> str:
        """The processor function's description."""
        return f"Sends the first {self.channel.display} message of a conversation"

    @property
    def log_group(self) -> str:
        """The function's log group."""
        return f"/aws/lambda/{self.function}"

    @property
    def receiver(self) -> str:
        """The function that receives the vendor's status callbacks."""
        return f"{self.channel.name}-receiver-{self.environment.name}"

    @property
    def receiver_log_group(self) -> str:
        """The receiver's log group."""
        return f"/aws/lambda/{self.receiver}"

    @property
    def scheduler(self) -> str:
        """The scheduled job, and the rule that invokes it."""
        return f"{self.channel.name}-scheduler-{self.environment.name}"

    @property
    def scheduler_log_group(self) -> str:
        """The scheduled job's log group."""
        return f"/aws/lambda/{self.scheduler}"

    @property
    def vendor_check(self) -> str:
        """The check of what vendors retire, and the rule that invokes it."""
        return f"{self.channel.name}-vendor-check-{self.environment.name}"

    @property
    def vendor_check_log_group(self) -> str:
        """The vendor check's log group."""
        return f"/aws/lambda/{self.vendor_check}"

    @property
    def events(self) -> "EventsNames":
        """Names of the queue and the worker of delivery events."""
        return EventsNames(self.channel, self.environment, self.project)

    @property
    def openai_secret(self) -> str:
        """The channel's OpenAI key; further keys have names below it, after a slash."""
        return f"{self.project}/{self.environment.name}/openai-api-key/{self.channel.name}"

    @property
    def credentials_prefix(self) -> str:
        """The prefix of all tenants' credentials for this channel."""
        return f"{self.project}/{self.environment.name}/{self.channel.name}-credentials/"

    @property
    def configuration_set(self) -> str:
        """The configuration set of a channel that sends through Amazon SES."""
        return f"{self.project}-{self.channel.name}-{self.environment.name}"

    @property
    def router_policy(self) -> str:
        """The managed policy of senders to the queue."""
        return self._named("router")

    @property
    def operator_policy(self) -> str:
        """The managed policy of the channel's operators."""
        return self._named("operator")

    @property
    def dashboard(self) -> str:
        """The channel's dashboard."""
        return self._named("dashboard")

    @property
    def metrics_namespace(self) -> str:
        """The namespace of the channel's own metrics, from its log and from its runtime."""
        return f"AIComms/{self.channel.display}Processor/{self.environment.title}"

    def log_metric(self, subject: str) -> LogMetricNames:
        """Return the names of the metric that counts one kind of log line.

        Args:
            subject: The kind of line, in PascalCase: `FinalDbUpdateFailure`.
        """
        title, part = self.environment.title, self.channel.metric_filter_part
        return LogMetricNames(
            metric_filter="-".join(filter(None, (f"{subject}Filter", part, title))),
            metric=f"{subject}Count",
            namespace=self.metrics_namespace,
        )

    def alarm(self, subject: str) -> str:
        """Return the name of the alarm on a subject in PascalCase, such as `DeadLetters`."""
        return f"{self.channel.display}Processor{subject}Alarm-{self.environment.title}"

    def _named(self, role: str) -> str:
        return f"{self.project}-{self.channel.name}-{role}-{self.environment.name}"


@dataclass(frozen=True)
class EventsNames(ChannelNames):
    """Names of a channel's queue of delivery events, and of the function that it feeds."""

    @property
    def queue(self) -> str:
        """The queue of delivery events."""
        return self._named("events-queue")

    @property
    def dead_letter_queue(self) -> str:
        """The dead-letter queue of delivery events."""
        return self._named("events-dlq")

    @property
    def topic(self) -> str:
        """The topic through which an AWS service puts events on the queue."""
        return self._named("events")

    @property
    def function(self) -> str:
        """The events worker."""
        return f"{self.channel.name}-events-worker-{self.environment.name}"

    @property
    def handler(self) -> str:
        """The events worker's handler."""
        return self.channel.events_handler

    @property
    def function_description(self) -> str:
        """The events worker's description."""
        return f"Records what happened to {self.channel.display} messages after they were sent"
