"""What the local cloud adds to its embedded AWS: logs, metrics, DynamoDB's faults, secrets."""

import json
import os
import queue
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from zipfile import ZipFile

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from mypy_boto3_dynamodb import DynamoDBClient

from local import paths
from local.aws import Aws
from local.channel import Channel, Resources
from local.cloud import ACCOUNT, REGION
from local.contexts import EXAMPLE
from local.dynamodb_proxy import DynamoDBError, DynamoDBProxy
from local.emulator.alerts import AlertSubscription
from local.emulator.feed import Feed
from local.emulator.function_logs import LogReader
from local.emulator.metric_relay import MetricRelay, RelayThread
from local.emulator.ministack_process import log_of_invocation, read_log
from local.errors import LocalCloudError
from local.fakes import Fault, Match, Rule
from local.message_tracker import MessageState, MessageTracker
from tests.support.metrics import metric_sum

MORE_THAN_A_RESPONSE = 10_050
"""The embedded AWS returns at most 5,000 lines at a time."""
PATTERN = '{ ($.level = "CRITICAL") && ($.event = "lost") }'
MATCHING = json.dumps({"level": "CRITICAL", "event": "lost"})
OTHER = json.dumps({"level": "INFO", "event": "lost"})
MAX_EVENTS = 5_000  # in a request
ITEM: Any = {"id": {"S": "a"}}


class LogGroup:
    """A log group with one stream, one metric filter, and the filter's metric `Lost`.

    Attributes:
        name: of the log group, and of the metric's namespace.
    """

    def __init__(self, aws: Aws, *, value: str = "1") -> None:
        self._aws = aws
        self.name = uuid.uuid4().hex
        aws.logs.create_log_group(logGroupName=self.name)
        aws.logs.create_log_stream(logGroupName=self.name, logStreamName="one")
        lost: Any = {"metricName": "Lost", "metricNamespace": self.name, "metricValue": value}
        aws.logs.put_metric_filter(
            logGroupName=self.name,
            filterName="lost",
            filterPattern=PATTERN,
            metricTransformations=[lost],
        )

    def write(self, *lines: str, first_at: int = 0, interval: int = 0) -> None:
        """Log lines; times in milliseconds, the first now by default."""
        first = first_at or int(time.time() * 1000)
        events = [
            {"timestamp": first + interval * number, "message": line}
            for number, line in enumerate(lines)
        ]
        for start in range(0, len(events), MAX_EVENTS):
            self._aws.logs.put_log_events(
                logGroupName=self.name,
                logStreamName="one",
                logEvents=events[start : start + MAX_EVENTS],  # type: ignore[arg-type]  # as needed
            )

    def sum(self, metric: str = "Lost", **dimensions: str) -> float:
        """Return the sum of a metric's data points."""
        return metric_sum(self._aws, self.name, metric, **dimensions)

    def embedded(self, values: dict[str, object], *dimensions: str) -> str:
        """Return a line in the embedded metric format; values other than dimensions are metrics."""
        metrics = [{"Name": name, "Unit": "Count"} for name in values if name not in dimensions]
        directive = {"Namespace": self.name, "Dimensions": [[*dimensions]], "Metrics": metrics}
        envelope = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
        return json.dumps({"_aws": envelope, **values})


def test_log_lines_are_read_once(aws: Aws) -> None:
    """Each line is read once and in order, however many there are and however close in time."""
    log_group, now = LogGroup(aws), int(time.time()) * 1_000
    reader = LogReader(aws, log_group.name)
    lines = [str(number) for number in range(MORE_THAN_A_RESPONSE)]
    log_group.write(*lines, first_at=now - len(lines), interval=1)
    assert lines == [line.text for line in reader.new_lines()]
    log_group.write("another", first_at=now)
    assert ["another"] == [line.text for line in reader.new_lines()]


