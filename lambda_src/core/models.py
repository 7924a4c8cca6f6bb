"""The values that pass through the flow: context object, delivery, AI request, answer, message."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import uuid4

from lambda_src.core.contract import FIRST_ASKED_AT, DeliveryStatus, LogEvent, Step

RESPONSE_PREFIX = "resp_"
"""Of the id of a response at OpenAI, which exists beside the conversation that it is in."""


class Engine(StrEnum):
    """The OpenAI interface that writes the message."""

    RESPONSES = "responses"
    ASSISTANTS = "assistants"


class Outcome(StrEnum):
    """Why a queue message may be deleted: its message was sent, or its draft is held."""

    SENT = LogEvent.MESSAGE_SENT
    ALREADY_PROCESSED = LogEvent.ALREADY_PROCESSED
    SETTLED = LogEvent.SEND_SETTLED
    HELD = LogEvent.DRAFT_HELD


@dataclass(frozen=True, slots=True)
class RecordKey:
    """Primary key of one conversation in the conversations table."""

    primary_channel: str
    conversation_id: str


@dataclass(frozen=True, slots=True)
class VariableRule:
    """One template variable: its description for the AI, and its maximum length in characters."""

    description: str
    max_length: int | None = None


@dataclass(frozen=True, slots=True)
class CheckRules:
    """What a draft must satisfy besides the channel's rules for texts: an assistant's `checks`.

    Attributes:
        facts_only: Every link, address, number with a unit, date and time occurs in the input.
        must_say: Phrases that the message contains.
        must_not_say: Phrases that it does not contain.
        moderation: Whether OpenAI's moderation must not flag it.
    """

    facts_only: bool = True
    must_say: tuple[str, ...] = ()
    must_not_say: tuple[str, ...] = ()
    moderation: bool = False


@dataclass(frozen=True, slots=True)
class AssistantDefinition:
    """How the AI writes: empty `variables` mean free text, others a template's content variables.

    `model` and `instructions` may be empty for an assistant that is stored on an
    Assistants-compatible server, which then uses its own. An empty `reasoning_effort` or
    `verbosity` means the model's default.
    """

    model: str
    instructions: str
    variables: Mapping[str, VariableRule]
    max_output_tokens: int | None = None
    reasoning_effort: str = ""
    verbosity: str = ""
    checks: CheckRules = CheckRules()


@dataclass(frozen=True, slots=True)
class ContextObject:
    """One conversation's first contact, as the channel router requested it.

    Attributes:
        key: The conversation record's key.
        channel: The channel's name, e.g. `whatsapp`.
        request_id: The router's id of the request.
        sender: The company's address on the channel.
        recipient: The recipient's address on the channel, in its canonical form.
        credentials_reference: Name or ARN of the secret with the vendor's credentials; empty on a
            channel without credentials.
        api_key_reference: Name or ARN of the OpenAI secret.
        assistant_id: Key of the assistant definition.
        engine: The OpenAI interface to use.
        assistant: The inline definition, if the message contains one.
        prompt_context: The AI's input; the recipient's names, never their number or address.
        attributes: Fields of the record, flattened to its top level (JSON values).
        tenant: The company's id, `company_data_payload.company_id`.
        company_name: The company's name.
        channel_config: The company's configuration of the channel, `channel_config.<channel>`, with
            the fields that only the channel knows.
        requested_at: Time of the router's request in epoch seconds; None if it is not given.
        guidance: What the company wants said, `message_guidance`: trusted, as instructions are.
        needs_review: Whether an operator must approve the first message.
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
    prompt_context: Mapping[str, Any]
    attributes: Mapping[str, Any]
    tenant: str
    company_name: str
    channel_config: Mapping[str, Any]
    requested_at: float | None = None
    guidance: str = ""
    needs_review: bool = False


def first_asked_ms(sent_at: int, first_asked: str | None) -> int:
    """Return when a queue message was first asked for, in epoch milliseconds.

    Args:
        sent_at: When it was put on its queue.
        first_asked: Its attribute `first_asked_at`; ignored if it is not a whole number.
    """
    is_number = first_asked is not None and re.fullmatch(r"[0-9]{1,15}", first_asked)
    return min(sent_at, int(first_asked)) if first_asked and is_number else sent_at


