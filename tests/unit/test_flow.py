"""The flow of one message: what is written, generated and sent, and what happens out of time."""

from dataclasses import replace

import pytest

from lambda_src.core.contract import Status, Step
from lambda_src.core.errors import (
    AttemptsExhausted,
    CredentialsRefused,
    LeaseLost,
    LedgerUnavailable,
    RateLimited,
    RecipientErased,
    RejectedContext,
    SendDeclaredUnknown,
    SendOutcomeUnknown,
    TerminalState,
    TransientFailure,
)
from lambda_src.core.ledger import Intent, RecipientSuppressed
from lambda_src.core.models import Outcome, OutgoingMessage
from lambda_src.core.time_budget import MAX_SEND_DELAY_SECONDS
from tests.support import contexts
from tests.support.clock import START
from tests.support.fake_ledger import Record
from tests.support.fakes import ANSWER, Fault, UnexpectedTestError
from tests.support.records import failure
from tests.support.runtime import (
    FIRST_CONTACT,
    FUNCTION_TIMEOUT,
    KEY,
    LEASE_SECONDS,
    TWILIO,
    FakeRuntime,
)

THEIRS = Record(KEY, Status.PROCESSING, START, owner="other", attempt=2)
"""The record of another worker, which took over."""


def test_a_context_object_becomes_one_message(runtime: FakeRuntime) -> None:
    """One answer is billed, one template message sent, three writes made, secrets are cached."""
    assert Outcome.SENT is runtime.process()
    expected = OutgoingMessage(
        contexts.SENDER, contexts.RECIPIENT, template_sid="HX1", variables=ANSWER.variables
    )
    assert [expected] == [sent.message for sent in runtime.sender.sent]
    assert (1, 1) == (len(runtime.generator.billed), runtime.sender.attempts)
    assert ["create", "record_intent", "record_sent"] == runtime.store.writes
    assert [] == runtime.secrets.fresh_reads


def test_a_secret_without_a_template_sends_free_text(runtime: FakeRuntime) -> None:
    """Without a template the AI's text is the message."""
    credentials = replace(TWILIO, template_sid=None)
    runtime.secrets.twilio_credentials.stored[contexts.TWILIO_SECRET] = credentials
    runtime.assistants.definitions["first_contact"] = replace(FIRST_CONTACT, variables={})
    runtime.generator.answer = replace(ANSWER, text="Hello Amara", variables={})
    runtime.process()
    expected = OutgoingMessage(contexts.SENDER, contexts.RECIPIENT, body="Hello Amara")
    assert [expected] == [sent.message for sent in runtime.sender.sent]


def test_the_records_follow_the_send(runtime: FakeRuntime) -> None:
    """The intent is recorded while the message is being sent; then sid, answer and duration."""
    seen: list[Record] = []
    runtime.while_generating(lambda: runtime.clock.advance(2.5))
    runtime.sender.during = lambda: seen.append(runtime.record)
    runtime.process()
    [record] = seen
    assert (Status.SENDING, ANSWER) == (record.status, record.answer)
    at = START + 2.5
    assert Intent(at, at + runtime.times.max_send_duration) == record.intent
    sent = runtime.record.sent
    assert sent
    assert (Status.SENT, runtime.sender.sent[0].sid) == (runtime.record.status, runtime.record.sid)
    assert (ANSWER, at, 2500) == (sent.answer, sent.sent_at, sent.processing_time_ms)


def test_the_first_record_has_the_context(runtime: FakeRuntime) -> None:
    """The lease's write stores the context object's attributes."""
    context = contexts.parse(contexts.complete())
    runtime.generator.answer = replace(ANSWER, variables={"1": "Amara"})
    runtime.process(context)
    assert context.attributes == runtime.record.attributes


def test_the_lease_is_renewed_until_the_intent(runtime: FakeRuntime) -> None:
    """Heartbeats renew it while the AI writes; from the intent on its deadline counts."""
    expiries: list[float] = []

    def write_slowly() -> None:
        runtime.clock.advance(25)
        runtime.heartbeat.beat()
        expiries.append(runtime.record.lease_expires_at)

    runtime.while_generating(write_slowly)
    runtime.sender.during = runtime.heartbeat.beat
    runtime.process()
    assert [START + 25 + LEASE_SECONDS] == expiries
    assert ([], {}) == (runtime.heartbeat.renewal_errors, runtime.heartbeat.leases)
    assert 1 == runtime.store.writes.count("renew")


