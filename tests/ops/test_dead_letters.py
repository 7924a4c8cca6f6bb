"""`dlq`: the rules for dead-letter messages, redrives and discards; `make drill` with thousands."""

import json
import os
import time
from collections import Counter
from dataclasses import replace
from itertools import count, cycle, islice
from typing import Any

import boto3
import pytest

from lambda_src.core.contract import REJECTED_BY_OPERATOR, Status
from lambda_src.core.errors import RejectedContext
from lambda_src.core.models import ContextObject
from ops.conversations import ConversationRecord
from ops.delivery_events import EventKind, QueuedEvent
from ops.deployment import Deployment
from ops.dlq.inspection import Inspection
from ops.dlq.policy import DiscardDecision, RedriveDecision, discard_decision, redrive_decision
from ops.queues import ChannelQueue, QueueMessage, QueueScanner
from tests.ops.conversation_states import FIXED_CAUSES, STATES
from tests.ops.operator_channel import OperatorChannel
from tests.support import contexts
from tests.support.callbacks import Callbacks
from tests.support.channel import CONVERSATION, RECIPIENT, context, recipient_data
from tests.support.clock import START
from tests.support.records import ledger_record

MESSAGES = int(os.environ.get("DEAD_LETTERS", "36"))
DROP = ("dlq", "drop", "--reason", "withdrawn by the tenant", "--yes")
REDRIVE = ("dlq", "redrive", "--yes", "--rate", "100000")
R, D = RedriveDecision, DiscardDecision
FIXED = ("twilio_21612", "not_found_at_vendor", "body_not_json", REJECTED_BY_OPERATOR)
VALID = contexts.parse(contexts.valid())
INVALID = RejectedContext("body_not_json", [], key=VALID.key)
FOREIGN = ConversationRecord({"conversation_status": "archived"}, None)


def _record(status: Status, code: str = "", lease_expires_at: float = START) -> ConversationRecord:
    ledger = ledger_record(status=status, failure_code=code, lease_expires_at=lease_expires_at)
    return ConversationRecord(FOREIGN.attributes, ledger)


@pytest.mark.parametrize(
    ("redrive", "discard", "record", "content"),
    [
        (R.EVENT, D.EVENT, None, QueuedEvent(EventKind.UNREADABLE)),
        (R.EVENT, D.EVENT, _record(Status.SENT), QueuedEvent(EventKind.LOOKUP, RECIPIENT, "id")),
        (R.REDRIVE, D.CLOSE, None, VALID),
        (R.REJECTED, D.CLOSE, None, INVALID),
        (R.REDRIVE, D.BUSY, _record(Status.PROCESSING, lease_expires_at=START + 1), VALID),
        (R.REDRIVE, D.CLOSE, _record(Status.PROCESSING), VALID),
        (R.REDRIVE, D.UNKNOWN, _record(Status.SENDING), VALID),
        (R.REDRIVE, D.CLOSE, _record(Status.RETRY, "openai_500"), VALID),
        (R.REMOVE, D.ANNOTATE, _record(Status.SENT), VALID),
        (R.FAILED, D.ANNOTATE, _record(Status.FAILED, "twilio_21211"), VALID),
        (R.RELEASE, D.ANNOTATE, _record(Status.FAILED, "twilio_21612"), VALID),
        (R.REJECTED, D.ANNOTATE, _record(Status.FAILED, "body_not_json"), INVALID),
        (R.UNKNOWN, D.UNKNOWN, _record(Status.SEND_UNKNOWN, "not_found_at_vendor"), VALID),
        (R.HELD, D.ANNOTATE, _record(Status.AWAITING_APPROVAL), VALID),
        (R.HELD, D.ANNOTATE, _record(Status.AWAITING_APPROVAL), INVALID),
        (R.REJECTED_BY_OPERATOR, D.ANNOTATE, _record(Status.FAILED, FIXED[-1]), VALID),
        (R.UNRECOGNIZED, D.ANNOTATE, FOREIGN, VALID),
    ],
)
def test_the_record_decides(
    redrive: RedriveDecision,
    discard: DiscardDecision,
    record: ConversationRecord | None,
    content: ContextObject | RejectedContext | QueuedEvent,
) -> None:
    """What may have been sent is neither sent again nor discarded, whatever is named as fixed."""
    inspection = Inspection(QueueMessage("id", "handle", "", "", START, START), content, record)
    assert redrive == redrive_decision(inspection, FIXED)
    assert discard == discard_decision(inspection, START)
    assert redrive.acts != str(redrive).startswith("stays")
    assert discard.acts != str(discard).startswith("stays")
    assert redrive.advice


