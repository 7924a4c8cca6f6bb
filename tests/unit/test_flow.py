"""The flow of one message: what is written, generated and sent, out of time, and if it fails."""

from dataclasses import replace
from logging import CRITICAL

import pytest

from lambda_src.core import errors
from lambda_src.core.contract import LogEvent, Status, Step
from lambda_src.core.ledger import DraftState, Failure, Intent
from lambda_src.core.models import Outcome, OutgoingMessage, RecordKey
from lambda_src.core.time_budget import (
    AWS_CALL_SECONDS,
    MAX_SEND_DELAY_SECONDS,
    SHUTDOWN_RESERVE_SECONDS,
)
from tests.support import contexts
from tests.support.clock import START
from tests.support.fake_ledger import Record
from tests.support.fakes import ANSWER, Fault, UnexpectedTestError
from tests.support.logs import LogLines
from tests.support.records import HELD_LEASE, SENT
from tests.support.runtime import FUNCTION_TIMEOUT, KEY, LEASE_SECONDS, TWILIO, FakeRuntime

THEIRS = Record(KEY, Status.PROCESSING, START, owner="other", attempt=2)
"""The record of another worker, which took over."""


def test_a_context_object_becomes_one_message(runtime: FakeRuntime) -> None:
    """One answer is billed, one template message sent, three writes made, secrets are cached."""
    assert Outcome.SENT is runtime.process()
    (sent,) = runtime.sender.sent
    assert (sent.message.intent_id,) == runtime.record.intent_ids
    expected = OutgoingMessage(
        contexts.SENDER,
        contexts.RECIPIENT,
        template_id="HX1",
        variables=ANSWER.variables,
        conversation_id=contexts.CONVERSATION,
        intent_id=sent.message.intent_id,
        tenant="harbour",
        company_name="Harbour Logistics",
        channel_config=contexts.valid()["company_data_payload"]["channel_config"]["whatsapp"],
    )
    assert expected == sent.message
    assert (1, 1) == (len(runtime.generator.billed), runtime.sender.attempts)
    assert ["create", "record_intent", "record_sent"] == runtime.store.writes
    assert [] == runtime.secrets.fresh_reads


def test_the_records_follow_the_send(runtime: FakeRuntime) -> None:
    """The lease has the context, the intent the answer; then sid and duration follow."""
    context = contexts.parse(contexts.valid())
    seen: list[Record] = []
    runtime.while_generating(lambda: runtime.clock.advance(2.5))
    runtime.sender.during = lambda: seen.append(runtime.record)
    runtime.process(context)
    [record] = seen
    assert (Status.SENDING, ANSWER) == (record.status, record.answer)
    at = START + 2.5
    assert record.intent
    intent_id = record.intent.id
    assert Intent(at, at + runtime.times.max_send_duration, intent_id) == record.intent
    assert 22 == len(intent_id)  # 128 bits
    sent = runtime.record.sent
    assert sent
    assert (Status.SENT, runtime.sender.sent[0].sid) == (
        runtime.record.status,
        runtime.record.vendor_id,
    )
    assert (ANSWER, at, 2500) == (sent.answer, sent.sent_at, sent.processing_time_ms)
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


@pytest.mark.parametrize("took", [10, 100])
@pytest.mark.parametrize(
    "error", [errors.SendOutcomeUnknown("twilio_500", Step.SEND), UnexpectedTestError()]
)
def test_an_unknown_outcome_comes_back_after_its_deadline(
    runtime: FakeRuntime, error: Exception, took: float
) -> None:
    """The next delivery comes when the sender has certainly given up, or at once if it has."""
    runtime.sender.during = lambda: runtime.clock.advance(took)
    runtime.sender.fail(error)
    with pytest.raises(errors.SendOutcomeUnknown) as unknown:
        runtime.process()
    assert max(0, runtime.times.max_send_duration - took) == unknown.value.retry_in


