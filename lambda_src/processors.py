"""The public names of the runtime, for processors in other repositories.

A handler module reads `Settings`, calls `build_handler` with its channel's `ChannelParts` once per
container, and `handle_event` for each batch. The `Sender` raises errors that are named by what
happens next with the message that it could not send.

A channel whose vendor reports deliveries by status callbacks, or can be asked for them, has
`callbacks` or `make_status_lookup` among its parts; its events worker calls `build_events_handler`.
The scheduled job is the handler `lambda_src.scheduler.lambda_handler` on every channel.
"""

from lambda_src.bootstrap import EventHandler, build_events_handler, build_handler, handle_event
from lambda_src.core import (
    AccountRefused,
    AddressFormat,
    Addressing,
    Callback,
    Callbacks,
    ChannelParts,
    ConfigurationError,
    ContextObject,
    Credentials,
    CredentialsRefused,
    DeliveryEvent,
    DeliveryStatus,
    DropReason,
    Limit,
    NoCredentials,
    OperatorParts,
    OutgoingMessage,
    PermanentFailure,
    Problem,
    ProcessingError,
    RateLimited,
    RecipientOptedOut,
    SecretField,
    Sender,
    SendOutcomeUnknown,
    Settings,
    StatusLookup,
    Step,
    TextFormat,
    TextRules,
    TransientFailure,
    VendorEvent,
    VendorEvents,
    call_with_deadline,
)
from lambda_src.core.batch import BatchHandler
from lambda_src.services.http_deadline import DeadlineAdapter
from lambda_src.services.secrets_manager_service import invalid_secret

__all__ = [
    "AccountRefused",
    "AddressFormat",
    "Addressing",
    "BatchHandler",
    "Callback",
    "Callbacks",
    "ChannelParts",
    "ConfigurationError",
    "ContextObject",
    "Credentials",
    "CredentialsRefused",
    "DeadlineAdapter",
    "DeliveryEvent",
    "DeliveryStatus",
    "DropReason",
    "EventHandler",
    "Limit",
    "NoCredentials",
    "OperatorParts",
    "OutgoingMessage",
    "PermanentFailure",
    "Problem",
    "ProcessingError",
    "RateLimited",
    "RecipientOptedOut",
    "SecretField",
    "SendOutcomeUnknown",
    "Sender",
    "Settings",
    "StatusLookup",
    "Step",
    "TextFormat",
    "TextRules",
    "TransientFailure",
    "VendorEvent",
    "VendorEvents",
    "build_events_handler",
    "build_handler",
    "call_with_deadline",
    "handle_event",
    "invalid_secret",
]
