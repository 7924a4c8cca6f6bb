"""The context object's schema: the fields that the router sends, and the rule for each."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    StrictStr,
    ValidationError,
    ValidationInfo,
    create_model,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from lambda_src.core import (
    DEFINITION_KEYS,
    AddressFormat,
    Addressing,
    ContextObject,
    DefinitionProblem,
    Engine,
    InvalidDefinition,
    RecordKey,
    parse_definition,
)
from lambda_src.core.drafts.rebuild import RECORDED_PREFIXES

INVALID = "context_invalid"
WRONG_CHANNEL = "wrong_channel"
MAX_KEY_BYTES = 1024
"""DynamoDB's limit for a sort key."""
MAX_ID_BYTES = 256
"""Limit for ids that are written to log lines and to OpenAI's metadata (512 characters)."""
MAX_GUIDANCE_LENGTH = 2_000
"""Characters of `message_guidance`."""
REVIEWED_SENDERS = {
    "recipient_tel": "auto_queue_initial_message_from_number",
    "recipient_email": "auto_queue_initial_message_from_email",
}
"""The list of the senders whose first messages are reviewed, by the field of the recipient."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """What the validators need to know about the channel whose queue is read.

    Attributes:
        channel: The channel's name, e.g. `whatsapp`.
        is_own_secret: Returns whether a secret reference has one of the channel's prefixes.
    """

    channel: str
    is_own_secret: Callable[[str], bool]


def violation(code: str, expected: str) -> PydanticCustomError:
    """Return the validation error of a rule that has its own failure code."""
    return PydanticCustomError(code, "{expected}", {"expected": expected})


def _rules(info: ValidationInfo) -> ChannelRules:
    rules: ChannelRules = (info.context or {})["rules"]
    return rules


def _not_blank(value: str) -> str:
    if not value.strip():
        raise violation(INVALID, "a non-empty string")
    return value


def _max_bytes(maximum: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value.encode()) > maximum:
            raise violation(INVALID, f"a string of at most {maximum} bytes")
        return value

    return AfterValidator(check)


def _iso_8601(value: str) -> str:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        raise violation(INVALID, "a time in ISO 8601 form") from None
    return value


def _own_channel(value: str, info: ValidationInfo) -> str:
    channel = _rules(info).channel
    if value != channel:
        raise violation(WRONG_CHANNEL, f"the channel {channel}")
    return value


def _includes_own_channel(value: list[str], info: ValidationInfo) -> list[str]:
    channel = _rules(info).channel
    if channel not in value:
        raise violation("channel_not_allowed", f"an array that names {channel}")
    return value


def _active(value: str) -> str:
    if value != "active":
        raise violation("project_not_active", "the status active")
    return value


def _true(value: object) -> object:
    if value is not True:
        raise violation("consent_not_given", "true")
    return value


def _valid_definition(value: object) -> object:
    try:
        parse_definition(value)
    except InvalidDefinition as error:
        # Pydantic adds these errors to its own, below the field's location.
        raise ValidationError.from_exception_data(
            "definition", [_definition_error(each) for each in error.problems]
        ) from None
    return value


def _definition_error(problem: DefinitionProblem) -> InitErrorDetails:
    words = {"expected": problem.expected, "found": problem.found}
    error = PydanticCustomError(INVALID, "{expected}", words)
    return {"type": error, "loc": problem.path, "input": None}


def _assistant_id(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", value):
        raise violation(INVALID, "1 to 128 letters of ASCII, digits, hyphens and underscores")
    return value


def _guidance(value: str) -> str:
    if len(value) > MAX_GUIDANCE_LENGTH:
        raise violation(INVALID, f"a string of at most {MAX_GUIDANCE_LENGTH:,} characters")
    return value


def _own_secret(value: str, info: ValidationInfo) -> str:
    if not _rules(info).is_own_secret(value):
        raise violation("secret_reference_refused", "a secret within the channel's prefixes")
    return value


Text = Annotated[StrictStr, AfterValidator(_not_blank)]
IdText = Annotated[Text, _max_bytes(MAX_ID_BYTES)]
Timestamp = Annotated[StrictStr, AfterValidator(_iso_8601)]
JsonObject = dict[str, Any]
AssistantId = Annotated[StrictStr, AfterValidator(_assistant_id)]
"""An assistant id is also a file name, so it contains no path separator."""
Definition = Annotated[JsonObject, BeforeValidator(_valid_definition)]
"""An inline assistant definition, which is recorded as it was sent."""
OwnChannel = Annotated[Text, AfterValidator(_own_channel)]
# Stops at the first error: the errors of a list of a megabyte could exhaust the memory.
AllowedChannels = Annotated[list[Text], FailFast(), AfterValidator(_includes_own_channel)]
Guidance = Annotated[StrictStr, AfterValidator(_guidance)]
ActiveStatus = Annotated[Text, AfterValidator(_active)]
Consent = Annotated[Any, AfterValidator(_true)]
NoReference = Annotated[Any, AfterValidator(lambda _: "")]
"""A reference on a channel without credentials: it is not used, whatever it is."""
SecretReference = Annotated[Text, AfterValidator(_own_secret)]


def address_type(form: AddressFormat) -> Any:
    """Return the type of a field that contains an address of that format, made canonical."""
    pattern = re.compile(form.pattern)

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise violation(form.code, form.words)
        return form.canonical(value)

    return Annotated[Text, _max_bytes(MAX_KEY_BYTES), AfterValidator(check)]


class StrictModel(BaseModel):
    """A part of the context object: values are not coerced, unknown fields are ignored.

    Validators are built for the channel's model only, not for each part.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", defer_build=True)


