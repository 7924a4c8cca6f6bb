"""The ledger: the transition table, acquiring and keeping a lease, and the fake's contract."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from lambda_src.core.contract import Status
from lambda_src.core.errors import (
    LeaseHeld,
    LeaseLost,
    LedgerUnavailable,
    PermanentFailure,
    TerminalState,
    TransientFailure,
    UnrecognizedRecord,
)
from lambda_src.core.ledger import Intent, Lease, LeaseGuard, LedgerRecord, NextAction, next_action
from tests.support import contexts
from tests.support.clock import START
from tests.support.fake_ledger import STEPS, FakeLedgerStore, Record
from tests.support.fakes import ANSWER, Fault
from tests.support.ledger_contract import LedgerContract
from tests.support.records import INTENT, failure, ledger_record
from tests.support.runtime import KEY, LEASE_SECONDS, FakeRuntime

VALID, EXPIRED, EXPIRING = START + 0.001, START - 60, START
MINE, OTHERS = "owner-1", "owner-2"
ACTIONS = {
    (Status.SENT, OTHERS, VALID): NextAction.ACKNOWLEDGE,
    (Status.SENT, MINE, EXPIRED): NextAction.ACKNOWLEDGE,
    (Status.FAILED, OTHERS, VALID): NextAction.REJECT,
    (Status.FAILED, MINE, EXPIRED): NextAction.REJECT,
    (Status.SEND_UNKNOWN, OTHERS, VALID): NextAction.REJECT,
    (Status.SEND_UNKNOWN, MINE, EXPIRED): NextAction.REJECT,
    (Status.SENDING, OTHERS, VALID): NextAction.RECONCILE,
    (Status.SENDING, MINE, VALID): NextAction.RECONCILE,
    (Status.SENDING, OTHERS, EXPIRED): NextAction.RECONCILE,
    (Status.RETRY, OTHERS, VALID): NextAction.TAKE_OVER,
    (Status.RETRY, OTHERS, EXPIRED): NextAction.TAKE_OVER,
    (Status.RETRY, MINE, VALID): NextAction.TAKE_OVER,
    (Status.PROCESSING, MINE, VALID): NextAction.RESUME,
    (Status.PROCESSING, MINE, EXPIRED): NextAction.RESUME,
    (Status.PROCESSING, OTHERS, VALID): NextAction.BACK_OFF,
    (Status.PROCESSING, OTHERS, EXPIRING): NextAction.TAKE_OVER,
    (Status.PROCESSING, OTHERS, EXPIRED): NextAction.TAKE_OVER,
}

CONTEXT = contexts.parse(contexts.valid())
OTHER_RECORD = Record(KEY, Status.PROCESSING, START - 100, owner="other", attempt=3)
NEW_LEASE = Lease(KEY, "mine", 1, START + LEASE_SECONDS, START, requested_at=START)
TAKEN_LEASE = replace(NEW_LEASE, attempt=4, answer=ANSWER)


@pytest.mark.parametrize(("state", "expected"), ACTIONS.items())
def test_the_next_action_follows_from_the_record(
    state: tuple[Status, str, float], expected: NextAction
) -> None:
    """Status first, then whose lease it is, then whether it has expired."""
    status, owner, expires_at = state
    record = ledger_record(status=status, owner=owner, lease_expires_at=expires_at)
    assert expected is next_action(record, MINE, START)


def test_the_table_covers_every_status_and_never_resends() -> None:
    """Once an intent is recorded, no state lets another worker send."""
    assert set(Status) == {status for status, _, _ in ACTIONS}
    intended = {Status.SENDING, Status.SENT, Status.SEND_UNKNOWN, Status.FAILED}
    actions = {action for (status, _, _), action in ACTIONS.items() if status in intended}
    assert not {NextAction.RESUME, NextAction.TAKE_OVER} & actions


def put(runtime: FakeRuntime, **changes: object) -> None:
    """Put another worker's record into the table."""
    runtime.store.records[KEY] = OTHER_RECORD
    runtime.store.alter(KEY, **changes)


def acquire(runtime: FakeRuntime) -> Lease | LedgerRecord:
    """Acquire the conversation's lease as `mine`."""
    return runtime.leases.acquire(CONTEXT, "mine", START)


@pytest.fixture
def held(runtime: FakeRuntime) -> Lease:
    """The lease of a conversation that no other worker processes."""
    lease = acquire(runtime)
    assert isinstance(lease, Lease)
    return lease


