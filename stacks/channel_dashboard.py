"""A channel's dashboard: its alarms, messages, queues and function."""

from collections.abc import Iterator, Sequence

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk.region_info import RegionInfo
from constructs import Construct

from lambda_src.core.contract import Metric
from stacks.config import ChannelNames
from stacks.delivery_events import DeliveryEvents
from stacks.scheduled_job import ScheduledJob
from stacks.vendor_check import VendorCheck

WIDTH, HEIGHT = 8, 6
"""A graph's size in the dashboard's grid, which has 24 columns: three graphs in a row."""
FULL_WIDTH = 3 * WIDTH
HALF_WIDTH = FULL_WIDTH // 2
ALARMS_PER_ROW = 6

OUTCOMES = {
    Metric.MESSAGES_SENT: ("Sent", cloudwatch.Color.GREEN),
    Metric.MESSAGES_SETTLED: ("Settled", cloudwatch.Color.BLUE),
    Metric.MESSAGES_RETRIED: ("Retried", cloudwatch.Color.ORANGE),
    Metric.MESSAGES_FAILED: ("Failed", cloudwatch.Color.RED),
    Metric.MESSAGES_UNKNOWN: ("Unknown", cloudwatch.Color.PURPLE),
    Metric.MESSAGES_REPEATED: ("Repeated", cloudwatch.Color.GREY),
    Metric.MESSAGES_HELD: ("Held", cloudwatch.Color.BROWN),
}
"""The outcomes of a delivery, each with its label and colour."""

CONSOLE_HOST = "console.aws.amazon.com"
CONSOLE_HOSTS = {
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}
"""Hosts of the consoles of the partitions other than the commercial one."""

PERCENTILES = {"p50": cloudwatch.Color.BLUE, "p99": cloudwatch.Color.ORANGE}


