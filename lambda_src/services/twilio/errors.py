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
    ConfigurationRefused,
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

MAY_BE_ACCEPTED = frozenset({20500, 20503})
MAX_CODE = 999_999
"""Twilio's codes have five digits; a larger number could be anything, such as a phone number."""

_MEANINGS: Mapping[tuple[type[ProcessingError], str], tuple[int, ...]] = {
    (CredentialsRefused, "the credentials are refused"): (20003, 20008, 70051),
    (AccountRefused, "the account is suspended, restricted or out of funds"): (
        *(10001, 20005, 20403, 30002, 63020, 63051, 63112),
    ),
    (ConfigurationRefused, "the sender or its region is not set up"): (
        *(20404, 21212, 21408, 21603, 21606, 63001, 63002, 63007, 63008, 63022),
    ),
    (ConfigurationRefused, "the status callback's address is not accepted"): (21609,),
    (ConfigurationRefused, "the template is missing, paused, disabled or has changed"): (
        *(21655, 63027, 63028, 63040, 63041, 63042),
    ),
    (TransientFailure, "an internal error before the message was accepted"): (63010, 63012),
    (RateLimited, "a rate or queue limit"): (20429, 21611, 30001, 60728, 63017, 63018, 63038),
    (RecipientOptedOut, "the recipient opted out or blocked the sender"): (21610, 63014, 63033),
    (PermanentFailure, "the recipient's number is wrong or cannot be reached"): (
        *(21211, 21604, 21614, 63003, 63024),
    ),
    (PermanentFailure, "the recipient cannot be reached from this sender"): (21612,),
    (PermanentFailure, "the recipient is not verified for a trial account or sandbox"): (
        *(21608, 63015),
    ),
    (PermanentFailure, "the message is empty or too long"): (21602, 21617, 21619, 21658),
    (PermanentFailure, "the content or the template's variables are not accepted"): (
        *(21654, 21656, 63005, 63013, 63021),
    ),
    (PermanentFailure, "outside the 24-hour window a template is needed"): (63016,),
    (PermanentFailure, "WhatsApp does not deliver marketing messages to the recipient"): (63049,),
}
CODES = {code: meaning for meaning, codes in _MEANINGS.items() for code in codes}
"""The error class of each code, and its detail."""
ALARMING = frozenset({21612})
"""Permanent failures that may be the sender's, and so affect other messages too."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a code means after which the same message is refused again.

    Attributes:
        detail: For the operator.
        is_configuration: Whether other messages are refused as well, until an operator acts.
    """

    detail: str
    is_configuration: bool = False


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
    if refusal := refusals.get(known or 0):
        refused = ConfigurationRefused if refusal.is_configuration else PermanentFailure
        return refused(name, step, refusal.detail)
    if known in CODES:
        kind, detail = CODES[known]
        error = kind(name, step, detail)
        error.alarm = error.alarm or known in ALARMING
        return error
    return _classify_status(status, name, step)


def _is_code(code: object) -> TypeGuard[int]:
    return type(code) is int and 0 < code <= MAX_CODE


def _classify_status(status: int, name: str, step: Step) -> ProcessingError:
    if status == HTTPStatus.NOT_FOUND:
        return ConfigurationRefused(name, step, "the account or the address does not exist")
    if status == HTTPStatus.PAYMENT_REQUIRED:
        return AccountRefused(name, step, "the account is out of funds")
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
