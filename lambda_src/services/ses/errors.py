"""Classification of SES's errors: certainly not sent, refused, or outcome unknown.

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors and
the errors common to all of AWS's services.
"""

from __future__ import annotations

import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    SSLError,
)

from lambda_src.core import (
    AccountRefused,
    ConfigurationRefused,
    PermanentFailure,
    RateLimited,
    SendOutcomeUnknown,
    Step,
    TransientFailure,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_src.core import ProcessingError

NOT_VERIFIED = "Email address is not verified"
"""Beginning of the documented text by which alone this refusal differs from one of the content:
https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html"""
NOT_CONNECTED_ERRORS = (EndpointConnectionError, ConnectTimeoutError)
NO_CREDENTIALS_ERRORS = (NoCredentialsError, CredentialRetrievalError)

_MEANINGS: Mapping[tuple[type[ProcessingError], str], tuple[str, ...]] = {
    (AccountRefused, "the account or tenant may not send: suspended, paused or without SES"): (
        *("AccountSuspendedException", "SendingPausedException", "OptInRequired"),
    ),
    (AccountRefused, "the function's own credentials are refused"): (
        *("UnrecognizedClientException", "InvalidClientTokenId", "MissingAuthenticationToken"),
        *("ExpiredTokenException", "InvalidSignatureException", "SignatureDoesNotMatch"),
        "IncompleteSignature",
    ),
    (ConfigurationRefused, "no permission, or sender or configuration set are not the tenant's"): (
        *("AccessDeniedException", "AccessDenied", "NotAuthorized"),
    ),
    (ConfigurationRefused, "the tenant or the configuration set does not exist"): (
        "NotFoundException",
    ),
    (ConfigurationRefused, "the sender's MAIL FROM domain is not verified"): (
        "MailFromDomainNotVerifiedException",
    ),
    (RateLimited, "the sending rate or the daily quota is exceeded"): (
        *("TooManyRequestsException", "ThrottlingException", "Throttling"),
        "LimitExceededException",
    ),
    (TransientFailure, "the request arrived too late"): ("RequestExpired",),
    (PermanentFailure, "the message is rejected"): ("MessageRejected",),
    (PermanentFailure, "the request is invalid"): ("BadRequestException", "ValidationException"),
}
CODES = {code: meaning for meaning, codes in _MEANINGS.items() for code in codes}
"""The error class of each code, and its detail."""
ALARMING = frozenset({"MessageRejected", "BadRequestException", "ValidationException"})
"""Permanent failures that may be the sender's, and so affect other messages too."""


def classify(error: Exception) -> ProcessingError:
    """Return the error for what a request to send raised.

    After a status of 5xx the message may have been accepted, whatever the code. SES's own texts
    contain addresses and are not repeated.
    """
    if isinstance(error, ClientError):
        return _classify_answer(error)
    kind = type(error).__name__
    if isinstance(error, NOT_CONNECTED_ERRORS) or _is_certificate_refused(error):
        return TransientFailure("ses_unreachable", Step.SEND, kind)
    if isinstance(error, NO_CREDENTIALS_ERRORS):
        return TransientFailure("ses_credentials_missing", Step.SEND, kind)
    if isinstance(error, ParamValidationError):  # raised before the request
        return PermanentFailure("ses_request_invalid", Step.SEND, kind, alarm=True)
    return SendOutcomeUnknown("ses_answer_lost", Step.SEND, kind)


def _is_certificate_refused(error: Exception) -> bool:
    # Other TLS errors may occur after the request was written.
    cause: BaseException | None = error if isinstance(error, SSLError) else None
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


def _classify_answer(error: ClientError) -> ProcessingError:
    answer = error.response
    status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, text = (str(answer.get("Error", {}).get(name, "")) for name in ("Code", "Message"))
    name = f"ses_{code if code in CODES else status}"
    if not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return _may_be_accepted(name)
    if code == "MessageRejected" and text.startswith(NOT_VERIFIED):
        return ConfigurationRefused(
            name, Step.SEND, "the sender is not verified, or the account is in SES's sandbox"
        )
    if code in CODES:
        kind, detail = CODES[code]
        failure = kind(name, Step.SEND, detail)
        failure.alarm = failure.alarm or code in ALARMING
        return failure
    return _classify_status(status, name)


def _classify_status(status: int, name: str) -> ProcessingError:
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
        return ConfigurationRefused(name, Step.SEND, "no permission, or no such resource")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return RateLimited(name, Step.SEND, "too many requests")
    if status == HTTPStatus.REQUEST_TIMEOUT:
        return _may_be_accepted(name)
    return PermanentFailure(name, Step.SEND, "the request is refused", alarm=True)


def _may_be_accepted(name: str) -> ProcessingError:
    return SendOutcomeUnknown(name, Step.SEND, "the message may have been accepted")
