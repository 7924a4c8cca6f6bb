"""What is wrong with a context object, in our words and without its values."""

from collections.abc import Collection, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lambda_src.core.rejection import Problem

INVALID = "context_invalid"
KINDS: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    list: "an array",
    dict: "an object",
    type(None): "null",
}
EXPECTED = {
    "string_type": "a string",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "int_type": "a whole number",
}
"""Our words for what pydantic calls by Python's."""

IN_A_NAME = "[key]"
"""How pydantic marks a problem with a name instead of with what stands under it."""


def problems_in(error: ValidationError, field_names: Collection[str]) -> list[Problem]:
    """Every problem that pydantic found; of the fields only known names are told."""
    known = {*field_names, IN_A_NAME}
    return [_problem(details, known) for details in error.errors(include_url=False)]


def kind(value: object) -> str:
    """What kind of JSON a value is."""
    if value == "":
        return "an empty string"
    return KINDS.get(type(value), "another value")


def _problem(details: ErrorDetails, known: Collection[str]) -> Problem:
    field = _path(details["loc"], known)
    if details["type"] == "missing":
        return Problem(INVALID, field, "a value", "nothing")
    told = details.get("ctx", {}).get("expected")
    code = details["type"] if told and details["type"] != "literal_error" else INVALID
    words = details["msg"].removeprefix("Input should be ")
    return Problem(
        code, field, told or EXPECTED.get(details["type"], words), kind(details["input"])
    )


def _path(location: Sequence[int | str], known: Collection[str]) -> str:
    # What is no known name was made up by the message, and may be anybody's.
    parts = (str(part) if isinstance(part, int) or part in known else "?" for part in location)
    return ".".join(parts) or "body"
