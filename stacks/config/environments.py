"""Environments of `cdk.json`: their keys, and the typed object read from them."""
# ruff: noqa: RUF009 - `_key` returns a dataclass field

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from math import inf
from typing import Any

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from lambda_src.core.contract import (
    DEFAULT_LOOKUPS_PER_SECOND,
    LOG_LEVELS,
    MAX_LOOKUPS_PER_SECOND,
    MIN_RETENTION_DAYS,
    OPENAI_URL_PATTERN,
)
from stacks.capacity import HOURS
from stacks.errors import ConfigurationError

ENVIRONMENT_NAME = r"[a-z][a-z0-9]{0,15}"
CHANNEL_NAME = r"[a-z][a-z0-9]*"
TENANT_ID = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
IDENTITY = r"([^@\s]+@)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
CALLBACK_URL = r"(https://[^/\s?#]+|http://(127\.0\.0\.1|localhost)(:[0-9]+)?)(/[^\s?#]*[^\s?#/])?"
HTTPS_OR_LOOPBACK = r"https://[^/\s]+\S*|http://(127\.0\.0\.1|localhost)(:[0-9]+)?(/\S*)?"

RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400),
    *(545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
"""The days that CloudWatch Logs offers, in the order of `RetentionDays`."""

REMOVAL_POLICIES = {
    "destroy": RemovalPolicy.DESTROY,
    # Resources of a failed first deployment are deleted, or their names would block the next one.
    "retain": RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
}
RUNTIMES = (
    lambda_.Runtime.PYTHON_3_12,
    lambda_.Runtime.PYTHON_3_13,
    lambda_.Runtime.PYTHON_3_14,
)
ARCHITECTURES = (lambda_.Architecture.ARM_64, lambda_.Architecture.X86_64)


class Tier(StrEnum):
    """What an environment is for; each tier has the requirements of the one before and more."""

    DEVELOPMENT = "development"
    """No one is on call, and the data can be recreated."""
    STAGING = "staging"
    """Alarms must have a subscriber."""
    PRODUCTION = "production"
    """Conversations of real people: data must survive mistakes."""


@dataclass(frozen=True)
class Rule:
    """Which JSON values a key may hold, and the typed value of each.

    Attributes:
        expected: Completes the sentence "… is not <expected>".
        allows: Whether a value is allowed.
        convert: Returns the typed value of an allowed one.
    """

    expected: str
    allows: Callable[[Any], bool]
    convert: Callable[[Any], object] = lambda value: value


def _is_number(value: object) -> bool:
    return type(value) in {int, float}


def _whole(low: int, high: int, convert: Callable[[int], object] = int) -> Rule:
    return Rule(
        f"a whole number from {low:,} to {high:,}",
        lambda value: type(value) is int and low <= value <= high,
        convert,
    )


def _text(pattern: str, expected: str) -> Rule:
    return Rule(
        expected, lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value))
    )


def _one_of(choices: Mapping[Any, object]) -> Rule:
    return Rule(
        f"one of {', '.join(map(str, choices))}",
        lambda value: type(value) in {str, int} and value in choices,
        lambda value: choices[value],
    )


BOOLEAN = Rule("true or false", lambda value: isinstance(value, bool))
POSITIVE = Rule("a number above 0", lambda value: _is_number(value) and 0 < value < inf, float)
PER_MINUTE = _whole(1, 1_000_000_000)
PEAK_HOUR_SHARE = Rule(
    f"a number from {1 / HOURS:.3g} to 1",
    # The lower bound is shown with three digits, so a value with three digits is accepted.
    lambda value: _is_number(value) and 1 / HOURS - 0.001 <= value <= 1,
    lambda value: max(1 / HOURS, float(value)),
)
RATE_BY_CHANNEL = Rule(
    "an object of a channel's name, each with a number above 0",
    lambda value: (
        isinstance(value, dict)
        and all(re.fullmatch(CHANNEL_NAME, name) for name in value)
        and all(map(POSITIVE.allows, value.values()))
    ),
    lambda value: {name: float(rate) for name, rate in value.items()},
)
TENANTS = Rule(
    "a list of different values, each a tenant's id",
    lambda value: (
        isinstance(value, list)
        and all(isinstance(part, str) and re.fullmatch(TENANT_ID, part) for part in value)
        and len(set(value)) == len(value)
    ),
    tuple,
)
EMAIL_IDENTITIES = Rule(
    "an object of tenants' ids, each with a list of domains or e-mail addresses of no other tenant",
    lambda value: (
        isinstance(value, dict)
        and TENANTS.allows(list(value))
        and all(isinstance(own, list) and own for own in value.values())
        and all(isinstance(each, str) and re.fullmatch(IDENTITY, each) for each in _flat(value))
        and len(set(_flat(value))) == len(_flat(value))
    ),
    lambda value: {tenant: tuple(own) for tenant, own in value.items()},
)

