"""The context object as it stands on the queue: the contract with the channel router."""

from functools import cache
from typing import Any

from pydantic import Field, create_model

from lambda_src.core.channel_parts import Addressing
from lambda_src.core.context import ContextObject, Engine, RecordKey
from lambda_src.utils.context_parts import (
    AIConfig,
    ChannelConfig,
    CompanyDataPayload,
    ConversationData,
    FrontendPayload,
    Metadata,
    Open,
    OpenAIConfig,
    RecipientData,
)
from lambda_src.utils.context_rules import SecretReference
from lambda_src.utils.wire_types import Wire, address_of


class Payload(Wire):
    """The whole context object."""

    metadata: Metadata
    conversation_data: ConversationData
    frontend_payload: FrontendPayload
    company_data_payload: CompanyDataPayload

    def context_object(self, addressing: Addressing) -> ContextObject:
        """The context object as the core takes it, where the recipient stands as told."""
        company, front = self.company_data_payload, self.frontend_payload
        openai, recipient = company.ai_config.openai, front.recipient(addressing.recipient_field)
        return ContextObject(
            key=RecordKey(recipient, self.conversation_data.conversation_id),
            channel=front.request_data.channel_method,
            request_id=front.request_data.request_id,
            sender=company.channel.sender,
            recipient=recipient,
            credentials_reference=company.channel.credentials_id,
            api_key_reference=openai.api_key_reference,
            assistant_id=openai.assistant_id_template_sender,
            engine=Engine(openai.engine),
            assistant=openai.assistant.definition() if openai.assistant else None,
            briefing=self._briefing(),
            attributes=self._attributes(),
            requested_at=front.request_data.requested_at,
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
def context_model(channel: str, addressing: Addressing) -> type[Payload]:
    """The model of one channel's context objects, whose field names hold the channel's name."""
    company, front = _company(channel, addressing), _front(addressing)
    return create_model(
        "Payload",
        __base__=Payload,
        frontend_payload=(front, ...),
        company_data_payload=(company, ...),
    )


@cache
def field_names(channel: str, addressing: Addressing) -> frozenset[str]:
    """The names of all fields that the model of one channel knows, at any depth."""
    schema = context_model(channel, addressing).model_json_schema()
    objects = [schema, *schema["$defs"].values()]
    return frozenset(name for part in objects for name in part.get("properties", ()))


def _company(channel: str, addressing: Addressing) -> type[CompanyDataPayload]:
    channel_config = create_model(
        "ChannelConfig",
        __base__=ChannelConfig,
        sender=(address_of(addressing.sender), Field(alias=f"company_{channel}_number")),
        credentials_id=(SecretReference, Field(alias=f"{channel}_credentials_id")),
    )
    ai_config = create_model(
        "AIConfig", __base__=AIConfig, openai_config=(_by_channel(channel, OpenAIConfig), ...)
    )
    return create_model(
        "CompanyDataPayload",
        __base__=CompanyDataPayload,
        ai_config=(ai_config, ...),
        channel_config=(_by_channel(channel, channel_config), ...),
    )


def _front(addressing: Addressing) -> type[FrontendPayload]:
    address: Any = (address_of(addressing.recipient), ...)
    recipient = create_model(
        "RecipientData", __base__=RecipientData, **{addressing.recipient_field: address}
    )
    return create_model(
        "FrontendPayload", __base__=FrontendPayload, recipient_data=(recipient, ...)
    )


def _by_channel(channel: str, part: type[Wire]) -> type[Open]:
    return create_model("ByChannel", __base__=Open, own=(part, Field(alias=channel)))


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
