"""One invocation of the tool: the deployment, its resources, the console and the operator."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lambda_src.services.dynamodb import spellings
from ops.audit import AuditContext
from ops.conversations import ConversationRepository
from ops.deployment import Deployment, channel_names, find_parts, stack_name
from ops.dlq.inspection import Inspector
from ops.endpoints import AwsClients, Endpoints
from ops.errors import OperatorError
from ops.queues import ChannelQueue, QueueScanner
from ops.suppressions import Suppressions

if TYPE_CHECKING:
    from collections.abc import Callable

    from lambda_src.core import ChannelParts
    from ops.console import Console
    from ops.conversations import ConversationRecord
    from ops.endpoints import LocalCloudState

INSTALLED = "ai-comms"
"""The command of the published package."""
PROJECT = "ai-multi-comms"
"""The prefix of this repository's stacks; another repository has its own."""


@dataclass(frozen=True)
class Session:
    """One invocation of the tool.

    Attributes:
        environment: The environment's name.
        channel: The channel's name.
        is_local: Whether to use the local cloud.
        console: Shows results.
        clock: Returns epoch seconds.
        project: The prefix of the stacks' names.
        import_path: Where the channel's parts are, for another repository's channel; empty for an
            own one, and for one that an installed package declares.
        target_options: The options of the command line that say so, such as `--env`, `prod`.
        local_cloud: The local cloud to use; None for the one that `make local` keeps running.
    """

    environment: str
    channel: str
    is_local: bool
    console: Console
    clock: Callable[[], float] = time.time
    project: str = PROJECT
    import_path: str = ""
    target_options: tuple[str, ...] = ()
    local_cloud: LocalCloudState | None = None

    def command_line(self, *arguments: str, channel: str = "") -> str:
        """Return a command for the same target, to be pasted into a shell unchanged.

        Args:
            arguments: The command with its own arguments and options, not quoted.
            channel: Another channel; empty for the same one.
        """
        program = INSTALLED if Path(sys.argv[0]).name == INSTALLED else "python -m ops"
        options = list(self.target_options)
        if channel and "--channel" in options:
            options[options.index("--channel") + 1] = channel
        elif channel:
            options += ["--channel", channel]
        return f"{program} {shlex.join([*arguments, *options])}"

    @cached_property
    def endpoints(self) -> Endpoints:
        """Where AWS and the vendors are reached."""
        if self.local_cloud:
            return Endpoints.of(self.local_cloud)
        return Endpoints.from_local_cloud() if self.is_local else Endpoints.from_environment()

    @cached_property
    def aws(self) -> AwsClients:
        """AWS clients."""
        return AwsClients(self.endpoints)

    @cached_property
    def deployment(self) -> Deployment:
        """The deployed channel."""
        return self._find(self.channel)

    def all_deployments(self) -> list[Deployment]:
        """Return every channel of the project's environment."""
        names = channel_names(self.aws, self.project, self.environment)
        found = (self._find(name) for name in sorted(names))
        # Found under a longer name than its channel's: the stack of another project or environment.
        return [each for each in found if each.stack == self._stack(each.channel)]

    @property
    def parts(self) -> ChannelParts:
        """The channel's parts, found without the deployment."""
        return find_parts(self.channel, self.import_path)

    @cached_property
    def conversations(self) -> ConversationRepository:
        """The conversations table."""
        deployment = self.deployment
        table_name = deployment.settings.conversations_table
        return ConversationRepository(self.aws.dynamodb, table_name, deployment.retention)

    @cached_property
    def suppressions(self) -> Suppressions:
        """The channel's suppressions."""
        table_name = self.deployment.settings.conversations_table
        addressing = self.deployment.parts.addressing
        return Suppressions(self.aws.dynamodb, table_name, self.channel, addressing)

    def conversation(
        self, named: str, recipient: str = "", *, is_whole: bool = False
    ) -> ConversationRecord:
        """Return the only record of one of the channel's conversations.

        Args:
            named: The conversation's id, or its first characters.
            recipient: The recipient as the operator typed it; empty for any.
            is_whole: Whether only a whole id is accepted.

        Raises:
            OperatorError: There is none, there are several, or it is on another channel.
        """
        spelled = self.spellings(recipient)
        record = self.conversations.find_one(named, spelled, is_whole=is_whole)
        if record.ledger and not record.ledger.may_be_on(self.channel):
            other = record.ledger.channel
            raise OperatorError(
                f"the conversation is on the channel {other}: add --channel {shlex.quote(other)}"
            )
        return record

    def recipient(self, typed: str) -> str:
        """Return a recipient's address, as the operator typed it, in the channel's format.

        Raises:
            OperatorError: It is not an address of the channel.
        """
        try:
            return self.deployment.parts.addressing.normalize(typed)
        except ValueError as error:
            raise OperatorError(f"the recipient: {error}") from None

    def spellings(self, typed: str) -> tuple[str, ...]:
        """Return all spellings of a recipient that the operator typed; none if it is empty."""
        if not typed:
            return ()
        return spellings(self.deployment.parts.addressing, self.recipient(typed))

    def queue(self, *, events: bool = False) -> ChannelQueue:
        """Return the channel's queue, or that of its events."""
        deployment = self.deployment
        url = deployment.events_queue_url if events else deployment.settings.queue_url
        return ChannelQueue(self.aws.sqs, url)

    def _find(self, channel: str) -> Deployment:
        import_path = self.import_path if channel == self.channel else ""
        return Deployment.find(self.aws, self._stack(channel), self.endpoints, import_path)

    def _stack(self, channel: str) -> str:
        return stack_name(self.project, channel, self.environment)

    def inspector(self, *, events: bool = False) -> Inspector:
        """Return what inspects the channel's dead-letter messages, or those of its events."""
        parse = self.deployment.parse_event if events else self.deployment.parse
        return Inspector(parse, self.conversations, self.suppressions)

    def dead_letters(self, *, events: bool = False) -> QueueScanner:
        """Return a scanner of the dead-letter queue, or of that of the events.

        Raises:
            OperatorError: The channel has no events queue.
        """
        url = self.deployment.dead_letter_queue_url
        if events:
            url = self.deployment.events_dead_letter_queue_url
        if not url:
            raise OperatorError(
                "the channel has no events queue: delivery_webhook and delivery_sweep are off"
            )
        return QueueScanner(self.aws.sqs, url)

    def audit(self, why: str) -> AuditContext:
        """Return the audit context of a change that is made now, by the AWS caller identity."""
        return AuditContext(self.aws.sts.get_caller_identity()["Arn"], why, self.clock())
