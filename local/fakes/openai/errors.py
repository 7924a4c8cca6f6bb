"""OpenAI's errors: https://developers.openai.com/api/docs/guides/error-codes."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from flask import jsonify
from werkzeug.wrappers import Response

from local.fakes.faults import Fault

_ERRORS: Mapping[str, tuple[int, str]] = {
    "conversation_locked": (400, "Another process is currently operating on this conversation."),
    "invalid_value": (400, "Invalid value."),
    "context_length_exceeded": (400, "Your input exceeds the context window of this model."),
    "content_policy_violation": (400, "The request was rejected by the safety system."),
    "billing_hard_limit_reached": (400, "Billing hard limit has been reached."),
    "organization_restricted": (400, "Your organization has been restricted."),
    "data_residency_mismatch": (400, "The project's data residency does not allow this request."),
    "invalid_json_schema": (400, "Invalid schema for response_format."),
    "unsupported_parameter": (400, "Unsupported parameter."),
    "unsupported_value": (400, "Unsupported value."),
    "account_deactivated": (401, "The account associated with this API key is deactivated."),
    "incorrect_hostname": (401, "You must use this project's regional hostname."),
    "invalid_api_key": (401, "Incorrect API key provided."),
    "unsupported_country_region_territory": (403, "Country, region, or territory not supported"),
    "model_not_found": (404, "The model does not exist or you do not have access to it."),
    "request_timeout": (408, "The request timed out."),
    "conflict": (409, "The resource was updated by another request."),
    "unprocessable_entity": (422, "Unable to process the request."),
    "rate_limit_exceeded": (429, "Rate limit reached. Please try again later."),
    "slow_down": (429, "Please slow down your requests."),
    "insufficient_quota": (429, "You exceeded your current quota, please check your plan."),
    "credit_balance_exhausted": (429, "Your credit balance is exhausted."),
    "organization_spend_limit_exceeded": (429, "The organization's spend limit is reached."),
    "project_spend_limit_exceeded": (429, "The project's spend limit is reached."),
    "organization_usage_limit_exceeded": (429, "The organization's usage limit is reached."),
    "project_usage_limit_exceeded": (429, "The project's usage limit is reached."),
    "server_error": (500, "The server had an error while processing your request."),
    "bad_gateway": (502, "Bad gateway."),
    "service_unavailable": (503, "The engine is currently overloaded, please try again later."),
    "gateway_timeout": (504, "The upstream did not respond in time."),
}
_PARAMS: Mapping[str, str] = {"conversation_locked": "conversation", "model_not_found": "model"}
_TYPES: Mapping[int, str] = {403: "request_forbidden", 429: "requests"}

NAMED_FAULTS: Mapping[str, Fault] = MappingProxyType(
    {code: Fault.error(status, code, text) for code, (status, text) in _ERRORS.items()}
)
"""An error response for every code, by its name."""


class OpenAIError(Exception):
    """A request that OpenAI rejects.

    Attributes:
        code: The error's code; None where OpenAI gives none.
        message: The error text.
        param: The invalid parameter, if any.
        status: HTTP status.
    """

    def __init__(
        self, code: str | None, message: str = "", *, param: str | None = None, status: int = 0
    ) -> None:
        known_status, known_message = _ERRORS.get(code or "", (HTTPStatus.BAD_REQUEST, ""))
        super().__init__(message or known_message)
        self.code = code
        self.message = message or known_message
        self.param = param or _PARAMS.get(code or "")
        self.status = status or known_status

    @classmethod
    def not_found(cls, message: str) -> "OpenAIError":
        """The error for a resource that does not exist."""
        return cls(None, message, status=HTTPStatus.NOT_FOUND)

    @property
    def type(self) -> str:
        """OpenAI's type of the error."""
        if self.code == "insufficient_quota":
            return self.code
        if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return "server_error"
        return _TYPES.get(self.status, "invalid_request_error")


def error_response(error: OpenAIError) -> Response:
    """Return the response to a rejected request."""
    names = ("message", "type", "param", "code")
    response = jsonify({"error": {name: getattr(error, name) for name in names}})
    response.status_code = error.status
    return response
