"""The part of JSON Schema that strict structured output takes.

https://developers.openai.com/api/docs/guides/structured-outputs, "Supported schemas".
"""

from collections.abc import Mapping
from typing import Any

from local.stand_ins.openai.bodies import AnswerFormat
from local.stand_ins.openai.errors import OpenAIError
from local.stand_ins.openai.parsing import missing

Schema = Mapping[str, Any]
Context = tuple[str, ...]

MAX_DEPTH = 10
_FORBIDDEN = (
    "allOf",
    "not",
    "oneOf",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
)


def check_format(wanted: AnswerFormat, *, param: str) -> None:
    """Make sure that an answer can be formed as wanted.

    Args:
        wanted: The format.
        param: Where it stands in the request, for the error.

    Raises:
        OpenAIError: A part is missing, or the schema is not one for strict output.
    """
    if wanted.type != "json_schema":
        return
    if wanted.name is None:
        raise missing(f"{param}.name")
    if wanted.schema_ is None:
        raise missing(f"{param}.schema")
    checker = _Checker(wanted.name, f"{param}.schema", strict=bool(wanted.strict))
    checker.check_root(wanted.schema_)


class _Checker:
    def __init__(self, name: str, param: str, *, strict: bool) -> None:
        self._name = name
        self._param = param
        self._strict = strict

    def check_root(self, schema: Schema) -> None:
        if schema.get("type") != "object" or "anyOf" in schema:
            raise self._error((), "schema must be a JSON Schema of 'type: \"object\"'")
        self._check(schema, ())
        for name, definition in self._members(schema, "$defs", ()).items():
            self._check(definition, ("$defs", name))

    def _check(self, schema: Any, context: Context) -> None:
        if not isinstance(schema, dict):
            raise self._error(context, "schema must be an object")
        if context.count("properties") > MAX_DEPTH:
            raise self._error(context, f"schema exceeds maximum nesting of {MAX_DEPTH} levels")
        for keyword in _FORBIDDEN:
            if keyword in schema and self._strict:
                raise self._error(context, f"'{keyword}' is not permitted")
        self._check_kind(schema, context)

    def _check_kind(self, schema: Schema, context: Context) -> None:
        if not schema.keys() & {"type", "anyOf", "$ref", "enum", "const"}:
            raise self._error(context, "schema must have a 'type' key")
        if schema.get("type") == "object":
            self._check_object(schema, context)
        if schema.get("type") == "array" and "items" not in schema:
            raise self._error(context, "array schema missing items")
        if "items" in schema:
            self._check(schema["items"], (*context, "items"))
        self._choices(schema, "enum", context)
        for position, option in enumerate(self._choices(schema, "anyOf", context)):
            self._check(option, (*context, "anyOf", str(position)))

    def _check_object(self, schema: Schema, context: Context) -> None:
        properties = self._members(schema, "properties", context)
        if self._strict:
            self._check_closed(schema, properties, context)
        for name, property_schema in properties.items():
            self._check(property_schema, (*context, "properties", name))

    def _check_closed(self, schema: Schema, properties: Schema, context: Context) -> None:
        if schema.get("additionalProperties") is not False:
            problem = "'additionalProperties' is required to be supplied and to be false"
            raise self._error(context, problem)
        required = schema.get("required", [])
        if not isinstance(required, list) or set(map(str, required)) != set(properties):
            problem = "'required' is required to be an array including every key in properties"
            raise self._error(context, problem)

    def _members(self, schema: Schema, keyword: str, context: Context) -> dict[str, Any]:
        members = schema.get(keyword, {})
        if not isinstance(members, dict):
            raise self._error(context, f"'{keyword}' is not an object")
        return members

    def _choices(self, schema: Schema, keyword: str, context: Context) -> list[Any]:
        choices = schema.get(keyword, [])
        if not isinstance(choices, list) or (keyword in schema and not choices):
            raise self._error(context, f"'{keyword}' is not a list with a member")
        return choices

    def _error(self, context: Context, problem: str) -> OpenAIError:
        message = f"Invalid schema for response_format '{self._name}': In context={context}"
        return OpenAIError("invalid_json_schema", f"{message}, {problem}.", param=self._param)
