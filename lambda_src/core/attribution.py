"""Whose a message is that the vendor lists: it tells text and recipient, and no conversation."""

from collections.abc import Sequence

from lambda_src.core.contract import Status
from lambda_src.core.ledger import Entry
from lambda_src.core.message import Answer

UNSETTLED = (Status.SENDING, Status.SEND_UNKNOWN)


def own_sid(sids: Sequence[str], entry: Entry, others: Sequence[Entry]) -> str | None:
    """Which of the listed messages is this conversation's, if that can be told.

    A message of the same text may be that of another conversation which is unsettled itself. Where
    there is one for each of them, each takes its own, in the order in which they were announced.

    Args:
        sids: Messages that read as this conversation's, the oldest first.
        entry: The conversation.
        others: The recipient's other conversations that have a sid, or may yet get one. Those on
            another channel have their messages in another list.
    """
    others = [other for other in others if entry.may_be_on(other.channel)]
    unsettled = [other for other in others if other.status in UNSETTLED and not other.sid]
    if entry.answer is None or any(_may_read_alike(other, entry.answer) for other in unsettled):
        return None
    taken = {other.sid for other in others}
    free = [sid for sid in sids if sid not in taken]
    rivals = [other for other in unsettled if _is_same(other, entry.answer)]
    if len(free) <= len(rivals):
        return None
    return free[sum(_announced_at(rival) < _announced_at(entry) for rival in rivals)]


def _is_same(other: Entry, answer: Answer) -> bool:
    return other.answer is not None and other.answer.content == answer.content


def _may_read_alike(other: Entry, answer: Answer) -> bool:
    """Whether an unsettled message of another text may be taken for this one in the vendor's list.

    A template's message is told by its values alone, and the other's may hold each of them: until
    the other is settled, nobody can tell whose a listed message is.
    """
    if other.answer is None or _is_same(other, answer):
        return False
    theirs = other.answer.variables.values()
    values = answer.variables.values()
    return bool(values) and all(any(value in text for text in theirs) for value in values)


def _announced_at(entry: Entry) -> float:
    return entry.intent.at if entry.intent else 0.0
