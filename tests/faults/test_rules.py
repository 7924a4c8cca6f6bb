"""The rules judge evidence: each breach is found, and none is taken for another one."""

from dataclasses import replace

import pytest

from lambda_src.core.contract import LogEvent, Status
from tests.faults.rules import Evidence, History, Location, Rule, broken_rules, is_unresolved

ALARM = frozenset({LogEvent.SEND_OUTCOME_UNKNOWN})
OTHER_ALARM = frozenset({LogEvent.FINAL_DB_UPDATE_FAILED})
SENT = Evidence(
    sids=("SM1",), locations=(Location.DELETED,), status=Status.SENT, recorded_sid="SM1"
)
WAITING = Evidence(sids=(), locations=(Location.ON_QUEUE,), status=None)
SENDING = Evidence(sids=("SM1",), locations=(Location.DEAD,), status=Status.SENDING)
UNKNOWN = replace(SENDING, status=Status.SEND_UNKNOWN, alarms=ALARM)
FAILED = Evidence(
    sids=(), locations=(Location.DEAD,), status=Status.FAILED, failure_code="twilio_21211"
)

DELETED = replace(WAITING, locations=(Location.DELETED,))
HELD = replace(DELETED, status=Status.AWAITING_APPROVAL, history=History(hand_offs=1))
READ = frozenset({"delivered", "read"})

BROKEN = {
    Rule.AT_MOST_ONCE: {
        "sent twice": replace(SENT, sids=("SM1", "SM2")),
        "sent twice after one release": replace(SENT, sids=("SM0", "SM2", "SM1"), releases=1),
    },
    Rule.DELETED_ONLY_IF_SENT: {
        "deleted and not sent": DELETED,
        "held, and deleted without a copy": replace(HELD, history=History()),
    },
    Rule.RECORD_IS_TRUE: {
        "another message's sid": replace(SENT, recorded_sid="SM2"),
        "a sid, and not recorded as sent": replace(SENDING, recorded_sid="SM1"),
        "sent, and to be sent": replace(SENDING, status=Status.RETRY),
        "sent, and failed": replace(SENDING, status=Status.FAILED),
        "unknown, without an alarm": replace(UNKNOWN, alarms=frozenset()),
        "unknown, with another alarm": replace(UNKNOWN, alarms=OTHER_ALARM),
        "unrecorded in the end": replace(SENDING, is_final=True),
        "sent, and held": replace(SENDING, status=Status.AWAITING_APPROVAL),
        "an edited text in the AI's conversation": replace(SENT, is_in_thread=False),
    },
    Rule.SENT_IN_THE_END: {
        "never sent": replace(WAITING, is_final=True),
        "failed, though not refused": replace(FAILED, is_final=True),
        "refused, and not recorded": replace(WAITING, is_refused=True, is_final=True),
        "held in the end": replace(HELD, is_final=True),
    },
    Rule.AI_NOT_ASKED_AGAIN: {"asked again": replace(SENT, history=History(asked_again=1))},
    Rule.SILENT_WITHOUT_LEASE: {
        "sent without the lease": replace(
            SENT, history=History(acts_without_lease=["sender.send"])
        ),
    },
    Rule.BACK_SOON: {"redelivered late": replace(WAITING, redelivered_after=121.0)},
    Rule.OPT_OUT_IS_HEEDED: {
        "acquired after an opt-out": replace(SENT, history=History(acquired_after_opt_out=1))
    },
    Rule.STATUS_ADVANCES: {
        "regressed": replace(
            SENT, reported=READ, history=History(delivery_statuses=["read", "delivered"])
        ),
        "another failure": replace(
            SENT,
            reported=frozenset({"undelivered", "failed"}),
            history=History(delivery_statuses=["undelivered", "failed"]),
        ),
    },
    Rule.FORGERY_HAS_NO_EFFECT: {
        "written by a forged callback": replace(SENT, history=History(changed_by_forgery=1)),
        "a status that nobody gave it": replace(
            SENT, reported=READ, history=History(delivery_statuses=["failed"])
        ),
    },
    Rule.FOUND_WITHIN_A_DAY: {
        "not looked up": replace(
            SENT, due_status="delivered", history=History(delivery_statuses=["queued"])
        ),
    },
    Rule.CALLBACK_PROVES: {"still open": replace(UNKNOWN, history=History(is_proven=True))},
    Rule.CALLBACK_SENDS_NOTHING: {
        "sent again": replace(SENT, history=History(sent_after_callback=1))
    },
    Rule.ONLY_APPROVED: {"sent unapproved": replace(SENT, history=History(sent_unapproved=1))},
    Rule.SENT_AS_APPROVED: {
        "another text": replace(SENT, is_approved=True, history=History(not_as_approved=1))
    },
    Rule.REJECTION_IS_FINAL: {
        "sent though rejected": replace(SENT, history=History(sent_after_rejection=1))
    },
    Rule.CAN_BE_DECIDED: {
        "not listed": replace(HELD, history=History(hand_offs=1, undecidable=1)),
        "decided unseen": replace(HELD, history=History(hand_offs=1, decided_unseen=1)),
    },
    Rule.TWO_REQUESTS: {"a third answer": replace(SENT, history=History(ai_answers=3))},
    Rule.APPROVAL_SUFFICES: {
        "approved, and not sent": replace(
            HELD, status=Status.RETRY, is_approved=True, is_final=True
        ),
    },
}
BROKEN_CASES = [
    pytest.param(evidence, rule, id=name)
    for rule, cases in BROKEN.items()
    for name, evidence in cases.items()
]


@pytest.mark.parametrize(("evidence", "rule"), BROKEN_CASES)
def test_what_breaks_the_promise_breaks_one_rule(evidence: Evidence, rule: Rule) -> None:
    """Exactly that rule is broken."""
    assert (rule,) == broken_rules(evidence)


@pytest.mark.parametrize(
    "evidence",
    [
        replace(HELD, history=History()),
        SENDING,
        replace(FAILED, failure_code=""),
        replace(FAILED, locations=(Location.ON_QUEUE,)),
    ],
)
def test_unresolved_is_neither_sent_nor_alarmed_nor_dead_with_a_reason(evidence: Evidence) -> None:
    """A conversation must not end so that somebody has to search for it."""
    assert is_unresolved(evidence)
