"""Assistant definitions: the shipped files, and those of any directory."""

import re
from pathlib import Path

import pytest

from lambda_src.core.errors import ConfigurationRefused
from lambda_src.core.models import AssistantDefinition, VariableRule
from lambda_src.utils.assistant_definitions import CACHE_SIZE, DIRECTORY, AssistantFiles

SHIPPED = sorted(path.stem for path in DIRECTORY.glob("*.toml"))
VALID = """
model = "model-of-the-day"
instructions = "Grüße freundlich."
max_output_tokens = 300
[variables.1]
description = "The first name."
max_length = 40
[variables.message]
description = "The message."
"""


@pytest.fixture
def files(tmp_path: Path) -> AssistantFiles:
    """The assistants of a directory with one valid file."""
    (tmp_path / "valid.toml").write_text(VALID, encoding="utf-8")
    return AssistantFiles(tmp_path)


@pytest.mark.parametrize("assistant_id", SHIPPED)
def test_shipped_definitions_are_valid(assistant_id: str) -> None:
    """Every shipped file has a model and instructions."""
    definition = AssistantFiles().find(assistant_id)
    assert definition
    assert definition.model
    assert len(definition.instructions) > 100


def test_both_kinds_of_message_have_a_shipped_assistant() -> None:
    """One fills a template's variables, within a template's length; the other writes free text."""
    template, text = AssistantFiles().find("first_contact"), AssistantFiles().find("free_text")
    assert template
    assert text
    assert (["1", "2"], {}) == (list(template.variables), text.variables)
    assert sum(rule.max_length or 1024 for rule in template.variables.values()) < 1024


def test_a_file_becomes_a_definition_once(files: AssistantFiles, tmp_path: Path) -> None:
    """Its keys are those of an inline definition; it is cached."""
    expected = AssistantDefinition(
        model="model-of-the-day",
        instructions="Grüße freundlich.",
        variables={
            "1": VariableRule("The first name.", 40),
            "message": VariableRule("The message.", None),
        },
        max_output_tokens=300,
    )
    first = files.find("valid")
    assert expected == first
    (tmp_path / "valid.toml").unlink()
    assert first is files.find("valid")


def test_the_cache_is_bounded(files: AssistantFiles) -> None:
    """The ids come from messages."""
    for number in range(CACHE_SIZE + 10):
        files.find(f"unknown-{number}")
    assert CACHE_SIZE == files.find.cache_info().currsize


@pytest.mark.parametrize("assistant_id", ["unknown", "", "valid.toml", "VALID "])
def test_an_unknown_id_finds_nothing(files: AssistantFiles, assistant_id: str) -> None:
    """That is no error here: some engines need no definition."""
    assert files.find(assistant_id) is None


@pytest.mark.parametrize(
    "assistant_id", ["../valid", "../../pyproject", "sub/valid", "/etc/passwd", "..", "va\0lid"]
)
def test_an_id_never_leaves_its_directory(tmp_path: Path, assistant_id: str) -> None:
    """An id with separators or dots finds nothing, even where there is a file."""
    inner = tmp_path / "assistants"
    (inner / "sub").mkdir(parents=True)
    for directory in (tmp_path, inner / "sub"):
        (directory / "valid.toml").write_text(VALID, encoding="utf-8")
    assert AssistantFiles(inner).find(assistant_id) is None


@pytest.mark.parametrize(
    "content",
    [
        b"model = ",
        b'model = "m"',
        b'model = ""\ninstructions = "i"',
        b'model = "m"\ninstructions = "i"\nmax_output_tokens = -1',
        b'model = "m"\ninstructions = "i"\n[variables."first name"]\ndescription = "d"',
        b'model = "m"\ninstructions = "gr\xfc\xdfe"',
        "".join(
            ['model = "m"\ninstructions = "i"\n']
            + [f'[variables.{n}]\ndescription = "d"\n' for n in range(101)]
        ).encode(),
    ],
    ids=["toml", "missing", "empty", "negative", "name", "encoding", "too many"],
)
def test_an_invalid_file_is_a_refused_configuration(tmp_path: Path, content: bytes) -> None:
    """Every message that names it is retried until a deployment corrects it."""
    (tmp_path / "broken.toml").write_bytes(content)
    with pytest.raises(ConfigurationRefused, match=re.escape("assistant_definition_invalid at ai")):
        AssistantFiles(tmp_path).find("broken")
