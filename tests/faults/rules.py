"""The oracle: what must always hold, and the evidence on which every driver is judged."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from lambda_src.core.contract import DeliveryStatus, LogEvent, Status

REDELIVERY_SECONDS = 120.0
"""A crashed worker's message, once kept invisible by a heartbeat, is visible again within this."""
OPEN_SEND_ALARMS = frozenset({LogEvent.SEND_OUTCOME_UNKNOWN, LogEvent.FINAL_DB_UPDATE_FAILED})
"""Log events that call an operator about a message which may have been sent."""


class Rule(StrEnum):
    """What must always hold."""

    AT_MOST_ONCE = "1. at most one message, unless an operator releases it"
    DELETED_ONLY_IF_SENT = "2. deleted from the queue only if sent"
    RECORD_IS_TRUE = "3. the record is correct"
    SENT_IN_THE_END = "4. a temporary fault leaves no message unsent"
    AI_NOT_ASKED_AGAIN = "5. the AI is not asked again once its answer was stored"
    SILENT_WITHOUT_LEASE = "6. a worker without the lease writes nothing and sends nothing"
    BACK_SOON = "7. a crashed worker's message is visible again within two minutes"
    OPT_OUT_IS_HEEDED = "8. a recipient who opted out gets no further message"
    STATUS_ADVANCES = "9. the delivery status never regresses"
    FORGERY_HAS_NO_EFFECT = "10. a forged or foreign callback changes nothing"
    FOUND_WITHIN_A_DAY = "11. what a lost callback would have reported is found within a day"
    CALLBACK_PROVES = "12. a callback about an open send records it as sent"
    CALLBACK_SENDS_NOTHING = "13. a message that a callback reported is not sent again"


LOSING = frozenset({Rule.DELETED_ONLY_IF_SENT, Rule.SENT_IN_THE_END})
DUPLICATING = frozenset({Rule.AT_MOST_ONCE, Rule.CALLBACK_SENDS_NOTHING})
WRONG = frozenset(Rule) - LOSING - DUPLICATING


RANKS = {
    status: rank
    for rank, statuses in enumerate((
        ("",),
        (DeliveryStatus.QUEUED,),
        (DeliveryStatus.SENT,),
        (DeliveryStatus.DELIVERED,),
        (DeliveryStatus.READ,),
        (DeliveryStatus.UNDELIVERED, DeliveryStatus.FAILED),
    ))
    for status in statuses
}  # fmt: skip
"""The order of delivery statuses; none is the first. The first failure stays."""


class Location(StrEnum):
    ON_QUEUE = "on the queue"
    IN_FLIGHT = "in flight"
    DEAD = "in the dead-letter queue"
    DELETED = "deleted"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What can be observed of one conversation at one moment."""

    sids: tuple[str, ...]  # its messages that the vendor accepted, oldest first
    locations: tuple[Location, ...]  # where each of its queue messages is
    status: str | None  # `conversation_status` of its record; None if there is no record
    recorded_sid: str = ""  # the sid in its record
    failure_code: str = ""  # why the record says that it failed
    alarms: frozenset[str] = frozenset()  # events of the lines at CRITICAL about it
    releases: int = 0  # how often an operator released it to be sent (again)
    asked_again: int = 0  # how often the AI was asked although the record held its answer
    # Applied writes and sent messages of workers that had lost the lease; a sid may be recorded.
    acts_without_lease: tuple[str, ...] = ()
    # How often it was acquired although a record said that the recipient had opted out.
    acquired_after_opt_out: int = 0
    is_at_rest: bool = True  # whether no worker is at it
    is_final: bool = False  # whether, besides, every fault has passed and every delivery was made
    is_refused: bool = False  # whether it cannot be sent, however often it is tried
    # Seconds until a message is visible again whose worker crashed after a first heartbeat.
    redelivered_after: float | None = None
    delivery_statuses: tuple[str, ...] = ()  # that its record had, in their order
    reported: frozenset[str] = frozenset()  # that its messages have had at the vendor
    changed_by_forgery: int = 0  # applied writes of forged and foreign callbacks
    # The vendor's last status, once a day has passed in which callbacks may have been lost.
    due_status: str | None = None
    is_proven: bool = False  # whether a callback about it was accepted
    sent_after_callback: int = 0  # requests to send it, after a callback about it was accepted

    @property
    def delivery_status(self) -> str:
        """The delivery status of its record; empty if it has none."""
        return self.delivery_statuses[-1] if self.delivery_statuses else ""

    @property
    def is_alarmed(self) -> bool:
        """Whether an operator was called: about an unknown send, by that very event."""
        if self.status == Status.SEND_UNKNOWN:
            return LogEvent.SEND_OUTCOME_UNKNOWN in self.alarms
        return bool(self.alarms & OPEN_SEND_ALARMS)


@dataclass
class History:
    """What workers did to one conversation, in order: the evidence that depends on the order."""

    holders: set[str] = field(default_factory=set)  # who has, or must have, held the lease
    asked_again: int = 0
    acts_without_lease: list[str] = field(default_factory=list)
    _holder: str = ""
    _may_ask: set[str] = field(default_factory=set)

    def acquired(self, worker: str, *, has_answer: bool) -> None:
        """Note that a worker acquired the lease, and whether the record held an answer then."""
        self._holder = worker
        self.holders.add(worker)
        if not has_answer:
            self._may_ask.add(worker)

    def asked(self, worker: str, *, has_answer: bool) -> None:
        """Note that a worker asked the AI; it may if it acquired the lease before the answer."""
        self.asked_again += has_answer and worker not in self._may_ask

    def stored(self, worker: str) -> None:
        """Note that a worker stored the AI's answer."""
        self._may_ask.discard(worker)

    def has_lost(self, worker: str) -> bool:
        """Return whether another worker has taken the conversation over."""
        return worker in self.holders and worker != self._holder

    def acted(self, worker: str, action: str) -> None:
        """Note that a worker wrote or sent something that needs the lease."""
        if self.has_lost(worker):
            self.acts_without_lease.append(action)


