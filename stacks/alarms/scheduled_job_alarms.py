"""Alarms over a channel's scheduled job, and over what it finds."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from lambda_src.core.contract import SCHEDULE_SECONDS, Metric
from stacks.alarms.notifier import AlarmNotifier, AlarmRule
from stacks.config import ChannelNames
from stacks.config.environments import Environment

MAX_LOOKUP_AGE = Duration.hours(2)
"""A lookup is requested a quarter of an hour after it is due at the latest, and made within the
next one. Two hours are several runs that did not request it, or a vendor that does not answer."""

SCHEDULER_ERRORS = AlarmRule(
    subject="SchedulerErrors",
    datapoints_to_alarm=2,
    evaluation_periods=3,
    notify_on_ok=True,
    description=(
        "Runs of the scheduled job end in errors: it fails at start-up, DynamoDB or SQS refuses its"
        " requests, an approved record lacks its context object, or it has a defect. Approved"
        " messages and due lookups wait, and are queued once it works again."
    ),
)
OLDEST_LOOKUP = AlarmRule(
    subject="OldestLookupDue",
    threshold=MAX_LOOKUP_AGE.to_seconds(),
    datapoints_to_alarm=2,
    evaluation_periods=2,
    notify_on_ok=True,
    missing_data_breaches=True,
    description=(
        "Lookups of messages without a delivery result are overdue, or the scheduled job has not"
        " run for two hours: the job, its schedule or the events worker fails, the vendor does not"
        " answer, or more lookups are due than the configured rate allows. Nothing is sent or lost"
        " because of it; the records show an earlier delivery status."
    ),
)


def oldest_held_draft(hours: int) -> AlarmRule:
    """Return the rule about drafts without a decision for that many hours.

    It is not about the hand-off queue, whose age leaves out messages that were received often.
    """
    return AlarmRule(
        subject="OldestHeldDraft",
        threshold=Duration.hours(hours).to_seconds(),
        datapoints_to_alarm=2,
        evaluation_periods=2,
        notify_on_ok=True,
        missing_data_breaches=True,
        description=(
            f"A draft has been held for {hours} hours or more, or the scheduled job, which reports"
            " it, has not run for an hour. Its checks failed or a review was asked for, so nothing"
            " is sent until an operator decides. Approve, edit or reject the drafts"
            " (`ops approvals`). This alarm stays on until none is that old, and then notifies OK."
        ),
    )


def add_scheduled_job_alarms(
    scope: Construct,
    *,
    names: ChannelNames,
    environment: Environment,
    function: lambda_.IFunction,
    requests_lookups: bool,
    notifier: AlarmNotifier,
) -> tuple[cloudwatch.Alarm, ...]:
    """Create all alarms over a channel's scheduled job.

    Args:
        scope: The construct of the job.
        names: The channel's names.
        environment: After how many hours a held draft raises an alarm.
        function: The job's function.
        requests_lookups: Whether it requests lookups.
        notifier: Creates the alarms.
    """
    metrics: dict[AlarmRule, cloudwatch.IMetric] = {
        oldest_held_draft(environment.held_draft_alarm_hours): _age(
            names, Metric.OLDEST_DRAFT_SECONDS
        ),
        SCHEDULER_ERRORS: function.metric_errors(
            statistic="Sum", period=Duration.seconds(SCHEDULE_SECONDS)
        ),
    }
    if requests_lookups:
        metrics[OLDEST_LOOKUP] = _age(names, Metric.OLDEST_LOOKUP_SECONDS)
    return notifier.add_alarms(scope, names, metrics)


def _age(names: ChannelNames, metric: Metric) -> cloudwatch.Metric:
    """Return an age that the job publishes at each run; half an hour has two runs."""
    return cloudwatch.Metric(
        namespace=names.metrics_namespace,
        metric_name=metric,
        statistic="Maximum",
        period=Duration.minutes(30),
    )
