"""What may be done with a dead letter: nothing that may have been sent is ever sent again."""

from collections.abc import Collection
from enum import StrEnum

from lambda_src.core.context import ContextObject
from lambda_src.core.contract import Status
from lambda_src.core.ledger import Entry
from ops.letter_case import Case


class Verdict(StrEnum):
    """What a redrive does with a letter, or why it leaves it where it is."""

    REDRIVE = "redrive"
    RELEASE = "release and redrive"
    DONE = "remove: its message was sent"
    FAILED = "stays: failed, and nothing says that the cause was mended"
    REFUSED = "stays: its body is refused"
    UNKNOWN = "stays: nobody knows whether it was sent"
    FOREIGN = "stays: its record is not one of the ledger's"
    ERASED = "stays: its recipient was erased since"

    @property
    def acts(self) -> bool:
        """Whether anything is done."""
        return self in {Verdict.REDRIVE, Verdict.RELEASE, Verdict.DONE}

    @property
    def advice(self) -> str:
        """What a person does about such a letter."""
        return _ADVICE[self]


_ADVICE = {
    Verdict.REDRIVE: "once the cause has passed: dlq redrive",
    Verdict.RELEASE: "dlq redrive",
    Verdict.DONE: "dlq redrive, which only removes it",
    Verdict.FAILED: "mend the cause, then dlq redrive --mended CAUSE; or dlq drop",
    Verdict.REFUSED: "tell the router's owners what is wrong with it, then dlq drop",
    Verdict.UNKNOWN: "unknown resolve CONVERSATION",
    Verdict.FOREIGN: "conversation show CONVERSATION: who wrote that record?",
    Verdict.ERASED: "dlq drop",
}


def of_redrive(case: Case, mended: Collection[str]) -> Verdict:
    """Tell what a redrive does with a letter.

    Args:
        case: The letter, with its record as it is now.
        mended: Codes of failures whose cause is gone: conversations that failed of them, and of
            nothing else, are released.
    """
    if case.record and not case.entry:
        return Verdict.FOREIGN
    status = case.entry.status if case.entry else None
    if status is Status.SENT:
        return Verdict.DONE
    if status is Status.SEND_UNKNOWN:
        return Verdict.UNKNOWN
    if not isinstance(case.content, ContextObject):
        return Verdict.REFUSED
    if status is Status.FAILED:
        return Verdict.RELEASE if case.cause in mended else Verdict.FAILED
    return Verdict.REDRIVE


class Drop(StrEnum):
    """How a letter is given up, or why it must not be."""

    CLOSE = "close the conversation as failed"
    NOTE = "note it in the record"
    UNREADABLE = "note it under the letter's own id"
    BUSY = "stays: a worker is at it"
    OPEN = "stays: nobody knows whether it was sent"

    @property
    def acts(self) -> bool:
        """Whether the letter goes."""
        return self in {Drop.CLOSE, Drop.NOTE, Drop.UNREADABLE}


def of_drop(case: Case, now: float) -> Drop:
    """Tell how a letter may be dropped: its record must say why its message never comes.

    Args:
        case: The letter, with its record as it is now.
        now: Epoch seconds.
    """
    if case.key is None:
        return Drop.UNREADABLE
    if case.record and not case.entry:
        return Drop.NOTE
    return _of_entry(case.entry, now) if case.entry else Drop.CLOSE


def _of_entry(entry: Entry, now: float) -> Drop:
    match entry.status:
        case Status.SENDING | Status.SEND_UNKNOWN:
            return Drop.OPEN
        case Status.PROCESSING if entry.lease_expires_at > now:
            return Drop.BUSY
        case Status.PROCESSING | Status.RETRY:
            return Drop.CLOSE
        case Status.SENT | Status.FAILED:
            return Drop.NOTE
