"""The command line: all commands under one typer application."""

import typer

from ops.commands import (
    approvals,
    assistants,
    conversation,
    dlq,
    erase,
    secrets,
    send,
    status,
    suppression,
    unknown,
)
from ops.console import CommandGroup

FORMER_OPTIONS = {"mended": "fixed-cause", "letter": "message", "letters": "messages"}
"""Hidden aliases of renamed options, accepted until version 3.0."""

app = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"token_normalize_func": lambda name: FORMER_OPTIONS.get(name, name)},
    help="Operate a deployed channel: inspect, decide, release, redrive. Commands work on AWS with"
    " the default credentials, on any endpoint in AWS_ENDPOINT_URL, and with --local on the local"
    " cloud. Every change is shown and confirmed first; personal data is masked.",
)
app.add_typer(dlq.app, name="dlq")
app.add_typer(conversation.app, name="conversation")
app.add_typer(approvals.app, name="approvals")
app.add_typer(unknown.app, name="unknown")
app.add_typer(secrets.app, name="secrets")
app.add_typer(assistants.app, name="assistants")
app.add_typer(suppression.app, name="suppression")
erase.register(app)
send.register(app)
status.register(app)
