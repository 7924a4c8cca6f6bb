"""Twilio's error codes: https://www.twilio.com/docs/api/errors."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from flask import jsonify
from werkzeug.wrappers import Response

from local.fakes.faults import Fault

# Codes from 30003 and from 63000 on mostly arrive later, as a message's error code. As a direct
# response they are refusals, hence 400 where Twilio documents no other status.
_ERRORS: Mapping[int, tuple[int, str]] = {
    10001: (400, "Account is not active"),
    20001: (400, "Unknown parameters"),
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20005: (403, "Account is not active"),
    20008: (403, "Test account credentials cannot be used here"),
    20009: (409, "Cannot delete this resource before it is complete"),
    20403: (403, "Forbidden"),
    20404: (404, "The requested resource was not found"),
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal Server Error"),
    20503: (503, "Service Unavailable"),
    21211: (400, "Invalid 'To' phone number"),
    21212: (400, "Invalid 'From' phone number"),
    21266: (400, "'To' and 'From' number cannot be the same"),
    21408: (400, "Permission to send to the region of the 'To' number is not enabled"),
    21602: (400, "Message body is required"),
    21603: (400, "A 'From' phone number is required"),
    21604: (400, "A 'To' phone number is required"),
    21606: (400, "The 'From' phone number cannot send messages for this account"),
    21608: (400, "The 'To' number is not verified; trial accounts cannot send to it"),
    21609: (400, "The 'StatusCallback' URL is not valid"),
    21610: (400, "The recipient has opted out of messages from this sender"),
    21611: (429, "The 'From' number has too many queued messages"),
    21612: (400, "The 'To' number cannot be reached from this sender"),
    21614: (400, "The 'To' number is not a valid mobile number"),
    21617: (400, "The message body exceeds the 1600 character limit"),
    21619: (400, "A text message body, media URLs or a content template must be specified"),
    21620: (400, "Invalid media URL(s)"),
    21635: (400, "'To' number cannot be a landline"),
    21654: (400, "ContentSid is required with ContentVariables"),
    21655: (400, "The ContentSid is invalid"),
    21656: (400, "The ContentVariables parameter is invalid"),
    21658: (400, "The content variables exceed their maximum length"),
    21659: (400, "'From' is not a Twilio phone number"),
    21660: (400, "The 'From' number is not the account's"),
    21661: (400, "The 'From' number cannot send SMS"),
    21701: (404, "The Messaging Service does not exist"),
    21703: (400, "The Messaging Service has no sender available"),
    21704: (400, "The Messaging Service contains no senders"),
    21705: (400, "The Messaging Service is invalid"),
    21910: (400, "'From' and 'To' should be of the same channel"),
    30001: (429, "Queue overflow"),
    30002: (403, "Account suspended"),
    30003: (400, "Unreachable destination handset"),
    30004: (400, "Message blocked"),
    30005: (400, "Unknown destination handset"),
    30006: (400, "Landline or unreachable carrier"),
    30007: (400, "Message filtered"),
    30008: (400, "Unknown error"),
    30034: (400, "Message from an unregistered number"),
    60728: (429, "Rate limit reached"),
    63001: (400, "Channel could not authenticate the request"),
    63002: (400, "Channel could not find the From address"),
    63003: (400, "Channel could not find the To address"),
    63005: (400, "Channel did not accept the given content"),
    63007: (400, "Could not find a channel with the specified From address"),
    63008: (400, "The channel module is not configured correctly"),
    63010: (400, "Channel: internal error"),
    63012: (400, "Channel provider: internal error"),
    63013: (400, "Message violates the channel's policy"),
    63014: (400, "The user has blocked messages from this sender"),
    63015: (400, "The recipient has not joined the sandbox"),
    63016: (400, "Free-form message outside the allowed window; use a template"),
    63017: (429, "Channel: per-recipient rate limit exceeded"),
    63018: (429, "Channel: rate limit exceeded"),
    63020: (400, "The business account could not be found or is restricted"),
    63021: (400, "Channel: invalid content"),
    63022: (400, "The phone number's certificate is invalid"),
    63024: (400, "Invalid message recipient"),
    63027: (400, "Template does not exist for this language and locale"),
    63028: (400, "The number of parameters does not match the template's"),
    63031: (400, "'From' and 'To' of a channel message cannot be the same"),
    63033: (400, "Recipient is blocked from receiving this message"),
    63038: (429, "The account has exceeded its daily message limit"),
    63040: (400, "Template was rejected"),
    63041: (400, "Template is paused"),
    63042: (400, "Template is disabled"),
    63049: (400, "Meta chose not to deliver this marketing message"),
    63051: (400, "The WhatsApp Business Account is locked"),
    63112: (400, "The WhatsApp Business Account is disabled"),
    70051: (401, "Authorization failed"),
}

NAMED_FAULTS: Mapping[str, Fault] = MappingProxyType(
    {str(code): Fault.error(status, code, text) for code, (status, text) in _ERRORS.items()}
)
"""An error response for every code, by its number."""


class TwilioError(Exception):
    """A request that Twilio rejects.

    Attributes:
        code: Twilio's error code, one of the table above.
        detail: Text that follows the code's own.
    """

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail

    def response(self) -> Response:
        """Return the response to the rejected request."""
        status, message = _ERRORS[self.code]
        detail = f"{message}: {self.detail}" if self.detail else ""
        return error_response(status, self.code, detail)


def error_response(status: int, code: int | str, message: str = "") -> Response:
    """Return an error in Twilio's format.

    Args:
        status: HTTP status.
        code: Error code; empty for the status itself.
        message: The error text; empty for the code's own.
    """
    number = int(code or status)
    body = {
        "code": number,
        "message": message or message_of(number) or HTTPStatus(status).phrase,
        "more_info": f"https://www.twilio.com/docs/errors/{number}",
        "status": int(status),
    }
    response = jsonify(body)
    response.status_code = status
    return response


def message_of(code: int) -> str | None:
    """Return the text of a code; None if it is not in the table."""
    return _ERRORS[code][1] if code in _ERRORS else None