def test_the_final_delivery_keeps_the_last_failure(runtime: FakeRuntime) -> None:
    """It sends nothing, and the dead-letter message's record still has the reason."""
    runtime.sender.fail(errors.TransientFailure("twilio_20429", Step.SEND))
    with pytest.raises(errors.TransientFailure):
        runtime.process()
    with pytest.raises(errors.AttemptsExhausted):
        runtime.process(receive_count=runtime.queue.max_receives)
    assert runtime.record.failure
    assert "the last failure was twilio_20429" == runtime.record.failure.detail
    assert 1 == runtime.sender.attempts


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.ANSWER_LOST, Fault.REFUSED])
@pytest.mark.parametrize("call", ["create", "record_intent"])
def test_an_unanswered_write_sends_nothing(runtime: FakeRuntime, call: str, fault: Fault) -> None:
    """Whether it was applied or not: nothing goes out, and without a lease nothing is billed."""
    runtime.store.fail(call, fault)
    with pytest.raises(errors.TransientFailure):
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
    with pytest.raises(errors.LedgerUnavailable):
        runtime.process()
    assert Status.RETRY is runtime.record.status
    assert Outcome.SENT is runtime.process(receive_count=2)


def test_an_intent_that_cannot_be_undone_is_reconciled(runtime: FakeRuntime) -> None:
    """A record left `sending` is never sent again."""
    runtime.store.fail("record_intent", Fault.ANSWER_LOST)
    runtime.store.fail("record_failure", Fault.UNAVAILABLE, 10_000)
    with pytest.raises(errors.LedgerUnavailable):
        runtime.process()
    runtime.clock.advance(runtime.times.max_send_duration)
    runtime.begin_invocation()
    with pytest.raises(errors.SendDeclaredUnknown):
        runtime.process(receive_count=runtime.queue.max_receives)
    assert (Status.SEND_UNKNOWN, 0) == (runtime.record.status, runtime.sender.attempts)


# --- time


@pytest.mark.parametrize(
    ("took", "error", "raised"),
    [
        (0, None, errors.LeaseLost),
        (FUNCTION_TIMEOUT - 1, None, errors.LeaseLost),
        (0, errors.TransientFailure("openai_500", Step.AI), errors.TransientFailure),
    ],
)
def test_a_lost_lease_sends_and_records_nothing(
    runtime: FakeRuntime, took: float, error: Exception | None, raised: type[Exception]
) -> None:
    """The record is the other worker's, also if the AI failed or its answer comes too late."""

    def lose_lease() -> None:
        runtime.clock.advance(took)
        runtime.store.records[KEY] = THEIRS

    runtime.while_generating(lose_lease)
    if error:
        runtime.generator.fail(error)
    with pytest.raises(raised):
        runtime.process()
    assert (THEIRS, 0) == (runtime.record, runtime.sender.attempts)


@pytest.mark.parametrize(("slow", "billed"), [("secrets", 0), ("generator", 1)])
def test_an_expired_lease_sends_nothing(runtime: FakeRuntime, slow: str, billed: int) -> None:
    """Another worker may take over, and have an answer that is not paid for a second time."""
    getattr(runtime, slow).during = lambda *_: runtime.clock.advance(LEASE_SECONDS)
    with pytest.raises(errors.LeaseLost):
        runtime.process()
    expected = (Status.PROCESSING, billed, 0)
    calls = (len(runtime.generator.billed), runtime.sender.attempts)
    assert expected == (runtime.record.status, *calls)


def test_a_worker_that_stalls_after_its_intent_does_not_send(runtime: FakeRuntime) -> None:
    """Others may look it up already while a late send is still in progress."""
    runtime.store.before["record_intent"] = lambda: runtime.clock.advance(MAX_SEND_DELAY_SECONDS)
    assert Outcome.SENT is runtime.process()

    runtime.store.records.clear()
    late = MAX_SEND_DELAY_SECONDS + 0.1
    runtime.store.before["record_intent"] = lambda: runtime.clock.advance(late)
    with pytest.raises(errors.TransientFailure, match="stalled_before_send"):
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
    runtime.sender.fail(errors.CredentialsRefused("twilio_20003", Step.SEND))
    with pytest.raises(errors.CredentialsRefused):
        runtime.process()
    assert (Status.RETRY, 1) == (runtime.record.status, runtime.sender.attempts)
    assert fresh_reads == len(runtime.secrets.fresh_reads)


