"""SES's errors: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html.

Those of tenants were observed by others against SES itself.
"""

from collections.abc import Mapping
from types import MappingProxyType

from flask import jsonify
from werkzeug.wrappers import Response

from local.fakes.faults import Fault

_ERRORS: Mapping[str, tuple[int, str]] = {
    "AccessDeniedException": (403, "User is not authorized to perform `ses:SendEmail'"),
    "AccountSuspendedException": (400, "Account is suspended."),
    "BadRequestException": (400, "The input is not valid."),
    "ExpiredTokenException": (403, "The security token included in the request is expired"),
    "InternalFailure": (500, "An internal error occurred."),
    "LimitExceededException": (400, "Daily message quota exceeded."),
    "MailFromDomainNotVerifiedException": (400, "The MAIL FROM domain is not verified."),
    "MessageRejected": (400, "The message contains invalid content."),
    "MissingAuthenticationToken": (403, "Missing Authentication Token"),
    "NotFoundException": (404, "The resource does not exist."),
    "SendingPausedException": (400, "Sending is paused."),
    "ServiceUnavailable": (503, "Service Unavailable"),
    "ThrottlingException": (400, "Maximum sending rate exceeded."),
    "TooManyRequestsException": (429, "Maximum sending rate exceeded."),
}

NAMED_FAULTS: Mapping[str, Fault] = MappingProxyType(
    {code: Fault.error(status, code, text) for code, (status, text) in _ERRORS.items()}
)
"""An error response for every code."""


class SesError(Exception):
    """A request that SES rejects.

    Attributes:
        code: SES's error code, one of the table above.
        message: The text; empty for the code's own.
    """

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.message = message

    def response(self) -> Response:
        """Return the response to the rejected request."""
        return error_response(_ERRORS[self.code][0], self.code, self.message)


def error_response(status: int, code: str, message: str = "") -> Response:
    """Return an error in SES's format; an empty message stands for the code's own."""
    text = message or _ERRORS.get(code, (0, "Error"))[1]
    response = jsonify({"message": text})
    response.status_code = status
    if code:
        response.headers["x-amzn-ErrorType"] = code
    return response
