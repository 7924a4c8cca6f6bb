"""Errors are named by what must happen next: each class fixes status, redelivery, level, event."""

import logging

import pytest

from lambda_src.core import errors, send_errors, unforeseen
from lambda_src.core.contract import LogEvent, Status
from lambda_src.core.errors import ProcessingError, Redelivery, Step

MODULES = (errors, send_errors, unforeseen)
Fate = tuple[Status | None, Redelivery, int, str]

TABLE: dict[type[ProcessingError], Fate] = {
    errors.PermanentFailure: (Status.FAILED, Redelivery.AT_ONCE, logging.ERROR, "code"),
    errors.RecipientOptedOut: (Status.FAILED, Redelivery.AT_ONCE, logging.ERROR, "code"),
    errors.RecipientSuppressed: (Status.FAILED, Redelivery.AT_ONCE, logging.ERROR, "code"),
    errors.RecipientErased: (None, Redelivery.AT_ONCE, logging.ERROR, "code"),
    errors.TransientFailure: (Status.RETRY, Redelivery.BACKOFF, logging.WARNING, "code"),
    errors.RateLimited: (Status.RETRY, Redelivery.LONG_BACKOFF, logging.WARNING, "code"),
    errors.LedgerUnavailable: (Status.RETRY, Redelivery.BACKOFF, logging.WARNING, "code"),
    errors.LedgerRefused: (Status.RETRY, Redelivery.BACKOFF, logging.WARNING, "code"),
    errors.AccountRefused: (
        Status.RETRY,
        Redelivery.LONG_BACKOFF,
        logging.CRITICAL,
        LogEvent.VENDOR_ACCOUNT_REFUSED,
    ),
    errors.CredentialsRefused: (
        Status.RETRY,
        Redelivery.LONG_BACKOFF,
        logging.CRITICAL,
        LogEvent.VENDOR_ACCOUNT_REFUSED,
    ),
    unforeseen.UnforeseenFailure: (
        Status.RETRY,
        Redelivery.BACKOFF,
        logging.ERROR,
        LogEvent.UNEXPECTED_ERROR,
    ),
    errors.ReceivesUsedUp: (Status.RETRY, Redelivery.AT_ONCE, logging.ERROR, "code"),
    errors.RecordForeign: (None, Redelivery.AT_ONCE, logging.ERROR, "code"),
    send_errors.SendOutcomeUnknown: (
        None,
        Redelivery.BACKOFF,
        logging.ERROR,
        LogEvent.SEND_OUTCOME_PENDING,
    ),
    send_errors.SendOutcomePending: (
        None,
        Redelivery.BACKOFF,
        logging.WARNING,
        LogEvent.SEND_OUTCOME_PENDING,
    ),
    send_errors.SendDeclaredUnknown: (
        None,
        Redelivery.AT_ONCE,
        logging.CRITICAL,
        LogEvent.SEND_OUTCOME_UNKNOWN,
    ),
    send_errors.FinalUpdateFailed: (
        None,
        Redelivery.BACKOFF,
        logging.CRITICAL,
        LogEvent.FINAL_DB_UPDATE_FAILED,
    ),
    errors.LeaseLost: (None, Redelivery.BACKOFF, logging.WARNING, LogEvent.LEASE_LOST),
    errors.BusyElsewhere: (None, Redelivery.BACKOFF, logging.INFO, LogEvent.BUSY_ELSEWHERE),
    errors.AlreadyEnded: (None, Redelivery.AT_ONCE, logging.WARNING, LogEvent.ALREADY_ENDED),
}


@pytest.mark.parametrize(("kind", "fate"), TABLE.items())
def test_each_class_has_its_fate(kind: type[ProcessingError], fate: Fate) -> None:
    """What the record says, when the message returns, how loud the log is, and its event."""
    error = kind("code", Step.SEND)
    assert fate == (error.recorded_status, error.redelivery, error.log_level, error.event)


def test_every_class_stands_in_the_table() -> None:
    """A new class of error decides all of that as well."""
    found = (kind for module in MODULES for kind in vars(module).values())
    known = {kind for kind in found if isinstance(kind, type)}
    processing = {kind for kind in known if issubclass(kind, ProcessingError)}
    assert processing - {ProcessingError} == set(TABLE)


def test_an_alarm_makes_any_error_critical() -> None:
    """Where a person must look, the class does not say how loud it is."""
    error = errors.PermanentFailure("twilio_63007", Step.SEND, alarm=True)
    expected = (Status.FAILED, logging.CRITICAL, "vendor_account_refused")
    assert expected == (error.recorded_status, error.log_level, error.event)


def test_an_errors_text_is_code_step_and_detail() -> None:
    """Nothing else gets into the log by way of an exception's text."""
    assert "openai_500 at ai" == str(errors.TransientFailure("openai_500", Step.AI))
    error = errors.TransientFailure("openai_500", Step.AI, "why", fields={"looks": 1})
    assert "openai_500 at ai: why" == str(error)