def test_delivery_events_are_redriven(operator: OperatorChannel, callbacks: Callbacks) -> None:
    """Each is listed by its kind, and recorded by the events worker; another one is discarded."""
    sid = callbacks.send()
    callbacks.post(callbacks.request("undelivered", sid, ErrorCode="63049"))
    (event,) = callbacks.queued()
    callbacks.channel.sqs.delete_message(
        QueueUrl=callbacks.queue_url, ReceiptHandle=event["ReceiptHandle"]
    )
    lookup = {"lookup": {"primary_channel": RECIPIENT, "conversation_id": "erased"}}
    operator.dead_letter(event["Body"], json.dumps(lookup), "no JSON", events=True)

    found = operator.succeed("dlq", "list", "--events", "--messages")
    rows = {row["cause"]: row["conversation"] for row in found["messages"]}
    assert {"callback": CONVERSATION, "lookup": "erased", "unreadable": ""} == rows
    (shown,) = operator.succeed("dlq", "show", CONVERSATION, "--events")
    assert RECIPIENT[1:] not in json.dumps(shown)
    assert "has none" in operator.refused(*REDRIVE, "--events", "--fixed-cause", "callback")
    assert 1 == operator.succeed(*DROP, "--events", "--cause", "unreadable")["acted"]
    selected = ("--cause", "callback", "--reason", "the table is back")
    assert 1 == operator.succeed(*REDRIVE, "--events", *selected)["acted"]

    assert 0 == callbacks.work()
    assert ("undelivered", "63049") == callbacks.delivery()
    (entry,) = operator.channel.record(CONVERSATION)["operator_actions"]
    assert ("delivery event redriven", "the table is back") == (entry["what"], entry["why"])
    assert [json.dumps(lookup)] == operator.events()


