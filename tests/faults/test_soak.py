"""The soak's evidence: each breach is found in what a soak leaves behind."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lambda_src.core.contract import LogEvent, Status
from lambda_src.services.dynamodb import Update, serialize, updates
from lambda_src.services.dynamodb.items import key_attributes
from local.dynamodb_proxy import ForwardedRequest
from local.emulator.function_logs import LogLine
from tests.faults.rules import Location, Rule
from tests.faults.soak.evidence import (
    AlarmFacts,
    Facts,
    FunctionLog,
    Write,
    applied_writes,
    asked_again,
    history_of,
    reconcile,
    silent_alarms,
)
from tests.faults.soak.plan import Expected
from tests.support.fakes import ANSWER
from tests.support.records import HELD_LEASE, INTENT, LEDGER_RECORD, failure
from tests.support.runtime import KEY

NOW = 1_800_000_000.0
OWNER = HELD_LEASE.owner


def _forwarded(update: Update, status: int = 200) -> ForwardedRequest:
    parameters = {
        "Key": serialize(key_attributes(update.key)),
        "UpdateExpression": update.expression,
        "ExpressionAttributeValues": serialize(update.values),
    }
    return ForwardedRequest(NOW, "UpdateItem", parameters, status)


ACQUIRES, ANSWERS = {"from_expired": True}, {"has_answer": True}


@pytest.mark.parametrize(
    ("update", "status", "owner", "properties"),
    [
        (updates.take_over(HELD_LEASE, LEDGER_RECORD), Status.PROCESSING, OWNER, ACQUIRES),
        (updates.renew(HELD_LEASE, NOW), "", OWNER, {}),
        (updates.checkpoint_answer(HELD_LEASE, ANSWER), "", OWNER, ANSWERS),
        (updates.record_intent(HELD_LEASE, INTENT, ANSWER), Status.SENDING, OWNER, ANSWERS),
        (updates.record_failure(HELD_LEASE, failure(Status.RETRY)), Status.RETRY, OWNER, {}),
        (updates.count_lookup(KEY, LEDGER_RECORD), "", "", {}),
    ],
)
def test_update_is_read_for_what_it_is(
    update: Update, status: str, owner: str, properties: dict[str, bool]
) -> None:
    """Each update has the status that it sets, whose lease it requires, and the answer."""
    write = Write(NOW, status, owner, **properties)
    assert {KEY: [write]} == applied_writes([_forwarded(update)])


def test_first_record_is_an_acquisition_and_refused_writes_are_none() -> None:
    """The first record's owner has the lease; a refused write and a query change nothing."""
    item = {"conversation_status": Status.PROCESSING, "lease_owner": OWNER}
    put = {"Put": {"Item": serialize({**key_attributes(KEY), **item})}}
    created = {"TransactItems": [put, {"ConditionCheck": {}}]}
    requests = [
        ForwardedRequest(NOW, "TransactWriteItems", created, 200),
        _forwarded(updates.renew(HELD_LEASE, NOW), status=400),
        ForwardedRequest(NOW, "Query", {}, 200),
    ]
    assert {KEY: [Write(NOW, Status.PROCESSING, OWNER)]} == applied_writes(requests)


ACQUIRED = Write(1, Status.PROCESSING, "worker")
TAKEN_OVER = Write(2, Status.PROCESSING, "another", from_expired=True)
INTENDED = Write(3, Status.SENDING, "worker", has_answer=True)


def test_asking_again_counts_against_the_acquisitions_without_an_answer() -> None:
    """A worker that acquired the lease before the answer was stored may ask once."""
    stored = Write(3, "", "another", has_answer=True)
    writes = [ACQUIRED, TAKEN_OVER, stored, replace(ACQUIRED, at=4, owner="third")]
    assert [0, 1] == [asked_again(writes, asks) for asks in (2, 3)]
    assert 0 == asked_again([ACQUIRED, TAKEN_OVER], 3)


def test_worker_that_lost_the_lease_may_neither_write_nor_send() -> None:
    """The worker that took over may; recording the sid needs no lease."""
    intended = replace(INTENDED, owner="another")
    kept = [ACQUIRED, TAKEN_OVER, intended, Write(5, Status.SENT)]
    late = Write(3, Status.RETRY, "worker")
    for acts, writes, sends in (
        ([], kept, [4]),
        (["wrote retry"], [ACQUIRED, TAKEN_OVER, late], []),
        (["wrote retry"], [replace(late, owner="unknown")], []),
        (["sent while processing"], [ACQUIRED, TAKEN_OVER], [4]),
    ):
        assert acts == history_of(writes, 0, sends).acts_without_lease


