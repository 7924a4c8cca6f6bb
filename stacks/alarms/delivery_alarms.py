"""Alarms over what happens to a channel's messages after they were sent."""

from dataclasses import replace

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from constructs import Construct

from lambda_src.core.contract import LogEvent, Metric
from stacks.alarms.log_alarms import ACCOUNT_REFUSED, LogAlarm, count_lines, critical_line
from stacks.alarms.metric_alarms import MAX_AGE, PERIOD
from stacks.alarms.notifier import AlarmNotifier, AlarmRule
from stacks.channel_queue import ChannelQueue
from stacks.config import ChannelNames
from stacks.processor import Processor

UNDELIVERED_PERCENT = 25
"""A few percent are usual, since numbers change and phones are off; a quarter has one cause."""

MIN_UNDELIVERED = 5
"""Undelivered messages in an hour from which their share is used. With five percent undelivered,
five of twenty happen by chance in one of 400 hours, and five of ten in one of 16,000."""

MIN_SENDS = 10
"""Sends in half an hour of which at least one has a callback, which usually follows in seconds."""

UNDELIVERED_SHARE = AlarmRule(
    subject="UndeliveredShare",
    threshold=UNDELIVERED_PERCENT,
    notify_on_ok=True,
    description=(
        f"Of the messages whose result became known within an hour, {UNDELIVERED_PERCENT} percent"
        f" or more, and at least {MIN_UNDELIVERED}, were not delivered although the vendor had"
        " accepted them. Group them by code (`ops conversation undelivered`): one"
        " code for most of them is a common cause, such as a template, a sender or a carrier. Sends"
        " go on; pause the channel if they are in vain."
    ),
)
NO_CALLBACKS = AlarmRule(
    subject="NoCallbacks",
    datapoints_to_alarm=2,
    evaluation_periods=2,
    notify_on_ok=True,
    description=(
        "For an hour messages were sent and no status callback was received: the secrets have no"
        " auth token, the public address does not lead to the receiver, or the vendor does not send"
        " any. Nothing is sent or lost because of it; results are known only from scheduled"
        " lookups, if there are any. Compare the vendor's console with the receiver's log."
    ),
)
NO_VENDOR_EVENTS = replace(
    NO_CALLBACKS,
    description=(
        "For an hour messages were sent and no event of the vendor reached the events queue: the"
        " vendor's event destination is missing or disabled, or it may not publish to the topic, or"
        " the topic may not put messages on the queue. Nothing is sent or lost because of it, but"
        " the records do not show what happened to these messages, and complaints do not suppress"
        " their recipients."
    ),
)
EVENTS_DEAD_LETTERS = AlarmRule(
    subject="EventsDeadLetters",
    notify_on_ok=True,
    description=(
        "Delivery events could not be recorded because of a fault of AWS or of the worker, and are"
        " in the dead-letter queue of the events. Nothing is sent or lost because of it, but the"
        " records do not show what happened to these messages. Fix the cause, then start a redrive"
        " of that queue to its source."
    ),
)
OLDEST_EVENT = AlarmRule(
    subject="OldestEvent",
    threshold=MAX_AGE.to_seconds(),
    datapoints_to_alarm=2,
    evaluation_periods=2,
    notify_on_ok=True,
    description=(
        "Delivery events wait in their queue for longer than they should: the events worker is"
        " disabled, throttled or failing at start-up, or more events arrive than it can record."
        " Records show an earlier delivery status until it has caught up."
    ),
)
EVENTS_WORKER_ERRORS = AlarmRule(
    subject="EventsWorkerErrors",
    datapoints_to_alarm=2,
    evaluation_periods=3,
    notify_on_ok=True,
    description=(
        "Invocations of the events worker end in an error: it fails at start-up, runs out of time"
        " or memory, or has a defect. The events are delivered again automatically."
    ),
)
EVENTS_WORKER_THROTTLES = AlarmRule(
    subject="EventsWorkerThrottles",
    datapoints_to_alarm=2,
    evaluation_periods=3,
    notify_on_ok=True,
    description=(
        "Lambda throttles the events worker: the account's concurrency is used up by other"
        " functions or reserved for them. Events that were received for such an invocation have"
        " lost a delivery without being recorded."
    ),
)
RECEIVER_ERRORS = AlarmRule(
    subject="ReceiverErrors",
    datapoints_to_alarm=2,
    evaluation_periods=3,
    notify_on_ok=True,
    description=(
        "The receiver of status callbacks ends in errors: it fails at start-up, or SQS does not"
        " take the callbacks. The vendor repeats each callback a few times; after that, the record"
        " shows an earlier delivery status."
    ),
)
RECEIVER_THROTTLES = AlarmRule(
    subject="ReceiverThrottles",
    datapoints_to_alarm=2,
    evaluation_periods=3,
    notify_on_ok=True,
    description=(
        "Lambda throttles the receiver of status callbacks: more requests arrive than its reserved"
        " concurrency can answer. Anyone can send requests to it; compare their number with the"
        " number of messages sent, and raise `receiver_concurrency` if they are callbacks."
    ),
)
SECOND_MESSAGE_SUSPECTED = critical_line(
    LogEvent.SECOND_MESSAGE_SUSPECTED,
    "SecondMessageSuspected",
    "A signed status callback names another message than the record of its conversation: the"
    " recipient may have got two. The record is unchanged. Compare both ids in the vendor's console"
    " (log line `second_message_suspected`), and report it as a defect of the processor.",
)
CALLBACK_CONTRADICTS_RECORD = critical_line(
    LogEvent.CALLBACK_CONTRADICTS_RECORD,
    "CallbackContradictsRecord",
    "A signed status callback reports a message of a conversation whose record did not show a send."
    " The record now shows that the message was sent, so that it is not sent again. Find out who"
    " changed the record or sent the message (log line `callback_contradicts_record`).",
)


