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


def problems(**changes: str) -> str:
    """What the error says of an environment that is wrong in these variables."""
    with pytest.raises(ConfigurationError) as invalid:
        Settings.from_environment(MINIMAL | changes)
    return str(invalid.value)


def test_what_is_required_is_enough() -> None:
    """With the four required variables the rest has sane defaults."""
    settings = Settings.from_environment(MINIMAL)
    assert ("whatsapp", ("a/b", "c/d/")) == (settings.channel, settings.secret_prefixes)
    assert ((15, 60, 300), "INFO") == (settings.settle_delays_seconds, settings.log_level)
    assert ("", "") == (settings.assistants_base_url, settings.twilio_base_url)
    assert "" == settings.powertools_metrics_namespace


def test_the_defaults_go_together() -> None:
    """Two missed beats cost neither lease nor visibility; the lease is the first to end."""
    settings = Settings.from_environment(MINIMAL)
    assert 3 * settings.heartbeat_interval_seconds < settings.lease_seconds
    assert settings.lease_seconds < settings.heartbeat_visibility_seconds


def test_every_optional_variable_has_a_default() -> None:
    """A variable is required or has a default, and not both."""
    assert set(Variable) == REQUIRED_VARIABLES | set(DEFAULTS)
    assert not REQUIRED_VARIABLES & set(DEFAULTS)


@pytest.mark.parametrize("name", sorted(REQUIRED_VARIABLES))
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_required_variable_is_missed(name: str, value: str | None) -> None:
    """A variable that is missing, empty or blank is named, and it alone."""
    environment = {key: text for key, text in MINIMAL.items() if key != name}
    if value is not None:
        environment[name] = value
    with pytest.raises(ConfigurationError) as invalid:
        Settings.from_environment(environment)
    assert [name] == [variable for variable in Variable if variable in str(invalid.value)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_PREFIXES", ","),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_LEVEL", "info"),
        ("HEARTBEAT_INTERVAL_SECONDS", "0"),
        ("HEARTBEAT_INTERVAL_SECONDS", "1.5"),
        ("HEARTBEAT_VISIBILITY_SECONDS", "43201"),
        ("LEASE_SECONDS", "-1"),
        ("OPENAI_TIMEOUT_SECONDS", "soon"),
        ("TWILIO_TIMEOUT_SECONDS", "0"),
        ("SETTLE_DELAYS_SECONDS", ","),
        ("SETTLE_DELAYS_SECONDS", "15,later"),
        ("SETTLE_DELAYS_SECONDS", "15,-1"),
        ("BACKOFF_BASE_SECONDS", "none"),
        ("MAX_CONCURRENCY", "0"),
        ("ASSISTANTS_BASE_URL", "assistants.example.org"),
        ("ASSISTANTS_BASE_URL", "ftp://assistants.example.org"),
        ("ASSISTANTS_BASE_URL", "https://assistants.example.org:port"),
        ("CONVERSATION_RETENTION_DAYS", "29"),
        ("CONVERSATION_RETENTION_DAYS", "forever"),
        ("LEASE_SECONDS", "١٢"),
        (TWILIO_BASE_URL, "localhost:8080"),
        (METRICS_NAMESPACE, "AIComms: WhatsApp"),
    ],
)
def test_an_invalid_variable_is_named(name: str, value: str) -> None:
    """A value that is not what the runtime needs is named by its variable, in one line."""
    told = problems(**{name: value})
    assert [name] == [
        v for v in (*Variable, TWILIO_BASE_URL, METRICS_NAMESPACE) if f" {v}:" in told
    ]
    assert "\n" not in told


def test_all_problems_stand_in_one_error() -> None:
    """Whoever mends the configuration learns everything at once."""
    told = problems(CHANNEL="", LEASE_SECONDS="x", MAX_CONCURRENCY="-3")
    assert all(name in told for name in ("CHANNEL", "LEASE_SECONDS", "MAX_CONCURRENCY"))


def test_lists_may_have_spaces() -> None:
    """Parts are separated by commas, and spaces around them do not count."""
    environment = MINIMAL | {"SECRET_PREFIXES": " a/b , c/d/ ,", "SETTLE_DELAYS_SECONDS": "5, 10"}
    settings = Settings.from_environment(environment)
    assert (("a/b", "c/d/"), (5, 10)) == (settings.secret_prefixes, settings.settle_delays_seconds)


def test_an_empty_optional_variable_has_its_default() -> None:
    """Empty is as good as absent."""
    assert Settings.from_environment(MINIMAL) == Settings.from_environment(
        MINIMAL | {"LEASE_SECONDS": "", "LOG_LEVEL": ""}
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080/v1", "https://assistants.example.org/v1"])
def test_addresses_are_kept_as_they_are(url: str) -> None:
    """A base URL is checked, and not rewritten."""
    environment = MINIMAL | {"ASSISTANTS_BASE_URL": url, TWILIO_BASE_URL: url}
    settings = Settings.from_environment(environment)
    assert (url, url) == (settings.assistants_base_url, settings.twilio_base_url)


def test_settings_do_not_change() -> None:
    """What was read at start is so for all batches."""
    with pytest.raises(FrozenInstanceError):
        Settings.from_environment(MINIMAL).channel = "sms"  # type: ignore[misc]
