"""The function's configuration: complete, or one error that names everything wrong with it."""

from dataclasses import FrozenInstanceError

import pytest

from lambda_src.core.contract import (
    DEFAULTS,
    METRICS_NAMESPACE,
    REQUIRED_VARIABLES,
    TWILIO_BASE_URL,
    Variable,
)
from lambda_src.core.settings import ConfigurationError, Settings

MINIMAL = {
    "CHANNEL": "whatsapp",
    "QUEUE_URL": "https://sqs.eu-west-2.amazonaws.com/123456789012/queue",
    "CONVERSATIONS_TABLE": "conversations-dev",
    "SECRET_PREFIXES": "a/b,c/d/",
}


def read(**changes: str) -> Settings:
    """Return the settings of the minimal environment with changes."""
    return Settings.from_environment(MINIMAL | changes)


def error_of(environment: dict[str, str]) -> str:
    """Return the error of an invalid environment."""
    with pytest.raises(ConfigurationError) as invalid:
        Settings.from_environment(environment)
    return str(invalid.value)


def test_the_required_variables_are_enough() -> None:
    """The others have defaults, also where they are empty; settings do not change."""
    settings = read()
    assert ("whatsapp", ("a/b", "c/d/")) == (settings.channel, settings.secret_prefixes)
    assert ((15, 60, 300), "INFO") == (settings.settle_delays_seconds, settings.log_level)
    assert ("", "", "") == (
        settings.assistants_base_url,
        settings.twilio_base_url,
        settings.powertools_metrics_namespace,
    )
    assert settings == read(LEASE_SECONDS="", LOG_LEVEL="")
    with pytest.raises(FrozenInstanceError):
        settings.channel = "sms"  # type: ignore[misc]


def test_the_defaults_are_consistent() -> None:
    """Two missed heartbeats cost neither lease nor visibility; the lease is the first to end."""
    settings = read()
    assert 3 * settings.heartbeat_interval_seconds < settings.lease_seconds
    assert settings.lease_seconds < settings.heartbeat_visibility_seconds


def test_a_variable_is_required_or_has_a_default() -> None:
    """And not both."""
    assert set(Variable) == REQUIRED_VARIABLES | set(DEFAULTS)
    assert not REQUIRED_VARIABLES & set(DEFAULTS)


@pytest.mark.parametrize("name", sorted(REQUIRED_VARIABLES))
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_required_variable_is_named(name: str, value: str | None) -> None:
    """It alone, whether it is missing, empty or blank."""
    environment = {key: text for key, text in MINIMAL.items() if key != name}
    if value is not None:
        environment[name] = value
    error = error_of(environment)
    assert [name] == [variable for variable in Variable if variable in error]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_PREFIXES", ","), ("LOG_LEVEL", "LOUD"), ("LOG_LEVEL", "info"),
        ("HEARTBEAT_INTERVAL_SECONDS", "0"), ("HEARTBEAT_INTERVAL_SECONDS", "1.5"),
        ("HEARTBEAT_VISIBILITY_SECONDS", "43201"), ("LEASE_SECONDS", "-1"),
        ("OPENAI_TIMEOUT_SECONDS", "soon"), ("TWILIO_TIMEOUT_SECONDS", "0"),
        ("SETTLE_DELAYS_SECONDS", ","), ("SETTLE_DELAYS_SECONDS", "15,later"),
        ("SETTLE_DELAYS_SECONDS", "15,-1"), ("BACKOFF_BASE_SECONDS", "none"),
        ("MAX_CONCURRENCY", "0"), ("ASSISTANTS_BASE_URL", "assistants.example.org"),
        ("ASSISTANTS_BASE_URL", "ftp://assistants.example.org"),
        ("ASSISTANTS_BASE_URL", "https://assistants.example.org:port"),
        ("CONVERSATION_RETENTION_DAYS", "29"), ("CONVERSATION_RETENTION_DAYS", "forever"),
        ("LEASE_SECONDS", "١٢"), (TWILIO_BASE_URL, "localhost:8080"),
        (METRICS_NAMESPACE, "AIComms: WhatsApp"),
    ],
)  # fmt: skip
def test_an_invalid_variable_is_named(name: str, value: str) -> None:
    """It alone, in one line."""
    error = error_of(MINIMAL | {name: value})
    names = (*Variable, TWILIO_BASE_URL, METRICS_NAMESPACE)
    assert [name] == [variable for variable in names if f" {variable}:" in error]
    assert "\n" not in error


def test_one_error_lists_all_problems() -> None:
    """Whoever corrects the configuration sees everything at once."""
    error = error_of(MINIMAL | {"CHANNEL": "", "LEASE_SECONDS": "x", "MAX_CONCURRENCY": "-3"})
    assert all(name in error for name in ("CHANNEL", "LEASE_SECONDS", "MAX_CONCURRENCY"))


def test_lists_may_have_spaces() -> None:
    """Around the commas."""
    settings = read(SECRET_PREFIXES=" a/b , c/d/ ,", SETTLE_DELAYS_SECONDS="5, 10")
    assert (("a/b", "c/d/"), (5, 10)) == (settings.secret_prefixes, settings.settle_delays_seconds)


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/v1", "https://assistants.example.org/v1"])
def test_urls_are_not_rewritten(url: str) -> None:
    """They are only checked."""
    settings = read(**{"ASSISTANTS_BASE_URL": url, TWILIO_BASE_URL: url})
    assert (url, url) == (settings.assistants_base_url, settings.twilio_base_url)
