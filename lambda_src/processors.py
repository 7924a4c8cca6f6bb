"""The public names of the runtime, for processors in other repositories.

A handler module reads `Settings`, calls `build_handler` with its channel's `ChannelParts` once per
container, and `handle_event` for each batch. The `Sender` raises errors that are named by what
happens next with the message that it could not send.
"""

from lambda_src.bootstrap import build_handler, handle_event
from lambda_src.core import (
    AccountRefused,
    AddressFormat,
    Addressing,
    ChannelParts,
    ConfigurationError,
    Credentials,
    CredentialsRefused,
    Limit,
    OutgoingMessage,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    Sender,
    SendOutcomeUnknown,
    Settings,
    Step,
    TextRules,
    TransientFailure,
)
from lambda_src.core.batch import BatchHandler
from lambda_src.services.http_deadline import DeadlineAdapter
from lambda_src.services.secret_schemas import invalid_secret

__all__ = [
    "AccountRefused",
    "AddressFormat",
    "Addressing",
    "BatchHandler",
    "ChannelParts",
    "ConfigurationError",
    "Credentials",
    "CredentialsRefused",
    "DeadlineAdapter",
    "Limit",
    "OutgoingMessage",
    "PermanentFailure",
    "ProcessingError",
    "RateLimited",
    "SendOutcomeUnknown",
    "Sender",
    "Settings",
    "Step",
    "TextRules",
    "TransientFailure",
    "build_handler",
    "handle_event",
    "invalid_secret",
]
