"""What the function writes: metrics in the embedded format, and the log, one JSON object a line."""

import json
import logging
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import product
from typing import Any

import pytest

from lambda_src.core.batch import MAX_REQUEST_AGE_SECONDS
from lambda_src.core.contract import ENDS, Dimension, Kind, Metric, Step, Unit
from lambda_src.core.errors import RateLimited, TransientFailure
from lambda_src.core.log import LOG_FIELDS
from lambda_src.services.cloudwatch_metrics import CloudWatchMetrics
from lambda_src.utils import logging_config
from tests.support.clock import START
from tests.support.contexts import body, changed
from tests.support.fakes import ANSWER
from tests.support.logs import LogLines, configured
from tests.support.runtime import FakeRuntime

NAMESPACE = "AIComms/PushProcessor/Dev"
Publish = Callable[[dict[Metric, int], dict[tuple[Step, Kind], int]], list[dict[str, Any]]]
REQUESTED_AT = "frontend_payload.request_data.initial_request_timestamp"


@pytest.fixture
def slow(runtime: FakeRuntime) -> FakeRuntime:
    """The AI takes 7 s, the vendor 0.5 s."""
    runtime.while_generating(lambda: runtime.clock.advance(7.0))
    runtime.sender.during = lambda: runtime.clock.advance(0.5)
    return runtime


def test_each_request_is_measured(slow: FakeRuntime) -> None:
    """Failed ones too, without tokens; a refusal and a later send need one answer."""
    slow.generator.fail(TransientFailure("openai_500", Step.AI))
    with pytest.raises(TransientFailure):
        slow.process()
    assert {Metric.AI_SECONDS: [7.0]} == slow.metrics.values
    slow.sender.fail(RateLimited("twilio_20429", Step.SEND))
    with pytest.raises(RateLimited):
        slow.process(receive_count=2)
    slow.process(receive_count=3)
    assert {
        Metric.AI_SECONDS: [7.0, 7.0],
        Metric.PROMPT_TOKENS: [ANSWER.usage.prompt_tokens],
        Metric.COMPLETION_TOKENS: [ANSWER.usage.completion_tokens],
        Metric.SEND_SECONDS: [0.5, 0.5],
    } == slow.metrics.values


def test_every_count_is_published_with_every_batch(runtime: FakeRuntime) -> None:
    """What did not happen is published as zero, so that graphs have no gaps."""
    runtime.batch().handle([runtime.delivery("{")])
    expected = {*ENDS, Metric.MESSAGES_RECEIVED, Metric.HEARTBEAT_FAILURES}
    assert expected == set(runtime.metrics.counts)
    assert 1 == runtime.metrics.published


def _ago(seconds: float) -> str:
    return datetime.fromtimestamp(START - seconds, UTC).isoformat()


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("2027-01-15T08:59:50+01:00", [10.0]), (_ago(0), [0.0]), (_ago(-0.1), []),
        (_ago(MAX_REQUEST_AGE_SECONDS), [MAX_REQUEST_AGE_SECONDS]),
        (_ago(MAX_REQUEST_AGE_SECONDS + 1), []), (None, []), ("2027-01-15T07:59:50", []),
        ("2027-01-15", []), ("1970-01-01T00:00:00Z", []),
    ],
)  # fmt: skip
def test_the_end_to_end_time_is_measured_where_it_is_plausible(
    runtime: FakeRuntime, timestamp: str | None, expected: list[float]
) -> None:
    """It needs a time zone, and is neither in the future nor too old; failures do not count."""
    delivery = runtime.delivery(body(changed(REQUESTED_AT, timestamp)))
    runtime.sender.fail(RateLimited("twilio_20429", Step.SEND))
    runtime.batch().handle([delivery])
    assert [] == runtime.metrics.values[Metric.END_TO_END_SECONDS]
    runtime.batch().handle([delivery])
    assert 1 == runtime.metrics.counts[Metric.MESSAGES_SENT]
    assert expected == runtime.metrics.values[Metric.END_TO_END_SECONDS]


# --- the embedded metric format


@pytest.fixture
def metrics() -> CloudWatchMetrics:
    """Metrics of a channel, nothing recorded yet."""
    return CloudWatchMetrics(NAMESPACE)


@pytest.fixture
def publish(metrics: CloudWatchMetrics, capsys: pytest.CaptureFixture[str]) -> Publish:
    """Publishes a batch, and returns the printed lines, parsed."""

    def publish(
        counts: dict[Metric, int], failures: dict[tuple[Step, Kind], int]
    ) -> list[dict[str, Any]]:
        metrics.publish(counts, failures)
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return publish


def _directive(line: dict[str, Any]) -> dict[str, Any]:
    [only] = line["_aws"]["CloudWatchMetrics"]
    return dict(only)


