"""The context object as the flow sees it: complete, typed and frozen."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Engine(StrEnum):
    """Which of OpenAI's interfaces writes the message."""

    RESPONSES = "responses"
    ASSISTANTS = "assistants"


@dataclass(frozen=True, slots=True)
class RecordKey:
    """The conversations table's key of one conversation."""

    primary_channel: str
    conversation_id: str


@dataclass(frozen=True, slots=True)
class VariableRule:
    """What the AI is told of one template variable, and how many characters it may fill."""

    description: str
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class AssistantDefinition:
    """How the AI writes: empty `variables` mean free text, others a template's content variables.

    `model` and `instructions` may be empty for an assistant that lives on an
    Assistants-compatible server, which then uses its own.
    """

    model: str
    instructions: str
    variables: Mapping[str, VariableRule]
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ContextObject:
    """One conversation's first contact, as the channel router asked for it.

    Attributes:
        key: The conversation record's key.
        channel: The channel's name, e.g. `whatsapp`.
        request_id: The router's id of the request.
        sender: The company's address on the channel.
        recipient: The recipient's address on the channel.
        credentials_reference: Name or ARN of the secret with the vendor's credentials.
        api_key_reference: Name or ARN of the OpenAI secret.
        assistant_id: Key of the assistant definition.
        engine: The OpenAI interface to use.
        assistant: The inline definition, if the message carries one.
        briefing: What the AI is told; the recipient's names, never their number or address.
        attributes: What the record keeps, flattened to its top level (JSON values).
        requested_at: When the router was asked, in epoch seconds; None where it does not say.
    """

    key: RecordKey
    channel: str
    request_id: str
    sender: str
    recipient: str
    credentials_reference: str
    api_key_reference: str
    assistant_id: str
    engine: Engine
    assistant: AssistantDefinition | None
    briefing: Mapping[str, Any]
    attributes: Mapping[str, Any]
    requested_at: float | None = None
