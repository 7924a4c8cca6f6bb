"""Alarms on AWS's own metrics: of a channel's queues and of its function."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambda_src.core.time_budget import SHUTDOWN_RESERVE_SECONDS
from stacks.alarms.notifier import AlarmNotifier, AlarmRule
from stacks.config import ChannelNames

PERIOD = Duration.minutes(5)

MAX_AGE = Duration.minutes(15)
"""Longer than a burst lasts, or than a crashed worker's message takes to become visible again."""

# One message is enough: only a person removes messages from the dead-letter queue.
DEAD_LETTERS = AlarmRule(
    subject="DeadLetters",
    threshold=1,
    notify_on_ok=True,
    description=(
        "Messages that could not be sent are in the dead-letter queue; the record or the log of"
        " each gives the reason. Fix the cause, then redrive or delete them. This alarm stays on"
        " until the queue is empty, and then notifies OK."
    ),
)

# Old dead letters keep the alarm above on, and a state is notified once: new ones need an alarm of
# their own. Ten are a whole batch.
MORE_DEAD_LETTERS = AlarmRule(
    subject="MoreDeadLetters",
    threshold=10,
    description=(
        "The dead-letter queue grew by ten messages or more within a quarter of an hour: one cause"
        " affects many messages. Look at the latest failures first; older dead letters may have"
        " other reasons."
    ),
)

# The processing of a single failed invocation is repeated within two minutes and reconciled, so
# each of the function's alarms needs two of three data points.
ERRORS = AlarmRule(
    subject="FunctionErrors",
    datapoints_to_alarm=2,
    evaluation_periods=3,
    notify_on_ok=True,
    description=(
        "Invocations of the function end in an error: it fails at start-up (a wrong environment"
        " variable, a package that does not load), runs out of time or memory, or has a defect."
        " The failure of a single message is not such an error. The messages are delivered again"
        " automatically, but each attempt uses up a delivery."
    ),
)
THROTTLES = AlarmRule(
    subject="FunctionThrottles",
    datapoints_to_alarm=2,
    evaluation_periods=3,
    notify_on_ok=True,
    description=(
        "Lambda throttles invocations of the function: the account's concurrency is used up by"
        " other functions or reserved for them. Messages that were received for such an invocation"
        " have lost a delivery without being processed."
    ),
)


def _oldest_message(max_age: Duration) -> AlarmRule:
    """Return the rule for messages that wait too long, in two data points to tolerate bursts.

    SQS excludes a message from the age once it was received more than three times; those that fail
    repeatedly are covered by the log alarms.
    """
    return AlarmRule(
        subject="OldestMessage",
        threshold=max_age.to_seconds(),
        datapoints_to_alarm=2,
        evaluation_periods=2,
        notify_on_ok=True,
        description=(
            "Messages wait in the queue for longer than they should. Either they are not received"
            " (event source mapping disabled, function throttled or failing at start-up), or more"
            " arrive than the maximum concurrency can process, or a vendor requested a long pause."
        ),
    )


def _near_timeout(timeout: Duration) -> AlarmRule:
    """Return the rule for invocations that had to stop with work left."""
    return AlarmRule(
        subject="FunctionNearTimeout",
        threshold=timeout.to_milliseconds() - 1_000 * SHUTDOWN_RESERVE_SECONDS,
        datapoints_to_alarm=2,
        evaluation_periods=3,
        notify_on_ok=True,
        description=(
            "Invocations of the function use nearly all of their time: messages still in progress"
            " are stopped and returned to the queue (log line `cut_off`), and a send in progress"
            " has to be reconciled. Find out what they wait for: a slow vendor, or a table that"
            " does not respond."
        ),
    )


class QueueAlarms(Construct):
    """Alarms over a queue and its dead-letter queue.

    Args:
        names: The channel's names.
        queue: The queue.
        dead_letter_queue: Its dead-letter queue.
        notifier: Creates the alarms.
        max_age: The age of the oldest message that raises an alarm.

    Attributes:
        alarms: All of them.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        queue: sqs.IQueue,
        dead_letter_queue: sqs.IQueue,
        notifier: AlarmNotifier,
        max_age: Duration = MAX_AGE,
    ) -> None:
        super().__init__(scope, construct_id)
        dead_letters = dead_letter_queue.metric_approximate_number_of_messages_visible(
            statistic="Maximum", period=PERIOD
        )
        metrics: dict[AlarmRule, cloudwatch.IMetric] = {
            DEAD_LETTERS: dead_letters,
            MORE_DEAD_LETTERS: cloudwatch.MathExpression(
                # Without data the queue is not empty: the last count holds until the next.
                expression="DIFF(FILL(letters, REPEAT))",
                using_metrics={"letters": dead_letters},
                period=Duration.minutes(15),
                label="New dead letters",
            ),
            _oldest_message(max_age): queue.metric_approximate_age_of_oldest_message(
                statistic="Maximum", period=PERIOD
            ),
        }
        self.alarms = notifier.add_alarms(self, names, metrics)


class FunctionAlarms(Construct):
    """Alarms over a function, all versions and aliases together.

    The duration is the maximum, not a percentile: one stopped invocation in a hundred can leave a
    send of unknown outcome.

    Args:
        names: The channel's names.
        function: The function.
        timeout: The function's timeout.
        notifier: Creates the alarms.

    Attributes:
        alarms: All of them.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        function: lambda_.IFunction,
        timeout: Duration,
        notifier: AlarmNotifier,
    ) -> None:
        super().__init__(scope, construct_id)
        metrics: dict[AlarmRule, cloudwatch.IMetric] = {
            ERRORS: function.metric_errors(statistic="Sum", period=PERIOD),
            THROTTLES: function.metric_throttles(statistic="Sum", period=PERIOD),
            _near_timeout(timeout): function.metric_duration(statistic="Maximum", period=PERIOD),
        }
        self.alarms = notifier.add_alarms(self, names, metrics)
