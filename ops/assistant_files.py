"""The assistant definitions that are deployed with the function, checked before they are."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from pydantic import ValidationError

from lambda_src.core.text_rules import MAX_RENDERED
from lambda_src.utils.assistant_definitions import AssistantModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from openai.types import Model

LONGEST_DESCRIPTIONS = 120_000
"""Characters that all texts of a strict schema may have together
(https://platform.openai.com/docs/guides/structured-outputs)."""


@dataclass
class Checked:
    """One definition, with what is wrong with it.

    Attributes:
        name: The assistant's id.
        model: The model that it names, empty where it cannot be told.
        problems: What keeps it from working.
        warnings: What will keep it from working some day.
    """

    name: str
    model: str = ""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check(path: Path) -> Checked:
    """Check a definition's file by itself."""
    checked = Checked(path.stem)
    try:
        definition = AssistantModel.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        checked.problems.append(f"not TOML: {error}")
    except ValidationError as error:
        checked.problems.extend(_told(error))
    else:
        checked.model = definition.model
        checked.problems.extend(_problems_of_variables(definition))
    return checked


def check_model(checked: Checked, model: Model, today: date, days: int) -> None:
    """Add what OpenAI says of a definition's model.

    Args:
        checked: The definition.
        model: The model as OpenAI describes it.
        today: The date.
        days: How long it must still be served.
    """
    if model.shutdown_date is None:
        return
    left = (date.fromisoformat(model.shutdown_date[:10]) - today).days
    told = f"{checked.model} shuts down on {model.shutdown_date[:10]}, in {left} days"
    (checked.problems if left < days else checked.warnings).append(told)


def files(directory: Path) -> list[Path]:
    """The definitions' files."""
    return sorted(directory.glob("*.toml"))


def models_in(directory: Path) -> Iterable[str]:
    """The models that the definitions name, each once."""
    return dict.fromkeys(each.model for each in map(check, files(directory)) if each.model)


def _told(error: ValidationError) -> Iterator[str]:
    for details in error.errors(include_url=False):
        yield f"{'.'.join(map(str, details['loc']))}: {details['msg']}"


def _problems_of_variables(definition: AssistantModel) -> Iterator[str]:
    lengths = [variable.max_length or 0 for variable in definition.variables.values()]
    if sum(lengths) > MAX_RENDERED:
        yield (
            f"variables: their max_length add up to {sum(lengths)},"
            f" and a template may have {MAX_RENDERED} characters"
        )
    texts = sum(len(v.description) + len(name) for name, v in definition.variables.items())
    if texts > LONGEST_DESCRIPTIONS:
        yield f"variables: names and descriptions have {texts} characters, and may have 120,000"
