"""`suppression`: who is not written to on a channel, because they opted out or a person said so."""

import re
from dataclasses import asdict
from typing import Annotated

import typer

from ops.command import DryRun, Why, Yes, command
from ops.desk import Desk
from ops.errors import OperatorError
from ops.suppressions import digest_of

app = typer.Typer(no_args_is_help=True, help="Who is not written to on the channel.")

Person = Annotated[str, typer.Argument(help="The recipient's number (E.164) or address.")]
Only = Annotated[str, typer.Option("--recipient", help="Only whether this one is among them.")]


@command(app, "list")
def show_list(desk: Desk, recipient: Only = "") -> None:
    """Who is suppressed: by a digest, since the table keeps no number of them.

    python -m ops suppression list --env prod
    python -m ops suppression list --recipient +447700900123
    """
    table = desk.suppressions
    one = table.find(recipient) if recipient else None
    found = ([one] if one else []) if recipient else list(table.all())
    desk.screen.result([asdict(each) for each in found])
    desk.screen.rows(
        [{"digest": each.digest, "since": each.since, "reason": each.reason} for each in found],
        nothing="nobody is suppressed",
    )


@command(app, "add")
def add(
    desk: Desk,
    recipient: Person,
    reason: Why,
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Write to somebody no more: their later messages end as failed before the AI is asked.

    python -m ops suppression add +447700900123 --reason 'asked for it by telephone'
    """
    table = desk.suppressions
    if _is_to_go_on(desk, "suppress", recipient, reason, dry_run=dry_run, yes=yes):
        changed = table.add(recipient, desk.signature(reason))
        _tell(desk, recipient, "suppressed" if changed else "was suppressed already")


@command(app, "lift")
def lift(
    desk: Desk,
    recipient: Person,
    reason: Why,
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Let somebody be written to again, once they have agreed to it.

    Twilio keeps an opt-out of its own, which only the person ends. Their dead letters can be
    redriven afterwards (dlq redrive --mended recipient_suppressed).

        python -m ops suppression lift +447700900123 --reason 'opted in again, form 12'
    """
    table = desk.suppressions
    if _is_to_go_on(desk, "let be written to", recipient, reason, dry_run=dry_run, yes=yes):
        changed = table.lift(recipient, desk.signature(reason))
        _tell(desk, recipient, "may be written to" if changed else "was not suppressed")


def _is_to_go_on(
    desk: Desk, what: str, recipient: str, reason: str, *, dry_run: bool, yes: bool
) -> bool:
    if not reason.strip():
        raise OperatorError("--reason is empty: it stands in the audit line")
    form = desk.deployment.parts.addressing.recipient
    if not re.fullmatch(form.pattern, recipient):
        raise OperatorError(f"the recipient: expected {form.words}, found another text")
    if dry_run:
        _tell(desk, recipient, f"would be done: {what}")
        return False
    desk.screen.confirm(f"On {desk.channel}, {what} this recipient?", yes=yes)
    return True


def _tell(desk: Desk, recipient: str, outcome: str) -> None:
    digest = digest_of(desk.channel, recipient)
    desk.screen.result({"digest": digest, "outcome": outcome})
    desk.screen.say(outcome)
