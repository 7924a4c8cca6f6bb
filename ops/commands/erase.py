"""`erase`: everything kept about a person, found and removed, with a receipt that names nobody."""

from dataclasses import asdict
from typing import Annotated

import typer

from ops.command import DryRun, Why, Yes, command
from ops.desk import Desk
from ops.erasure import Erasure
from ops.erasure_receipt import Receipt
from ops.errors import OperatorError
from ops.places import places
from ops.screen import Screen

Person = Annotated[str, typer.Option("--recipient", help="The person's number (E.164) or address.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "erase")(erase)


def erase(
    desk: Desk,
    recipient: Person,
    reason: Why,
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Erase a person from all channels: records, and messages still queued or dead.

    Afterwards nothing that was asked for before brings them back. What is being sent at this moment
    stays until it has settled: then run the command again. What OpenAI and Twilio keep is named in
    the receipt by its ids. The reason stands in the audit line: name the request, not the person.

        python -m ops erase --recipient +447700900123 --reason 'request 17' --dry-run --env prod
        python -m ops erase --recipient +447700900123 --reason 'request 17' --env prod
    """
    if not recipient.strip() or not reason.strip():
        raise OperatorError("--recipient and --reason: expected a value, found an empty text")
    found = places(desk.aws, desk.environment, desk.surroundings)
    table = desk.deployment.settings.conversations_table
    erasure, signature = Erasure(desk.aws.dynamodb, table, found), desk.signature(reason)
    survey = erasure.survey(recipient, signature)
    if dry_run:
        _show(desk.screen, survey, "what would be erased")
        return
    if not yes:
        desk.screen.heading("what is to be erased")
        desk.screen.fields(asdict(survey))
    desk.screen.confirm("Erase this? It cannot be undone.", yes=yes)
    receipt = erasure.erase(recipient, signature)
    _show(desk.screen, receipt, "receipt")
    if not receipt.is_complete:
        desk.screen.error("not everything could be erased yet: run the same command in an hour")
        raise typer.Exit(1)


def _show(screen: Screen, receipt: Receipt, title: str) -> None:
    screen.result({**asdict(receipt), "is_complete": receipt.is_complete})
    screen.heading(title)
    screen.fields(asdict(receipt))
