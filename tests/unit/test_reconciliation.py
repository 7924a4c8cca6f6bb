"""Reconciling a send with an unknown outcome: found, looked up again or marked; never resent."""

from dataclasses import replace

import pytest

from lambda_src.core.contract import Status, Step
from lambda_src.core.errors import (
    CredentialsRefused,
    FinalUpdateFailed,
    LedgerUnavailable,
    PermanentFailure,
    SendDeclaredUnknown,
    SendOutcomePending,
    SendOutcomeUnknown,
    TransientFailure,
)
from lambda_src.core.models import Outcome
from tests.support import contexts
from tests.support.clock import START
from tests.support.fakes import Fault, UnexpectedTestError
from tests.support.runtime import KEY, TIMES, FakeRuntime

LAST = 10
"""The receive count of the final delivery."""
SEND_DURATION = TIMES.max_send_duration


def pending(runtime: FakeRuntime, receive_count: int = 2) -> SendOutcomePending:
    """Reconcile, without a result so far."""
    with pytest.raises(SendOutcomePending) as raised:
        runtime.process(receive_count=receive_count)
    return raised.value


def marked_unknown(runtime: FakeRuntime, receive_count: int = LAST) -> SendDeclaredUnknown:
    """Reconcile, which marks the send as unknown."""
    with pytest.raises(SendDeclaredUnknown) as raised:
        runtime.process(receive_count=receive_count)
    return raised.value


def redeliver(runtime: FakeRuntime, error: SendOutcomePending) -> None:
    """Let the time pass after which the message is delivered again."""
    assert error.retry_in is not None
    runtime.clock.advance(error.retry_in)
    runtime.begin_invocation()


def test_a_message_found_at_the_vendor_is_recorded(unresolved: FakeRuntime) -> None:
    """Its sid is recorded with the times of the send, and nothing is sent or billed again."""
    unresolved.clock.advance(3600)
    unresolved.begin_invocation()
    assert Outcome.SETTLED is unresolved.process(receive_count=2)
    assert (Status.SENT, unresolved.sender.sent[0].sid) == (
        unresolved.record.status,
        unresolved.record.sid,
    )
    assert (1, 1) == (unresolved.sender.attempts, len(unresolved.generator.billed))
    sent = unresolved.record.sent
    assert sent
    assert (START + 2, 2000) == (sent.sent_at, sent.processing_time_ms)
    assert unresolved.clock() == sent.recorded_at


def test_a_failed_final_write_is_reconciled(runtime: FakeRuntime) -> None:
    """The message is sent: its record stays `sending`, and the next delivery finds the sid."""
    runtime.store.fail("record_sent", Fault.REFUSED)
    with pytest.raises(FinalUpdateFailed):
        runtime.process()
    assert Status.SENDING is runtime.record.status
    runtime.clock.advance(SEND_DURATION)
    runtime.store.fail("record_sent", Fault.REFUSED)
    with pytest.raises(FinalUpdateFailed):  # the repair itself may fail
        runtime.process(receive_count=2)
    assert Outcome.SETTLED is runtime.process(receive_count=3)
    assert runtime.sender.sent[0].sid == runtime.record.sid
    assert (1, 1) == (runtime.sender.attempts, len(runtime.generator.billed))


def test_nothing_is_looked_up_before_the_senders_deadline(unresolved: FakeRuntime) -> None:
    """The sender may still be active: the message comes back when it cannot be."""
    unresolved.clock.advance(-SEND_DURATION + 5)
    unresolved.sender.fail_lookup(UnexpectedTestError())
    error = pending(unresolved)
    assert ("not_yet_looked_for", SEND_DURATION - 5) == (error.code, error.retry_in)


def test_the_final_delivery_looks_up_at_once(unresolved: FakeRuntime) -> None:
    """No delivery follows: what it does not find is marked unknown, whatever the deadline."""
    unresolved.clock.advance(-SEND_DURATION + 5)
    unresolved.sender.is_listing = False
    assert {"looks": 0} == marked_unknown(unresolved).fields
    assert Status.SEND_UNKNOWN is unresolved.record.status


def test_lookups_are_counted_with_increasing_delays(unresolved: FakeRuntime) -> None:
    """Each waits longer for the list; after the last one the send is marked unknown."""
    unresolved.sender.is_listing = False
    delays = []
    for count in (2, 3, 4):
        error = pending(unresolved, count)
        delays.append(error.retry_in)
        redeliver(unresolved, error)
    assert [15.0, 60.0, 300.0] == delays
    assert (Status.SENDING, 3) == (unresolved.record.status, unresolved.record.lookups)
    assert {"looks": 3} == marked_unknown(unresolved, 5).fields
    assert (Status.SEND_UNKNOWN, 1) == (unresolved.record.status, unresolved.sender.attempts)


