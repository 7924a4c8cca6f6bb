"""Every outcome of a delivery: its log line, its metrics, its record and its redelivery."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from lambda_src.core.contract import Kind, Metric, Status, Step
from lambda_src.core.errors import (
    AccountRefused,
    CredentialsRefused,
    PermanentFailure,
    RateLimited,
    SendOutcomeUnknown,
    TransientFailure,
)
from tests.support import contexts
from tests.support.clock import START
from tests.support.contexts import body, changed, without
from tests.support.fake_ledger import Record
from tests.support.fakes import ANSWER, Fault, UnexpectedTestError
from tests.support.logs import LogLines
from tests.support.records import INTENT
from tests.support.runtime import KEY, LEASE_SECONDS, TIMES, FakeRuntime

LAST = 10
"""The receive count of the final delivery."""
VALID = body(contexts.valid())
RECIPIENT_FIELD = "frontend_payload.recipient_data.recipient_tel"
PRIVATE = (
    contexts.RECIPIENT,
    contexts.SENDER,
    "amara@example.org",
    "Amara",
    "Okafor",
    "Tom Reed",
    "Operative",
    "router-key-1",
    "sk-",
    "token-1",
    "canary",
    *ANSWER.variables.values(),
)
RETRIED, FAILED, REPEATED, SENT = (
    Metric.MESSAGES_RETRIED,
    Metric.MESSAGES_FAILED,
    Metric.MESSAGES_REPEATED,
    Metric.MESSAGES_SENT,
)
DELAYS: dict[Kind, tuple[float, float]] = {
    Kind.PERMANENT: (0, 0),
    Kind.TRANSIENT: (5, 10),
    Kind.RATE_LIMITED: (30, 60),
    Kind.ACCOUNT_REFUSED: (675, 900),
    Kind.PENDING: (TIMES.max_send_duration, TIMES.max_send_duration + 1),
    Kind.UNKNOWN: (0, 0),
    Kind.USED_UP: (0, 0),
    Kind.UNRECORDED: (5, 10),
    Kind.ELSEWHERE: (LEASE_SECONDS, LEASE_SECONDS + 1),
}
"""Seconds until a failure of that kind is delivered again: least and most, at the first receive."""

Arrange = Callable[[FakeRuntime], object]


@dataclass(frozen=True)
class Case:
    """How one delivery ends.

    Attributes:
        event: Its log line's event.
        level: Its log line's level.
        metric: How it is counted.
        failure: As which failure it is counted.
        arrange: Makes it end like that.
        record: What the record says: status and failure code; None if there is no record.
        calls: Answers billed and sends attempted.
        text: The message's body.
        receive_count: How often it was received.
        code: The failure code in the log line, where it is not the event.
    """

    event: str
    level: str
    metric: Metric
    failure: tuple[Step, Kind] | None
    arrange: Arrange = lambda _: None
    record: tuple[Status, str] | None = None
    calls: tuple[int, int] = (0, 0)
    text: str = VALID
    receive_count: int = 1
    code: str = ""


def ai_fails(error: Exception, times: int = 1) -> Arrange:
    """Let the AI fail."""
    return lambda runtime: runtime.generator.fail(error, times)


def vendor_fails(error: Exception, times: int = 1) -> Arrange:
    """Let the vendor fail."""
    return lambda runtime: runtime.sender.fail(error, times)


def table_fails(call: str, fault: Fault) -> Arrange:
    """Let a write fail."""
    return lambda runtime: runtime.store.fail(call, fault)


def has_record(status: Status, **fields: Any) -> Arrange:
    """Let another worker have left a record, whose lease is valid."""
    record = Record(
        KEY, status, START, owner="another", lease_expires_at=START + LEASE_SECONDS, **fields
    )
    return lambda runtime: runtime.store.records.update({KEY: record})


def lookup_fails(runtime: FakeRuntime) -> None:
    """Let a send be unresolved, and its lookup fail."""
    has_record(Status.SENDING, answer=ANSWER, intent=INTENT)(runtime)
    runtime.clock.advance(runtime.times.max_send_duration)
    runtime.sender.fail_lookup(UnexpectedTestError())


def answer_without_text(runtime: FakeRuntime) -> None:
    """Let the AI answer with variables that are not text."""
    variables: Any = dict.fromkeys(ANSWER.variables)
    runtime.generator.answer = replace(ANSWER, variables=variables)


def fresh_secret_fails(error: Exception) -> Arrange:
    """Let the vendor refuse the credentials, and the reading of fresh ones fail."""

    def arrange(runtime: FakeRuntime) -> None:
        runtime.sender.fail(CredentialsRefused("twilio_20003", Step.SEND))
        runtime.sender.during = lambda: runtime.secrets.fail("credentials", error)

    return arrange


def unexpected(step: Step, arrange: Arrange, **changes: Any) -> Case:
    """Return the case of an error that no code expects, at a step before the send."""
    case = Case("unexpected_error", "ERROR", RETRIED, (step, Kind.TRANSIENT), arrange)
    return replace(case, **({"record": (Status.RETRY, "unexpected_error")} | changes))


def transient(error: TransientFailure, kind: Kind, times: int = 1) -> Case:
    """Return the case of a failure of the AI or of the vendor that may succeed later."""
    is_alarm = kind is Kind.ACCOUNT_REFUSED
    return Case(
        "vendor_account_refused" if is_alarm else error.code,
        "CRITICAL" if is_alarm else "WARNING",
        RETRIED,
        (error.step, kind),
        (ai_fails if error.step is Step.AI else vendor_fails)(error, times),
        (Status.RETRY, error.code),
        (0, 0) if error.step is Step.AI else (1, times),
        code=error.code,
    )


PERMANENT = (Step.SEND, Kind.PERMANENT)
UNRESOLVED = (Status.SENDING, "")
CASES = [
    # the body
    Case("body_not_json", "ERROR", FAILED, (Step.PARSE, Kind.PERMANENT), text="canary {"),
    Case("body_not_json", "ERROR", REPEATED, None, text="{", receive_count=2),
    Case("body_not_object", "ERROR", FAILED, (Step.PARSE, Kind.PERMANENT), text='["canary"]'),
    Case("context_invalid", "ERROR", FAILED, (Step.PARSE, Kind.PERMANENT),
         text=body(without("metadata")), record=(Status.FAILED, "context_invalid")),
    Case("phone_not_e164", "ERROR", FAILED, (Step.PARSE, Kind.PERMANENT),
         text=body(changed(RECIPIENT_FIELD, "canary"))),
    # the conversation's record
    Case("message_sent", "INFO", SENT, None, record=(Status.SENT, ""), calls=(1, 1)),
    Case("already_processed", "WARNING", REPEATED, None, has_record(Status.SENT),
         (Status.SENT, "")),
    Case("already_ended", "WARNING", REPEATED, None, has_record(Status.FAILED), (Status.FAILED, ""),
         code="already_failed"),
    Case("busy_elsewhere", "INFO", RETRIED, (Step.CLAIM, Kind.ELSEWHERE),
         has_record(Status.PROCESSING), (Status.PROCESSING, ""), code="lease_held"),
    Case("receives_used_up", "ERROR", FAILED, (Step.CLAIM, Kind.USED_UP),
         record=(Status.RETRY, "receives_used_up"), receive_count=LAST),
    Case("send_outcome_unknown", "CRITICAL", Metric.MESSAGES_UNKNOWN, (Step.SETTLE, Kind.UNKNOWN),
         has_record(Status.SENDING), (Status.SEND_UNKNOWN, "not_found_at_vendor"),
         receive_count=LAST, code="not_found_at_vendor"),
    Case("record_too_large", "ERROR", FAILED, (Step.CLAIM, Kind.PERMANENT),
         table_fails("create", Fault.TOO_LARGE), (Status.FAILED, "record_too_large")),
    # secrets and the AI
    Case("vendor_account_refused", "CRITICAL", RETRIED, (Step.SECRETS, Kind.ACCOUNT_REFUSED),
         lambda runtime: runtime.secrets.twilio_credentials.stored.clear(),
         (Status.RETRY, "secret_missing"), code="secret_missing"),
    transient(TransientFailure("openai_500", Step.AI), Kind.TRANSIENT),
    transient(RateLimited("openai_429", Step.AI), Kind.RATE_LIMITED),
    transient(AccountRefused("openai_insufficient_quota", Step.AI), Kind.ACCOUNT_REFUSED),
    transient(CredentialsRefused("openai_401", Step.AI), Kind.ACCOUNT_REFUSED, 2),
    Case("ai_answer_refused", "ERROR", FAILED, (Step.AI, Kind.PERMANENT),
         ai_fails(PermanentFailure("ai_answer_refused", Step.AI)),
         (Status.FAILED, "ai_answer_refused")),
    # the send
    transient(TransientFailure("twilio_unreachable", Step.SEND), Kind.TRANSIENT),
    transient(RateLimited("twilio_20429", Step.SEND), Kind.RATE_LIMITED),
    transient(AccountRefused("twilio_20005", Step.SEND), Kind.ACCOUNT_REFUSED),
    transient(CredentialsRefused("twilio_20003", Step.SEND), Kind.ACCOUNT_REFUSED, 2),
    Case("secrets_unavailable", "WARNING", RETRIED, (Step.SECRETS, Kind.TRANSIENT),
         fresh_secret_fails(TransientFailure("secrets_unavailable", Step.SECRETS)),
         (Status.RETRY, "secrets_unavailable"), (1, 1)),
    Case("twilio_21610", "ERROR", FAILED, PERMANENT,
         vendor_fails(PermanentFailure("twilio_21610", Step.SEND)), (Status.FAILED, "twilio_21610"),
         (1, 1), receive_count=3),
    Case("vendor_account_refused", "CRITICAL", FAILED, PERMANENT,
         vendor_fails(PermanentFailure("twilio_63007", Step.SEND, alarm=True)),
         (Status.FAILED, "twilio_63007"), (1, 1), code="twilio_63007"),
    Case("send_outcome_pending", "ERROR", RETRIED, (Step.SEND, Kind.PENDING),
         vendor_fails(SendOutcomeUnknown("twilio_500", Step.SEND)), UNRESOLVED, (1, 1),
         code="twilio_500"),
    Case("send_outcome_pending", "ERROR", RETRIED, (Step.SEND, Kind.PENDING),
         vendor_fails(UnexpectedTestError()), UNRESOLVED, (1, 1), code="unexpected_error"),
    Case("final_db_update_failed", "CRITICAL", RETRIED, (Step.RECORD, Kind.UNRECORDED),
         table_fails("record_sent", Fault.REFUSED), UNRESOLVED, (1, 1), code="ledger_refused"),
    # errors that no code expects
    unexpected(Step.CLAIM, table_fails("create", Fault.UNEXPECTED), record=None),
    unexpected(Step.SECRETS,
               lambda runtime: runtime.secrets.fail("credentials", UnexpectedTestError())),
    unexpected(Step.SECRETS,
               lambda runtime: runtime.secrets.fail("openai_key", UnexpectedTestError())),
    unexpected(Step.AI, ai_fails(UnexpectedTestError())),
    unexpected(Step.COMPOSE, answer_without_text, calls=(1, 0)),
    unexpected(Step.SEND, table_fails("record_intent", Fault.UNEXPECTED), calls=(1, 0)),
    unexpected(Step.SEND, fresh_secret_fails(UnexpectedTestError()), calls=(1, 1)),
    unexpected(Step.SETTLE, lookup_fails, record=UNRESOLVED, receive_count=2),
    unexpected(Step.RECORD, table_fails("record_rejection", Fault.UNEXPECTED),
               text=body(without("metadata")), record=None),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code or case.event)
def test_an_outcome_is_logged_counted_recorded_and_redelivered(
    runtime: FakeRuntime, log_lines: LogLines, case: Case
) -> None:
    """A delivery has one log line without personal data, one metric, and at most one failure."""
    case.arrange(runtime)
    delivery = runtime.delivery(case.text, receive_count=case.receive_count)
    failed = runtime.batch().handle([delivery])

    assert ["batch_received", case.event, "batch_finished"] == log_lines.events
    line = log_lines.of(case.event)
    assert (case.level, "message-1") == (line["level"], line["sqs_message_id"])
    if case.text.startswith('{"'):
        expected = (contexts.CONVERSATION, "request-1")
        assert expected == (line["conversation_id"], line["request_id"])
    assert not [text for text in PRIVATE if text in log_lines.text]
    assert not [text for text in PRIVATE if text in repr(_failure(runtime))]

    assert {case.metric: 1} == {
        metric: number
        for metric, number in runtime.metrics.counts.items()
        if number and metric is not Metric.MESSAGES_RECEIVED
    }
    assert 1 == runtime.metrics.counts[Metric.MESSAGES_RECEIVED]
    assert ({case.failure: 1} if case.failure else {}) == runtime.metrics.failures

    record = runtime.store.records.get(KEY)
    code = record.failure.code if record and record.failure else ""
    assert case.record == ((record.status, code) if record else None)
    assert case.calls == (len(runtime.generator.billed), runtime.sender.attempts)

    if case.failure:
        step, kind = case.failure
        assert (case.code or case.event, step, case.receive_count) == (
            line["failure_code"],
            line["failure_step"],
            line["receive_count"],
        )
        assert ["message-1"] == failed
        (seconds,) = runtime.queue.delays.values()
        least, most = (0.0, 0.0) if case.metric is FAILED else DELAYS[kind]
        factor = 2 ** (case.receive_count - 1) if kind is Kind.TRANSIENT else 1
        assert least * factor <= seconds <= most * factor
    if "unexpected_error" in {case.event, case.code}:
        assert line["frames"]
        assert line["error_type"]


def _failure(runtime: FakeRuntime) -> object:
    record = runtime.store.records.get(KEY)
    return record.failure if record else None


def test_an_unexpected_error_is_logged_with_its_place(
    runtime: FakeRuntime, log_lines: LogLines
) -> None:
    """Type and code lines are logged; the text may contain anything and is not."""
    runtime.store.fail("create", Fault.UNEXPECTED)
    runtime.batch().handle([runtime.delivery(VALID)])
    line = log_lines.of("unexpected_error")
    assert "UnexpectedTestError" == line["error_type"]
    assert any(frame.startswith("acquire:") for frame in line["frames"])
    assert str(UnexpectedTestError()) not in log_lines.text


def test_a_send_with_every_field_logs_nothing_personal(
    runtime: FakeRuntime, log_lines: LogLines
) -> None:
    """The line of a sent message has its sid, and none of the context object's values."""
    document = contexts.complete()
    del document["company_data_payload"]["ai_config"]["openai_config"]["whatsapp"]["assistant"]
    runtime.batch().handle([runtime.delivery(body(document))])
    assert runtime.record.sid == log_lines.of("message_sent")["message_sid"]
    assert not [text for text in PRIVATE if text in log_lines.text]


