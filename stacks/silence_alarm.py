"""The silence that must not be: messages come in, and none goes out."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.alarming_lines import GOOD_ENDS
from stacks.log_alarm import count_lines
from stacks.names import ChannelNames
from stacks.on_call import AlarmRule, OnCall

# In two quarters of an hour in a row messages came in and none was sent: so one that came at least
# a quarter of an hour ago was not sent since, and it was not the only one.
NO_MESSAGE_SENT = AlarmRule(
    subject="NoMessageSent",
    breaching=2,
    periods=2,
    tells_the_end=True,
    description=(
        "For half an hour messages came in and none was sent. All of them fail, or nobody works on"
        " them, or the log lines that are counted as sent no longer reach the metric. Look at the"
        " other alarms first, then at the function's log, the dead-letter queue and the event"
        " source mapping."
    ),
)


class SilenceAlarm(Construct):
    """Alarm that goes off when the queue takes messages in, and no log line tells of one sent.

    It compares what AWS says of the queue with what the runtime says of itself, so it also goes off
    when a link between the two is broken: mapping, function, log group or metric filter.

    Args:
        names: The channel's names.
        queue: What messages come in by.
        log_group: Where the function tells of those that it sent.
        on_call: Whom the alarm tells.

    Attributes:
        metric_filter: What counts the messages sent.
        alarm: What goes off.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        queue: sqs.IQueue,
        log_group: logs.ILogGroup,
        on_call: OnCall,
    ) -> None:
        super().__init__(scope, construct_id)
        self.metric_filter = count_lines(
            self,
            "MetricFilter",
            names=names.log_metric("MessageSent"),
            pattern=GOOD_ENDS,
            log_group=log_group,
        )
        self.alarm = on_call.wake(
            self,
            "Alarm",
            alarm_name=names.alarm(NO_MESSAGE_SENT.subject),
            rule=NO_MESSAGE_SENT,
            metric=cloudwatch.MathExpression(
                # Neither metric has data where nothing happened: that is none sent, none come in.
                expression="IF(FILL(enqueued, 0) > 0 AND FILL(sent, 0) < 1, 1, 0)",
                using_metrics={
                    "enqueued": queue.metric_number_of_messages_sent(statistic="Sum"),
                    "sent": self.metric_filter.metric(statistic="Sum"),
                },
                period=Duration.minutes(15),
                label="Messages came in, none was sent",
            ),
        )
