"""What Lambda tells of a channel's function: calls that fail, wait or run out of time."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from lambda_src.core.timing import RETURN_SECONDS
from stacks.names import ChannelNames
from stacks.on_call import AlarmRule, OnCall

PERIOD = Duration.minutes(5)

# What a single lost call held is delivered again within two minutes, and settled: only what goes on
# needs a person. So two of three data points, for each of these.
ERRORS = AlarmRule(
    subject="FunctionErrors",
    breaching=2,
    periods=3,
    tells_the_end=True,
    description=(
        "Calls of the function end in an error: it fails at its start (a wrong environment"
        " variable, a package that does not load), runs out of time or memory, or has a defect."
        " Single messages that fail are no such error. Their messages come back by themselves,"
        " but each try uses up a delivery."
    ),
)
THROTTLES = AlarmRule(
    subject="FunctionThrottles",
    breaching=2,
    periods=3,
    tells_the_end=True,
    description=(
        "Lambda refuses calls of the function: the account's concurrency is used up, by others or"
        " by reserved shares. Messages that were taken off the queue for such a call have lost a"
        " delivery without being worked on."
    ),
)


def _near_timeout(timeout: Duration) -> AlarmRule:
    """Whatever is still at work when only the time for the end is left was cut off."""
    return AlarmRule(
        subject="FunctionNearTimeout",
        threshold=timeout.to_milliseconds() - 1_000 * RETURN_SECONDS,
        breaching=2,
        periods=3,
        tells_the_end=True,
        description=(
            "Calls of the function take nearly all the time that they have: what they were still"
            " working on is cut off and put back on the queue (log line `cut_off`), and a send that"
            " was under way has to be settled. See what they wait for: a slow vendor, or a table"
            " that does not answer."
        ),
    )


class FunctionAlarms(Construct):
    """Alarms over a function, all versions and aliases together.

    The longest call counts, not a percentile: one in a hundred that is cut off is a message whose
    fate is unknown.

    Args:
        names: The channel's names.
        function: The function.
        timeout: Its own.
        on_call: Whom the alarms tell.

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
        on_call: OnCall,
    ) -> None:
        super().__init__(scope, construct_id)
        watched: dict[AlarmRule, cloudwatch.IMetric] = {
            ERRORS: function.metric_errors(statistic="Sum", period=PERIOD),
            THROTTLES: function.metric_throttles(statistic="Sum", period=PERIOD),
            _near_timeout(timeout): function.metric_duration(statistic="Maximum", period=PERIOD),
        }
        self.alarms = on_call.wake_for_all(self, names, watched)
