"""Parameters of OpenAI's API, validated as strictly as OpenAI does.

Supported are the parameters that this project sends. Others that OpenAI documents may be sent only
with an empty value; anything else is an error, as at OpenAI.
https://developers.openai.com/api/reference
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

import pydantic_core
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from local.fakes.openai.errors import OpenAIError

MAX_METADATA_PAIRS = 16
_RESPONSE_PARAMETERS = """
access_programs background background_options context_management image include max_tool_calls
moderation parallel_tool_calls previous_response_id prompt prompt_cache_key prompt_cache_options
prompt_cache_retention service_tier store stream stream_options
tool_choice tools top_logprobs truncation user
"""
_RUN_PARAMETERS = """
additional_messages max_prompt_tokens metadata parallel_tool_calls stream temperature tool_choice
tools top_p truncation_strategy
"""


class RequestBody(BaseModel):
    """A request body; unknown parameters are errors.

    Attributes:
        unsupported: Parameters of OpenAI's that the fake does not implement.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    unsupported: ClassVar[frozenset[str]] = frozenset()


def _check_pairs(metadata: dict[str, str]) -> dict[str, str]:
    if len(metadata) > MAX_METADATA_PAIRS:
        raise PydanticCustomError(
            "too_many_properties", f"too many properties, at most {MAX_METADATA_PAIRS}"
        )
    return metadata


Metadata = Annotated[
    dict[
        Annotated[str, StringConstraints(max_length=64)],
        Annotated[str, StringConstraints(max_length=512)],
    ],
    AfterValidator(_check_pairs),
]


class StringProperty(RequestBody):
    """A property of a schema."""

    type: Literal["string"]
    description: str = ""


class StrictSchema(RequestBody):
    """A flat object of strings: the part of strict structured output that this project uses.

    https://developers.openai.com/api/docs/guides/structured-outputs
    """

    type: Literal["object"]
    properties: dict[str, StringProperty]
    required: list[str]
    additional_properties: Annotated[Literal[False], Field(alias="additionalProperties")]

    @model_validator(mode="after")
    def _require_every_property(self) -> Self:
        if set(self.required) != set(self.properties):
            raise ValueError("'required' must be an array that includes every key in properties")
        return self


class OutputFormat(RequestBody):
    """The format of the model's output; all but the type belong to `json_schema`."""

    type: Literal["text", "json_schema"]
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")] | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    description: str | None = None
    strict: Literal[True] | None = None

    def properties(self, param: str) -> dict[str, str] | None:
        """Return the description of each property to generate; None for text.

        Args:
            param: Path of this format in the request, for errors.

        Raises:
            OpenAIError: A part is missing, or the schema is not a supported strict schema.
        """
        if self.type == "text":
            return None
        for name, value in (("name", self.name), ("schema", self.schema_), ("strict", self.strict)):
            if value is None:
                raise _missing(f"{param}.{name}")
        try:
            schema = StrictSchema.model_validate(self.schema_)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            context = tuple(map(str, problem["loc"]))
            message = (
                f"Invalid schema for response_format '{self.name}':"
                f" In context={context}, {problem['msg']}."
            )
            raise OpenAIError("invalid_json_schema", message, param=f"{param}.schema") from error
        return {name: each.description for name, each in schema.properties.items()}


Effort = Literal["none", "low", "medium", "high", "xhigh", "max"]


class TextOptions(RequestBody):
    """The parameter `text` of a response."""

    format: OutputFormat | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningOptions(RequestBody):
    """The parameter `reasoning` of a response."""

    unsupported: ClassVar = frozenset({"summary"})

    effort: Effort | None = None


class ConversationBody(RequestBody):
    """Body of `POST /v1/conversations`."""

    unsupported: ClassVar = frozenset({"items"})

    metadata: Metadata | None = None


