"""Alarms over what a channel's vendor check finds."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from lambda_src.core.contract import RETIREMENT_DAYS, VENDOR_CHECK_SECONDS, Metric
from stacks.alarms.notifier import AlarmNotifier, AlarmRule
from stacks.config import ChannelNames

MODELS_RETIRING = AlarmRule(
    subject="ModelsRetiring",
    datapoints_to_alarm=2,
    evaluation_periods=2,
    notify_on_ok=True,
    missing_data_breaches=True,
    description=(
        f"OpenAI shuts down a model of a deployed assistant within {RETIREMENT_DAYS} days, or no"
        " longer serves it; or the vendor check has not completed for four hours. After that date"
        " every message of the assistant fails. Change the model of its definition, test it"
        " (`ops assistants test`) and deploy."
    ),
)
TEMPLATES_NOT_APPROVED = AlarmRule(
    subject="TemplatesNotApproved",
    datapoints_to_alarm=2,
    evaluation_periods=2,
    notify_on_ok=True,
    missing_data_breaches=True,
    description=(
        "A tenant's secret names a template that is not approved, such as a paused or disabled"
        " one; or the vendor check has not completed for four hours. The tenant's messages are"
        " refused. Find the tenant with `ops secrets check`."
    ),
)


def add_vendor_check_alarms(
    scope: Construct, *, names: ChannelNames, notifier: AlarmNotifier
) -> tuple[cloudwatch.Alarm, ...]:
    """Create all alarms over a channel's vendor check.

    Args:
        scope: The construct of the check.
        names: The channel's names; the channel also says whether templates are checked.
        notifier: Creates the alarms.
    """
    metrics: dict[AlarmRule, cloudwatch.IMetric] = {
        MODELS_RETIRING: found_by_check(names, Metric.MODELS_RETIRING)
    }
    if names.channel.has_template_approval:
        metrics[TEMPLATES_NOT_APPROVED] = found_by_check(names, Metric.TEMPLATES_NOT_APPROVED)
    return notifier.add_alarms(scope, names, metrics)


def found_by_check(names: ChannelNames, metric: Metric) -> cloudwatch.Metric:
    """Return a number that each run of the check publishes."""
    return cloudwatch.Metric(
        namespace=names.metrics_namespace,
        metric_name=metric,
        statistic="Maximum",
        period=Duration.seconds(VENDOR_CHECK_SECONDS),
    )
