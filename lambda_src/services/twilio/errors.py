"""Classification of Twilio's errors: certainly not sent, refused, or outcome unknown.

Codes and their meanings are those of Twilio's error dictionary
(https://www.twilio.com/docs/api/errors).
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeGuard

from lambda_src.core import (
    AccountRefused,
    CredentialsRefused,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    RecipientOptedOut,
    SendOutcomeUnknown,
    TransientFailure,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_src.core import Step

CREDENTIALS = frozenset({20003, 20008, 70051})
ACCOUNT = frozenset({20005, 20403, 30002})
MAY_BE_ACCEPTED = frozenset({20500, 20503})
MAX_CODE = 999_999
"""Twilio's codes have five digits; a larger number could be anything, such as a phone number."""
TRANSIENT = frozenset({63010, 63012})
RATE_LIMITS = frozenset({20429, 21611, 30001, 60728, 63017, 63018, 63038})
OPTED_OUT = frozenset({21610, 63014, 63033})
RECIPIENT = frozenset({21211, 21604, 21612, 21614, 63003, 63024})
SENDER_SETUP = frozenset({21212, 21408, 21603, 21606, 63007})
NOT_JOINED = frozenset({21608, 63015})
LENGTH = frozenset({21602, 21617, 21619, 21658})
TEMPLATE = frozenset({21654, 21655, 21656, 63005, 63013, 63021, 63027, 63028, 63040, 63041, 63042})
OUTSIDE_WINDOW = frozenset({63016})

PERMANENT = {
    **dict.fromkeys(OPTED_OUT, "the recipient opted out or blocked the sender"),
    **dict.fromkeys(RECIPIENT, "the recipient's number is wrong or cannot be reached"),
    **dict.fromkeys(SENDER_SETUP, "the sender or its region is not set up"),
    **dict.fromkeys(NOT_JOINED, "the recipient is not verified for a trial account or sandbox"),
    **dict.fromkeys(LENGTH, "the message is empty or too long"),
    **dict.fromkeys(TEMPLATE, "the template or its variables are not accepted"),
    **dict.fromkeys(OUTSIDE_WINDOW, "outside the 24-hour window a template is needed"),
}
"""Codes after which the same message is refused again, with the error's detail."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a code means after which the same message is refused again.

    `detail` is for the operator; `alarm` means that an operator must act, since other messages are
    refused as well.
    """

    detail: str
    alarm: bool = False


NO_REFUSALS: Mapping[int, Refusal] = MappingProxyType({})


def classify(
    status: int, code: object, step: Step, refusals: Mapping[int, Refusal] = NO_REFUSALS
) -> ProcessingError:
    """Return the error for one of Twilio's error answers.

    After a status of 5xx the message may have been accepted, whatever the code. Otherwise the code
    has precedence over the status. An answer that indicates neither a refusal nor a rate limit
    leaves the outcome unknown.

    Args:
        status: The HTTP status.
        code: Twilio's own code as in the answer; equal to the status if the body was not JSON. A
            value that cannot be a code is ignored and not repeated in the error.
        step: Where it happened.
        refusals: The channel's own codes.
    """
    known = code if _is_code(code) else None
    name = f"twilio_{known or status}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or known in MAY_BE_ACCEPTED:
        return _may_be_accepted(name, step)
    refusal = refusals.get(known or 0)
    if refusal:
        return PermanentFailure(name, step, refusal.detail, alarm=refusal.alarm)
    return _classify_code(known, name, step) or _classify_status(status, name, step)


def _is_code(code: object) -> TypeGuard[int]:
    return type(code) is int and 0 < code <= MAX_CODE


def _classify_code(code: int | None, name: str, step: Step) -> ProcessingError | None:
    if code in PERMANENT:
        kind = RecipientOptedOut if code in OPTED_OUT else PermanentFailure
        return kind(name, step, PERMANENT[code], alarm=code in SENDER_SETUP)
    if code in CREDENTIALS:
        return CredentialsRefused(name, step, "the credentials are refused")
    if code in ACCOUNT:
        return AccountRefused(name, step, "the account is suspended or out of funds")
    if code in TRANSIENT:
        return TransientFailure(name, step, "an internal error before the message was accepted")
    if code in RATE_LIMITS:
        return RateLimited(name, step, "a rate or queue limit")
    return None


def _classify_status(status: int, name: str, step: Step) -> ProcessingError:
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return CredentialsRefused(name, step, "the credentials are refused")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(name, step, "too many requests")
    is_client_error = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    if is_client_error and status != HTTPStatus.REQUEST_TIMEOUT:
        return PermanentFailure(name, step, "the request is refused")
    return _may_be_accepted(name, step)


def _may_be_accepted(name: str, step: Step) -> ProcessingError:
    return SendOutcomeUnknown(name, step, "the message may have been accepted")
