"""Schemas that tests ask the model to fill."""

from typing import Any

VARIABLES: dict[str, Any] = {
    "type": "object",
    "properties": {
        "1": {"type": "string", "description": "The recipient's first name."},
        "2": {"type": "string", "description": "One to three sentences. At most 120 characters."},
    },
    "required": ["1", "2"],
    "additionalProperties": False,
}


def text_format(schema: dict[str, Any], *, strict: bool = True) -> Any:
    """The parameter `text` that asks for a document of this schema, for the SDK and for JSON."""
    wanted = {"type": "json_schema", "name": "variables", "schema": schema, "strict": strict}
    return {"format": wanted}
