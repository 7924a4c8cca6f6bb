"""Prices in dollars, AWS's in us-east-1, without free tiers and discounts for quantity.

AWS's and OpenAI's pages fill in most figures by a script, so that a copy of a page holds none of
them. Where that is so, the figure was read at somebody who quotes it: `Source` tells them apart.
"""

from dataclasses import dataclass

from planner import price_sources as sources
from planner.price_sources import Source

MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """One price.

    Attributes:
        dollars: For one of the unit.
        unit: What is billed.
        source: Who says so, and when.
    """

    dollars: float
    unit: str
    source: Source


GB_SECONDS = {
    "arm64": Price(0.000_013_333_4, "GB-second of a function on arm64", sources.LAMBDA_SECONDS),
    "x86_64": Price(0.000_016_666_7, "GB-second of a function on x86_64", sources.LAMBDA_SECONDS),
}
INVOCATION = Price(0.20 / MILLION, "call of a function", sources.LAMBDA_CALLS)
WRITE_UNIT = Price(
    0.625 / MILLION,
    "write unit of an on-demand table; a transaction's write takes two",
    sources.DYNAMODB_UNITS,
)
READ_UNIT = Price(
    0.125 / MILLION, "read unit of one, for 4 KB strongly consistent", sources.DYNAMODB_UNITS
)
STORED_GB = Price(0.25, "GB of a table, a month", sources.DYNAMODB_STORAGE)
QUEUE_REQUEST = Price(0.40 / MILLION, "request to a standard queue, each 64 KB", sources.SQS)
FAIR_REQUEST = Price(0.10 / MILLION, "the same with a message group, besides", sources.SQS)
SECRET = Price(0.40, "secret, a month", sources.SECRETS)
SECRET_READ = Price(0.05 / 10_000, "read of a secret", sources.SECRETS)
LOGGED_GB = Price(0.50, "GB of a function's log, up to 10 TB a month", sources.LOGS)
METRIC = Price(0.30, "metric of one's own, a month, up to 10,000", sources.METRICS)
ALARM = Price(0.10, "alarm, a month, for each of its metrics", sources.ALARMS)
DASHBOARD = Price(3.00, "dashboard, a month", sources.DASHBOARDS)
KEY = Price(1.00, "key of one's own, a month", sources.KMS)
KEY_REQUEST = Price(0.03 / 10_000, "request to a key", sources.KMS)
ALERT_MAIL = Price(2.00 / 100_000, "alert sent by e-mail", sources.SNS)

TWILIO_WHATSAPP = Price(
    0.005, "WhatsApp message, to Twilio; for a template Meta's fee besides", sources.TWILIO_WHATSAPP
)
TWILIO_SMS = Price(
    0.0083, "segment of an SMS in the USA, to Twilio; the carrier's fee besides", sources.TWILIO_SMS
)
OPENAI_INPUT = Price(0.10 / MILLION, "token that `gpt-6-luna` reads", sources.OPENAI)
OPENAI_OUTPUT = Price(
    0.50 / MILLION, "token that `gpt-6-luna` writes or reasons with", sources.OPENAI
)

PRICES = (
    *GB_SECONDS.values(),
    INVOCATION,
    WRITE_UNIT,
    READ_UNIT,
    STORED_GB,
    QUEUE_REQUEST,
    FAIR_REQUEST,
    SECRET,
    SECRET_READ,
    LOGGED_GB,
    METRIC,
    ALARM,
    DASHBOARD,
    KEY,
    KEY_REQUEST,
    ALERT_MAIL,
    TWILIO_WHATSAPP,
    TWILIO_SMS,
    OPENAI_INPUT,
    OPENAI_OUTPUT,
)
"""All of them."""
