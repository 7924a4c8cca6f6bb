"""The context object as it stands on the queue: the contract with the channel router."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StrictStr, ValidationInfo, create_model

from lambda_src.core.context import ContextObject, Engine, RecordKey
from lambda_src.utils.assistant_definitions import AssistantModel
from lambda_src.utils.wire_types import (
    Assistant,
    JsonObject,
    KeyText,
    PhoneNumber,
    Text,
    Timestamp,
    Wire,
    problem,
)

CARRIED_OVER = ("auto_queue_", "rate_limits")
"""How the names of fields begin that are kept in the record and otherwise not looked at."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Whose queue a context object is read from.

    `is_own_secret` tells whether a secret reference lies within the channel's prefixes.
    """

    channel: str
    is_own_secret: Callable[[str], bool]


def _reader(info: ValidationInfo) -> Reader:
    reader: Reader = (info.context or {})["reader"]
    return reader


def _this_channel(value: str, info: ValidationInfo) -> str:
    channel = _reader(info).channel
    if value != channel:
        raise problem("wrong_channel", f"the channel {channel}")
    return value


def _naming_this_channel(value: list[str], info: ValidationInfo) -> list[str]:
    channel = _reader(info).channel
    if channel not in value:
        raise problem("channel_not_allowed", f"an array that names {channel}")
    return value


def _active(value: str) -> str:
    if value != "active":
        raise problem("project_not_active", "the status active")
    return value


def _true(value: object) -> object:
    if value is not True:
        raise problem("consent_not_given", "true")
    return value


def _own_secret(value: str, info: ValidationInfo) -> str:
    if not _reader(info).is_own_secret(value):
        raise problem("secret_reference_refused", "a secret within the channel's prefixes")
    return value


SecretReference = Annotated[Text, AfterValidator(_own_secret)]


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

    company_id: Text
    project_id: Text


class RecipientData(Wire):
    """Who is to get the message."""

    recipient_tel: PhoneNumber
    recipient_email: StrictStr | None = None
    recipient_first_name: StrictStr | None = None
    recipient_last_name: StrictStr | None = None
    comms_consent: Annotated[Any, AfterValidator(_true)]


class RequestData(Wire):
    """The router's request."""

    request_id: Text
    channel_method: Annotated[Text, AfterValidator(_this_channel)]
    initial_request_timestamp: Timestamp | None = None


class FrontendPayload(Wire):
    """What the company's front end sent."""

    company_data: CompanyData
    recipient_data: RecipientData
    request_data: RequestData
    project_data: JsonObject = Field(default_factory=dict)


class OpenAIConfig(Open):
    """Which key and which assistant write the message."""

    api_key_reference: SecretReference
    assistant_id_template_sender: Assistant
    engine: Literal["responses", "assistants"] = "responses"
    assistant: AssistantModel | None = None


class ChannelConfig(Open):
    """Which number and which credentials send it; the fields' names hold the channel's."""

    sender: PhoneNumber
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

    company_id: Text
    project_id: Text
    company_name: Text
    project_name: Text
    company_rep: JsonObject | None = None
    project_status: Annotated[Text, AfterValidator(_active)]
    allowed_channels: Annotated[list[Text], AfterValidator(_naming_this_channel)]
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


class Payload(Wire):
    """The whole context object."""

    metadata: Metadata
    conversation_data: ConversationData
    frontend_payload: FrontendPayload
    company_data_payload: CompanyDataPayload

    def context_object(self) -> ContextObject:
        """The context object as the core takes it."""
        company, front = self.company_data_payload, self.frontend_payload
        openai, recipient = company.ai_config.openai, front.recipient_data
        return ContextObject(
            key=RecordKey(recipient.recipient_tel, self.conversation_data.conversation_id),
            request_id=front.request_data.request_id,
            sender=company.channel.sender,
            recipient=recipient.recipient_tel,
            credentials_reference=company.channel.credentials_id,
            api_key_reference=openai.api_key_reference,
            assistant_id=openai.assistant_id_template_sender,
            engine=Engine(openai.engine),
            assistant=openai.assistant.definition() if openai.assistant else None,
            briefing=self._briefing(),
            attributes=self._attributes(),
        )

    def _briefing(self) -> dict[str, Any]:
        company, recipient = self.company_data_payload, self.frontend_payload.recipient_data
        return _without_none(
            {
                "company_name": company.company_name,
                "project_name": company.project_name,
                "company_rep": company.company_rep,
                "recipient_first_name": recipient.recipient_first_name,
                "recipient_last_name": recipient.recipient_last_name,
                "project_data": self.frontend_payload.project_data,
            }
        )

    def _attributes(self) -> dict[str, Any]:
        company, front = self.company_data_payload, self.frontend_payload
        named = company.model_dump(by_alias=True, exclude_unset=True, include=_COMPANY_ATTRIBUTES)
        return _without_none(
            {
                **company.carried_over(),
                **named,
                **front.recipient_data.model_dump(),
                **front.request_data.model_dump(),
                "project_data": front.project_data,
                "router_version": self.metadata.router_version,
            }
        )


_COMPANY_ATTRIBUTES = set(CompanyDataPayload.model_fields)


@cache
def context_model(channel: str) -> type[Payload]:
    """The model of one channel's context objects, whose field names hold the channel's name."""
    channel_config = create_model(
        "ChannelConfig",
        __base__=ChannelConfig,
        sender=(PhoneNumber, Field(alias=f"company_{channel}_number")),
        credentials_id=(SecretReference, Field(alias=f"{channel}_credentials_id")),
    )
    ai_config = create_model(
        "AIConfig", __base__=AIConfig, openai_config=(_by_channel(channel, OpenAIConfig), ...)
    )
    company = create_model(
        "CompanyDataPayload",
        __base__=CompanyDataPayload,
        ai_config=(ai_config, ...),
        channel_config=(_by_channel(channel, channel_config), ...),
    )
    return create_model("Payload", __base__=Payload, company_data_payload=(company, ...))


def _by_channel(channel: str, part: type[Wire]) -> type[Open]:
    return create_model("ByChannel", __base__=Open, own=(part, Field(alias=channel)))


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
