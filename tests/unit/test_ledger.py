"""The ledger: the transition table, acquiring and keeping a lease, and the fake's contract."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from lambda_src.core import errors
from lambda_src.core.contract import Status
from lambda_src.core.ledger import (
    Failure,
    HeldDraft,
    Lease,
    LeaseGuard,
    LedgerRecord,
    NextAction,
    next_action,
)
from lambda_src.core.models import Answer
from tests.support import contexts
from tests.support.clock import START
from tests.support.fake_ledger import STEPS, FakeLedgerStore, Record
from tests.support.fakes import ANSWER, Fault
from tests.support.ledger_contract import Decide, LedgerContract
from tests.support.records import INTENT, failure, ledger_record
from tests.support.runtime import KEY, LEASE_SECONDS, FakeRuntime

VALID, EXPIRED, EXPIRING = START + 0.001, START - 60, START
MINE, OTHERS = "owner-1", "owner-2"
ACTIONS = {
    NextAction.ACKNOWLEDGE: [(Status.SENT, OTHERS, VALID), (Status.SENT, MINE, EXPIRED)],
    NextAction.REJECT: [
        *((Status.FAILED, OTHERS, VALID), (Status.FAILED, MINE, EXPIRED)),
        *((Status.SEND_UNKNOWN, OTHERS, VALID), (Status.SEND_UNKNOWN, MINE, EXPIRED)),
    ],
    NextAction.RECONCILE: [
        *((Status.SENDING, OTHERS, VALID), (Status.SENDING, MINE, VALID)),
        (Status.SENDING, OTHERS, EXPIRED),
    ],
    NextAction.HAND_OFF: [
        *((Status.AWAITING_APPROVAL, OTHERS, EXPIRED), (Status.AWAITING_APPROVAL, MINE, VALID)),
    ],
    NextAction.RESUME: [(Status.PROCESSING, MINE, VALID), (Status.PROCESSING, MINE, EXPIRED)],
    NextAction.BACK_OFF: [(Status.PROCESSING, OTHERS, VALID)],
    NextAction.TAKE_OVER: [
        *((Status.PROCESSING, OTHERS, EXPIRING), (Status.PROCESSING, OTHERS, EXPIRED)),
        *((Status.RETRY, OTHERS, VALID), (Status.RETRY, OTHERS, EXPIRED)),
        (Status.RETRY, MINE, VALID),
    ],
}
"""States of a record by the action of a delivery that finds them: status, owner, lease's end."""

CONTEXT = contexts.parse(contexts.valid())
OTHER_RECORD = Record(KEY, Status.PROCESSING, START - 100, owner="other", attempt=3)
NEW_LEASE = Lease(KEY, "mine", 1, START + LEASE_SECONDS, START, requested_at=START)
TAKEN_LEASE = replace(NEW_LEASE, attempt=4, answer=ANSWER)


@pytest.mark.parametrize(
    ("expected", "state"), [(action, state) for action in ACTIONS for state in ACTIONS[action]]
)
def test_the_next_action_follows_from_the_record(
    expected: NextAction, state: tuple[Status, str, float]
) -> None:
    """Status first, then whose lease it is, then whether it has expired."""
    status, owner, expires_at = state
    record = ledger_record(status=status, owner=owner, lease_expires_at=expires_at)
    assert expected is next_action(record, MINE, START)


def test_the_table_covers_every_status_and_never_resends() -> None:
    """Once an intent is recorded, no state lets another worker send."""
    assert set(Status) == {status for states in ACTIONS.values() for status, _, _ in states}
    sending = {
        status
        for action in (NextAction.RESUME, NextAction.TAKE_OVER)
        for status, _, _ in ACTIONS[action]
    }
    assert {Status.PROCESSING, Status.RETRY} == sending


def _put(runtime: FakeRuntime, **changes: object) -> None:
    runtime.store.records[KEY] = OTHER_RECORD
    runtime.store.alter(KEY, **changes)


def _acquire(runtime: FakeRuntime) -> Lease | LedgerRecord:
    return runtime.leases.acquire(CONTEXT, "mine", START)


@pytest.fixture
def held(runtime: FakeRuntime) -> Lease:
    """The lease of a conversation that no other worker processes."""
    lease = _acquire(runtime)
    assert isinstance(lease, Lease)
    return lease


@pytest.mark.parametrize("fault", [None, Fault.REPEATED])
def test_a_new_conversation_is_acquired(runtime: FakeRuntime, fault: Fault | None) -> None:
    """The first delivery creates the record, also if the SDK repeats the write."""
    if fault:
        runtime.store.fail("create", fault)
    assert NEW_LEASE == _acquire(runtime)
    assert ["create"] == runtime.store.writes


def test_a_creation_without_an_answer_acquires_nothing(runtime: FakeRuntime) -> None:
    """The write may have been applied: its owner stops, and others wait for the lease's end."""
    runtime.store.fail("create", Fault.ANSWER_LOST)
    with pytest.raises(errors.LedgerUnavailable):
        _acquire(runtime)
    runtime.clock.advance(10)
    with pytest.raises(errors.LeaseHeld) as held:
        runtime.leases.acquire(CONTEXT, "next delivery", START)
    assert LEASE_SECONDS - 10 == held.value.retry_in


