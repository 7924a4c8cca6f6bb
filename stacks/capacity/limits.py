"""What limits a channel: AWS's quotas and the vendors' limits, as rates of messages.

The quotas are those of a new account in most regions; an account with raised quotas has others.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from stacks.capacity.model import Processors

LOOKED_UP = "2026-11-22"
"""The date of the quotas' sources."""

DOCS = "https://docs.aws.amazon.com"
LAMBDA_SCALING = f"{DOCS}/lambda/latest/dg/services-sqs-scaling.html"

SECRET_SECONDS = 300
"""How long an instance of the function caches a secret."""

SUPPRESSION_PARTITIONS = 16
"""Partitions over which a channel's suppressed recipients are spread; each lease reads one."""
SUPPRESSION_UNITS = 2
"""Write units of that read, which is part of a transaction."""


@dataclass(frozen=True)
class Quota:
    """One quota of AWS.

    Attributes:
        value: The quota.
        what: What it counts.
        source: The page that documents it.
        is_adjustable: Whether AWS raises it on request.
    """

    value: float
    what: str
    source: str
    is_adjustable: bool


ACCOUNT_CONCURRENCY = Quota(
    1_000,
    "concurrent invocations of all functions of an account, in a region",
    f"{DOCS}/lambda/latest/dg/gettingstarted-limits.html",
    is_adjustable=True,
)
MAPPING_CONCURRENCY = Quota(
    1_000,
    "concurrent invocations of an event source mapping (`maximum_concurrency`)",
    LAMBDA_SCALING,
    is_adjustable=False,
)
INITIAL_CONCURRENCY = Quota(
    5, "concurrent invocations with which a mapping starts", LAMBDA_SCALING, is_adjustable=False
)
CONCURRENCY_PER_MINUTE = Quota(
    300,
    "concurrent invocations that a mapping adds per minute",
    LAMBDA_SCALING,
    is_adjustable=False,
)
IN_FLIGHT = Quota(
    120_000,
    "messages of a standard queue received and not yet deleted",
    f"{DOCS}/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html",
    is_adjustable=True,
)
TABLE_WRITES = Quota(
    40_000,
    "write units of an on-demand table per second",
    f"{DOCS}/amazondynamodb/latest/developerguide/on-demand-capacity-mode-max-throughput.html",
    is_adjustable=True,
)
NEW_TABLE_WRITES = Quota(
    4_000,
    "write units of a new on-demand table per second, until it has had more; it doubles within half"
    " an hour",
    f"{DOCS}/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html",
    is_adjustable=True,
)
PARTITION_WRITES = Quota(
    1_000,
    "write units of one partition of a table per second",
    f"{DOCS}/amazondynamodb/latest/developerguide/bp-partition-key-design.html",
    is_adjustable=False,
)
SECRET_READS = Quota(
    10_000,
    "reads of secrets per second",
    f"{DOCS}/secretsmanager/latest/userguide/reference_limits.html",
    is_adjustable=False,
)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One limit.

    Attributes:
        name: What it limits.
        per_second: The rate of messages at which it is reached.
        quota: AWS's quota behind it; None: a vendor's limit from the environment.
    """

    name: str
    per_second: float
    quota: Quota | None = None


@dataclass(frozen=True, kw_only=True)
class VendorLimits:
    """What the vendors' accounts allow; None: unlimited.

    Attributes:
        messages_per_second: Messages that the channel's sender may send.
        openai_requests_per_minute: Requests that the OpenAI account may make.
        openai_tokens_per_minute: Tokens that the OpenAI account may use.
        tokens_per_message: Tokens of a message, input and output.
    """

    messages_per_second: float | None = None
    openai_requests_per_minute: float | None = None
    openai_tokens_per_minute: float | None = None
    tokens_per_message: float | None = None

    @property
    def sender(self) -> Limit | None:
        """The limit of the channel's sender, since all messages may be one tenant's."""
        rate = self.messages_per_second
        return None if rate is None else Limit(name="messages of a sender", per_second=rate)

    @property
    def openai(self) -> tuple[Limit, ...]:
        """The limits of the OpenAI account, which the channels of an environment share.

        Each message is one request to a model.
        """
        allowed = (
            ("requests to OpenAI", self.openai_requests_per_minute, 1.0),
            ("tokens of OpenAI", self.openai_tokens_per_minute, self.tokens_per_message),
        )
        return tuple(
            Limit(name=name, per_second=rate / 60 / each)
            for name, rate, each in allowed
            if rate and each
        )

    @property
    def limits(self) -> tuple[Limit, ...]:
        """All of them."""
        return (*((self.sender,) if self.sender else ()), *self.openai)


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """The use of AWS by a message.

    Attributes:
        write_units: Write units of the table.
        tenants: Number of tenants with their own secret.
    """

    write_units: float
    tenants: int = 1


def throughput_limits(
    processors: Processors, vendors: VendorLimits, footprint: Footprint
) -> tuple[Limit, ...]:
    """Return every limit except the processors themselves, the lowest first."""
    found = [*vendors.limits, *_quotas(processors, footprint)]
    return tuple(sorted(found, key=lambda limit: limit.per_second))


def _quotas(processors: Processors, footprint: Footprint) -> Iterator[Limit]:
    seconds = processors.work.invocation_seconds(processors.batch_size)
    per_invocation = processors.batch_size / seconds
    secret_reads = (1 + footprint.tenants) / SECRET_SECONDS
    suppression_checks = SUPPRESSION_PARTITIONS / SUPPRESSION_UNITS
    for name, quota, rate in (
        ("invocations of a mapping", MAPPING_CONCURRENCY, per_invocation),
        ("invocations of the account", ACCOUNT_CONCURRENCY, per_invocation),
        ("messages in flight", IN_FLIGHT, 1 / seconds),
        ("writes of the table", TABLE_WRITES, 1 / footprint.write_units),
        ("writes of the table on its first day", NEW_TABLE_WRITES, 1 / footprint.write_units),
        ("suppression checks", PARTITION_WRITES, suppression_checks),
        ("reads of secrets", SECRET_READS, per_invocation / secret_reads),
    ):
        yield Limit(name=name, per_second=quota.value * rate, quota=quota)
