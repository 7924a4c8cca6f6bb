"""The secrets that the example context objects name, and what they must hold."""

import json
import tomllib
from collections.abc import Iterator
from typing import Any

from local import paths

ASSISTANTS = paths.ROOT / "lambda_src" / "assistants"


def credentials_with_template() -> dict[str, bool]:
    """Each credentials' secret that an example names, and whether its assistant fills a template.

    A tenant has one secret for one kind of message: a template's variables or free text.
    """
    found: dict[str, bool] = {}
    for reference, assistant in _named():
        found[reference] = found.get(reference, False) or _has_variables(assistant)
    return found


def _named() -> Iterator[tuple[str, str]]:
    for path in paths.EXAMPLE_CONTEXTS.glob("*.json"):
        company: dict[str, Any] = json.loads(path.read_text("utf-8"))["company_data_payload"]
        for channel, config in company["channel_config"].items():
            openai = company["ai_config"]["openai_config"][channel]
            yield config[f"{channel}_credentials_id"], openai["assistant_id_template_sender"]


def _has_variables(assistant: str) -> bool:
    path = ASSISTANTS / f"{assistant}.toml"
    return path.exists() and "variables" in tomllib.loads(path.read_text("utf-8"))
