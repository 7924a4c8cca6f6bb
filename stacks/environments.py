"""The environments of `cdk.json`, read once into a frozen, typed and complete object."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from lambda_src.core.contract import LEAST_RETENTION_DAYS, LOG_LEVELS
from stacks.capacity.load import HOURS
from stacks.choices import ARCHITECTURES, REMOVAL_POLICIES, RETENTIONS, RUNTIMES
from stacks.errors import ConfigurationError
from stacks.rules import (
    Rule,
    boolean,
    by_name,
    distinct,
    number,
    one_of,
    optional,
    share,
    text,
    whole,
)
from stacks.tiers import Tier

NAME = text(r"[a-z][a-z0-9]{0,15}", "1 to 16 lower-case letters and digits, a letter first")

CHANNEL = text(r"[a-z][a-z0-9]*", "a channel's name")
MOST_PER_MINUTE = 1_000_000_000

HTTPS_OR_LOOPBACK = r"https://[^/\s]+\S*|http://(127\.0\.0\.1|localhost)(:[0-9]+)?(/\S*)?"


def key(rule: Rule, *, named: str | None = None, needs: str = "") -> dict[str, object]:
    """Return a field's metadata.

    Args:
        rule: What is allowed for its key.
        named: The key's name, where it differs from the field's.
        needs: Another key, without which this one says nothing.
    """
    return {"rule": rule, "named": named, "needs": needs}


@dataclass(frozen=True, kw_only=True)
class Environment:
    """One environment: everything that may differ between `dev`, `staging` and `prod`.

    A field is the key of the same name in `cdk.json`, unless the key carries a unit.
    """

    name: str
    tier: Tier = field(metadata=key(one_of({tier.value: tier for tier in Tier})))
    account: str | None = field(
        metadata=key(optional(text(r"[0-9]{12}", "an account's 12 digits, as a string")))
    )
    region: str | None = field(
        metadata=key(optional(text(r"[a-z]{2}(-[a-z]+)+-[0-9]", "a region's name")))
    )
    alert_email: str | None = field(
        metadata=key(optional(text(r"[^@\s]+@[^@\s.]+\.[^@\s]+", "an e-mail address")))
    )
    runbook_url: str | None = field(
        metadata=key(optional(text(r"https://[^\s#]+", "an https:// address without a #")))
    )
    removal_policy: RemovalPolicy = field(metadata=key(one_of(REMOVAL_POLICIES)))
    deletion_protection: bool = field(metadata=key(boolean()))
    point_in_time_recovery: bool = field(metadata=key(boolean()))
    conversation_retention_days: int | None = field(
        metadata=key(optional(whole(LEAST_RETENTION_DAYS, 3_650)))
    )
    customer_managed_key: bool = field(metadata=key(replace(boolean(), default=False)))
    log_retention: logs.RetentionDays = field(
        metadata=key(one_of(RETENTIONS), named="log_retention_days")
    )
    log_level: str = field(metadata=key(one_of({level: level for level in LOG_LEVELS})))
    function_runtime: lambda_.Runtime = field(metadata=key(one_of(RUNTIMES)))
    function_architecture: lambda_.Architecture = field(metadata=key(one_of(ARCHITECTURES)))
    function_memory_mb: int = field(metadata=key(whole(128, 10_240)))
    function_timeout: Duration = field(
        metadata=key(whole(90, 900, Duration.seconds), named="function_timeout_seconds")
    )
    snap_start: bool = field(metadata=key(boolean()))
    batch_size: int = field(metadata=key(whole(1, 10)))
    maximum_concurrency: int = field(metadata=key(whole(2, 1_000)))
    max_receive_count: int = field(metadata=key(whole(5, 1_000)))
    messages_per_second: Mapping[str, float] = field(
        metadata=key(
            replace(by_name(CHANNEL, number()), default={}), needs="ai_seconds_per_message"
        )
    )
    ai_seconds_per_message: float | None = field(metadata=key(optional(number())))
    openai_requests_per_minute: int | None = field(
        metadata=key(optional(whole(1, MOST_PER_MINUTE)), needs="ai_seconds_per_message")
    )
    openai_tokens_per_minute: int | None = field(
        metadata=key(optional(whole(1, MOST_PER_MINUTE)), needs="tokens_per_message")
    )
    tokens_per_message: int | None = field(
        metadata=key(optional(whole(1, 1_000_000)), needs="ai_seconds_per_message")
    )
    messages_per_day: Mapping[str, float] = field(
        metadata=key(
            replace(by_name(CHANNEL, number()), default={}), needs="ai_seconds_per_message"
        )
    )
    peak_hour_share: float | None = field(
        metadata=key(optional(share(1 / HOURS)), needs="messages_per_day")
    )
    longest_wait_seconds: int | None = field(
        metadata=key(optional(whole(1, 604_800)), needs="messages_per_day")
    )
    tenants: tuple[str, ...] = field(
        metadata=key(distinct(text(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "a tenant's id")))
    )
    assistants_base_url: str | None = field(
        metadata=key(optional(text(HTTPS_OR_LOOPBACK, "an https:// address")))
    )

    @property
    def runbook(self) -> str:
        """Where an alarm says that its runbook is: an address, or a path in this repository."""
        return self.runbook_url or "docs/runbook.md"

    @property
    def title(self) -> str:
        """The environment's name as the names of metrics and alarms spell it: `Dev`."""
        return self.name.capitalize()


def load_environment(environments: object, name: object) -> Environment:
    """Return the environment of that name.

    Args:
        environments: Context `environments` as `cdk.json` holds it: name -> key -> value.
        name: Context `env` as the caller gave it.

    Raises:
        ConfigurationError: No such environment, or everything that is wrong with it.
    """
    if not isinstance(environments, Mapping) or not environments:
        raise ConfigurationError(
            "no environments: context `environments` of cdk.json holds none; "
            "run through `cdk`, which reads that file"
        )
    if not isinstance(name, str) or name not in environments:
        known = ", ".join(sorted(environments))
        wrong = "no environment named" if name is None else f"unknown environment {name!r}"
        raise ConfigurationError(f"{wrong}: give one of {known}, as in `-c env=dev`")
    return _parse(name, environments[name])


def _parse(name: str, values: object) -> Environment:
    if not isinstance(values, Mapping):
        raise _unusable(name, [f"{values!r} ({type(values).__name__}) is not an object"])
    keys = {key.metadata["named"] or key.name: key for key in fields(Environment) if key.metadata}
    problems = [] if NAME.fits(name) else [f"the name is not {NAME.expected}"]
    problems += [
        f"{key}: unknown; known keys are {', '.join(keys)}" for key in values if key not in keys
    ]
    parsed: dict[str, Any] = {}
    for key, known in keys.items():
        try:
            parsed[known.name] = _read(values, key, known.metadata["rule"])
        except ValueError as error:
            problems.append(f"{key}: {error}")
    problems += [
        f"{key}: says nothing without {known.metadata['needs']}"
        for key, known in keys.items()
        if known.metadata["needs"] and values.get(key) and not values.get(known.metadata["needs"])
    ]
    if problems:
        raise _unusable(name, problems)
    return Environment(name=name, **parsed)


def _read(values: Mapping[str, object], key: str, rule: Rule) -> object:
    if key in values:
        return rule.read(values[key])
    if rule.required:
        raise ValueError(f"missing; it has to be {rule.expected}")
    return rule.default


def _unusable(name: str, problems: list[str]) -> ConfigurationError:
    return ConfigurationError("\n  ".join([f"environment {name!r} in cdk.json:", *problems]))
