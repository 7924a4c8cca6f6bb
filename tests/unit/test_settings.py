"""The configuration: environment variables, channels and secrets."""

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from importlib import import_module
from pathlib import Path

import pytest

from lambda_src import channels
from lambda_src.channels import parts_of
from lambda_src.core.contract import (
    METRICS_NAMESPACE,
    REQUIRED_VARIABLES,
    TWILIO_BASE_URL,
    Variable,
)
from lambda_src.core.errors import ConfigurationRefused
from lambda_src.core.settings import ConfigurationError, Settings
from lambda_src.services.secrets_manager_service import (
    TwilioCredentials,
    is_within,
    openai_key,
    twilio_credentials,
)
from lambda_src.utils.process import ON_DEMAND, defer_packages, preload, use_one_core
from tests.support.contexts import OPENAI_SECRET, SECRET_PREFIXES, TWILIO_SECRET

MINIMAL = {
    "CHANNEL": "whatsapp",
    "QUEUE_URL": "https://sqs.eu-west-2.amazonaws.com/123456789012/queue",
    "CONVERSATIONS_TABLE": "conversations-dev",
    "SECRET_PREFIXES": "a/b,c/d/",
}


def _read(**changes: str) -> Settings:
    return Settings.from_environment(MINIMAL | changes)


def _error_of(environment: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as invalid:
        Settings.from_environment(environment)
    return str(invalid.value)


def test_the_required_variables_are_enough() -> None:
    """The others have defaults, also where they are empty; settings do not change."""
    settings = _read()
    assert ("whatsapp", ("a/b", "c/d/")) == (settings.channel, settings.secret_prefixes)
    assert ((15, 60, 300), "INFO") == (settings.settle_delays_seconds, settings.log_level)
    assert "" == settings.assistants_base_url == settings.twilio_base_url
    assert "" == settings.powertools_metrics_namespace
    assert settings == _read(LEASE_SECONDS="", LOG_LEVEL="")
    with pytest.raises(FrozenInstanceError):
        settings.channel = "sms"  # type: ignore[misc]


def test_the_defaults_are_consistent() -> None:
    """Two missed heartbeats cost neither lease nor visibility; the lease is the first to end."""
    settings = _read()
    assert 3 * settings.heartbeat_interval_seconds < settings.lease_seconds
    assert settings.lease_seconds < settings.heartbeat_visibility_seconds


@pytest.mark.parametrize("name", sorted(REQUIRED_VARIABLES))
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_required_variable_is_named(name: str, value: str | None) -> None:
    """It alone, whether it is missing, empty or blank."""
    environment = {key: text for key, text in MINIMAL.items() if key != name}
    if value is not None:
        environment[name] = value
    error = _error_of(environment)
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
        ("CALLBACK_BASE_URL", "callbacks.example.org"),
        ("CALLBACK_BASE_URL", "https://callbacks.example.org/"),
        ("CALLBACK_BASE_URL", "https://callbacks.example.org/stage?a=b"),
        ("CALLBACK_BASE_URL", "https://callbacks.example.org/stage#a"),
        ("ASSISTANTS_BASE_URL", "https://assistants.example.org:port"),
        ("CONVERSATION_RETENTION_DAYS", "29"), ("CONVERSATION_RETENTION_DAYS", "forever"),
        ("LEASE_SECONDS", "١٢"), (TWILIO_BASE_URL, "localhost:8080"),
        (METRICS_NAMESPACE, "AIComms: WhatsApp"),
    ],
)  # fmt: skip
def test_an_invalid_variable_is_named(name: str, value: str) -> None:
    """It alone, in one line."""
    error = _error_of(MINIMAL | {name: value})
    names = (*Variable, TWILIO_BASE_URL, METRICS_NAMESPACE)
    assert [name] == [variable for variable in names if f" {variable}:" in error]
    assert "\n" not in error


def test_one_error_lists_all_problems() -> None:
    """Whoever corrects the configuration sees everything at once."""
    error = _error_of(MINIMAL | {"CHANNEL": "", "LEASE_SECONDS": "x", "MAX_CONCURRENCY": "-3"})
    assert all(name in error for name in ("CHANNEL", "LEASE_SECONDS", "MAX_CONCURRENCY"))


def test_lists_may_have_spaces() -> None:
    """Around the commas."""
    settings = _read(SECRET_PREFIXES=" a/b , c/d/ ,", SETTLE_DELAYS_SECONDS="5, 10")
    assert (("a/b", "c/d/"), (5, 10)) == (settings.secret_prefixes, settings.settle_delays_seconds)


# --- channels


@pytest.mark.parametrize("channel", ["pager", "whats-app", "", "..", "os.path"])
def test_an_unknown_channel_is_refused(channel: str) -> None:
    """The error has the path of the missing module."""
    with pytest.raises(ConfigurationError) as refused:
        parts_of(channel)
    assert f"CHANNEL: there is no lambda_src/channels/{channel}.py" in str(refused.value)


