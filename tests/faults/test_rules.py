"""The rules judge evidence, and the operator decides what no worker may decide."""

from dataclasses import replace

import boto3
import pytest

from lambda_src.core.contract import REJECTED_BY_OPERATOR, LogEvent, Status
from lambda_src.core.delivery.status import EventAction, event_action
from lambda_src.core.ledger import ConditionFailed, DeliveryChange, LedgerRecord
from lambda_src.services.dynamodb_service import ConversationsTable
from tests.faults.operator_decisions import (
    Decision,
    Operator,
    OperatorTable,
    dynamodb_table,
    in_memory_table,
)
from tests.faults.rules import Evidence, History, Location, Rule, broken_rules, is_unresolved
from tests.support import contexts
from tests.support.clock import START
from tests.support.fake_ledger import FakeLedgerStore
from tests.support.fakes import ANSWER
from tests.support.fixtures import account, aws, table  # noqa: F401 - fixtures
from tests.support.ledger_contract import PROVEN, UNDELIVERED, Store
from tests.support.records import HELD_LEASE, INTENT, LEDGER_RECORD, failure, lease
from tests.support.runtime import KEY

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

KEPT = {
    "sent and recorded": replace(SENT, is_final=True),
    "sent again once released": replace(SENT, sids=("SM0", "SM1"), releases=1),
    "not begun": WAITING,
    "to be tried again": replace(WAITING, status=Status.RETRY),
    "sent, and to be reconciled": SENDING,
    "sent, and alarmed": replace(SENDING, alarms=ALARM, is_final=True),
    "unknown, and alarmed": UNKNOWN,
    "unknown, about to be alarmed": replace(UNKNOWN, alarms=frozenset(), is_at_rest=False),
    "refused": replace(FAILED, is_refused=True, is_final=True),
    "redelivered in time": replace(WAITING, redelivered_after=120.0),
    "reported": replace(
        SENT, reported=READ, history=History(delivery_statuses=["", "queued", "read"])
    ),
    "reported before it was recorded": replace(
        SENDING, history=History(delivery_statuses=["", "queued"])
    ),
    "read, and not looked up": replace(
        SENT, reported=READ, due_status="read", history=History(delivery_statuses=["delivered"])
    ),
    "proven by a callback": replace(SENT, history=History(is_proven=True)),
    "held and handed off": HELD,
    "held, and not handed off yet": replace(
        HELD, locations=(Location.IN_FLIGHT,), history=History()
    ),
    "rejected": replace(FAILED, failure_code=REJECTED_BY_OPERATOR, is_final=True),
    "approved and refused": replace(FAILED, is_approved=True, is_refused=True, is_final=True),
    "approved, and to be sent": replace(HELD, status=Status.RETRY, is_approved=True),
}
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


@pytest.mark.parametrize("evidence", KEPT.values(), ids=KEPT)
def test_what_keeps_the_promise_breaks_no_rule(evidence: Evidence) -> None:
    """Each state that a conversation may be in at that moment."""
    assert () == broken_rules(evidence)


@pytest.mark.parametrize(("evidence", "rule"), BROKEN_CASES)
def test_what_breaks_the_promise_breaks_one_rule(evidence: Evidence, rule: Rule) -> None:
    """Exactly that rule is broken."""
    assert (rule,) == broken_rules(evidence)


def test_broken_rules_are_in_order() -> None:
    """Everything that is wrong is reported at once."""
    evidence = replace(
        SENT,
        sids=("SM1", "SM2"),
        recorded_sid="",
        history=History(asked_again=1, acts_without_lease=["renew"]),
    )
    expected = (
        Rule.AT_MOST_ONCE,
        Rule.RECORD_IS_TRUE,
        Rule.AI_NOT_ASKED_AGAIN,
        Rule.SILENT_WITHOUT_LEASE,
    )
    assert expected == broken_rules(evidence)


