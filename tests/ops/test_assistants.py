"""`assistants check`: definitions are valid, and their models available."""

import json
from datetime import date
from pathlib import Path

import pytest
from openai.types import Model

from ops.commands.assistants import DefinitionCheck, check_file, check_model
from tests.ops.operator_channel import OperatorChannel

GOOD = 'model = "gpt-6-luna"\ninstructions = "Write."\n'


def test_an_unavailable_model_is_a_problem(operator: OperatorChannel, tmp_path: Path) -> None:
    """The command fails and reports OpenAI's code, and skips definitions without a model."""
    (tmp_path / "one.toml").write_text(GOOD.replace("gpt-6-luna", "gpt-gone"))
    (tmp_path / "two.toml").write_text("model = ")
    call = ("assistants", "check", "--directory", str(tmp_path))
    result = operator.run(*call, "--json")
    assert 1 == result.exit_code
    one, two = json.loads(result.stdout)
    assert ["openai_model_not_found"] == [
        problem.split()[1].rstrip(":,") for problem in one["problems"]
    ]
    assert "not TOML" in two["problems"][0]
    assert "openai_model_not_found" in operator.refused(*call).replace(" ", "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("model = ", "not TOML"),
        ('model = "gpt-6-luna"', "instructions: Field required"),
        (GOOD + "[variables.1]\nmax_length = 5", "variables.1.description: Field required"),
        (
            GOOD + '[variables.1]\ndescription = "a"\nmax_length = 2000',
            "a template may have 1024 characters",
        ),
        (GOOD + f'[variables.1]\ndescription = "{"a" * 120_001}"\nmax_length = 5', "120,000"),
    ],
)
def test_an_invalid_definition_has_problems(tmp_path: Path, text: str, problem: str) -> None:
    """The problem names the field."""
    path = tmp_path / "one.toml"
    path.write_text(text)
    problems = check_file(path).problems
    assert any(problem in each for each in problems), problems


def test_offline_nothing_is_requested(tmp_path: Path, operator: OperatorChannel) -> None:
    """Neither OpenAI nor AWS is asked."""
    (tmp_path / "one.toml").write_text(GOOD)
    operator.succeed("assistants", "check", "--offline", "--directory", str(tmp_path))
    assert 0 == operator.channel.vendor_calls()


def test_the_key_of_the_environment_is_used(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With OPENAI_API_KEY no AWS is needed; a refused key is a problem."""
    monkeypatch.setenv("OPENAI_API_KEY", "unknown")
    assert "openai_invalid_api_key" in operator.refused("assistants", "check", "--env", "nowhere")


@pytest.mark.parametrize(
    ("shutdown", "problems", "warnings"),
    [(None, 0, 0), ("2026-12-11", 1, 0), ("2027-01-14", 0, 1)],
)
def test_a_model_must_stay_available(shutdown: str | None, problems: int, warnings: int) -> None:
    """A shutdown within the given days is a problem, a later one a warning."""
    model = Model(id="m", created=0, object="model", owned_by="o", shutdown_date=shutdown)
    checked = DefinitionCheck("one", "m")
    check_model(checked, model, date(2026, 11, 22), days=30)
    assert (problems, warnings) == (len(checked.problems), len(checked.warnings))
