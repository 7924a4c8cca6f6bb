"""What every implementation of `LedgerStore` and `DeliveryStore` does: the fake and the real one.

A test class inherits `LedgerContract` and provides six fixtures: `store`, an empty table;
`release`, which sets the record at `KEY` to `retry` as the operator's tool does; `decide`, which
approves a draft of that record with an answer, or rejects it with a failure; `approved`, the
scheduled job's view of it; `erase`, which erases the recipient of `KEY` at a time; `unavailable`, a
table that answers no call.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import pytest

from lambda_src.core.contract import (
    APPROVED_QUEUED_AFTER_SECONDS,
    LOOKUP_DELAYS_SECONDS,
    REJECTED_BY_OPERATOR,
    DeliveryStatus,
    HoldReason,
    OpenWork,
    Status,
)
from lambda_src.core.drafts.rebuild import first_asked_at, rebuild_context
from lambda_src.core.errors import LedgerUnavailable, RecipientErased
from lambda_src.core.ledger import (
    ConditionFailed,
    DeliveryChange,
    DeliveryRecord,
    DeliveryReport,
    DeliveryState,
    DeliveryStore,
    DraftState,
    Failure,
    HeldDraft,
    Intent,
    Lease,
    LedgerRecord,
    LedgerStore,
    ProvenSend,
    RecipientSuppressed,
    RejectedDraft,
)
from lambda_src.core.models import Answer
from lambda_src.core.scheduled_job import ApprovedRecords
from tests.support import contexts
from tests.support.clock import START
from tests.support.fake_ledger import STEPS
from tests.support.fakes import ANSWER
from tests.support.records import (
    HELD_LEASE,
    INTENT,
    LEDGER_RECORD,
    SENT,
    failure,
    lease,
    ledger_record,
)
from tests.support.runtime import KEY

CONTEXT = contexts.parse(contexts.complete())
ANOTHER = lease(owner="owner-2")
NEXT_LEASE = lease(owner="owner-2", attempt=2)
RETRY, FAILED, UNKNOWN = map(failure, (Status.RETRY, Status.FAILED, Status.SEND_UNKNOWN))
OPTED_OUT = replace(failure(Status.FAILED, "twilio_21610"), suppresses=True)
OTHER_KEY = replace(KEY, conversation_id="another")
OTHER_CONTEXT = replace(CONTEXT, key=OTHER_KEY)
OTHER_RECIPIENT = replace(KEY, primary_channel="+447700900999")
QUEUED = DeliveryState(DeliveryStatus.QUEUED)
UNDELIVERED = DeliveryState(
    DeliveryStatus.UNDELIVERED,
    "63024",
    (DeliveryReport(DeliveryStatus.UNDELIVERED, "63024", START + 9),),
)
LOOKUP_AT = SENT.sent_at + LOOKUP_DELAYS_SECONDS[0]
PROVEN = ProvenSend("SM1", ANSWER, INTENT.at, 1000)


REJECTED = RejectedDraft("the draft says too much", ("conv_0", "resp_0"), ANSWER.usage)
HELD_DRAFT = HeldDraft(
    "draft-1", ANSWER, "HX1", HoldReason.CHECKS_FAILED, ("a problem",), START + 3
)


BY_DANA = {"approved_by": "dana", "edited": True}
EDITED = replace(ANSWER, thread_id="", message_id="", written_by=BY_DANA)
OPERATOR_REJECTED = failure(Status.FAILED, REJECTED_BY_OPERATOR)
Decide = Callable[[HeldDraft, Answer | Failure], None]
"""Approves a draft at `START`, or rejects it."""


class Store(LedgerStore, DeliveryStore, Protocol):
    """Both ports."""


def delivery_record(
    ledger: LedgerRecord = LEDGER_RECORD,
    delivery: DeliveryState = QUEUED,
    lookup_at: float | None = None,
) -> DeliveryRecord:
    """Return a record with one intent, as the events worker reads it."""
    return DeliveryRecord(ledger, (INTENT.id,), delivery, contexts.TWILIO_SECRET, lookup_at)


def arguments(
    held: Lease = HELD_LEASE, seen: LedgerRecord = LEDGER_RECORD
) -> dict[str, tuple[Any, ...]]:
    """Return the arguments of every call, with that lease or the record that was found."""
    return {
        "create": (CONTEXT, held),
        "take_over": (held, seen),
        "renew": (held, START + 500),
        "checkpoint_answer": (held, ANSWER),
        "reject_draft": (held, REJECTED),
        "clear_discarded": (held,),
        "hold_draft": (held, HELD_DRAFT),
        "record_intent": (held, INTENT, ANSWER),
        "record_sent": (KEY, SENT),
        "record_failure": (held, FAILED),
        "record_rejection": (KEY, FAILED, None, START),
        "mark_failed_if_unchanged": (seen, FAILED),
        "count_lookup": (KEY, seen),
        "mark_unknown": (KEY, UNKNOWN, seen),
        "related_records": (KEY,),
        "read_delivery": (KEY,),
        "record_delivery": (delivery_record(seen), DeliveryChange(UNDELIVERED, START + 9)),
        "schedule_lookup": (delivery_record(seen, lookup_at=LOOKUP_AT), START + 99),
        "suppress": (KEY.primary_channel, "twilio_21610", START),
    }


OTHER_LEASES = [ANOTHER, lease(attempt=2)]
CHANGED = [
    ledger_record(status=Status.RETRY),
    ledger_record(owner="owner-0"),
    ledger_record(attempt=2),
    ledger_record(lease_expires_at=START),
]
"""What was found, if the record has changed since."""
LATE_INTENT = Intent(HELD_LEASE.expires_at, HELD_LEASE.expires_at + 15)
ON_DRAFTS = ("checkpoint_answer", "reject_draft", "clear_discarded", "hold_draft")
WITH_LEASE = ("renew", *ON_DRAFTS, "record_intent")
"""Calls that need a valid lease."""
REFUSED_WHILE_PROCESSING = [
    *((call, arguments(held)[call]) for call in WITH_LEASE for held in OTHER_LEASES),
    *(("record_failure", (held, FAILED)) for held in OTHER_LEASES),
    *(("take_over", (ANOTHER, seen)) for seen in CHANGED),
    *(("mark_failed_if_unchanged", (seen, FAILED)) for seen in CHANGED),
    *((call, arguments()[call]) for call in ("create", "record_sent", "record_rejection")),
    ("create", (CONTEXT, ANOTHER)),
    ("record_intent", (HELD_LEASE, LATE_INTENT, ANSWER)),
]


def found(store: LedgerStore) -> LedgerRecord | None:
    """Return the conversation's record, by a write whose condition fails."""
    with pytest.raises(ConditionFailed) as failed:
        store.renew(lease(owner="none"), START)
    return failed.value.record