class ChannelDashboard(Construct):
    """Dashboard of one channel; its rows lead from what needs attention to what explains it.

    Args:
        names: The channel's names.
        queue: The channel's queue.
        dead_letter_queue: Its dead-letter queue.
        function: The processor.
        timeout: The function's timeout.
        maximum_concurrency: Of the event source mapping.
        alarms: The alarms in the first row.
        delivery_events: What happens to sent messages; None: there are no such rows.
        scheduled_job: What it finds, in the last rows; None: there are none.
        vendor_check: What it finds, likewise.

    Attributes:
        dashboard: The dashboard.
        url: Its address in the console.
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
        delivery_events: DeliveryEvents | None = None,
        scheduled_job: ScheduledJob | None = None,
        vendor_check: VendorCheck | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        messages = _MessageGraphs(names.metrics_namespace)
        self.dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=names.dashboard,
            default_interval=Duration.hours(12),
            widgets=[
                [_alarm_states(alarms)],
                [messages.totals()],
                [messages.outcomes(), messages.failures(), messages.tokens()],
                [
                    _queue_depth(queue),
                    _oldest_message(queue),
                    _dead_letters(dead_letter_queue),
                ],
                [
                    messages.seconds("From request to message", Metric.END_TO_END_SECONDS),
                    messages.seconds("AI", Metric.AI_SECONDS),
                    messages.seconds("Send", Metric.SEND_SECONDS),
                ],
                [
                    _invocations(function, messages.heartbeat_failures()),
                    _duration(function, timeout),
                    _concurrency(function, maximum_concurrency),
                ],
                *(_delivery_rows(messages, delivery_events) if delivery_events else ()),
                *(_scheduled_rows(messages, scheduled_job) if scheduled_job else ()),
                *([_vendor_row(messages, vendor_check)] if vendor_check else ()),
            ],
        )
        partition = RegionInfo.get(Stack.of(self).region).partition or "aws"
        self.url = (
            f"https://{Aws.REGION}.{CONSOLE_HOSTS.get(partition, CONSOLE_HOST)}/cloudwatch/home"
            f"?region={Aws.REGION}#dashboards/dashboard/{names.dashboard}"
        )


class _MessageGraphs:
    """Graphs of the runtime's own metrics, which are in one namespace."""

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace

    def totals(self) -> cloudwatch.SingleValueWidget:
        """Return the numbers of deliveries and of each outcome in the selected time range."""
        outcomes = [self._sum(outcome, *shown) for outcome, shown in OUTCOMES.items()]
        return cloudwatch.SingleValueWidget(
            title="Deliveries in this time",
            metrics=[self._sum(Metric.MESSAGES_RECEIVED, "Received"), *outcomes],
            set_period_to_time_range=True,
            width=FULL_WIDTH,
            height=3,
        )

    def outcomes(self) -> cloudwatch.GraphWidget:
        """Return the deliveries by outcome, stacked.

        Repeated deliveries are left out: a failed message is delivered many times within seconds
        before it reaches the dead-letter queue.
        """
        outcomes = [
            self._sum(outcome, *shown)
            for outcome, shown in OUTCOMES.items()
            if outcome is not Metric.MESSAGES_REPEATED
        ]
        return _graph("Outcomes", "deliveries", left=outcomes, stacked=True)

    def failures(self) -> cloudwatch.GraphWidget:
        """Return the failures by step and kind, for every combination that occurred."""
        metric = Metric.FAILURES
        schema = ",".join([f'"{self._namespace}"', *metric.dimensions])
        search = cloudwatch.SearchExpression(
            expression=f"SEARCH('{{{schema}}} MetricName=\"{metric}\"', 'Sum')",
            label="${PROP('Dim.step')} ${PROP('Dim.kind')}",
        )
        return _graph("Failures by step and kind", "deliveries", left=[search], stacked=True)

    def delivery(self) -> cloudwatch.GraphWidget:
        """Return the messages that were delivered, read and not delivered."""
        reached = [
            self._sum(Metric.MESSAGES_DELIVERED, "Delivered", cloudwatch.Color.GREEN),
            self._sum(Metric.MESSAGES_READ, "Read", cloudwatch.Color.BLUE),
            self._sum(Metric.MESSAGES_UNDELIVERED, "Not delivered", cloudwatch.Color.RED),
        ]
        return _graph("After the send", "messages", left=reached)

    def delivery_events(self) -> cloudwatch.GraphWidget:
        """Return the delivery events that were received, and those that changed no record."""
        received = self._sum(Metric.EVENTS_RECEIVED, "Received", cloudwatch.Color.BLUE)
        dropped = self._sum(Metric.EVENTS_DROPPED, "Dropped", cloudwatch.Color.ORANGE)
        return _graph("Delivery events", "events", left=[received, dropped])

    def lookups_requested(self) -> cloudwatch.GraphWidget:
        """Return the lookups that the scheduled job requested."""
        requested = self._sum(Metric.LOOKUPS_REQUESTED, "Requested", cloudwatch.Color.BLUE)
        return _graph("Delivery lookups", "lookups", left=[requested], width=HALF_WIDTH)

    def approved_queued(self) -> cloudwatch.GraphWidget:
        """Return drafts that failed their checks, and approved ones that the job queued again."""
        queued = self._sum(Metric.APPROVED_QUEUED, "Approved, queued again", cloudwatch.Color.BLUE)
        failed = self._sum(Metric.CHECKS_FAILED, "Checks failed", cloudwatch.Color.ORANGE)
        return _graph("Drafts", "drafts", left=[failed, queued])

    def oldest_lookup(self) -> cloudwatch.GraphWidget:
        """Return the age of the oldest lookup that is due."""
        metric = Metric.OLDEST_LOOKUP_SECONDS
        age = self._metric(metric, "Maximum", "Oldest lookup", cloudwatch.Color.BROWN)
        return _graph("Age of the oldest lookup due", "seconds", left=[age], width=HALF_WIDTH)

    def oldest_draft(self) -> cloudwatch.GraphWidget:
        """Return the age of the oldest held draft."""
        metric = Metric.OLDEST_DRAFT_SECONDS
        age = self._metric(metric, "Maximum", "Oldest draft", cloudwatch.Color.BROWN)
        return _graph("Age of the oldest held draft", "seconds", left=[age])

    def retired(self, *, has_templates: bool) -> cloudwatch.GraphWidget:
        """Return the models that end soon, and the templates that are not approved."""
        found = {Metric.MODELS_RETIRING: ("Models", cloudwatch.Color.ORANGE)}
        if has_templates:
            found[Metric.TEMPLATES_NOT_APPROVED] = ("Templates", cloudwatch.Color.RED)
        lines = [self._metric(metric, "Maximum", *shown) for metric, shown in found.items()]
        return _graph("Retired by vendors", "number", left=lines, width=HALF_WIDTH)

    def tokens(self) -> cloudwatch.GraphWidget:
        """Return the AI's tokens, which are billed."""
        tokens = {Metric.PROMPT_TOKENS: "Prompt", Metric.COMPLETION_TOKENS: "Completion"}
        sums = [self._sum(metric, label) for metric, label in tokens.items()]
        return _graph("AI tokens", "tokens", left=sums, stacked=True)

    def seconds(self, title: str, metric: Metric) -> cloudwatch.GraphWidget:
        """Return a duration's median and 99th percentile."""
        lines = [self._metric(metric, *percentile) for percentile in _percentiles()]
        return _graph(title, "seconds", left=lines)

    def heartbeat_failures(self) -> cloudwatch.IMetric:
        """Return the number of messages whose visibility timeout was not extended."""
        metric = Metric.HEARTBEAT_FAILURES
        return self._sum(metric, "Heartbeat failures", cloudwatch.Color.PURPLE)

    def _sum(self, metric: Metric, label: str, color: str | None = None) -> cloudwatch.IMetric:
        return self._metric(metric, "Sum", label, color)

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