def _record(status: Status, code: str = "", **values: object) -> dict[str, object]:
    return {"conversation_status": status, "failure": {"code": code}, **values}


DEAD = {"2": Location.DEAD}
SENT = Facts(
    key=KEY,
    sids=("SM1",),
    messages={"0": Location.DELETED, "1": Location.DELETED},
    record=_record(Status.SENT, message_sid="SM1"),
    writes=(ACQUIRED, INTENDED, Write(5, Status.SENT)),
    asks=1,
    sends=(4,),
)
REFUSED = replace(
    SENT,
    expected=Expected.UNREACHABLE,
    sids=(),
    messages=DEAD,
    record=_record(Status.FAILED, "twilio_21211"),
    writes=(ACQUIRED, INTENDED, Write(5, Status.FAILED, "worker")),
)
RETRIED = replace(REFUSED, record=_record(Status.RETRY, "x"))
RELEASED = replace(SENT, releases=1, sids=("SM1", "SM2"))
UNKNOWN = Facts(
    key=KEY,
    messages=DEAD,
    record=_record(Status.SEND_UNKNOWN, "not_found"),
    alarms=frozenset({LogEvent.SEND_OUTCOME_UNKNOWN}),
)


@pytest.mark.parametrize("facts", [SENT, REFUSED, RELEASED])
def test_what_ended_well_is_no_violation(facts: Facts) -> None:
    """Sent once, refused for good, or sent again after a release."""
    assert [] == reconcile([facts], is_final=True)


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
        (replace(SENT, unacknowledged=("an-id",)), Rule.DELETED_ONLY_IF_SENT),
        (replace(RETRIED, expected=Expected.SENT), Rule.SENT_IN_THE_END),
        (replace(SENT, sids=("SM1", "SM2")), Rule.AT_MOST_ONCE),
        (replace(RELEASED, sids=("SM1", "SM2", "SM3")), Rule.AT_MOST_ONCE),
        (replace(SENT, record=_record(Status.SENT, message_sid="SM2")), Rule.RECORD_IS_TRUE),
        (replace(SENT, asks=2), Rule.AI_NOT_ASKED_AGAIN),
        (replace(SENT, writes=(ACQUIRED, TAKEN_OVER, INTENDED)), Rule.SILENT_WITHOUT_LEASE),
        (replace(SENT, writes=(ACQUIRED,)), Rule.SILENT_WITHOUT_LEASE),
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


@pytest.mark.parametrize(
    ("counted", "notified", "is_silent"),
    [(2, ("Alarm",), False), (1, ("Alarm",), True), (2, (), True)],
)
def test_silent_alarm_is_found(counted: int, notified: tuple[str, ...], is_silent: bool) -> None:
    """A line that is not counted, or whose alarm notifies nobody, is a violation."""
    facts = AlarmFacts(event="e", lines=2, counted=counted, notified=notified)
    assert is_silent == bool(silent_alarms([facts]))


def _line(event: str, at: float = NOW, stream: str = "a", **fields: str) -> LogLine:
    when = datetime.fromtimestamp(at, UTC).isoformat()
    return LogLine(0, json.dumps({"event": event, "timestamp": when, **fields}), stream)


def _alarm(conversation: str) -> LogLine:
    event = LogEvent.SEND_OUTCOME_UNKNOWN
    return _line(event, NOW, level="CRITICAL", conversation_id=conversation)


def test_alarm_counts_from_its_own_time_on() -> None:
    """An alarm that came after a moment does not count at that moment."""
    log = FunctionLog([_alarm(KEY.conversation_id), _alarm("another")])
    (before,), (after,) = log.completed([SENT], NOW - 1), log.completed([SENT])
    assert ([], [LogEvent.SEND_OUTCOME_UNKNOWN]) == (list(before.alarms), list(after.alarms))
    assert [2] == [len(lines) for lines in log.critical().values()]


def test_deleted_message_needs_a_line_that_says_why() -> None:
    """A deleted message that no delivery has acknowledged is reported."""
    messages = {"1": Location.DELETED, "3": Location.DELETED, **DEAD}
    lines = [
        _line(LogEvent.ALREADY_PROCESSED, sqs_message_id="1"),
        _line(LogEvent.BUSY_ELSEWHERE, sqs_message_id="3"),
    ]
    (facts,) = FunctionLog(lines).completed([replace(SENT, messages=messages)])
    assert ("3",) == facts.unacknowledged
