"""What a log says of a soak is taken at its own time, and for the right conversation."""

import json
from datetime import UTC, datetime

from lambda_src.core.contract import LogEvent
from local.function_logs import LogLine
from tests.faults.rules import Place
from tests.faults.soak.facts import Facts
from tests.faults.soak.mail import Letter
from tests.faults.soak.testimony import Testimony

NOW = 1_800_000_000.0
LETTERS = (
    Letter("acknowledged", "one", Place.DELETED),
    Letter("gone", "one", Place.DELETED),
    Letter("dead", "one", Place.DEAD),
)
FACTS = Facts(conversation_id="one", letters=LETTERS)


def _line(event: str, at: float = NOW, stream: str = "a", **fields: str) -> LogLine:
    when = datetime.fromtimestamp(at, UTC).isoformat()
    return LogLine(0, json.dumps({"event": event, "timestamp": when, **fields}), stream)


def _alarm(at: float, conversation: str = "one") -> LogLine:
    event = LogEvent.SEND_OUTCOME_UNKNOWN
    return _line(event, at, level="CRITICAL", conversation_id=conversation)


def test_an_alarm_counts_from_its_own_time_on() -> None:
    """An alarm that came after a moment is none at that moment, whenever the log showed it."""
    testimony = Testimony([_alarm(NOW), _alarm(NOW, "another")])
    (before,), (after,) = testimony.completed([FACTS], NOW - 1), testimony.completed([FACTS])
    assert ((), (LogEvent.SEND_OUTCOME_UNKNOWN,)) == (before.critical, after.critical)
    assert {LogEvent.SEND_OUTCOME_UNKNOWN: 2} == {
        event: len(lines) for event, lines in testimony.at_critical().items()
    }


def test_a_deleted_message_needs_a_line_that_says_why() -> None:
    """Of the deleted messages, that one is told which no delivery has acknowledged."""
    lines = [
        _line(LogEvent.ALREADY_PROCESSED, sqs_message_id="acknowledged"),
        _line(LogEvent.BUSY_ELSEWHERE, sqs_message_id="gone"),
    ]
    (facts,) = Testimony(lines).completed([FACTS])
    assert ("gone",) == facts.unacknowledged


def test_invocations_that_ended_with_their_process_are_counted() -> None:
    """A batch that was begun and not finished was interrupted, one not begun was cut short."""
    lines = [
        LogLine(0, "START", "whole"),
        _line(LogEvent.BATCH_RECEIVED, stream="whole"),
        _line(LogEvent.BATCH_FINISHED, stream="whole"),
        _line(LogEvent.BATCH_RECEIVED, stream="interrupted"),
        LogLine(0, "START", "cut short"),
    ]
    assert (1, 1) == Testimony(lines).interrupted()