def _delivery_rows(
    messages: _MessageGraphs, events: DeliveryEvents
) -> tuple[list[cloudwatch.IWidget], ...]:
    queue, dead_letters = events.channel_queue.queue, events.channel_queue.dead_letter_queue
    return (
        [
            messages.delivery(),
            messages.delivery_events(),
            _oldest_message(queue, "Age of the oldest event"),
        ],
        [
            _dead_letters(dead_letters, "Dead-letter queue of the events"),
            _invocations(events.worker.function, title="Events worker"),
            *([_invocations(events.receiver, title="Receiver")] if events.receiver else ()),
        ],
    )


def _scheduled_rows(
    messages: _MessageGraphs, job: ScheduledJob
) -> Iterator[list[cloudwatch.IWidget]]:
    yield [
        messages.oldest_draft(),
        messages.approved_queued(),
        _invocations(job.function, title="Scheduled job"),
    ]
    if job.requests_lookups:
        yield [messages.lookups_requested(), messages.oldest_lookup()]


def _vendor_row(messages: _MessageGraphs, check: VendorCheck) -> list[cloudwatch.IWidget]:
    return [
        messages.retired(has_templates=check.checks_templates),
        _invocations(check.function, title="Vendor check", width=HALF_WIDTH),
    ]


def _percentiles() -> list[tuple[str, str, str]]:
    """Return statistic, label and colour of each percentile that is drawn."""
    return [(name, name, color) for name, color in PERCENTILES.items()]


def _alarm_states(alarms: Sequence[cloudwatch.IAlarm]) -> cloudwatch.AlarmStatusWidget:
    rows = -(-len(alarms) // ALARMS_PER_ROW)
    return cloudwatch.AlarmStatusWidget(
        title="Alarms", alarms=list(alarms), width=FULL_WIDTH, height=1 + rows
    )


def _queue_depth(queue: sqs.IQueue) -> cloudwatch.GraphWidget:
    visible = queue.metric_approximate_number_of_messages_visible(
        statistic="Maximum", label="Visible", color=cloudwatch.Color.BLUE
    )
    in_flight = queue.metric_approximate_number_of_messages_not_visible(
        statistic="Maximum", label="In flight", color=cloudwatch.Color.ORANGE
    )
    return _graph("Queue", "messages", left=[visible, in_flight])


def _oldest_message(
    queue: sqs.IQueue, title: str = "Age of the oldest message"
) -> cloudwatch.GraphWidget:
    age = queue.metric_approximate_age_of_oldest_message(
        statistic="Maximum", label="Oldest message", color=cloudwatch.Color.BROWN
    )
    return _graph(title, "seconds", left=[age])


def _dead_letters(queue: sqs.IQueue, title: str = "Dead-letter queue") -> cloudwatch.GraphWidget:
    dead_letters = queue.metric_approximate_number_of_messages_visible(
        statistic="Maximum", label="Dead letters", color=cloudwatch.Color.RED
    )
    return _graph(title, "messages", left=[dead_letters])


def _invocations(
    function: lambda_.IFunction,
    *failures: cloudwatch.IMetric,
    title: str = "Function",
    width: int = WIDTH,
) -> cloudwatch.GraphWidget:
    invocations = function.metric_invocations(label="Invocations", color=cloudwatch.Color.BLUE)
    errors = function.metric_errors(label="Errors", color=cloudwatch.Color.RED)
    throttles = function.metric_throttles(label="Throttles", color=cloudwatch.Color.ORANGE)
    problems = [errors, throttles, *failures]
    return _graph(title, "calls", left=[invocations], right=problems, width=width)


def _duration(function: lambda_.IFunction, timeout: Duration) -> cloudwatch.GraphWidget:
    lines: list[cloudwatch.IMetric] = [
        function.metric_duration(statistic=statistic, label=label, color=color)
        for statistic, label, color in _percentiles()
    ]
    limit = _limit("Timeout", timeout.to_milliseconds())
    return _graph("Duration of a call", "milliseconds", left=lines, limits=[limit])


def _concurrency(function: lambda_.IFunction, maximum: int) -> cloudwatch.GraphWidget:
    at_once = function.metric(
        "ConcurrentExecutions", statistic="Maximum", label="At once", color=cloudwatch.Color.BLUE
    )
    limit = _limit("Maximum concurrency", maximum)
    return _graph("Concurrent calls", "calls", left=[at_once], limits=[limit])


def _limit(label: str, value: float) -> cloudwatch.HorizontalAnnotation:
    return cloudwatch.HorizontalAnnotation(label=label, value=value, color=cloudwatch.Color.GREY)


def _graph(
    title: str,
    unit: str,
    *,
    left: list[cloudwatch.IMetric],
    right: list[cloudwatch.IMetric] | None = None,
    limits: list[cloudwatch.HorizontalAnnotation] | None = None,
    stacked: bool = False,
    width: int = WIDTH,
) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(
        title=title,
        left=left,
        right=right,
        left_annotations=limits,
        stacked=stacked,
        left_y_axis=cloudwatch.YAxisProps(label=unit, min=0, show_units=False),
        right_y_axis=cloudwatch.YAxisProps(min=0, show_units=False) if right else None,
        width=width,
        height=HEIGHT,
    )
