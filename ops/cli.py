"""The command line: all commands under one typer application."""

from importlib import import_module

import typer

from ops.console import CommandGroup

FORMER_OPTIONS = {"mended": "fixed-cause", "letter": "message", "letters": "messages"}
"""Hidden aliases of renamed options, accepted until version 3.0."""
MODULES = {
    name: name
    for name in (
        *("dlq", "conversation", "approvals", "unknown", "secrets", "assistants", "suppression"),
        *("erase", "send", "preview", "status"),
    )
} | {"watch": "status"}
"""The module in `ops.commands` of each command or group of commands."""


def build_app(first_argument: str = "") -> typer.Typer:
    """Return the application.

    Args:
        first_argument: If it is a command's name, only the module of that command is imported,
            since a command should not wait for the imports of others.
    """
    app = typer.Typer(
        cls=CommandGroup,
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,
        context_settings={"token_normalize_func": lambda name: FORMER_OPTIONS.get(name, name)},
        help="Operate a deployed channel: inspect, decide, release, redrive. Commands work on AWS"
        " with the default credentials, on any endpoint in AWS_ENDPOINT_URL, and with --local on"
        " the local cloud. Every change is shown and confirmed first; personal data is masked.",
    )
    app.callback()(lambda: None)  # a single command stays a command of a group
    named = MODULES.get(first_argument)
    for name in [named] if named else dict.fromkeys(MODULES.values()):
        module = import_module(f"{__package__}.commands.{name}")
        if hasattr(module, "register"):
            module.register(app)
        else:
            app.add_typer(module.app, name=name)
    return app
