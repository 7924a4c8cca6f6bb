"""Request bodies of the Conversations and Responses API.

https://developers.openai.com/api/reference/resources/responses and …/conversations.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from local.stand_ins.openai.parsing import RequestBody, wrap

MAX_METADATA_PAIRS = 16
MAX_METADATA_KEY = 64
MAX_METADATA_VALUE = 512


def _few(metadata: dict[str, str]) -> dict[str, str]:
    if len(metadata) > MAX_METADATA_PAIRS:
        raise PydanticCustomError(
            "too_many_properties", f"too many properties, at most {MAX_METADATA_PAIRS}"
        )
    return metadata


Metadata = Annotated[
    dict[
        Annotated[str, Field(max_length=MAX_METADATA_KEY)],
        Annotated[str, Field(max_length=MAX_METADATA_VALUE)],
    ],
    AfterValidator(_few),
]


class TextPart(RequestBody):
    """A text within a message."""

    type: Literal["input_text", "output_text", "text"]
    text: str


class InputMessage(RequestBody):
    """A message of the input."""

    role: Literal["user", "assistant", "system", "developer"]
    content: Annotated[
        list[TextPart],
        Field(min_length=1),
        BeforeValidator(wrap(lambda text: [{"type": "input_text", "text": text}])),
    ]
    type: Literal["message"] = "message"

    @property
    def text(self) -> str:
        """All of its text."""
        return "\n".join(part.text for part in self.content)


class AnswerFormat(RequestBody):
    """How the answer is to be formed; name and schema belong to `json_schema`."""

    type: Literal["text", "json_object", "json_schema"]
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")] | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    description: str | None = None
    strict: bool | None = None


class TextOptions(RequestBody):
    """The parameter `text`."""

    format: AnswerFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ConversationRef(RequestBody):
    """The parameter `conversation`, long form."""

    id: str


class ConversationBody(RequestBody):
    """Body of `POST /v1/conversations`."""

    items: Annotated[list[InputMessage], Field(max_length=20)] | None = None
    metadata: Metadata | None = None


class ResponseBody(RequestBody):
    """Body of `POST /v1/responses`."""

    not_played: ClassVar[frozenset[str]] = frozenset(
        {
            "access_programs",
            "background",
            "background_options",
            "context_management",
            "image",
            "include",
            "max_tool_calls",
            "moderation",
            "previous_response_id",
            "prompt",
            "prompt_cache_options",
            "stream",
            "stream_options",
            "tool_choice",
            "tools",
            "top_logprobs",
        }
    )

    model: str
    input: Annotated[
        list[InputMessage],
        Field(min_length=1),
        BeforeValidator(wrap(lambda text: [{"role": "user", "content": text}])),
    ]
    instructions: str | None = None
    conversation: (
        Annotated[ConversationRef, BeforeValidator(wrap(lambda id_: {"id": id_}))] | None
    ) = None
    text: TextOptions = TextOptions()
    max_output_tokens: Annotated[int, Field(ge=16)] | None = None
    metadata: Metadata | None = None
    store: bool | None = None
    safety_identifier: Annotated[str, Field(max_length=128)] | None = None
    user: str | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    parallel_tool_calls: bool | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    reasoning: dict[str, str | None] | None = None
    service_tier: (
        Literal["auto", "default", "flex", "scale", "priority", "fast", "ultrafast"] | None
    ) = None
    truncation: Literal["auto", "disabled"] | None = None
