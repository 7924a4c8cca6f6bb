"""What holds a channel back, each limit as the rate of messages at which it is reached."""

from collections.abc import Iterator
from dataclasses import dataclass

from stacks.capacity.processors import Processors
from stacks.capacity.quotas import (
    CALLS,
    IN_FLIGHT,
    MAPPING_CALLS,
    NEW_TABLE_WRITES,
    PARTITION_WRITES,
    SECRET_READS,
    TABLE_WRITES,
    Quota,
)

SECRET_SECONDS = 300
"""How long an instance of the function uses a secret before it reads it again."""

MARK_PARTITIONS = 16
"""Over which the marks of a channel's recipients are spread; each claim looks into one."""
MARK_UNITS = 2
"""Write units of that look, which is part of a transaction."""


@dataclass(frozen=True, kw_only=True)
class Limit:
    """One limit.

    Attributes:
        name: What it is a limit of.
        per_second: Messages a second at which it is reached.
        quota: AWS's quota behind it; None: a vendor's, as the environment says.
    """

    name: str
    per_second: float
    quota: Quota | None = None


@dataclass(frozen=True, kw_only=True)
class Vendors:
    """What the vendors' accounts allow; None: it does not hold anything back.

    Attributes:
        messages_per_second: What the channel's sender may send.
        openai_requests_per_minute: What the OpenAI account may ask for.
        openai_tokens_per_minute: Likewise.
        tokens_per_message: What a message takes, read and written.
    """

    messages_per_second: float | None = None
    openai_requests_per_minute: float | None = None
    openai_tokens_per_minute: float | None = None
    tokens_per_message: float | None = None

    @property
    def sender(self) -> Limit | None:
        """The limit of the channel's sender: all of the messages may be one tenant's."""
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
    """What a message takes of AWS.

    Attributes:
        write_units: Of the table's.
        tenants: How many have a secret of their own.
    """

    write_units: float
    tenants: int = 1


def limits_of(processors: Processors, vendors: Vendors, footprint: Footprint) -> tuple[Limit, ...]:
    """Return every limit but the processors themselves, the first that is reached first."""
    found = [*vendors.limits, *_quotas(processors, footprint)]
    return tuple(sorted(found, key=lambda limit: limit.per_second))


def _quotas(processors: Processors, footprint: Footprint) -> Iterator[Limit]:
    seconds = processors.work.call_seconds(processors.batch_size)
    each_call = processors.batch_size / seconds
    secrets_a_call = (1 + footprint.tenants) / SECRET_SECONDS
    for name, quota, rate in (
        ("calls of a mapping", MAPPING_CALLS, each_call),
        ("calls of the account", CALLS, each_call),
        ("messages in flight", IN_FLIGHT, 1 / seconds),
        ("writes of the table", TABLE_WRITES, 1 / footprint.write_units),
        ("writes of the table on its first day", NEW_TABLE_WRITES, 1 / footprint.write_units),
        ("looks at recipients' marks", PARTITION_WRITES, MARK_PARTITIONS / MARK_UNITS),
        ("reads of secrets", SECRET_READS, each_call / secrets_a_call),
    ):
        yield Limit(name=name, per_second=quota.value * rate, quota=quota)
