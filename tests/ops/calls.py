"""Calls of the tool as documents spell them."""

from collections.abc import Sequence

import typer.main
from typer.core import TyperGroup

from ops.cli import app


def check_call(arguments: Sequence[str]) -> None:
    """Check a call without making it.

    Args:
        arguments: What stands behind `python -m ops`.

    Raises:
        KeyError: There is no such command.
        UsageError: There is no such option, or one is missing or wrong; typer's own.
    """
    command, rest = typer.main.get_command(app), list(arguments)
    while isinstance(command, TyperGroup):
        name, *rest = rest
        command = command.commands[name]
    with command.make_context("ops", rest):
        pass
