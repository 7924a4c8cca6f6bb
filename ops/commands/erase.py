"""`erase`: erase a person from all channels, with a receipt without personal data."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from ops.command import (
    Console,
    DryRun,
    NextStep,
    Reason,
    Session,
    Yes,
    command,
    require_reason,
)
from ops.erasure import Erasure, Progress, Receipt


class Similar(StrEnum):
    """What the operator decided about the similar entries of a receipt."""

    ERASE = "erase"
    KEEP = "keep"


Person = Annotated[str, typer.Option("--recipient", help="The person's number (E.164) or address.")]
OfSimilar = Annotated[
    Similar | None,
    typer.Option("--similar", help="Erase the receipt's similar entries too, or keep them."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "erase")(erase)


def erase(  # noqa: PLR0917 - options, passed by name
    session: Session,
    recipient: Person,
    reason: Reason,
    similar: OfSimilar = None,
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Erase a person: records, messages in all queues, and what the vendors store of them.

    All spellings of the address are found; reads the whole table. No earlier request can store the
    person again. A send in progress stays until it has ended: repeat the command then. If a
    receipt lists similar entries, look at them (conversation show) and decide with --similar. The
    reason is stored in the audit entry: name the request, not the person.

        python -m ops erase --recipient +447700900123 --reason 'request 17' --dry-run --env prod
        python -m ops erase --recipient +447700900123 --reason 'request 17' --env prod
    """
    require_reason(reason)
    console, audit = session.console, session.audit(reason)
    is_kept = similar is Similar.KEEP
    erasure = Erasure(
        session.aws.dynamodb,
        session.all_deployments(),
        recipient,
        audit,
        includes_similar=similar is Similar.ERASE,
    )
    survey = erasure.survey().receipt(audit, is_similar_kept=is_kept)
    if dry_run:
        _show(console, survey, "would be erased", is_complete=survey.is_complete)
        console.steps(_next_steps(session, survey))
        return
    if not yes:
        _print(console, survey, "to be erased")
    console.confirm("Erase this? It cannot be undone.", yes=yes)
    progress = Progress()
    try:
        erasure.erase(progress)
    except BaseException:
        partial = progress.receipt(audit)
        _show(console, partial, "erased before the interruption", is_complete=False)
        raise
    receipt = progress.receipt(audit, is_similar_kept=is_kept)
    _show(console, receipt, "receipt", is_complete=receipt.is_complete)
    if not receipt.is_complete:
        console.steps(_next_steps(session, receipt))
        console.error(_incomplete(receipt))
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
            "at vendors": [f"{each.kind} {each.id}: {each.outcome}" for each in receipt.vendors],
            "records that stay": receipt.open,
            "messages in flight": _counts(receipt.in_flight),
            "similar": receipt.similar,
            "suppressed on": receipt.suppressed,
            "erased before": receipt.earlier,
            "at": receipt.at,
            "by": receipt.who,
            "reason": receipt.why,
        }
    )


def _counts(messages: Mapping[str, int]) -> list[str]:
    return [f"{number} in {queue}" for queue, number in messages.items() if number]


def _next_steps(session: Session, receipt: Receipt) -> Iterator[str | NextStep]:
    if not receipt.is_found:
        yield "nothing was found: compare the number with the request, digit by digit"
    for conversation in receipt.open:
        show = session.command_line("conversation", "show", conversation)
        yield NextStep("this record stays until its send, worker or vendor is ready", show)
    if any(receipt.in_flight.values()):
        yield "messages in flight may be about them: repeat the command when they are visible"
    if any(not each.is_temporary for each in receipt.remaining):
        yield "what could not be deleted at a vendor is known by this receipt only: delete it there"
    if receipt.similar and not receipt.is_similar_kept:
        yield "compare the similar entries with the request: --similar erase, or --similar keep"


def _incomplete(receipt: Receipt) -> str:
    if not receipt.is_found:
        return "nothing of this recipient is stored here: the erasure is not complete"
    return "the erasure is not complete: run the same command again in an hour"
