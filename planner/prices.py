"""AWS's prices in us-east-1, in dollars, without free tiers and discounts for quantity."""

from dataclasses import dataclass

LOOKED_UP = "2026-11-22"
"""When the sources, or who quotes them, said so. They differ by region and change: look again."""

MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """One price.

    Attributes:
        dollars: For one of the unit.
        unit: What is billed.
        source: AWS's page.
    """

    dollars: float
    unit: str
    source: str


_LAMBDA = "https://aws.amazon.com/lambda/pricing/"
_DYNAMODB = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
_SQS = "https://aws.amazon.com/sqs/pricing/"
_SECRETS = "https://aws.amazon.com/secrets-manager/pricing/"
_CLOUDWATCH = "https://aws.amazon.com/cloudwatch/pricing/"

GB_SECONDS = {
    "arm64": Price(0.000_013_333_4, "GB-second of a function on arm64", _LAMBDA),
    "x86_64": Price(0.000_016_666_7, "GB-second of a function on x86_64", _LAMBDA),
}
INVOCATION = Price(0.20 / MILLION, "call of a function", _LAMBDA)
WRITE_UNIT = Price(0.625 / MILLION, "write unit of an on-demand table", _DYNAMODB)
STORED_GB = Price(0.25, "GB of a table, a month", _DYNAMODB)
QUEUE_REQUEST = Price(0.40 / MILLION, "request to a standard queue, each 64 KB", _SQS)
FAIR_REQUEST = Price(0.10 / MILLION, "the same with a message group, besides", _SQS)
SECRET = Price(0.40, "secret, a month", _SECRETS)
SECRET_READ = Price(0.05 / 10_000, "read of a secret", _SECRETS)
LOGGED_GB = Price(0.50, "GB of log", _CLOUDWATCH)
METRIC = Price(0.30, "metric of one's own, a month", _CLOUDWATCH)
ALARM = Price(0.10, "alarm, a month, for each of its metrics", _CLOUDWATCH)

PRICES = (
    *GB_SECONDS.values(),
    INVOCATION,
    WRITE_UNIT,
    STORED_GB,
    QUEUE_REQUEST,
    FAIR_REQUEST,
    SECRET,
    SECRET_READ,
    LOGGED_GB,
    METRIC,
    ALARM,
)
"""All of them."""
