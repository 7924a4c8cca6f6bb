"""One channel of one environment, found by its stack's outputs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambda_src.channels import parts_of
from lambda_src.core import TWILIO_BASE_URL, Settings, Variable
from lambda_src.services.dynamodb import Retention
from lambda_src.services.secrets_manager_service import is_within
from lambda_src.utils.context_processor import ContextParser
from ops.delivery_events import QueuedEvent
from ops.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambda_src.core import ChannelParts
    from ops.endpoints import AwsClients, Endpoints

PROJECT = "ai-multi-comms"
ALARM_TYPE = "AWS::CloudWatch::Alarm"


def stack_name(environment: str, part: str) -> str:
    """Return the name of a stack; `part` is a channel's name, or `shared`."""
    return f"{PROJECT}-{part}-{environment}"


def channel_names(aws: AwsClients, environment: str) -> Iterator[str]:
    """Yield the environment's channels: those whose stack outputs a dead-letter queue."""
    pages = aws.cloudformation.get_paginator("describe_stacks").paginate()
    for stack in (stack for page in pages for stack in page["Stacks"]):
        name = stack["StackName"]
        start, end = f"{PROJECT}-", f"-{environment}"
        has_queue = any(
            out.get("OutputKey") == "DeadLetterQueueUrl" for out in stack.get("Outputs", [])
        )
        if name.startswith(start) and name.endswith(end) and has_queue:
            yield name.removeprefix(start).removesuffix(end)


@dataclass(frozen=True)
class Deployment:
    """A deployed channel.

    The rules that this tool applies (context object schema, secret prefixes, time limits,
    retention) come from the deployed function's own configuration, so the two cannot differ.

    Attributes:
        environment: The environment's name.
        settings: The function's configuration, with the vendors' URLs of a local cloud.
        dead_letter_queue_url: URL of the dead-letter queue.
        function: The function's name with its alias.
        aws: AWS clients.
        events_queue_url: URL of the queue of delivery events; empty if the channel has none.
        events_dead_letter_queue_url: URL of its dead-letter queue; empty if the channel has none.
    """

    environment: str
    settings: Settings
    dead_letter_queue_url: str
    function: str
    aws: AwsClients
    events_queue_url: str = ""
    events_dead_letter_queue_url: str = ""

    @classmethod
    def find(
        cls, aws: AwsClients, environment: str, channel: str, endpoints: Endpoints
    ) -> Deployment:
        """Read the channel's stack and its function's configuration.

        Raises:
            OperatorError: There is no such stack in this account and region.
        """
        outputs = _outputs(aws, stack_name(environment, channel))
        name, alias = outputs["FunctionName"], outputs["FunctionAlias"]
        configuration = aws.functions.get_function_configuration(FunctionName=name, Qualifier=alias)
        variables = dict(configuration["Environment"]["Variables"])
        variables[TWILIO_BASE_URL] = endpoints.base_urls.get(TWILIO_BASE_URL, "")
        if endpoints.openai_base_url:
            variables[Variable.OPENAI_BASE_URL] = endpoints.openai_base_url
        return cls(
            environment=environment,
            settings=Settings.from_environment(variables),
            dead_letter_queue_url=outputs["DeadLetterQueueUrl"],
            function=f"{name}:{alias}",
            aws=aws,
            events_queue_url=outputs.get("EventsQueueUrl", ""),
            events_dead_letter_queue_url=outputs.get("EventsDeadLetterQueueUrl", ""),
        )

    @property
    def channel(self) -> str:
        """The channel's name."""
        return self.settings.channel

    @property
    def retention(self) -> Retention:
        """How long the environment keeps records."""
        return Retention(self.settings.conversation_retention_days)

    @cached_property
    def parts(self) -> ChannelParts:
        """The channel's sender and addressing rules."""
        return parts_of(self.channel)

    @cached_property
    def parse(self) -> ContextParser:
        """Parses a body as the deployed function does."""
        return ContextParser(self.channel, self.is_own_secret, self.parts.addressing)

    def parse_event(self, body: str) -> QueuedEvent:
        """Return what a message of the events queue is about."""
        return QueuedEvent.parse(body, self.channel, self.parts.callbacks)

    @property
    def queues(self) -> Mapping[str, str]:
        """The URLs of the channel's queues, by the names that receipts show."""
        urls = {
            "queue": self.settings.queue_url,
            "dead letters": self.dead_letter_queue_url,
            "events queue": self.events_queue_url,
            "events dead letters": self.events_dead_letter_queue_url,
        }
        return {name: url for name, url in urls.items() if url}

    def is_own_secret(self, reference: str) -> bool:
        """Return whether a secret has one of the channel's prefixes."""
        return is_within(reference, self.settings.secret_prefixes)

    @cached_property
    def alarm_names(self) -> tuple[str, ...]:
        """Names of the channel's alarms, in the stack's order."""
        pages = self.aws.cloudformation.get_paginator("list_stack_resources").paginate(
            StackName=stack_name(self.environment, self.channel)
        )
        return tuple(
            resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == ALARM_TYPE
        )


def _outputs(aws: AwsClients, stack: str) -> Mapping[str, str]:
    try:
        (description,) = aws.cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise OperatorError(
            f"no stack {stack} in this account and region: check --env, --channel, and whose"
            " credentials are in use (`aws sts get-caller-identity`)"
        ) from None
    return {output["OutputKey"]: output["OutputValue"] for output in description["Outputs"]}
