"""Errors: what each determines, and how those of OpenAI and Twilio are classified."""

import logging
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.channels.sms import REFUSALS
from lambda_src.core import errors
from lambda_src.core.ai.errors import (
    LOCKED_SECONDS,
    ai_refused,
    classify_failure,
    classify_run,
    classify_status,
    incomplete_answer,
)
from lambda_src.core.contract import Status, Step
from lambda_src.core.errors import ProcessingError, Redelivery
from lambda_src.core.retry import LONG_BACKOFF_FACTOR, redelivery_delay
from lambda_src.core.time_budget import MAX_BACKOFF, MAX_RETRY_AFTER
from lambda_src.services.twilio.errors import classify

FAILED, RETRY = Status.FAILED, Status.RETRY
AT_ONCE, BACKOFF, LONG = Redelivery.AT_ONCE, Redelivery.BACKOFF, Redelivery.LONG_BACKOFF
INFO, WARNING, ERROR, CRITICAL = logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL


def test_an_alarm_makes_any_error_critical() -> None:
    """Where an operator must act, the class does not determine the level."""
    error = errors.PermanentFailure("twilio_63007", Step.SEND, alarm=True)
    expected = (FAILED, CRITICAL, "vendor_account_refused")
    assert expected == (error.recorded_status, error.log_level, error.event)


def test_an_errors_text_is_code_step_and_detail() -> None:
    """Nothing else gets into the log through an exception's text."""
    assert "openai_500 at ai" == str(errors.TransientFailure("openai_500", Step.AI))
    error = errors.TransientFailure("openai_500", Step.AI, "why", fields={"looks": 1})
    assert "openai_500 at ai: why" == str(error)


# --- when a failed message is delivered again

receives = st.integers(1, 10_000)
bases = st.floats(1, 600)
waits = st.floats(0, 1e9)
transient = errors.TransientFailure("openai_500", Step.AI)
limited = errors.RateLimited("openai_429", Step.AI)
SQS_MAXIMUM = 43_200
"""Seconds of invisibility that SQS accepts."""


@given(receives, bases, st.sampled_from([transient, limited]))
def test_a_backoff_is_bounded(count: int, base: float, error: errors.TransientFailure) -> None:
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
    requested = errors.RateLimited("openai_429", Step.AI, retry_after=wait)
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


# --- classification

ErrorClass = type[ProcessingError]
Table = dict[ErrorClass, dict[int | None, tuple[str | int | None, ...]]]
"""Documented codes by their error class and HTTP status; None is an error without a code."""
TRANSIENT, LIMITED = errors.TransientFailure, errors.RateLimited
PERMANENT, CONFIGURATION = errors.PermanentFailure, errors.ConfigurationRefused


def cases(table: Table) -> list[tuple[Any, Any, ErrorClass]]:
    """Return status, code and class of each error in a table."""
    return [
        (status, code, kind)
        for kind, statuses in table.items()
        for status, codes in statuses.items()
        for code in codes
    ]


OPENAI: Table = {
    TRANSIENT: {
        400: ("conversation_locked",), 408: (None,), 409: (None,), 500: ("server_error",),
        502: (None,), 503: ("slow_down",), 504: (None,),
        None: ("server_error", "vector_store_timeout", None),
    },
    PERMANENT: {400: ("invalid_value", None), 422: (None,), None: ("invalid_prompt",)},
    CONFIGURATION: {
        400: ("model_not_found", "unsupported_model", "invalid_json_schema",
              "unsupported_parameter", "unsupported_value"),
        401: ("incorrect_hostname",), 403: ("model_not_found",), 404: ("model_not_found", None),
        410: (None,), None: ("model_not_found", "data_residency_mismatch"),
    },
    errors.CredentialsRefused: {
        401: ("invalid_api_key", None), 403: ("unsupported_country_region_territory",),
    },
    LIMITED: {429: ("rate_limit_exceeded", "slow_down", None), None: ("rate_limit_exceeded",)},
    errors.AccountRefused: {
        400: ("billing_hard_limit_reached", "organization_restricted"),
        401: ("account_deactivated",), 402: (None,), 403: ("insufficient_quota",),
        429: ("insufficient_quota", "credit_balance_exhausted", "billing_not_active",
              "project_spend_limit_exceeded", "organization_usage_limit_exceeded"),
        None: ("insufficient_quota", "organization_spend_limit_exceeded"),
    },
}  # fmt: skip
"""The codes without a status are those of failed answers."""


@pytest.mark.parametrize(("status", "code", "kind"), cases(OPENAI))
def test_an_error_is_classified_by_code_before_status(
    status: int | None, code: str | None, kind: ErrorClass
) -> None:
    """Keys, funds and models raise an alarm; what passes by itself or is one message's does not."""
    error = classify_status(status, code) if status else classify_failure(code)
    expected = f"openai_{code or status or 'failed'}"
    assert (kind, expected, Step.AI) == (type(error), error.code, error.step)
    assert issubclass(kind, errors.AccountRefused) is error.alarm


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "rate_limit_exceeded", 7.5), (503, None, 7.5), (400, None, None),
        (400, "conversation_locked", LOCKED_SECONDS), (429, "insufficient_quota", None),
    ],
)  # fmt: skip
def test_a_retry_after_is_used_where_a_retry_helps(
    status: int, code: str | None, expected: float | None
) -> None:
    """A locked conversation is free again in seconds; missing funds are not."""
    assert expected == classify_status(status, code, retry_after=7.5).retry_after