def test_a_module_without_parts_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The error says what it must define."""
    (tmp_path / "pager.py").write_text("PARTS = None\n")
    monkeypatch.setattr(channels, "__path__", [str(tmp_path)])
    with pytest.raises(ConfigurationError, match=r"pager\.py defines no ChannelParts as PARTS"):
        parts_of("pager")
    del sys.modules["lambda_src.channels.pager"]


# --- preloading

MODULE = "preloaded_in_a_test"
PACKAGE = "deferred_in_a_test"


@pytest.fixture
def _own_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Import from a test's directory, and restore the interpreter's state afterwards."""
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.syspath_prepend(tmp_path)
    yield
    gc.unfreeze()
    for name in [name for name in sys.modules if name.startswith((MODULE, PACKAGE))]:
        del sys.modules[name]


@pytest.mark.usefixtures("_own_imports")
@pytest.mark.parametrize("initialization", [ON_DEMAND, "snap-start", "provisioned-concurrency"])
def test_modules_are_preloaded_without_delaying_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, initialization: str
) -> None:
    """If a message is waiting a thread imports them, else the start itself."""
    code = "import threading\nTHREAD = threading.current_thread().name\n"
    (tmp_path / f"{MODULE}.py").write_text(code)
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", initialization)
    prepared = threading.Event()
    preload((MODULE,), prepared.set)
    for thread in threading.enumerate():
        if thread.name == "preload":
            thread.join()
    expected = "preload" if initialization == ON_DEMAND else threading.current_thread().name
    assert expected == sys.modules[MODULE].THREAD
    assert prepared.is_set()


@pytest.mark.usefixtures("_own_imports")
def test_a_deferred_package_runs_at_the_first_use_of_a_name(tmp_path: Path) -> None:
    """Importing its modules does not run it, and its names are the same as without deferral."""
    for directory in (PACKAGE, f"{PACKAGE}/below", f"{PACKAGE}/unused"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "__init__.py").write_text("from .part import NAME\n")
        (tmp_path / directory / "part.py").write_text(f"NAME = {directory!r}\n")
    defer_packages(PACKAGE)
    below = import_module(f"{PACKAGE}.below")
    import_module(f"{PACKAGE}.unused")
    assert f"{PACKAGE}.below.part" not in sys.modules
    assert below.NAME == f"{PACKAGE}/below"
    assert import_module(f"{PACKAGE}.part").NAME == PACKAGE
    assert import_module(PACKAGE).NAME == PACKAGE
    assert f"{PACKAGE}.unused.part" not in sys.modules
    with pytest.raises(AttributeError, match="MISSING"):
        _ = below.MISSING


def test_the_generator_does_not_import_all_types_of_the_sdk() -> None:
    """They can be imported later; without deferral they take most of the generator's import."""
    code = """
import sys
from importlib import import_module
from lambda_src.bootstrap import GENERATOR, GENERATOR_TYPES
from lambda_src.utils.process import defer_packages
defer_packages(GENERATOR_TYPES)
import_module(GENERATOR)
assert "openai.types.batch" not in sys.modules, "all types are imported"
from openai.types import Batch
from openai.types.responses import Response
import openai.types.batch
assert Batch is openai.types.batch.Batch
assert Response.__module__ == "openai.types.responses.response"
"""
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own arguments


# --- the process


def test_a_function_uses_one_core() -> None:
    """Its threads would otherwise move the interpreter's data between the cores' caches."""
    bound: list[set[int]] = []

    def bind() -> None:
        use_one_core()
        child = threading.Thread(target=lambda: bound.append(affinity()))
        child.start()
        child.join()

    allowed = affinity()
    thread = threading.Thread(target=bind)
    thread.start()
    thread.join()
    (own,) = bound
    assert len(own) == 1
    assert own <= allowed == affinity()


def affinity() -> set[int]:
    """Return the cores that the thread may use."""
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("Linux only")
    return os.sched_getaffinity(0)


# --- secrets

ACCOUNT = "AC" + "0123456789abcdef" * 2
TEMPLATE = "HX" + "0123456789ABCDEF" * 2
TWILIO = {"twilio_account_sid": ACCOUNT, "twilio_auth_token": "made-up"}
ARN = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:"
CREDENTIALS = "ai-multi-comms/dev/whatsapp-credentials"


