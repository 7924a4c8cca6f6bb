"""`erase`: erase a person from all channels, with a receipt without personal data."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated

import typer

from ops.command import Console, DryRun, OperatorError, Reason, Session, Yes, command
from ops.erasure import Erasure, ErasureTarget, Progress, Receipt

Person = Annotated[str, typer.Option("--recipient", help="The person's number (E.164) or address.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "erase")(erase)


def erase(
    session: Session,
    recipient: Person,
    reason: Reason,
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Erase a person from all channels: records, and messages in queues and dead-letter queues.

    No earlier request can store the person again. A send in progress stays until it has ended:
    repeat the command then. The receipt has the ids of what OpenAI and Twilio store. The reason is
    stored in the audit entry: name the request, not the person.

        python -m ops erase --recipient +447700900123 --reason 'request 17' --dry-run --env prod
        python -m ops erase --recipient +447700900123 --reason 'request 17' --env prod
    """
    if not recipient.strip() or not reason.strip():
        raise OperatorError("--recipient and --reason: expected a value, found an empty text")
    console = session.console
    targets = [ErasureTarget.of(deployment) for deployment in session.all_deployments()]
    table_name = session.deployment.settings.conversations_table
    erasure, audit = Erasure(session.aws.dynamodb, table_name, targets), session.audit(reason)
    survey = erasure.survey(recipient, audit)
    if dry_run:
        _show(console, survey, "would be erased", is_complete=survey.is_complete)
        return
    if not yes:
        _print(console, survey, "to be erased")
    console.confirm("Erase this? It cannot be undone.", yes=yes)
    progress = Progress()
    try:
        receipt = erasure.erase(recipient, audit, progress)
    except BaseException:
        partial = progress.receipt(audit)
        _show(console, partial, "erased before the interruption", is_complete=False)
        raise
    _show(console, receipt, "receipt", is_complete=receipt.is_complete)
    if not receipt.is_complete:
        console.steps(_next_steps(receipt))
        console.error("the erasure is not complete: run the same command again in an hour")
        raise typer.Exit(1)


def _show(console: Console, receipt: Receipt, title: str, *, is_complete: bool) -> None:
    console.result({**asdict(receipt), "is_complete": is_complete})
    _print(console, receipt, title)


def _print(console: Console, receipt: Receipt, title: str) -> None:
    console.heading(title)
    console.fields(
        {
            "records": receipt.conversations,
            "messages": _counts(receipt.removed),
            "records that stay": receipt.open,
            "messages in flight": _counts(receipt.in_flight),
            "to delete at OpenAI": receipt.threads,
            "to delete at Twilio": receipt.messages,
            "suppressed on": receipt.suppressed,
            "at": receipt.at,
            "by": receipt.who,
            "reason": receipt.why,
        }
    )


def _counts(messages: Mapping[str, int]) -> list[str]:
    return [f"{number} in {queue}" for queue, number in messages.items() if number]


def _next_steps(receipt: Receipt) -> Iterator[str]:
    for conversation in receipt.open:
        yield f"conversation show '{conversation}': if it is send_unknown, unknown resolve it"
    if any(receipt.in_flight.values()):
        yield "messages in flight may be about anybody: repeat the command when they are visible"
