"""Opted-out recipients get no messages; erasing a person removes records and messages for good."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest

from lambda_src.channels import whatsapp
from lambda_src.core import AddressFormat, Addressing
from lambda_src.services.dynamodb import suppression_key
from local.fakes import Fault
from ops.audit import AuditContext
from ops.console import Console
from ops.erasure import Erasure, Progress, Receipt
from ops.session import Session
from ops.suppressions import BY_OPERATOR, Suppressions, recipient_digest
from tests.ops.operator_channel import OperatorChannel, to
from tests.support.channel import (
    OPENAI_SECRET,
    RECIPIENT,
    TWILIO_SECRET,
    Channel,
    context,
    openai_config,
    recipient_data,
)

NOW = 2_000_000_000.0
AUDIT = AuditContext("arn:aws:iam::123456789012:user/on-duty", "request 17", NOW)
REJECTED = ("failed", "recipient_suppressed")
OTHER = "+447700900999"


@pytest.fixture
def suppressions(channel: Channel) -> Suppressions:
    return Suppressions(channel.dynamodb, channel.table, "whatsapp")


class Eraser:
    """The operator's erasure on the only channel; returns receipts."""

    def survey(self, recipient: str, audit: AuditContext = AUDIT) -> Receipt:
        """Return what would be erased."""
        return self._erasure(recipient, audit).survey().receipt(audit)

    def erase(self, recipient: str, audit: AuditContext = AUDIT) -> Receipt:
        progress = Progress()
        self._erasure(recipient, audit).erase(progress)
        return progress.receipt(audit)

    def _erasure(self, recipient: str, audit: AuditContext) -> Erasure:
        session = Session("dev", "whatsapp", is_local=False, console=Console(as_json=True))
        return Erasure(session.aws.dynamodb, session.all_deployments(), recipient, audit)


@pytest.fixture
def erasure(operator: OperatorChannel) -> Eraser:
    del operator
    return Eraser()


def items(channel: Channel) -> list[dict[str, Any]]:
    return channel.dynamodb.scan(TableName=channel.table)["Items"]


def records_of(channel: Channel, recipient: str = RECIPIENT) -> int:
    return sum(item["primary_channel"]["S"] == recipient for item in items(channel))


def test_suppressed_recipient_gets_nothing(channel: Channel, suppressions: Suppressions) -> None:
    """New and waiting conversations fail before any vendor is called; one log line says why."""
    waiting = context(conversation_id="waiting")
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(waiting)
    calls = channel.vendor_calls()
    suppressions.add(RECIPIENT, AUDIT)

    assert [waiting] == channel.deliver(waiting, receive_count=2)
    assert REJECTED == channel.status("waiting")
    assert "recipient_suppressed" in channel.events()
    assert [context()] == channel.deliver(context())
    line = channel.events()["recipient_suppressed"]
    assert ("ERROR", "claim") == (line["level"], line["failure_step"])
    assert REJECTED == channel.status()
    assert [context()] == channel.deliver(context(), receive_count=2)
    assert {"already_ended"} == set(channel.events()) & {"already_ended", "recipient_suppressed"}
    assert calls == channel.vendor_calls()


def test_other_suppressions_have_no_effect(channel: Channel, suppressions: Suppressions) -> None:
    """Another recipient's suppression, or one on another channel, has no effect."""
    suppressions.add("+447700900999", AUDIT)
    Suppressions(channel.dynamodb, channel.table, "sms").add(RECIPIENT, AUDIT)

    assert [] == channel.deliver(context())
    assert 1 == len(channel.phone())


def test_lifted_suppression_allows_messages(channel: Channel, suppressions: Suppressions) -> None:
    """After lifting, messages are sent, the item expires, and all changes have audit entries.

    Added again, it does not expire; it identifies the recipient by a digest only.
    """
    key = suppression_key("whatsapp", RECIPIENT)
    location = (key["conversation_id"], key["primary_channel"])
    assert suppressions.add(RECIPIENT, AUDIT)
    assert not suppressions.add(RECIPIENT, AUDIT)
    assert suppressions.lift(RECIPIENT, AUDIT)
    assert not suppressions.lift(RECIPIENT, AUDIT)

    assert [] == channel.deliver(context())

    assert (1, []) == (len(channel.phone()), list(suppressions.all()))
    item = channel.record(*location)
    expected = ["suppression added", "suppression lifted"]
    assert expected == [entry["what"] for entry in item["operator_actions"]]
    assert item["expires_at"] > NOW + 28 * 24 * 3600

    suppressions.add(RECIPIENT, AUDIT)

    found = suppressions.find(RECIPIENT)
    assert found
    assert (BY_OPERATOR, 3) == (found.reason, len(found.actions))
    item = channel.record(*location)
    assert "expires_at" not in item
    assert RECIPIENT[1:] not in str(item)


