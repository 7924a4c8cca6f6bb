"""The vendor check on real adapters: models that are shut down, templates that are not approved."""

import json
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from lambda_src import vendor_check
from lambda_src.bootstrap import deployed_models
from lambda_src.channels import parts_of
from lambda_src.core import ConfigurationError, DefinitionProblem, InvalidDefinition
from lambda_src.core.contract import RETIREMENT_DAYS
from lambda_src.core.scheduled_job import JobFailed
from local.fakes import Fault, Match
from stacks.channels import CHANNELS
from tests.support.channel import (
    API_KEY,
    FREE_TEXT_SECRET,
    MODEL,
    OPENAI_SECRET,
    PREFIXES,
    TOKEN,
    TWILIO_CREDENTIALS,
    TWILIO_SECRET,
    Channel,
    failing_call,
    failing_operation,
)

MODELS, TEMPLATES = "ModelsRetiring", "TemplatesNotApproved"
READING_MODELS = Match(method="GET", paths=("/v1/models/*",))
OTHER_TEMPLATE = "HX" + "9" * 32


@pytest.fixture
def checked(channel: Channel) -> Iterator[Channel]:
    """Return a channel whose vendor check starts cold."""
    vendor_check.vendor_check.cache_clear()
    yield channel
    vendor_check.vendor_check.cache_clear()


def run(channel: Channel, seconds_left: float = 60) -> Mapping[str, float]:
    """Run the check; return the numbers that it published."""
    channel.read_metrics()
    context: Any = SimpleNamespace(get_remaining_time_in_millis=lambda: round(seconds_left * 1000))
    vendor_check.lambda_handler({}, context)
    lines = channel.read_metrics()
    return {name: line[name][0] for line in lines for name in (MODELS, TEMPLATES) if name in line}


def add_secret(channel: Channel, name: str, **value: str) -> None:
    channel.secretsmanager.create_secret(Name=name, SecretString=json.dumps(value))


@pytest.mark.parametrize(
    ("days", "retiring"), [(None, 0), (RETIREMENT_DAYS, 0), (RETIREMENT_DAYS - 1, 1), (0, 1)]
)
def test_a_model_that_ends_soon_is_counted(
    checked: Channel, days: int | None, retiring: int
) -> None:
    """Weeks ahead, once for all assistants that use it, and named in the log."""
    if days is not None:
        checked.openai.fail_next(Fault.retiring(days), times=9)
    assert {MODELS: retiring, TEMPLATES: 0} == run(checked)
    lines = [line for line in checked.read_log() if line["event"] == "model_retiring"]
    assert [(MODEL, days)] * retiring == [(line["model"], line["days_left"]) for line in lines]


def test_a_model_that_no_key_may_use_is_gone(checked: Channel) -> None:
    """One project may lack a model, so a second key decides whether it still exists."""
    checked.openai.fail_next("model_not_found", match=READING_MODELS)
    assert 1 == run(checked)[MODELS]
    add_secret(checked, f"{OPENAI_SECRET}/second", ai_api_key=API_KEY)
    checked.openai.fail_next("model_not_found", match=READING_MODELS)
    assert 0 == run(checked)[MODELS]


def test_a_placeholder_is_not_the_only_key(checked: Channel) -> None:
    """A secret that nobody has filled, or a key that is refused, leaves the decision to others."""
    checked.set_secret(OPENAI_SECRET, '{"placeholder": "x"}')
    add_secret(checked, f"{OPENAI_SECRET}/refused", ai_api_key="unknown")
    with pytest.raises(JobFailed, match="secret_malformed"):
        run(checked)
    add_secret(checked, f"{OPENAI_SECRET}/second", ai_api_key=API_KEY)
    assert 0 == run(checked)[MODELS]