@dataclass(slots=True, eq=False)
class Delivery:
    """One delivery of a queue message.

    Attributes:
        message_id: SQS's id of the message, the same at every delivery.
        receipt_handle: SQS's handle of this delivery.
        body: The context object's JSON text.
        receive_count: How often the message was received, this delivery included.
        deadline: When Lambda ends the function, in epoch seconds.
        sent_at: When the message was put on the queue, in epoch seconds; of one that was put there
            again, when it was first asked for.
        owner: Fencing token, unique to this delivery. It is generated in the handler, since state
            created at init is shared by every copy that SnapStart restores.
        step: The step in progress, to which an unexpected error is attributed.
    """

    message_id: str
    receipt_handle: str
    body: str
    receive_count: int
    deadline: float
    sent_at: float = 0.0
    owner: str = field(default_factory=lambda: uuid4().hex)
    step: Step = Step.PARSE

    @classmethod
    def from_record(cls, record: Mapping[str, Any], deadline: float) -> "Delivery":
        """Build a delivery from one record of an SQS event."""
        attributes = record["attributes"]
        sent_at = int(attributes.get("SentTimestamp", 0))
        first_asked = record.get("messageAttributes", {}).get(FIRST_ASKED_AT, {})
        return cls(
            message_id=record["messageId"],
            receipt_handle=record["receiptHandle"],
            body=record["body"],
            receive_count=int(attributes["ApproximateReceiveCount"]),
            deadline=deadline,
            sent_at=first_asked_ms(sent_at, first_asked.get("stringValue")) / 1000,
        )


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One message for the AI to write.

    `metadata` contains ids only; `timeout` is in seconds and covers the whole answer. `problem`
    says what was wrong with the answer to an earlier request; it is empty in the first one.
    `safety_identifier` is a keyed hash by which OpenAI can restrict one recipient of one tenant.
    `guidance` belongs to the instructions, `prompt_context` is data.
    """

    engine: Engine
    assistant_id: str
    definition: AssistantDefinition | None
    prompt_context: Mapping[str, Any]
    metadata: Mapping[str, str]
    timeout: float
    problem: str = ""
    safety_identifier: str = ""
    guidance: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens billed for one answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int

    def __add__(self, other: "Usage") -> "Usage":
        """Return the tokens of both."""
        return Usage(
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.total_tokens + other.total_tokens,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What the AI wrote: `text`, or `variables` if the definition has some.

    Attributes:
        thread_id: The OpenAI conversation or thread that contains it.
        message_id: OpenAI's id of the answer.
        created_at: When it was written, ISO 8601.
        text: The free text, empty for a template.
        variables: The template's content variables, empty for free text.
        usage: Tokens billed.
        checked: Identifies the checks and rules for texts that it satisfied; empty: none.
        written_by: What wrote and checked it, the record's attribute; empty if that is unknown.
    """

    thread_id: str
    message_id: str
    created_at: str
    text: str
    variables: Mapping[str, str]
    usage: Usage
    checked: str = field(default="", compare=False)
    written_by: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def openai_ids(self) -> tuple[str, ...]:
        """The ids of what OpenAI stores of it: its conversation or thread, and its response.

        A message of a thread is deleted with the thread.
        """
        response = self.message_id if self.message_id.startswith(RESPONSE_PREFIX) else ""
        return tuple(filter(None, (self.thread_id, response)))

    def has_same_content(self, other: "Answer") -> bool:
        """Return whether both have the same text, or the same variables in any order."""
        return (self.text, self.variables) == (other.text, other.variables)


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One message for the sender: a `body`, or variables, which may be a template's.

    Attributes:
        sender: The company's address.
        recipient: The recipient's address.
        body: The free text; empty if there are variables.
        template_id: The vendor's id of the template that the variables fill; empty: no template.
        variables: The parts of the message by name, in the order of the assistant's definition.
        status_callback: URL for the vendor's status callbacks; empty if none are requested.
        conversation_id: The conversation; part of the record's key.
        intent_id: The id of this send, random and never repeated.
        tenant: The company's id.
        company_name: The company's name.
        channel_config: The company's configuration of the channel, as the context object has it.
    """

    sender: str
    recipient: str
    body: str = ""
    template_id: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    status_callback: str = ""
    conversation_id: str = ""
    intent_id: str = ""
    tenant: str = ""
    company_name: str = ""
    channel_config: Mapping[str, Any] = field(default_factory=dict)


def encode_reference(conversation_id: str) -> str:
    """Return a conversation's id in the characters that URLs and tags may contain."""
    return urlsafe_b64encode(conversation_id.encode()).decode().rstrip("=")


