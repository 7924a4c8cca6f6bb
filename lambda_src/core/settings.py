"""The function's configuration, read from the environment once, complete or not at all.

Standard library only: synth reads a template's variables with the same code.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from lambda_src.core.contract import (
    DEFAULT_LOOKUPS_PER_SECOND,
    DEFAULTS,
    DELIVERY_LOOKUPS_PER_SECOND,
    EVENTS_QUEUE_URL,
    LOG_LEVELS,
    MAX_LOOKUPS_PER_SECOND,
    METRICS_NAMESPACE,
    MIN_RETENTION_DAYS,
    OPENAI_URL_PATTERN,
    TWILIO_BASE_URL,
    CheckMode,
    Variable,
)
from lambda_src.core.time_budget import TimeBudget

T = TypeVar("T")

MAX_VISIBILITY_SECONDS = 43_200
"""Maximum visibility timeout of SQS."""


class ConfigurationError(Exception):
    """Environment variables of the function are missing or invalid; names each of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The environment variables of the processor function; times are in seconds."""

    channel: str
    queue_url: str
    conversations_table: str
    secret_prefixes: tuple[str, ...]
    log_level: str
    version: str
    heartbeat_interval_seconds: int
    heartbeat_visibility_seconds: int
    lease_seconds: int
    openai_timeout_seconds: int
    send_timeout_seconds: int
    settle_delays_seconds: tuple[int, ...]
    backoff_base_seconds: int
    max_concurrency: int
    openai_base_url: str
    assistants_base_url: str
    callback_base_url: str
    conversation_retention_days: int | None
    draft_checks: CheckMode
    handoff_queue_url: str
    twilio_base_url: str
    powertools_metrics_namespace: str

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] = os.environ, *, needs_secrets: bool = True
    ) -> Self:
        """Read the settings.

        Args:
            environment: The environment variables.
            needs_secrets: Whether the function reads secrets; otherwise it may lack their prefixes.

        Raises:
            ConfigurationError: A variable is missing, empty or invalid; lists all of them.
        """
        readers = dict(_READERS)
        if not needs_secrets:
            readers[Variable.SECRET_PREFIXES] = _any_number(_text)
        return cls(**_values(readers, environment))

    @property
    def times(self) -> TimeBudget:
        """The timeouts of the flow."""
        return TimeBudget(
            openai_timeout=self.openai_timeout_seconds,
            send_timeout=self.send_timeout_seconds,
            lookup_delays=self.settle_delays_seconds,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerSettings:
    """The environment variables of the scheduled job's function.

    Without `events_queue_url` it requests no lookups.
    """

    channel: str
    queue_url: str
    conversations_table: str
    events_queue_url: str
    delivery_lookups_per_second: int
    log_level: str
    version: str
    powertools_metrics_namespace: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings.

        Raises:
            ConfigurationError: A variable is missing, empty or invalid; lists all of them.
        """
        return cls(**_values(_SCHEDULER_READERS, environment))


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorCheckSettings:
    """The environment variables of the vendor check's function."""

    channel: str
    secret_prefixes: tuple[str, ...]
    openai_base_url: str
    send_timeout_seconds: int
    twilio_base_url: str
    log_level: str
    version: str
    powertools_metrics_namespace: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings.

        Raises:
            ConfigurationError: A variable is missing, empty or invalid; lists all of them.
        """
        return cls(**_values(_VENDOR_CHECK_READERS, environment))


def _values(
    readers: Mapping[str, Callable[[str], object]], environment: Mapping[str, str]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    problems = []
    for name, read in readers.items():
        try:
            values[_FIELDS.get(name, name.lower())] = read(_value(name, environment))
        except ValueError as problem:
            problems.append(f"{name}: {problem}")
    if problems:
        raise ConfigurationError(f"environment variables of the function: {'; '.join(problems)}")
    return values


def _value(name: str, environment: Mapping[str, str]) -> str:
    return environment.get(name, "").strip() or _DEFAULTS.get(name, "")


def _text(value: str) -> str:
    if not value:
        raise ValueError("missing or empty")
    return value


def _any_text(value: str) -> str:
    return value


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"not one of {', '.join(choices)}")
        return value

    return read


def _whole(low: int, high: int | None = None) -> Callable[[str], int]:
    expected = f"from {low:,} to {high:,}" if high else f"of {low:,} or more"

    def read(value: str) -> int:
        number = int(value) if re.fullmatch(r"[0-9]{1,9}", value) else None
        if number is None or number < low or (high and number > high):
            raise ValueError(f"not a whole number {expected}")
        return number

    return read


def _or_none(read: Callable[[str], T]) -> Callable[[str], T | None]:
    return lambda value: read(value) if value else None


def _several(read_one: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    def read(value: str) -> tuple[T, ...]:
        parts = [part.strip() for part in value.split(",")]
        found = tuple(read_one(part) for part in parts if part)
        if not found:
            raise ValueError("missing, or empty between the commas")
        return found

    return read


def _any_number(read_one: Callable[[str], T]) -> Callable[[str], tuple[T, ...]]:
    several = _several(read_one)
    return lambda value: several(value) if value else ()


def _url_or_empty(value: str) -> str:
    address = urlsplit(value)
    is_address = address.scheme in {"http", "https"} and address.hostname and address.port != 0
    if value and not is_address:
        raise ValueError("not an http:// or https:// address")
    return value


def _base_url_or_empty(value: str) -> str:
    # A path is appended to it, and the signature of a callback covers the exact result.
    if value.endswith("/") or not {"?", "#"}.isdisjoint(value):
        raise ValueError("has a trailing slash, a query or a fragment")
    return _url_or_empty(value)


def _openai_url_or_empty(value: str) -> str:
    is_local = urlsplit(value).hostname in {"127.0.0.1", "localhost"}
    if value and not is_local and not re.fullmatch(OPENAI_URL_PATTERN, value):
        raise ValueError("not an address of OpenAI's, such as https://eu.api.openai.com/v1")
    return _url_or_empty(value)


def _check_mode(value: str) -> CheckMode:
    return CheckMode(_one_of(tuple(CheckMode))(value))


def _namespace_or_empty(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._/#-]{0,255}", value):
        raise ValueError("not a valid CloudWatch namespace")
    return value


_DEFAULTS = {
    TWILIO_BASE_URL: "",
    METRICS_NAMESPACE: "",
    DELIVERY_LOOKUPS_PER_SECOND: str(DEFAULT_LOOKUPS_PER_SECOND),
} | {str(name): value for name, value in DEFAULTS.items()}

_FIELDS: Mapping[str, str] = {Variable.TWILIO_TIMEOUT_SECONDS: "send_timeout_seconds"}
"""Fields with another name than their variable, whose name is a contract."""

_READERS: Mapping[str, Callable[[str], object]] = {
    Variable.CHANNEL: _text,
    Variable.QUEUE_URL: _text,
    Variable.CONVERSATIONS_TABLE: _text,
    Variable.SECRET_PREFIXES: _several(_text),
    Variable.LOG_LEVEL: _one_of(LOG_LEVELS),
    Variable.VERSION: _text,
    Variable.HEARTBEAT_INTERVAL_SECONDS: _whole(1),
    Variable.HEARTBEAT_VISIBILITY_SECONDS: _whole(1, MAX_VISIBILITY_SECONDS),
    Variable.LEASE_SECONDS: _whole(1),
    Variable.OPENAI_TIMEOUT_SECONDS: _whole(1),
    Variable.TWILIO_TIMEOUT_SECONDS: _whole(1),
    Variable.SETTLE_DELAYS_SECONDS: _several(_whole(0)),
    Variable.BACKOFF_BASE_SECONDS: _whole(1),
    Variable.MAX_CONCURRENCY: _whole(1),
    Variable.OPENAI_BASE_URL: _openai_url_or_empty,
    Variable.ASSISTANTS_BASE_URL: _url_or_empty,
    Variable.CALLBACK_BASE_URL: _base_url_or_empty,
    Variable.HANDOFF_QUEUE_URL: _any_text,
    Variable.CONVERSATION_RETENTION_DAYS: _or_none(_whole(MIN_RETENTION_DAYS)),
    Variable.DRAFT_CHECKS: _check_mode,
    TWILIO_BASE_URL: _url_or_empty,
    METRICS_NAMESPACE: _namespace_or_empty,
}

_SCHEDULER_READERS: Mapping[str, Callable[[str], object]] = {
    EVENTS_QUEUE_URL: _any_text,
    DELIVERY_LOOKUPS_PER_SECOND: _whole(1, MAX_LOOKUPS_PER_SECOND),
    **{
        name: _READERS[name]
        for name in (
            Variable.CHANNEL,
            Variable.QUEUE_URL,
            Variable.CONVERSATIONS_TABLE,
            Variable.LOG_LEVEL,
            Variable.VERSION,
            METRICS_NAMESPACE,
        )
    },
}

_VENDOR_CHECK_READERS: Mapping[str, Callable[[str], object]] = {
    name: _READERS[name]
    for name in (
        Variable.CHANNEL,
        Variable.SECRET_PREFIXES,
        Variable.OPENAI_BASE_URL,
        Variable.TWILIO_TIMEOUT_SECONDS,
        TWILIO_BASE_URL,
        Variable.LOG_LEVEL,
        Variable.VERSION,
        METRICS_NAMESPACE,
    )
}