def test_erasure_removes_only_the_person(operator: OperatorChannel, erasure: Eraser) -> None:
    """Everything about the person is removed from table and queues, and nothing about others."""
    channel = operator.channel
    channel.deliver(context(conversation_id="first"))
    channel.deliver(context(lambda d: recipient_data(d).pop("comms_consent")))
    plain = to(RECIPIENT[1:])  # the spelling of a rejected body
    channel.deliver(context(plain, conversation_id="plain"))
    channel.deliver(context(to(OTHER)))
    mentions = context(to(OTHER), lambda d: d.update(project_data={"ask": RECIPIENT}))
    for body in (context(), f"not JSON, of {RECIPIENT}", mentions):
        operator.enqueue(body)
        operator.dead_letter(body)
        operator.hand_off(body)

    receipt = erasure.erase(RECIPIENT, AUDIT)

    assert {"first", "conversation-1", "plain"} == set(receipt.conversations)
    removed = {name: number for name, number in receipt.removed.items() if number}
    queues = ("queue", "dead letters", "hand-off queue")
    assert {f"whatsapp {name}": 2 for name in queues} == removed
    assert [0, 0, 1] == [records_of(channel, r) for r in (RECIPIENT, RECIPIENT[1:], OTHER)]
    assert [mentions] == operator.queued() == operator.dead_letters() == operator.handed_off()
    assert receipt.is_complete


def test_receipt_and_survey(operator: OperatorChannel, erasure: Eraser) -> None:
    """The receipt lists the vendors' ids, who erased and why, and no phone number.

    A survey has the same receipt and changes nothing.
    """
    operator.channel.deliver(context())
    record = operator.channel.record()
    operator.enqueue(context())
    before = items(operator.channel)

    surveyed = erasure.survey(RECIPIENT, AUDIT)

    assert before == items(operator.channel)
    assert [context()] == operator.queued()
    receipt = erasure.erase(RECIPIENT, AUDIT)
    would, did = ({each.id: each.outcome for each in r.vendors} for r in (surveyed, receipt))
    (entry,) = record["messages"]
    response = entry.get("response_id", entry["message_id"])
    ids = [record["thread_id"], response, record["message_sid"]]
    assert (dict.fromkeys(ids, "would be deleted"), dict.fromkeys(ids, "deleted")) == (would, did)
    assert replace(surveyed, vendors=()) == replace(receipt, vendors=())
    expected = (AUDIT.who, "request 17", "2033-05-18T03:33:20.000+00:00")
    assert expected == (receipt.who, receipt.why, receipt.at)
    assert RECIPIENT[1:] not in str(receipt)


@pytest.mark.parametrize(
    "state",
    [
        *({"conversation_status": "sending"}, {"conversation_status": "send_unknown"}),
        {"conversation_status": "processing", "lease_expires_at": int(NOW) + 1},
    ],
    ids=["sending", "unknown", "leased"],
)
def test_open_record_is_kept(channel: Channel, erasure: Eraser, state: dict[str, Any]) -> None:
    """A record that may be in use is kept, and the receipt says that the erasure is incomplete."""
    channel.deliver(context())
    channel.set_fields(**state)
    stored = stored_at_vendors(channel)

    survey, receipt = (run(RECIPIENT, AUDIT) for run in (erasure.survey, erasure.erase))

    assert (("conversation-1",), ()) == (receipt.open, receipt.conversations)
    assert (receipt.open, False) == (survey.open, receipt.is_complete)
    assert 1 == records_of(channel)
    # Reconciliation still needs what the vendors have.
    assert ((), stored) == (receipt.vendors, stored_at_vendors(channel))


def test_expired_lease_keeps_nothing(channel: Channel, erasure: Eraser) -> None:
    """A record whose lease has expired is erased; its worker can no longer write."""
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(context())
    channel.set_fields(conversation_status="processing", lease_expires_at=int(NOW) - 1)

    assert ("conversation-1",) == erasure.erase(RECIPIENT, AUDIT).conversations
    assert 0 == records_of(channel)


