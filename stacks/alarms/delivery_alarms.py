"""Alarms over a channel's delivery events: receiver, events queue and worker."""

from dataclasses import replace

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from lambda_src.core.contract import LogEvent
from stacks.alarms.log_alarms import ACCOUNT_REFUSED, LogAlarm, count_lines, critical_line
from stacks.alarms.metric_alarms import MAX_AGE, PERIOD
from stacks.alarms.notifier import AlarmNotifier, AlarmRule
from stacks.channel_queue import ChannelQueue
from stacks.config import ChannelNames
from stacks.processor import Processor

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
    receiver: lambda_.IFunction,
    notifier: AlarmNotifier,
) -> tuple[cloudwatch.Alarm, ...]:
    """Create all alarms over a channel's delivery events.

    Args:
        scope: The construct of the delivery events.
        names: The channel's names.
        channel_queue: The events queue and its dead-letter queue.
        worker: The events worker.
        receiver: The receiver's function.
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
        RECEIVER_ERRORS: receiver.metric_errors(statistic="Sum", period=PERIOD),
        RECEIVER_THROTTLES: receiver.metric_throttles(statistic="Sum", period=PERIOD),
    }
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
