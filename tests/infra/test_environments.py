"""Environments: the keys' types, errors about wrong keys, and the templates that follow."""

from typing import Any

import pytest
from aws_cdk import App, RemovalPolicy, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from lambda_src.core.contract import METRICS_NAMESPACE, Variable
from stacks.config.environments import RETENTION_DAYS, load_environment
from stacks.errors import ConfigurationError
from tests.infra.synthesis import CHANGED, CONTEXT, STACKS, Synthesized, environment, synthesize

FUNCTION = "AWS::Lambda::Function"
ALL = CONTEXT["environments"]
LISTED = "give one of dev, prod, staging, as in `-c env=dev`"
NO_ENVIRONMENTS: tuple[object, ...] = (None, {}, "dev")
NAMES = "1 to 16 lower-case letters and digits"
IN_DEV = "environment 'dev' in cdk.json:\n  "


def _error(environments: object, name: object) -> str:
    with pytest.raises(ConfigurationError) as error:
        load_environment(environments, name)
    return str(error.value)


def test_values_are_typed() -> None:
    """Texts and numbers of the file become typed objects."""
    dev = environment(log_retention_days=14, function_timeout_seconds=120)
    assert logs.RetentionDays.TWO_WEEKS is dev.log_retention
    assert RemovalPolicy.DESTROY is dev.removal_policy
    assert 120 == dev.function_timeout.to_seconds()
    assert lambda_.Architecture.ARM_64.name == dev.function_architecture.name


def test_every_retention_is_its_number_of_days() -> None:
    """Each number of days becomes the CDK's value for that number."""
    stack = Stack(App(), "Stack")
    for days in RETENTION_DAYS:
        retention = environment(log_retention_days=days).log_retention
        logs.LogGroup(stack, f"Days{days}", retention=retention)
    groups = Template.from_stack(stack).to_json()["Resources"].values()
    found = [each["Properties"]["RetentionInDays"] for each in groups]
    assert sorted(RETENTION_DAYS) == sorted(found)


def test_optional_keys_may_be_omitted() -> None:
    """Account, region, alert address, runbook and Assistants server may be left out."""
    optional = {"account", "region", "alert_email", "runbook_url", "assistants_base_url"}
    needed = {key: value for key, value in ALL["dev"].items() if key not in optional}
    dev = load_environment({"dev": needed}, "dev")
    assert {None} == {getattr(dev, key) for key in optional}


@pytest.mark.parametrize(
    ("environments", "name", "expected"),
    [
        *((ALL, name, f"unknown environment {name!r}: {LISTED}") for name in ("qa", "Dev", 7)),
        (ALL, None, f"no environment named: {LISTED}"),
        ({"dev": 7}, "dev", f"{IN_DEV}7 (int) is not an object"),
    ],
)
def test_wrong_environment(environments: object, name: object, expected: str) -> None:
    """The error about an unknown or missing environment lists the known ones."""
    assert expected == _error(environments, name)


@pytest.mark.parametrize(
    ("environments", "name", "expected"),
    [
        *((environments, "dev", "run through `cdk`") for environments in NO_ENVIRONMENTS),
        *(({name: ALL["dev"]}, name, NAMES) for name in ("Dev", "eu-prod", "1st", "a" * 17)),
    ],
)
def test_no_usable_environment(environments: object, name: str, expected: str) -> None:
    """Without environments, or with a name that resources may not have, the error says so."""
    assert expected in _error(environments, name)


def test_unknown_and_missing_keys() -> None:
    """An unknown key's error lists the known ones; a missing key's says what is expected."""
    message = _error({"dev": ALL["dev"] | {"function_memory": 512}}, "dev")
    assert f"{IN_DEV}function_memory: unknown; known keys are" in message
    assert "function_memory_mb" in message
    values = {key: value for key, value in ALL["dev"].items() if key != "batch_size"}
    expected = f"{IN_DEV}batch_size: missing; expected a whole number from 1 to 10"
    assert expected == _error({"dev": values}, "dev")


