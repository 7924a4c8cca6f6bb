"""From one kind of log line to an alarm."""

from aws_cdk import Duration
from aws_cdk import aws_logs as logs
from constructs import Construct

from stacks.alarming_lines import AlarmingLines
from stacks.names import ChannelNames, LogMetricNames
from stacks.on_call import OnCall


class LogAlarm(Construct):
    """Alarm that goes off when enough lines of one kind were logged.

    Args:
        names: The channel's names.
        lines: Which lines, and how many of them are too many.
        log_group: Where they are logged.
        on_call: Whom the alarm tells.

    Attributes:
        metric_filter: What counts the lines.
        alarm: What goes off.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        lines: AlarmingLines,
        log_group: logs.ILogGroup,
        on_call: OnCall,
    ) -> None:
        super().__init__(scope, construct_id)
        self.metric_filter = count_lines(
            self,
            "MetricFilter",
            names=names.log_metric(lines.rule.subject),
            pattern=lines.pattern,
            log_group=log_group,
        )
        self.alarm = on_call.wake(
            self,
            "Alarm",
            alarm_name=names.alarm(lines.rule.subject),
            rule=lines.rule,
            metric=self.metric_filter.metric(
                statistic="Sum", period=Duration.minutes(lines.minutes)
            ),
        )


def count_lines(
    scope: Construct,
    construct_id: str,
    *,
    names: LogMetricNames,
    pattern: logs.IFilterPattern,
    log_group: logs.ILogGroup,
) -> logs.MetricFilter:
    """Make a metric that grows by one with each line of a log group that matches.

    It is 0 for a minute in which there were other lines only: so one can see that it counts.
    """
    return logs.MetricFilter(
        scope,
        construct_id,
        filter_name=names.metric_filter,
        log_group=log_group,
        filter_pattern=pattern,
        metric_namespace=names.namespace,
        metric_name=names.metric,
        metric_value="1",
        default_value=0,
    )
