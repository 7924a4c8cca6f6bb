"""The six rules judge evidence: each is kept by what keeps it, and broken by what breaks it."""

from dataclasses import replace

import pytest

from lambda_src.core.contract import Status
from tests.faults.rules import Evidence, Place, Rule, broken_rules

SENT = Evidence(sids=("SM1",), places=(Place.DELETED,), status=Status.SENT, recorded_sid="SM1")
WAITING = Evidence(sids=(), places=(Place.ON_QUEUE,), status=None)
UNSETTLED = Evidence(sids=("SM1",), places=(Place.DEAD,), status=Status.SENDING)
UNKNOWN = replace(UNSETTLED, status=Status.SEND_UNKNOWN, is_alarmed=True)
FAILED = Evidence(sids=(), places=(Place.DEAD,), status=Status.FAILED)


@pytest.mark.parametrize(
    "evidence",
    [
        pytest.param(replace(SENT, is_over=True), id="sent and recorded"),
        pytest.param(replace(SENT, sids=("SM0", "SM1"), releases=1), id="sent again once released"),
        pytest.param(WAITING, id="not begun"),
        pytest.param(replace(WAITING, status=Status.RETRY), id="to be tried again"),
        pytest.param(UNSETTLED, id="sent, and to be settled"),
        pytest.param(
            replace(UNSETTLED, is_alarmed=True, is_over=True), id="sent, a person was called"
        ),
        pytest.param(UNKNOWN, id="unknown, a person was called"),
        pytest.param(
            replace(UNKNOWN, is_alarmed=False, is_at_rest=False), id="unknown, about to be told"
        ),
        pytest.param(replace(FAILED, is_refused=True, is_over=True), id="refused"),
    ],
)
def test_what_keeps_the_promise_breaks_no_rule(evidence: Evidence) -> None:
    """Each state that a conversation may be in, at that moment."""
    assert () == broken_rules(evidence)


@pytest.mark.parametrize(
    ("evidence", "rule"),
    [
        pytest.param(replace(SENT, sids=("SM1", "SM2")), Rule.AT_MOST_ONCE, id="sent twice"),
        pytest.param(
            replace(SENT, sids=("SM0", "SM2", "SM1"), releases=1),
            Rule.AT_MOST_ONCE,
            id="sent twice after one release",
        ),
        pytest.param(
            replace(WAITING, places=(Place.DELETED,)),
            Rule.DELETED_ONLY_IF_SENT,
            id="deleted and not sent",
        ),
        pytest.param(
            replace(SENT, recorded_sid="SM2"), Rule.RECORD_IS_TRUE, id="another message's sid"
        ),
        pytest.param(
            replace(UNSETTLED, recorded_sid="SM1"),
            Rule.RECORD_IS_TRUE,
            id="a sid, and not recorded as sent",
        ),
        pytest.param(
            replace(UNSETTLED, status=Status.RETRY), Rule.RECORD_IS_TRUE, id="sent, and to be sent"
        ),
        pytest.param(
            replace(UNSETTLED, status=Status.FAILED), Rule.RECORD_IS_TRUE, id="sent, and failed"
        ),
        pytest.param(
            replace(UNKNOWN, is_alarmed=False), Rule.RECORD_IS_TRUE, id="unknown, and nobody called"
        ),
        pytest.param(
            replace(UNSETTLED, is_over=True),
            Rule.RECORD_IS_TRUE,
            id="over, unrecorded, nobody called",
        ),
        pytest.param(
            replace(WAITING, is_over=True), Rule.SENT_IN_THE_END, id="over and never sent"
        ),
        pytest.param(
            replace(FAILED, is_over=True),
            Rule.SENT_IN_THE_END,
            id="failed, though nothing was refused",
        ),
        pytest.param(
            replace(WAITING, is_refused=True, is_over=True),
            Rule.SENT_IN_THE_END,
            id="refused, and the record does not say so",
        ),
        pytest.param(replace(SENT, asked_again=1), Rule.AI_NOT_ASKED_AGAIN, id="asked again"),
        pytest.param(
            replace(SENT, acts_without_lease=("sender.send",)),
            Rule.SILENT_WITHOUT_LEASE,
            id="sent without the lease",
        ),
        pytest.param(
            replace(SENT, claims_after_opt_out=1),
            Rule.OPT_OUT_IS_HEEDED,
            id="claimed after an opt-out",
        ),
    ],
)
def test_what_breaks_the_promise_is_named(evidence: Evidence, rule: Rule) -> None:
    """One rule is broken, and it is this one."""
    assert (rule,) == broken_rules(evidence)


def test_broken_rules_are_named_in_their_order() -> None:
    """Whatever is wrong at once is told at once."""
    evidence = replace(
        SENT, sids=("SM1", "SM2"), recorded_sid="", asked_again=1, acts_without_lease=("renew",)
    )
    expected = (
        Rule.AT_MOST_ONCE,
        Rule.RECORD_IS_TRUE,
        Rule.AI_NOT_ASKED_AGAIN,
        Rule.SILENT_WITHOUT_LEASE,
    )
    assert expected == broken_rules(evidence)
