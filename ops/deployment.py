"""One channel of one environment, found by its stack's outputs."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from lambda_src.channels import parts_of
from lambda_src.core import (
    TWILIO_BASE_URL,
    ChannelParts,
    ConfigurationError,
    RejectedContext,
    Settings,
    Variable,
)
from lambda_src.services.dynamodb import Retention
from lambda_src.services.secrets_manager_service import is_within
from ops.delivery_events import QueuedEvent
from ops.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lambda_src.utils.context_processor import ContextParser
    from ops.endpoints import AwsClients, Endpoints

ENTRY_POINTS = "ai_multi_comms.channels"
"""The group of entry points by which installed packages declare their channels' parts."""
OWN_HANDLERS = "lambda_src."
"""The start of the handlers whose channels are modules of `lambda_src.channels`."""
OUTPUTS = {"DeadLetterQueueUrl", "FunctionName", "FunctionAlias"}
"""What the stack of every channel outputs."""
ALARM_TYPE = "AWS::CloudWatch::Alarm"


def stack_name(project: str, channel: str, environment: str) -> str:
    """Return the name of a channel's stack."""
    return f"{project}-{channel}-{environment}"


def channel_names(aws: AwsClients, project: str, environment: str) -> Iterator[str]:
    """Yield the names of the environment's channels, by the names of stacks with their outputs.

    A stack of a project or an environment with a longer name may be among them.
    """
    pages = aws.cloudformation.get_paginator("describe_stacks").paginate()
    start, end = f"{project}-", f"-{environment}"
    for stack in (stack for page in pages for stack in page["Stacks"]):
        name = stack["StackName"]
        outputs = {output.get("OutputKey") for output in stack.get("Outputs", [])}
        if name.startswith(start) and name.endswith(end) and outputs >= OUTPUTS:
            yield name.removeprefix(start).removesuffix(end)


def find_parts(channel: str, import_path: str = "", handler: str = "") -> ChannelParts:
    """Return a channel's parts, of this repository or of another one.

    Args:
        channel: The channel's name.
        import_path: The operator's choice, such as `push_processor.parts:PARTS`; modules in the
            working directory can be imported. Empty for none.
        handler: The deployed function's handler, which says whose channel it is; empty if it is
            not known.

    Raises:
        OperatorError: There are none, or they cannot be imported.
    """
    if import_path:
        if (directory := str(Path.cwd())) not in sys.path:
            sys.path.append(directory)
        return _load(EntryPoint(channel, import_path, ENTRY_POINTS), "--parts")
    found = {each.value: each for each in entry_points(group=ENTRY_POINTS, name=channel)}
    if handler.startswith(OWN_HANDLERS) or not (handler or found):
        try:
            return parts_of(channel)
        except ConfigurationError:
            raise OperatorError(
                f"{channel}: no channel of this repository: check --channel; another repository's"
                " needs --parts"
            ) from None
    if len(found) != 1:
        declared = ", ".join(sorted(found)) or "no package"
        raise OperatorError(
            f"{channel}: expected one installed package that declares its parts as an entry point"
            f" of the group {ENTRY_POINTS}, found {declared}: name the parts with --parts"
        )
    return _load(found.popitem()[1], f"the entry point {channel}")


def _load(entry_point: EntryPoint, source: str) -> ChannelParts:
    expected = "expected module:NAME of a ChannelParts, such as push_processor.parts:PARTS"
    try:
        parts = entry_point.load()
    except Exception as error:  # another repository's code may raise any
        found = f"{type(error).__name__} at the import of {entry_point.value}"
        raise OperatorError(f"{source}: {expected}, found {found}") from error
    if not isinstance(parts, ChannelParts):
        found = f"{entry_point.value}, a {type(parts).__name__}"
        raise OperatorError(f"{source}: {expected}, found {found}")
    return parts


@dataclass(frozen=True)
class Deployment:
    """A deployed channel.

    The rules that this tool applies (context object schema, secret prefixes, time limits,
    retention) come from the deployed function's own configuration, so the two cannot differ.

    Attributes:
        stack: The stack's name.
        settings: The function's configuration, with the vendors' URLs of a local cloud.
        dead_letter_queue_url: URL of the dead-letter queue.
        function: The function's name with its alias.
        handler: The function's handler.
        aws: AWS clients.
        events_queue_url: URL of the queue of delivery events; empty if the channel has none.
        events_dead_letter_queue_url: URL of its dead-letter queue; empty if the channel has none.
        import_path: Where the operator says that the channel's parts are; empty: see `find_parts`.
        list_lag_seconds: How late a fake may list a message; None: as late as its vendor.
    """

    stack: str
    settings: Settings
    dead_letter_queue_url: str
    function: str
    handler: str
    aws: AwsClients
    events_queue_url: str = ""
    events_dead_letter_queue_url: str = ""
    import_path: str = ""
    list_lag_seconds: float | None = None

    @classmethod
    def find(
        cls, aws: AwsClients, stack: str, endpoints: Endpoints, import_path: str = ""
    ) -> Deployment:
        """Read a channel's stack and its function's configuration.

        Raises:
            OperatorError: There is no such stack in this account and region.
        """
        outputs = _outputs(aws, stack)
        name, alias = outputs["FunctionName"], outputs["FunctionAlias"]
        configuration = aws.functions.get_function_configuration(FunctionName=name, Qualifier=alias)
        variables = dict(configuration["Environment"]["Variables"])
        variables[TWILIO_BASE_URL] = endpoints.base_urls.get(TWILIO_BASE_URL, "")
        if endpoints.openai_base_url:
            variables[Variable.OPENAI_BASE_URL] = endpoints.openai_base_url
        return cls(
            stack=stack,
            settings=Settings.from_environment(variables),
            dead_letter_queue_url=outputs["DeadLetterQueueUrl"],
            function=f"{name}:{alias}",
            handler=configuration["Handler"],
            aws=aws,
            events_queue_url=outputs.get("EventsQueueUrl", ""),
            events_dead_letter_queue_url=outputs.get("EventsDeadLetterQueueUrl", ""),
            import_path=import_path,
            list_lag_seconds=endpoints.list_lag_seconds,
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
        return find_parts(self.channel, self.import_path, self.handler)

    @cached_property
    def parse(self) -> ContextParser:
        """Parses a body as the deployed function does."""
        # Imported here, with pydantic: most commands parse nothing.
        from lambda_src.utils.context_processor import ContextParser  # noqa: PLC0415

        return ContextParser.for_channel(self.channel, self.parts, self.is_own_secret)

    def is_other_channels(self, body: str) -> bool:
        """Return whether a message is a context object of another channel."""
        from lambda_src.utils.context_schema import WRONG_CHANNEL  # noqa: PLC0415 - as above

        try:
            self.parse(body)
        except RejectedContext as rejected:
            return rejected.code == WRONG_CHANNEL
        return False

    def parse_event(self, body: str) -> QueuedEvent:
        """Return what a message of the events queue is about."""
        return QueuedEvent.parse(body, self.channel, self.parts)

    @property
    def queues(self) -> Mapping[str, str]:
        """The URLs of the channel's queues, by the names that receipts show."""
        urls = {
            "queue": self.settings.queue_url,
            "dead letters": self.dead_letter_queue_url,
            "hand-off queue": self.settings.handoff_queue_url,
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
            StackName=self.stack
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
            f"no stack {stack} in this account and region: check --project, --channel, --env, and"
            " whose credentials are in use (`aws sts get-caller-identity`)"
        ) from None
    return {output["OutputKey"]: output["OutputValue"] for output in description["Outputs"]}
