"""Assistant definitions: the project's own as TOML files, or inline in a context object."""

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PositiveInt, StrictStr, ValidationError

from lambda_src.core.context import AssistantDefinition, VariableRule
from lambda_src.core.errors import PermanentFailure, Step
from lambda_src.utils.wire_types import Text, Wire, problem

DIRECTORY = Path(__file__).parent.parent / "assistants"
KEPT = 128
"""Definitions kept in memory, also of ids that have none: ids come out of messages."""
MAX_VARIABLES = 100
"""Variables that a content template may have."""


def _few(variables: Any) -> Any:
    # Before any is looked at: the problems of a megabyte of them would fill the memory.
    if isinstance(variables, dict) and len(variables) > MAX_VARIABLES:
        raise problem("context_invalid", f"at most {MAX_VARIABLES} variables")
    return variables


VariableName = Annotated[StrictStr, Field(pattern=r"^[A-Za-z0-9_]{1,64}$")]


class VariableModel(Wire):
    """One template variable: what it should say, and its longest value in characters."""

    description: Text
    max_length: PositiveInt | None = None


class AssistantModel(Wire):
    """An assistant definition as it stands in a file or a context object."""

    model: Text
    instructions: Text
    variables: Annotated[dict[VariableName, VariableModel], BeforeValidator(_few)] = Field(
        default_factory=dict
    )
    max_output_tokens: PositiveInt | None = None

    def definition(self) -> AssistantDefinition:
        """The definition as the core takes it."""
        return AssistantDefinition(
            model=self.model,
            instructions=self.instructions,
            variables={
                name: VariableRule(variable.description, variable.max_length)
                for name, variable in self.variables.items()
            },
            max_output_tokens=self.max_output_tokens,
        )


class AssistantFiles:
    """Implements the port `Assistants` with the files `<assistant id>.toml` of a directory."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._directory = directory
        self.find = lru_cache(KEPT)(self._find)

    def _find(self, assistant_id: str) -> AssistantDefinition | None:
        path = self._directory / f"{assistant_id}.toml"
        if path.parent != self._directory or not path.is_file():
            return None
        try:
            document = tomllib.loads(path.read_text(encoding="utf-8"))
            return AssistantModel.model_validate(document).definition()
        except (UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
            kind = type(error).__name__
            raise PermanentFailure("assistant_definition_invalid", Step.AI, kind) from None
