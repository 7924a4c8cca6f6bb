"""AWS calls, bytes and write units of a successful message, and monthly resources of a channel.

`tests/contract` compares all of it with the runtime and the synthesized template.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

from ops.prices import PRICES, Price
from stacks.capacity import SECRET_SECONDS, SUPPRESSION_UNITS

KB = 1_024
TRANSACTION_FACTOR = 2
"""Write units of a part of a transaction, relative to the same write on its own."""


INDEX_UNITS = 2
"""Write units of the index `open-work` for a message: one when its final write adds the record, one
when its delivery result removes it. Neither is a write of its own."""


class Per(StrEnum):
    """How often a call is made."""

    MESSAGE = "message"
    BATCH = "batch"
    INSTANCE = f"instance every {SECRET_SECONDS} s"


@dataclass(frozen=True)
class Call:
    """One AWS call of a message that succeeds.

    Attributes:
        action: Service and operation.
        by: The caller: the router, AWS's event source mapping or the runtime.
        per: How often.
        purpose: The reason for it.
        without: What breaks without it, by the rules of docs/reliability.md.
        shown_by: Broken variants of the fault proof that omit it or ignore its result.
    """

    action: str
    by: str
    per: Per
    purpose: str
    without: str
    shown_by: str = ""


CALLS = (
    Call(
        *("sqs:SendMessage", "router", Per.MESSAGE),
        purpose="enqueue the context object",
        without="there is no message",
    ),
    Call(
        *("sqs:ReceiveMessage", "mapping", Per.BATCH),
        purpose="receive the batch",
        without="nothing is delivered",
    ),
    Call(
        *("sqs:ChangeMessageVisibilityBatch", "runtime", Per.BATCH),
        purpose="the first heartbeat, for all messages at once",
        without=(
            "rule 7: the queue hides a message for six times the function's timeout, so a crashed"
            " worker's messages would return after 18 minutes instead of 2"
        ),
    ),
    Call(
        *("dynamodb:TransactWriteItems", "runtime", Per.MESSAGE),
        purpose="acquire the lease, and check that the recipient has not opted out or been erased",
        without=(
            "rules 3 to 5: a delivery would ask the AI before it knows of a stored answer, and a"
            " failure before the send would leave no record. A read instead would cost less, but"
            " two duplicates could ask the AI at once; a separate check of the suppression record"
            " would let an erasure happen in between"
        ),
        shown_by="unclaimed",
    ),
    Call(
        *("secretsmanager:GetSecretValue", "runtime", Per.INSTANCE),
        purpose="read the OpenAI key and each tenant's credentials",
        without="nothing can be sent; cached for minutes only, so that a rotated key is picked up",
    ),
    Call(
        *("dynamodb:UpdateItem", "runtime", Per.MESSAGE),
        purpose="record the intent to send, together with the AI's answer",
        without="rule 1: a crash between the send and its record would send again",
        shown_by="no_intent",
    ),
    Call(
        *("dynamodb:UpdateItem", "runtime", Per.MESSAGE),
        purpose="record the message SID",
        without="rule 3: the record would not show what was sent",
        shown_by="failed_write_ignored",
    ),
    Call(
        *("sqs:DeleteMessageBatch", "mapping", Per.BATCH),
        purpose="delete the messages that were sent",
        without="each message would be delivered again until it is a dead-letter message",
    ),
)
"""Every call, in order."""


def calls_per_batch() -> int:
    """Return the number of queue calls per batch, independent of the number of its messages."""
    return sum(call.per is Per.BATCH for call in CALLS)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Stored and logged bytes.

    Attributes:
        leased: Record size after the lease is acquired.
        intent: Record size after the intent to send is recorded.
        sent: Record size after the message SID is recorded.
        log_per_message: Log lines and metrics per message.
        log_per_batch: Additional log lines and metrics per batch.
    """

    leased: int
    intent: int
    sent: int
    log_per_message: int
    log_per_batch: int

    @classmethod
    def of_record(cls, leased: int) -> "Sizes":
        """Return the example's sizes, scaled to a record of that many bytes when it is leased."""
        extra = leased - EXAMPLE.leased
        return cls(
            leased=leased,
            intent=EXAMPLE.intent + extra,
            sent=EXAMPLE.sent + extra,
            log_per_message=EXAMPLE.log_per_message,
            log_per_batch=EXAMPLE.log_per_batch,
        )

    @property
    def write_units(self) -> int:
        """DynamoDB write units of the three writes.

        One per started KB of the larger of the item before and after. A transaction takes twice as
        many, also for an item that it only checks.
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
        """
        intent = max(self.leased, self.intent)
        acquire = TRANSACTION_FACTOR * ceil(self.leased / KB) + SUPPRESSION_UNITS
        return acquire + ceil(intent / KB) + ceil(max(intent, self.sent) / KB)


EXAMPLE = Sizes(leased=1_223, intent=2_182, sent=2_259, log_per_message=450, log_per_batch=1_550)
"""The sizes for `examples/contexts/whatsapp.json`."""


@dataclass(frozen=True, kw_only=True)
class MonthlyResources:
    """Resources of a channel that AWS bills by the month.

    Attributes:
        secrets: The OpenAI key and each tenant's credentials.
        metrics: Custom metrics: the runtime's and those of the log's metric filters.
        alarm_metrics: Metrics in alarms; an alarm with metric math has several.
        dashboards: Dashboards.
    """

    secrets: int
    metrics: int
    alarm_metrics: int
    dashboards: int

    def items(self) -> Iterator[tuple[int, Price]]:
        """Yield quantities and prices."""
        yield self.secrets, PRICES["secret"]
        yield self.metrics, PRICES["metric"]
        yield self.alarm_metrics, PRICES["alarm"]
        yield self.dashboards, PRICES["dashboard"]

    @property
    def dollars(self) -> float:
        """US dollars per month."""
        return sum(number * price.dollars for number, price in self.items())


CHANNEL_RESOURCES = MonthlyResources(secrets=2, metrics=35, alarm_metrics=30, dashboards=1)
"""A channel with one tenant, delivery events, lookups and no failures.

Each failed step and failure kind adds a metric.
"""
