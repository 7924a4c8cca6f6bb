"""The soak's evidence: each breach is found in what a soak leaves behind."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lambda_src.core.contract import LogEvent, Status
from local.emulator.function_logs import LogLine
from tests.faults.rules import Location, Rule
from tests.faults.soak.evidence import Facts, FunctionLog, reconcile
from tests.faults.soak.plan import Expected
from tests.support.runtime import KEY

NOW = 1_800_000_000.0


def _record(status: Status, code: str = "", **values: object) -> dict[str, object]:
    return {"conversation_status": status, "failure": {"code": code}, **values}


DEAD = {"2": Location.DEAD}
SENT = Facts(
    key=KEY,
    sids=("SM1",),
    messages={"0": Location.DELETED, "1": Location.DELETED},
    record=_record(Status.SENT, message_sid="SM1"),
)
REFUSED = replace(
    SENT,
    expected=Expected.UNREACHABLE,
    sids=(),
    messages=DEAD,
    record=_record(Status.FAILED, "twilio_21211"),
)
RETRIED = replace(REFUSED, record=_record(Status.RETRY, "x"))
RELEASED = replace(SENT, releases=1, sids=("SM1", "SM2"))
UNKNOWN = Facts(
    key=KEY,
    messages=DEAD,
    record=_record(Status.SEND_UNKNOWN, "not_found"),
    alarms=frozenset({LogEvent.SEND_OUTCOME_UNKNOWN}),
)


def test_unknown_send_is_no_violation_before_the_operator_has_decided() -> None:
    """It is correct with its alarm, until it should have been decided; it needs its own alarm."""
    assert [] == reconcile([UNKNOWN], is_final=False)
    (violation,) = reconcile([UNKNOWN], is_final=True)
    assert (Rule.SENT_IN_THE_END,) == violation.rules
    silent = replace(UNKNOWN, alarms=frozenset({LogEvent.VENDOR_ACCOUNT_REFUSED}))
    (violation,) = reconcile([silent], is_final=False)
    assert (Rule.RECORD_IS_TRUE,) == violation.rules


@pytest.mark.parametrize(
    ("facts", "rule"),
    [
        (replace(REFUSED, messages={"1": Location.DELETED}), Rule.DELETED_ONLY_IF_SENT),
        (replace(RETRIED, expected=Expected.SENT), Rule.SENT_IN_THE_END),
        (replace(SENT, sids=("SM1", "SM2")), Rule.AT_MOST_ONCE),
        (replace(RELEASED, sids=("SM1", "SM2", "SM3")), Rule.AT_MOST_ONCE),
        (replace(SENT, record=_record(Status.SENT, message_sid="SM2")), Rule.RECORD_IS_TRUE),
    ],
)
def test_broken_rule_is_found(facts: Facts, rule: Rule) -> None:
    """Among others, the conversation that breaks a rule is named with its evidence."""
    other = replace(SENT, key=replace(KEY, conversation_id="other"))
    (violation,) = reconcile([other, facts], is_final=True)
    assert KEY.conversation_id == violation.subject
    assert rule in violation.rules


@pytest.mark.parametrize(
    "facts",
    [
        replace(SENT, record=_record(Status.SENDING)),
        replace(SENT, sids=(), messages=DEAD, record=_record(Status.PROCESSING)),
        Facts(key=KEY),
    ],
)
def test_unresolved_conversation_is_found(facts: Facts) -> None:
    """It has neither an end, nor an alarm, nor a reason."""
    (violation,) = reconcile([facts], is_final=True)
    assert violation.is_unresolved


def _alarm(conversation: str) -> LogLine:
    when, event = datetime.fromtimestamp(NOW, UTC).isoformat(), LogEvent.SEND_OUTCOME_UNKNOWN
    fields = {"event": event, "level": "CRITICAL", "timestamp": when}
    return LogLine(0, json.dumps({**fields, "conversation_id": conversation}), "a")


def test_alarm_counts_from_its_own_time_on() -> None:
    """An alarm that came after a moment does not count at that moment."""
    log = FunctionLog([_alarm(KEY.conversation_id), _alarm("another")])
    (before,), (after,) = log.completed([SENT], NOW - 1), log.completed([SENT])
    assert ([], [LogEvent.SEND_OUTCOME_UNKNOWN]) == (list(before.alarms), list(after.alarms))
