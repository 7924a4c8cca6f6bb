"""What a channel's queues tell: messages given up, and messages that wait too long."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from stacks.names import ChannelNames
from stacks.on_call import AlarmRule, OnCall

PATIENCE = Duration.minutes(15)
"""Longer than a burst takes, or a crashed worker's message to come back; no vendor's blip."""

# One is enough: nobody but a person takes a message out of there.
DEAD_LETTERS = AlarmRule(
    subject="DeadLetters",
    tells_the_end=True,
    description=(
        "Messages that could not be sent are in the dead-letter queue; each one's record, or its"
        " log, says why. Mend the cause, then redrive or delete them. This alarm stays on until"
        " the queue is empty, and says so then."
    ),
)

# Old letters keep the alarm above on, and it tells of a state once: new ones need their own. Ten
# are a whole batch.
MORE_DEAD_LETTERS = AlarmRule(
    subject="MoreDeadLetters",
    threshold=10,
    description=(
        "The dead-letter queue grew by ten messages or more within a quarter of an hour: something"
        " fails for many at once. Look at the latest failures first; older letters may have other"
        " reasons."
    ),
)


def _oldest_message(patience: Duration) -> AlarmRule:
    """Two data points in a row, so that a burst which is worked off meanwhile wakes nobody.

    SQS leaves a message out of the age once it was received more than three times: those that fail
    again and again are told by their log lines.
    """
    return AlarmRule(
        subject="OldestMessage",
        threshold=patience.to_seconds(),
        breaching=2,
        periods=2,
        tells_the_end=True,
        description=(
            "Messages wait on the queue for longer than they should. Either nobody takes them off"
            " (event source mapping disabled, function throttled or failing at its start), or more"
            " come in than the maximum concurrency lets through, or a vendor asked for a long"
            " pause."
        ),
    )


class QueueAlarms(Construct):
    """Alarms over a queue and its dead-letter queue.

    Args:
        names: The channel's names.
        queue: The queue.
        dead_letter_queue: Where its undeliverable messages end.
        on_call: Whom the alarms tell.
        patience: How old the oldest message may become.

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
        on_call: OnCall,
        patience: Duration = PATIENCE,
    ) -> None:
        super().__init__(scope, construct_id)
        letters = dead_letter_queue.metric_approximate_number_of_messages_visible
        watched: dict[AlarmRule, cloudwatch.IMetric] = {
            DEAD_LETTERS: letters(statistic="Maximum", period=Duration.minutes(5)),
            MORE_DEAD_LETTERS: cloudwatch.MathExpression(
                # A gap in the data is not an empty queue: the last count stands until the next.
                expression="DIFF(FILL(letters, REPEAT))",
                using_metrics={"letters": letters(statistic="Maximum")},
                period=Duration.minutes(15),
                label="New dead letters",
            ),
            _oldest_message(patience): queue.metric_approximate_age_of_oldest_message(
                statistic="Maximum", period=Duration.minutes(5)
            ),
        }
        self.alarms = on_call.wake_for_all(self, names, watched)