_REQUIRED = object()


def _flat(lists: Mapping[str, list[Any]]) -> list[Any]:
    return [each for own in lists.values() for each in own]


def _key(rule: Rule, *, default: object = _REQUIRED, name: str = "", needs: str = "") -> Any:
    """Return a field of `Environment`.

    Args:
        rule: What its key may hold.
        default: The value of a key that is left out; with None, the key may also be null.
        name: The key's name where it differs from the field's.
        needs: Another key without which this one has no effect.
    """
    return field(metadata={"rule": rule, "default": default, "name": name, "needs": needs})


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One environment: everything that may differ between `dev`, `staging` and `prod`.

    A field is the key of the same name in `cdk.json`, unless the key carries a unit.
    """

    name: str
    tier: Tier = _key(_one_of({tier.value: tier for tier in Tier}))
    account: str | None = _key(
        _text(r"[0-9]{12}", "an account's 12 digits, as a string"), default=None
    )
    region: str | None = _key(_text(r"[a-z]{2,}(-[a-z]+)+-[0-9]+", "a region's name"), default=None)
    alert_email: str | None = _key(
        _text(r"[^@\s]+@[^@\s.]+\.[^@\s]+", "an e-mail address"), default=None
    )
    runbook_url: str | None = _key(
        _text(r"https://[^\s#]+", "an https:// address without a #"), default=None
    )
    removal_policy: RemovalPolicy = _key(_one_of(REMOVAL_POLICIES))
    deletion_protection: bool = _key(BOOLEAN)
    point_in_time_recovery: bool = _key(BOOLEAN)
    conversation_retention_days: int | None = _key(_whole(MIN_RETENTION_DAYS, 3_650), default=None)
    customer_managed_key: bool = _key(BOOLEAN, default=False)
    log_retention: logs.RetentionDays = _key(
        _one_of(dict(zip(RETENTION_DAYS, logs.RetentionDays, strict=False))),
        name="log_retention_days",
    )
    log_level: str = _key(_one_of({level: level for level in LOG_LEVELS}))
    function_runtime: lambda_.Runtime = _key(_one_of({one.name: one for one in RUNTIMES}))
    function_architecture: lambda_.Architecture = _key(
        _one_of({one.name: one for one in ARCHITECTURES})
    )
    function_memory_mb: int = _key(_whole(128, 10_240))
    function_timeout: Duration = _key(
        _whole(90, 900, Duration.seconds), name="function_timeout_seconds"
    )
    snap_start: bool = _key(BOOLEAN)
    batch_size: int = _key(_whole(1, 10))
    maximum_concurrency: int = _key(_whole(2, 1_000))
    max_receive_count: int = _key(_whole(5, 1_000))
    messages_per_second: Mapping[str, float] = _key(
        RATE_BY_CHANNEL, default={}, needs="ai_seconds_per_message"
    )
    ai_seconds_per_message: float | None = _key(POSITIVE, default=None)
    openai_requests_per_minute: int | None = _key(
        PER_MINUTE, default=None, needs="ai_seconds_per_message"
    )
    openai_tokens_per_minute: int | None = _key(
        PER_MINUTE, default=None, needs="tokens_per_message"
    )
    tokens_per_message: int | None = _key(
        _whole(1, 1_000_000), default=None, needs="ai_seconds_per_message"
    )
    messages_per_day: Mapping[str, float] = _key(
        RATE_BY_CHANNEL, default={}, needs="ai_seconds_per_message"
    )
    peak_hour_share: float | None = _key(PEAK_HOUR_SHARE, default=None, needs="messages_per_day")
    longest_wait_seconds: int | None = _key(
        _whole(1, 604_800), default=None, needs="messages_per_day"
    )
    tenants: tuple[str, ...] = _key(TENANTS)
    openai_base_url: str | None = _key(
        _text(OPENAI_URL_PATTERN, "an address of OpenAI's, such as https://eu.api.openai.com/v1"),
        default=None,
    )
    assistants_base_url: str | None = _key(
        _text(HTTPS_OR_LOOPBACK, "an https:// address"), default=None
    )
    delivery_webhook: bool = _key(BOOLEAN, default=False)
    callback_base_url: str | None = _key(
        _text(
            CALLBACK_URL, "an https:// address without a slash at its end, a query or a fragment"
        ),
        default=None,
        needs="delivery_webhook",
    )
    receiver_concurrency: int | None = _key(
        _whole(1, 1_000), default=None, needs="delivery_webhook"
    )
    delivery_sweep: bool = _key(BOOLEAN, default=False)
    delivery_lookups_per_second: int = _key(
        _whole(1, MAX_LOOKUPS_PER_SECOND),
        default=DEFAULT_LOOKUPS_PER_SECOND,
        needs="delivery_sweep",
    )
    held_draft_alarm_hours: int = _key(_whole(1, 336), default=24)

    email_identities: Mapping[str, tuple[str, ...]] = _key(EMAIL_IDENTITIES, default={})

    @property
    def has_delivery_events(self) -> bool:
        """Whether each channel has an events queue and an events worker."""
        return self.delivery_webhook or self.delivery_sweep

    @property
    def runbook(self) -> str:
        """The runbook's address, or its path in this repository, as alarms name it."""
        return self.runbook_url or "docs/runbook.md"

    @property
    def title(self) -> str:
        """The environment's name as it appears in the names of metrics and alarms: `Dev`."""
        return self.name.capitalize()


