"""What the pages work with; the operator's commands are the functions of the command line."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from typing import Any

import rich.console
import typer

from local.cloud import LocalCloud
from local.console.journal import Journal, LogBook
from local.deployment import ENVIRONMENT
from ops.command import handle_errors
from ops.console import Console
from ops.deployment import Deployment
from ops.session import Session

WIDTH = 100
"""Columns of a command's output."""


class ConfirmationNeeded(Exception):
    """A command asks before a change; the argument is its question."""


@dataclass(frozen=True)
class Outcome:
    """What a command did.

    Attributes:
        text: what it printed for people.
        document: what it would print for programs; None if it ended before.
        exit_code: 0 if it succeeded.
        question: what it asks before it changes anything; empty if it asked nothing.
    """

    text: str
    document: Any
    exit_code: int
    question: str = ""


class Operator:
    """Runs the operator's commands on a local cloud.

    Args:
        cloud: the running local cloud.
    """

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    @cached_property
    def deployments(self) -> Mapping[str, Deployment]:
        """The deployed channels by name."""
        names = self._cloud.channels
        return {name: self._session(name, _PageConsole()).deployment for name in names}

    def _session(self, channel: str, console: Console) -> Session:
        """Return a session as the command line creates it for `--local`."""
        return Session(
            ENVIRONMENT,
            channel,
            is_local=True,
            console=console,
            target_options=("--channel", channel, "--local"),
            local_cloud=self._cloud.state(),
        )

    def run(
        self, command: Callable[..., None], channel: str, options: Mapping[str, Any]
    ) -> Outcome:
        """Run a command.

        Args:
            command: a function of `ops.commands`.
            channel: the channel.
            options: its arguments and options by the names of its parameters; `yes` answers its
                question.
        """
        console = _PageConsole()
        exit_code, question = 0, ""
        try:
            with handle_errors(console):
                inspect.unwrap(command)(self._session(channel, console), **options)
        except ConfirmationNeeded as needed:
            question = str(needed)
        except typer.Exit as ended:
            exit_code = ended.exit_code
        return Outcome(console.text, console.document, exit_code, question)


class _PageConsole(Console):
    """Keeps what a command prints and returns; asks by ending the command."""

    def __init__(self) -> None:
        self._buffer = StringIO()
        output = rich.console.Console(
            file=self._buffer, width=WIDTH, highlight=False, force_terminal=False, no_color=True
        )
        super().__init__(output=output, errors=output)
        self.document: Any = None

    @property
    def text(self) -> str:
        """Everything that was printed."""
        return self._buffer.getvalue().strip("\n")

    def result(self, document: object) -> None:
        """Keep the result for programs."""
        self.document = document

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before a change.

        Raises:
            ConfirmationNeeded: the question is not answered.
        """
        if not yes:
            raise ConfirmationNeeded(question)
        super().confirm(question, yes=yes)


@dataclass(frozen=True)
class Parts:
    """What the pages work with.

    Attributes:
        cloud: the local cloud.
        journal: what happened to each conversation.
        logs: what the functions have logged.
        operator: the operator's commands.
    """

    cloud: LocalCloud
    journal: Journal
    logs: LogBook
    operator: Operator