def broken_rules(evidence: Evidence) -> tuple[Rule, ...]:
    """Return each rule that the evidence breaks, in their order."""
    return tuple(rule for rule, is_kept in _judge(evidence) if not is_kept)


def is_unresolved(evidence: Evidence) -> bool:
    """Return whether a conversation that changes no more is neither sent, nor alarmed, nor dead.

    A dead-letter message counts only if the record says why it failed.
    """
    is_dead = set(evidence.locations) <= {Location.DEAD, Location.DELETED}
    is_explained = is_dead and bool(evidence.failure_code)
    return not (evidence.status == Status.SENT or evidence.is_alarmed or is_explained)


def _judge(evidence: Evidence) -> Iterator[tuple[Rule, bool]]:
    after = evidence.redelivered_after
    yield Rule.AT_MOST_ONCE, len(evidence.sids) <= 1 + evidence.releases
    is_deleted = Location.DELETED in evidence.locations
    yield Rule.DELETED_ONLY_IF_SENT, bool(evidence.sids) or not is_deleted
    yield Rule.RECORD_IS_TRUE, _is_true(evidence)
    yield Rule.SENT_IN_THE_END, _is_sent_or_refused(evidence)
    yield Rule.AI_NOT_ASKED_AGAIN, not evidence.asked_again
    yield Rule.SILENT_WITHOUT_LEASE, not evidence.acts_without_lease
    yield Rule.BACK_SOON, after is None or after <= REDELIVERY_SECONDS
    yield Rule.OPT_OUT_IS_HEEDED, not evidence.acquired_after_opt_out
    ranks = [RANKS[status] for status in evidence.delivery_statuses]
    yield Rule.STATUS_ADVANCES, all(b > a for a, b in pairwise(ranks))
    yield (
        Rule.FORGERY_HAS_NO_EFFECT,
        not evidence.changed_by_forgery
        and (set(evidence.delivery_statuses) <= {"", DeliveryStatus.QUEUED} | evidence.reported),
    )
    # After `delivered`, the vendor is not asked whether the message was read.
    is_found = evidence.due_status in {None, evidence.delivery_status}
    is_delivered = evidence.delivery_status == DeliveryStatus.DELIVERED
    is_read = evidence.due_status == DeliveryStatus.READ
    yield Rule.FOUND_WITHIN_A_DAY, is_found or (is_delivered and is_read)
    yield Rule.CALLBACK_PROVES, not evidence.is_proven or evidence.status == Status.SENT
    yield Rule.CALLBACK_SENDS_NOTHING, not evidence.sent_after_callback


def _is_true(evidence: Evidence) -> bool:
    if evidence.status == Status.SENT:
        return evidence.recorded_sid in evidence.sids
    if evidence.recorded_sid:
        return False
    if evidence.status in {Status.FAILED, Status.RETRY}:
        return not evidence.sids
    if evidence.status == Status.SEND_UNKNOWN:
        return evidence.is_alarmed or not evidence.is_at_rest
    # A message that was sent and is not recorded must in the end have called an operator.
    return not (evidence.is_final and evidence.sids) or evidence.is_alarmed


def _is_sent_or_refused(evidence: Evidence) -> bool:
    if evidence.sids or not evidence.is_final:
        return True
    return evidence.is_refused and evidence.status == Status.FAILED


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A case that broke a rule, ended unresolved, or was not tested at all."""

    subject: str  # a cell, a seed, a conversation, an alarm or a message body
    rules: tuple[Rule, ...] = ()
    what: str  # the evidence, without personal data
    is_unresolved: bool = False  # whether it ended without a record of its outcome and an alarm
    replay: str = ""  # what repeats exactly this case

    def __str__(self) -> str:
        replay = f"\n  {self.replay}" if self.replay else ""
        return f"{self.subject}: {', '.join(self.rules)} {self.what}{replay}"


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a part of the proof found."""

    violations: tuple[Violation, ...] = ()

    @property
    def size(self) -> str:
        """How much of it was run."""
        raise NotImplementedError

    @property
    def operator_needed(self) -> int | None:
        """How often an operator had to decide; None where that is not counted."""
        return None

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """How many cases were lost, duplicated, wrong and unresolved; one may be several."""
        lost, duplicated, wrong = (
            sum(not rules.isdisjoint(violation.rules) for violation in self.violations)
            for rules in (LOSING, DUPLICATING, WRONG)
        )
        return lost, duplicated, wrong, sum(v.is_unresolved for v in self.violations)
