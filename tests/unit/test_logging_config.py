"""The log: one JSON object a line, ids at the top level, libraries quiet."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier

import pytest

from lambda_src.core import log_context
from lambda_src.utils import logging_config
from tests.unit.log_lines import LogLines, configured

log = logging.getLogger("lambda_src.core.example")


def test_a_line_is_one_json_object(log_lines: LogLines) -> None:
    """Whatever a message holds, it stays one line."""
    odd = 'first\nsecond \N{BIRTHDAY CAKE} "quoted" \u2028 third \u202e\x85\x1b'
    log.info(odd, extra={"event": "example"})
    [line] = log_lines.text.splitlines()
    assert odd == json.loads(line)["message"]
    assert line.isascii()


def test_a_line_has_what_every_line_has(log_lines: LogLines) -> None:
    """Level, time in UTC, message, service and version stand at the top level."""
    log.warning("careful", extra={"event": "example"})
    line = log_lines.of("example")
    expected = ("WARNING", "careful", "whatsapp-channel-processor", "1.2.3")
    names = ("level", "message", "service", "processor_version")
    assert expected == tuple(line[name] for name in names)
    assert 0 == datetime.fromisoformat(line["timestamp"]).utcoffset().total_seconds()  # type: ignore[union-attr]


def test_extra_fields_stand_at_the_top_level(log_lines: LogLines) -> None:
    """Filters and people find them without looking deeper."""
    log.info("counted", extra={"event": "example", "messages": 3, "message_sid": "SM1"})
    line = log_lines.of("example")
    assert (3, "SM1") == (line["messages"], line["message_sid"])


def test_bound_ids_stand_in_every_line(log_lines: LogLines) -> None:
    """While a message is worked on, its lines carry its ids; outer ones stay."""
    with log_context.bound(sqs_message_id="m"):
        with log_context.bound(conversation_id="c"):
            log.info("inside", extra={"event": "inside"})
        log.info("between", extra={"event": "between"})
    log.info("after", extra={"event": "after"})
    found = [
        [n for n in ("sqs_message_id", "conversation_id") if n in line] for line in log_lines.all
    ]
    assert [["sqs_message_id", "conversation_id"], ["sqs_message_id"], []] == found


def test_a_lines_own_fields_go_before_bound_ids(log_lines: LogLines) -> None:
    """A line that names another message means that one."""
    with log_context.bound(sqs_message_id="bound"):
        log.info("own", extra={"event": "own", "sqs_message_id": "own"})
    assert "own" == log_lines.of("own")["sqs_message_id"]


def test_ids_are_unbound_by_an_error(log_lines: LogLines) -> None:
    """A failure leaves no ids to the next message."""
    with pytest.raises(KeyError), log_context.bound(sqs_message_id="m"):
        raise KeyError
    log.info("after", extra={"event": "after"})
    assert "sqs_message_id" not in log_lines.of("after")


def test_threads_do_not_share_ids(log_lines: LogLines) -> None:
    """Messages worked on at once do not mix up their lines."""
    barrier = Barrier(8, timeout=5)

    def work(number: int) -> None:
        with log_context.bound(sqs_message_id=str(number)):
            barrier.wait()
            log.info("%d", number, extra={"event": "work"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert 8 == len(log_lines.all)
    assert all(line["message"] == line["sqs_message_id"] for line in log_lines.all)


def test_lines_below_the_level_are_not_written() -> None:
    """The configured level is the least that is written."""
    with configured("ERROR") as lines:
        log.warning("too quiet", extra={"event": "quiet"})
        log.error("loud", extra={"event": "loud"})
        assert ["loud"] == lines.events


def test_a_line_is_written_once(log_lines: LogLines) -> None:
    """Configuring again adds no handler, and Lambda's own root handler sees nothing."""
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
        "httpx2",
    ],
)
def test_libraries_are_quiet(name: str) -> None:
    """Their lines may quote addresses, numbers or bodies, at whatever level."""
    assert not logging.getLogger(name).isEnabledFor(logging.ERROR)