class PassthroughModel(StrictModel):
    """A part that is recorded whole, so its unknown fields are kept."""

    model_config = ConfigDict(extra="allow")


class Metadata(StrictModel):
    """Data about the queue message itself."""

    router_version: StrictStr | None = None


class ConversationData(StrictModel):
    """The conversation's identity; the channel limits its length."""

    conversation_id: Text
    conversation_status: StrictStr | None = None


class CompanyData(StrictModel):
    """The requesting company; an `api_key` that the router may include is never read."""

    company_id: IdText
    project_id: IdText


class RecipientData(StrictModel):
    """The recipient; the channel decides which field is the address."""

    recipient_tel: StrictStr | None = None
    recipient_email: StrictStr | None = None
    recipient_first_name: StrictStr | None = None
    recipient_last_name: StrictStr | None = None
    comms_consent: Consent


class RequestData(StrictModel):
    """The router's request."""

    request_id: IdText
    channel_method: OwnChannel
    initial_request_timestamp: Timestamp | None = None

    @property
    def requested_at(self) -> float | None:
        """Epoch seconds of the timestamp; None if it is missing or has no time zone."""
        if self.initial_request_timestamp is None:
            return None
        moment = datetime.fromisoformat(self.initial_request_timestamp)
        return (moment - EPOCH).total_seconds() if moment.tzinfo else None


class FrontendPayload(StrictModel):
    """Data from the company's front end."""

    company_data: CompanyData
    recipient_data: RecipientData
    request_data: RequestData
    project_data: JsonObject = Field(default_factory=dict)


class OpenAIConfig(PassthroughModel):
    """The channel's AI configuration: API key and assistant."""

    api_key_reference: SecretReference
    assistant_id_template_sender: AssistantId
    engine: Literal["responses", "assistants"] = "responses"
    assistant: Definition | None = None


class ChannelConfig(PassthroughModel):
    """The channel's sender address and credentials; the channel's name is part of both aliases.

    Where a channel has no credentials, the reference is empty.
    """

    sender: Text
    credentials_id: str


class AIConfig(PassthroughModel):
    """The AI configuration of all vendors; `openai_config` has the channels' names as fields."""

    openai_config: Any


class CompanyDataPayload(PassthroughModel):
    """Data from the company's registration."""

    company_id: IdText
    project_id: IdText
    company_name: Text
    project_name: Text
    company_rep: JsonObject | None = None
    project_status: ActiveStatus
    allowed_channels: AllowedChannels
    message_guidance: Guidance | None = None
    auto_queue_initial_message: bool | None = None
    auto_queue_initial_message_from_number: list[StrictStr] | None = None
    auto_queue_initial_message_from_email: list[StrictStr] | None = None
    ai_config: AIConfig
    channel_config: Any

    def needs_review(self, sender: str, addressing: Addressing) -> bool:
        """Return whether an operator must approve first messages from that address.

        A list of addresses restricts the flag to these, if it is not empty.
        """
        field = REVIEWED_SENDERS.get(addressing.recipient_field, "")
        reviewed = [
            addressing.normalize_sender(typed) for typed in getattr(self, field, None) or ()
        ]
        return bool(self.auto_queue_initial_message) and (not reviewed or sender in reviewed)


