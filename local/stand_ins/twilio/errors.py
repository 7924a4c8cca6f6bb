"""Twilio's error codes: https://www.twilio.com/docs/api/errors."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from flask import jsonify
from werkzeug.wrappers import Response

from local.stand_ins.faults import Fault

_BAD = HTTPStatus.BAD_REQUEST
_UNAUTHORIZED = HTTPStatus.UNAUTHORIZED
_FORBIDDEN = HTTPStatus.FORBIDDEN
_TOO_MANY = HTTPStatus.TOO_MANY_REQUESTS

# Codes from 30003 and from 63000 on mostly reach a sender later, as a message's error code; what
# answers directly with one is a refusal, hence 400 where Twilio documents no other status.
_ERRORS: Mapping[int, tuple[int, str]] = {
    20001: (_BAD, "Unknown parameters"),
    20003: (_UNAUTHORIZED, "Authenticate"),
    20004: (HTTPStatus.METHOD_NOT_ALLOWED, "Method not allowed"),
    20005: (_FORBIDDEN, "Account is not active"),
    20008: (_FORBIDDEN, "Test account credentials cannot be used here"),
    20403: (_FORBIDDEN, "Forbidden"),
    20404: (HTTPStatus.NOT_FOUND, "The requested resource was not found"),
    20429: (_TOO_MANY, "Too Many Requests"),
    20500: (HTTPStatus.INTERNAL_SERVER_ERROR, "Internal Server Error"),
    20503: (HTTPStatus.SERVICE_UNAVAILABLE, "Service Unavailable"),
    21211: (_BAD, "Invalid 'To' phone number"),
    21212: (_BAD, "Invalid 'From' phone number"),
    21266: (_BAD, "'To' and 'From' number cannot be the same"),
    21408: (_BAD, "Permission to send to the region of the 'To' number is not enabled"),
    21602: (_BAD, "Message body is required"),
    21603: (_BAD, "A 'From' phone number is required"),
    21604: (_BAD, "A 'To' phone number is required"),
    21606: (_BAD, "The 'From' phone number cannot send messages for this account"),
    21608: (_BAD, "The 'To' number is not verified; trial accounts cannot send to it"),
    21609: (_BAD, "The 'StatusCallback' URL is not valid"),
    21610: (_BAD, "The recipient has opted out of messages from this sender"),
    21611: (_TOO_MANY, "The 'From' number has too many queued messages"),
    21612: (_BAD, "The 'To' number cannot be reached from this sender"),
    21614: (_BAD, "The 'To' number is not a valid mobile number"),
    21617: (_BAD, "The message body exceeds the 1600 character limit"),
    21619: (_BAD, "A text message body, media URLs or a content template must be specified"),
    21620: (_BAD, "Invalid media URL(s)"),
    21635: (_BAD, "'To' number cannot be a landline"),
    21654: (_BAD, "ContentSid is required with ContentVariables"),
    21655: (_BAD, "The ContentSid is invalid"),
    21656: (_BAD, "The ContentVariables parameter is invalid"),
    21658: (_BAD, "The content variables exceed their maximum length"),
    21659: (_BAD, "'From' is not a Twilio phone number"),
    21660: (_BAD, "The 'From' number is not the account's"),
    21661: (_BAD, "The 'From' number cannot send SMS"),
    21701: (HTTPStatus.NOT_FOUND, "The Messaging Service does not exist"),
    21703: (_BAD, "The Messaging Service has no sender available"),
    21704: (_BAD, "The Messaging Service contains no senders"),
    21705: (_BAD, "The Messaging Service is invalid"),
    21910: (_BAD, "'From' and 'To' should be of the same channel"),
    30001: (_TOO_MANY, "Queue overflow"),
    30002: (_FORBIDDEN, "Account suspended"),
    30003: (_BAD, "Unreachable destination handset"),
    30004: (_BAD, "Message blocked"),
    30005: (_BAD, "Unknown destination handset"),
    30006: (_BAD, "Landline or unreachable carrier"),
    30007: (_BAD, "Message filtered"),
    30008: (_BAD, "Unknown error"),
    30034: (_BAD, "Message from an unregistered number"),
    60728: (_TOO_MANY, "Rate limit reached"),
    63003: (_BAD, "Channel could not find the To address"),
    63005: (_BAD, "Channel did not accept the given content"),
    63007: (_BAD, "Could not find a channel with the specified From address"),
    63010: (_BAD, "Channel: internal error"),
    63012: (_BAD, "Channel provider: internal error"),
    63013: (_BAD, "Message violates the channel's policy"),
    63014: (_BAD, "The user has blocked messages from this sender"),
    63015: (_BAD, "The recipient has not joined the sandbox"),
    63016: (_BAD, "Free-form message outside the allowed window; use a template"),
    63017: (_TOO_MANY, "Channel: per-recipient rate limit exceeded"),
    63018: (_TOO_MANY, "Channel: rate limit exceeded"),
    63021: (_BAD, "Channel: invalid content"),
    63024: (_BAD, "Invalid message recipient"),
    63027: (_BAD, "Template does not exist for this language and locale"),
    63028: (_BAD, "The number of parameters does not match the template's"),
    63031: (_BAD, "'From' and 'To' of a channel message cannot be the same"),
    63033: (_BAD, "Recipient is blocked from receiving this message"),
    63038: (_TOO_MANY, "The account has exceeded its daily message limit"),
    63040: (_BAD, "Template was rejected"),
    63041: (_BAD, "Template is paused"),
    63042: (_BAD, "Template is disabled"),
    70051: (_UNAUTHORIZED, "Authorization failed"),
}

NAMED_FAULTS: Mapping[str, Fault] = MappingProxyType(
    {str(code): Fault.error(status, code) for code, (status, _) in _ERRORS.items()}
)
"""An error answer for every code, under its number."""


class TwilioError(Exception):
    """A request that Twilio refuses.

    Attributes:
        code: Twilio's error code, one of the table above.
        detail: What stands behind the code's own words.
    """

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail


def refusal(error: TwilioError) -> Response:
    """The answer to a request that is refused."""
    status, message = _ERRORS[error.code]
    return error_answer(status, error.code, f"{message}: {error.detail}" if error.detail else "")


def error_answer(status: int, code: int | str, message: str = "") -> Response:
    """An error in Twilio's form.

    Args:
        status: HTTP status.
        code: Error code; empty for an error page of the status alone.
        message: Words for people; empty for the code's own.
    """
    number = int(code or status)
    body = {
        "code": number,
        "message": message or _ERRORS.get(number, (status, HTTPStatus(status).phrase))[1],
        "more_info": f"https://www.twilio.com/docs/errors/{number}",
        "status": int(status),
    }
    response = jsonify(body)
    response.status_code = status
    return response


def words_of(code: int) -> str | None:
    """What a code says, for a message that failed later."""
    return _ERRORS[code][1] if code in _ERRORS else None