def test_all_problems_at_once() -> None:
    """One error lists everything that is wrong with an environment."""
    values = ALL["dev"] | {"batch_size": 11, "snap_start": "yes", "colour": 1}
    _, *lines = _error({"dev": values}, "dev").splitlines()
    keys = {line.split(":")[0].strip() for line in lines}
    assert {"batch_size", "snap_start", "colour"} == keys


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("account", 111122223333, "111122223333 (int) is not an account's 12 digits, as a string"),
        ("account", "1111", "'1111' (str) is not an account's 12 digits"),
        ("region", "Ireland", "'Ireland' (str) is not a region's name"),
        ("alert_email", "on-call", "'on-call' (str) is not an e-mail address, or null"),
        ("removal_policy", "keep", "'keep' (str) is not one of destroy, retain"),
        ("removal_policy", ["keep"], "['keep'] (list) is not one of destroy, retain"),
        ("deletion_protection", 1, "1 (int) is not true or false"),
        ("log_retention_days", 8, "8 (int) is not one of 1, 3, 5, 7, 14,"),
        ("log_retention_days", True, "True (bool) is not one of 1, 3,"),
        ("runbook_url", "https://example.com/r#top", "is not an https:// address without a #"),
        ("function_memory_mb", 64, "64 (int) is not a whole number from 128 to 10,240"),
        ("function_timeout_seconds", 180.0, "180.0 (float) is not a whole number"),
        ("batch_size", True, "True (bool) is not a whole number"),
        ("messages_per_second", {"Whats App": 1}, "is not an object of a channel's name, each"),
        ("messages_per_second", {"sms": "1"}, "each with a number above 0"),
        ("messages_per_second", None, "None (NoneType) is not an object"),
        ("ai_seconds_per_message", 0, "0 (int) is not a number above 0, or null"),
        ("ai_seconds_per_message", float("nan"), "nan (float) is not a number above 0"),
        ("peak_hour_share", 0.04, "is not a number from 0.0417 to 1, or null"),
        ("tenants", "demo", "'demo' (str) is not a list of different values, each a tenant's id"),
        ("tenants", ["a", "a"], "['a', 'a'] (list) is not a list of different values"),
        ("tenants", ["a/b"], "each a tenant's id"),
        ("tenants", [["a"]], "each a tenant's id"),
        ("assistants_base_url", "http://example.com", "is not an https:// address"),
        ("email_identities", {"a": []}, "is not an object of tenants' ids, each with a list of"),
        ("email_identities", {"a": ["x@"]}, "of domains or e-mail addresses of no other tenant"),
        ("email_identities", {"a": ["x.yz"], "b": ["x.yz"]}, "addresses of no other tenant"),
        ("email_identities", {"/": ["x.yz"]}, "is not an object of tenants' ids"),
    ],
)
def test_bad_value(key: str, value: object, expected: str) -> None:
    """The error about a value has the key, the value, its type and what is expected."""
    message = _error({"dev": ALL["dev"] | {key: value}}, "dev")
    assert message.startswith(f"{IN_DEV}{key}: ")
    assert expected in message


@pytest.mark.parametrize(
    ("keys", "needed"),
    [
        ({"peak_hour_share": 0.1}, "messages_per_day"),
        ({"delivery_lookups_per_second": 1, "delivery_sweep": False}, "delivery_sweep"),
    ],
)
def test_limit_without_the_key_that_it_needs(keys: dict[str, object], needed: str) -> None:
    """A limit that has no effect without another key is rejected."""
    key, *_ = keys
    message = _error({"dev": ALL["dev"] | keys}, "dev")
    assert f"{IN_DEV}{key}: has no effect without {needed}" in message


@pytest.mark.parametrize("url", ["https://a.example.com/v1", "http://127.0.0.1:8080", None])
def test_assistants_servers(url: str | None) -> None:
    """An Assistants-compatible server needs TLS, unless it is on this machine."""
    assert url == environment(assistants_base_url=url).assistants_base_url


def _processor(synthesized: Synthesized) -> Any:
    functions = synthesized.resources("WhatsApp", FUNCTION)
    return next(each["Properties"] for each in functions if "channel-processor" in str(each))


@pytest.fixture(scope="module")
def changed() -> Synthesized:
    """Return the templates with other values."""
    return synthesize(**CHANGED)


def test_function_keys(dev: Synthesized, changed: Synthesized) -> None:
    """Runtime, architecture, memory, timeout, SnapStart and variables are the environment's."""
    function, variables = _processor(changed), changed.variables()
    assert ("python3.14", ["x86_64"]) == (function["Runtime"], function["Architectures"])
    assert (1_024, 900) == (function["MemorySize"], function["Timeout"])
    assert {"ApplyOn": "PublishedVersions"} == function["SnapStart"]
    assert "SnapStart" not in _processor(dev)
    assert ("1", "DEBUG") == (variables[Variable.MAX_CONCURRENCY], variables[Variable.LOG_LEVEL])
    assert CHANGED["assistants_base_url"] == variables[Variable.ASSISTANTS_BASE_URL]
    assert "45" == variables[Variable.CONVERSATION_RETENTION_DAYS]
    mapping, *_ = changed.resources("WhatsApp", "AWS::Lambda::EventSourceMapping")
    assert 1 == mapping["Properties"]["BatchSize"]


def test_template_can_set_every_variable(changed: Synthesized) -> None:
    """An environment with addresses of its own and a retention sets all variables."""
    assert {*Variable, METRICS_NAMESPACE} == set(changed.variables())


def test_account_and_region(changed: Synthesized) -> None:
    """The stacks of an environment go to its account and region."""
    places = {changed.artifact(stack)["environment"] for stack in STACKS}
    assert {"aws://111122223333/cn-north-1"} == places
    assert ":secretsmanager:cn-north-1:111122223333:secret:" in str(changed.template("WhatsApp"))


def test_deletion_protection(dev: Synthesized, changed: Synthesized) -> None:
    """Deletion protection includes the stacks."""
    for stack in STACKS:
        protected = [
            each.artifact(stack)["properties"].get("terminationProtection", False)
            for each in (dev, changed)
        ]
        assert [False, True] == protected