@pytest.mark.parametrize(("approved_by", "ended"), [("", Outcome.SENT), ("dana", Outcome.HELD)])
def test_a_text_is_not_sent_in_another_template(
    runtime: FakeRuntime, approved_by: str, ended: Outcome
) -> None:
    """A fresh secret that names another template leaves the decision to the next delivery."""
    stored = runtime.secrets.twilio_credentials.stored

    def rotate() -> None:
        runtime.sender.auth_token = "token-2"
        rotated = replace(TWILIO, auth_token="token-2", template_id="HX2")
        stored[contexts.TWILIO_SECRET] = rotated

    drafts = DraftState(template_id="HX1", approved_by=approved_by)
    runtime.store.records[KEY] = replace(THEIRS, status=Status.RETRY, answer=ANSWER, drafts=drafts)
    runtime.sender.during = rotate
    with pytest.raises(errors.TransientFailure, match="template_changed"):
        runtime.process()
    assert (Status.RETRY, []) == (runtime.record.status, runtime.sender.sent)
    assert ended is runtime.process(receive_count=2)
    assert ["HX2"][: not approved_by] == [one.message.template_id for one in runtime.sender.sent]


def test_a_delivery_without_time_acquires_no_lease(runtime: FakeRuntime) -> None:
    """Too late for a send, the message comes back at once."""
    runtime.clock.advance(FUNCTION_TIMEOUT - runtime.times.acquire_reserve + 0.1)
    with pytest.raises(errors.TransientFailure) as late:
        runtime.process()
    assert ("out_of_time", 0) == (late.value.code, late.value.retry_in)
    assert {} == runtime.store.records


def test_an_answer_that_comes_too_late_is_sent_by_the_next_delivery(runtime: FakeRuntime) -> None:
    """It is stored, and billed once."""
    runtime.deadline = START + runtime.times.send_reserve + 30
    runtime.while_generating(lambda: runtime.clock.advance(30.5))
    with pytest.raises(errors.TransientFailure) as late:
        runtime.process()
    assert ("out_of_time", 0) == (late.value.code, late.value.retry_in)
    expected = (Status.RETRY, ANSWER, 0)
    assert expected == (runtime.record.status, runtime.record.answer, runtime.sender.attempts)
    runtime.begin_invocation()
    assert Outcome.SENT is runtime.process(receive_count=2)
    assert (1, 1) == (len(runtime.generator.billed), len(runtime.sender.sent))


# --- the final write


@pytest.fixture
def sending(runtime: FakeRuntime) -> FakeRuntime:
    """A conversation whose message is sent."""
    runtime.store.records[KEY] = Record(KEY, Status.SENDING, START, owner="o", answer=ANSWER)
    return runtime


def _record_sent(runtime: FakeRuntime) -> None:
    runtime.at_most_once.record_sent(KEY, SENT, runtime.delivery())


def _error_of(runtime: FakeRuntime) -> errors.FinalUpdateFailed:
    with pytest.raises(errors.FinalUpdateFailed) as failed:
        _record_sent(runtime)
    return failed.value


@pytest.mark.parametrize("status", [Status.SENDING, Status.SEND_UNKNOWN])
@pytest.mark.parametrize("times", [0, 1, 4])
def test_a_sent_message_is_recorded(sending: FakeRuntime, status: Status, times: int) -> None:
    """At once, or with pauses while the table is unavailable; also over an unknown send."""
    sending.store.alter(KEY, status=status)
    sending.store.fail("record_sent", Fault.UNAVAILABLE, times)
    _record_sent(sending)
    assert (Status.SENT, SENT) == (sending.record.status, sending.record.sent)
    assert (times > 0) is (sending.clock() > START)


@pytest.mark.parametrize("fault", [Fault.REPEATED, Fault.ANSWER_LOST])
def test_our_own_sid_in_the_record_is_success(sending: FakeRuntime, fault: Fault) -> None:
    """Whoever repeated the write, it is applied once."""
    sending.store.fail("record_sent", fault)
    _record_sent(sending)
    assert ("SM1", ["record_sent"]) == (sending.record.vendor_id, sending.store.writes)


def test_the_last_attempt_leaves_time_for_the_alarm(sending: FakeRuntime) -> None:
    """A table that stays unavailable is given up before the function ends."""
    sending.store.fail("record_sent", Fault.UNAVAILABLE, 10_000)
    assert "ledger_unavailable" == _error_of(sending).code
    assert 0 <= sending.time_left() - AWS_CALL_SECONDS - SHUTDOWN_RESERVE_SECONDS < 10


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.REFUSED, "ledger_refused"), (Fault.UNEXPECTED, "unexpected_error")]
)
def test_a_write_that_cannot_succeed_raises_an_alarm_at_once(
    sending: FakeRuntime, fault: Fault, code: str
) -> None:
    """The error has what should have been written, and neither text nor number."""
    sending.store.fail("record_sent", fault)
    error = _error_of(sending)
    assert (code, START) == (error.code, sending.clock())
    expected = (CRITICAL, LogEvent.FINAL_DB_UPDATE_FAILED, None)
    assert expected == (error.log_level, error.event, error.recorded_status)
    assert {
        "conversation_status": "initial_message_sent",
        "message_sid": "SM1",
        "thread_id": "conv_1",
        "response_id": "resp_1",
        "prompt_tokens": 120,
        "completion_tokens": 40,
        "total_tokens": 160,
        "initial_processing_time_ms": 1000,
    } == error.fields
    for private in (contexts.RECIPIENT, contexts.SENDER, *ANSWER.variables.values()):
        assert private not in f"{error} {error.fields}"