@pytest.mark.parametrize(
    "fault", ["server_error", Fault.reset(), Fault.not_json()], ids=["error", "reset", "not JSON"]
)
def test_a_silent_openai_is_no_result(checked: Channel, fault: Fault | str) -> None:
    """Nothing is published about models, so that the alarm sees missing data; templates are."""
    checked.openai.fail_next(fault, times=9, match=READING_MODELS)
    checked.read_metrics()
    with pytest.raises(JobFailed, match="openai_"):
        run(checked)
    names = {name for line in checked.read_metrics() for name in line}
    assert (False, True) == (MODELS in names, TEMPLATES in names)


@pytest.mark.parametrize(
    ("state", "unapproved"),
    [("approved", 0), ("paused", 1), ("{x}", 1)],
)
def test_a_template_that_is_not_approved_is_counted(
    checked: Channel, state: str, unapproved: int
) -> None:
    """The log has its state, and neither the tenant's name nor a credential."""
    checked.twilio.fail_next(Fault.template_state(state), times=9)
    assert unapproved == run(checked)[TEMPLATES]
    log = checked.read_log()
    states = [line["template_state"] for line in log if line["event"] == "template_not_approved"]
    assert [state if state.isalpha() else "unknown"] * unapproved == states
    assert not any(text in json.dumps(log) for text in (TWILIO_SECRET, TOKEN, API_KEY, "{x}"))


def test_only_templates_of_secrets_count(checked: Channel) -> None:
    """A missing template counts, a secret without one does not."""
    checked.set_secret(TWILIO_SECRET, FREE_TEXT_SECRET)
    assert 0 == run(checked)[TEMPLATES]
    gone = TWILIO_CREDENTIALS | {"twilio_template_sid": OTHER_TEMPLATE}
    add_secret(checked, f"{PREFIXES[1]}gone", **gone)
    assert 1 == run(checked)[TEMPLATES]


def test_a_tenant_that_cannot_be_checked_is_left_out(checked: Channel) -> None:
    """Unless there is no other: then nothing is published."""
    refused = TWILIO_CREDENTIALS | {
        "twilio_auth_token": "wrong",
        "twilio_template_sid": OTHER_TEMPLATE,
    }
    add_secret(checked, f"{PREFIXES[1]}refused", **refused)
    assert 0 == run(checked)[TEMPLATES]
    assert ["template_unchecked"] == [line["event"] for line in checked.read_log()]
    checked.set_secret(TWILIO_SECRET, json.dumps(refused))
    vendor_check.vendor_check.cache_clear()  # with the secrets that it has read
    with pytest.raises(JobFailed, match="twilio_20003"):
        run(checked)


@pytest.mark.parametrize("operation", ["ListSecrets", "GetSecretValue"])
def test_a_refusal_of_aws_fails_the_run(checked: Channel, operation: str) -> None:
    """Lambda counts the error, and the alarms see missing data."""
    with (
        failing_operation(checked, operation, "AccessDeniedException"),
        pytest.raises(JobFailed, match="secrets_unavailable"),
    ):
        run(checked)
    connection = EndpointConnectionError(endpoint_url="https://nowhere")
    with failing_call(operation, connection), pytest.raises(JobFailed):
        run(checked)


def test_a_run_ends_in_time(checked: Channel) -> None:
    """Without time nothing is asked, and the run fails."""
    with pytest.raises(JobFailed, match="out_of_time"):
        run(checked, seconds_left=1)
    assert [] == checked.openai.requests


def test_another_repositorys_channel_is_checked_without_its_templates(
    checked: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A channel of this repository has both numbers."""
    monkeypatch.setenv("CHANNEL", "push")
    assert {MODELS} == set(run(checked))


def test_the_models_are_those_of_the_channels_assistants(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or of all in the package of another repository's channel; none may be invalid."""
    for name in (channel.name for channel in CHANNELS):
        assert [MODEL] == deployed_models(parts_of(name))
    assert [MODEL] == deployed_models(None)
    monkeypatch.setattr("lambda_src.bootstrap.read_definition", _refuse)
    with pytest.raises(ConfigurationError, match="expected TOML"):
        deployed_models(None)


def _refuse(_: object) -> None:
    raise InvalidDefinition([DefinitionProblem((), "TOML", "other text", "one.toml")])
