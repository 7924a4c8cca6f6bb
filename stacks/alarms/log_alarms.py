"""Alarms on log lines: the kinds of lines that raise one, and the construct for each kind."""

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_logs as logs
from constructs import Construct

from lambda_src.core.contract import LogEvent
from stacks.alarms.notifier import AlarmNotifier, AlarmRule
from stacks.config import ChannelNames, LogMetricNames

ACCOUNT_REFUSED = "VendorAccountRefused"

LATE_DELIVERY = 7
"""A delivery of a message at which a transient failure has lasted for minutes."""


@dataclass(frozen=True, kw_only=True)
class LogAlarmRule:
    """One kind of log line, and the number of lines that raises an alarm.

    Attributes:
        pattern: Selects the lines.
        alarm: When their number raises the alarm.
        period_minutes: The length of one data point, over which lines are counted.
    """

    pattern: logs.IFilterPattern
    alarm: AlarmRule
    period_minutes: int = 5


class LogAlarm(Construct):
    """Alarm on the number of log lines of one kind.

    Args:
        names: The channel's names.
        rule: Which lines, and how many raise the alarm.
        log_group: The log group of the lines.
        notifier: Creates the alarm.

    Attributes:
        metric_filter: Counts the lines.
        alarm: The alarm.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        rule: LogAlarmRule,
        log_group: logs.ILogGroup,
        notifier: AlarmNotifier,
    ) -> None:
        super().__init__(scope, construct_id)
        subject = rule.alarm.subject
        self.metric_filter = count_lines(
            self, names=names.log_metric(subject), pattern=rule.pattern, log_group=log_group
        )
        self.alarm = notifier.add_alarm(
            self,
            "Alarm",
            alarm_name=names.alarm(subject),
            rule=rule.alarm,
            metric=self.metric_filter.metric(
                statistic="Sum", period=Duration.minutes(rule.period_minutes)
            ),
        )


def count_lines(
    scope: Construct,
    *,
    names: LogMetricNames,
    pattern: logs.IFilterPattern,
    log_group: logs.ILogGroup,
) -> logs.MetricFilter:
    """Create a metric that counts the matching lines of a log group.

    It is 0 in a minute that has only other lines, so that a working filter can be seen.
    """
    return logs.MetricFilter(
        scope,
        "MetricFilter",
        filter_name=names.metric_filter,
        log_group=log_group,
        filter_pattern=pattern,
        metric_namespace=names.namespace,
        metric_name=names.metric,
        metric_value="1",
        default_value=0,
    )


def log_alarm_rules(max_receive_count: int, vendor: str) -> tuple[LogAlarmRule, ...]:
    """Return the rules of all log alarms of a channel.

    Args:
        max_receive_count: Deliveries after which a message is moved to the dead-letter queue.
        vendor: Name of the vendor that sends the channel's messages.
    """
    return (
        *_critical_lines(vendor),
        HEARTBEAT_FAILURES,
        _repeated_failures(max_receive_count),
    )


def _field(name: str, value: str) -> logs.JsonPattern:
    return logs.FilterPattern.string_value(f"$.{name}", "=", value)


HEARTBEAT_FAILURES = LogAlarmRule(
    pattern=logs.FilterPattern.all(
        _field("level", "ERROR"), _field("event", LogEvent.HEARTBEAT_FAILED)
    ),
    # One short failure of SQS logs a line for each message of a batch and is harmless: the messages
    # are delivered again, and the ledger prevents a second send. Three within half an hour are not.
    alarm=AlarmRule(
        subject="HeartbeatFailure",
        datapoints_to_alarm=3,
        evaluation_periods=6,
        notify_on_ok=True,
        description=(
            "The visibility timeout of messages in progress could not be extended several times."
            " They are delivered a second time while the first worker still processes them; nothing"
            " is sent twice, but deliveries are used up. Check that the function may change"
            " visibility timeouts, and what SQS responds (log line `heartbeat_failed`)."
        ),
    ),
)

MESSAGE_SENT = logs.FilterPattern.any(
    _field("event", LogEvent.MESSAGE_SENT),
    _field("event", LogEvent.SEND_SETTLED),
    _field("event", LogEvent.ALREADY_PROCESSED),
)
"""The lines of deliveries whose message was sent, in this delivery or in an earlier one."""


def _critical_lines(vendor: str) -> tuple[LogAlarmRule, ...]:
    return (
        critical_line(
            LogEvent.FINAL_DB_UPDATE_FAILED,
            "FinalDbUpdateFailure",
            "A message was sent, but its conversation's record could not be updated. The next"
            " delivery of the message repairs the record without a second send. If this continues:"
            " check whether DynamoDB refuses writes, and compare the record with the message_sid of"
            " the log line `final_db_update_failed`.",
        ),
        critical_line(
            LogEvent.SEND_OUTCOME_UNKNOWN,
            "SendOutcomeUnknown",
            f"It is unknown whether a message was sent: {vendor} did not confirm it and does not"
            " list it. It is not sent again automatically. Look up the recipient's messages in"
            f" {vendor}'s console, then record the sid or release the conversation for a new send"
            " (log line `send_outcome_unknown`).",
        ),
        critical_line(
            LogEvent.VENDOR_ACCOUNT_REFUSED,
            ACCOUNT_REFUSED,
            f"OpenAI or {vendor} refuses the account or its configuration: wrong credentials, no"
            " funds, suspended, or a secret, model, assistant, template or sender that is missing,"
            " invalid or not set up. No message that needs it is sent until this is fixed; such"
            " messages are retried for two days. Read the log line `vendor_account_refused`, fix"
            " the account, store a new secret or correct the assistant.",
        ),
    )


def critical_line(event: LogEvent, subject: str, description: str) -> LogAlarmRule:
    """Return the rule of a CRITICAL event, of which one line is enough."""
    return LogAlarmRule(
        pattern=logs.FilterPattern.all(_field("level", "CRITICAL"), _field("event", event)),
        alarm=AlarmRule(subject=subject, description=description),
    )


def _repeated_failures(max_receive_count: int) -> LogAlarmRule:
    """Return the rule of transient failures that last: warnings about late deliveries of messages.

    The seventh delivery is late: five to ten minutes of backoff after the first one. With fewer
    than ten deliveries, late is the one that completes two thirds of them. Three lines within a
    quarter of an hour are more than one faulty message. Permanent failures are logged as errors,
    then as `already_ended`, and reach the dead-letter queue within seconds.
    """
    late = min(LATE_DELIVERY, -(-2 * max_receive_count // 3))
    return LogAlarmRule(
        pattern=logs.FilterPattern.all(
            _field("level", "WARNING"),
            logs.FilterPattern.number_value("$.receive_count", ">=", late),
            logs.FilterPattern.string_value("$.event", "!=", LogEvent.ALREADY_ENDED),
        ),
        period_minutes=15,
        alarm=AlarmRule(
            subject="RepeatedFailure",
            threshold=3,
            notify_on_ok=True,
            description=(
                "Messages fail repeatedly although their failures are transient, such as a vendor's"
                " outage; most of their deliveries are used up. The `failure_code` of the log lines"
                " gives the reason. If the cause lasts, prepare to redrive the dead-letter queue"
                " once it is over."
            ),
        ),
    )