def test_matching_lines_become_data_points(aws: Aws) -> None:
    """Each matching line adds the filter's value once, even if equal ones have the same time."""
    log_group = LogGroup(aws, value="2")
    relay = MetricRelay(aws, log_group.name, Feed(aws, 0))
    log_group.write(MATCHING, OTHER, "no JSON", MATCHING)
    assert [2, 0] == [relay.update(), relay.update()]
    log_group.write(MATCHING)
    assert [1, 0] == [relay.update(), relay.update()]
    assert 6 == log_group.sum()


def test_embedded_metrics_become_data_points(aws: Aws) -> None:
    """A line with metrics adds all their values, by its dimensions, and once."""
    log_group = LogGroup(aws)
    relay = MetricRelay(aws, log_group.name, Feed(aws, 0))
    log_group.write(log_group.embedded({"Sent": [1, 2, 3], "Received": 4}))
    log_group.write(log_group.embedded({"step": "ai", "Failures": [5]}, "step"))
    assert [3, 0] == [relay.update(), relay.update()]
    assert (6, 4) == (log_group.sum("Sent"), log_group.sum("Received"))
    assert (5, 0) == (log_group.sum("Failures", step="ai"), log_group.sum("Failures", step="send"))


def _put_alarm(aws: Aws, name: str, **properties: Any) -> None:
    """Create an alarm on the metric `Lost` of the namespace that begins its name."""
    default: dict[str, Any] = {
        "Namespace": name.partition(" ")[0],
        "MetricName": "Lost",
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
    }
    aws.cloudwatch.put_metric_alarm(AlarmName=name, **default | properties)


def _states(aws: Aws, namespace: str, *data: Any) -> dict[str, str]:
    """Publish data of the metric `Lost`; return the states of the namespace's alarms."""
    data = tuple({"MetricName": "Lost", "Value": 1, **datum} for datum in data)
    # CloudWatch evaluates alarms every minute, the embedded AWS when any metric is published.
    other: Any = {"MetricName": "Other", "Value": 1}
    aws.cloudwatch.put_metric_data(Namespace=namespace, MetricData=[*data, other])
    found = aws.cloudwatch.describe_alarms(AlarmNamePrefix=namespace)["MetricAlarms"]
    return {each["AlarmName"].removeprefix(f"{namespace} "): each["StateValue"] for each in found}


def test_an_alarm_is_on_the_metric_with_its_dimensions(aws: Aws) -> None:
    """A data point sets off the alarm on its own dimensions only."""
    namespace = uuid.uuid4().hex
    for name in ("one", "two", "none"):
        dimensions = [{"Name": "Queue", "Value": name}] if name != "none" else []
        _put_alarm(aws, f"{namespace} {name}", Dimensions=dimensions)
    states = _states(aws, namespace, {"Dimensions": [{"Name": "Queue", "Value": "two"}]})
    assert {"one": "OK", "two": "ALARM", "none": "OK"} == states


def test_an_alarm_needs_its_data_points_and_ends_without_data(aws: Aws) -> None:
    """Each period is evaluated by itself; a missing one is treated as the alarm says."""
    namespace, now = uuid.uuid4().hex, time.time()
    topic_arn = aws.sns.create_topic(Name=namespace)["TopicArn"]
    subscription = AlertSubscription(aws, topic_arn)
    needed = {"EvaluationPeriods": 3, "DatapointsToAlarm": 2}
    _put_alarm(aws, f"{namespace} two of three", **needed)
    _put_alarm(aws, f"{namespace} two in one", Threshold=2)
    _put_alarm(aws, f"{namespace} no data", MetricName="None", OKActions=[topic_arn])
    _put_alarm(aws, f"{namespace} breaching", MetricName="None", TreatMissingData="breaching")
    aws.cloudwatch.set_alarm_state(
        AlarmName=f"{namespace} no data", StateValue="ALARM", StateReason="it was"
    )
    ended = {"no data": "OK", "breaching": "ALARM"}
    latest, earlier = ({"Timestamp": now - age} for age in (10, 410))
    assert {"two of three": "OK", "two in one": "OK", **ended} == _states(aws, namespace, latest)
    assert "OK" in [alert.state for alert in subscription.all_alerts()]
    states = _states(aws, namespace, earlier)
    assert {"two of three": "ALARM", "two in one": "OK", **ended} == states