def add_delivery_alarms(
    scope: Construct,
    *,
    names: ChannelNames,
    channel_queue: ChannelQueue,
    worker: Processor,
    receiver: lambda_.IFunction | None,
    topic: sns.ITopic | None,
    notifier: AlarmNotifier,
) -> tuple[cloudwatch.Alarm, ...]:
    """Create all alarms over a channel's delivery events.

    Args:
        scope: The construct of the delivery events.
        names: The channel's names.
        channel_queue: The events queue and its dead-letter queue.
        worker: The events worker.
        receiver: The receiver's function; None: no callbacks are requested.
        topic: The topic of the vendor's events; None: there are none.
        notifier: Creates the alarms.
    """
    # A message that is refused after it was accepted counts like one that is refused at once.
    count_lines(
        Construct(scope, "LateAccountRefusals"),
        names=replace(
            names.log_metric(ACCOUNT_REFUSED),
            metric_filter=names.log_metric(f"Late{ACCOUNT_REFUSED}").metric_filter,
        ),
        pattern=critical_line(LogEvent.VENDOR_ACCOUNT_REFUSED, ACCOUNT_REFUSED, "").pattern,
        log_group=worker.log_group,
    )
    dead_letters, queue = channel_queue.dead_letter_queue, channel_queue.queue
    metrics: dict[AlarmRule, cloudwatch.IMetric] = {
        EVENTS_DEAD_LETTERS: dead_letters.metric_approximate_number_of_messages_visible(
            statistic="Maximum", period=PERIOD
        ),
        OLDEST_EVENT: queue.metric_approximate_age_of_oldest_message(
            statistic="Maximum", period=PERIOD
        ),
        EVENTS_WORKER_ERRORS: worker.function.metric_errors(statistic="Sum", period=PERIOD),
        EVENTS_WORKER_THROTTLES: worker.function.metric_throttles(statistic="Sum", period=PERIOD),
        UNDELIVERED_SHARE: _undelivered_share(names.metrics_namespace),
    }
    if receiver:
        metrics |= {
            RECEIVER_ERRORS: receiver.metric_errors(statistic="Sum", period=PERIOD),
            RECEIVER_THROTTLES: receiver.metric_throttles(statistic="Sum", period=PERIOD),
            NO_CALLBACKS: _sends_without(
                receiver.metric_invocations(statistic="Sum"), names.metrics_namespace
            ),
        }
    elif topic:
        metrics[NO_VENDOR_EVENTS] = _sends_without(
            topic.metric_number_of_notifications_delivered(statistic="Sum"),
            names.metrics_namespace,
        )
    on_log_lines = [
        LogAlarm(
            scope,
            rule.alarm.subject,
            names=names,
            rule=rule,
            log_group=worker.log_group,
            notifier=notifier,
        ).alarm
        for rule in (SECOND_MESSAGE_SUSPECTED, CALLBACK_CONTRADICTS_RECORD)
    ]
    return (*on_log_lines, *notifier.add_alarms(scope, names, metrics))


def _undelivered_share(namespace: str) -> cloudwatch.MathExpression:
    """Return the percentage of messages that were not delivered, or 0 if they are few.

    The worker publishes both numbers with every batch, so both have data or neither.
    """
    return cloudwatch.MathExpression(
        expression=(
            f"IF(undelivered < {MIN_UNDELIVERED}, 0, 100 * undelivered / (undelivered + delivered))"
        ),
        using_metrics={
            "undelivered": _own(namespace, Metric.MESSAGES_UNDELIVERED, statistic="Sum"),
            "delivered": _own(namespace, Metric.MESSAGES_DELIVERED, statistic="Sum"),
        },
        period=Duration.hours(1),
        label="Percent not delivered",
    )


def _sends_without(callbacks: cloudwatch.IMetric, namespace: str) -> cloudwatch.MathExpression:
    """Return 1 for a half hour with sends, in which the vendor reported nothing.

    The events that the worker receives also are the requests of lookups, so they do not count.
    """
    return cloudwatch.MathExpression(
        # Neither metric has data where nothing happened: that counts as 0.
        expression=f"IF(FILL(sends, 0) >= {MIN_SENDS} AND FILL(callbacks, 0) < 1, 1, 0)",
        using_metrics={
            "callbacks": callbacks,
            "sends": _own(namespace, Metric.MESSAGES_SENT, statistic="Sum"),
        },
        period=Duration.minutes(30),
        label="Messages sent, no callback received",
    )


def _own(
    namespace: str, metric: Metric, *, statistic: str, period: Duration | None = None
) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace, metric_name=metric, statistic=statistic, period=period
    )
