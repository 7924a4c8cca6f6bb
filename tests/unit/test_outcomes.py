"""Every outcome of a delivery: its log line, its metrics, its record and its redelivery."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from lambda_src.core import errors
from lambda_src.core.contract import Kind, Metric, Status, Step
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
OPENAI = "company_data_payload.ai_config.openai_config.whatsapp"
WITH_EVERY_FIELD = body(without(f"{OPENAI}.assistant", contexts.complete()))
INCOMPLETE = body(without("metadata"))
PRIVATE = (
    *(contexts.RECIPIENT, contexts.SENDER, "amara@example.org", "Amara", "Okafor", "Tom Reed"),
    *("Operative", "router-key-1", "sk-", "token-1", "canary", *ANSWER.variables.values()),
)
RETRIED, FAILED = Metric.MESSAGES_RETRIED, Metric.MESSAGES_FAILED
REPEATED, SENT = Metric.MESSAGES_REPEATED, Metric.MESSAGES_SENT
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


class Case(NamedTuple):
    """How one delivery ends: its log line, how it is counted, its record and its calls."""

    event: str
    level: str
    metric: Metric
    failure: tuple[Step, Kind] | None  # as which it is counted
    arrange: Arrange = lambda _: None  # makes it end like that
    record: tuple[Status, str] | None = None  # status and failure code, if there is a record
    calls: tuple[int, int] = (0, 0)  # answers billed and sends attempted
    text: str = VALID
    receive_count: int = 1
    code: str = ""  # the failure code in the log line, where it is not the event


def _ai_fails(error: Exception, times: int = 1) -> Arrange:
    return lambda runtime: runtime.generator.fail(error, times)


def _vendor_fails(error: Exception, times: int = 1) -> Arrange:
    return lambda runtime: runtime.sender.fail(error, times)


def _table_fails(call: str, fault: Fault) -> Arrange:
    return lambda runtime: runtime.store.fail(call, fault)


def has_record(status: Status, **fields: Any) -> Arrange:
    """Let another worker have left a record, whose lease is valid."""
    lease_end = START + LEASE_SECONDS
    record = Record(KEY, status, START, "another", lease_expires_at=lease_end, **fields)
    return lambda runtime: runtime.store.records.update({KEY: record})


def _is_suppressed(runtime: FakeRuntime) -> None:
    has_record(Status.RETRY)(runtime)
    runtime.store.suppressed.add(contexts.RECIPIENT)


def _is_erased(runtime: FakeRuntime) -> None:
    runtime.store.erased[contexts.RECIPIENT] = START


def _lookup_fails(runtime: FakeRuntime) -> None:
    has_record(Status.SENDING, answer=ANSWER, intent=INTENT)(runtime)
    runtime.clock.advance(runtime.times.max_send_duration)
    runtime.sender.fail_lookup(UnexpectedTestError())


def answer_without_text(runtime: FakeRuntime) -> None:
    """Let the AI answer with variables that are not text."""
    variables: Any = dict.fromkeys(ANSWER.variables)
    runtime.generator.answer = replace(ANSWER, variables=variables)


def _fresh_secret_fails(error: Exception) -> Arrange:
    def arrange(runtime: FakeRuntime) -> None:
        runtime.sender.fail(errors.CredentialsRefused("twilio_20003", Step.SEND))
        runtime.sender.during = lambda: runtime.secrets.fail("credentials", error)

    return arrange


def unexpected(step: Step, arrange: Arrange, **changes: Any) -> Case:
    """Return the case of an error that no code expects, at a step before the send."""
    case = Case("unexpected_error", "ERROR", RETRIED, (step, Kind.TRANSIENT), arrange)
    return case._replace(**({"record": (Status.RETRY, "unexpected_error")} | changes))


def transient(error: errors.TransientFailure, kind: Kind, times: int = 1) -> Case:
    """Return the case of a failure of the AI or of the vendor that may succeed later."""
    is_alarm = kind is Kind.ACCOUNT_REFUSED
    return Case(
        "vendor_account_refused" if is_alarm else error.code,
        "CRITICAL" if is_alarm else "WARNING",
        RETRIED,
        (error.step, kind),
        (_ai_fails if error.step is Step.AI else _vendor_fails)(error, times),
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
         text=INCOMPLETE, record=(Status.FAILED, "context_invalid")),
    Case("phone_not_e164", "ERROR", FAILED, (Step.PARSE, Kind.PERMANENT),
         text=body(changed("frontend_payload.recipient_data.recipient_tel", "canary"))),
    # the conversation's record
    Case("message_sent", "INFO", SENT, None, record=(Status.SENT, ""), calls=(1, 1)),
    Case("message_sent", "INFO", SENT, None, record=(Status.SENT, ""), calls=(1, 1),
         text=WITH_EVERY_FIELD),
    Case("already_processed", "WARNING", REPEATED, None, has_record(Status.SENT),
         (Status.SENT, "")),
    Case("already_ended", "WARNING", REPEATED, None, has_record(Status.FAILED), (Status.FAILED, ""),
         code="already_failed"),
    Case("already_ended", "WARNING", REPEATED, None, has_record(Status.SEND_UNKNOWN),
         (Status.SEND_UNKNOWN, ""), code="already_send_unknown"),
    Case("recipient_suppressed", "ERROR", FAILED, (Step.CLAIM, Kind.PERMANENT), _is_suppressed,
         (Status.FAILED, "recipient_suppressed"), receive_count=2),
    Case("recipient_erased", "ERROR", FAILED, (Step.CLAIM, Kind.PERMANENT), _is_erased),
    Case("recipient_erased", "ERROR", FAILED, (Step.CLAIM, Kind.PERMANENT), _is_erased,
         text=INCOMPLETE),
    Case("busy_elsewhere", "INFO", RETRIED, (Step.CLAIM, Kind.ELSEWHERE),
         has_record(Status.PROCESSING), (Status.PROCESSING, ""), code="lease_held"),
    Case("receives_used_up", "ERROR", FAILED, (Step.CLAIM, Kind.USED_UP),
         record=(Status.RETRY, "receives_used_up"), receive_count=LAST),
    Case("send_outcome_unknown", "CRITICAL", Metric.MESSAGES_UNKNOWN, (Step.SETTLE, Kind.UNKNOWN),
         has_record(Status.SENDING), (Status.SEND_UNKNOWN, "not_found_at_vendor"),
         receive_count=LAST, code="not_found_at_vendor"),
    Case("record_too_large", "ERROR", FAILED, (Step.CLAIM, Kind.PERMANENT),
         _table_fails("create", Fault.TOO_LARGE), (Status.FAILED, "record_too_large")),
    # secrets and the AI
    Case("vendor_account_refused", "CRITICAL", RETRIED, (Step.SECRETS, Kind.ACCOUNT_REFUSED),
         lambda runtime: runtime.secrets.twilio_credentials.stored.clear(),
         (Status.RETRY, "secret_missing"), code="secret_missing"),
    Case("vendor_account_refused", "CRITICAL", RETRIED, (Step.SECRETS, Kind.ACCOUNT_REFUSED),
         lambda runtime: runtime.secrets.openai_keys.stored.clear(),
         (Status.RETRY, "secret_missing"), code="secret_missing"),
    Case("vendor_account_refused", "CRITICAL", RETRIED, (Step.AI, Kind.ACCOUNT_REFUSED),
         text=body(changed(f"{OPENAI}.assistant_id_template_sender", "unknown")),
         record=(Status.RETRY, "assistant_unknown"), code="assistant_unknown"),
    transient(errors.TransientFailure("openai_500", Step.AI), Kind.TRANSIENT),
    transient(errors.RateLimited("openai_429", Step.AI), Kind.RATE_LIMITED),
    transient(errors.AccountRefused("openai_insufficient_quota", Step.AI), Kind.ACCOUNT_REFUSED),
    transient(errors.CredentialsRefused("openai_401", Step.AI), Kind.ACCOUNT_REFUSED, 2),
    Case("ai_answer_refused", "ERROR", FAILED, (Step.AI, Kind.PERMANENT),
         _ai_fails(errors.PermanentFailure("ai_answer_refused", Step.AI)),
         (Status.FAILED, "ai_answer_refused")),
    # the send
    transient(errors.TransientFailure("twilio_unreachable", Step.SEND), Kind.TRANSIENT),
    transient(errors.RateLimited("twilio_20429", Step.SEND), Kind.RATE_LIMITED),
    transient(errors.AccountRefused("twilio_20005", Step.SEND), Kind.ACCOUNT_REFUSED),
    transient(errors.CredentialsRefused("twilio_20003", Step.SEND), Kind.ACCOUNT_REFUSED, 2),
    Case("secrets_unavailable", "WARNING", RETRIED, (Step.SECRETS, Kind.TRANSIENT),
         _fresh_secret_fails(errors.TransientFailure("secrets_unavailable", Step.SECRETS)),
         (Status.RETRY, "secrets_unavailable"), (1, 1)),
    Case("twilio_21610", "ERROR", FAILED, PERMANENT,
         _vendor_fails(errors.PermanentFailure("twilio_21610", Step.SEND)),
         (Status.FAILED, "twilio_21610"), (1, 1), receive_count=3),
    Case("vendor_account_refused", "CRITICAL", FAILED, PERMANENT,
         _vendor_fails(errors.PermanentFailure("twilio_63007", Step.SEND, alarm=True)),
         (Status.FAILED, "twilio_63007"), (1, 1), code="twilio_63007"),
    Case("send_outcome_pending", "ERROR", RETRIED, (Step.SEND, Kind.PENDING),
         _vendor_fails(errors.SendOutcomeUnknown("twilio_500", Step.SEND)), UNRESOLVED, (1, 1),
         code="twilio_500"),
    Case("send_outcome_pending", "ERROR", RETRIED, (Step.SEND, Kind.PENDING),
         _vendor_fails(UnexpectedTestError()), UNRESOLVED, (1, 1), code="unexpected_error"),
    Case("final_db_update_failed", "CRITICAL", RETRIED, (Step.RECORD, Kind.UNRECORDED),
         _table_fails("record_sent", Fault.REFUSED), UNRESOLVED, (1, 1), code="ledger_refused"),
    # errors that no code expects
    unexpected(Step.CLAIM, _table_fails("create", Fault.UNEXPECTED), record=None),
    unexpected(Step.SECRETS,
               lambda runtime: runtime.secrets.fail("credentials", UnexpectedTestError())),
    unexpected(Step.SECRETS,
               lambda runtime: runtime.secrets.fail("openai_key", UnexpectedTestError())),
    unexpected(Step.AI, _ai_fails(UnexpectedTestError())),
    unexpected(Step.COMPOSE, answer_without_text, calls=(1, 0)),
    unexpected(Step.SEND, _table_fails("record_intent", Fault.UNEXPECTED), calls=(1, 0)),
    unexpected(Step.SEND, _fresh_secret_fails(UnexpectedTestError()), calls=(1, 1)),
    unexpected(Step.SETTLE, _lookup_fails, record=UNRESOLVED, receive_count=2),
    unexpected(Step.RECORD, _table_fails("record_rejection", Fault.UNEXPECTED),
               text=INCOMPLETE, record=None),
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
    record = runtime.store.records.get(KEY)
    recorded = record.failure if record else None
    assert not [text for text in PRIVATE if text in log_lines.text + repr(recorded)]

    assert {case.metric: 1} == {
        metric: number
        for metric, number in runtime.metrics.counts.items()
        if number and metric is not Metric.MESSAGES_RECEIVED
    }
    assert 1 == runtime.metrics.counts[Metric.MESSAGES_RECEIVED]
    assert ({case.failure: 1} if case.failure else {}) == runtime.metrics.failures

    code = recorded.code if recorded else ""
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
    if case.metric is SENT and record:
        assert record.vendor_id == line["message_sid"]
    if "unexpected_error" in {case.event, case.code}:
        assert line["frames"]
        assert (recorded.detail if recorded else "UnexpectedTestError") == line["error_type"]


def test_a_reconciled_send_is_logged_and_counted(runtime: FakeRuntime, log_lines: LogLines) -> None:
    """It names the sid that was found and the lookups before, and has no end-to-end time."""
    text = body(
        changed("frontend_payload.request_data.initial_request_timestamp", "2027-01-15T07:59:50Z")
    )
    runtime.sender.lose_answer()
    runtime.batch().handle([runtime.delivery(text)])
    runtime.clock.advance(runtime.times.max_send_duration)
    runtime.batch().handle([runtime.delivery(text, receive_count=2)])
    line = log_lines.of("send_settled")
    assert (runtime.record.vendor_id, 0) == (line["message_sid"], line["looks"])
    assert 1 == runtime.metrics.counts[Metric.MESSAGES_SETTLED]
    assert [] == runtime.metrics.values[Metric.END_TO_END_SECONDS]


@pytest.mark.parametrize(
    ("write", "event", "arrange"),
    [
        ("mark_unknown", "send_outcome_unknown", has_record(Status.SENDING)),
        (
            "record_failure",
            "vendor_account_refused",
            _vendor_fails(errors.PermanentFailure("twilio_63007", Step.SEND, alarm=True)),
        ),
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
