"""Recording how a message ended: the final write of a sent one, and the failure of another."""

from logging import CRITICAL

import pytest

from lambda_src.core.contract import LogEvent, Status, Step
from lambda_src.core.errors import (
    FinalUpdateFailed,
    LeaseLost,
    PermanentFailure,
    ProcessingError,
    SendOutcomeUnknown,
    TransientFailure,
)
from lambda_src.core.time_budget import AWS_CALL_SECONDS, SHUTDOWN_RESERVE_SECONDS
from tests.support import contexts
from tests.support.clock import START
from tests.support.fake_ledger import Record
from tests.support.fakes import ANSWER, Fault, UnexpectedTestError
from tests.support.records import HELD_LEASE, SENT
from tests.support.runtime import KEY, FakeRuntime

REJECTION = PermanentFailure("consent_not_given", Step.PARSE, "comms_consent: expected true")


@pytest.fixture
def sending(runtime: FakeRuntime) -> FakeRuntime:
    """A conversation whose message is sent."""
    runtime.store.records[KEY] = Record(KEY, Status.SENDING, START, owner="o", answer=ANSWER)
    return runtime


def record_sent(runtime: FakeRuntime) -> None:
    """Record the sent message."""
    runtime.at_most_once.record_sent(KEY, SENT, runtime.delivery())


def error_of(runtime: FakeRuntime) -> FinalUpdateFailed:
    """Return the error of a final write that cannot be made."""
    with pytest.raises(FinalUpdateFailed) as failed:
        record_sent(runtime)
    return failed.value


@pytest.mark.parametrize("status", [Status.SENDING, Status.SEND_UNKNOWN])
def test_a_sent_message_is_recorded_at_once(sending: FakeRuntime, status: Status) -> None:
    """One write, without waiting, also over a record that was given up as unknown."""
    sending.store.alter(KEY, status=status)
    record_sent(sending)
    expected = (Status.SENT, SENT, START)
    assert expected == (sending.record.status, sending.record.sent, sending.clock())


@pytest.mark.parametrize("times", [1, 4])
def test_the_write_is_repeated_while_the_table_is_unavailable(
    sending: FakeRuntime, times: int
) -> None:
    """It waits between the attempts."""
    sending.store.fail("record_sent", Fault.UNAVAILABLE, times)
    record_sent(sending)
    assert Status.SENT is sending.record.status
    assert sending.clock() > START


@pytest.mark.parametrize("fault", [Fault.REPEATED, Fault.ANSWER_LOST])
def test_our_own_sid_in_the_record_is_success(sending: FakeRuntime, fault: Fault) -> None:
    """Whoever repeated the write, it is applied once."""
    sending.store.fail("record_sent", fault)
    record_sent(sending)
    assert ("SM1", ["record_sent"]) == (sending.record.sid, sending.store.writes)


def test_the_last_attempt_leaves_time_for_the_alarm(sending: FakeRuntime) -> None:
    """A table that stays unavailable is given up before the function ends."""
    sending.store.fail("record_sent", Fault.UNAVAILABLE, 10_000)
    assert "ledger_unavailable" == error_of(sending).code
    assert 0 <= sending.time_left() - AWS_CALL_SECONDS - SHUTDOWN_RESERVE_SECONDS < 10


@pytest.mark.parametrize(
    ("fault", "code"), [(Fault.REFUSED, "ledger_refused"), (Fault.UNEXPECTED, "unexpected_error")]
)
def test_a_write_that_cannot_succeed_raises_an_alarm_at_once(
    sending: FakeRuntime, fault: Fault, code: str
) -> None:
    """The error has what should have been written, and neither text nor number."""
    sending.store.fail("record_sent", fault)
    error = error_of(sending)
    assert (code, START) == (error.code, sending.clock())
    assert (CRITICAL, LogEvent.FINAL_DB_UPDATE_FAILED, None) == (
        error.log_level,
        error.event,
        error.recorded_status,
    )
    assert {
        "conversation_status": "initial_message_sent",
        "message_sid": "SM1",
        "thread_id": "conv_1",
        "message_id": "resp_1",
        "prompt_tokens": 120,
        "completion_tokens": 40,
        "total_tokens": 160,
        "initial_processing_time_ms": 1000,
    } == error.fields
    for private in (contexts.RECIPIENT, contexts.SENDER, *ANSWER.variables.values()):
        assert private not in f"{error} {error.fields}"