@pytest.mark.parametrize("fault", [None, Fault.REPEATED])
def test_a_new_conversation_is_acquired(runtime: FakeRuntime, fault: Fault | None) -> None:
    """The first delivery creates the record, also if the SDK repeats the write."""
    if fault:
        runtime.store.fail("create", fault)
    assert NEW_LEASE == acquire(runtime)
    assert ["create"] == runtime.store.writes


def test_a_creation_without_an_answer_acquires_nothing(runtime: FakeRuntime) -> None:
    """The write may have been applied: its owner stops, and others wait for the lease's end."""
    runtime.store.fail("create", Fault.ANSWER_LOST)
    with pytest.raises(LedgerUnavailable):
        acquire(runtime)
    runtime.clock.advance(10)
    with pytest.raises(LeaseHeld) as held:
        runtime.leases.acquire(CONTEXT, "next delivery", START)
    assert LEASE_SECONDS - 10 == held.value.retry_in


@pytest.mark.parametrize("fault", [None, Fault.REPEATED])
def test_a_retry_is_taken_over_with_its_answer(runtime: FakeRuntime, fault: Fault | None) -> None:
    """The next attempt starts where the last one ended, also if the SDK repeats the write."""
    put(runtime, status=Status.RETRY, answer=ANSWER, failure=failure(Status.RETRY))
    if fault:
        runtime.store.fail("take_over", fault)
    # After a repeated write the lease is found as our own, which does not read the failure.
    expected = TAKEN_LEASE if fault else replace(TAKEN_LEASE, last_failure="openai_500")
    assert expected == acquire(runtime)
    assert (Status.PROCESSING, failure(Status.RETRY), 4) == (
        runtime.record.status,
        runtime.record.failure,
        runtime.record.attempt,
    )


def test_an_expired_lease_is_taken_over(runtime: FakeRuntime) -> None:
    """A crashed worker delays a conversation no longer than its lease."""
    put(runtime, lease_expires_at=START)
    taken = acquire(runtime)
    assert isinstance(taken, Lease)
    expected = ("mine", 4)
    assert expected == (taken.owner, taken.attempt)
    assert expected == (runtime.record.owner, runtime.record.attempt)


def test_a_valid_lease_is_respected(runtime: FakeRuntime) -> None:
    """Another worker's message comes back when its lease ends."""
    put(runtime, lease_expires_at=START + 42.5)
    with pytest.raises(LeaseHeld) as held:
        acquire(runtime)
    assert (42.5, "other") == (held.value.retry_in, runtime.record.owner)


@pytest.mark.parametrize("status", [Status.SENT, Status.SENDING])
def test_a_send_is_returned_as_it_is(runtime: FakeRuntime, status: Status) -> None:
    """A conversation whose message is sent or `sending` gives no lease."""
    put(runtime, status=status, sid="SM1", intent=INTENT)
    record = acquire(runtime)
    assert isinstance(record, LedgerRecord)
    assert (status, "SM1", INTENT) == (record.status, record.sid, record.intent)
    assert [] == runtime.store.writes


@pytest.mark.parametrize("status", [Status.FAILED, Status.SEND_UNKNOWN])
def test_a_terminal_state_is_not_attempted_again(runtime: FakeRuntime, status: Status) -> None:
    """What failed, or is an operator's decision, gives no lease."""
    put(runtime, status=status)
    with pytest.raises(TerminalState, match=f"already_{status}"):
        acquire(runtime)


def test_the_loser_of_a_race_finds_the_winner(runtime: FakeRuntime) -> None:
    """The winner holds the lease, or may have sent the message already."""
    put(runtime, status=Status.RETRY)
    runtime.store.before["take_over"] = partial(
        put, runtime, owner="winner", lease_expires_at=VALID
    )
    with pytest.raises(LeaseHeld):
        acquire(runtime)
    assert "winner" == runtime.record.owner

    put(runtime, status=Status.RETRY)
    runtime.store.before["take_over"] = partial(put, runtime, status=Status.SENT, sid="SM1")
    record = acquire(runtime)
    assert isinstance(record, LedgerRecord)
    assert Status.SENT is record.status


def test_a_record_that_keeps_changing_is_left_for_the_next_delivery(runtime: FakeRuntime) -> None:
    """The races for one record are limited."""
    put(runtime, status=Status.RETRY)

    def change_again() -> None:
        runtime.store.alter(KEY, attempt=runtime.record.attempt + 1)
        runtime.store.before["take_over"] = change_again

    runtime.store.before["take_over"] = change_again
    with pytest.raises(TransientFailure, match="claim_contended"):
        acquire(runtime)


