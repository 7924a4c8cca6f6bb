"""The template sets exactly the environment variables that the runtime reads."""

from dataclasses import fields
from typing import Any

import pytest

from lambda_src.core.contract import (
    DEFAULTS,
    METRICS_NAMESPACE,
    REQUIRED_VARIABLES,
    TWILIO_BASE_URL,
    UNSET_VARIABLES,
    Variable,
)
from lambda_src.core.settings import Settings
from tests.infra.synthesis import ENVIRONMENTS, Synthesized, synthesize


def variables(synthesized: Synthesized) -> dict[str, Any]:
    """The function's environment variables; a reference to another resource stands as its text."""
    function = synthesized.properties("WhatsApp", "AWS::Lambda::Function")
    return {name: _text(value) for name, value in function["Environment"]["Variables"].items()}


def _text(value: object) -> str:
    return value if isinstance(value, str) else "resolved-at-deployment"


def test_template_sets_what_the_runtime_reads() -> None:
    """Every variable is set, but those that an environment may leave out."""
    expected = {*Variable, METRICS_NAMESPACE} - UNSET_VARIABLES

    assert expected == set(variables(synthesize()))


def test_template_sets_what_an_environment_names() -> None:
    """An environment with an Assistants-compatible server and a retention sets every variable."""
    synthesized = synthesize(
        assistants_base_url="https://assistants.example.com/v1", conversation_retention_days=30
    )

    assert {*Variable, METRICS_NAMESPACE} == set(variables(synthesized))


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_runtime_starts_with_the_templates_variables(name: str) -> None:
    """What the template sets is complete and valid for the runtime, in every environment."""
    settings = Settings.from_environment(variables(synthesize(name)))

    assert "whatsapp" == settings.channel
    assert 2 == len(settings.secret_prefixes)


def test_every_variable_is_required_or_has_a_default() -> None:
    """No variable of the contract is neither required nor defaulted, and none is both."""
    assert set(Variable) == REQUIRED_VARIABLES | set(DEFAULTS)
    assert not REQUIRED_VARIABLES & set(DEFAULTS)


def test_settings_read_the_contracts_variables_only() -> None:
    """The runtime reads the contract's variables, and two that are not ours or not for AWS."""
    read = {field.name.upper() for field in fields(Settings)}

    assert {*Variable, TWILIO_BASE_URL, METRICS_NAMESPACE} == read