@pytest.mark.parametrize(
    ("asked_at", "is_erased"),
    [("1000", True), ("900000", True), ("1100000", False), ("soon", False), ("", False)],
)
def test_a_message_is_as_old_as_its_first_request(
    channel: Channel, erasure: Eraser, asked_at: str, *, is_erased: bool
) -> None:
    """One that was queued again after an erasure is rejected if it was asked for before."""
    erasure.erase(RECIPIENT, AuditContext(AUDIT.who, AUDIT.why, 1_000.0))
    body = context(_without_request_time)
    attribute: Any = {"DataType": "String", "StringValue": asked_at}
    attributes = {"first_asked_at": attribute} if asked_at else {}
    channel.sqs.send_message(
        QueueUrl=channel.queue_url, MessageBody=body, MessageAttributes=attributes
    )
    assert is_erased == bool(channel.invoke(channel.receive_all()))
    assert is_erased == ("recipient_erased" in channel.events())
    assert is_erased != bool(channel.phone())


def _without_request_time(document: dict[str, Any]) -> None:
    document["frontend_payload"]["request_data"].pop("initial_request_timestamp", None)


@pytest.mark.parametrize(
    ("requested", "queued_at", "expected"),
    [
        (None, None, None),
        (None, 1_050_000, 1_050_000),
        (1_100, None, 1_100_000),
        (1_100, 1_050_000, 1_050_000),
        (1_100, 900_000, 0),
        (900, 1_050_000, 0),
    ],
)
def test_a_redrive_keeps_the_time_of_the_first_request(
    operator: OperatorChannel,
    suppressions: Suppressions,
    requested: int | None,
    queued_at: int | None,
    expected: int | None,
) -> None:
    """The earliest of the router's, an earlier redrive's and the queue's; 0: erased since."""
    suppressions.mark_erased(RECIPIENT, AuditContext(AUDIT.who, AUDIT.why, 1_000.0), "erased")
    time = requested and datetime.fromtimestamp(requested, UTC).isoformat()
    change = lambda d: d["frontend_payload"]["request_data"].update(  # noqa: E731
        initial_request_timestamp=time
    )
    attribute: Any = {"DataType": "Number", "StringValue": str(queued_at)}
    operator.channel.sqs.send_message(
        QueueUrl=operator.dead_letter_queue_url,
        MessageBody=context(change),
        MessageAttributes={"first_asked_at": attribute} if queued_at else {},
    )
    operator.run("dlq", "redrive", "--yes")
    sent = operator.channel.receive_all()
    assert (expected != 0) == bool(sent) == (not operator.dead_letters())
    for message in sent:
        asked_at = int(message["MessageAttributes"]["first_asked_at"]["StringValue"])
        queued = int(message["Attributes"]["SentTimestamp"])
        assert asked_at == expected if expected else queued - 60_000 < asked_at <= queued


def test_suppression_survives_erasure(erasure: Eraser, suppressions: Suppressions) -> None:
    """A suppression is kept, identified by its digest, with its audit entries."""
    suppressions.add(RECIPIENT, AUDIT)

    receipt = erasure.erase(RECIPIENT, AUDIT)

    found = suppressions.find(RECIPIENT)
    assert found
    assert ("whatsapp",) == receipt.suppressed
    assert ["suppression added", "erasure begun"] == [entry["what"] for entry in found.actions]


def test_dead_letter_of_the_erased(operator: OperatorChannel, suppressions: Suppressions) -> None:
    """A redrive leaves it in the queue; discarding it records its id and no phone number."""
    suppressions.mark_erased(RECIPIENT, AUDIT, "erased")
    operator.dead_letter(context())

    assert "its recipient was erased" in operator.refused("dlq", "redrive", "--yes")
    assert 0 == records_of(operator.channel)
    assert ([], [context()]) == (operator.queued(), operator.dead_letters())

    operator.succeed("dlq", "drop", "--cause", "no_record", "--reason", "request 17", "--yes")
    assert [] == operator.dead_letters()
    stored = items(operator.channel)
    assert RECIPIENT not in json.dumps(stored)
    assert "dead-letter" in {item["primary_channel"]["S"] for item in stored}


# --- spellings


SPELLINGS = {
    "mexico": ("+525512345678", "+5215512345678"),
    "argentina": ("+541123456789", "+5491123456789"),
    "brazil": ("+551187654321", "+5511987654321"),
    "benin": ("+22997123456", "+2290197123456"),
}


