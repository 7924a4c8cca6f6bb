"""One change to one record: shown, asked for, signed, and made only if the record is as shown."""

from typing import TYPE_CHECKING

from lambda_src.core.ledger import ConditionFailed
from ops import register_writes as writes
from ops.errors import OperatorError

if TYPE_CHECKING:
    from lambda_src.services.dynamodb_update import Update
    from ops.desk import Desk


def make(
    desk: "Desk", update: "Update", what: str, *, reason: str, dry_run: bool, yes: bool
) -> bool:
    """Make a change, unless it is a dry run; whether it was made.

    Args:
        desk: Where.
        update: The change, conditional on what was shown.
        what: The change in words, for the question and the audit line.
        reason: Why, for the audit line.
        dry_run: Whether to stop short of it.
        yes: Whether the question is answered already.

    Raises:
        Declined: The person said no.
        OperatorError: The record is not as it was shown any more.
    """
    conversation = update.key.conversation_id
    if dry_run:
        desk.screen.say(f"would be done: {what}")
        return False
    desk.screen.confirm(f"{conversation}: {what}?", yes=yes)
    try:
        desk.register.apply(writes.signed(update, desk.signature(reason).line(what)))
    except ConditionFailed:
        raise OperatorError(
            f"{conversation} is not as it was shown any more, and nothing was changed: look again"
        ) from None
    desk.screen.say(f"done: {what}", "green")
    return True
