"""`suppression`: list, add and lift suppressions of recipients on a channel."""

from dataclasses import asdict
from typing import Annotated

import typer

from ops.command import DryRun, Reason, Session, Yes, command, require_reason
from ops.suppressions import recipient_digest

app = typer.Typer(
    no_args_is_help=True, help="Suppressions: recipients who must not be messaged on the channel."
)

Person = Annotated[str, typer.Argument(help="The recipient's number (E.164) or address.")]
OnlyRecipient = Annotated[str, typer.Option("--recipient", help="Only this recipient.")]


@command(app, "list")
def show_list(session: Session, recipient: OnlyRecipient = "") -> None:
    """List suppressions, by digest: the table does not store the numbers.

    python -m ops suppression list --env prod
    python -m ops suppression list --recipient +447700900123
    """
    if recipient:
        one = session.suppressions.find(session.recipient(recipient))
        found = [one] if one else []
    else:
        found = list(session.suppressions.all())
    session.console.result([asdict(each) for each in found])
    session.console.rows(
        [{"digest": each.digest, "since": each.since, "reason": each.reason} for each in found],
        empty="no suppressions",
    )


@command(app, "add")
def add(
    session: Session,
    recipient: Person,
    reason: Reason,
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Suppress a recipient: later messages to them fail without a request to the AI.

    python -m ops suppression add +447700900123 --reason 'asked for it by telephone'
    """
    recipient = session.recipient(recipient)
    if _confirmed(session, "suppress", recipient, reason, dry_run=dry_run, yes=yes):
        changed = session.suppressions.add(recipient, session.audit(reason))
        _show(session, recipient, "suppressed" if changed else "was already suppressed")


@command(app, "lift")
def lift(
    session: Session,
    recipient: Person,
    reason: Reason,
    dry_run: DryRun = False,  # noqa: FBT002 - an option
    yes: Yes = False,  # noqa: FBT002 - an option
) -> None:
    """Lift a suppression, after the recipient has agreed.

    Twilio keeps its own opt-out, which only the recipient can end. Their dead-letter messages can
    be redriven afterwards (dlq redrive --fixed-cause recipient_suppressed).

        python -m ops suppression lift +447700900123 --reason 'opted in again, form 12'
    """
    recipient = session.recipient(recipient)
    if _confirmed(session, "lift the suppression of", recipient, reason, dry_run=dry_run, yes=yes):
        changed = session.suppressions.lift(recipient, session.audit(reason))
        _show(session, recipient, "suppression lifted" if changed else "was not suppressed")


def _confirmed(
    session: Session, what: str, recipient: str, reason: str, *, dry_run: bool, yes: bool
) -> bool:
    require_reason(reason)
    if dry_run:
        _show(session, recipient, f"would {what} this recipient")
        return False
    session.console.confirm(f"On {session.channel}, {what} this recipient?", yes=yes)
    return True


def _show(session: Session, recipient: str, outcome: str) -> None:
    digest = recipient_digest(session.channel, recipient)
    session.console.result({"digest": digest, "outcome": outcome})
    session.console.say(outcome)
