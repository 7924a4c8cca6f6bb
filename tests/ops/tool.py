"""Run the operator's command line in this process."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any
from unittest.mock import patch

import typer.main
from typer.core import TyperGroup
from typer.testing import CliRunner, Result

from ops import INTERRUPTED
from ops.cli import build_app

APP = build_app()
# The runner would build the tree of commands again for each call.
patch("typer.testing._get_command", cache(typer.main.get_command)).start()


class Tool:
    """Runs commands and checks how they end."""

    def run(self, *arguments: str, answer: str | None = None) -> Result:
        """Run a command; `answer` is its standard input."""
        return CliRunner().invoke(APP, list(arguments), input=answer)

    def succeed(self, *arguments: str, answer: str | None = None) -> Any:
        """Run a command with --json that must succeed; return the document."""
        result = self.run(*arguments, "--json", answer=answer)
        assert 0 == result.exit_code, result.output
        return json.loads(result.stdout)

    def refused(self, *arguments: str, answer: str | None = None) -> str:
        """Run a command that must fail; return its output."""
        return self._ended(1, *arguments, answer=answer)

    def interrupted(self, *arguments: str, answer: str | None = None) -> str:
        """Run a command that Ctrl-C must end; return its output."""
        return self._ended(INTERRUPTED, *arguments, answer=answer)

    def _ended(self, exit_code: int, *arguments: str, answer: str | None) -> str:
        result = self.run(*arguments, answer=answer)
        assert exit_code == result.exit_code, result.output
        assert "Traceback" not in result.output
        return " ".join(result.output.split())


def commands(group: TyperGroup | None = None, *path: str) -> Iterator[tuple[str, str]]:
    """Yield every command, such as `dlq list`, of the tool or a group of it, with its help text."""
    for name, command in (group or typer.main.get_group(APP)).commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, *path, name)
        else:
            yield " ".join((*path, name)), command.help or ""


def check_call(arguments: Sequence[str]) -> None:
    """Parse a command line without executing it.

    Args:
        arguments: The arguments after `python -m ops`.

    Raises:
        KeyError: There is no such command.
        UsageError: An option is unknown, missing or malformed; typer's own.
    """
    command, rest = typer.main.get_command(APP), list(arguments)
    while isinstance(command, TyperGroup):
        name, *rest = rest
        command = command.commands[name]
    with command.make_context("ops", rest):
        pass