def test_an_answer_of_an_earlier_attempt_is_sent(runtime: FakeRuntime) -> None:
    """A stored answer is sent without asking the AI again."""
    stored = replace(ANSWER, message_id="resp_stored")
    runtime.store.records[KEY] = Record(
        KEY, Status.RETRY, START, "earlier", 1, answer=stored, failure=failure(Status.RETRY)
    )
    assert Outcome.SENT is runtime.process(receive_count=2)
    assert ["take_over", "record_intent", "record_sent"] == runtime.store.writes
    assert ([], 1) == (runtime.generator.billed, len(runtime.sender.sent))
    assert runtime.record.sent
    assert "resp_stored" == runtime.record.sent.answer.message_id


def test_a_sent_message_is_not_sent_again(runtime: FakeRuntime) -> None:
    """A second delivery does nothing, and may be deleted."""
    runtime.process()
    assert Outcome.ALREADY_PROCESSED is runtime.process(receive_count=2)
    assert (1, 1) == (runtime.sender.attempts, len(runtime.generator.billed))


@pytest.mark.parametrize("status", [Status.FAILED, Status.SEND_UNKNOWN])
def test_a_terminal_state_calls_no_vendor(runtime: FakeRuntime, status: Status) -> None:
    """Nothing is generated, sent or written."""
    runtime.store.records[KEY] = Record(KEY, status, START, owner="earlier", attempt=1)
    with pytest.raises(TerminalState):
        runtime.process(receive_count=2)
    assert ([], 0) == (runtime.generator.billed, runtime.sender.attempts)
    assert (status, []) == (runtime.record.status, runtime.store.writes)


def test_a_rejected_context_is_recorded_if_its_key_is_known(runtime: FakeRuntime) -> None:
    """The record has the reason and the router's request; without a key nothing is written."""
    runtime.flow.reject(runtime.delivery(), RejectedContext("body_not_json", []))
    assert {} == runtime.store.records
    rejected = RejectedContext("consent_not_given", [], key=KEY, request_id="request-1")
    runtime.flow.reject(runtime.delivery(), rejected)
    assert runtime.record.failure
    assert (Status.FAILED, "consent_not_given", "parse", "request-1") == (
        runtime.record.status,
        runtime.record.failure.code,
        runtime.record.failure.step,
        runtime.record.request_id,
    )


def test_a_retry_of_a_suppressed_recipient_is_ended(runtime: FakeRuntime) -> None:
    """The recipient opted out since the first attempt: nothing is generated or sent."""
    runtime.store.records[KEY] = Record(KEY, Status.RETRY, START, "earlier", 1)
    runtime.store.suppressed.add(contexts.RECIPIENT)
    with pytest.raises(RecipientSuppressed):
        runtime.process(receive_count=2)
    assert runtime.record.failure
    expected = (Status.FAILED, "recipient_suppressed")
    assert expected == (runtime.record.status, runtime.record.failure.code)
    assert ([], 0) == (runtime.generator.billed, runtime.sender.attempts)


def test_nothing_is_recorded_of_an_erased_recipient(runtime: FakeRuntime) -> None:
    """A message that was requested before the erasure is dropped, valid or not."""
    runtime.store.erased[contexts.RECIPIENT] = START
    with pytest.raises(RecipientErased):
        runtime.process()
    with pytest.raises(RecipientErased):
        runtime.flow.reject(runtime.delivery(), RejectedContext("consent_not_given", [], key=KEY))
    assert ({}, []) == (runtime.store.records, runtime.generator.billed)


def test_a_retry_is_not_billed_again(runtime: FakeRuntime) -> None:
    """After a send that was refused for now, the next delivery sends the first one's answer."""
    runtime.sender.fail(RateLimited("twilio_20429", Step.SEND))
    with pytest.raises(RateLimited):
        runtime.process()
    assert Outcome.SENT is runtime.process(receive_count=2)
    assert (1, 1) == (len(runtime.generator.billed), len(runtime.sender.sent))


def test_rotated_credentials_are_read_again(runtime: FakeRuntime) -> None:
    """Credentials that were changed at the vendor cost one attempt, and no delivery."""
    runtime.process()
    runtime.sender.auth_token = "token-2"
    rotated = replace(TWILIO, auth_token="token-2")
    runtime.secrets.twilio_credentials.stored[contexts.TWILIO_SECRET] = rotated
    other = contexts.changed("conversation_data.conversation_id", "conversation-2")
    assert Outcome.SENT is runtime.process(contexts.parse(other))
    assert [contexts.TWILIO_SECRET] == runtime.secrets.fresh_reads
    assert (3, 2) == (runtime.sender.attempts, len(runtime.sender.sent))


