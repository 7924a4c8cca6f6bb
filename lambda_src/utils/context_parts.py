"""The parts of a context object as they stand on the queue, field by field."""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field, StrictStr

from lambda_src.utils.assistant_definitions import AssistantModel
from lambda_src.utils.context_rules import (
    Active,
    ChannelsWithThis,
    Consent,
    SecretReference,
    ThisChannel,
)
from lambda_src.utils.wire_types import (
    Assistant,
    IdText,
    JsonObject,
    KeyText,
    Text,
    Timestamp,
    Wire,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CARRIED_OVER = ("auto_queue_", "rate_limits")
"""How the names of fields begin that are kept in the record and otherwise not looked at."""


class Open(Wire):
    """A part whose unknown fields are kept, since the record carries it whole."""

    model_config = ConfigDict(extra="allow")


class Metadata(Wire):
    """About the message itself."""

    router_version: StrictStr | None = None


class ConversationData(Wire):
    """Which conversation it is."""

    conversation_id: KeyText
    conversation_status: StrictStr | None = None


class CompanyData(Wire):
    """Who asked; an `api_key` that may stand here is never read."""

    company_id: IdText
    project_id: IdText


class RecipientData(Wire):
    """Who is to get the message; the channel says which field is the address."""

    recipient_tel: StrictStr | None = None
    recipient_email: StrictStr | None = None
    recipient_first_name: StrictStr | None = None
    recipient_last_name: StrictStr | None = None
    comms_consent: Consent


class RequestData(Wire):
    """The router's request."""

    request_id: IdText
    channel_method: ThisChannel
    initial_request_timestamp: Timestamp | None = None

    @property
    def requested_at(self) -> float | None:
        """Epoch seconds of the timestamp; None where there is none, or it names no time zone."""
        if self.initial_request_timestamp is None:
            return None
        moment = datetime.fromisoformat(self.initial_request_timestamp)
        return (moment - EPOCH).total_seconds() if moment.tzinfo else None


class FrontendPayload(Wire):
    """What the company's front end sent."""

    company_data: CompanyData
    recipient_data: RecipientData
    request_data: RequestData
    project_data: JsonObject = Field(default_factory=dict)

    def recipient(self, field: str) -> str:
        """The recipient's address, which stands in that field."""
        address: str = getattr(self.recipient_data, field)
        return address


class OpenAIConfig(Open):
    """Which key and which assistant write the message."""

    api_key_reference: SecretReference
    assistant_id_template_sender: Assistant
    engine: Literal["responses", "assistants"] = "responses"
    assistant: AssistantModel | None = None


class ChannelConfig(Open):
    """Which address and which credentials send it; the fields' names hold the channel's."""

    sender: Text
    credentials_id: SecretReference


class AIConfig(Open):
    """The AI's configuration, by vendor and channel."""

    openai_config: Any

    @property
    def openai(self) -> OpenAIConfig:
        """The configuration of this channel."""
        config: OpenAIConfig = self.openai_config.own
        return config


class CompanyDataPayload(Open):
    """What the company's registration says."""

    company_id: IdText
    project_id: IdText
    company_name: Text
    project_name: Text
    company_rep: JsonObject | None = None
    project_status: Active
    allowed_channels: ChannelsWithThis
    ai_config: AIConfig
    channel_config: Any

    @property
    def channel(self) -> ChannelConfig:
        """The configuration of this channel."""
        config: ChannelConfig = self.channel_config.own
        return config

    def carried_over(self) -> dict[str, Any]:
        """The unknown fields that the record keeps."""
        extra = self.model_extra or {}
        return {name: value for name, value in extra.items() if name.startswith(CARRIED_OVER)}
