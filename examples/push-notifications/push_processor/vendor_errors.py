"""What the vendor's errors mean: certainly not sent, refused, or unknown."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import requests
from lambda_src.processors import (
    CredentialsRefused,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    SendOutcomeUnknown,
    Step,
    TransientFailure,
)
from urllib3.exceptions import MaxRetryError, NewConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable

GONE = "the device's token is no longer valid"

_MEANINGS: dict[int, Callable[[Step], ProcessingError]] = {
    HTTPStatus.UNAUTHORIZED: lambda step: CredentialsRefused("push_key_refused", step),
    HTTPStatus.FORBIDDEN: lambda step: CredentialsRefused("push_key_refused", step),
    HTTPStatus.GONE: lambda step: PermanentFailure("push_device_gone", step, GONE),
    HTTPStatus.TOO_MANY_REQUESTS: lambda step: RateLimited("push_rate_limited", step),
}


def meaning(answer: requests.Response, step: Step) -> ProcessingError:
    """The error that says what must happen after an answer that is none of success."""
    status = answer.status_code
    if status in _MEANINGS:
        return _MEANINGS[status](step)
    if step is Step.SETTLE:  # looking refuses no message
        return TransientFailure(f"push_{status}", step)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return PermanentFailure(f"push_{status}", step)
    return SendOutcomeUnknown(f"push_{status}", step)


def of_a_lost_answer(error: requests.RequestException, step: Step) -> ProcessingError:
    """The error for a request without an answer; `error` is what the HTTP library raised."""
    kind = type(error).__name__
    if step is Step.SETTLE or _never_connected(error):
        return TransientFailure("push_unreachable", step, kind)
    return SendOutcomeUnknown("push_answer_lost", step, kind)


def _never_connected(error: requests.RequestException) -> bool:
    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
