"""The project's own assistant definitions, which are TOML files."""

from functools import lru_cache
from pathlib import Path

from lambda_src.core import (
    ASSISTANTS_DIRECTORY,
    AssistantDefinition,
    ConfigurationRefused,
    InvalidDefinition,
    Step,
    read_definition,
)

CACHE_SIZE = 128
"""Definitions cached, including unknown ids: the ids come from messages."""


class AssistantFiles:
    """Implements the port `Assistants` with the files `<assistant id>.toml` of a directory."""

    def __init__(self, directory: Path = ASSISTANTS_DIRECTORY) -> None:
        self._directory = directory
        self.find = lru_cache(CACHE_SIZE)(self._find)

    def _find(self, assistant_id: str) -> AssistantDefinition | None:
        path = self._directory / f"{assistant_id}.toml"
        if path.parent != self._directory or not path.is_file():
            return None
        try:
            return read_definition(path)
        except InvalidDefinition as error:
            problem, rest = str(error.problems[0]), len(error.problems) - 1
            detail = f"{problem}; and {rest} more" if rest else problem
            raise ConfigurationRefused("assistant_definition_invalid", Step.AI, detail) from None

    def names(self) -> list[str]:
        """Return the ids of all definitions."""
        return sorted(path.stem for path in self._directory.glob("*.toml"))
