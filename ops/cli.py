"""The operator's command line."""

import typer

from ops.commands import (
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

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="See, decide, release, redrive: for the person on duty. Every command works on AWS with"
    " the usual credentials, on any endpoint of AWS_ENDPOINT_URL, and with --local on the local"
    " cloud. Nothing is changed without being shown and asked for; personal data is masked.",
)
app.add_typer(dlq.app, name="dlq")
app.add_typer(conversation.app, name="conversation")
app.add_typer(unknown.app, name="unknown")
app.add_typer(secrets.app, name="secrets")
app.add_typer(assistants.app, name="assistants")
app.add_typer(suppression.app, name="suppression")
erase.register(app)
send.register(app)
status.register(app)