def test_a_reconciled_send_is_logged_and_counted_as_such(
    runtime: FakeRuntime, log_lines: LogLines
) -> None:
    """It names the sid that was found and the lookups before, and has no end-to-end time."""
    text = body(
        changed("frontend_payload.request_data.initial_request_timestamp", "2027-01-15T07:59:50Z")
    )
    runtime.sender.lose_answer()
    runtime.batch().handle([runtime.delivery(text)])
    runtime.clock.advance(runtime.times.max_send_duration)
    runtime.batch().handle([runtime.delivery(text, receive_count=2)])
    line = log_lines.of("send_settled")
    assert (runtime.record.sid, 0) == (line["message_sid"], line["looks"])
    assert 1 == runtime.metrics.counts[Metric.MESSAGES_SETTLED]
    assert [] == runtime.metrics.values[Metric.END_TO_END_SECONDS]


ALARM = PermanentFailure("twilio_63007", Step.SEND, alarm=True)


@pytest.mark.parametrize(
    ("write", "event", "arrange"),
    [
        ("mark_unknown", "send_outcome_unknown", has_record(Status.SENDING)),
        ("record_failure", "vendor_account_refused", vendor_fails(ALARM)),
    ],
)
def test_an_alarm_is_logged_before_the_record_ends(
    runtime: FakeRuntime, log_lines: LogLines, write: str, event: str, arrange: Arrange
) -> None:
    """A function that is killed just after that write has logged it: no later delivery will."""
    logged: list[str] = []
    arrange(runtime)
    runtime.store.before[write] = lambda: logged.extend(log_lines.events)
    receive_count = LAST if write == "mark_unknown" else 1
    runtime.batch().handle([runtime.delivery(VALID, receive_count=receive_count)])
    assert event in logged
    assert "CRITICAL" == log_lines.of(event)["level"]


def test_an_unknown_send_that_cannot_be_recorded_is_logged(
    runtime: FakeRuntime, log_lines: LogLines
) -> None:
    """The alarm is logged, and that the record stays `sending`."""
    has_record(Status.SENDING)(runtime)
    runtime.store.fail("mark_unknown", Fault.UNAVAILABLE)
    runtime.batch().handle([runtime.delivery(VALID, receive_count=LAST)])
    assert "CRITICAL" == log_lines.of("send_outcome_unknown")["level"]
    line = log_lines.of("status_write_failed")
    assert ("ERROR", "ledger_unavailable") == (line["level"], line["failure_code"])
