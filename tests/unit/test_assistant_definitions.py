"""Assistant definitions: the shipped files, and those of any directory."""

import re
from pathlib import Path

import pytest

from lambda_src.core.context import AssistantDefinition, VariableRule
from lambda_src.core.errors import PermanentFailure
from lambda_src.utils.assistant_definitions import DIRECTORY, KEPT, AssistantFiles

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


def test_definitions_are_shipped() -> None:
    """The project has assistants of its own, for templates and for free text."""
    assert {"first_contact", "free_text"} <= set(SHIPPED)


@pytest.mark.parametrize("assistant_id", SHIPPED)
def test_shipped_definitions_are_valid(assistant_id: str) -> None:
    """Every shipped file is a definition with a model and instructions."""
    definition = AssistantFiles().find(assistant_id)
    assert definition
    assert definition.model
    assert len(definition.instructions) > 100


def test_the_shipped_assistants_serve_both_kinds_of_message() -> None:
    """One fills a template's numbered variables, the other writes free text."""
    template, text = AssistantFiles().find("first_contact"), AssistantFiles().find("free_text")
    assert template
    assert text
    assert ["1", "2"] == list(template.variables)
    assert {} == text.variables


def test_the_shipped_variables_fit_one_template() -> None:
    """What a template's variables may have together is less than a rendered template takes."""
    definition = AssistantFiles().find("first_contact")
    assert definition
    lengths = [rule.max_length or 1024 for rule in definition.variables.values()]
    assert sum(lengths) < 1024


def test_a_file_becomes_a_definition(files: AssistantFiles) -> None:
    """A file's keys are those of an inline definition."""
    expected = AssistantDefinition(
        model="model-of-the-day",
        instructions="Grüße freundlich.",
        variables={
            "1": VariableRule("The first name.", 40),
            "message": VariableRule("The message.", None),
        },
        max_output_tokens=300,
    )
    assert expected == files.find("valid")


def test_a_definition_is_read_once(files: AssistantFiles, tmp_path: Path) -> None:
    """What is shipped does not change while the function runs."""
    first = files.find("valid")
    (tmp_path / "valid.toml").unlink()
    assert first is files.find("valid")


def test_a_bounded_number_of_definitions_is_kept(files: AssistantFiles) -> None:
    """Ids come out of messages: made-up ones do not fill the memory."""
    for number in range(KEPT + 10):
        files.find(f"unknown-{number}")
    assert KEPT == files.find.cache_info().currsize


@pytest.mark.parametrize("assistant_id", ["unknown", "", "valid.toml", "VALID "])
def test_an_unknown_id_finds_nothing(files: AssistantFiles, assistant_id: str) -> None:
    """An id without a file is no error here: some engines need none."""
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
def test_an_invalid_file_is_a_permanent_failure(tmp_path: Path, content: bytes) -> None:
    """A file that is no definition fails every message that names it, and says so by its code."""
    (tmp_path / "broken.toml").write_bytes(content)
    with pytest.raises(PermanentFailure, match=re.escape("assistant_definition_invalid at ai")):
        AssistantFiles(tmp_path).find("broken")