@pytest.mark.parametrize("fault", [None, Fault.REPEATED])
def test_a_retry_is_taken_over_with_its_answer(runtime: FakeRuntime, fault: Fault | None) -> None:
    """The next attempt starts where the last one ended, also if the SDK repeats the write."""
    _put(runtime, status=Status.RETRY, answer=ANSWER, failure=failure(Status.RETRY))
    if fault:
        runtime.store.fail("take_over", fault)
    # After a repeated write the lease is found as our own, which does not read the failure.
    expected = TAKEN_LEASE if fault else replace(TAKEN_LEASE, last_failure="openai_500")
    assert expected == _acquire(runtime)
    assert (Status.PROCESSING, failure(Status.RETRY), 4) == (
        runtime.record.status,
        runtime.record.failure,
        runtime.record.attempt,
    )


def test_the_loser_of_a_race_finds_the_winner(runtime: FakeRuntime) -> None:
    """The winner holds the lease, or may have sent the message already."""
    _put(runtime, status=Status.RETRY)
    runtime.store.before["take_over"] = partial(
        _put, runtime, owner="winner", lease_expires_at=VALID
    )
    with pytest.raises(errors.LeaseHeld):
        _acquire(runtime)
    assert "winner" == runtime.record.owner

    _put(runtime, status=Status.RETRY)
    runtime.store.before["take_over"] = partial(_put, runtime, status=Status.SENT, vendor_id="SM1")
    record = _acquire(runtime)
    assert isinstance(record, LedgerRecord)
    assert Status.SENT is record.status


def change_again(store: FakeLedgerStore) -> None:
    """Change the record, and again before each further takeover."""
    store.alter(KEY, attempt=store.records[KEY].attempt + 1)
    store.before["take_over"] = partial(change_again, store)


@pytest.mark.parametrize("interfere", [change_again, lambda store: store.records.clear()])
def test_a_contended_record_is_left_for_the_next_delivery(
    runtime: FakeRuntime, interfere: Callable[[FakeLedgerStore], object]
) -> None:
    """The races for one record are limited, and a deleted one is not created again."""
    _put(runtime, status=Status.RETRY)
    runtime.store.before["take_over"] = partial(interfere, runtime.store)
    with pytest.raises(errors.TransientFailure, match="claim_contended"):
        _acquire(runtime)


@pytest.mark.parametrize("status", Status)
def test_a_record_of_another_channel_is_unchanged(runtime: FakeRuntime, status: Status) -> None:
    """One conversation id on two channels: the other channel's record is not this one's."""
    _put(runtime, status=status, attributes={"channel_method": "sms"})
    before = runtime.record
    with pytest.raises(errors.UnrecognizedRecord, match="record_of_another_channel"):
        _acquire(runtime)
    assert before == runtime.record


def test_repeated_writes_are_recognized_as_our_own(runtime: FakeRuntime, held: Lease) -> None:
    """A checkpoint and an intent that the SDK repeats are written once."""
    runtime.store.fail("checkpoint_answer", Fault.REPEATED)
    runtime.leases.checkpoint_answer(held, ANSWER)
    assert ANSWER == runtime.record.answer
    runtime.store.fail("record_intent", Fault.REPEATED)
    runtime.leases.record_intent(held, INTENT, ANSWER)
    assert (Status.SENDING, INTENT) == (runtime.record.status, runtime.record.intent)


def test_a_lease_is_valid_from_its_last_renewal_on(runtime: FakeRuntime, held: Lease) -> None:
    """Each renewal gives the full length again; after it the holder stops."""
    guard = LeaseGuard(runtime.leases, held)
    runtime.clock.advance(50)
    guard.renew()
    assert START + 50 + LEASE_SECONDS == runtime.record.lease_expires_at
    runtime.clock.advance(LEASE_SECONDS - 0.1)
    guard.check()
    runtime.clock.advance(0.1)
    with pytest.raises(errors.LeaseLost, match="lease_lapsed"):
        guard.check()


def test_a_renewal_that_finds_another_lease_ends_ours(runtime: FakeRuntime, held: Lease) -> None:
    """The lease is over before its time."""
    guard = LeaseGuard(runtime.leases, held)
    _put(runtime)
    with pytest.raises(errors.LeaseLost):
        guard.renew()
    with pytest.raises(errors.LeaseLost):
        guard.check()


class TestFakeLedgerStore(LedgerContract):
    """The fake table keeps the contract that the real one keeps."""

    @pytest.fixture
    def store(self) -> FakeLedgerStore:
        """An empty table."""
        return FakeLedgerStore()

    @pytest.fixture
    def release(self, store: FakeLedgerStore) -> Callable[[], None]:
        """The operator's tool."""
        return lambda: store.alter(KEY, status=Status.RETRY)

    @pytest.fixture
    def decide(self, store: FakeLedgerStore) -> Decide:
        """The operator's tool."""

        def decide(held: HeldDraft, decision: Answer | Failure) -> None:
            if isinstance(decision, Failure):
                store.reject_held_draft(held, KEY, decision)
            else:
                store.approve_draft(held, KEY, decision, START)

        return decide

    @pytest.fixture
    def approved(self, store: FakeLedgerStore) -> FakeLedgerStore:
        """The table itself."""
        return store

    @pytest.fixture
    def erase(self, store: FakeLedgerStore) -> Callable[[float], None]:
        """The operator's tool."""
        return partial(store.erased.__setitem__, KEY.primary_channel)

    @pytest.fixture
    def unavailable(self) -> FakeLedgerStore:
        """A table that is down."""
        store = FakeLedgerStore()
        for call in STEPS:
            store.fail(call, Fault.UNAVAILABLE)
        return store