def test_a_deleted_record_is_left_for_the_next_delivery(runtime: FakeRuntime) -> None:
    """A record that is deleted between two writes is not created again."""
    put(runtime, status=Status.RETRY)
    runtime.store.before["take_over"] = runtime.store.records.clear
    with pytest.raises(TransientFailure, match="claim_contended"):
        acquire(runtime)


def test_a_record_too_large_is_a_permanent_failure(runtime: FakeRuntime) -> None:
    """What the table cannot store is not attempted again."""
    runtime.store.fail("create", Fault.TOO_LARGE)
    with pytest.raises(PermanentFailure):
        acquire(runtime)


@pytest.mark.parametrize("status", Status)
def test_a_record_of_another_channel_is_unchanged(runtime: FakeRuntime, status: Status) -> None:
    """One conversation id on two channels: the other channel's record is not this one's."""
    put(runtime, status=status, attributes={"channel_method": "sms"})
    before = runtime.record
    with pytest.raises(UnrecognizedRecord, match="record_of_another_channel"):
        acquire(runtime)
    assert before == runtime.record


LEASED_WRITES: dict[str, Callable[[FakeRuntime, Lease], object]] = {
    "renew": lambda runtime, lease: runtime.leases.renew(lease),
    "record_intent": lambda runtime, lease: runtime.leases.record_intent(lease, INTENT, ANSWER),
    "checkpoint": lambda runtime, lease: runtime.leases.checkpoint_answer(lease, ANSWER),
}


@pytest.mark.parametrize("write", LEASED_WRITES.values(), ids=LEASED_WRITES)
@pytest.mark.parametrize("status", [Status.PROCESSING, Status.SENDING, Status.SENT])
def test_every_write_notices_a_lost_lease(
    runtime: FakeRuntime, held: Lease, write: Callable[[FakeRuntime, Lease], object], status: Status
) -> None:
    """Once another worker holds the conversation, nothing of ours is written."""
    put(runtime, status=status)
    with pytest.raises(LeaseLost):
        write(runtime, held)
    assert replace(OTHER_RECORD, status=status) == runtime.record


def test_an_intent_after_the_leases_end_is_refused(runtime: FakeRuntime, held: Lease) -> None:
    """An expired lease sends nothing, although nobody took over."""
    late = Intent(START + LEASE_SECONDS, START + LEASE_SECONDS + 15)
    with pytest.raises(LeaseLost):
        runtime.leases.record_intent(held, late, ANSWER)
    assert Status.PROCESSING is runtime.record.status


def test_repeated_writes_are_recognized_as_our_own(runtime: FakeRuntime, held: Lease) -> None:
    """A checkpoint and an intent that the SDK repeats are written once."""
    runtime.store.fail("checkpoint_answer", Fault.REPEATED)
    runtime.leases.checkpoint_answer(held, ANSWER)
    assert ANSWER == runtime.record.answer
    runtime.store.fail("record_intent", Fault.REPEATED)
    runtime.leases.record_intent(held, INTENT, ANSWER)
    assert (Status.SENDING, INTENT) == (runtime.record.status, runtime.record.intent)


def test_an_intent_without_an_answer_is_not_acted_upon(runtime: FakeRuntime, held: Lease) -> None:
    """Whether it was applied is unknown: nothing may be sent."""
    runtime.store.fail("record_intent", Fault.ANSWER_LOST)
    with pytest.raises(LedgerUnavailable):
        runtime.leases.record_intent(held, INTENT, ANSWER)


def test_a_lease_is_valid_from_its_last_renewal_on(runtime: FakeRuntime, held: Lease) -> None:
    """Each renewal gives the full length again; after it the holder stops."""
    guard = LeaseGuard(runtime.leases, held)
    runtime.clock.advance(50)
    guard.renew()
    assert START + 50 + LEASE_SECONDS == runtime.record.lease_expires_at
    runtime.clock.advance(LEASE_SECONDS - 0.1)
    guard.check()
    runtime.clock.advance(0.1)
    with pytest.raises(LeaseLost, match="lease_lapsed"):
        guard.check()


def test_a_renewal_that_finds_another_lease_ends_ours(runtime: FakeRuntime, held: Lease) -> None:
    """The lease is over before its time."""
    guard = LeaseGuard(runtime.leases, held)
    put(runtime)
    with pytest.raises(LeaseLost):
        guard.renew()
    with pytest.raises(LeaseLost):
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
