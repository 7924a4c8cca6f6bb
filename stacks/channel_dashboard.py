"""A channel at a glance: its alarms, its messages, its queues and its function."""

from collections.abc import Sequence

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from lambda_src.core.metric_names import Metric
from stacks import dashboard_graphs as graphs
from stacks.names import ChannelNames

FULL_WIDTH = 3 * graphs.WIDTH
ALARMS_IN_A_ROW = 6


class ChannelDashboard(Construct):
    """Dashboard over one channel, whose rows go from what needs a person to what explains it.

    Args:
        names: The channel's names.
        queue: The channel's queue.
        dead_letter_queue: Where its undeliverable messages end.
        function: The processor.
        timeout: The function's own.
        maximum_concurrency: The mapping's.
        alarms: Those shown in the first row.

    Attributes:
        dashboard: The dashboard.
        url: Where the console shows it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        names: ChannelNames,
        queue: sqs.IQueue,
        dead_letter_queue: sqs.IQueue,
        function: lambda_.IFunction,
        timeout: Duration,
        maximum_concurrency: int,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, construct_id)
        messages = graphs.MessageGraphs(names.metrics_namespace)
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=names.dashboard,
            default_interval=Duration.hours(12),
            widgets=[
                [_alarms(alarms)],
                [messages.totals()],
                [messages.outcomes(), messages.failures(), messages.tokens()],
                [
                    graphs.messages_waiting(queue),
                    graphs.oldest_message(queue),
                    graphs.dead_letters(dead_letter_queue),
                ],
                [
                    messages.seconds("From request to message", Metric.END_TO_END_SECONDS),
                    messages.seconds("AI", Metric.AI_SECONDS),
                    messages.seconds("Send", Metric.SEND_SECONDS),
                ],
                [
                    graphs.calls(function, messages.heartbeat_failures()),
                    graphs.duration(function, timeout),
                    graphs.concurrency(function, maximum_concurrency),
                ],
            ],
        )
        self.url = (
            f"https://{Aws.REGION}.console.aws.amazon.com/cloudwatch/home"
            f"?region={Aws.REGION}#dashboards/dashboard/{names.dashboard}"
        )


def alarms_in(scope: Construct) -> list[cloudwatch.Alarm]:
    """Return every alarm below a construct, in the order in which they were made."""
    return [part for part in scope.node.find_all() if isinstance(part, cloudwatch.Alarm)]


def _alarms(alarms: Sequence[cloudwatch.IAlarm]) -> cloudwatch.AlarmStatusWidget:
    rows = -(-len(alarms) // ALARMS_IN_A_ROW)
    return cloudwatch.AlarmStatusWidget(
        title="Alarms", alarms=list(alarms), width=FULL_WIDTH, height=1 + rows
    )
