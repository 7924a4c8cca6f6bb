"""The rules of the promise, judged over what the world shows of one conversation."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from lambda_src.core.contract import Status

NOT_SENT = {Status.FAILED, Status.RETRY}
BACK_SECONDS = 120.0
"""After a crash, a message that was kept invisible by a heartbeat is seen again within this."""


class Rule(StrEnum):
    """What must hold, always."""

    AT_MOST_ONCE = "1. at most one message, unless a person releases it"
    DELETED_ONLY_IF_SENT = "2. deleted from the queue only if sent"
    RECORD_IS_TRUE = "3. the record says the truth"
    SENT_IN_THE_END = "4. a fault that passes leaves no message unsent"
    AI_NOT_ASKED_AGAIN = "5. the AI is not asked again once its answer was stored"
    SILENT_WITHOUT_LEASE = "6. who lost the lease writes nothing and sends nothing"
    BACK_SOON = "7. a crashed worker's message is back within two minutes"
    OPT_OUT_IS_HEEDED = "8. who opted out is not written to again"


LOSING = frozenset({Rule.DELETED_ONLY_IF_SENT, Rule.SENT_IN_THE_END})
"""Whoever breaks these has lost a message."""
DOUBLING = frozenset({Rule.AT_MOST_ONCE})
"""Whoever breaks this has sent one twice."""
WRONG = frozenset(Rule) - LOSING - DOUBLING
"""Whoever breaks these wrote what is not so, or did what it must not."""


class Place(StrEnum):
    """Where a queue message is."""

    ON_QUEUE = "on the queue"
    IN_FLIGHT = "in flight"
    DEAD = "in the dead-letter queue"
    DELETED = "deleted"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the world shows of one conversation, at one moment.

    Attributes:
        sids: Messages of this conversation that the vendor accepted, oldest first.
        places: Where each of its queue messages is.
        status: `conversation_status` of its record; None if there is none.
        recorded_sid: The sid in its record; empty if there is none.
        is_alarmed: Whether a person was called about this conversation: a line at CRITICAL.
        releases: How often a person released it to be sent (again).
        asked_again: How often the AI was asked although the record held its answer.
        acts_without_lease: What workers did after another worker had taken their conversation:
            writes that were applied and messages that were sent, except the record of a sid.
        claims_after_opt_out: How often it was claimed after a record had said, of any conversation,
            that its recipient opted out.
        is_at_rest: No worker is at it, and what was done to it is over: the record is up to date.
        is_over: Besides, every fault has passed and every delivery was made: nothing will change
            by itself any more.
        is_refused: A fault does not pass by itself: what was asked for cannot be sent.
        back_after: Seconds from a crash until the message is seen again, if its first beat was
            made; None where none crashed, or before that beat.
    """

    sids: tuple[str, ...]
    places: tuple[Place, ...]
    status: str | None
    recorded_sid: str = ""
    is_alarmed: bool = False
    releases: int = 0
    asked_again: int = 0
    acts_without_lease: tuple[str, ...] = ()
    claims_after_opt_out: int = 0
    is_at_rest: bool = True
    is_over: bool = False
    is_refused: bool = False
    back_after: float | None = None


def broken_rules(evidence: Evidence) -> tuple[Rule, ...]:
    """Name each rule that the evidence breaks, in their order."""
    return tuple(rule for rule, is_kept in _verdicts(evidence) if not is_kept)


def _verdicts(evidence: Evidence) -> Iterator[tuple[Rule, bool]]:
    yield Rule.AT_MOST_ONCE, len(evidence.sids) <= 1 + evidence.releases
    yield Rule.DELETED_ONLY_IF_SENT, bool(evidence.sids) or Place.DELETED not in evidence.places
    yield Rule.RECORD_IS_TRUE, _is_true(evidence)
    yield Rule.SENT_IN_THE_END, _is_sent_or_known_not_to_be(evidence)
    yield Rule.AI_NOT_ASKED_AGAIN, not evidence.asked_again
    yield Rule.SILENT_WITHOUT_LEASE, not evidence.acts_without_lease
    yield Rule.BACK_SOON, evidence.back_after is None or evidence.back_after <= BACK_SECONDS
    yield Rule.OPT_OUT_IS_HEEDED, not evidence.claims_after_opt_out


def _is_true(evidence: Evidence) -> bool:
    if evidence.status == Status.SENT:
        return evidence.recorded_sid in evidence.sids
    if evidence.recorded_sid:
        return False
    if evidence.status in NOT_SENT:
        return not evidence.sids
    if evidence.status == Status.SEND_UNKNOWN:
        return evidence.is_alarmed or not evidence.is_at_rest
    # What was sent, and is not recorded, must at the end have called a person.
    return not (evidence.is_over and evidence.sids) or evidence.is_alarmed


def _is_sent_or_known_not_to_be(evidence: Evidence) -> bool:
    if evidence.sids or not evidence.is_over:
        return True
    return evidence.is_refused and evidence.status == Status.FAILED
