"""The part of JSON Schema that strict structured output takes.

https://developers.openai.com/api/docs/guides/structured-outputs, "Supported schemas".
"""

from collections.abc import Mapping
from typing import Any

from local.stand_ins.openai.bodies import AnswerFormat
from local.stand_ins.openai.errors import OpenAIError
from local.stand_ins.openai.parsing import missing

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
    if wanted.strict:
        _Checker(wanted.name, f"{param}.schema").check_root(wanted.schema_)


class _Checker:
    def __init__(self, name: str, param: str) -> None:
        self._name = name
        self._param = param

    def check_root(self, schema: Mapping[str, Any]) -> None:
        if schema.get("type") != "object" or "anyOf" in schema:
            raise self._error((), "schema must be a JSON Schema of 'type: \"object\"'")
        self._check(schema, ())
        for name, definition in schema.get("$defs", {}).items():
            self._check(definition, ("$defs", name))

    def _check(self, schema: Any, context: tuple[str, ...]) -> None:
        if not isinstance(schema, dict):
            raise self._error(context, "schema must be an object")
        if context.count("properties") > MAX_DEPTH:
            raise self._error(context, f"schema exceeds maximum nesting of {MAX_DEPTH} levels")
        for keyword in _FORBIDDEN:
            if keyword in schema:
                raise self._error(context, f"'{keyword}' is not permitted")
        self._check_kind(schema, context)

    def _check_kind(self, schema: Mapping[str, Any], context: tuple[str, ...]) -> None:
        if not schema.keys() & {"type", "anyOf", "$ref", "enum", "const"}:
            raise self._error(context, "schema must have a 'type' key")
        if schema.get("type") == "object":
            self._check_object(schema, context)
        if schema.get("type") == "array":
            if "items" not in schema:
                raise self._error(context, "array schema missing items")
            self._check(schema["items"], (*context, "items"))
        for position, option in enumerate(schema.get("anyOf", [])):
            self._check(option, (*context, "anyOf", str(position)))

    def _check_object(self, schema: Mapping[str, Any], context: tuple[str, ...]) -> None:
        if schema.get("additionalProperties") is not False:
            problem = "'additionalProperties' is required to be supplied and to be false"
            raise self._error(context, problem)
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        if sorted(required) != sorted(properties):
            problem = (
                "'required' is required to be supplied and to be an array including every key "
                "in properties"
            )
            raise self._error(context, problem)
        for name, property_schema in properties.items():
            self._check(property_schema, (*context, "properties", name))

    def _error(self, context: tuple[str, ...], problem: str) -> OpenAIError:
        message = f"Invalid schema for response_format '{self._name}': In context={context}"
        return OpenAIError("invalid_json_schema", f"{message}, {problem}.", param=self._param)
