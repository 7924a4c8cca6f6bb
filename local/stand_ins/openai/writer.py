"""What the model answers: a first message written from the prompt, always the same for the same."""

import json
import re
from collections.abc import Mapping
from typing import Any

from local.stand_ins.openai.errors import OpenAIError
from local.stand_ins.openai.known_facts import KnownFacts

_LIMIT = re.compile(
    r"(?:at most|up to|no more than|max(?:imum)?(?: of)?)\s+(\d+)\s+char"
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


class Writer:
    """Writes from what a prompt tells.

    Args of the constructor:
        facts: What it tells.
    """

    def __init__(self, facts: KnownFacts) -> None:
        self._first_name = facts.value("recipient_first_name", "first_name") or "there"
        self._company = facts.value("company_name", "company") or "our team"
        self._project = facts.value("project_name", "project") or "your enquiry"
        self._person = facts.value("company_rep_name", "rep_name", "company_rep")
        self._details = facts.details()

    def message(self) -> str:
        """A first message as free text."""
        me = f"{self._person} from {self._company}" if self._person else self._company
        about = f"{self._project} ({self._details})" if self._details else self._project
        return (
            f"Hi {self._first_name}, this is {me}. Thank you for your interest in {about}. "
            "When would be a good time to talk?"
        )

    def document(self, schema: Mapping[str, Any]) -> str:
        """A JSON document that fits a schema, every property filled in.

        Raises:
            OpenAIError: The schema asks for something that the stand-in cannot write.
        """
        return json.dumps(self._fill(schema, "", schema), ensure_ascii=False)

    def _fill(self, schema: Mapping[str, Any], name: str, root: Mapping[str, Any]) -> Any:
        if "$ref" in schema:
            return self._fill(_definition(schema["$ref"], root), name, root)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][0]
        if "anyOf" in schema:
            return self._fill(schema["anyOf"][0], name, root)
        return self._fill_type(schema, name, root)

    def _fill_type(self, schema: Mapping[str, Any], name: str, root: Mapping[str, Any]) -> Any:
        match _type(schema):
            case "object":
                properties = schema.get("properties", {})
                return {key: self._fill(inner, key, root) for key, inner in properties.items()}
            case "array":
                count = max(1, schema.get("minItems", 1))
                return [self._fill(schema["items"], name, root) for _ in range(count)]
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return True
            case "null":
                return None
            case _:
                return self._string(schema, name)

    def _string(self, schema: Mapping[str, Any], name: str) -> str:
        if "pattern" in schema:
            raise OpenAIError(
                "invalid_json_schema", f"The stand-in cannot write for the pattern of '{name}'."
            )
        if schema.get("format") in _SAMPLES_OF_FORMATS:
            return _SAMPLES_OF_FORMATS[schema["format"]]
        description = str(schema.get("description", ""))
        text = self._words_for(name, description)
        return _fitted(text, schema.get("minLength", 1), _limit(schema, description))

    def _words_for(self, name: str, description: str) -> str:
        asked = f"{name} {description}".lower().replace("_", " ")
        if re.search(r"first name|given name|recipient'?s? name|customer'?s? name", asked):
            return self._first_name
        if re.search(r"company('s)? name|name of the company", asked):
            return self._company
        if re.search(r"project('s)? name|name of the project", asked):
            return self._project
        return self._sentence(name, description)

    def _sentence(self, name: str, description: str) -> str:
        topic = _LIMIT.sub("", description).strip(" .,;:") or name.replace("_", " ")
        details = f" ({self._details})" if self._details else ""
        return f"about {self._project}{details} with {self._company}: {topic}"


def _limit(schema: Mapping[str, Any], description: str) -> int | None:
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
    return cut.rsplit(" ", 1)[0] if len(cut.rsplit(" ", 1)[0]) >= at_least else cut


def _type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "string")
    return str(kind[0] if isinstance(kind, list) else kind)


def _definition(ref: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for part in ref.removeprefix("#").strip("/").split("/"):
        found = found.get(part) if isinstance(found, dict) and part else found
    if not isinstance(found, dict):
        raise OpenAIError("invalid_json_schema", f"The reference '{ref}' leads nowhere.")
    return found