_RECORDED_COMPANY_FIELDS = set(CompanyDataPayload.model_fields)


class Payload(StrictModel):
    """The whole context object."""

    metadata: Metadata
    conversation_data: ConversationData
    frontend_payload: FrontendPayload
    company_data_payload: CompanyDataPayload

    def context_object(self, addressing: Addressing) -> ContextObject:
        """Convert to the core's type; `addressing` is the channel's."""
        company, request = self.company_data_payload, self.frontend_payload.request_data
        openai: OpenAIConfig = company.ai_config.openai_config.own
        channel: ChannelConfig = company.channel_config.own
        recipients = self.frontend_payload.recipient_data
        recipient: str = getattr(recipients, addressing.recipient_field)
        return ContextObject(
            key=RecordKey(recipient, self.conversation_data.conversation_id),
            channel=request.channel_method,
            request_id=request.request_id,
            sender=channel.sender,
            recipient=recipient,
            credentials_reference=channel.credentials_id,
            api_key_reference=openai.api_key_reference,
            assistant_id=openai.assistant_id_template_sender,
            engine=Engine(openai.engine),
            assistant=parse_definition(openai.assistant) if openai.assistant else None,
            prompt_context=self._prompt_context(),
            attributes=self._attributes(),
            tenant=company.company_id,
            company_name=company.company_name,
            channel_config=channel.model_dump(by_alias=True, exclude_unset=True),
            requested_at=request.requested_at,
            guidance=company.message_guidance or "",
            needs_review=company.needs_review(channel.sender, addressing),
        )

    def _prompt_context(self) -> dict[str, Any]:
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
        unknown = company.model_extra or {}
        return _without_none(
            {
                **{n: value for n, value in unknown.items() if n.startswith(RECORDED_PREFIXES)},
                **company.model_dump(
                    by_alias=True, exclude_unset=True, include=_RECORDED_COMPANY_FIELDS
                ),
                **front.recipient_data.model_dump(),
                **front.request_data.model_dump(),
                "project_data": front.project_data,
                "router_version": self.metadata.router_version,
            }
        )


@cache
def context_model(
    channel: str,
    addressing: Addressing,
    has_credentials: bool,  # noqa: FBT001 - part of the cache's key
    max_conversation_id_bytes: int,
) -> type[Payload]:
    """Build the model of one channel's context objects; field names contain the channel's name."""

    def by_channel(config: type[StrictModel]) -> Any:
        field = (config, Field(alias=channel))
        return create_model("ByChannel", __base__=PassthroughModel, own=field), ...

    alias = f"{channel}_credentials_id"
    credentials: Any = (SecretReference, Field(alias=alias))
    if not has_credentials:
        credentials = (NoReference, Field("", alias=alias))
    channel_config = create_model(
        "ChannelConfig",
        __base__=ChannelConfig,
        sender=(address_type(addressing.sender), Field(alias=f"company_{channel}_number")),
        credentials_id=credentials,
    )
    company = create_model(
        "CompanyDataPayload",
        __base__=CompanyDataPayload,
        ai_config=(
            create_model("AIConfig", __base__=AIConfig, openai_config=by_channel(OpenAIConfig)),
            ...,
        ),
        channel_config=by_channel(channel_config),
    )
    address: Any = (address_type(addressing.recipient), ...)
    recipient = create_model(
        "RecipientData", __base__=RecipientData, **{addressing.recipient_field: address}
    )
    front = create_model(
        "FrontendPayload", __base__=FrontendPayload, recipient_data=(recipient, ...)
    )
    conversation_id: Any = (Annotated[Text, _max_bytes(max_conversation_id_bytes)], ...)
    payload = create_model(
        "Payload",
        __base__=Payload,
        conversation_data=(
            create_model(
                "ConversationData", __base__=ConversationData, conversation_id=conversation_id
            ),
            ...,
        ),
        frontend_payload=(front, ...),
        company_data_payload=(company, ...),
    )
    payload.model_rebuild()
    return payload


@cache
def field_names(model: type[Payload]) -> frozenset[str]:
    """Return the names of all fields of a channel's model, at any depth."""
    schema = model.model_json_schema()
    objects = [schema, *schema["$defs"].values()]
    return DEFINITION_KEYS.union(name for part in objects for name in part.get("properties", ()))


def _without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
