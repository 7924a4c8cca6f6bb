"""The public names of the runtime: what another repository's processor code builds on.

A handler module there reads the `Settings`, calls `put_together` with its channel's `ChannelParts`
once per container, and `answer` for each batch. Of the parts, the `Sender` is the one that takes
care: the errors are named by what happens next with the message that it could not send.
"""

from lambda_src.composition import answer, put_together
from lambda_src.core.batch import BatchHandler
from lambda_src.core.channel_parts import AddressForm, Addressing, ChannelParts
from lambda_src.core.errors import (
    AccountRefused,
    CredentialsRefused,
    PermanentFailure,
    ProcessingError,
    RateLimited,
    Step,
    TransientFailure,
)
from lambda_src.core.message import OutgoingMessage
from lambda_src.core.ports import Credentials, Sender
from lambda_src.core.send_errors import SendOutcomeUnknown
from lambda_src.core.settings import ConfigurationError, Settings
from lambda_src.core.text_rules import Limit, TextRules
from lambda_src.services.bounded_http import BoundedAdapter
from lambda_src.services.secret_forms import malformed

__all__ = [
    "AccountRefused",
    "AddressForm",
    "Addressing",
    "BatchHandler",
    "BoundedAdapter",
    "ChannelParts",
    "ConfigurationError",
    "Credentials",
    "CredentialsRefused",
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
    "answer",
    "malformed",
    "put_together",
]
