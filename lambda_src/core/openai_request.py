"""What both of OpenAI's interfaces are asked, and how their answers are read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from lambda_src.core.errors import PermanentFailure, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lambda_src.core.context import AssistantDefinition, VariableRule

SCHEMA_NAME = "content_variables"


def prompt(briefing: Mapping[str, Any]) -> str:
    """The briefing as the text that the AI reads."""
    return json.dumps(dict(briefing), ensure_ascii=False)


def variables_schema(definition: AssistantDefinition) -> dict[str, Any]:
    """The strict JSON schema of a definition's template variables.

    Strict schemas name every property as required and allow no other
    (https://platform.openai.com/docs/guides/structured-outputs).
    """
    return {
        "type": "object",
        "properties": {name: _property(rule) for name, rule in definition.variables.items()},
        "required": list(definition.variables),
        "additionalProperties": False,
    }


def read_variables(text: str) -> dict[str, str]:
    """The template variables of an answer.

    Raises:
        PermanentFailure: The answer is no JSON object of strings.
    """
    try:
        variables = json.loads(text)
    except (ValueError, RecursionError):
        raise _unfit("expected a JSON object, found other text") from None
    if not isinstance(variables, dict):
        raise _unfit(f"expected a JSON object, found {type(variables).__name__}")
    if not all(isinstance(value, str) for value in variables.values()):
        raise _unfit("expected strings as the object's values")
    return variables


def iso_now() -> str:
    """The present time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _property(rule: VariableRule) -> dict[str, str]:
    # Not as `maxLength`, which strict schemas do not know; the answer is measured afterwards.
    limit = f" At most {rule.max_length} characters." if rule.max_length else ""
    return {"type": "string", "description": f"{rule.description}{limit}"}


def _unfit(detail: str) -> PermanentFailure:
    # Without the decoder's error, which quotes the answer.
    return PermanentFailure("ai_answer_unfit", Step.AI, detail)