class ResponseBody(RequestBody):
    """Body of `POST /v1/responses`."""

    unsupported: ClassVar = frozenset(_RESPONSE_PARAMETERS.split())

    model: str
    input: str
    instructions: str | None = None
    conversation: str | None = None
    text: TextOptions = TextOptions()
    max_output_tokens: Annotated[int, Field(ge=16)] | None = None
    metadata: Metadata | None = None
    reasoning: ReasoningOptions = ReasoningOptions()
    safety_identifier: Annotated[str, StringConstraints(max_length=128)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None

    def check_sampling(self) -> None:
        """Check that no sampling parameter is given beside a reasoning effort.

        Raises:
            OpenAIError: There is one.
        """
        for name in ("temperature", "top_p"):
            if self.reasoning.effort and getattr(self, name) is not None:
                message = f"Unsupported parameter: '{name}' is not supported with this model."
                raise OpenAIError("unsupported_parameter", message, param=name)


class ModerationBody(RequestBody):
    """Body of `POST /v1/moderations`."""

    model: str = "omni-moderation-latest"
    input: str | list[str]


class ThreadMessageBody(RequestBody):
    """A message in the body of `POST /v1/threads`."""

    unsupported: ClassVar = frozenset({"attachments", "metadata"})

    role: Literal["user", "assistant"]
    content: Annotated[str, Field(min_length=1, max_length=256_000)]


class ThreadBody(RequestBody):
    """Body of `POST /v1/threads`."""

    unsupported: ClassVar = frozenset({"tool_resources"})

    messages: list[ThreadMessageBody] = []
    metadata: Metadata | None = None


class RunFormat(RequestBody):
    """The parameter `response_format` of a run, which nests what a response's format has flat."""

    type: Literal["text", "json_schema"]
    json_schema: dict[str, Any] | None = None

    def properties(self) -> dict[str, str] | None:
        """Return the description of each property to generate; None for text.

        Raises:
            OpenAIError: A part is missing, or the schema is not a supported strict schema.
        """
        flat = validate(OutputFormat, {"type": self.type, **(self.json_schema or {})})
        return flat.properties("response_format.json_schema")


class RunBody(RequestBody):
    """Body of `POST /v1/threads/{id}/runs`."""

    unsupported: ClassVar = frozenset(_RUN_PARAMETERS.split())

    assistant_id: Annotated[str, Field(min_length=1)]
    model: str | None = None
    instructions: str | None = None
    additional_instructions: str | None = None
    reasoning_effort: Effort | None = None
    max_completion_tokens: Annotated[int, Field(ge=256)] | None = None
    response_format: RunFormat | None = None


class ListQuery(RequestBody):
    """Parameters of a list."""

    unsupported: ClassVar = frozenset({"after", "before"})

    limit: int = Field(default=20, ge=1, le=100)
    order: Literal["asc", "desc"] = "desc"
    run_id: str | None = None


BodyT = TypeVar("BodyT", bound=RequestBody)


def parse(model: type[BodyT], content: bytes) -> BodyT:
    """Return the validated JSON body of a request; an empty body counts as an empty object.

    Raises:
        OpenAIError: It is not a JSON object, or a parameter is unknown, missing or invalid.
    """
    try:
        body = pydantic_core.from_json(content or b"{}")
    except ValueError as error:
        raise OpenAIError(None, "We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise OpenAIError(None, "The JSON body of your request is not an object.")
    return validate(model, body)


def validate(model: type[BodyT], parameters: Mapping[str, Any]) -> BodyT:
    """Return the validated parameters.

    Raises:
        OpenAIError: A parameter is unknown, missing or invalid.
    """
    for name in sorted(model.unsupported & parameters.keys()):
        if parameters[name]:
            message = f"Unsupported parameter: '{name}' is not supported by this fake."
            raise OpenAIError("unsupported_parameter", message, param=name)
    supported = {k: value for k, value in parameters.items() if k not in model.unsupported}
    try:
        return model.model_validate(supported)
    except ValidationError as error:
        raise _invalid(error.errors(include_url=False)[0]) from error


def page(items: Sequence[Mapping[str, Any]], query: Mapping[str, str]) -> dict[str, Any]:
    """Return the JSON of the first page of a list.

    Args:
        items: All items with their `id`, oldest first.
        query: The request's parameters.

    Raises:
        OpenAIError: A parameter is unknown or invalid.
    """
    limit = query.get("limit", "")
    numbers = {"limit": int(limit)} if limit.isdecimal() else {}
    wanted = validate(ListQuery, {**query, **numbers})
    ordered = list(items) if wanted.order == "asc" else list(reversed(items))
    if wanted.run_id is not None:
        ordered = [item for item in ordered if item.get("run_id") == wanted.run_id]
    shown = ordered[: wanted.limit]
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": len(shown) < len(ordered),
    }


_CODES: Mapping[str, str] = {
    "string_too_long": "string_above_max_length",
    "string_too_short": "empty_string",
    "too_many_properties": "object_above_max_properties",
    "greater_than_equal": "integer_below_min_value",
    "less_than_equal": "integer_above_max_value",
}


def _missing(param: str) -> OpenAIError:
    message = f"Missing required parameter: '{param}'."
    return OpenAIError("missing_required_parameter", message, param=param)


def _invalid(problem: ErrorDetails) -> OpenAIError:
    path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in problem["loc"])
    param, kind = path.removeprefix("."), problem["type"]
    if kind == "missing":
        return _missing(param)
    if kind == "extra_forbidden":
        return OpenAIError("unknown_parameter", f"Unknown parameter: '{param}'.", param=param)
    code = _CODES.get(kind, "invalid_type" if kind.endswith("_type") else "invalid_value")
    return OpenAIError(code, f"Invalid '{param}': {problem['msg']}.", param=param)