@pytest.mark.parametrize(
    "changes",
    [{"status": Status.RETRY}, {"status": Status.SENT, "sid": "SM2"}, None],
    ids=["not sending", "another sid", "no record"],
)
def test_a_record_in_another_state_is_not_overwritten(
    sending: FakeRuntime, changes: dict[str, object] | None
) -> None:
    """It is for an operator to look at."""
    if changes is None:
        sending.store.records.clear()
    else:
        sending.store.alter(KEY, **changes)
    assert "record_not_sending" == error_of(sending).code
    assert [] == sending.store.writes


# --- failures


@pytest.fixture
def retry() -> TransientFailure:
    """A failure that is not logged yet."""
    return TransientFailure("openai_500", Step.AI, "a passing fault")


@pytest.fixture
def processing(runtime: FakeRuntime) -> FakeRuntime:
    """A conversation that `HELD_LEASE` holds."""
    runtime.store.create(contexts.parse(contexts.valid()), HELD_LEASE)
    return runtime


def record_failure(runtime: FakeRuntime, error: Exception) -> ProcessingError:
    """Raise the error; return what is raised instead."""
    with (
        pytest.raises(ProcessingError) as raised,
        runtime.failures.record_on_error(HELD_LEASE, runtime.delivery()),
    ):
        raise error
    return raised.value


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the logged events."""
    return [str(vars(record)["event"]) for record in caplog.records]


def test_a_failure_is_recorded_with_code_step_and_time(
    processing: FakeRuntime, retry: TransientFailure
) -> None:
    """The record has what failed, where and when; the error goes on."""
    with processing.failures.record_on_error(HELD_LEASE, processing.delivery()):
        pass  # nothing is written without an error
    assert ["create"] == processing.store.writes
    processing.clock.advance(7)
    assert retry is record_failure(processing, retry)
    recorded = processing.record.failure
    assert recorded
    assert (Status.RETRY, "openai_500", "ai", "a passing fault", START + 7) == (
        recorded.status,
        recorded.code,
        recorded.step,
        recorded.detail,
        recorded.at,
    )


@pytest.mark.parametrize(
    "error", [LeaseLost("lease_lost", Step.AI), SendOutcomeUnknown("twilio_500", Step.SEND)]
)
def test_an_error_without_a_status_leaves_the_record_unchanged(
    processing: FakeRuntime, error: ProcessingError
) -> None:
    """A lost lease and an unknown outcome add nothing to the record."""
    assert error is record_failure(processing, error)
    assert ["create"] == processing.store.writes


def test_an_unexpected_error_before_the_send_is_transient(processing: FakeRuntime) -> None:
    """Nothing was sent: it is attempted again, and recorded by its type without its text."""
    error = record_failure(processing, UnexpectedTestError())
    assert isinstance(error, TransientFailure)
    assert ("unexpected_error", "UnexpectedTestError") == (error.code, error.detail)
    assert Status.RETRY is processing.record.status


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.REFUSED])
def test_a_failure_that_cannot_be_recorded_is_logged(
    processing: FakeRuntime, retry: TransientFailure, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    """The message fails as it did, and the log says that its record does not."""
    processing.store.fail("record_failure", fault, 10_000)
    assert retry is record_failure(processing, retry)
    assert ["openai_500", LogEvent.STATUS_WRITE_FAILED] == events(caplog)


def test_another_workers_record_is_unchanged(
    processing: FakeRuntime, retry: TransientFailure, caplog: pytest.LogCaptureFixture
) -> None:
    """Where another worker took over, the failure is only logged."""
    processing.store.alter(KEY, owner="other")
    assert retry is record_failure(processing, retry)
    assert Status.PROCESSING is processing.record.status
    assert ["openai_500", LogEvent.LEASE_LOST] == events(caplog)


def test_a_rejection_is_recorded_where_no_record_exists(runtime: FakeRuntime) -> None:
    """A later rejection of the same conversation changes nothing."""
    runtime.failures.record_rejection(KEY, REJECTION, "request-1", START)
    expected = (Status.FAILED, "request-1")
    assert expected == (runtime.record.status, runtime.record.request_id)
    runtime.store.alter(KEY, status=Status.PROCESSING)
    runtime.failures.record_rejection(KEY, REJECTION, None, START)
    assert Status.PROCESSING is runtime.record.status


def test_a_rejection_that_cannot_be_recorded_is_logged(
    runtime: FakeRuntime, caplog: pytest.LogCaptureFixture
) -> None:
    """The message fails all the same."""
    runtime.store.fail("record_rejection", Fault.UNAVAILABLE)
    runtime.failures.record_rejection(KEY, REJECTION, None, START)
    assert [LogEvent.STATUS_WRITE_FAILED] == events(caplog)