@pytest.mark.parametrize(("one", "other"), SPELLINGS.values(), ids=SPELLINGS)
def test_both_spellings_of_a_handset_are_suppressed(
    channel: Channel, suppressions: Suppressions, one: str, other: str
) -> None:
    """By an operator or by the vendor's report; lifted in one spelling, both are lifted."""
    channel.twilio.fail_next("21610")
    channel.deliver(context(to(one), conversation_id="reported"))
    calls = channel.vendor_calls()
    for recipient in (one, other):
        body = context(to(recipient))
        assert [body] == channel.deliver(body)
        assert REJECTED == channel.status(recipient=recipient)
    assert calls == channel.vendor_calls()

    assert suppressions.lift(other, AUDIT)
    assert [] == channel.deliver(context(to(one), conversation_id="lifted"))
    assert suppressions.add(other, AUDIT)
    assert [] != channel.deliver(context(to(one), conversation_id="added"))


def test_a_suppression_of_one_spelling_applies_to_both(
    channel: Channel, suppressions: Suppressions
) -> None:
    """Opt-outs that were recorded under one spelling only are found for the other one."""
    one, other = SPELLINGS["mexico"]
    key = suppression_key("whatsapp", one)
    item = {name: {"S": value} for name, value in key.items()}
    channel.dynamodb.put_item(
        TableName=channel.table, Item={**item, "suppressed_at": {"S": "2026-01-01"}}
    )
    channel.deliver(context(to(other)))
    assert REJECTED == channel.status(recipient=other)
    assert suppressions.find(other)


@pytest.mark.parametrize(("other", "one"), [SPELLINGS["mexico"]])
def test_both_spellings_of_a_handset_are_erased(
    channel: Channel, operator: OperatorChannel, erasure: Eraser, one: str, other: str
) -> None:
    """Records, messages, and copies that arrive later."""
    bodies = [context(to(each), conversation_id=each) for each in (one, other)]
    channel.deliver(*bodies)
    operator.dead_letter(*bodies)

    receipt = erasure.erase(one)

    assert {one, other} == set(receipt.conversations)
    assert (2, True) == (receipt.removed["whatsapp dead letters"], receipt.is_complete)
    channel.deliver(*bodies)
    assert [0, 0] == [records_of(channel, each) for each in (one, other)]


