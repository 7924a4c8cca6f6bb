"""Alarm for a channel that receives messages and sends none."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.alarms.log_alarms import MESSAGE_SENT, count_lines
from stacks.alarms.notifier import AlarmNotifier, AlarmRule
from stacks.config import ChannelNames

# Two quarters of an hour in a row with messages received and none sent: a message that arrived at
# least a quarter of an hour ago has not been sent, and it is not the only one.
NO_MESSAGE_SENT = AlarmRule(
    subject="NoMessageSent",
    datapoints_to_alarm=2,
    evaluation_periods=2,
    notify_on_ok=True,
    description=(
        "For half an hour messages arrived and none was sent. All of them fail, or they are not"
        " processed, or the log lines that are counted as sent no longer reach the metric. Look at"
        " the other alarms first, then at the function's log, the dead-letter queue and the event"
        " source mapping."
    ),
)


class NoThroughputAlarm(Construct):
    """Alarm when the queue receives messages and the log has no line of a message sent.

    It compares AWS's metric of the queue with the runtime's own log, so it also goes off when
    anything between the two is broken: mapping, function, log group or metric filter.

    Args:
        names: The channel's names.
        queue: The queue that receives the channel's messages.
        log_group: The function's log group.
        notifier: Creates the alarm.

    Attributes:
        metric_filter: Counts the messages sent.
        alarm: The alarm.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        queue: sqs.IQueue,
        log_group: logs.ILogGroup,
        notifier: AlarmNotifier,
    ) -> None:
        super().__init__(scope, construct_id)
        self.metric_filter = count_lines(
            self, names=names.log_metric("MessageSent"), pattern=MESSAGE_SENT, log_group=log_group
        )
        self.alarm = notifier.add_alarm(
            self,
            "Alarm",
            alarm_name=names.alarm(NO_MESSAGE_SENT.subject),
            rule=NO_MESSAGE_SENT,
            metric=cloudwatch.MathExpression(
                # Neither metric has data where nothing happened: that counts as 0.
                expression="IF(FILL(enqueued, 0) > 0 AND FILL(sent, 0) < 1, 1, 0)",
                using_metrics={
                    "enqueued": queue.metric_number_of_messages_sent(statistic="Sum"),
                    "sent": self.metric_filter.metric(statistic="Sum"),
                },
                period=Duration.minutes(15),
                label="Messages came in, none was sent",
            ),
        )
