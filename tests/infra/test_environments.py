"""Environments are read completely or refused with everything that is wrong with them."""

import pytest
from aws_cdk import RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from stacks.environments import load_environment
from stacks.errors import ConfigurationError
from tests.infra.synthesis import CONTEXT, environment


def _refusal(environments: object, name: object) -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_environment(environments, name)
    return str(refused.value)


def test_values_are_typed() -> None:
    """What is text or a number in the file is a typed object afterwards."""
    dev = environment(log_retention_days=14, function_timeout_seconds=120)

    assert logs.RetentionDays.TWO_WEEKS is dev.log_retention
    assert RemovalPolicy.DESTROY is dev.removal_policy
    assert 120 == dev.function_timeout.to_seconds()
    assert lambda_.Architecture.ARM_64.name == dev.function_architecture.name


def test_optional_keys_may_be_left_out() -> None:
    """Account, region, alert address, runbook and Assistants server need not be named."""
    optional = {"account", "region", "alert_email", "runbook_url", "assistants_base_url"}
    values = CONTEXT["environments"]["dev"]
    needed = {key: value for key, value in values.items() if key not in optional}

    dev = load_environment({"dev": needed}, "dev")

    assert {None} == {getattr(dev, key) for key in optional}


@pytest.mark.parametrize("name", ["qa", "Dev", 7])
def test_unknown_environment(name: object) -> None:
    """An environment that does not exist is refused with the names of those that do."""
    message = _refusal(CONTEXT["environments"], name)

    assert f"unknown environment {name!r}: give one of dev, prod, staging, as in `-c env=dev`" == (
        message
    )


def test_no_environment_named() -> None:
    """Leaving the environment out is refused with the names to choose from."""
    message = _refusal(CONTEXT["environments"], None)

    assert "no environment named: give one of dev, prod, staging, as in `-c env=dev`" == message


@pytest.mark.parametrize("environments", [None, {}, "dev"])
def test_no_environments(environments: object) -> None:
    """Without the file's environments the message says where they come from."""
    assert "run through `cdk`" in _refusal(environments, "dev")


@pytest.mark.parametrize("name", ["Dev", "eu-prod", "1st", "a" * 17])
def test_environment_names(name: str) -> None:
    """A name that resources could not bear is refused."""
    values = CONTEXT["environments"]["dev"]

    assert "1 to 16 lower-case letters and digits" in _refusal({name: values}, name)


def test_environment_is_no_object() -> None:
    """An environment that is not an object of keys and values is refused."""
    assert "environment 'dev' in cdk.json: 7 (int) is not an object" == (
        _refusal({"dev": 7}, "dev").replace("\n ", "")
    )


def test_unknown_key() -> None:
    """A key that nothing reads is refused with the keys that are known."""
    values = CONTEXT["environments"]["dev"] | {"function_memory": 512}
    message = _refusal({"dev": values}, "dev")

    assert "environment 'dev' in cdk.json:\n  function_memory: unknown; known keys are" in message
    assert "function_memory_mb" in message


def test_missing_key() -> None:
    """A key left out is refused with what it has to be."""
    values = {
        key: value for key, value in CONTEXT["environments"]["prod"].items() if key != "batch_size"
    }

    assert (
        "environment 'prod' in cdk.json:\n"
        "  batch_size: missing; it has to be a whole number from 1 to 10"
    ) == _refusal({"prod": values}, "prod")