def test_a_channel_has_one_spelling_of_an_address(
    operator: OperatorChannel, erasure: Eraser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is typed or received: records, also rejected ones, opt-outs and erasures have it."""
    mailbox = AddressFormat(
        "mail_malformed", r"[^@\s]+@[^@\s]+", "a mailbox", canonical=str.casefold
    )
    addressing = Addressing(recipient_field="recipient_email", recipient=mailbox)
    sender = Mock()
    sender.send.return_value = "SM1"
    parts = replace(whatsapp.PARTS, addressing=addressing, make_sender=lambda _: sender)
    monkeypatch.setattr(whatsapp, "PARTS", parts)
    channel, one, other = operator.channel, "Amara@Example.org", "AMARA@example.org"

    def to_mailbox(address: str, conversation: str, **data: object) -> str:
        data["recipient_email"] = address
        return context(lambda d: recipient_data(d).update(data), conversation_id=conversation)

    channel.deliver(to_mailbox(one, "sent"))
    operator.succeed("suppression", "add", other, "--reason", "asked", "--yes")
    refused = [to_mailbox(one, "invalid", comms_consent=False), to_mailbox(other, "suppressed")]
    assert refused == channel.deliver(*refused)
    operator.dead_letter(f"not JSON, of {other}.")
    keys = {item["primary_channel"]["S"] for item in items(channel) if "created_at" in item}
    assert {one.casefold()} == keys

    receipt = erasure.erase(other)

    assert (3, True) == (len(receipt.conversations), receipt.is_complete)
    assert [] == operator.dead_letters()


REJECTED_SPELLINGS = (
    *("447700900123", "+44 7700 900123", "00447700900123", "+44 (0) 7700-900123"),
    *(
        "whatsapp:+447700900123",
        "\u202a+44\u00a07700\u2011900123\u202c",
        "tel. +447700900123 (home)",
    ),
)
SIMILAR_SPELLINGS = ("07700 900123", "7700900123", "+4407700900123")


def test_rejected_spellings_are_erased(
    channel: Channel, operator: OperatorChannel, erasure: Eraser
) -> None:
    """Records and messages that were rejected because of their spelling, and unreadable bodies."""
    bodies = [context(to(each), conversation_id=each) for each in REJECTED_SPELLINGS]
    assert bodies == channel.deliver(*bodies)
    operator.dead_letter(*bodies, *(f"not JSON, of {each}." for each in REJECTED_SPELLINGS))

    receipt = erasure.erase(RECIPIENT)

    assert set(REJECTED_SPELLINGS) == set(receipt.conversations)
    assert ([], True) == (operator.dead_letters(), receipt.is_complete)
    channel.deliver(*bodies[:-1])
    assert [] == [each for each in items(channel) if "conversation_status" in each]


def test_similar_spellings_are_listed(
    channel: Channel, operator: OperatorChannel, erasure: Eraser
) -> None:
    """Their country is unknown, so the operator decides; until then the receipt is incomplete."""
    bodies = [context(to(each), conversation_id=f"similar-{each}") for each in SIMILAR_SPELLINGS]
    channel.deliver(context(), *bodies)
    operator.dead_letter(bodies[0], context(to(OTHER)))
    ids = {f"similar-{each}" for each in SIMILAR_SPELLINGS}

    receipt = erasure.erase(RECIPIENT)

    assert ids == {each for each in receipt.similar if not each.startswith("message ")}
    assert (4, False) == (len(receipt.similar), receipt.is_complete)
    assert 2 == len(operator.dead_letters())
    command = ("erase", "--recipient", RECIPIENT, "--reason", "request 17", "--yes")
    assert "--similar erase" in operator.refused(*command)
    kept = operator.succeed(*command, "--similar", "keep")
    assert (4, True) == (len(kept["similar"]), kept["is_complete"])
    assert ids == set(operator.succeed(*command, "--similar", "erase")["conversations"])
    assert [context(to(OTHER))] == operator.dead_letters()


@pytest.mark.parametrize("typed", [RECIPIENT, *REJECTED_SPELLINGS[1:-1]])
def test_a_typed_number_has_one_spelling(typed: str) -> None:
    """However people type it."""
    assert RECIPIENT == whatsapp.PARTS.addressing.normalize(typed)


@pytest.mark.parametrize("typed", ["07700 900123", "447700900123", "Ada", " ", "+44 7700 90012x"])
def test_what_is_no_number_is_rejected(typed: str) -> None:
    """Neither a country is assumed nor a digit."""
    with pytest.raises(ValueError, match=r"expected a phone number in E\.164 form"):
        whatsapp.PARTS.addressing.normalize(typed)


def test_every_command_normalizes_the_recipient(operator: OperatorChannel, erasure: Eraser) -> None:
    """A command finds the recipient of a number with spaces."""
    del erasure
    typed = REJECTED_SPELLINGS[1]
    operator.channel.deliver(context())
    assert operator.succeed("conversation", "show", "conversation-1", "--recipient", typed)
    change = ("--reason", "request 17", "--yes")
    assert "suppressed" == operator.succeed("suppression", "add", typed, *change)["outcome"]
    assert 1 == len(operator.succeed("suppression", "list", "--recipient", typed))
    lifted = operator.succeed("suppression", "lift", typed, *change)
    assert recipient_digest("whatsapp", RECIPIENT) == lifted["digest"]
    receipt = operator.succeed("erase", "--recipient", typed, *change)
    assert (["conversation-1"], True) == (receipt["conversations"], receipt["is_complete"])


@pytest.mark.parametrize(
    "command",
    [
        ("erase", "--reason", "request 17", "--yes", "--recipient"),
        ("suppression", "add", "--reason", "request 17", "--yes"),
        ("conversation", "show", "conversation-1", "--recipient"),
    ],
    ids=" ".join,
)
def test_every_command_rejects_what_is_no_recipient(
    operator: OperatorChannel, command: tuple[str, ...]
) -> None:
    """With one message, which does not repeat the text."""
    output = operator.refused(*command, "447700900123")
    assert "the recipient: expected a phone number in E.164 form" in output
    assert "447700900123" not in output


def test_an_erasure_that_finds_nothing_is_not_complete(
    channel: Channel, operator: OperatorChannel, erasure: Eraser
) -> None:
    """Unless an earlier one found something, as its repetition must be complete."""
    command = ("erase", "--reason", "request 17", "--yes", "--recipient")
    channel.deliver(context())
    assert "nothing of this recipient is stored here" in operator.refused(*command, OTHER)
    assert erasure.survey(RECIPIENT).is_complete
    operator.succeed(*command, RECIPIENT)
    assert operator.succeed(*command, RECIPIENT)["earlier"]


# --- what the vendors store


def stored_at_vendors(channel: Channel) -> dict[str, int]:
    state = channel.openai.state() | channel.twilio.state()
    kinds = ("conversations", "items", "responses", "threads", "messages")
    return {kind: len(state[kind]) for kind in kinds if state[kind]}


@pytest.mark.parametrize("engine", ["responses", "assistants"])
def test_an_erasure_deletes_at_the_vendors(channel: Channel, erasure: Eraser, engine: str) -> None:
    """Conversation with its items and response, or thread, and message; other people's stay."""
    chosen: Callable[[Any], None] = lambda d: openai_config(d).update(engine=engine)  # noqa: E731
    channel.deliver(context(chosen))
    channel.deliver(context(to(OTHER)))
    others = {"conversations": 1, "responses": 1, "messages": 1}

    assert stored_at_vendors(channel) != others
    receipt = erasure.erase(RECIPIENT)

    assert ({"deleted"}, True) == ({e.outcome for e in receipt.vendors}, receipt.is_complete)
    assert others == stored_at_vendors(channel)


def test_an_unsent_answer_is_deleted_at_openai(channel: Channel, erasure: Eraser) -> None:
    """A failed conversation has its answer, and nothing at Twilio."""
    channel.twilio.fail_next("21612")
    channel.deliver(context())
    assert erasure.erase(RECIPIENT).is_complete
    assert {} == stored_at_vendors(channel)


def test_what_was_deleted_before_is_no_problem(channel: Channel, erasure: Eraser) -> None:
    """The vendors do not know it any more."""
    channel.deliver(context())
    channel.openai.clear_state()
    channel.twilio.clear_state()
    receipt = erasure.erase(RECIPIENT)
    assert {"not found: deleted before"} == {each.outcome for each in receipt.vendors}
    assert receipt.is_complete


@pytest.mark.parametrize(
    ("disturb", "reasons"),
    [
        (lambda c: c.twilio.fail_next("20403"), {"twilio_20403"}),
        (lambda c: c.set_secret(TWILIO_SECRET, "{}"), {"secret_malformed"}),
        (
            lambda c: c.secretsmanager.delete_secret(
                SecretId=OPENAI_SECRET, ForceDeleteWithoutRecovery=True
            ),
            {"secret_missing"},
        ),
        (lambda c: c.set_secret(OPENAI_SECRET, '{"ai_api_key": "x"}'), {"openai_invalid_api_key"}),
        (
            lambda c: c.set_fields(channel_config={}, ai_config={}),
            {"whatsapp_credentials_id", "api_key_reference"},
        ),
        (lambda c: c.set_fields(channel_method="post"), {"channel is not deployed"}),
    ],
    ids=["permission", "malformed", "missing", "key", "reference", "channel"],
)
def test_a_refused_deletion_is_reported(
    channel: Channel,
    operator: OperatorChannel,
    erasure: Eraser,
    disturb: Callable[[Channel], object],
    reasons: set[str],
) -> None:
    """The record is erased; the receipt has id and reason, and the exit code says incomplete."""
    del erasure
    channel.deliver(context())
    command = ("erase", "--recipient", RECIPIENT, "--reason", "request 17", "--yes", "--json")
    disturb(channel)

    result = operator.run(*command)

    receipt = json.loads(result.stdout)
    left = [each for each in receipt["vendors"] if not each["is_deleted"]]
    assert (1, False) == (result.exit_code, receipt["is_complete"])
    assert all(any(reason in str(each["outcome"]) for each in left) for reason in reasons)
    assert (["conversation-1"], 0) == (receipt["conversations"], records_of(channel))


@pytest.mark.parametrize(
    ("vendor", "fault"),
    [
        *(("openai", fault) for fault in ("rate_limit_exceeded", Fault.reset())),
        *(("twilio", fault) for fault in ("20009", "20500")),
    ],
    ids=str,
)
def test_a_failed_deletion_keeps_the_record(
    channel: Channel, erasure: Eraser, vendor: str, fault: Any
) -> None:
    """Only the record has the ids, so it stays until the next run has deleted everything."""
    channel.deliver(context())
    getattr(channel, vendor).fail_next(fault, times=9)

    receipt = erasure.erase(RECIPIENT)
    assert (("conversation-1",), (), False) == (
        receipt.open,
        receipt.conversations,
        receipt.is_complete,
    )
    getattr(channel, vendor).clear_faults()
    assert erasure.erase(RECIPIENT).is_complete
    assert ({}, 0) == (stored_at_vendors(channel), records_of(channel))
