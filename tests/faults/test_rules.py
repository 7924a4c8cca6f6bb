"""The rules find what no mutant shows, and conversations that end unresolved."""

from dataclasses import replace

import pytest

from lambda_src.core.contract import LogEvent, Status
from tests.faults.rules import Evidence, History, Location, Rule, broken_rules, is_unresolved

SENT = Evidence(
    sids=("SM1",), locations=(Location.DELETED,), status=Status.SENT, recorded_sid="SM1"
)
WAITING = Evidence(sids=(), locations=(Location.ON_QUEUE,), status=None)
SENDING = Evidence(sids=("SM1",), locations=(Location.DEAD,), status=Status.SENDING)
UNKNOWN = replace(SENDING, status=Status.SEND_UNKNOWN)
FAILED = Evidence(
    sids=(), locations=(Location.DEAD,), status=Status.FAILED, failure_code="twilio_21211"
)
HELD = Evidence(sids=(), locations=(Location.IN_FLIGHT,), status=Status.AWAITING_APPROVAL)
OTHER_ALARM = frozenset({LogEvent.FINAL_DB_UPDATE_FAILED})


@pytest.mark.parametrize(
    ("evidence", "rule"),
    [
        (replace(SENT, sids=("SM0", "SM2", "SM1"), releases=1), Rule.AT_MOST_ONCE),
        (replace(SENT, recorded_sid="SM2"), Rule.RECORD_IS_TRUE),
        (UNKNOWN, Rule.RECORD_IS_TRUE),
        (replace(UNKNOWN, alarms=OTHER_ALARM), Rule.RECORD_IS_TRUE),
        (replace(SENDING, is_final=True), Rule.RECORD_IS_TRUE),
        (replace(FAILED, is_final=True), Rule.SENT_IN_THE_END),
        (replace(WAITING, redelivered_after=121.0), Rule.BACK_SOON),
        (replace(SENT, history=History(sent_after_callback=1)), Rule.CALLBACK_SENDS_NOTHING),
    ],
)
def test_what_breaks_the_promise_breaks_one_rule(evidence: Evidence, rule: Rule) -> None:
    """Exactly that rule is broken."""
    assert (rule,) == broken_rules(evidence)


@pytest.mark.parametrize(
    "evidence",
    [HELD, SENDING, replace(FAILED, failure_code=""), replace(FAILED, locations=HELD.locations)],
)
def test_unresolved_is_neither_sent_nor_alarmed_nor_dead_with_a_reason(evidence: Evidence) -> None:
    """A conversation must not end so that somebody has to search for it."""
    assert is_unresolved(evidence)