def state(store: LedgerStore) -> LedgerRecord:
    """Return the conversation's record, which exists."""
    record = found(store)
    assert record
    return record


def refuses(store: LedgerStore, call: str, *args: object) -> bool:
    """Return whether a write fails by its condition and leaves the record unchanged."""
    before = found(store)
    with pytest.raises(ConditionFailed) as failed:
        getattr(store, call)(*args)
    return before == failed.value.record == found(store)


class LedgerContract:
    """The ledger's table of conditional writes, row by row."""

    @pytest.fixture
    def processing(self, store: LedgerStore) -> LedgerStore:
        """A table in which `HELD_LEASE` holds the conversation."""
        store.create(CONTEXT, HELD_LEASE)
        return store

    @pytest.fixture
    def sending(self, processing: LedgerStore) -> LedgerStore:
        """A table in which `HELD_LEASE` has recorded its intent."""
        processing.record_intent(HELD_LEASE, INTENT, ANSWER)
        return processing

    @pytest.fixture
    def suppressed(self, sending: LedgerStore) -> LedgerStore:
        """A table in which the vendor reported that the recipient opted out."""
        sending.record_failure(HELD_LEASE, OPTED_OUT)
        return sending

    def test_a_first_lease_creates_the_record_once(self, store: LedgerStore) -> None:
        """A record is created `processing` with its lease; a second creation finds it."""
        assert refuses(store, "renew", HELD_LEASE, START)
        store.create(CONTEXT, HELD_LEASE)
        assert found(store) == LEDGER_RECORD
        assert refuses(store, "create", CONTEXT, HELD_LEASE)

    def test_an_unchanged_record_is_taken_over(self, processing: LedgerStore) -> None:
        """Taking over writes the new owner, attempt and lease, and keeps the rest."""
        taken = lease(owner="owner-2", attempt=2, expires_at=START + 180.5)
        processing.take_over(taken, LEDGER_RECORD)
        expected = ledger_record(owner="owner-2", attempt=2, lease_expires_at=START + 180.5)
        assert found(processing) == expected

    @pytest.mark.parametrize(("call", "args"), REFUSED_WHILE_PROCESSING)
    def test_a_write_needs_its_lease_and_state(
        self, processing: LedgerStore, call: str, args: tuple[object, ...]
    ) -> None:
        """Neither another owner or attempt, nor a worker that found another state, writes."""
        assert refuses(processing, call, *args)

    @pytest.mark.parametrize("call", WITH_LEASE)
    def test_the_lease_ends_with_the_intent(self, sending: LedgerStore, call: str) -> None:
        """Nothing that belongs to `processing` can be written once an intent is recorded."""
        assert refuses(sending, call, *arguments()[call])

    def test_a_renewal_moves_only_the_leases_end(self, processing: LedgerStore) -> None:
        """Renewing changes nothing else."""
        processing.renew(HELD_LEASE, START + 500.25)
        assert found(processing) == ledger_record(lease_expires_at=START + 500.25)

    def test_a_stored_answer_survives_retry_and_takeover(self, processing: LedgerStore) -> None:
        """A checkpoint, repeated or not, has the whole answer and is there for the next attempt."""
        processing.checkpoint_answer(HELD_LEASE, ANSWER)
        processing.checkpoint_answer(HELD_LEASE, ANSWER)
        assert found(processing) == ledger_record(answer=ANSWER)
        processing.record_failure(HELD_LEASE, RETRY)
        retry = state(processing)
        assert retry == ledger_record(status=Status.RETRY, answer=ANSWER, failure_code=RETRY.code)
        processing.take_over(NEXT_LEASE, retry)
        assert found(processing) == replace(
            retry, status=Status.PROCESSING, owner="owner-2", attempt=2
        )

    def test_a_failure_is_kept_until_the_message_is_sent(self, processing: LedgerStore) -> None:
        """A worker that crashes after taking over leaves a record with the failure before."""
        processing.record_failure(HELD_LEASE, RETRY)
        processing.take_over(NEXT_LEASE, state(processing))
        processing.record_intent(NEXT_LEASE, INTENT, ANSWER)
        record = state(processing)
        assert (Status.SENDING, RETRY.code) == (record.status, record.failure_code)
        processing.record_sent(KEY, SENT)
        record = state(processing)
        assert (Status.SENT, "") == (record.status, record.failure_code)

    def test_an_intent_is_recorded_with_its_answer(self, sending: LedgerStore) -> None:
        """One write changes to `sending`, with the answer, the intent and no lookup yet."""
        assert found(sending) == ledger_record(status=Status.SENDING, answer=ANSWER, intent=INTENT)

    def test_a_rejection_is_recorded_where_no_record_exists(
        self, store: LedgerStore, release: Callable[[], None]
    ) -> None:
        """It has no owner; once an operator released it, one worker gets its lease."""
        store.record_rejection(KEY, FAILED, "request-1", START)
        rejected = state(store)
        assert (Status.FAILED, "", 0) == (rejected.status, rejected.owner, rejected.attempt)
        release()
        seen = state(store)
        assert (Status.RETRY, "", 0) == (seen.status, seen.owner, seen.attempt)
        assert 0.0 == seen.lease_expires_at
        store.take_over(HELD_LEASE, seen)
        expected = ledger_record(created_at=FAILED.at, failure_code=FAILED.code, channel="")
        assert found(store) == expected
        assert refuses(store, "take_over", ANOTHER, seen)

    def test_a_released_failure_is_taken_over(
        self, processing: LedgerStore, release: Callable[[], None]
    ) -> None:
        """A failed conversation that an operator released continues its attempts."""
        processing.record_failure(HELD_LEASE, FAILED)
        release()
        processing.take_over(NEXT_LEASE, state(processing))
        expected = ledger_record(owner="owner-2", attempt=2, failure_code=FAILED.code)
        assert found(processing) == expected

    def test_the_final_write_needs_no_lease(self, sending: LedgerStore) -> None:
        """The sid is recorded whoever holds the lease, also over `send_unknown`, but once."""
        sending.mark_unknown(KEY, UNKNOWN, LEDGER_RECORD)
        sending.record_sent(KEY, SENT)
        record = state(sending)
        assert (Status.SENT, "SM1", None) == (record.status, record.vendor_id, record.answer)
        assert refuses(sending, "record_sent", KEY, replace(SENT, vendor_id="SM2"))

    def test_a_failure_is_recorded_after_the_intent(self, sending: LedgerStore) -> None:
        """A definite refusal ends `sending`; the same write may be repeated, another not."""
        sending.record_failure(HELD_LEASE, RETRY)
        sending.record_failure(HELD_LEASE, RETRY)
        assert Status.RETRY is state(sending).status
        assert refuses(sending, "record_failure", HELD_LEASE, FAILED)

    def test_a_lookup_changes_only_the_send_that_was_found(self, sending: LedgerStore) -> None:
        """It is counted or marked unknown for the owner that was found; marked also twice."""
        for call in ("count_lookup", "mark_unknown"):
            other = arguments(seen=ledger_record(owner="owner-2"))[call]
            assert refuses(sending, call, *other)
        sending.count_lookup(KEY, LEDGER_RECORD)
        assert 1 == state(sending).lookups
        sending.mark_unknown(KEY, UNKNOWN, LEDGER_RECORD)
        sending.mark_unknown(KEY, UNKNOWN, LEDGER_RECORD)
        assert Status.SEND_UNKNOWN is state(sending).status

    @pytest.mark.parametrize("status", [Status.SENDING, Status.SEND_UNKNOWN, Status.SENT])
    def test_sends_are_related_to_the_recipients_other_conversations(
        self, sending: LedgerStore, status: Status
    ) -> None:
        """A conversation with a sid, or that may get one, is related to that recipient's others."""
        if status is Status.SEND_UNKNOWN:
            sending.mark_unknown(KEY, UNKNOWN, LEDGER_RECORD)
        if status is Status.SENT:
            sending.record_sent(KEY, SENT)
        expected = replace(state(sending), failure_code="")
        assert (expected,) == sending.related_records(OTHER_KEY)
        assert () == sending.related_records(KEY)
        assert () == sending.related_records(OTHER_RECIPIENT)

    def test_a_conversation_without_a_send_is_not_related(self, processing: LedgerStore) -> None:
        """Neither work in progress nor a failure concerns the recipient's other conversations."""
        assert () == processing.related_records(OTHER_KEY)
        processing.record_failure(HELD_LEASE, FAILED)
        assert () == processing.related_records(OTHER_KEY)

    def test_a_rejected_draft_is_kept_for_the_next_attempt(self, processing: LedgerStore) -> None:
        """Until there is an answer; its conversation until it is deleted."""
        processing.reject_draft(HELD_LEASE, REJECTED)
        assert DraftState(REJECTED, REJECTED.openai_ids) == state(processing).drafts
        processing.checkpoint_answer(HELD_LEASE, ANSWER)
        assert DraftState(None, REJECTED.openai_ids) == state(processing).drafts
        processing.clear_discarded(HELD_LEASE)
        assert DraftState() == state(processing).drafts

    def test_a_held_draft_ends_the_lease(self, processing: LedgerStore) -> None:
        """No worker takes the conversation over, and the answer is the draft only."""
        processing.reject_draft(HELD_LEASE, REJECTED)
        processing.hold_draft(HELD_LEASE, HELD_DRAFT)
        record = state(processing)
        assert (Status.AWAITING_APPROVAL, None, 0.0) == (
            record.status,
            record.answer,
            record.lease_expires_at,
        )
        held = DraftState(None, REJECTED.openai_ids, HELD_DRAFT.template_id, "", HELD_DRAFT.id)
        assert held == record.drafts
        assert refuses(processing, "create", CONTEXT, ANOTHER)

    def test_an_approved_draft_is_taken_over(
        self, processing: LedgerStore, decide: Decide, approved: ApprovedRecords
    ) -> None:
        """One decision about the draft that was shown; the job sees it until a worker has it."""
        processing.hold_draft(HELD_LEASE, HELD_DRAFT)
        held = state(processing)
        with pytest.raises(ConditionFailed):
            decide(replace(HELD_DRAFT, id="draft-0"), EDITED)
        assert held == state(processing)
        decide(HELD_DRAFT, EDITED)
        for again in (EDITED, OPERATOR_REJECTED):
            with pytest.raises(ConditionFailed):
                decide(HELD_DRAFT, again)
        record = state(processing)
        drafts = DraftState(None, ANSWER.openai_ids, HELD_DRAFT.template_id, "dana")
        assert (Status.RETRY, EDITED, drafts) == (record.status, record.answer, record.drafts)

        due = START + APPROVED_QUEUED_AFTER_SECONDS
        assert [] == list(approved.due(OpenWork.APPROVED, due - 1))
        assert [(due, KEY)] == list(approved.due(OpenWork.APPROVED, due))
        attributes = approved.read_approved(KEY, due)
        assert attributes
        assert CONTEXT == contexts.parser(rebuild_context(attributes))
        requested_at = CONTEXT.requested_at
        assert requested_at
        assert round(requested_at * 1000) == first_asked_at(attributes)
        approved.postpone_approved(KEY, due, due + 5)
        assert approved.read_approved(KEY, due) is None
        with pytest.raises(ConditionFailed):
            approved.postpone_approved(KEY, due, due + 9)
        processing.take_over(NEXT_LEASE, record)
        assert [] == list(approved.due(OpenWork.APPROVED, due + 5))
        assert EDITED == state(processing).answer

    def test_a_rejected_draft_ends_the_conversation(
        self, processing: LedgerStore, decide: Decide, approved: ApprovedRecords
    ) -> None:
        """Nothing of it is left but its ids at OpenAI, and no decision changes it."""
        processing.hold_draft(HELD_LEASE, HELD_DRAFT)
        assert [(HELD_DRAFT.at, KEY)] == list(approved.due(OpenWork.HELD, HELD_DRAFT.at))
        decide(HELD_DRAFT, OPERATOR_REJECTED)
        record = state(processing)
        assert (Status.FAILED, REJECTED_BY_OPERATOR) == (record.status, record.failure_code)
        assert DraftState(None, ANSWER.openai_ids) == record.drafts
        with pytest.raises(ConditionFailed):
            decide(HELD_DRAFT, EDITED)
        assert [] == list(approved.due(OpenWork.HELD, START + 99))

    def test_an_opt_out_suppresses_the_recipient(self, suppressed: LedgerStore) -> None:
        """The record is `failed`, and only this recipient's next conversation gets no lease."""
        record = state(suppressed)
        assert (Status.FAILED, OPTED_OUT.code) == (record.status, record.failure_code)
        suppressed.record_failure(HELD_LEASE, OPTED_OUT)
        with pytest.raises(RecipientSuppressed):
            suppressed.create(OTHER_CONTEXT, lease(key=OTHER_KEY))
        suppressed.record_rejection(OTHER_KEY, FAILED, None, START)  # so there was no record yet
        suppressed.create(replace(CONTEXT, key=OTHER_RECIPIENT), lease(key=OTHER_RECIPIENT))

    def test_an_opt_out_needs_the_lease(self, sending: LedgerStore) -> None:
        """A worker that lost the conversation suppresses nobody."""
        assert refuses(sending, "record_failure", lease(attempt=2), OPTED_OUT)
        sending.create(OTHER_CONTEXT, lease(key=OTHER_KEY))

    def test_an_existing_record_takes_precedence(self, suppressed: LedgerStore) -> None:
        """A conversation that ended is found as such, although its recipient opted out since."""
        assert refuses(suppressed, "create", CONTEXT, ANOTHER)

    def test_a_retry_of_a_suppressed_recipient_is_marked_failed(
        self, processing: LedgerStore
    ) -> None:
        """A record in `retry` whose recipient opted out meanwhile is not taken over, but ended."""
        processing.record_failure(HELD_LEASE, RETRY)
        seen = state(processing)
        processing.create(OTHER_CONTEXT, lease(key=OTHER_KEY))
        processing.record_failure(lease(key=OTHER_KEY), OPTED_OUT)

        with pytest.raises(RecipientSuppressed):
            processing.take_over(NEXT_LEASE, seen)
        assert seen == found(processing)
        processing.mark_failed_if_unchanged(seen, FAILED)

        assert Status.FAILED is state(processing).status

    def test_requests_from_before_an_erasure_are_dropped(
        self, store: LedgerStore, erase: Callable[[float], None]
    ) -> None:
        """Neither a lease nor a rejection writes a record; a later request does."""
        erase(START)
        with pytest.raises(RecipientErased):
            store.create(CONTEXT, lease(requested_at=START - 1))
        with pytest.raises(RecipientErased):
            store.record_rejection(KEY, FAILED, None, START - 1)
        assert found(store) is None
        store.create(CONTEXT, lease(requested_at=START + 0.001))
        assert Status.PROCESSING is state(store).status

    def test_an_opt_out_survives_an_erasure(
        self, suppressed: LedgerStore, erase: Callable[[float], None]
    ) -> None:
        """Earlier requests are dropped, later ones are suppressed."""
        erase(START)
        with pytest.raises(RecipientErased):
            suppressed.create(OTHER_CONTEXT, lease(key=OTHER_KEY, requested_at=START))
        with pytest.raises(RecipientSuppressed):
            suppressed.create(OTHER_CONTEXT, lease(key=OTHER_KEY, requested_at=START + 1))

    def test_a_record_is_read_for_its_delivery(self, store: Store) -> None:
        """With every intent's id; once it is sent, it is `queued` and to be looked up."""
        assert store.read_delivery(KEY) is None
        store.create(CONTEXT, HELD_LEASE)
        store.record_intent(HELD_LEASE, INTENT, ANSWER)
        assert delivery_record(state(store), DeliveryState()) == store.read_delivery(KEY)
        store.record_sent(KEY, SENT)
        assert delivery_record(state(store), lookup_at=LOOKUP_AT) == store.read_delivery(KEY)
        assert (Status.SENT, "SM1") == (state(store).status, state(store).vendor_id)

    @pytest.mark.parametrize("is_unknown", [False, True])
    def test_an_event_proves_an_open_send(self, sending: Store, is_unknown: bool) -> None:
        """One write ends the send like the final write, which it thereby precedes."""
        if is_unknown:
            sending.mark_unknown(KEY, UNKNOWN, LEDGER_RECORD)
        seen = sending.read_delivery(KEY)
        assert seen
        change = DeliveryChange(UNDELIVERED, START + 9, PROVEN)
        sending.record_delivery(seen, change)
        ended = ledger_record(
            status=Status.SENT,
            vendor_id="SM1",
            intent=replace(INTENT, deadline=0.0),
            lease_expires_at=0.0,
        )
        assert delivery_record(ended, UNDELIVERED) == sending.read_delivery(KEY)
        assert refuses(sending, "record_delivery", seen, change)
        assert refuses(sending, "record_sent", KEY, SENT)

    def test_an_event_changes_the_record_that_was_found(self, sending: Store) -> None:
        """Another status, report, message or intent than the one that was found is not changed."""
        sending.record_sent(KEY, SENT)
        seen = sending.read_delivery(KEY)
        assert seen
        change = DeliveryChange(UNDELIVERED, START + 9)
        intent = replace(INTENT, id="intent-2")
        for ledger in (
            replace(seen.ledger, vendor_id="SM2"),
            replace(seen.ledger, intent=intent),
        ):
            assert refuses(sending, "record_delivery", replace(seen, ledger=ledger), change)
        sending.record_delivery(seen, change)
        assert delivery_record(seen.ledger, UNDELIVERED) == sending.read_delivery(KEY)
        assert refuses(sending, "record_delivery", seen, change)
        assert refuses(sending, "schedule_lookup", seen, START)
        fewer = replace(seen, delivery=replace(UNDELIVERED, history=UNDELIVERED.history * 2))
        assert refuses(sending, "record_delivery", fewer, change)

    @pytest.mark.parametrize("at", [START + 99.5, None])
    def test_a_lookup_is_put_off(self, sending: Store, at: float | None) -> None:
        """Or there is no further one; nothing else changes, and only once."""
        sending.record_sent(KEY, SENT)
        seen = sending.read_delivery(KEY)
        assert seen
        sending.schedule_lookup(seen, at)
        assert replace(seen, lookup_at=at) == sending.read_delivery(KEY)
        assert refuses(sending, "schedule_lookup", seen, START)
        kept = replace(seen, lookup_at=at)
        sending.record_delivery(kept, DeliveryChange(UNDELIVERED, START + 9, lookup_at=LOOKUP_AT))
        assert delivery_record(seen.ledger, UNDELIVERED, LOOKUP_AT) == sending.read_delivery(KEY)

    @pytest.mark.parametrize("is_alone", [False, True])
    def test_a_late_opt_out_suppresses(self, sending: Store, is_alone: bool) -> None:
        """Alone, or in the same write as the report; a refused write suppresses nobody."""
        sending.record_sent(KEY, SENT)
        seen = sending.read_delivery(KEY)
        assert seen
        change = DeliveryChange(UNDELIVERED, START + 9, suppressed_for="twilio_21610")
        stale = replace(seen, delivery=DeliveryState(DeliveryStatus.READ))
        assert refuses(sending, "record_delivery", stale, change)
        sending.create(OTHER_CONTEXT, lease(key=OTHER_KEY))
        if is_alone:
            sending.suppress(KEY.primary_channel, "twilio_21610", START)
        else:
            sending.record_delivery(seen, change)
        third = replace(KEY, conversation_id="third")
        with pytest.raises(RecipientSuppressed):
            sending.create(replace(CONTEXT, key=third), lease(key=third))

    @pytest.mark.parametrize("call", arguments())
    def test_an_outage_names_its_step(self, unavailable: LedgerStore, call: str) -> None:
        """The failure says how far the message had come."""
        with pytest.raises(LedgerUnavailable) as failed:
            getattr(unavailable, call)(*arguments()[call])
        assert STEPS[call] is failed.value.step