@pytest.mark.parametrize("took", [10, 100])
@pytest.mark.parametrize(
    "error", [SendOutcomeUnknown("twilio_500", Step.SEND), UnexpectedTestError()]
)
def test_an_unknown_outcome_comes_back_after_its_deadline(
    runtime: FakeRuntime, error: Exception, took: float
) -> None:
    """The next delivery comes when the sender has certainly given up, or at once if it has."""
    runtime.sender.during = lambda: runtime.clock.advance(took)
    runtime.sender.fail(error)
    with pytest.raises(SendOutcomeUnknown) as unknown:
        runtime.process()
    assert max(0, runtime.times.max_send_duration - took) == unknown.value.retry_in


def test_the_final_delivery_keeps_the_last_failure(runtime: FakeRuntime) -> None:
    """It sends nothing, and the dead-letter message's record still has the reason."""
    runtime.sender.fail(TransientFailure("twilio_20429", Step.SEND))
    with pytest.raises(TransientFailure):
        runtime.process()
    with pytest.raises(AttemptsExhausted):
        runtime.process(receive_count=runtime.queue.max_receives)
    assert runtime.record.failure
    assert "the last failure was twilio_20429" == runtime.record.failure.detail
    assert 1 == runtime.sender.attempts


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.ANSWER_LOST, Fault.REFUSED])
@pytest.mark.parametrize("call", ["create", "record_intent"])
def test_a_write_without_an_answer_sends_nothing(
    runtime: FakeRuntime, call: str, fault: Fault
) -> None:
    """Whether it was applied or not: nothing goes out, and without a lease nothing is billed."""
    runtime.store.fail(call, fault)
    with pytest.raises(TransientFailure):
        runtime.process()
    assert 0 == runtime.sender.attempts
    if call == "create":
        assert [] == runtime.generator.billed
    else:
        assert Status.RETRY is runtime.record.status


def test_an_intent_is_undone_when_the_table_answers_again(runtime: FakeRuntime) -> None:
    """A short outage that begins with the intent leaves a record in `retry`."""
    runtime.store.fail("record_intent", Fault.ANSWER_LOST)
    runtime.store.fail("record_failure", Fault.UNAVAILABLE, 3)
    with pytest.raises(LedgerUnavailable):
        runtime.process()
    assert Status.RETRY is runtime.record.status
    assert Outcome.SENT is runtime.process(receive_count=2)


def test_an_intent_that_cannot_be_undone_is_reconciled(runtime: FakeRuntime) -> None:
    """A record left `sending` is never sent again."""
    runtime.store.fail("record_intent", Fault.ANSWER_LOST)
    runtime.store.fail("record_failure", Fault.UNAVAILABLE, 10_000)
    with pytest.raises(LedgerUnavailable):
        runtime.process()
    runtime.clock.advance(runtime.times.max_send_duration)
    runtime.begin_invocation()
    with pytest.raises(SendDeclaredUnknown):
        runtime.process(receive_count=runtime.queue.max_receives)
    assert (Status.SEND_UNKNOWN, 0) == (runtime.record.status, runtime.sender.attempts)


def test_a_record_too_large_is_recorded_without_its_content(runtime: FakeRuntime) -> None:
    """Nothing of the context object but its key is stored."""
    runtime.store.fail("create", Fault.TOO_LARGE)
    runtime.batch().handle([runtime.delivery(contexts.body(contexts.valid()))])
    assert (Status.FAILED, {}) == (runtime.record.status, runtime.record.attributes)


# --- time


def lose_lease(runtime: FakeRuntime) -> None:
    """Let another worker take over while the AI writes."""
    runtime.while_generating(lambda: runtime.store.records.update({KEY: THEIRS}))


def test_a_lost_lease_sends_and_records_nothing(runtime: FakeRuntime) -> None:
    """The record is the other worker's, also if the AI failed."""
    lose_lease(runtime)
    with pytest.raises(LeaseLost):
        runtime.process()
    assert (THEIRS, 0) == (runtime.record, runtime.sender.attempts)

    runtime.store.records.clear()
    runtime.generator.fail(TransientFailure("openai_500", Step.AI))
    with pytest.raises(TransientFailure):
        runtime.process()
    assert THEIRS == runtime.record


