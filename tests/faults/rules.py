"""The oracle: what must always hold, and the evidence on which every driver is judged."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from lambda_src.core.contract import (
    REJECTED_BY_OPERATOR,
    DeliveryStatus,
    HoldReason,
    LogEvent,
    Status,
)
from lambda_src.core.ledger import HeldDraft
from lambda_src.core.models import OutgoingMessage

REDELIVERY_SECONDS = 120.0
"""A crashed worker's message, once kept invisible by a heartbeat, is visible again within this."""
MAX_AI_ANSWERS = 2
"""Answered requests for one draft, in all deliveries together."""
OPEN_SEND_ALARMS = frozenset({LogEvent.SEND_OUTCOME_UNKNOWN, LogEvent.FINAL_DB_UPDATE_FAILED})
"""Log events that call an operator about a message which may have been sent."""


class Rule(StrEnum):
    """What must always hold."""

    AT_MOST_ONCE = "1. at most one message, unless an operator releases it"
    DELETED_ONLY_IF_SENT = "2. deleted from the queue only if sent, or its draft was handed off"
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
    ONLY_APPROVED = "14. only a text that passed its checks, or was approved, is sent"
    SENT_AS_APPROVED = "15. an approved text is sent as it was approved"
    REJECTION_IS_FINAL = "16. nothing is sent after a rejection"
    CAN_BE_DECIDED = "17. a held draft can always be decided, and only as it was shown"
    TWO_REQUESTS = "18. a draft costs at most two answered AI requests"
    APPROVAL_SUFFICES = "19. an approved draft is sent without a second command"


LOSING = frozenset({
    Rule.DELETED_ONLY_IF_SENT, Rule.SENT_IN_THE_END, Rule.CAN_BE_DECIDED, Rule.APPROVAL_SUFFICES,
})  # fmt: skip
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


