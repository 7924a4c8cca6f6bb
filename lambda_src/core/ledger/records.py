"""The ledger's data, and the transition table: what a delivery may do with a record it finds."""

from dataclasses import dataclass, field
from enum import Enum, auto

from lambda_src.core.contract import DeliveryStatus, HoldReason, Status
from lambda_src.core.errors import PermanentFailure
from lambda_src.core.models import Answer, RecordKey, Usage


@dataclass(frozen=True, slots=True)
class RejectedDraft:
    """The AI's first answer, which could not be sent.

    Attributes:
        problem: What was wrong, for the second request; it may quote the answer.
        openai_ids: What OpenAI stores of it, see `Answer.openai_ids`.
        usage: Tokens billed.
    """

    problem: str = field(repr=False)
    openai_ids: tuple[str, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class DraftState:
    """What earlier attempts and operators have left of a conversation's drafts.

    Attributes:
        rejected: The AI's first answer, if the second one is to be requested.
        discarded_threads: Ids of OpenAI's conversations and responses whose answer is not used, and
            that still exist.
        template_id: The template of the draft that an operator has seen.
        approved_by: Who approved the stored answer; empty: it is not approved.
        held_id: The id of the draft that waits for an operator; empty: none.
    """

    rejected: RejectedDraft | None = None
    discarded_threads: tuple[str, ...] = ()
    template_id: str = ""
    approved_by: str = ""
    held_id: str = ""


@dataclass(frozen=True, slots=True)
class HeldDraft:
    """A draft that an operator must release.

    Attributes:
        id: Random, new each time a draft is held.
        answer: The AI's; its text and variables may be empty.
        template_id: The template that its variables fill; empty without one.
        reason: Why it is held.
        problems: What was wrong with it; may quote it.
        at: When, in epoch seconds.
        detail: What was wrong, without a quotation, for the log.
    """

    id: str
    answer: Answer
    template_id: str
    reason: HoldReason
    problems: tuple[str, ...] = field(repr=False)
    at: float
    detail: str = ""

    @property
    def summary(self) -> str:
        """The reason with its detail."""
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


@dataclass(frozen=True, slots=True)
class Lease:
    """The exclusive right to process a conversation until `expires_at` (epoch seconds).

    Attributes:
        key: The conversation.
        owner: Fencing token of one delivery, together with `attempt`. The SDK repeats a write whose
            answer was lost; the token identifies that write as our own.
        attempt: How many leases this conversation has had, this one included.
        expires_at: End of the lease in epoch seconds.
        started_at: When it was acquired, in epoch seconds.
        answer: The answer that an earlier attempt stored.
        last_failure: Failure code of the attempt before.
        requested_at: When the message was requested, in epoch seconds.
        drafts: What earlier attempts have left of the conversation's drafts.
    """

    key: RecordKey
    owner: str
    attempt: int
    expires_at: float
    started_at: float
    answer: Answer | None = None
    last_failure: str = ""
    requested_at: float = 0.0
    drafts: DraftState = DraftState()


@dataclass(frozen=True, slots=True)
class Intent:
    """The intent to send, recorded before the send.

    `at` is its time; after `deadline` its sender has given up (both in epoch seconds). `id` is
    random, so that a status callback with it belongs to this send; records of 1.x have none.
    """

    at: float
    deadline: float
    id: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a record is `failed`, `send_unknown` or in `retry`.

    With `suppresses`, the recipient opted out and is suppressed by the same write. `openai_ids` are
    added to what an erasure deletes at OpenAI.
    """

    status: Status
    code: str
    step: str
    detail: str
    at: float
    suppresses: bool = False
    openai_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SentRecord:
    """The final write's values: vendor id, answer and duration.

    Both times are in epoch seconds; they differ if the record is repaired later.
    """

    vendor_id: str
    answer: Answer
    sent_at: float
    recorded_at: float
    processing_time_ms: int


@dataclass(frozen=True, slots=True)
class LedgerRecord:
    """The state of a conversation as its record has it; `channel` is empty if it has none."""

    key: RecordKey
    status: Status
    owner: str
    attempt: int
    lease_expires_at: float
    answer: Answer | None
    intent: Intent | None
    lookups: int
    vendor_id: str
    created_at: float
    failure_code: str = ""
    channel: str = ""
    drafts: DraftState = DraftState()

    def may_be_on(self, channel: str) -> bool:
        """Return whether the conversation is on that channel, or either of the two is unknown."""
        return "" in {channel, self.channel} or channel == self.channel


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """One report of the vendor about a message: `at` is when it was received (epoch seconds)."""

    status: DeliveryStatus
    error_code: str
    at: float


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """What is known about a message's delivery.

    Attributes:
        status: The furthest status reported; None before the first report and in records of 1.x.
        error_code: The vendor's code of the failure; empty if there is none.
        history: The reports that differ in status or code, as they came, the first ones only.
    """

    status: DeliveryStatus | None = None
    error_code: str = ""
    history: tuple[DeliveryReport, ...] = ()


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """A conversation as the events worker reads it.

    Attributes:
        ledger: The ledger's state.
        intent_ids: The ids of all its intents.
        delivery: What is known about the delivery.
        credentials_reference: Name or ARN of the vendor's secret; empty if the record has none.
        lookup_at: When the vendor is to be asked for the status, in epoch seconds; None: never.
        draft_ids: What OpenAI stores of a held draft, see `Answer.openai_ids`.
    """

    ledger: LedgerRecord
    intent_ids: tuple[str, ...]
    delivery: DeliveryState
    credentials_reference: str
    lookup_at: float | None = None
    draft_ids: tuple[str, ...] = ()

    @property
    def sent_at(self) -> float:
        """When the message was sent, in epoch seconds: the time of the intent."""
        return self.ledger.intent.at if self.ledger.intent else self.ledger.created_at

    @property
    def intent_id(self) -> str:
        """The id of the last intent; empty if there is none.

        A released record has no intent, but that send may yet turn out to have happened.
        """
        if self.ledger.intent is None:
            return self.intent_ids[-1] if self.intent_ids else ""
        return self.ledger.intent.id


@dataclass(frozen=True, slots=True)
class ProvenSend:
    """What a callback proves about a record that is not recorded as sent.

    Attributes:
        vendor_id: The vendor's id of the message.
        answer: What was sent; None if the record no longer has it.
        sent_at: Time of the intent in epoch seconds.
        processing_time_ms: From the record's creation to the intent.
    """

    vendor_id: str
    answer: Answer | None
    sent_at: float
    processing_time_ms: int


@dataclass(frozen=True, slots=True)
class DeliveryChange:
    """What one event changes, in one write.

    Attributes:
        state: The delivery's new state.
        at: Time of the write in epoch seconds.
        proven: Set if the event proves a send that is not recorded.
        suppressed_for: Failure code of a late opt-out, by which the recipient is suppressed; empty
            if it is none.
        lookup_at: When the vendor is to be asked for the status, in epoch seconds; None: never.
    """

    state: DeliveryState
    at: float
    proven: ProvenSend | None = None
    suppressed_for: str = ""
    lookup_at: float | None = None


class ConditionFailed(Exception):
    """A conditional write found another state: `record`, None if there is no record."""

    def __init__(self, record: LedgerRecord | None) -> None:
        super().__init__("the record is not in the state that the write requires")
        self.record = record


class RecipientSuppressed(PermanentFailure):
    """The recipient opted out of this channel earlier: `failed` without a request to the AI.

    Attributes:
        record: The record that was to be taken over; None if there is none yet.
    """

    record: LedgerRecord | None = None


# --- the transition table


class NextAction(Enum):
    """What a delivery does with a conversation that already has a record."""

    RESUME = auto()
    TAKE_OVER = auto()
    BACK_OFF = auto()
    RECONCILE = auto()
    ACKNOWLEDGE = auto()
    HAND_OFF = auto()
    REJECT = auto()


def next_action(  # noqa: C901, PLR0911 - a table, one row a return
    record: LedgerRecord, owner: str, now: float
) -> NextAction:
    """Return what the delivery `owner` does with a record that it finds at `now`."""
    match record.status:
        case Status.SENT:
            return NextAction.ACKNOWLEDGE
        case Status.FAILED | Status.SEND_UNKNOWN:
            return NextAction.REJECT
        case Status.SENDING:
            return NextAction.RECONCILE
        case Status.AWAITING_APPROVAL:
            return NextAction.HAND_OFF
        case Status.RETRY:
            return NextAction.TAKE_OVER
        case Status.PROCESSING if record.owner == owner:
            return NextAction.RESUME
        case Status.PROCESSING if record.lease_expires_at <= now:
            return NextAction.TAKE_OVER
        case Status.PROCESSING:
            return NextAction.BACK_OFF
