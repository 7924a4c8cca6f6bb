"""One channel of one environment, found by what its stacks give out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambda_src.channels import parts_of
from lambda_src.core.contract import TWILIO_BASE_URL
from lambda_src.core.settings import Settings
from lambda_src.services.retention import Retention
from lambda_src.services.secrets_manager_service import is_within
from lambda_src.utils.context_processor import ContextParser
from ops.errors import OperatorError
from ops.surroundings import OPENAI_BASE_URL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_src.core.channel_parts import ChannelParts
    from ops.aws import Aws
    from ops.surroundings import Surroundings

PROJECT = "ai-multi-comms"
ALARM = "AWS::CloudWatch::Alarm"


def stack_name(environment: str, part: str) -> str:
    """The name of a stack: `part` is a channel, or `shared`."""
    return f"{PROJECT}-{part}-{environment}"


@dataclass(frozen=True)
class Deployment:
    """A deployed channel, with the settings that its function runs by.

    What the tool judges by (the form of a context object, secrets' prefixes, times, how long
    records are kept) is the deployed function's own configuration, and so never another opinion.

    Attributes:
        environment: The environment's name.
        settings: The function's configuration; the vendors' addresses are those of the tool.
        dead_letter_queue_url: Where messages end that could not be sent.
        function: The function's name, with its alias.
        dashboard_url: Where the channel is drawn.
        openai_base_url: Where OpenAI answers; None for its own address.
        aws: The services.
    """

    environment: str
    settings: Settings
    dead_letter_queue_url: str
    function: str
    dashboard_url: str
    openai_base_url: str | None
    aws: Aws

    @classmethod
    def find(
        cls, aws: Aws, environment: str, channel: str, surroundings: Surroundings
    ) -> Deployment:
        """Read the channel's stack and its function's configuration.

        Raises:
            OperatorError: There is no such stack in this account and region.
        """
        outputs = _outputs(aws, stack_name(environment, channel))
        name, alias = outputs["FunctionName"], outputs["FunctionAlias"]
        configuration = aws.functions.get_function_configuration(FunctionName=name, Qualifier=alias)
        variables = dict(configuration["Environment"]["Variables"])
        variables[TWILIO_BASE_URL] = surroundings.base_urls.get(TWILIO_BASE_URL, "")
        return cls(
            environment=environment,
            settings=Settings.from_environment(variables),
            dead_letter_queue_url=outputs["DeadLetterQueueUrl"],
            function=f"{name}:{alias}",
            dashboard_url=outputs.get("DashboardUrl", ""),
            openai_base_url=surroundings.base_urls.get(OPENAI_BASE_URL),
            aws=aws,
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
        """What the channel brings: its sender, its addresses."""
        return parts_of(self.channel)

    @cached_property
    def parse(self) -> ContextParser:
        """Parses a body as the deployed function does."""
        return ContextParser(self.channel, self.is_own_secret, self.parts.addressing)

    def is_own_secret(self, reference: str) -> bool:
        """Whether a secret lies within the channel's prefixes."""
        return is_within(reference, self.settings.secret_prefixes)

    @cached_property
    def alarm_names(self) -> tuple[str, ...]:
        """The names of the channel's alarms, in the stack's order."""
        pages = self.aws.cloudformation.get_paginator("list_stack_resources").paginate(
            StackName=stack_name(self.environment, self.channel)
        )
        return tuple(
            resource["PhysicalResourceId"]
            for page in pages
            for resource in page["StackResourceSummaries"]
            if resource["ResourceType"] == ALARM
        )


def _outputs(aws: Aws, stack: str) -> Mapping[str, str]:
    try:
        (description,) = aws.cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        raise OperatorError(
            f"no stack {stack} in this account and region: look at --env, --channel, and at"
            " whose credentials are in use (`aws sts get-caller-identity`)"
        ) from None
    return {output["OutputKey"]: output["OutputValue"] for output in description["Outputs"]}