@dataclass
class History:
    """What happened to one conversation so far: the evidence that depends on the order."""

    holders: set[str] = field(default_factory=set)  # who has, or must have, held the lease
    asked_again: int = 0  # how often the AI was asked although the record held its answer
    # Applied writes and sent messages of workers that had lost the lease; a sid may be recorded.
    acts_without_lease: list[str] = field(default_factory=list)
    # How often it was acquired although a record said that the recipient had opted out.
    acquired_after_opt_out: int = 0
    delivery_statuses: list[str] = field(default_factory=list)  # of its record, in their order
    changed_by_forgery: int = 0  # applied writes of forged and foreign callbacks
    is_proven: bool = False  # whether a callback about it was accepted
    sent_after_callback: int = 0  # requests to send it, after a callback about it was accepted
    hand_offs: int = 0  # copies of it that were put on the hand-off queue
    # The texts and the template that an operator approved.
    approved: tuple[Mapping[str, str], str] | None = field(default=None, repr=False)
    is_rejected: bool = False
    sent_unapproved: int = 0  # requests to send a text that was neither good enough nor approved
    # Requests to send another text or template than the approved one, and holds of an approved
    # draft whose template was unchanged.
    not_as_approved: int = 0
    sent_after_rejection: int = 0
    # Times at which a held draft could not be listed or decided; decisions about another draft
    # than the one that was shown.
    undecidable: int = 0
    decided_unseen: int = 0
    ai_answers: int = 0  # answers of the AI that were stored, or followed by another request
    _holder: str = ""
    _may_ask: set[str] = field(default_factory=set)
    _unstored: Counter[str] = field(default_factory=Counter)  # answers by worker

    def acquired(self, worker: str, *, has_answer: bool) -> None:
        """Note that a worker acquired the lease, and whether the record held an answer then."""
        self._holder = worker
        self.holders.add(worker)
        if not has_answer:
            self._may_ask.add(worker)

    def asked(self, worker: str, *, has_answer: bool) -> None:
        """Note that a worker asked the AI; it may if it acquired the lease before the answer."""
        self.asked_again += has_answer and worker not in self._may_ask

    def answered(self, worker: str) -> None:
        """Note that the AI answered a worker."""
        self._unstored[worker] += 1

    def stored(self, worker: str) -> None:
        """Note that a worker stored the AI's answer."""
        self._may_ask.discard(worker)
        self.count_answers(worker)

    def count_answers(self, worker: str) -> None:
        """Count a worker's answers when it stores one, or its problem, or asks again.

        An answer whose worker ended before it could be stored is not counted.
        """
        self.ai_answers += self._unstored.pop(worker, 0)

    def held(self, draft: HeldDraft) -> None:
        """Note that a draft was held."""
        is_changed = draft.reason is HoldReason.TEMPLATE_CHANGED
        self.not_as_approved += self.approved is not None and not is_changed

    def sends(self, message: OutgoingMessage, *, needs_approval: bool) -> None:
        """Note a request to send, and whether its text must not be sent without an approval."""
        self.sent_after_rejection += self.is_rejected
        if self.approved is None:
            self.sent_unapproved += needs_approval
        else:
            self.not_as_approved += self.approved != (message.variables, message.template_id)

    def has_lost(self, worker: str) -> bool:
        """Return whether another worker has taken the conversation over."""
        return worker in self.holders and worker != self._holder

    def acted(self, worker: str, action: str) -> None:
        """Note that a worker wrote or sent something that needs the lease."""
        if self.has_lost(worker):
            self.acts_without_lease.append(action)


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What can be observed of one conversation at one moment."""

    sids: tuple[str, ...]  # its messages that the vendor accepted, oldest first
    locations: tuple[Location, ...]  # where each of its queue messages is
    status: str | None  # `conversation_status` of its record; None if there is no record
    history: History = field(default_factory=History)
    recorded_sid: str = ""  # the sid in its record
    failure_code: str = ""  # why the record says that it failed
    alarms: frozenset[str] = frozenset()  # events of the lines at CRITICAL about it
    releases: int = 0  # how often an operator released it to be sent (again)
    is_at_rest: bool = True  # whether no worker is at it
    is_final: bool = False  # whether, besides, every fault has passed and every delivery was made
    is_refused: bool = False  # whether it cannot be sent, however often it is tried
    # Seconds until a message is visible again whose worker crashed after a first heartbeat.
    redelivered_after: float | None = None
    reported: frozenset[str] = frozenset()  # statuses that its messages have had at the vendor
    # The vendor's last status, once a day has passed in which callbacks may have been lost.
    due_status: str | None = None
    is_approved: bool = False  # whether an operator approved its draft
    is_in_thread: bool = True  # whether its sent text is in the thread of its record

    @property
    def is_alarmed(self) -> bool:
        """Whether an operator was called: about an unknown send, by that very event."""
        if self.status == Status.SEND_UNKNOWN:
            return LogEvent.SEND_OUTCOME_UNKNOWN in self.alarms
        return bool(self.alarms & OPEN_SEND_ALARMS)


def broken_rules(evidence: Evidence) -> tuple[Rule, ...]:
    """Return each rule that the evidence breaks, in their order."""
    judged = _judge(evidence, evidence.history)
    return tuple(rule for rule, is_kept in judged if not is_kept)


def is_unresolved(evidence: Evidence) -> bool:
    """Return whether a conversation that changes no more is neither sent, nor alarmed, nor dead.

    A dead-letter message counts only if the record says why it failed, a held draft only if other
    systems were notified of it.
    """
    is_held = evidence.status == Status.AWAITING_APPROVAL and evidence.history.hand_offs > 0
    is_dead = set(evidence.locations) <= {Location.DEAD, Location.DELETED}
    is_explained = is_dead and bool(evidence.failure_code)
    is_sent = evidence.status == Status.SENT
    return not (is_sent or is_held or evidence.is_alarmed or is_explained)


def _judge(evidence: Evidence, history: History) -> Iterator[tuple[Rule, bool]]:
    yield Rule.AT_MOST_ONCE, len(evidence.sids) <= 1 + evidence.releases
    may_be_deleted = bool(evidence.sids) or history.hand_offs > 0
    yield Rule.DELETED_ONLY_IF_SENT, may_be_deleted or Location.DELETED not in evidence.locations
    yield Rule.RECORD_IS_TRUE, _is_true(evidence)
    is_ended = _is_ended(evidence)
    yield Rule.SENT_IN_THE_END, is_ended or evidence.is_approved
    yield Rule.AI_NOT_ASKED_AGAIN, not history.asked_again
    yield Rule.SILENT_WITHOUT_LEASE, not history.acts_without_lease
    yield Rule.BACK_SOON, (evidence.redelivered_after or 0.0) <= REDELIVERY_SECONDS
    yield Rule.OPT_OUT_IS_HEEDED, not history.acquired_after_opt_out
    ranks = [RANKS[status] for status in history.delivery_statuses]
    yield Rule.STATUS_ADVANCES, all(b > a for a, b in pairwise(ranks))
    known = {"", DeliveryStatus.QUEUED} | evidence.reported
    is_reported = known.issuperset(history.delivery_statuses)
    yield Rule.FORGERY_HAS_NO_EFFECT, is_reported and not history.changed_by_forgery
    yield Rule.FOUND_WITHIN_A_DAY, _is_found(evidence)
    yield Rule.CALLBACK_PROVES, not history.is_proven or evidence.status == Status.SENT
    yield Rule.CALLBACK_SENDS_NOTHING, not history.sent_after_callback
    yield Rule.ONLY_APPROVED, not history.sent_unapproved
    yield Rule.SENT_AS_APPROVED, not history.not_as_approved
    yield Rule.REJECTION_IS_FINAL, not history.sent_after_rejection
    yield Rule.CAN_BE_DECIDED, not (history.undecidable or history.decided_unseen)
    yield Rule.TWO_REQUESTS, history.ai_answers <= MAX_AI_ANSWERS
    yield Rule.APPROVAL_SUFFICES, is_ended or not evidence.is_approved


def _is_found(evidence: Evidence) -> bool:
    # After `delivered`, the vendor is not asked whether the message was read.
    found = evidence.history.delivery_statuses[-1:] or [""]
    is_read = evidence.due_status == DeliveryStatus.READ
    return evidence.due_status in {None, *found} or (
        is_read and found == [DeliveryStatus.DELIVERED]
    )


def _is_true(evidence: Evidence) -> bool:
    if evidence.status == Status.SENT:
        return evidence.recorded_sid in evidence.sids and evidence.is_in_thread
    if evidence.recorded_sid:
        return False
    if evidence.status in {Status.FAILED, Status.RETRY, Status.AWAITING_APPROVAL}:
        return not evidence.sids
    if evidence.status == Status.SEND_UNKNOWN:
        return evidence.is_alarmed or not evidence.is_at_rest
    # A message that was sent and is not recorded must in the end have called an operator.
    return not (evidence.is_final and evidence.sids) or evidence.is_alarmed


def _is_ended(evidence: Evidence) -> bool:
    if evidence.sids or not evidence.is_final:
        return True
    is_rejected = evidence.failure_code == REJECTED_BY_OPERATOR
    return (evidence.is_refused or is_rejected) and evidence.status == Status.FAILED


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
    size: str = ""  # how much of it was run
    operator_needed: int | None = None  # how often an operator decided; None: not counted
    happened: Mapping[str, int] = field(default_factory=dict)  # what else, and how often

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """How many cases were lost, duplicated, wrong and unresolved; one may be several."""
        lost, duplicated, wrong = (
            sum(not rules.isdisjoint(violation.rules) for violation in self.violations)
            for rules in (LOSING, DUPLICATING, WRONG)
        )
        return lost, duplicated, wrong, sum(v.is_unresolved for v in self.violations)