def test_only_names_of_the_contract_appear(publish: Publish) -> None:
    """Whatever is published, names, units and dimensions are from closed sets."""
    counts: dict[Metric, int] = dict.fromkeys(Metric, 1)
    del counts[Metric.FAILURES]

    lines = publish(counts, dict.fromkeys(product(Step, Kind), 1))

    assert 1 + len(Step) * len(Kind) == len(lines)
    assert {*Metric, *Dimension, "_aws"} == {key for line in lines for key in line}
    assert set(Step) == {line["step"] for line in lines[1:]}
    assert set(Kind) == {line["kind"] for line in lines[1:]}
    for line in lines:
        for entry in _directive(line)["Metrics"]:
            assert Metric(entry["Name"]).unit is Unit(entry["Unit"])
            assert list(Metric(entry["Name"]).dimensions) == _directive(line)["Dimensions"][0]


def test_each_number_is_published_once(metrics: CloudWatchMetrics, publish: Publish) -> None:
    """A batch without numbers prints nothing."""
    metrics.record({Metric.AI_SECONDS: 1.5})
    assert 2 == len(publish({Metric.MESSAGES_SENT: 3}, {(Step.AI, Kind.TRANSIENT): 1}))
    assert [] == publish({}, {})
    [line] = publish({Metric.MESSAGES_SENT: 4}, {})
    assert [4] == line["MessagesSent"]
    assert "AISeconds" not in line


def test_threads_lose_no_value(metrics: CloudWatchMetrics, publish: Publish) -> None:
    """Many threads record while another publishes: every value is published once."""

    def work(number: int) -> None:
        metrics.record({Metric.PROMPT_TOKENS: number})
        if number % 50 == 0:
            metrics.publish({}, {})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(1000)))
    lines = publish({}, {})

    assert sum(range(1000)) == sum(sum(line.get("PromptTokens", [])) for line in lines)
    assert all(len(line.get("PromptTokens", [])) <= 100 for line in lines)


def test_an_error_while_publishing_fails_no_batch(
    metrics: CloudWatchMetrics, log_lines: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is logged by its type."""
    closed = StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stdout", closed)
    metrics.publish({Metric.MESSAGES_SENT: 1}, {})
    assert "ValueError" == log_lines.of("metrics_failed")["error_type"]


# --- the log

log = logging.getLogger("lambda_src.core.example")


def test_a_line_is_one_ascii_json_object(log_lines: LogLines) -> None:
    """Whatever a message contains, it stays one line."""
    odd = 'first\nsecond \N{BIRTHDAY CAKE} "quoted" \u2028 third \u202e\x85\x1b'
    log.info(odd, extra={"event": "example"})
    [line] = log_lines.text.splitlines()
    assert odd == json.loads(line)["message"]
    assert line.isascii()


def test_a_line_has_the_common_and_its_own_fields_at_the_top_level(log_lines: LogLines) -> None:
    """Level, UTC time, message, service and version, and what the caller adds."""
    log.warning("careful", extra={"event": "example", "messages": 3, "message_sid": "SM1"})
    line = log_lines.of("example")
    expected = ("WARNING", "careful", "whatsapp-channel-processor", "1.2.3", 3, "SM1")
    names = ("level", "message", "service", "processor_version", "messages", "message_sid")
    assert expected == tuple(line[name] for name in names)
    assert timedelta(0) == datetime.fromisoformat(line["timestamp"]).utcoffset()


def test_an_exceptions_text_is_not_written(log_lines: LogLines) -> None:
    """It may contain what a message or a secret contains."""
    try:
        int("canary")
    except ValueError:
        log.exception("failed", extra={"event": "example"})
    assert "canary" not in log_lines.text


def test_a_trace_id_is_written(log_lines: LogLines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Lambda provides one."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
    log.info("traced", extra={"event": "example"})
    assert "1-5759e988-bd862e3fe1be46a994272793" == log_lines.of("example")["xray_trace_id"]


def test_a_messages_ids_are_in_its_lines(log_lines: LogLines) -> None:
    """A line's own fields have precedence, and no later line has them."""
    token = LOG_FIELDS.set({"sqs_message_id": "m", "conversation_id": "c"})
    log.info("inside", extra={"event": "inside"})
    log.info("own", extra={"event": "own", "sqs_message_id": "own"})
    LOG_FIELDS.reset(token)
    log.info("after", extra={"event": "after"})
    found = [(line.get("sqs_message_id"), line.get("conversation_id")) for line in log_lines.all]
    assert [("m", "c"), ("own", "c"), (None, None)] == found


def test_a_line_is_written_once(log_lines: LogLines) -> None:
    """Configuring again adds no handler, and Lambda's root handler gets nothing."""
    logger = logging.getLogger(logging_config.PACKAGE)
    before = len(logger.handlers)
    with configured() as lines:
        log.info("once", extra={"event": "once"})
        assert ["once"] == lines.events
    assert before == len(logger.handlers)
    assert not logger.propagate
    assert [] == log_lines.all


@pytest.mark.usefixtures("log_lines")
@pytest.mark.parametrize(
    "name",
    [
        *logging_config.QUIET, "botocore.parsers", "openai._base_client", "twilio.http_client",
        "urllib3.connectionpool",
    ],
)  # fmt: skip
def test_libraries_are_quiet(name: str) -> None:
    """Their lines may contain addresses, numbers or bodies, at any level."""
    assert not logging.getLogger(name).isEnabledFor(logging.ERROR)
