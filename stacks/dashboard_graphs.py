"""The graphs of a channel's dashboard: what it received and sent, its queues, its function."""

from collections.abc import Sequence

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from lambda_src.core.metric_names import Metric

WIDTH, HEIGHT = 8, 6
"""A graph's size in the dashboard's grid, which is 24 wide: three stand in a row."""

ENDS = {
    Metric.MESSAGES_SENT: ("Sent", cloudwatch.Color.GREEN),
    Metric.MESSAGES_SETTLED: ("Settled", cloudwatch.Color.BLUE),
    Metric.MESSAGES_RETRIED: ("Retried", cloudwatch.Color.ORANGE),
    Metric.MESSAGES_FAILED: ("Failed", cloudwatch.Color.RED),
    Metric.MESSAGES_UNKNOWN: ("Unknown", cloudwatch.Color.PURPLE),
    Metric.MESSAGES_REPEATED: ("Repeated", cloudwatch.Color.GREY),
}
"""What a delivery may end as, and how that is shown wherever it is."""

PERCENTILES = {"p50": cloudwatch.Color.BLUE, "p99": cloudwatch.Color.ORANGE}


class MessageGraphs:
    """Graphs of the runtime's own metrics.

    Args:
        namespace: Where they are.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def totals(self) -> cloudwatch.SingleValueWidget:
        """What was received and what became of it, over the time that is looked at."""
        ends = [self._sum(end, *shown) for end, shown in ENDS.items()]
        return cloudwatch.SingleValueWidget(
            title="Deliveries in this time",
            metrics=[self._sum(Metric.MESSAGES_RECEIVED, "Received"), *ends],
            set_period_to_time_range=True,
            width=3 * WIDTH,
            height=3,
        )

    def outcomes(self) -> cloudwatch.GraphWidget:
        """What the deliveries ended as, on top of each other.

        Without those that had ended before: on its way to the dead letters, a message is delivered
        many times within seconds.
        """
        ends = [self._sum(end, *ENDS[end]) for end in ENDS if end is not Metric.MESSAGES_REPEATED]
        return _graph("Outcomes", "deliveries", left=ends, stacked=True)

    def failures(self) -> cloudwatch.GraphWidget:
        """Where deliveries failed, and in what way: whatever steps and kinds there were."""
        metric = Metric.FAILURES
        schema = ",".join([f'"{self._namespace}"', *metric.dimensions])
        search = cloudwatch.SearchExpression(
            expression=f"SEARCH('{{{schema}}} MetricName=\"{metric}\"', 'Sum')",
            label="${PROP('Dim.step')} ${PROP('Dim.kind')}",
        )
        return _graph("Failures by step and kind", "deliveries", left=[search], stacked=True)

    def tokens(self) -> cloudwatch.GraphWidget:
        """What the AI was paid for."""
        tokens = {Metric.PROMPT_TOKENS: "Prompt", Metric.COMPLETION_TOKENS: "Completion"}
        sums = [self._sum(metric, label) for metric, label in tokens.items()]
        return _graph("AI tokens", "tokens", left=sums, stacked=True)

    def seconds(self, title: str, metric: Metric) -> cloudwatch.GraphWidget:
        """How long something takes, usually and at the worst."""
        lines = [
            self._metric(metric, percentile, percentile, color)
            for percentile, color in PERCENTILES.items()
        ]
        return _graph(title, "seconds", left=lines)

    def heartbeat_failures(self) -> cloudwatch.IMetric:
        """Messages that the heartbeat did not keep invisible, to be drawn with other trouble."""
        metric = Metric.HEARTBEAT_FAILURES
        return self._sum(metric, "Heartbeat failures", cloudwatch.Color.PURPLE)

    def _sum(self, metric: Metric, label: str, color: str | None = None) -> cloudwatch.IMetric:
        return self._metric(metric, cloudwatch.Stats.SUM, label, color)

    def _metric(
        self, metric: Metric, statistic: str, label: str, color: str | None
    ) -> cloudwatch.IMetric:
        return cloudwatch.Metric(
            namespace=self._namespace,
            metric_name=metric,
            statistic=statistic,
            label=label,
            color=color,
        )


def messages_waiting(queue: sqs.IQueue) -> cloudwatch.GraphWidget:
    """How many messages wait on a queue, and how many are being worked on."""
    waiting = queue.metric_approximate_number_of_messages_visible(
        statistic="Maximum", label="Visible", color=cloudwatch.Color.BLUE
    )
    at_work = queue.metric_approximate_number_of_messages_not_visible(
        statistic="Maximum", label="In flight", color=cloudwatch.Color.ORANGE
    )
    return _graph("Queue", "messages", left=[waiting, at_work])


def oldest_message(queue: sqs.IQueue) -> cloudwatch.GraphWidget:
    """For how long the oldest message of a queue has waited."""
    age = queue.metric_approximate_age_of_oldest_message(
        statistic="Maximum", label="Oldest message", color=cloudwatch.Color.BROWN
    )
    return _graph("Age of the oldest message", "seconds", left=[age])


def dead_letters(queue: sqs.IQueue) -> cloudwatch.GraphWidget:
    """How many messages were given up and still lie there."""
    letters = queue.metric_approximate_number_of_messages_visible(
        statistic="Maximum", label="Dead letters", color=cloudwatch.Color.RED
    )
    return _graph("Dead-letter queue", "messages", left=[letters])


def calls(function: lambda_.IFunction, *trouble: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    """How often a function is called, and on the right-hand axis what goes wrong with it."""
    invocations = function.metric_invocations(label="Invocations", color=cloudwatch.Color.BLUE)
    errors = function.metric_errors(label="Errors", color=cloudwatch.Color.RED)
    throttles = function.metric_throttles(label="Throttles", color=cloudwatch.Color.ORANGE)
    return _graph("Function", "calls", left=[invocations], right=[errors, throttles, *trouble])


def duration(function: lambda_.IFunction, timeout: Duration) -> cloudwatch.GraphWidget:
    """How long a function's calls take, against the time that they have."""
    lines = [
        function.metric_duration(statistic=percentile, label=percentile, color=color)
        for percentile, color in PERCENTILES.items()
    ]
    limit = _limit("Timeout", timeout.to_milliseconds())
    return _graph("Duration of a call", "milliseconds", left=lines, left_annotations=[limit])


def concurrency(function: lambda_.IFunction, maximum: int) -> cloudwatch.GraphWidget:
    """How many of a function's calls run at once, against the most that its queue makes."""
    at_once = function.metric(
        "ConcurrentExecutions", statistic="Maximum", label="At once", color=cloudwatch.Color.BLUE
    )
    limit = _limit("Maximum concurrency", maximum)
    return _graph("Concurrent calls", "calls", left=[at_once], left_annotations=[limit])


def _limit(label: str, value: float) -> cloudwatch.HorizontalAnnotation:
    return cloudwatch.HorizontalAnnotation(label=label, value=value, color=cloudwatch.Color.GREY)


def _graph(
    title: str,
    unit: str,
    *,
    left: Sequence[cloudwatch.IMetric],
    right: Sequence[cloudwatch.IMetric] = (),
    left_annotations: Sequence[cloudwatch.HorizontalAnnotation] = (),
    stacked: bool = False,
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=list(left),  # jsii takes no other sequence
        right=list(right),
        left_annotations=list(left_annotations),
        stacked=stacked,
        left_y_axis=cloudwatch.YAxisProps(label=unit, min=0, show_units=False),
        right_y_axis=cloudwatch.YAxisProps(min=0, show_units=False) if right else None,
        width=WIDTH,
        height=HEIGHT,
    )
