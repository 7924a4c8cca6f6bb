"""The log: one JSON object a line, ids at the top level, libraries quiet."""

import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Barrier

import pytest

from lambda_src.core.log import LOG_FIELDS
from lambda_src.utils import logging_config
from tests.support.logs import LogLines, configured

log = logging.getLogger("lambda_src.core.example")


@contextmanager
def fields(**ids: str) -> Iterator[None]:
    """Set the ids of the current message."""
    token = LOG_FIELDS.set(ids)
    try:
        yield
    finally:
        LOG_FIELDS.reset(token)


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
    with fields(sqs_message_id="m", conversation_id="c"):
        log.info("inside", extra={"event": "inside"})
        log.info("own", extra={"event": "own", "sqs_message_id": "own"})
    log.info("after", extra={"event": "after"})
    found = [(line.get("sqs_message_id"), line.get("conversation_id")) for line in log_lines.all]
    assert [("m", "c"), ("own", "c"), (None, None)] == found


def test_threads_do_not_share_ids(log_lines: LogLines) -> None:
    """Concurrent messages do not mix up their lines."""
    barrier = Barrier(8, timeout=60)

    def work(number: int) -> None:
        with fields(sqs_message_id=str(number)):
            barrier.wait()
            log.info("%d", number, extra={"event": "work"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert 8 == len(log_lines.all)
    assert all(line["message"] == line["sqs_message_id"] for line in log_lines.all)


def test_lines_below_the_level_are_not_written() -> None:
    """The configured level is the lowest that is written."""
    with configured("ERROR") as lines:
        log.warning("too quiet", extra={"event": "quiet"})
        log.error("loud", extra={"event": "loud"})
        assert ["loud"] == lines.events


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
        *logging_config.QUIET,
        "botocore.parsers",
        "openai._base_client",
        "twilio.http_client",
        "urllib3.connectionpool",
    ],
)
def test_libraries_are_quiet(name: str) -> None:
    """Their lines may contain addresses, numbers or bodies, at any level."""
    assert not logging.getLogger(name).isEnabledFor(logging.ERROR)
