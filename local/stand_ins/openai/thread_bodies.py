"""Request bodies of the Assistants API, version 2: threads, their messages and their runs."""

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from local.stand_ins.openai.bodies import AnswerFormat, Metadata
from local.stand_ins.openai.parsing import RequestBody, wrap

MAX_CONTENT = 256_000


class ThreadTextPart(RequestBody):
    """A text within a thread's message."""

    type: Literal["text"]
    text: Annotated[str, Field(min_length=1, max_length=MAX_CONTENT)]


class ThreadMessageBody(RequestBody):
    """Body of `POST /v1/threads/{id}/messages`."""

    not_played: ClassVar[frozenset[str]] = frozenset({"attachments"})

    role: Literal["user", "assistant"]
    content: Annotated[
        list[ThreadTextPart],
        Field(min_length=1),
        BeforeValidator(wrap(lambda text: [{"type": "text", "text": text}])),
    ]
    metadata: Metadata | None = None


class ThreadBody(RequestBody):
    """Body of `POST /v1/threads`."""

    not_played: ClassVar[frozenset[str]] = frozenset({"tool_resources"})

    messages: list[ThreadMessageBody] | None = None
    metadata: Metadata | None = None


class NestedSchema(RequestBody):
    """The inner part of a run's `json_schema` format."""

    name: str
    schema_: Annotated[dict[str, object] | None, Field(alias="schema")] = None
    description: str | None = None
    strict: bool | None = None


class RunFormat(RequestBody):
    """A run's `response_format`, long form."""

    type: Literal["auto", "text", "json_object", "json_schema"]
    json_schema: NestedSchema | None = None

    def as_answer_format(self) -> AnswerFormat:
        """The same as the Responses API puts it."""
        kind = "text" if self.type == "auto" else self.type
        inner = self.json_schema.model_dump(by_alias=True) if self.json_schema else {}
        return AnswerFormat.model_validate({"type": kind, **inner})


class RunBody(RequestBody):
    """Body of `POST /v1/threads/{id}/runs`."""

    not_played: ClassVar[frozenset[str]] = frozenset(
        {"stream", "tool_choice", "tools", "truncation_strategy"}
    )

    assistant_id: Annotated[str, Field(min_length=1)]
    model: str | None = None
    instructions: str | None = None
    additional_instructions: str | None = None
    additional_messages: list[ThreadMessageBody] | None = None
    max_completion_tokens: Annotated[int, Field(ge=256)] | None = None
    max_prompt_tokens: Annotated[int, Field(ge=256)] | None = None
    metadata: Metadata | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    response_format: (
        Annotated[RunFormat, BeforeValidator(wrap(lambda kind: {"type": kind}))] | None
    ) = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