def test_a_channel_without_delivery_events(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its status has no events, and the option says what is off."""
    find = Deployment.find

    def without_events(*arguments: Any) -> Deployment:
        return replace(find(*arguments), events_queue_url="", events_dead_letter_queue_url="")

    monkeypatch.setattr(Deployment, "find", without_events)
    assert "delivery_webhook and delivery_sweep are off" in operator.refused(
        "dlq", "list", "--events"
    )
    assert operator.succeed("status")["events_waiting"] is None
    assert "events" not in operator.run("status").stdout


def test_a_fixed_rejection_gets_a_complete_record(operator: OperatorChannel) -> None:
    """A conversation rejected before its lease is released with all context attributes."""
    operator.channel.deliver(
        context(lambda d: recipient_data(d).update(comms_consent=False), conversation_id="refused")
    )
    assert "company_id" not in operator.channel.record("refused")
    operator.dead_letter(context(conversation_id="refused"))

    operator.succeed(*REDRIVE, "--mended", "consent_not_given")  # the former name of --fixed-cause
    operator.process_queue()

    record = operator.channel.record("refused")
    assert (Status.SENT, "demo-company") == (record["conversation_status"], record["company_id"])
    assert 1 == len(operator.channel.phone())
    assert "released" in record["operator_actions"][0]["what"]


def test_a_message_without_a_record_gets_one(operator: OperatorChannel) -> None:
    """Of three copies one is redriven, with an audit entry; the next run removes the others."""
    operator.dead_letter(*[context(conversation_id="copied")] * 3)
    redrive = (*REDRIVE, "--reason", "the function could not start")
    assert 1 == operator.succeed(*redrive)["acted"]
    created = operator.channel.record("copied")
    assert Status.RETRY == created["conversation_status"]
    assert "redriven_by_operator" == created["failure"]["code"]
    assert 1 == operator.process_queue()
    assert 2 == operator.succeed(*redrive)["acted"]
    assert [] == operator.dead_letters() == operator.queued()

    record = operator.channel.record("copied")
    assert (Status.SENT, "demo-company") == (record["conversation_status"], record["company_id"])
    assert {"the function could not start"} == {each["why"] for each in record["operator_actions"]}
    assert record["operator_actions"][0]["who"].startswith("arn:aws:")
    assert 1 == len(operator.channel.phone())


def test_a_dry_run_or_a_missing_answer_changes_nothing(operator: OperatorChannel) -> None:
    """Messages and records stay as they are; a yes at the prompt is enough to redrive."""
    body = operator.fail_temporarily("waited")
    operator.dead_letter(body)
    before = operator.channel.record("waited")
    planned = operator.succeed("dlq", "redrive", "--dry-run")["planned"]
    assert ["redrive"] == [row["decision"] for row in planned]
    assert "no answer: add --yes" in operator.refused("dlq", "redrive", answer="")
    assert ([body], []) == (operator.dead_letters(), operator.queued())
    assert before == operator.channel.record("waited")
    assert 0 == operator.run("dlq", "redrive", answer="y\n").exit_code
    assert [body] == operator.queued()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--company", "demo-company"), ("--conversation", "chosen"), ("--cause", "no_record")],
)
def test_only_selected_are_redriven(operator: OperatorChannel, option: str, value: str) -> None:
    """The others stay and are visible again immediately."""
    chosen = context(conversation_id="chosen")
    other = operator.fail_permanently("other")
    operator.dead_letter(chosen, other, "no JSON")
    operator.succeed(*REDRIVE, option, value)
    assert [chosen] == operator.queued()
    assert {other, "no JSON"} == set(operator.dead_letters())


def test_the_limit_is_kept(operator: OperatorChannel) -> None:
    """Of fifteen messages four are redriven, and eleven stay visible."""
    operator.dead_letter(*(context(conversation_id=f"c{number}") for number in range(15)))
    assert 4 == operator.succeed(*REDRIVE, "--limit", "4")["acted"]
    assert (4, 11) == (len(operator.queued()), len(operator.dead_letters()))


def test_a_late_duplicate_of_a_discarded_message_is_not_sent(operator: OperatorChannel) -> None:
    """Its conversation is closed with the operator's reason."""
    body = operator.fail_temporarily("waited")
    operator.dead_letter(body)

    assert 1 == operator.succeed(*DROP, "--conversation", "waited")["acted"]
    record = operator.channel.record("waited")
    assert Status.FAILED == record["conversation_status"]
    assert "dropped_by_operator" == record["failure"]["code"]
    assert "withdrawn by the tenant" == record["operator_actions"][0]["why"]
    assert [body] == operator.channel.deliver(body)
    assert ([], []) == (operator.dead_letters(), operator.channel.phone())


def test_an_unreadable_message_is_recorded_by_its_id(operator: OperatorChannel) -> None:
    """A message that names no conversation gets a record of its own; former options work, too."""
    operator.dead_letter("no JSON")
    (row,) = operator.succeed("dlq", "list", "--letters")["messages"]
    operator.succeed(*DROP, "--letter", row["message_id"])

    record = operator.channel.record(row["message_id"], recipient="dead-letter")
    assert "withdrawn by the tenant" == record["operator_actions"][0]["why"]
    assert [] == operator.dead_letters()


def test_discard_is_repeatable(operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted between the record and the message, the next run deletes the message."""
    operator.dead_letter("no JSON", operator.fail_temporarily("waited"))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(QueueScanner, "delete", interrupt)
        assert 130 == operator.run(*DROP, "--company", "demo-company").exit_code
        assert 130 == operator.run(*DROP, "--cause", "body_not_json").exit_code
    assert 2 == len(operator.dead_letters())
    operator.succeed(*DROP, "--cause", "body_not_json")
    operator.succeed(*DROP, "--cause", "dropped_by_operator")
    assert [] == operator.dead_letters()
    rows = boto3.client("dynamodb").scan(TableName=operator.channel.table)["Items"]
    assert {RECIPIENT, "dead-letter"} == {row["primary_channel"]["S"] for row in rows}


@pytest.mark.timeout(3600)
def test_many_messages_are_sent(operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted after a third and repeated, the redrive sends no message twice and loses none."""
    # moto computes a calendar date for each message of a queue at each receive.
    monkeypatch.setattr("moto.sqs.models.unix_time", time.time)
    monkeypatch.setattr("moto.sqs.models.unix_time_millis", lambda: time.time() * 1000)
    mixture = []  # state, recipient and body; several conversations for each recipient
    for number, state in enumerate(islice(cycle(STATES), MESSAGES)):
        recipient = f"+447700900{number // len(STATES) % 1000:03}"
        body = operator.conversation(state, recipient, f"{state}-{number}")
        mixture.append((state, recipient, body))
    redrive = (*REDRIVE, *FIXED_CAUSES)
    operator.dead_letter(*(body for state, _, body in mixture for _ in range(STATES[state].copies)))
    send, calls = ChannelQueue.send, count()

    def interrupt_after_a_third(self: ChannelQueue, *message: Any) -> str:
        """Interrupt one call before and one after the message is queued."""
        number = next(calls)
        if number == MESSAGES // 3:
            raise KeyboardInterrupt
        message_id = send(self, *message)
        if number == MESSAGES // 3 + 1:
            raise KeyboardInterrupt
        return message_id

    with monkeypatch.context() as patch:
        patch.setattr(ChannelQueue, "send", interrupt_after_a_third)
        assert 130 == operator.run(*redrive).exit_code
    for _ in range(2):  # of two copies the second run removes one
        operator.process_queue()
        operator.succeed(*redrive)
    operator.process_queue()

    expected = Counter(recipient for state, recipient, _ in mixture if STATES[state].arrives)
    recipients = {recipient for _, recipient, _ in mixture}
    sent = Counter({each: len(operator.channel.twilio.inbox(each)) for each in recipients})
    assert expected == +sent
    staying = {body for state, _, body in mixture if state in {"failed", "unknown", "declined"}}
    assert staying == set(operator.dead_letters())
    assert [] == operator.queued()
    assert "nothing was changed" in operator.refused(*redrive)
