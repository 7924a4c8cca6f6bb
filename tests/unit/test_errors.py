"""Errors, named by what must happen next: status, metric kind, redelivery, level and event."""

import logging
import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.core import errors
from lambda_src.core.contract import Kind, LogEvent, Status, Step
from lambda_src.core.errors import ProcessingError, RateLimited, Redelivery, TransientFailure
from lambda_src.core.ledger import records
from lambda_src.core.retry import LONG_BACKOFF_FACTOR, redelivery_delay
from lambda_src.core.time_budget import MAX_BACKOFF, MAX_RETRY_AFTER

FAILED, RETRY = Status.FAILED, Status.RETRY
AT_ONCE, BACKOFF, LONG = Redelivery.AT_ONCE, Redelivery.BACKOFF, Redelivery.LONG_BACKOFF
INFO, WARNING, ERROR, CRITICAL = logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL


@dataclass(frozen=True)
class Expected:
    """What a class of error determines; an empty event is the error's own code."""

    status: Status | None
    kind: Kind
    redelivery: Redelivery
    level: int
    event: str = "code"


PENDING = LogEvent.SEND_OUTCOME_PENDING
ACCOUNT = Expected(
    *(RETRY, Kind.ACCOUNT_REFUSED, Redelivery.ACCOUNT_BACKOFF, CRITICAL),
    LogEvent.VENDOR_ACCOUNT_REFUSED,
)
TABLE: dict[type[ProcessingError], Expected] = {
    errors.PermanentFailure: Expected(FAILED, Kind.PERMANENT, AT_ONCE, ERROR),
    errors.InvalidAnswer: Expected(FAILED, Kind.PERMANENT, AT_ONCE, ERROR),
    errors.RecipientOptedOut: Expected(FAILED, Kind.PERMANENT, AT_ONCE, ERROR),
    records.RecipientSuppressed: Expected(FAILED, Kind.PERMANENT, AT_ONCE, ERROR),
    errors.RecipientErased: Expected(None, Kind.PERMANENT, AT_ONCE, ERROR),
    errors.TransientFailure: Expected(RETRY, Kind.TRANSIENT, BACKOFF, WARNING),
    errors.RateLimited: Expected(RETRY, Kind.RATE_LIMITED, LONG, WARNING),
    errors.LedgerUnavailable: Expected(RETRY, Kind.TRANSIENT, BACKOFF, WARNING),
    errors.LedgerRefused: Expected(RETRY, Kind.TRANSIENT, BACKOFF, WARNING),
    errors.AccountRefused: ACCOUNT,
    errors.CredentialsRefused: ACCOUNT,
    errors.ConfigurationRefused: ACCOUNT,
    errors.UnexpectedError: Expected(
        RETRY, Kind.TRANSIENT, BACKOFF, ERROR, LogEvent.UNEXPECTED_ERROR
    ),
    errors.AttemptsExhausted: Expected(RETRY, Kind.USED_UP, AT_ONCE, ERROR),
    errors.UnrecognizedRecord: Expected(None, Kind.PERMANENT, AT_ONCE, ERROR),
    errors.SendOutcomeUnknown: Expected(None, Kind.PENDING, BACKOFF, ERROR, PENDING),
    errors.SendOutcomePending: Expected(None, Kind.PENDING, BACKOFF, WARNING, PENDING),
    errors.SendDeclaredUnknown: Expected(
        None, Kind.UNKNOWN, AT_ONCE, CRITICAL, LogEvent.SEND_OUTCOME_UNKNOWN
    ),
    errors.FinalUpdateFailed: Expected(
        None, Kind.UNRECORDED, BACKOFF, CRITICAL, LogEvent.FINAL_DB_UPDATE_FAILED
    ),
    errors.LeaseLost: Expected(None, Kind.ELSEWHERE, BACKOFF, WARNING, LogEvent.LEASE_LOST),
    errors.LeaseHeld: Expected(None, Kind.ELSEWHERE, BACKOFF, INFO, LogEvent.BUSY_ELSEWHERE),
    errors.TerminalState: Expected(None, Kind.ENDED, AT_ONCE, WARNING, LogEvent.ALREADY_ENDED),
}


@pytest.mark.parametrize(("kind", "expected"), TABLE.items())
def test_each_class_determines_what_happens_next(
    kind: type[ProcessingError], expected: Expected
) -> None:
    """The recorded status, the metric, the redelivery, the log level and the event."""
    error = kind("code", Step.SEND)
    assert expected == Expected(
        error.recorded_status, error.kind, error.redelivery, error.log_level, error.event
    )


