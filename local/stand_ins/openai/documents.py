"""JSON documents that fit a schema, every property filled in by the writer."""

import json
import re
from collections.abc import Mapping
from typing import Any

from local.stand_ins.openai.errors import OpenAIError
from local.stand_ins.openai.writer import Writer

Schema = Mapping[str, Any]

_LIMIT = re.compile(
    r"(?:at most|up to|no more than|max(?:imum)?(?: of)?)\s+(\d+)\s+char(?:acter)?s?"
    r"|(\d+)\s+characters?\s+(?:or (?:fewer|less)|at most|max)",
    re.IGNORECASE,
)
_SAMPLES_OF_FORMATS: Mapping[str, str] = {
    "date": "2030-01-15",
    "date-time": "2030-01-15T09:30:00Z",
    "time": "09:30:00Z",
    "email": "hello@example.com",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def document(schema: Schema, writer: Writer) -> str:
    """A JSON document that fits a schema.

    Raises:
        OpenAIError: The schema asks for something that the stand-in cannot write.
    """
    try:
        filled = _Filler(schema, writer).fill(schema, "")
    except RecursionError as error:
        raise OpenAIError("invalid_json_schema", "The schema has no finite document.") from error
    return json.dumps(filled, ensure_ascii=False)


class _Filler:
    def __init__(self, root: Schema, writer: Writer) -> None:
        self._root = root
        self._writer = writer

    def fill(self, schema: Schema, name: str) -> Any:
        if "$ref" in schema:
            return self.fill(self._definition(schema["$ref"]), name)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        if "anyOf" in schema:
            return self.fill(schema["anyOf"][0], name)
        return self._fill_type(schema, name)

    def _fill_type(self, schema: Schema, name: str) -> Any:
        match _type(schema):
            case "object":
                properties = schema.get("properties", {})
                return {key: self.fill(inner, key) for key, inner in properties.items()}
            case "array":
                count = max(1, schema.get("minItems", 1))
                return [self.fill(schema["items"], name) for _ in range(count)]
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._string(schema, name)

    def _string(self, schema: Schema, name: str) -> str:
        if "pattern" in schema:
            problem = f"The stand-in cannot write for the pattern of '{name}'."
            raise OpenAIError("invalid_json_schema", problem)
        if schema.get("format") in _SAMPLES_OF_FORMATS:
            return _SAMPLES_OF_FORMATS[schema["format"]]
        description = str(schema.get("description", ""))
        topic = _LIMIT.sub("", description).strip(" .,;:")
        text = self._writer.words_for(name, topic)
        return _fitted(text, schema.get("minLength", 1), _limit(schema, description))

    def _definition(self, ref: str) -> Schema:
        found: Any = self._root
        for part in filter(None, ref.removeprefix("#").split("/")):
            found = found.get(part) if isinstance(found, dict) else None
        if not isinstance(found, dict):
            raise OpenAIError("invalid_json_schema", f"The reference '{ref}' leads nowhere.")
        return found


def _limit(schema: Schema, description: str) -> int | None:
    stated = [int(found[1] or found[2]) for found in _LIMIT.finditer(description)]
    limits = [*stated, *([schema["maxLength"]] if "maxLength" in schema else [])]
    return min(limits, default=None)


def _fitted(text: str, at_least: int, at_most: int | None) -> str:
    text = " ".join(text.split())
    while len(text) < at_least:
        text = f"{text} {text}"
    if at_most is None or len(text) <= at_most:
        return text
    cut = text[:at_most]
    at_sentence = cut.rpartition(". ")[0] + "."
    at_word = cut.rpartition(" ")[0].rstrip(" ,;:(-")
    enough = max(at_least, at_most // 2)
    return next(part for part in (at_sentence, at_word, cut) if len(part) >= enough)


def _type(schema: Schema) -> str:
    kind = schema.get("type", "string")
    return str(kind[0] if isinstance(kind, list) else kind)