def test_the_thread_raises_its_error_at_the_end(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in the relay's thread is raised at the end of its block."""
    monkeypatch.setattr(RelayThread, "_INTERVAL_SECONDS", 0)
    reader = LogReader(aws, "no-such-log-group")
    with (
        pytest.raises(LocalCloudError, match="no log group no-such-log-group"),
        RelayThread(reader.new_lines) as thread,
    ):
        thread.join(60)


@pytest.fixture
def proxy(aws: Aws) -> Iterator[DynamoDBProxy]:
    """Run a proxy in front of the embedded AWS."""
    with DynamoDBProxy(aws.endpoint) as proxy:
        yield proxy


class _Table(NamedTuple):
    """A table with the number of one item."""

    client: DynamoDBClient
    name: str

    def update(self, number: int) -> None:
        self.client.update_item(
            TableName=self.name,
            Key=ITEM,
            UpdateExpression="SET n = :n",
            ExpressionAttributeValues={":n": {"N": str(number)}},
        )

    def number(self) -> int:
        return int(self.client.get_item(TableName=self.name, Key=ITEM)["Item"]["n"]["N"])


@pytest.fixture
def table(proxy: DynamoDBProxy, aws: Aws) -> _Table:
    """Create a table through the proxy, with the number 1."""
    table = _Table(replace(aws, endpoint=proxy.base_url).dynamodb, uuid.uuid4().hex)
    table.client.create_table(
        TableName=table.name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    table.update(1)
    return table


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DynamoDBError.ACCESS_DENIED, "AccessDeniedException"),
        (DynamoDBError.THROTTLED, "ThrottlingException"),
        (DynamoDBError.SERVER_ERROR, "InternalServerError"),
    ],
)
def test_an_injected_error_is_one_of_dynamodbs(
    proxy: DynamoDBProxy, table: _Table, error: DynamoDBError, code: str
) -> None:
    """A failed request raises DynamoDB's error and changes nothing, until the rules are cleared."""
    proxy.fail("UpdateItem", error)
    with pytest.raises(ClientError) as raised:
        table.update(2)
    assert code == raised.value.response["Error"]["Code"]
    assert 1 == table.number()
    assert proxy.failed_count > 0
    proxy.clear_faults()
    table.update(2)
    assert 2 == table.number()


@pytest.mark.parametrize(
    "fault",
    [DynamoDBError.SERVER_ERROR.fault(effect_applied=True), Fault.reset(effect_applied=True)],
)
def test_a_response_can_be_lost(proxy: DynamoDBProxy, table: _Table, fault: Fault) -> None:
    """A request can take effect although its sender receives an error."""
    proxy.add_rule(Rule(fault, Match(paths=("/UpdateItem",)), times=None))
    with pytest.raises((ClientError, BotoCoreError)):
        table.update(2)
    assert 2 == table.number()
    assert fault.kind in {request.fault for request in proxy.requests}


def test_clearing_the_history_keeps_the_rules(proxy: DynamoDBProxy, table: _Table) -> None:
    """Requests are forgotten; what is to fail fails."""
    proxy.fail("UpdateItem", DynamoDBError.ACCESS_DENIED)
    proxy.clear_history()
    assert [] == proxy.requests
    with pytest.raises(ClientError, match="AccessDenied"):
        table.update(2)


def _channel(aws: Aws, **names: str) -> Channel:
    """Return a channel that has only a new queue, and resources with these names."""
    url = aws.sqs.create_queue(QueueName=uuid.uuid4().hex)["QueueUrl"]
    everything: dict[str, Any] = dict.fromkeys(Resources.__annotations__, "") | {"queue_url": url}
    return Channel(aws, Resources(**everything | names))