def test_every_class_is_in_the_table() -> None:
    """A new class of error must determine all of that as well."""
    values = [value for module in (errors, records) for value in vars(module).values()]
    types = {value for value in values if isinstance(value, type)}
    found = {kind for kind in types if issubclass(kind, ProcessingError)}
    assert found - {ProcessingError, errors.RejectedContext} == set(TABLE)


def test_an_alarm_makes_any_error_critical() -> None:
    """Where an operator must act, the class does not determine the level."""
    error = errors.PermanentFailure("twilio_63007", Step.SEND, alarm=True)
    expected = (FAILED, CRITICAL, "vendor_account_refused")
    assert expected == (error.recorded_status, error.log_level, error.event)


def test_an_errors_text_is_code_step_and_detail() -> None:
    """Nothing else gets into the log through an exception's text."""
    assert "openai_500 at ai" == str(TransientFailure("openai_500", Step.AI))
    error = TransientFailure("openai_500", Step.AI, "why", fields={"looks": 1})
    assert "openai_500 at ai: why" == str(error)


# --- when a failed message is delivered again

receives = st.integers(1, 10_000)
bases = st.floats(1, 600)
waits = st.floats(0, 1e9)
transient = TransientFailure("openai_500", Step.AI)
limited = RateLimited("openai_429", Step.AI)
SQS_MAXIMUM = 43_200
"""Seconds of invisibility that SQS accepts."""


@given(receives, bases, st.sampled_from([transient, limited]))
def test_a_backoff_is_bounded(count: int, base: float, error: TransientFailure) -> None:
    """Whole seconds, from half of the (long) base delay to the maximum."""
    factor = LONG_BACKOFF_FACTOR if error is limited else 1
    seconds = redelivery_delay(error, count, base)
    assert isinstance(seconds, int)
    assert round(min(factor * base, MAX_BACKOFF) / 2) <= seconds <= MAX_BACKOFF


@given(st.integers(1, 6), bases)
def test_a_backoff_doubles_with_each_receive(count: int, base: float) -> None:
    """Between half and the whole of the base times two to the receives before."""
    full = min(base * 2 ** (count - 1), MAX_BACKOFF)
    assert round(full / 2) <= redelivery_delay(transient, count, base) <= math.ceil(full)


@given(waits, receives, bases)
def test_an_error_with_its_own_time_gets_it(wait: float, count: int, base: float) -> None:
    """Not earlier, at most a second later, and within what is granted."""
    known = errors.SendOutcomePending("not_listed_yet", Step.SETTLE, retry_in=wait)
    granted = min(wait, MAX_RETRY_AFTER)
    seconds = redelivery_delay(known, count, base)
    assert granted <= seconds <= granted + 2
    assert seconds <= SQS_MAXIMUM


@given(waits, receives, bases)
def test_a_vendors_retry_after_is_a_minimum(wait: float, count: int, base: float) -> None:
    """Never earlier than requested, and never earlier than the backoff."""
    requested = RateLimited("openai_429", Step.AI, retry_after=wait)
    least = max(min(wait, MAX_RETRY_AFTER), min(LONG_BACKOFF_FACTOR * base, MAX_BACKOFF) / 2)
    seconds = redelivery_delay(requested, count, base)
    assert math.floor(least) <= seconds <= SQS_MAXIMUM


@given(receives, bases)
def test_a_terminal_failure_is_delivered_at_once(count: int, base: float) -> None:
    """Every further receive only brings it nearer to the dead-letter queue."""
    for ended in (
        errors.PermanentFailure("twilio_21211", Step.SEND),
        errors.TerminalState("already_failed", Step.CLAIM),
        errors.SendDeclaredUnknown("not_found_at_vendor", Step.SETTLE),
    ):
        assert 0 == redelivery_delay(ended, count, base)


def test_messages_that_failed_together_come_back_separately() -> None:
    """Half of a backoff is random, and a second of a requested delay."""
    known = errors.SendOutcomePending("not_listed_yet", Step.SETTLE, retry_in=42.5)
    assert len({redelivery_delay(transient, 7, 10) for _ in range(50)}) > 10
    assert {43, 44} == {redelivery_delay(known, 1, 10) for _ in range(50)}


def test_a_refused_account_is_attempted_late() -> None:
    """An operator needs time to act."""
    refused = errors.AccountRefused("twilio_20005", Step.SEND)
    assert redelivery_delay(refused, 1, 10) >= LONG_BACKOFF_FACTOR * 10 / 2
