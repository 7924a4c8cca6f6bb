"""`erase`: everything kept about a person, found and removed, with a receipt that names nobody."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated

import typer

from ops.command import DryRun, Why, Yes, command
from ops.desk import Desk
from ops.erasure import Erasure
from ops.erasure_receipt import Progress, Receipt
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
        _show(desk.screen, survey, "what would be erased", is_complete=survey.is_complete)
        return
    if not yes:
        _tell(desk.screen, survey, "what is to be erased")
    desk.screen.confirm("Erase this? It cannot be undone.", yes=yes)
    done = Progress()
    try:
        receipt = erasure.erase(recipient, signature, done)
    except BaseException:
        so_far = done.receipt(signature)
        _show(desk.screen, so_far, "what was erased before it was called off", is_complete=False)
        raise
    _show(desk.screen, receipt, "receipt", is_complete=receipt.is_complete)
    if not receipt.is_complete:
        desk.screen.steps(_left_to_do(receipt))
        desk.screen.error("not everything could be erased yet: run the same command in an hour")
        raise typer.Exit(1)


def _show(screen: Screen, receipt: Receipt, title: str, *, is_complete: bool) -> None:
    screen.result({**asdict(receipt), "is_complete": is_complete})
    _tell(screen, receipt, title)


def _tell(screen: Screen, receipt: Receipt, title: str) -> None:
    screen.heading(title)
    screen.fields(
        {
            "records": receipt.conversations,
            "messages": _counted(receipt.removed),
            "records that stay": receipt.open,
            "in somebody's hands": _counted(receipt.in_flight),
            "to erase at OpenAI": receipt.threads,
            "to erase at Twilio": receipt.messages,
            "suppressed on": receipt.suppressed,
            "at": receipt.at,
            "by": receipt.who,
            "reason": receipt.why,
        }
    )


def _counted(messages: Mapping[str, int]) -> list[str]:
    return [f"{number} in {queue}" for queue, number in messages.items() if number]


def _left_to_do(receipt: Receipt) -> Iterator[str]:
    for conversation in receipt.open:
        yield f"conversation show '{conversation}': if it is send_unknown, unknown resolve it"
    if any(receipt.in_flight.values()):
        yield "messages in somebody's hands may be of anybody: look again when they are back"
