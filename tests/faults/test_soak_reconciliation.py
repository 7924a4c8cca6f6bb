"""The reconciliation can fail: each planted wrong is found and named, and nothing else."""

from dataclasses import replace

import pytest

from lambda_src.core.contract import LogEvent, Status
from tests.faults.rules import Place, Rule
from tests.faults.soak.facts import AlarmFacts, Facts
from tests.faults.soak.ledger_writes import Write
from tests.faults.soak.mail import Letter
from tests.faults.soak.plan import Fate
from tests.faults.soak.reconciliation import Violation, reconcile, silent_alarms
from tests.faults.soak.result import Recovery, SoakResult, Storm

SID, OTHER_SID = "SM1", "SM2"
DELETED = Letter("1", "a-conversation", Place.DELETED)
DEAD = Letter("2", "a-conversation", Place.DEAD)

CLAIMED = Write(1, Status.PROCESSING, "worker")
ANNOUNCED = Write(3, Status.SENDING, "worker", has_answer=True)
TAKEN_OVER = Write(2, Status.PROCESSING, "another", from_lapsed=True)

SENT = Facts(
    conversation_id="sent",
    sids=(SID,),
    letters=(DELETED, DELETED),
    record={"conversation_status": Status.SENT, "message_sid": SID},
    writes=(CLAIMED, ANNOUNCED, Write(5, Status.SENT)),
    asks=1,
    sends=(4,),
)
REFUSED = Facts(
    conversation_id="refused",
    fate=Fate.UNREACHABLE,
    letters=(DEAD,),
    record={"conversation_status": Status.FAILED, "failure": {"code": "twilio_21211"}},
    writes=(CLAIMED, ANNOUNCED, Write(5, Status.FAILED, "worker")),
    asks=1,
    sends=(4,),
)
RELEASED = replace(SENT, releases=1, sids=(SID, OTHER_SID))
UNKNOWN = Facts(
    conversation_id="unknown",
    letters=(DEAD,),
    record={"conversation_status": Status.SEND_UNKNOWN, "failure": {"code": "not_found"}},
    critical=(LogEvent.SEND_OUTCOME_UNKNOWN,),
)


def _record(status: Status, **fields: object) -> dict[str, object]:
    return {"conversation_status": status, **fields}


@pytest.mark.parametrize("facts", [SENT, REFUSED, RELEASED])
def test_what_ended_well_is_no_violation(facts: Facts) -> None:
    """What was sent once, refused for good, or sent again by a person breaks nothing."""
    assert [] == reconcile([facts], is_over=True)


def test_an_open_send_is_no_violation_before_a_person_has_decided() -> None:
    """What is declared unknown and alarmed is in order, until it should have been decided."""
    assert [] == reconcile([UNKNOWN], is_over=False)
    (violation,) = reconcile([UNKNOWN], is_over=True)
    assert (Rule.SENT_IN_THE_END,) == violation.rules


LOST = {
    "deleted, not sent": replace(
        SENT, sids=(), record=_record(Status.RETRY, failure={"code": "openai_500"})
    ),
    "dead, the fault has passed": replace(
        REFUSED, fate=Fate.SENT, record=_record(Status.RETRY, failure={"code": "openai_500"})
    ),
    "gone without a trace": replace(SENT, unacknowledged=("a-message-id",)),
}
DOUBLED = {
    "sent twice": replace(SENT, sids=(SID, OTHER_SID)),
    "sent once more than released": replace(RELEASED, sids=(SID, OTHER_SID, "SM3")),
}
WRONG = {
    "another sid": replace(SENT, record=_record(Status.SENT, message_sid=OTHER_SID)),
    "no sid": replace(SENT, record=_record(Status.SENT)),
    "failed, though sent": replace(SENT, record=_record(Status.FAILED, failure={"code": "x"})),
    "asked again": replace(SENT, asks=2),
    "written by who lost the lease": replace(SENT, writes=(CLAIMED, TAKEN_OVER, ANNOUNCED)),
    "sent by who lost the lease": replace(
        SENT, writes=(CLAIMED, ANNOUNCED, replace(CLAIMED, at=3.5))
    ),
    "sent without an intent": replace(SENT, writes=(CLAIMED,)),
}
UNRESOLVED = {
    "still sending": replace(SENT, record=_record(Status.SENDING)),
    "still processing": replace(SENT, sids=(), letters=(DEAD,), record=_record(Status.PROCESSING)),
    "nothing at all": Facts(conversation_id="nothing"),
}


@pytest.mark.parametrize("facts", LOST.values(), ids=LOST)
def test_a_lost_message_is_found(facts: Facts) -> None:
    """A message that nobody got, and nobody refused, is lost."""
    assert (1, 0) == (_result(facts).lost, _result(facts).doubled)


@pytest.mark.parametrize("facts", DOUBLED.values(), ids=DOUBLED)
def test_a_doubled_message_is_found(facts: Facts) -> None:
    """A message that the phone got more often than it should is doubled, and nothing else."""
    assert (0, 1, 0, 0) == _counts(_result(facts))


@pytest.mark.parametrize("facts", WRONG.values(), ids=WRONG)
def test_a_wrong_record_is_found(facts: Facts) -> None:
    """A record that lies, and work that breaks a rule, are wrong."""
    assert (0, 0, 1) == _counts(_result(facts))[:3]


@pytest.mark.parametrize("facts", UNRESOLVED.values(), ids=UNRESOLVED)
def test_an_unresolved_conversation_is_found(facts: Facts) -> None:
    """A conversation without an end, an alarm or a reason is unresolved."""
    assert 1 == _result(facts).unresolved


@pytest.mark.parametrize("critical", [(), (LogEvent.VENDOR_ACCOUNT_REFUSED,)])
def test_an_open_send_that_called_nobody_is_found(critical: tuple[str, ...]) -> None:
    """What is declared unknown needs an alarm of its own; another one about it does not count."""
    (violation,) = reconcile([replace(UNKNOWN, critical=critical)], is_over=False)
    assert (Rule.RECORD_IS_TRUE,) == violation.rules


def test_a_violation_names_its_conversation_alone() -> None:
    """Among others in order, the one that is not is named with its evidence."""
    (violation,) = reconcile([SENT, DOUBLED["sent twice"], REFUSED], is_over=True)
    assert ("sent", (Rule.AT_MOST_ONCE,)) == (violation.subject, violation.rules)
    assert OTHER_SID in violation.what


@pytest.mark.parametrize(
    ("facts", "is_silent"),
    [
        (AlarmFacts(event="e", lines=2, counted=2, notified=("Alarm",)), False),
        (AlarmFacts(event="e", lines=2, counted=1, notified=("Alarm",)), True),
        (AlarmFacts(event="e", lines=2, counted=2, notified=()), True),
    ],
)
def test_a_silent_alarm_is_found(facts: AlarmFacts, is_silent: bool) -> None:
    """A line that is not counted, or whose alarm tells nobody, is a violation."""
    assert is_silent == bool(silent_alarms([facts]))


def _counts(result: SoakResult) -> tuple[int, int, int, int]:
    return result.lost, result.doubled, result.wrong, result.unresolved


def _result(facts: Facts) -> SoakResult:
    return soak_result(tuple(reconcile([facts], is_over=True)))


def soak_result(violations: tuple[Violation, ...]) -> SoakResult:
    """A result of which only the violations matter."""
    return SoakResult(
        seed=1,
        messages=1,
        seconds=1.0,
        arrivals=1,
        duplicates=0,
        sent=1,
        refused=0,
        storm=Storm(),
        recovery=Recovery(),
        violations=violations,
    )
