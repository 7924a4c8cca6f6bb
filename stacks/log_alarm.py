"""From one kind of critical log line to an alarm on a topic."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

from lambda_src.core.contract import LogEvent
from stacks.invariants import guard
from stacks.names import LogAlarmNames

LEVEL = "CRITICAL"


class LogAlarm(Construct):
    """Alarm that goes off when one line of an event was logged at CRITICAL within 5 minutes.

    Attributes:
        metric_filter: What counts the lines.
        alarm: What goes off.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: LogAlarmNames,
        event: LogEvent,
        description: str,
        log_group: logs.ILogGroup,
        topic: sns.ITopic,
    ) -> None:
        super().__init__(scope, construct_id)
        self.metric_filter = logs.MetricFilter(
            self,
            "MetricFilter",
            filter_name=names.metric_filter,
            log_group=log_group,
            filter_pattern=_critical(event),
            metric_namespace=names.namespace,
            metric_name=names.metric,
            metric_value="1",
        )
        self.alarm = cloudwatch.Alarm(
            self,
            "Alarm",
            alarm_name=names.alarm,
            alarm_description=description,
            metric=self.metric_filter.metric(statistic="Sum", period=Duration.minutes(5)),
            comparison_operator=(cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD),
            threshold=1,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        self.alarm.add_alarm_action(actions.SnsAction(topic))
        guard(self)


def _critical(event: LogEvent) -> logs.IFilterPattern:
    return logs.FilterPattern.all(
        logs.FilterPattern.string_value("$.level", "=", LEVEL),
        logs.FilterPattern.string_value("$.event", "=", event),
    )
