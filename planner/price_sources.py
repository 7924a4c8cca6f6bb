"""Where each price was read on 2026-11-22, and of when that is.

Prices change: before a decision hangs on one, look at the vendor's page.
"""

from dataclasses import dataclass

UNDATED = "undated"


@dataclass(frozen=True)
class Source:
    """Who says what something costs.

    Attributes:
        page: The vendor's page: what holds.
        read_at: Where the figure was read, be it that page or one that quotes it.
        as_of: Day of that writing, or on which its author read the vendor's page; or `UNDATED`.
    """

    page: str
    read_at: str
    as_of: str

    @property
    def is_the_vendors(self) -> bool:
        """Whether the vendor's own words were read."""
        return self.page == self.read_at


_AWS = "https://aws.amazon.com"
_LAMBDA = f"{_AWS}/lambda/pricing/"
_DYNAMODB = f"{_AWS}/dynamodb/pricing/"
_CLOUDWATCH = f"{_AWS}/cloudwatch/pricing/"
_TRANSCRIPTS = "https://raw.githubusercontent.com/api-evangelist"
_GUIDES = "https://www.factualminds.com/blog"

LAMBDA_SECONDS = Source(
    page=_LAMBDA,
    read_at="https://git.mcrn.ar/mariano/lambda_local_runner/src/branch/main/docs/lambdas-md/lambda-13-cost.md",
    as_of="2026-05-11",
)
LAMBDA_CALLS = Source(
    page=_LAMBDA,
    read_at=f"{_TRANSCRIPTS}/aws-lambda/refs/heads/main/plans/aws-lambda-plans-pricing.yml",
    as_of="2026-09-20",
)
DYNAMODB_UNITS = Source(
    page=f"{_DYNAMODB}on-demand/",
    read_at="https://airbyte.com/data-engineering-resources/dynamodb-pricing",
    as_of="2025-07-21",
)
DYNAMODB_STORAGE = Source(page=_DYNAMODB, read_at=_DYNAMODB, as_of=UNDATED)
SQS = Source(
    page=f"{_AWS}/sqs/pricing/",
    read_at="https://cloudburn.io/blog/amazon-sqs-pricing",
    as_of="2026-03-14",
)
SECRETS = Source(
    page=f"{_AWS}/secrets-manager/pricing/",
    read_at=(
        f"{_TRANSCRIPTS}/amazon-secrets-manager/refs/heads/main"
        "/plans/amazon-secrets-manager-plans-pricing.yml"
    ),
    as_of="2026-09-20",
)
LOGS = Source(
    page=_CLOUDWATCH,
    read_at=f"{_GUIDES}/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/",
    as_of="2026-06-13",
)
DASHBOARDS = LOGS
METRICS = Source(
    page=_CLOUDWATCH,
    read_at="https://signoz.io/guides/cloudwatch-pricing",
    as_of="2026-02-15",
)
ALARMS = Source(
    page=_CLOUDWATCH,
    read_at="https://c3x.dev/resources/aws/aws_cloudwatch_metric_alarm",
    as_of=UNDATED,
)
KMS = Source(
    page=f"{_AWS}/kms/pricing/",
    read_at=f"{_GUIDES}/aws-kms-pricing-keys-requests-multi-region/",
    as_of="2026-06-13",
)
SNS = Source(
    page=f"{_AWS}/sns/pricing/",
    read_at=f"{_GUIDES}/amazon-sns-pricing-publishes-fanout-protocols/",
    as_of="2026-06-13",
)
TWILIO_WHATSAPP = Source(
    page="https://www.twilio.com/whatsapp/pricing",
    read_at="https://www.twilio.com/whatsapp/pricing",
    as_of="after 2025-07-01",
)
TWILIO_SMS = Source(
    page="https://www.twilio.com/en-us/sms/pricing/us",
    read_at="https://www.budgetforge.dev/tools/twilio-sms-pricing-2026",
    as_of="2026-07-05",
)
OPENAI = Source(
    page="https://developers.openai.com/api/docs/pricing",
    read_at="https://github.com/merefield/codexometer/releases/tag/v0.18.4",
    as_of="2026-09-22",
)