def test_an_expired_lease_sends_nothing(runtime: FakeRuntime) -> None:
    """Another worker may take over at any time: no intent is recorded."""
    runtime.while_generating(lambda: runtime.clock.advance(LEASE_SECONDS))
    with pytest.raises(LeaseLost):
        runtime.process()
    assert (Status.PROCESSING, 0) == (runtime.record.status, runtime.sender.attempts)


def test_an_expired_lease_is_not_billed(runtime: FakeRuntime) -> None:
    """Another worker may have an answer by now: it is not paid for a second time."""
    runtime.secrets.during = lambda: runtime.clock.advance(LEASE_SECONDS)
    with pytest.raises(LeaseLost):
        runtime.process()
    assert [] == runtime.generator.billed


def test_a_worker_that_stalls_after_its_intent_does_not_send(runtime: FakeRuntime) -> None:
    """Others may look it up already while a late send is still in progress."""
    runtime.store.before["record_intent"] = lambda: runtime.clock.advance(MAX_SEND_DELAY_SECONDS)
    assert Outcome.SENT is runtime.process()

    runtime.store.records.clear()
    runtime.store.before["record_intent"] = lambda: runtime.clock.advance(
        MAX_SEND_DELAY_SECONDS + 0.1
    )
    with pytest.raises(TransientFailure, match="stalled_before_send"):
        runtime.process()
    assert (Status.RETRY, 1) == (runtime.record.status, runtime.sender.attempts)


@pytest.mark.parametrize(("slow", "fresh_reads"), [("send", 0), ("secret", 1)])
def test_a_second_attempt_with_fresh_credentials_must_be_in_time(
    runtime: FakeRuntime, slow: str, fresh_reads: int
) -> None:
    """Too late, the refusal stands, which raises an alarm."""

    def take_too_long() -> None:
        runtime.clock.advance(MAX_SEND_DELAY_SECONDS + 0.1)

    def read_slowly() -> None:
        runtime.secrets.during = take_too_long

    runtime.sender.during = take_too_long if slow == "send" else read_slowly
    runtime.sender.fail(CredentialsRefused("twilio_20003", Step.SEND))
    with pytest.raises(CredentialsRefused):
        runtime.process()
    assert (Status.RETRY, 1) == (runtime.record.status, runtime.sender.attempts)
    assert fresh_reads == len(runtime.secrets.fresh_reads)


def test_a_delivery_without_time_acquires_no_lease(runtime: FakeRuntime) -> None:
    """Too late for a send, the message comes back at once."""
    runtime.clock.advance(FUNCTION_TIMEOUT - runtime.times.acquire_reserve + 0.1)
    with pytest.raises(TransientFailure) as late:
        runtime.process()
    assert ("out_of_time", 0) == (late.value.code, late.value.retry_in)
    assert {} == runtime.store.records


def test_an_answer_that_comes_too_late_is_sent_by_the_next_delivery(runtime: FakeRuntime) -> None:
    """It is stored, and billed once."""
    runtime.deadline = START + runtime.times.send_reserve + 30
    runtime.while_generating(lambda: runtime.clock.advance(30.5))
    with pytest.raises(TransientFailure) as late:
        runtime.process()
    assert ("out_of_time", 0) == (late.value.code, late.value.retry_in)
    expected = (Status.RETRY, ANSWER, 0)
    assert expected == (runtime.record.status, runtime.record.answer, runtime.sender.attempts)
    runtime.begin_invocation()
    assert Outcome.SENT is runtime.process(receive_count=2)
    assert (1, 1) == (len(runtime.generator.billed), len(runtime.sender.sent))


def test_a_late_answer_of_a_lost_lease_is_not_stored(runtime: FakeRuntime) -> None:
    """An answer is stored under the lease or not at all."""

    def lose_lease_and_time() -> None:
        runtime.clock.advance(FUNCTION_TIMEOUT - 1)
        runtime.store.records[KEY] = THEIRS

    runtime.while_generating(lose_lease_and_time)
    with pytest.raises(LeaseLost):
        runtime.process()
    assert THEIRS == runtime.record


def test_the_reserve_covers_the_send_and_its_record(runtime: FakeRuntime) -> None:
    """What is reserved is enough for a stall, the vendor's timeout and the final write."""
    longest = MAX_SEND_DELAY_SECONDS + runtime.times.twilio_timeout
    assert runtime.times.send_reserve > longest
    assert runtime.times.max_send_duration > longest
