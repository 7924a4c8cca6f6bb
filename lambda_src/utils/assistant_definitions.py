"""The project's own assistant definitions, which are TOML files."""

import tomllib
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from lambda_src.core import AssistantDefinition, ConfigurationRefused, Step
from lambda_src.utils.context_schema import AssistantModel

DIRECTORY = Path(__file__).parent.parent / "assistants"
CACHE_SIZE = 128
"""Definitions cached, including unknown ids: the ids come from messages."""


class AssistantFiles:
    """Implements the port `Assistants` with the files `<assistant id>.toml` of a directory."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._directory = directory
        self.find = lru_cache(CACHE_SIZE)(self._find)

    def _find(self, assistant_id: str) -> AssistantDefinition | None:
        path = self._directory / f"{assistant_id}.toml"
        if path.parent != self._directory or not path.is_file():
            return None
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
            return AssistantModel.model_validate(document).definition()
        except (UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
            kind = type(error).__name__
            raise ConfigurationRefused("assistant_definition_invalid", Step.AI, kind) from None
