"""Request bodies against their models, with errors as OpenAI words and codes them."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

import pydantic_core
from pydantic import BaseModel, ConfigDict, ValidationError

from local.stand_ins.openai.errors import OpenAIError


class RequestBody(BaseModel):
    """A body that refuses what it does not know.

    Attributes:
        not_played: Parameters that OpenAI knows and the stand-in does not; they may only be empty.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    not_played: ClassVar[frozenset[str]] = frozenset()


BodyT = TypeVar("BodyT", bound=RequestBody)


def parsed(model: type[BodyT], content: bytes) -> BodyT:
    """The body of a request.

    Args:
        model: What the body must be.
        content: The body as it came, JSON; nothing counts as an empty object.

    Raises:
        OpenAIError: It is not JSON, or a parameter is unknown, missing or wrong.
    """
    body = _json_object(content or b"{}")
    _refuse_not_played(model, body)
    known = {name: value for name, value in body.items() if name not in model.not_played}
    return validated(model, known)


def validated(model: type[BodyT], parameters: Mapping[str, Any]) -> BodyT:
    """The parameters of a request.

    Raises:
        OpenAIError: One is unknown, missing or wrong.
    """
    try:
        return model.model_validate(parameters)
    except ValidationError as error:
        raise _first_problem(error) from error


def missing(param: str) -> OpenAIError:
    """The error for a parameter that is not there."""
    return OpenAIError(
        "missing_required_parameter", f"Missing required parameter: '{param}'.", param=param
    )


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        body = pydantic_core.from_json(content)
    except ValueError as error:
        raise OpenAIError(None, "We could not parse the JSON body of your request.") from error
    if not isinstance(body, dict):
        raise OpenAIError(None, "The JSON body of your request is not an object.")
    return body


def _refuse_not_played(model: type[RequestBody], body: Mapping[str, Any]) -> None:
    for name in sorted(model.not_played & body.keys()):
        if body[name]:
            raise OpenAIError(
                "unsupported_parameter",
                f"Unsupported parameter: '{name}' is not supported by this stand-in.",
                param=name,
            )


def _first_problem(error: ValidationError) -> OpenAIError:
    problem = error.errors(include_url=False)[0]
    param = _param(problem["loc"])
    kind = problem["type"]
    if kind == "missing":
        return missing(param)
    if kind == "extra_forbidden":
        return OpenAIError("unknown_parameter", f"Unknown parameter: '{param}'.", param=param)
    code = _code(kind, problem["input"])
    return OpenAIError(code, f"Invalid '{param}': {problem['msg']}.", param=param)


def _param(location: tuple[int | str, ...]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return path.removeprefix(".")


_CODES: Mapping[str, str] = {
    "string_too_long": "string_above_max_length",
    "string_too_short": "empty_string",
    "too_long": "array_above_max_length",
    "too_many_properties": "object_above_max_properties",
}


def _code(kind: str, value: object) -> str:
    number = "decimal" if isinstance(value, float) else "integer"
    match kind:
        case "greater_than_equal":
            return f"{number}_below_min_value"
        case "less_than_equal":
            return f"{number}_above_max_value"
        case _ if kind.endswith("_type"):
            return "invalid_type"
        case _:
            return _CODES.get(kind, "invalid_value")


def wrap(convert: Callable[[str], object]) -> Callable[[object], object]:
    """A validator that turns the short form of a parameter, a string, into its long form."""
    return lambda value: convert(value) if isinstance(value, str) else value