@pytest.mark.parametrize(
    "records",
    [
        {},
        {KEY: Record(KEY, Status.RETRY, START)},
        {KEY: Record(KEY, Status.SENT, START, vendor_id="SM2")},
    ],
    ids=["no record", "not sending", "another sid"],
)
def test_a_record_in_another_state_is_not_overwritten(
    runtime: FakeRuntime, records: dict[RecordKey, Record]
) -> None:
    """It is for an operator to look at."""
    runtime.store.records.update(records)
    assert "record_not_sending" == _error_of(runtime).code
    assert records == runtime.store.records


# --- recording failures


@pytest.fixture
def processing(runtime: FakeRuntime) -> FakeRuntime:
    """A conversation that `HELD_LEASE` holds."""
    runtime.store.create(contexts.parse(contexts.valid()), HELD_LEASE)
    return runtime


def record_failure(runtime: FakeRuntime) -> None:
    """Let a message fail, which raises its error once it is recorded."""
    error = errors.TransientFailure("openai_500", Step.AI, "a passing fault")
    with (
        pytest.raises(errors.TransientFailure) as raised,
        runtime.failures.record_on_error(HELD_LEASE, runtime.delivery()),
    ):
        raise error
    assert error is raised.value


def test_a_failure_is_recorded_with_code_step_and_time(processing: FakeRuntime) -> None:
    """The record has what failed, where and when; without an error nothing is written."""
    with processing.failures.record_on_error(HELD_LEASE, processing.delivery()):
        pass
    assert ["create"] == processing.store.writes
    processing.clock.advance(7)
    record_failure(processing)
    expected = Failure(Status.RETRY, "openai_500", "ai", "a passing fault", START + 7)
    assert (Status.RETRY, expected) == (processing.record.status, processing.record.failure)


@pytest.mark.parametrize(
    ("fault", "owner", "event"),
    [
        (Fault.UNAVAILABLE, HELD_LEASE.owner, LogEvent.STATUS_WRITE_FAILED),
        (Fault.REFUSED, HELD_LEASE.owner, LogEvent.STATUS_WRITE_FAILED),
        (None, "other", LogEvent.LEASE_LOST),
    ],
)
def test_a_failure_that_cannot_be_recorded_is_logged(
    processing: FakeRuntime, log_lines: LogLines, fault: Fault | None, owner: str, event: LogEvent
) -> None:
    """The message fails as it did, and the log says that its record does not."""
    processing.store.alter(KEY, owner=owner)
    if fault:
        processing.store.fail("record_failure", fault, 10_000)
    record_failure(processing)
    assert ["openai_500", event] == log_lines.events
    assert Status.PROCESSING is processing.record.status


REJECTION = errors.RejectedContext("consent_not_given", [], key=KEY, request_id="request-1")


def test_a_rejection_is_recorded_where_no_record_exists(runtime: FakeRuntime) -> None:
    """A later rejection of the same conversation changes nothing."""
    runtime.flow.reject(runtime.delivery(), REJECTION)
    failure = runtime.record.failure
    assert failure
    assert ("consent_not_given", "parse") == (failure.code, failure.step)
    assert (Status.FAILED, "request-1") == (runtime.record.status, runtime.record.request_id)
    runtime.store.alter(KEY, status=Status.PROCESSING)
    runtime.flow.reject(runtime.delivery(), REJECTION)
    assert Status.PROCESSING is runtime.record.status


def test_an_unrecorded_rejection_is_logged(runtime: FakeRuntime, log_lines: LogLines) -> None:
    """The message fails all the same."""
    runtime.store.fail("record_rejection", Fault.UNAVAILABLE)
    runtime.flow.reject(runtime.delivery(), REJECTION)
    assert [LogEvent.STATUS_WRITE_FAILED] == log_lines.events
