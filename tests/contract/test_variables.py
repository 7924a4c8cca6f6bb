"""The function's environment variables, against what the runtime reads."""

from dataclasses import fields

from lambda_src.core.contract import (
    DEFAULTS,
    METRICS_NAMESPACE,
    REQUIRED_VARIABLES,
    TWILIO_BASE_URL,
    Variable,
)
from lambda_src.core.settings import Settings
from tests.infra.synthesis import synthesize


def test_template_can_set_every_variable() -> None:
    """An environment with an Assistants-compatible server and a retention sets all variables."""
    synthesized = synthesize(
        assistants_base_url="https://assistants.example.com/v1", conversation_retention_days=30
    )

    assert {*Variable, METRICS_NAMESPACE} == set(synthesized.variables())


def test_every_variable_is_required_or_has_a_default() -> None:
    """Each variable of the contract is either required or has a default."""
    assert set(Variable) == REQUIRED_VARIABLES | set(DEFAULTS)
    assert not REQUIRED_VARIABLES & set(DEFAULTS)


def test_settings_read_the_contracts_variables_only() -> None:
    """The runtime reads the contract's variables, the metrics namespace and Twilio's address."""
    read = {field.name.upper() for field in fields(Settings)}

    assert {*Variable, TWILIO_BASE_URL, METRICS_NAMESPACE} == read