def test_a_message_listed_late_is_found_by_a_later_lookup(unresolved: FakeRuntime) -> None:
    """The list lagged."""
    unresolved.sender.is_listing = False
    redeliver(unresolved, pending(unresolved))
    unresolved.sender.is_listing = True
    assert Outcome.SETTLED is unresolved.process(receive_count=3)


def test_a_lookup_that_cannot_finish_is_not_started(unresolved: FakeRuntime) -> None:
    """The message comes back at once, and no lookup counts; a final delivery marks it unknown."""
    unresolved.deadline = unresolved.clock() + unresolved.times.lookup_reserve - 0.1
    with pytest.raises(TransientFailure) as late:
        unresolved.process(receive_count=2)
    assert ("out_of_time", 0) == (late.value.code, late.value.retry_in)
    assert (Status.SENDING, 0) == (unresolved.record.status, unresolved.record.lookups)
    marked_unknown(unresolved)


def test_a_send_that_was_never_accepted_is_marked_unknown(runtime: FakeRuntime) -> None:
    """The vendor's list is no proof of absence."""
    runtime.sender.fail(SendOutcomeUnknown("twilio_500", Step.SEND))
    with pytest.raises(SendOutcomeUnknown):
        runtime.process()
    runtime.clock.advance(SEND_DURATION)
    marked_unknown(runtime)
    assert ([], 1) == (runtime.sender.sent, runtime.sender.attempts)


@pytest.mark.parametrize(
    "error",
    [
        TransientFailure("twilio_unreachable", Step.SETTLE),
        TransientFailure("twilio_20005", Step.SETTLE, alarm=True),
        UnexpectedTestError(),
    ],
)
def test_a_list_that_cannot_be_read_is_no_lookup(unresolved: FakeRuntime, error: Exception) -> None:
    """It is read again with backoff; on the final delivery the send is marked unknown."""
    unresolved.sender.fail_lookup(error)
    with pytest.raises(type(error)):
        unresolved.process(receive_count=2)
    assert (Status.SENDING, 0) == (unresolved.record.status, unresolved.record.lookups)
    unresolved.sender.fail_lookup(error)
    marked_unknown(unresolved)


def test_refused_credentials_are_read_again_for_a_lookup(unresolved: FakeRuntime) -> None:
    """They may have been rotated since the send."""
    unresolved.sender.fail_lookup(CredentialsRefused("twilio_20003", Step.SETTLE))
    assert Outcome.SETTLED is unresolved.process(receive_count=2)
    assert [contexts.TWILIO_SECRET] == unresolved.secrets.fresh_reads


@pytest.mark.parametrize(("write", "receive_count"), [("count_lookup", 2), ("mark_unknown", LAST)])
def test_a_message_recorded_elsewhere_is_settled(
    unresolved: FakeRuntime, write: str, receive_count: int
) -> None:
    """Another delivery found the sid first: no alarm."""
    unresolved.sender.is_listing = False
    unresolved.store.before[write] = lambda: unresolved.store.alter(
        KEY, status=Status.SENT, sid="SM1"
    )
    assert Outcome.SETTLED is unresolved.process(receive_count=receive_count)


def test_a_lookup_that_is_not_recorded_does_not_count(unresolved: FakeRuntime) -> None:
    """The next delivery looks up as if there had been none."""
    unresolved.sender.is_listing = False
    unresolved.store.fail("count_lookup", Fault.UNAVAILABLE)
    with pytest.raises(LedgerUnavailable):
        unresolved.process(receive_count=2)
    assert 15.0 == pending(unresolved, 3).retry_in


def test_a_duplicate_does_not_shorten_the_schedule(unresolved: FakeRuntime) -> None:
    """A delivery before the next lookup waits for it."""
    unresolved.sender.is_listing = False
    pending(unresolved)
    unresolved.clock.advance(5)
    error = pending(unresolved, 3)
    expected = ("not_yet_looked_for", 10.0, 1)
    assert expected == (error.code, error.retry_in, unresolved.record.lookups)