def test_all_problems_at_once() -> None:
    """Whatever is wrong with an environment is told in one go."""
    values = CONTEXT["environments"]["dev"] | {"batch_size": 11, "snap_start": "yes", "colour": 1}
    message = _refusal({"dev": values}, "dev")

    assert {"batch_size", "snap_start", "colour"} == {
        line.split(":")[0].strip() for line in message.splitlines()[1:]
    }


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("account", 111122223333, "111122223333 (int) is not an account's 12 digits, as a string"),
        ("account", "1111", "'1111' (str) is not an account's 12 digits"),
        ("region", "Ireland", "'Ireland' (str) is not a region's name"),
        ("alert_email", "on-call", "'on-call' (str) is not an e-mail address, or null"),
        ("removal_policy", "keep", "'keep' (str) is not one of destroy, retain"),
        ("removal_policy", ["keep"], "['keep'] (list) is not one of destroy, retain"),
        ("deletion_protection", 1, "1 (int) is not true or false"),
        ("point_in_time_recovery", None, "None (NoneType) is not true or false"),
        ("log_retention_days", 8, "8 (int) is not one of 1, 3, 5, 7, 14,"),
        ("log_retention_days", True, "True (bool) is not one of 1, 3,"),
        ("runbook_url", "docs/runbook.md", "is not an https:// address without a #, or null"),
        ("runbook_url", "https://example.com/r#top", "is not an https:// address without a #"),
        ("log_level", "info", "'info' (str) is not one of DEBUG, INFO,"),
        ("function_runtime", "python3.11", "is not one of python3.12, python3.13, python3.14"),
        ("function_architecture", "arm", "'arm' (str) is not one of arm64, x86_64"),
        ("function_memory_mb", 64, "64 (int) is not a whole number from 128 to 10,240"),
        ("function_timeout_seconds", 901, "901 (int) is not a whole number from 90 to 900"),
        ("function_timeout_seconds", 180.0, "180.0 (float) is not a whole number"),
        ("batch_size", 0, "0 (int) is not a whole number from 1 to 10"),
        ("batch_size", True, "True (bool) is not a whole number"),
        ("maximum_concurrency", 1, "1 (int) is not a whole number from 2 to 1,000"),
        ("max_receive_count", "10", "'10' (str) is not a whole number from 5 to 1,000"),
        ("tier", "prod", "'prod' (str) is not one of development, staging, production"),
        ("messages_per_second", {"Whats App": 1}, "is not an object of a channel's name, each"),
        ("messages_per_second", {"sms": "1"}, "each with a number above 0"),
        ("messages_per_second", None, "None (NoneType) is not an object"),
        ("ai_seconds_per_message", 0, "0 (int) is not a number above 0, or null"),
        ("ai_seconds_per_message", float("nan"), "nan (float) is not a number above 0"),
        ("peak_hour_share", 0.04, "is not a number from 0.0417 to 1, or null"),
        ("peak_hour_share", True, "True (bool) is not a number from"),
        ("longest_wait_seconds", 0, "is not a whole number from 1 to 604,800, or null"),
        ("openai_requests_per_minute", 0, "is not a whole number from 1 to 1,000,000,000, or null"),
        ("tenants", "demo", "'demo' (str) is not a list of different values, each a tenant's id"),
        ("tenants", ["a", "a"], "['a', 'a'] (list) is not a list of different values"),
        ("tenants", ["a/b"], "each a tenant's id"),
        ("tenants", [["a"]], "each a tenant's id"),
        ("assistants_base_url", "http://example.com", "is not an https:// address"),
    ],
)
def test_bad_value(key: str, value: object, complaint: str) -> None:
    """A value that is not allowed is refused with itself, its kind and what is allowed."""
    message = _refusal({"dev": CONTEXT["environments"]["dev"] | {key: value}}, "dev")

    assert message.startswith(f"environment 'dev' in cdk.json:\n  {key}: ")
    assert complaint in message


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"messages_per_second": {"sms": 1}}, "messages_per_second: says nothing without ai_sec"),
        ({"messages_per_day": {"sms": 1}}, "messages_per_day: says nothing without ai_seconds"),
        ({"peak_hour_share": 0.1}, "peak_hour_share: says nothing without messages_per_day"),
        ({"longest_wait_seconds": 9}, "longest_wait_seconds: says nothing without messages_per"),
        ({"openai_requests_per_minute": 1}, "openai_requests_per_minute: says nothing without ai_"),
        ({"openai_tokens_per_minute": 1}, "openai_tokens_per_minute: says nothing without tokens_"),
        ({"tokens_per_message": 1}, "tokens_per_message: says nothing without ai_seconds_per_"),
    ],
)
def test_half_of_a_limit(keys: dict[str, object], complaint: str) -> None:
    """A limit that cannot be held against anything is refused with the key that it needs."""
    message = _refusal({"dev": CONTEXT["environments"]["dev"] | keys}, "dev")

    assert f"environment 'dev' in cdk.json:\n  {complaint}" in message


@pytest.mark.parametrize("url", ["https://a.example.com/v1", "http://127.0.0.1:8080", None])
def test_assistants_servers(url: str | None) -> None:
    """Keys go to Assistants-compatible servers over TLS, or do not leave the machine."""
    assert url == environment(assistants_base_url=url).assistants_base_url
