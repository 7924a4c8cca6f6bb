"""What Twilio's errors mean: certainly not sent, refused, or unknown.

The codes and their meanings are those of Twilio's error dictionary
(https://www.twilio.com/docs/api/errors).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeGuard

from lambda_src.core.errors import (
    AccountRefused,
    CredentialsRefused,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    RecipientOptedOut,
    Step,
    TransientFailure,
)
from lambda_src.core.send_errors import SendOutcomeUnknown

if TYPE_CHECKING:
    from collections.abc import Mapping

CREDENTIALS = frozenset({20003, 20008, 70051})
ACCOUNT = frozenset({20005, 20403, 30002})
MAY_BE_ACCEPTED = frozenset({20500, 20503})
HIGHEST_CODE = 999_999
"""Twilio's codes have five digits; what is none may be anything, a phone number too."""
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
"""Codes after which the same message is refused again, with the words for a person."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A code after which the same message is refused again.

    `words` are for a person; with `alarm` one is called, since no other message fares better.
    """

    words: str
    alarm: bool = False


NO_REFUSALS: Mapping[int, Refusal] = MappingProxyType({})


def meaning(
    status: int, code: object, step: Step, refusals: Mapping[int, Refusal] = NO_REFUSALS
) -> ProcessingError:
    """The error that says what must happen after Twilio answered with an error.

    After a status of 5xx the message may have been accepted, whatever the code says. Otherwise the
    code goes before the status; what tells neither refusal nor rate limit leaves the outcome
    unknown.

    Args:
        status: The HTTP status.
        code: Twilio's own code as it stood in the answer; equal to the status where the body was no
            JSON. What is no code is passed over, and stands in no error.
        step: Where it happened.
        refusals: What codes mean that only one channel meets.
    """
    known = code if _is_code(code) else None
    name = f"twilio_{known or status}"
    if status >= 500 or known in MAY_BE_ACCEPTED:  # noqa: PLR2004 - HTTP's own number
        return _may_be_accepted(name, step)
    refusal = refusals.get(known or 0)
    if refusal:
        return PermanentFailure(name, step, refusal.words, alarm=refusal.alarm)
    return _meaning_of_code(known, name, step) or _meaning_of_status(status, name, step)


def _is_code(code: object) -> TypeGuard[int]:
    return type(code) is int and 0 < code <= HIGHEST_CODE


def _meaning_of_code(code: int | None, name: str, step: Step) -> ProcessingError | None:
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


def _meaning_of_status(status: int, name: str, step: Step) -> ProcessingError:
    if status in {401, 403}:
        return CredentialsRefused(name, step, "the credentials are refused")
    if status == 429:  # noqa: PLR2004 - HTTP's own number
        return RateLimited(name, step, "too many requests")
    if 400 <= status < 500 and status != 408:  # noqa: PLR2004 - HTTP's own numbers
        return PermanentFailure(name, step, "the request is refused")
    return _may_be_accepted(name, step)


def _may_be_accepted(name: str, step: Step) -> ProcessingError:
    return SendOutcomeUnknown(name, step, "the message may have been accepted")