@pytest.mark.parametrize(
    "reference",
    [
        OPENAI_SECRET, f"{OPENAI_SECRET}/harbour", TWILIO_SECRET, f"{TWILIO_SECRET}/second",
        f"{ARN}{OPENAI_SECRET}", f"{ARN}{OPENAI_SECRET}-AbC123", f"{ARN}{TWILIO_SECRET}-AbC123",
        f"{ARN.replace('aws', 'aws-cn')}{TWILIO_SECRET}",
    ],
)  # fmt: skip
def test_references_with_a_prefix_are_the_channels_own(reference: str) -> None:
    """Names and ARNs, with or without suffix; without prefixes there are none."""
    assert is_within(reference, SECRET_PREFIXES)
    assert not is_within(reference, ())


@pytest.mark.parametrize(
    "reference",
    [
        "", "/", "ai-multi-comms", "ai-multi-comms/prod/openai-api-key/whatsapp",
        "ai-multi-comms/dev/openai-api-key/sms", f"{OPENAI_SECRET}-2", f"{OPENAI_SECRET}2",
        f"{OPENAI_SECRET}-AbC123", f"{OPENAI_SECRET}/", f" {OPENAI_SECRET}",
        f"{OPENAI_SECRET}\n", f"other/{OPENAI_SECRET}", CREDENTIALS, f"{CREDENTIALS}/",
        f"{CREDENTIALS}-old/harbour", f"{CREDENTIALS}//harbour", f"{CREDENTIALS}/./harbour",
        f"{CREDENTIALS}/../openai-api-key/sms", f"{CREDENTIALS}/..",
        f"{CREDENTIALS}/%2e%2e/prod", f"{CREDENTIALS}/harbour\x00",
        f"{ARN}ai-multi-comms/dev/openai-api-key/sms-AbC123",
        f"{ARN}{CREDENTIALS}/../secret-AbC123", f"{ARN}{OPENAI_SECRET}-2-AbC123",
        f"arn:aws:ssm:eu-west-2:123456789012:parameter:{TWILIO_SECRET}",
        f"arn:aws:secretsmanager:eu-west-2:123:secret:{TWILIO_SECRET}",
        f"{ARN}{ARN}{TWILIO_SECRET}", f"{OPENAI_SECRET}/{'x' * 512}",
    ],
)  # fmt: skip
def test_other_references_are_refused(reference: str) -> None:
    """Look-alikes, empty parts, dots, other services' ARNs and other names."""
    assert not is_within(reference, SECRET_PREFIXES)


def test_surrounding_white_space_is_dropped() -> None:
    """It is easily copied along from a console or a file's last line; other fields are ignored."""
    padded = {name: f" \t{value}\r\n" for name, value in TWILIO.items()}
    expected = TwilioCredentials(ACCOUNT, "made-up", TEMPLATE)
    assert expected == twilio_credentials({**padded, "twilio_template_sid": f"{TEMPLATE}\n"})
    assert "made-up" == openai_key({"ai_api_key": "\u00a0made-up\n"})
    assert twilio_credentials({**TWILIO, "note": 7}).template_id is None


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, "nothing"), ("", "an empty text"), (" \n", "an empty text"), (7, "int"),
        (["made-up"], "list"), ("made up", "another text"), ("made\nup", "another text"),
        ("tök€n", "another text"), ("made-up\x00", "another text"),
    ],
)  # fmt: skip
def test_a_key_that_no_header_can_carry_is_malformed(value: object, found: str) -> None:
    """The error has the field, what was expected, and the kind of what was found."""
    for name, read in (
        ("ai_api_key", lambda: openai_key({"ai_api_key": value})),
        ("twilio_auth_token", lambda: twilio_credentials({**TWILIO, "twilio_auth_token": value})),
    ):
        with pytest.raises(ConfigurationRefused, match="secret_malformed") as malformed:
            read()
        expected = f"expected {name} to be printable ASCII characters without blanks, found {found}"
        assert expected == malformed.value.detail


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("twilio_account_sid", "x/../y"), ("twilio_account_sid", ACCOUNT[:-1]),
        ("twilio_account_sid", f"{ACCOUNT}0"), ("twilio_account_sid", ACCOUNT.replace("AC", "SK")),
        ("twilio_account_sid", ACCOUNT.replace("f", "g")), ("twilio_template_sid", ""),
        ("twilio_template_sid", TEMPLATE.replace("HX", "AC")), ("twilio_template_sid", None),
    ],
)  # fmt: skip
def test_a_sid_of_another_form_is_malformed(name: str, value: object) -> None:
    """It would become a part of a URL, or be refused with every message."""
    with pytest.raises(ConfigurationRefused, match=f"expected {name} to be .. and 32 hexadecimal"):
        twilio_credentials({**TWILIO, name: value})


@pytest.mark.parametrize("secret", [None, [], "made-up", 7, True])
def test_a_secret_that_is_not_an_object_is_malformed(secret: object) -> None:
    """The error has only its kind."""
    with pytest.raises(ConfigurationRefused, match="expected a JSON object, found") as raised:
        openai_key(secret)
    assert "made-up" not in str(raised.value)