def load_environment(environments: object, name: object) -> Environment:
    """Return the environment of that name.

    Args:
        environments: Context `environments` of `cdk.json`: name -> key -> value.
        name: Context `env` as the caller gave it.

    Raises:
        ConfigurationError: There is no such environment, or some keys are wrong; the error lists
            all of them.
    """
    if not isinstance(environments, Mapping) or not environments:
        raise ConfigurationError(
            "no environments: context `environments` of cdk.json has none; "
            "run through `cdk`, which reads that file"
        )
    if not isinstance(name, str) or name not in environments:
        known = ", ".join(sorted(environments))
        wrong = "no environment named" if name is None else f"unknown environment {name!r}"
        raise ConfigurationError(f"{wrong}: give one of {known}, as in `-c env=dev`")
    return _parse(name, environments[name])


def _parse(name: str, values: object) -> Environment:
    if not isinstance(values, Mapping):
        raise _invalid(name, [f"{values!r} ({type(values).__name__}) is not an object"])
    keys = {each.metadata["name"] or each.name: each for each in fields(Environment)[1:]}
    problems = [
        f"{key}: unknown; known keys are {', '.join(keys)}" for key in values if key not in keys
    ]
    if not re.fullmatch(ENVIRONMENT_NAME, name):
        problems.append("the name is not 1 to 16 lower-case letters and digits, a letter first")
    parsed: dict[str, Any] = {}
    for key, known in keys.items():
        try:
            parsed[known.name] = _read(values, key, known.metadata)
        except ValueError as error:
            problems.append(f"{key}: {error}")
        needed = known.metadata["needs"]
        if needed and values.get(key) and not values.get(needed):
            problems.append(f"{key}: has no effect without {needed}")
    if problems:
        raise _invalid(name, problems)
    return Environment(name=name, **parsed)


def _read(values: Mapping[str, Any], key: str, metadata: Mapping[str, Any]) -> object:
    rule, default = metadata["rule"], metadata["default"]
    expected = f"{rule.expected}, or null" if default is None else rule.expected
    if key not in values:
        if default is _REQUIRED:
            raise ValueError(f"missing; expected {expected}")
        return default
    value = values[key]
    if value is None and default is None:
        return None
    if not rule.allows(value):
        raise ValueError(f"{value!r} ({type(value).__name__}) is not {expected}")
    return rule.convert(value)


def _invalid(name: str, problems: list[str]) -> ConfigurationError:
    return ConfigurationError("\n  ".join([f"environment {name!r} in cdk.json:", *problems]))
