"""Assistant definitions: parsed, held against the rules of schemas, their models asked for."""

import json
from datetime import date
from pathlib import Path

import pytest
from openai.types import Model

from ops.assistant_files import Checked, check_model
from tests.ops.office import Office

GOOD = 'model = "gpt-6-luna"\ninstructions = "Write."\n'


def checked(office: Office, tmp_path: Path, text: str) -> tuple[int, list[str]]:
    """Check a definition; return the exit code and what is wrong with it."""
    (tmp_path / "one.toml").write_text(text)
    result = office.run("assistants", "check", "--directory", str(tmp_path), "--json")
    (row,) = json.loads(result.stdout)
    return result.exit_code, row["problems"]


def test_those_that_are_shipped_are_good(office: Office) -> None:
    """Every definition of the product is valid, and its model is served."""
    assert all(not row["problems"] for row in office.done("assistants", "check"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("model = ", "not TOML"),
        (GOOD.replace("gpt-6-luna", "gpt-gone"), "openai_model_not_found"),
        ('model = "gpt-6-luna"', "instructions: Field required"),
        (GOOD + "[variables.1]\nmax_length = 5", "variables.1.description: Field required"),
        (
            GOOD + '[variables.1]\ndescription = "a"\nmax_length = 2000',
            "a template may have 1024 characters",
        ),
    ],
)
def test_what_is_wrong_with_one_is_told(
    office: Office, tmp_path: Path, text: str, said: str
) -> None:
    """The command fails and names the place."""
    exit_code, problems = checked(office, tmp_path, text)
    assert 1 == exit_code
    assert any(said in problem for problem in problems), problems


def test_without_openai_the_files_alone_are_checked(tmp_path: Path, office: Office) -> None:
    """Offline nothing is asked, of AWS neither."""
    (tmp_path / "one.toml").write_text(GOOD)
    office.done("assistants", "check", "--offline", "--directory", str(tmp_path))
    assert 0 == office.channel.vendor_calls()


def test_the_environments_key_is_used(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """With OPENAI_API_KEY no AWS is needed; a key that is refused is a problem."""
    monkeypatch.setenv("OPENAI_API_KEY", "unknown")
    assert "openai_invalid_api_key" in office.refused("assistants", "check", "--env", "nowhere")


@pytest.mark.parametrize(
    ("shutdown", "problems", "warnings"),
    [(None, 0, 0), ("2026-12-11", 1, 0), ("2027-01-14", 0, 1)],
)
def test_a_model_must_be_served_long_enough(
    shutdown: str | None, problems: int, warnings: int
) -> None:
    """A model that ends within the days asked for is a problem, one that ends later a warning."""
    model = Model(id="m", created=0, object="model", owned_by="o", shutdown_date=shutdown)
    definition = Checked("one", "m")
    check_model(definition, model, date(2026, 11, 22), days=30)
    assert (problems, warnings) == (len(definition.problems), len(definition.warnings))