def callback_path(channel: str, conversation_id: str, intent_id: str) -> str:
    """Return the path of a send's status callbacks below the callbacks' base URL."""
    return f"/callbacks/{channel}/{encode_reference(conversation_id)}/{intent_id}"


def decode_reference(reference: str) -> str:
    """Return the conversation's id of a reference.

    Raises:
        ValueError: It is empty or has another form than `encode_reference` returns.
    """
    padding = "=" * (-len(reference) % 4)
    conversation_id = urlsafe_b64decode(reference + padding).decode()
    if not reference or encode_reference(conversation_id) != reference:
        raise ValueError("expected the unpadded base64url of a conversation's id")
    return conversation_id


@dataclass(frozen=True, slots=True)
class Callback:
    """A request about a message's delivery as the receiver took it, not verified yet.

    Attributes:
        url: The URL that was requested.
        signature: The vendor's signature of the request; empty if it had none.
        body: The request's body, which contains personal data.
        received_at: When the receiver took it, in epoch seconds.
    """

    url: str
    signature: str = field(repr=False)
    body: str = field(repr=False)
    received_at: float


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """What a callback reports about one message.

    Attributes:
        recipient: The recipient's address, as in the record's `primary_channel`.
        vendor_id: The vendor's id of the message.
        status: None if the vendor's status is none of the channel's.
        error_code: The vendor's code of a failure; empty if there is none.
        accepted_at: When the vendor accepted the message, in epoch seconds; only a lookup says it.
    """

    recipient: str = field(repr=False)
    vendor_id: str
    status: DeliveryStatus | None
    error_code: str
    accepted_at: float | None = None


@dataclass(frozen=True, slots=True)
class VendorEvent:
    """An event that the vendor itself has put on the events queue.

    Attributes:
        conversation_id: The conversation that the message was sent for.
        intent_id: The id of that send's intent.
        event: What it reports about the message.
        at: When it happened, in epoch seconds.
        opted_out: Whether the recipient complained about a message that they have received: they
            are suppressed, and its status does not change.
    """

    conversation_id: str
    intent_id: str
    event: DeliveryEvent
    at: float
    opted_out: bool = False


def utf16_length(text: str) -> int:
    """Return a text's length in UTF-16 code units, as vendors count; an emoji has two or more."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


CHARACTERS = "characters"


@dataclass(frozen=True, slots=True)
class Limit:
    """A maximum number of units, which `count` determines for a text."""

    maximum: int
    unit: str = CHARACTERS
    count: Callable[[str], int] = utf16_length


def first_violation(checks: Iterable[tuple[str, str, Limit]]) -> str | None:
    """Return which text exceeds its limit, with the length found and the length allowed.

    Args:
        checks: Descriptions such as `the text has`, texts and limits.

    Returns:
        The first violation, or None if all texts are within their limits.
    """
    for what, text, limit in checks:
        found = limit.count(text)
        if found > limit.maximum:
            return f"{what} {found} {limit.unit}, {limit.maximum} are allowed"
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRules:
    """A channel's rules for the AI's texts, applied before they are stored and sent.

    Attributes:
        transliterate: Replaces characters that the channel cannot send cheaply; idempotent.
        body: Limits of a free text; none: of any length.
        variables: Limits of the variables' values, concatenated.
        keeps_line_breaks: Whether the values of variables keep their line breaks; otherwise each
            run of white space becomes one space.
        required_variables: Names of variables that every assistant of the channel defines.
        needs_template: Whether variables fill a template that the tenant's secret names; otherwise
            they are the parts of the message themselves.
    """

    transliterate: Callable[[str], str] = str
    body: tuple[Limit, ...] = ()
    variables: tuple[Limit, ...] = ()
    keeps_line_breaks: bool = False
    required_variables: tuple[str, ...] = ()
    needs_template: bool = True


ANY_TEXT = TextRules()
"""No limits: what the AI writes is sent as it is, in a template if it consists of variables."""
