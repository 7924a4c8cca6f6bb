"""`assistants check`: check the assistant definitions of this checkout before a deployment."""

import os
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from openai.types import Model
from pydantic import ValidationError

from lambda_src.core import MAX_RENDERED_LENGTH, ProcessingError
from lambda_src.utils.assistant_definitions import DIRECTORY
from lambda_src.utils.context_schema import AssistantModel
from ops.command import OperatorError, Session, command
from ops.console import decode_text
from ops.credential_checks import OpenAILookup, SecretStore

app = typer.Typer(
    no_args_is_help=True, help="Assistant definitions: valid, and their models available."
)

API_KEY = "OPENAI_API_KEY"  # the SDK's own variable
MAX_SCHEMA_TEXT = 120_000
"""Characters that all texts of a strict schema may have together
(https://platform.openai.com/docs/guides/structured-outputs)."""

Directory = Annotated[
    Path,
    typer.Option("--directory", exists=True, file_okay=False, help="Where the definitions are."),
]
Offline = Annotated[bool, typer.Option("--offline", help="Do not ask OpenAI about the models.")]
Days = Annotated[
    int, typer.Option("--days", min=0, help="How many days a model must still be available.")
]


@dataclass
class DefinitionCheck:
    """One definition with its problems.

    Attributes:
        name: The assistant's id.
        model: Its model, empty if the definition has none.
        problems: What makes it fail now.
        warnings: What will make it fail later.
    """

    name: str
    model: str = ""
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@command(app, "check")
def check(
    session: Session,
    directory: Directory = DIRECTORY,
    offline: Offline = False,  # noqa: FBT002 - an option
    days: Days = 30,
) -> None:
    """Check every definition, and ask OpenAI how long its model is available.

    The key is OPENAI_API_KEY, or else the channel's own secret. Exit code 1 means that a definition
    does not work, or will stop working within --days.

        python -m ops assistants check --offline
        OPENAI_API_KEY=… python -m ops assistants check --days 60
    """
    checks = [check_file(path) for path in sorted(directory.glob("*.toml"))]
    if not offline:
        lookup = _lookup(session)
        for each in checks:
            _look_up_model(lookup, each, days)
    rows = [asdict(each) for each in checks]
    session.console.result(rows)
    session.console.rows(
        [
            {**row, "problems": "; ".join(row["problems"]), "warnings": "; ".join(row["warnings"])}
            for row in rows
        ],
        empty="no definitions",
    )
    if any(each.problems for each in checks):
        raise typer.Exit(1)


def check_file(path: Path) -> DefinitionCheck:
    """Check a definition without asking OpenAI."""
    checked = DefinitionCheck(path.stem)
    try:
        definition = AssistantModel.model_validate(tomllib.loads(decode_text(path.read_bytes())))
    except (OSError, OperatorError, tomllib.TOMLDecodeError) as error:
        checked.problems.append(f"not TOML: {error}")
    except ValidationError as error:
        checked.problems.extend(
            f"{'.'.join(map(str, details['loc']))}: {details['msg']}"
            for details in error.errors(include_url=False)
        )
    else:
        checked.model = definition.model
        checked.problems.extend(_size_problems(definition))
    return checked


def check_model(checked: DefinitionCheck, model: Model, today: date, days: int) -> None:
    """Add what OpenAI's description of a model means for its definition.

    Args:
        checked: The definition.
        model: OpenAI's description of its model.
        today: The current date.
        days: How many days it must still be available.
    """
    if model.shutdown_date is None:
        return
    left = (date.fromisoformat(model.shutdown_date[:10]) - today).days
    text = f"{checked.model} shuts down on {model.shutdown_date[:10]}, in {left} days"
    (checked.problems if left < days else checked.warnings).append(text)


def _lookup(session: Session) -> OpenAILookup:
    key = os.environ.get(API_KEY)
    if key and not session.is_local:
        return OpenAILookup(key, session.endpoints.openai_base_url)
    return OpenAILookup.of_channel(SecretStore(session.aws.secretsmanager, session.deployment))


def _look_up_model(lookup: OpenAILookup, checked: DefinitionCheck, days: int) -> None:
    if not checked.model:
        return
    try:
        model = lookup.model(checked.model)
    except ProcessingError as error:
        checked.problems.append(f"{checked.model}: {error}")
    else:
        check_model(checked, model, datetime.now(UTC).date(), days)


def _size_problems(definition: AssistantModel) -> Iterator[str]:
    lengths = [variable.max_length or 0 for variable in definition.variables.values()]
    if sum(lengths) > MAX_RENDERED_LENGTH:
        yield (
            f"variables: the sum of max_length is {sum(lengths)},"
            f" and a template may have {MAX_RENDERED_LENGTH} characters"
        )
    texts = sum(len(v.description) + len(name) for name, v in definition.variables.items())
    if texts > MAX_SCHEMA_TEXT:
        yield f"variables: names and descriptions have {texts} characters, and may have 120,000"