def test_an_invalid_secret_keeps_the_send_open(unresolved: FakeRuntime) -> None:
    """A secret can be corrected: the lookup backs off and does not count."""
    unresolved.secrets.fail("credentials", PermanentFailure("secret_malformed", Step.SECRETS))
    error = pending(unresolved)
    assert ("secret_malformed", None) == (error.code, error.retry_in)
    assert (Status.SENDING, 0) == (unresolved.record.status, unresolved.record.lookups)


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.REFUSED, Fault.UNEXPECTED])
def test_an_unknown_send_that_cannot_be_recorded_raises_the_alarm(
    unresolved: FakeRuntime, fault: Fault
) -> None:
    """The record stays `sending`, which is never sent again either."""
    unresolved.sender.is_listing = False
    unresolved.store.fail("mark_unknown", fault)
    marked_unknown(unresolved)
    assert Status.SENDING is unresolved.record.status


def test_without_the_queues_limit_there_is_no_final_delivery(unresolved: FakeRuntime) -> None:
    """The schedule ends the lookups."""
    unresolved.queue.error = TransientFailure("queue_unavailable", Step.SETTLE)
    unresolved.sender.is_listing = False
    assert "not_listed_yet" == pending(unresolved, LAST).code


# --- matching


def add_other(runtime: FakeRuntime, **changes: object) -> None:
    """Add another conversation with the same recipient and text, also unresolved."""
    key = replace(KEY, conversation_id="other")
    runtime.store.records[key] = replace(runtime.record, key=key, **changes)  # type: ignore[arg-type]


def not_matched(runtime: FakeRuntime) -> SendOutcomePending:
    """Reconcile; the listed message is not taken."""
    error = pending(runtime)
    assert "not_listed_yet" == error.code
    return error


def test_another_conversations_sid_is_not_taken(unresolved: FakeRuntime) -> None:
    """The same text to the same person, recorded by another conversation."""
    add_other(unresolved, sid=unresolved.sender.sent[0].sid)
    not_matched(unresolved)


def test_a_message_from_before_the_intent_is_not_taken(unresolved: FakeRuntime) -> None:
    """The same text, sent earlier."""
    unresolved.sender.sent = [replace(unresolved.sender.sent[0], at=START - 10)]
    not_matched(unresolved)


def test_without_the_related_records_nothing_is_taken(unresolved: FakeRuntime) -> None:
    """The sid may be another conversation's."""
    unresolved.store.fail("related_records", Fault.UNAVAILABLE)
    with pytest.raises(LedgerUnavailable):
        unresolved.process(receive_count=2)
    assert Status.SENDING is unresolved.record.status


@pytest.mark.parametrize("status", [Status.SENDING, Status.SEND_UNKNOWN])
def test_one_message_for_two_conversations_is_not_taken(
    unresolved: FakeRuntime, status: Status
) -> None:
    """Both wait for a message of their text: an operator decides."""
    add_other(unresolved, status=status)
    not_matched(unresolved)


@pytest.mark.parametrize(("others_head_start", "place"), [(-1, 0), (1, 1)])
def test_one_message_for_each_conversation_is_assigned_in_order(
    unresolved: FakeRuntime, others_head_start: float, place: int
) -> None:
    """Two conversations of the same text and two messages: each takes its own."""
    intent = unresolved.record.intent
    assert intent
    add_other(unresolved, intent=replace(intent, at=intent.at - others_head_start))
    unresolved.sender.sent.append(replace(unresolved.sender.sent[0], sid="SM2"))
    assert Outcome.SETTLED is unresolved.process(receive_count=2)
    assert unresolved.sender.sent[place].sid == unresolved.record.sid


def test_conversations_of_another_channel_or_text_do_not_matter(unresolved: FakeRuntime) -> None:
    """Their messages are in another list, or are not mistaken for this one."""
    answer = unresolved.record.answer
    assert answer
    add_other(unresolved, answer=replace(answer, variables={"1": "Bo", "2": "Else."}))
    assert Outcome.SETTLED is unresolved.process(receive_count=2)

    unresolved.store.alter(KEY, status=Status.SENDING, sid="", answer=answer)
    add_other(unresolved, attributes={"channel_method": "sms"})
    assert Outcome.SETTLED is unresolved.process(receive_count=2)


def test_an_ambiguous_message_waits_for_the_other_conversation(unresolved: FakeRuntime) -> None:
    """Another conversation's values contain ours: once it is resolved, ours is matched."""
    answer = unresolved.record.answer
    assert answer
    more = {name: f"{text} More." for name, text in answer.variables.items()}
    add_other(unresolved, answer=replace(answer, variables=more))
    error = not_matched(unresolved)

    other = replace(KEY, conversation_id="other")
    unresolved.store.alter(other, status=Status.SENT, sid="SM of the other")
    redeliver(unresolved, error)
    assert Outcome.SETTLED is unresolved.process(receive_count=3)
