"""What a command works with: the deployment it is about, the screen, and who sits here."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ops.aws import Aws
from ops.deployment import Deployment
from ops.letter_case import CaseFile
from ops.letters import Letters
from ops.queueing import Queue
from ops.register import Register
from ops.register_writes import Signature
from ops.suppressions import Suppressions
from ops.surroundings import Surroundings

if TYPE_CHECKING:
    from collections.abc import Callable

    from ops.screen import Screen


@dataclass(frozen=True)
class Desk:
    """One call of the tool.

    Attributes:
        environment: The environment's name.
        channel: The channel's name.
        is_local: Whether the local cloud is meant.
        screen: Where results are shown.
        clock: Epoch seconds.
    """

    environment: str
    channel: str
    is_local: bool
    screen: Screen
    clock: Callable[[], float] = time.time

    @cached_property
    def surroundings(self) -> Surroundings:
        """Where everything answers."""
        if self.is_local:
            return Surroundings.of_local_cloud()
        return Surroundings.of_environment()

    @cached_property
    def aws(self) -> Aws:
        """AWS."""
        return Aws(self.surroundings)

    @cached_property
    def deployment(self) -> Deployment:
        """The channel."""
        return Deployment.find(self.aws, self.environment, self.channel, self.surroundings)

    @cached_property
    def register(self) -> Register:
        """Its conversations."""
        deployment = self.deployment
        table = deployment.settings.conversations_table
        return Register(self.aws.dynamodb, table, deployment.retention)

    @cached_property
    def suppressions(self) -> Suppressions:
        """Who is not written to on it."""
        table_name = self.deployment.settings.conversations_table
        return Suppressions(self.aws.dynamodb, table_name, self.channel)

    @cached_property
    def queue(self) -> Queue:
        """Its queue."""
        return Queue(self.aws.sqs, self.deployment.settings.queue_url)

    @property
    def case_file(self) -> CaseFile:
        """What opens its dead letters."""
        return CaseFile(self.deployment.parse, self.register)

    def letters(self) -> Letters:
        """Its dead letters."""
        return Letters(self.aws.sqs, self.deployment.dead_letter_queue_url)

    def signature(self, why: str) -> Signature:
        """Who is about to change something: the caller that AWS knows these credentials as."""
        return Signature(self.aws.sts.get_caller_identity()["Arn"], why, self.clock())