@pytest.mark.parametrize(
    ("status", "param", "kind"),
    [
        (400, "model", CONFIGURATION), (422, "model", CONFIGURATION),
        (400, "text.format.schema", CONFIGURATION), (400, "max_output_tokens", CONFIGURATION),
        (400, "reasoning.effort", CONFIGURATION), (400, "input", PERMANENT),
        (400, "input[0].content", PERMANENT), (400, ["model"], PERMANENT),
        (429, "model", LIMITED), (500, "model", TRANSIENT),
    ],
)  # fmt: skip
def test_a_refused_definition_raises_an_alarm(status: int, param: object, kind: ErrorClass) -> None:
    """Whatever the code: no message is at fault, and every one would be lost."""
    assert kind is type(classify_status(status, "invalid_value", param=param))


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (classify_run("expired", None), TRANSIENT, "openai_run_expired"),
        (classify_run("cancelled", None), TRANSIENT, "openai_run_cancelled"),
        (classify_run("failed", None), TRANSIENT, "openai_failed"),
        (classify_run("failed", "server_error"), TRANSIENT, "openai_server_error"),
        (classify_run("failed", "rate_limit_exceeded"), LIMITED, "openai_rate_limit_exceeded"),
        (classify_run("failed", "invalid_prompt"), PERMANENT, "openai_invalid_prompt"),
        (classify_run("requires_action", None), PERMANENT, "openai_requires_action"),
        (classify_run("call +15550100999", None), TRANSIENT, "openai_failed"),
        (classify_run(None, None), TRANSIENT, "openai_failed"),
        (ai_refused(), PERMANENT, "ai_answer_refused"),
        (incomplete_answer("content_filter"), PERMANENT, "ai_answer_refused"),
        (incomplete_answer("max_output_tokens"), errors.InvalidAnswer, "ai_answer_cut_off"),
        (incomplete_answer(None), errors.InvalidAnswer, "ai_answer_cut_off"),
    ],
    ids=lambda value: value.code if isinstance(value, ProcessingError) else "",
)
def test_a_run_or_answer_without_a_text_is_classified_by_its_end(
    error: ProcessingError, kind: ErrorClass, code: str
) -> None:
    """What may succeed is retried; a refusal is final, an incomplete answer asked for once more."""
    assert (kind, code) == (type(error), error.code)


SENDER_SETUP = (20404, 21212, 21408, 21603, 21606, 63001, 63002, 63007, 63008, 63022)
TEMPLATE_SETUP = (21655, 63027, 63028, 63040, 63041, 63042)
RECIPIENT = (21211, 21604, 21612, 21614, 63003, 63024)
CONTENT = (21654, 21656, 63005, 63013, 63021)
OTHER_REFUSALS = (21608, 63015, 21602, 21617, 21619, 21658, 63016, 63049)
TWILIO: Table = {
    LIMITED: {429: (20429, 63017, 63018, None), 400: (21611, 30001, 63038, 60728)},
    errors.SendOutcomeUnknown: {
        500: (20500, None), 503: (20503, None), 502: (502, None), 504: (504, None),
        400: (20500, 20503), 404: (20500, 20503), 408: (None,), 301: (None,), 200: (None,),
    },
    errors.CredentialsRefused: {401: (20003, 20008, 70051, None), 403: (20003, None)},
    errors.AccountRefused: {
        400: (10001, 30002, 63020, 63051, 63112), 402: (402, None), 403: (20005, 20403),
    },
    CONFIGURATION: {400: (*SENDER_SETUP, *TEMPLATE_SETUP), 404: (20404, None)},
    TRANSIENT: {400: (63010, 63012)},
    errors.RecipientOptedOut: {400: (21610, 63014, 63033)},
    PERMANENT: {
        400: (*RECIPIENT, *CONTENT, *OTHER_REFUSALS, None), 409: (None,), 422: (None,),
    },
}  # fmt: skip


@pytest.mark.parametrize(("status", "code", "kind"), cases(TWILIO))
def test_twilios_code_determines_the_error(status: int, code: int | None, kind: ErrorClass) -> None:
    """An alarm is raised for the account, its configuration, and a sender without a route."""
    error = classify(status, code, Step.SEND)
    assert (kind, f"twilio_{code or status}", Step.SEND) == (type(error), error.code, error.step)
    assert (issubclass(kind, errors.AccountRefused) or code == 21612) is error.alarm


@pytest.mark.parametrize("code", sorted({code for _, code, _ in cases(TWILIO) if code}))
@pytest.mark.parametrize("status", [500, 599])
def test_a_server_error_is_unknown(code: int, status: int) -> None:
    """Whatever its code: Twilio may have accepted the message before it failed."""
    error = classify(status, code, Step.SEND)
    assert (errors.SendOutcomeUnknown, f"twilio_{code}") == (type(error), error.code)


@pytest.mark.parametrize(
    ("status", "kind"), [(status, kind) for status, code, kind in cases(TWILIO) if code is None]
)
def test_an_unknown_code_is_classified_by_its_status(status: int, kind: ErrorClass) -> None:
    """A new code, or the status as the code, as without JSON."""
    assert {kind} == {type(classify(status, code, Step.SEND)) for code in (99999, status)}


@pytest.mark.parametrize("code", REFUSALS)
def test_its_own_refusals_are_permanent_or_due_to_configuration(code: int) -> None:
    """An alarm is raised for those that are due to our set-up, which are retried."""
    error = classify(400, code, Step.SEND, REFUSALS)
    is_set_up = code in {21659, 21660, 21661, 21701, 21703, 21704, 21705, 30034}
    assert (CONFIGURATION if is_set_up else PERMANENT) is type(error)
    assert (f"twilio_{code}", REFUSALS[code].detail) == (error.code, error.detail)
    assert is_set_up == error.alarm