def test_a_function_that_cannot_start_is_reported(aws: Aws, tmp_path: Path) -> None:
    """The message's state is final as soon as its function has failed to start, with the error."""
    archive = tmp_path / "code.zip"
    with ZipFile(archive, "w") as code:
        code.writestr("index.py", "raise ValueError('CHANNEL: expected a name')")
    name = uuid.uuid4().hex
    aws.functions.create_function(
        FunctionName=name,
        Role=f"arn:aws:iam::{ACCOUNT}:role/any",
        Code={"ZipFile": archive.read_bytes()},
        Handler="index.handler",
        Runtime="python3.13",
    )
    aws.logs.create_log_group(logGroupName=f"/aws/lambda/{name}")
    dead_letters = _channel(aws).resources.queue_url
    channel = _channel(aws, log_group=f"/aws/lambda/{name}", dead_letter_queue_url=dead_letters)
    queue_name = channel.resources.queue_url.rpartition("/")[2]
    source = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue_name}"
    aws.functions.create_event_source_mapping(EventSourceArn=source, FunctionName=name)
    status = MessageTracker.send(channel, "{}").wait(30)
    assert (MessageState.NOT_STARTED, 0) == (status.state, status.deliveries)
    assert "CHANNEL: expected a name" in status.reason


def test_a_company_is_a_message_group(aws: Aws) -> None:
    """A context object is sent in its company's group; a body without a company has none."""
    channel, body = _channel(aws), EXAMPLE.read_text("utf-8")

    channel.send(body)
    channel.send("no context object")

    received = aws.sqs.receive_message(
        QueueUrl=channel.resources.queue_url,
        MaxNumberOfMessages=10,
        MessageSystemAttributeNames=["MessageGroupId"],
    )["Messages"]
    groups = {each["Body"]: each.get("Attributes", {}).get("MessageGroupId") for each in received}
    assert {body: "demo-company", "no context object": None} == groups


@pytest.fixture
def worker() -> SimpleNamespace:
    """Return a function's process that has logged two lines and the beginning of a third."""
    read_end, write_end = os.pipe()
    lines: queue.Queue[str] = queue.Queue()
    worker = SimpleNamespace(
        _proc=SimpleNamespace(stderr=os.fdopen(read_end, "rb")),
        _stderr_queue=lines,
        _drain_stderr=lambda: "\n".join(lines.get_nowait() for _ in range(lines.qsize())),
        write_end=os.fdopen(write_end, "wb", buffering=0),
    )
    worker._stderr_thread = threading.Thread(target=read_log, args=(worker,), daemon=True)
    worker.write_end.write(b"first\nsecond\xff\nunfin")
    return worker


def test_lines_that_are_read_late_belong_to_their_invocation(worker: SimpleNamespace) -> None:
    """An invocation's log is complete, however late the thread that reads it runs."""
    with ThreadPoolExecutor() as pool:
        log = pool.submit(log_of_invocation, worker)
        with pytest.raises(TimeoutError):
            log.result(timeout=0.2)
        worker._stderr_thread.start()
        assert "first\nsecond\ufffd" == log.result()
    worker.write_end.close()
    worker._stderr_thread.join()


def test_the_log_of_an_ended_process_is_complete(worker: SimpleNamespace) -> None:
    """The last line of a process that was killed is kept, even if it is unfinished."""
    worker._stderr_thread.start()
    assert "first" == worker._stderr_queue.get()
    worker.write_end.close()
    worker._proc = None
    assert "second\ufffd\nunfin" == log_of_invocation(worker)


def test_ministack_has_what_is_replaced() -> None:
    """The installed MiniStack still has the methods that the project replaces."""
    check = "from ministack.core.lambda_runtime import Worker as w; w._read_stderr; w._drain_stderr"
    code = f"{check}; w._drain_stderr_bounded"
    subprocess.run([paths.CLOUD_PYTHON, "-c", code], check=True)  # noqa: S603 - our own code
