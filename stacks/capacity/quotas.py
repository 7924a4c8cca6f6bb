"""AWS's quotas that a channel can come near to, each with where it stands.

They are those of a new account, in most regions; who had one raised gives another value.
"""

from dataclasses import dataclass

LOOKED_UP = "2026-11-22"
"""When the sources said so."""

DOCS = "https://docs.aws.amazon.com"


@dataclass(frozen=True)
class Quota:
    """One quota.

    Attributes:
        value: How much there is of it.
        what: What it counts.
        source: The page that says so.
        is_adjustable: Whether AWS raises it when asked.
    """

    value: float
    what: str
    source: str
    is_adjustable: bool


CALLS = Quota(
    1_000,
    "calls of all functions of an account at once, in a region",
    f"{DOCS}/lambda/latest/dg/gettingstarted-limits.html",
    is_adjustable=True,
)
MAPPING_CALLS = Quota(
    1_000,
    "calls that a mapping of a queue makes at once (`maximum_concurrency`)",
    f"{DOCS}/lambda/latest/dg/services-sqs-scaling.html",
    is_adjustable=False,
)
FIRST_CALLS = Quota(
    5,
    "calls with which a mapping begins",
    f"{DOCS}/lambda/latest/dg/services-sqs-scaling.html",
    is_adjustable=False,
)
MORE_CALLS_A_MINUTE = Quota(
    300,
    "calls that a mapping adds each minute",
    f"{DOCS}/lambda/latest/dg/services-sqs-scaling.html",
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
    "write units of an on-demand table a second",
    f"{DOCS}/amazondynamodb/latest/developerguide/on-demand-capacity-mode-max-throughput.html",
    is_adjustable=True,
)
NEW_TABLE_WRITES = Quota(
    4_000,
    "write units of a new on-demand table a second, until it has had more; it doubles within"
    " half an hour",
    f"{DOCS}/amazondynamodb/latest/developerguide/on-demand-capacity-mode.html",
    is_adjustable=True,
)
PARTITION_WRITES = Quota(
    1_000,
    "write units of one partition of a table a second",
    f"{DOCS}/amazondynamodb/latest/developerguide/bp-partition-key-design.html",
    is_adjustable=False,
)
SECRET_READS = Quota(
    10_000,
    "reads of secrets a second",
    f"{DOCS}/secretsmanager/latest/userguide/reference_limits.html",
    is_adjustable=False,
)
