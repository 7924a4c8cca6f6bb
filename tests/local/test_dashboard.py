"""The dashboard's picture: its definition read, its numbers asked for, its widgets drawn."""

import json
import re
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import matplotlib.image
import pytest

from lambda_src.core.metric_names import Metric
from local.aws import Aws
from local.dashboard.calls import put_calls
from local.dashboard.definition import Line, Widget, read_definition
from local.dashboard.numbers import Numbers
from local.dashboard.picture import draw
from local.dashboard.traffic import messages
from local.errors import LocalCloudError
from local.function_logs import LogLine
from tests.infra.outline import DASHBOARD, dashboard_body
from tests.infra.synthesis import synthesize

NAMESPACE = "AIComms/WhatsAppProcessor/Dev"


def definition() -> list[Widget]:
    """What the synthesized dashboard shows."""
    joined = synthesize().properties("WhatsApp", DASHBOARD)["DashboardBody"]
    return read_definition(json.dumps(dashboard_body(joined)))


def widget(title: str) -> Widget:
    """One of its widgets."""
    [found] = [each for each in definition() if each.title == title]
    return found


def body(**properties: object) -> str:
    """A dashboard of one graph."""
    graph = {"title": "Graph", "view": "timeSeries", "metrics": []} | properties
    place = {"x": 0, "y": 0, "width": 8, "height": 6}
    return json.dumps({"widgets": [{"type": "metric", **place, "properties": graph}]})


@pytest.fixture
def numbers(embedded_aws: Aws) -> Numbers:
    """The last minute, in which a little was sent and failed, and an alarm without data."""
    now = time.time()
    put = embedded_aws.cloudwatch.put_metric_data
    put(Namespace=NAMESPACE, MetricData=[{"MetricName": "MessagesSent", "Value": 3.0}])
    put(
        Namespace=NAMESPACE,
        MetricData=[
            {
                "MetricName": "Failures",
                "Dimensions": [
                    {"Name": "step", "Value": "ai"},
                    {"Name": "kind", "Value": "transient"},
                ],
                "Values": [1.0, 1.0],
            }
        ],
    )
    for shown in widget("Alarms").alarms:
        embedded_aws.cloudwatch.put_metric_alarm(
            AlarmName=shown,
            Namespace=f"{NAMESPACE}/nothing",
            MetricName="Nothing",
            Statistic="Sum",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanOrEqualToThreshold",
            TreatMissingData="notBreaching",
        )
    return Numbers(embedded_aws, now - 50, now + 10, 5)


def test_the_synthesized_dashboard_is_read_whole() -> None:
    """Its widgets, their lines on both axes, limits and alarms."""
    assert {"alarm": 1, "singleValue": 1, "timeSeries": 12} == Counter(w.kind for w in definition())
    function = widget("Function")
    assert ["Invocations"] == [line.label for line in function.left]
    assert ["Errors", "Throttles", "Heartbeat failures"] == [line.label for line in function.right]
    assert ["Timeout"] == [limit.label for limit in widget("Duration of a call").limits]
    [search] = widget("Failures by step and kind").left
    assert {"step": None, "kind": None} == search.dimensions
    assert (NAMESPACE, Metric.FAILURES, "Sum") == (search.namespace, search.name, search.statistic)


@pytest.mark.parametrize(
    "unknown",
    [body(view="pie"), body(metrics=[[{"expression": "RATE(METRICS())"}]])],
    ids=["view", "expression"],
)
def test_what_cannot_be_drawn_is_refused(unknown: str) -> None:
    """A picture that leaves something out would not be the dashboard's."""
    with pytest.raises(LocalCloudError):
        read_definition(unknown)


def test_a_search_finds_each_combination(numbers: Numbers) -> None:
    """A line for each step and kind, labelled by them."""
    [search] = widget("Failures by step and kind").left
    found = {series.label: sum(series.points.values()) for series in numbers.series(search)}
    assert found["ai transient"] >= 2


def test_alarms_without_data_follow_their_rule(numbers: Numbers) -> None:
    """What is not breaching without data is in order, as CloudWatch says after a while."""
    shown = widget("Alarms").alarms
    assert dict.fromkeys(shown, "OK") == numbers.states(shown)


def test_the_dashboard_is_drawn(numbers: Numbers, tmp_path: Path) -> None:
    """Every widget, with data or without, in a picture of the grid's proportions."""
    picture = tmp_path / "dashboard.png"
    draw(definition(), numbers, picture, caption="A sample")
    height, width, _ = matplotlib.image.imread(picture).shape
    rows = max(each.box.y + each.box.height for each in definition())
    assert width / height == pytest.approx((24 * 0.6 + 0.6) / (rows * 0.4 + 0.6), rel=0.01)


def line(seconds: float, text: str) -> LogLine:
    """A line of the function's log, so many seconds after the hour."""
    return LogLine(round(1000 * (HOUR + seconds)), text, "stream")


def event(seconds: float, name: str) -> LogLine:
    """A line of the runtime's, with a time of its own."""
    moment = datetime.fromtimestamp(HOUR + seconds, UTC).isoformat()
    return line(60, json.dumps({"event": name, "timestamp": moment}))


HOUR = 3600 * (time.time() // 3600) - 3600
REPORT = "REPORT RequestId: 1\tDuration: 2500 ms\tBilled Duration: 2500 ms"
CALLS = [event(1, "batch_received"), event(2, "batch_received"), event(4, "batch_finished")]


def test_a_functions_calls_are_told_by_its_log(embedded_aws: Aws) -> None:
    """How many there were, how long they took, and how many at once."""
    lines = [*CALLS, event(5, "batch_finished"), line(4, REPORT), line(5, REPORT)]
    put_calls(embedded_aws, "sample", lines)

    def told(metric: str, statistic: str) -> list[float]:
        wanted = Line("AWS/Lambda", metric, statistic, "", None, {"FunctionName": "sample"})
        [series] = Numbers(embedded_aws, HOUR, HOUR + 60, 60).series(wanted)
        return list(series.points.values())

    assert [2] == told("Invocations", "Sum")
    assert [2500] == told("Duration", "p99")
    assert [2] == told("ConcurrentExecutions", "Maximum")
    assert [0] == told("Errors", "Sum")


def test_a_call_without_an_end_is_no_picture(embedded_aws: Aws) -> None:
    """Numbers that would be wrong are an error."""
    with pytest.raises(LocalCloudError, match="1 call"):
        put_calls(embedded_aws, "unfinished", CALLS)


def test_the_messages_are_made_up_ones() -> None:
    """Each to a number of its own that belongs to nobody, and some twice."""
    all_messages = messages()
    assert all(re.fullmatch(r"\+447700900\d{3}", message.recipient) for message in all_messages)
    counts = Counter(message.recipient for message in all_messages)
    assert {1, 2} == set(counts.values())
    assert sorted(message.at for message in all_messages) == [m.at for m in all_messages]