@pytest.mark.parametrize(
    ("expected", "evidence"),
    [
        (False, SENT),
        (False, UNKNOWN),
        (False, FAILED),
        (False, HELD),
        (True, replace(HELD, history=History())),
        (True, SENDING),
        (True, replace(FAILED, failure_code="")),
        (True, replace(FAILED, locations=(Location.ON_QUEUE,))),
    ],
)
def test_unresolved_is_neither_sent_nor_alarmed_nor_dead_with_a_reason(
    expected: bool, evidence: Evidence
) -> None:
    """A conversation must not end so that somebody has to search for it."""
    assert expected is is_unresolved(evidence)


NOW = START + 3600
CONTEXT = contexts.parse(contexts.valid())
NEXT_LEASE = lease(owner="another", attempt=2)
FAILURE = failure(Status.FAILED, "secret_malformed")


class Office:
    """A table whose conversation ended `send_unknown`, and the operator at it."""

    def __init__(self, store: Store, operator_table: OperatorTable) -> None:
        self.store = store
        self.table = operator_table
        self.operator = Operator(operator_table)
        store.create(CONTEXT, HELD_LEASE)
        store.record_intent(HELD_LEASE, INTENT, ANSWER)
        store.mark_unknown(KEY, failure(Status.SEND_UNKNOWN, "not_found_at_vendor"), LEDGER_RECORD)

    def record(self) -> LedgerRecord:
        record = self.table.read(KEY)
        assert record
        return record


@pytest.fixture(params=["in memory", "DynamoDB"])
def office(request: pytest.FixtureRequest) -> Office:
    if request.param == "in memory":
        fake = FakeLedgerStore()
        return Office(fake, in_memory_table(fake))
    name = request.getfixturevalue("table")
    client = boto3.client("dynamodb")
    store = ConversationsTable(client, name, "1.0.0", channel="whatsapp")
    return Office(store, dynamodb_table(client, name))


def test_operator_records_what_the_vendor_has(office: Office) -> None:
    """The message was sent: its sid ends the conversation."""
    assert Decision.RECORDED is office.operator.decide(KEY, "SM1", NOW)
    assert (Status.SENT, "SM1") == (office.record().status, office.record().vendor_id)


def test_operator_releases_what_the_vendor_does_not_have(office: Office) -> None:
    """The message was not sent: the next worker acquires it, with its answer."""
    assert Decision.RELEASED is office.operator.decide(KEY, "", NOW)
    released = office.record()
    assert (Status.RETRY, None) == (released.status, released.intent)
    assert (0, "") == (released.lookups, released.failure_code)
    assert 1 == office.operator.releases[KEY]
    office.store.take_over(NEXT_LEASE, released)
    assert ANSWER == office.record().answer


def test_callback_about_a_released_send_is_recorded(office: Office) -> None:
    """The operator was misled: what was sent is not sent again."""
    office.operator.decide(KEY, "", NOW)
    found = office.store.read_delivery(KEY)
    assert found
    assert EventAction.CONTRADICT is event_action(found, INTENT.id, "SM1")
    office.store.record_delivery(found, DeliveryChange(UNDELIVERED, NOW, PROVEN))
    assert (Status.SENT, "SM1") == (office.record().status, office.record().vendor_id)
    with pytest.raises(ConditionFailed):
        office.store.take_over(NEXT_LEASE, found.ledger)


@pytest.mark.parametrize("sid", ["", "SM1"])
def test_operator_leaves_alone_what_is_not_unknown(office: Office, sid: str) -> None:
    """A conversation in progress, and one that never began, are not decided."""
    office.operator.decide(KEY, "", NOW)
    before = office.record()
    assert Decision.NOTHING is office.operator.decide(KEY, sid, NOW)
    assert before == office.record()
    never_seen = replace(KEY, conversation_id="never-seen")
    assert Decision.NOTHING is office.operator.decide(never_seen, sid, NOW)


def test_operator_releases_a_failure_whose_cause_is_fixed(office: Office) -> None:
    """A failed conversation is to be tried again; an unknown send is no failure."""
    assert Decision.NOTHING is office.operator.release_failed(KEY, NOW)
    office.operator.decide(KEY, "", NOW)
    office.store.take_over(NEXT_LEASE, office.record())
    office.store.record_failure(NEXT_LEASE, FAILURE)
    assert Decision.RELEASED is office.operator.release_failed(KEY, NOW)
    assert Status.RETRY is office.record().status
