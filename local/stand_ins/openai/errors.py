"""OpenAI's errors: https://developers.openai.com/api/docs/guides/error-codes."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from flask import jsonify
from werkzeug.wrappers import Response

from local.stand_ins.faults import Fault

INVALID_REQUEST = "invalid_request_error"

_BAD = HTTPStatus.BAD_REQUEST
_TOO_MANY = HTTPStatus.TOO_MANY_REQUESTS
_ERRORS: Mapping[str, tuple[int, str]] = {
    "conversation_locked": (
        _BAD,
        "Another process is currently operating on this conversation; retry in a few seconds.",
    ),
    "invalid_value": (_BAD, "Invalid value."),
    "context_length_exceeded": (_BAD, "Your input exceeds the context window of this model."),
    "content_policy_violation": (_BAD, "The request was rejected by the safety system."),
    "invalid_api_key": (HTTPStatus.UNAUTHORIZED, "Incorrect API key provided."),
    "unsupported_country_region_territory": (
        HTTPStatus.FORBIDDEN,
        "Country, region, or territory not supported",
    ),
    "model_not_found": (
        HTTPStatus.NOT_FOUND,
        "The model does not exist or you do not have access to it.",
    ),
    "request_timeout": (HTTPStatus.REQUEST_TIMEOUT, "The request timed out."),
    "conflict": (HTTPStatus.CONFLICT, "The resource was updated by another request."),
    "unprocessable_entity": (HTTPStatus.UNPROCESSABLE_ENTITY, "Unable to process the request."),
    "rate_limit_exceeded": (_TOO_MANY, "Rate limit reached. Please try again later."),
    "slow_down": (_TOO_MANY, "Please slow down your requests."),
    "insufficient_quota": (
        _TOO_MANY,
        "You exceeded your current quota, please check your plan and billing details.",
    ),
    "credit_balance_exhausted": (_TOO_MANY, "Your credit balance is exhausted."),
    "organization_spend_limit_exceeded": (_TOO_MANY, "The organization's spend limit is reached."),
    "project_spend_limit_exceeded": (_TOO_MANY, "The project's spend limit is reached."),
    "organization_usage_limit_exceeded": (_TOO_MANY, "The organization's usage limit is reached."),
    "project_usage_limit_exceeded": (_TOO_MANY, "The project's usage limit is reached."),
    "server_error": (
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The server had an error while processing your request.",
    ),
    "bad_gateway": (HTTPStatus.BAD_GATEWAY, "Bad gateway."),
    "service_unavailable": (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The engine is currently overloaded, please try again later.",
    ),
    "gateway_timeout": (HTTPStatus.GATEWAY_TIMEOUT, "The upstream did not answer in time."),
}
_PARAMS: Mapping[str, str] = {"conversation_locked": "conversation"}
_TYPES: Mapping[int, str] = {
    HTTPStatus.FORBIDDEN: "request_forbidden",
    HTTPStatus.TOO_MANY_REQUESTS: "requests",
}

NAMED_FAULTS: Mapping[str, Fault] = MappingProxyType(
    {code: Fault.error(status, code) for code, (status, _) in _ERRORS.items()}
)
"""An error answer for every code, under its name."""


class OpenAIError(Exception):
    """A request that OpenAI refuses.

    Attributes:
        code: The error's code; None where OpenAI gives none.
        message: Words for people.
        param: The parameter that is wrong, if one is.
        status: HTTP status.
    """

    def __init__(
        self, code: str | None, message: str = "", *, param: str | None = None, status: int = 0
    ) -> None:
        known_status, known_message = _ERRORS.get(code or "", (_BAD, ""))
        super().__init__(message or known_message)
        self.code = code
        self.message = message or known_message
        self.param = param or _PARAMS.get(code or "")
        self.status = status or known_status


def refusal(error: OpenAIError) -> Response:
    """The answer to a request that is refused."""
    response = jsonify(
        {
            "error": {
                "message": error.message,
                "type": _type(error),
                "param": error.param,
                "code": error.code,
            }
        }
    )
    response.status_code = error.status
    return response


def not_found(message: str) -> OpenAIError:
    """The error for something that does not exist, with words that name it."""
    return OpenAIError(None, message, status=HTTPStatus.NOT_FOUND)


def _type(error: OpenAIError) -> str:
    if error.code == "insufficient_quota":
        return error.code
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "server_error"
    return _TYPES.get(error.status, INVALID_REQUEST)
