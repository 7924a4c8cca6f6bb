"""Opted-out recipients get no messages; erasing a person removes records and messages for good."""

import json
from functools import partial
from typing import Any

import pytest

from lambda_src.services.dynamodb import suppression_key
from lambda_src.services.secrets_manager_service import is_within
from lambda_src.utils.context_processor import ContextParser
from ops.audit import AuditContext
from ops.erasure import Erasure, ErasureTarget
from ops.queues import QueueScanner
from ops.suppressions import BY_OPERATOR, Suppressions, recipient_digest
from tests.ops.operator_channel import OperatorChannel, to
from tests.support.channel import (
    PREFIXES,
    RECIPIENT,
    Channel,
    context,
    failing_operation,
    recipient_data,
)

NOW = 2_000_000_000.0
AUDIT = AuditContext("arn:aws:iam::123456789012:user/on-duty", "request 17", NOW)
REJECTED = ("failed", "recipient_suppressed")
OTHER = "+447700900999"


@pytest.fixture
def suppressions(channel: Channel) -> Suppressions:
    """Return the channel's suppressions."""
    return Suppressions(channel.dynamodb, channel.table, "whatsapp")


@pytest.fixture
def erasure(operator: OperatorChannel) -> Erasure:
    """Return the operator's erasure on the only channel."""
    sqs, table = operator.channel.sqs, operator.channel.table
    urls = {"queue": operator.channel.queue_url, "dead letters": operator.dead_letter_queue_url}
    scanners = {name: QueueScanner(sqs, url) for name, url in urls.items()}
    parse = ContextParser("whatsapp", partial(is_within, prefixes=PREFIXES))
    target = ErasureTarget("whatsapp", scanners, parse)
    return Erasure(operator.channel.dynamodb, table, [target])


def items(channel: Channel) -> list[dict[str, Any]]:
    """Return all items of the table."""
    return channel.dynamodb.scan(TableName=channel.table)["Items"]


def records_of(channel: Channel, recipient: str = RECIPIENT) -> int:
    """Return the number of a recipient's records."""
    return sum(item["primary_channel"]["S"] == recipient for item in items(channel))


def outcome(channel: Channel) -> tuple[str, str]:
    """Return status and failure code of the record."""
    record = channel.record()
    return record["conversation_status"], record["failure"]["code"]


@pytest.mark.parametrize("code", ["21610", "63014", "63033"])
def test_opt_out_at_vendor_suppresses(
    channel: Channel, suppressions: Suppressions, code: str
) -> None:
    """If Twilio reports an opt-out, the record fails and the recipient is suppressed."""
    channel.twilio.fail_next(code)
    assert [context()] == channel.deliver(context())

    assert ("failed", f"twilio_{code}") == outcome(channel)
    (suppression,) = suppressions.all()
    expected = (recipient_digest("whatsapp", RECIPIENT), f"twilio_{code}")
    assert expected == (suppression.digest, suppression.reason)


def test_later_message_fails_before_any_call(channel: Channel, suppressions: Suppressions) -> None:
    """No vendor is called; the record and a single log line have the reason."""
    suppressions.add(RECIPIENT, AUDIT)

    assert [context()] == channel.deliver(context())

    line = channel.events()["recipient_suppressed"]
    assert ("ERROR", "claim") == (line["level"], line["failure_step"])
    assert REJECTED == outcome(channel)
    assert [context()] == channel.deliver(context(), receive_count=2)
    assert {"already_ended"} == set(channel.events()) & {"already_ended", "recipient_suppressed"}
    assert 0 == channel.vendor_calls()


def test_retry_is_rejected(channel: Channel, suppressions: Suppressions) -> None:
    """A conversation that waits for a retry fails at its next delivery."""
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(context())
    suppressions.add(RECIPIENT, AUDIT)
    calls = channel.vendor_calls()

    assert [context()] == channel.deliver(context(), receive_count=2)

    assert REJECTED == outcome(channel)
    assert calls == channel.vendor_calls()


def test_suppression_is_per_recipient_and_channel(
    channel: Channel, suppressions: Suppressions
) -> None:
    """Another recipient's suppression, or one on another channel, has no effect."""
    suppressions.add("+447700900999", AUDIT)
    Suppressions(channel.dynamodb, channel.table, "sms").add(RECIPIENT, AUDIT)

    assert [] == channel.deliver(context())
    assert 1 == len(channel.phone())


def test_consent_is_checked_first(channel: Channel, suppressions: Suppressions) -> None:
    """A message without consent is rejected for that reason, also if suppressed."""
    suppressions.add(RECIPIENT, AUDIT)
    channel.deliver(context(lambda document: recipient_data(document).update(comms_consent=False)))

    assert "consent_not_given" == channel.record()["failure"]["code"]


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


def test_failure_and_suppression_are_atomic(channel: Channel, suppressions: Suppressions) -> None:
    """If the write is refused, neither the record fails nor is the recipient suppressed."""
    channel.twilio.fail_next("21610")
    with failing_operation(
        channel, "TransactWriteItems", "AccessDeniedException", containing="suppressed_for"
    ):
        channel.deliver(context())

    assert "sending" == channel.record()["conversation_status"]
    assert [] == list(suppressions.all())


def test_lease_and_check_are_one_call(channel: Channel, suppressions: Suppressions) -> None:
    """A suppressed message costs two calls of the table: the lease, and its failure."""
    suppressions.add(RECIPIENT, AUDIT)
    operations: list[str] = []
    channel.table_client().meta.events.register(
        "before-call.dynamodb.*", lambda model, **_: operations.append(model.name)
    )

    channel.deliver(context())

    assert ["TransactWriteItems", "TransactWriteItems"] == operations


def test_erasure_removes_only_the_person(operator: OperatorChannel, erasure: Erasure) -> None:
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

    receipt = erasure.erase(RECIPIENT, AUDIT)

    assert {"first", "conversation-1", "plain"} == set(receipt.conversations)
    assert {"whatsapp queue": 2, "whatsapp dead letters": 2} == receipt.removed
    assert [0, 0, 1] == [records_of(channel, r) for r in (RECIPIENT, RECIPIENT[1:], OTHER)]
    assert [mentions] == operator.queued() == operator.dead_letters()
    assert receipt.is_complete


def test_receipt_and_survey(operator: OperatorChannel, erasure: Erasure) -> None:
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
    assert surveyed == receipt
    assert ((record["thread_id"],), (record["message_sid"],)) == (receipt.threads, receipt.messages)
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
def test_open_record_is_kept(channel: Channel, erasure: Erasure, state: dict[str, Any]) -> None:
    """A record that may be in use is kept, and the receipt says that the erasure is incomplete."""
    channel.deliver(context())
    channel.set_fields(**state)

    survey, receipt = (run(RECIPIENT, AUDIT) for run in (erasure.survey, erasure.erase))

    assert (("conversation-1",), ()) == (receipt.open, receipt.conversations)
    assert (receipt.open, False) == (survey.open, receipt.is_complete)
    assert 1 == records_of(channel)


def test_expired_lease_keeps_nothing(channel: Channel, erasure: Erasure) -> None:
    """A record whose lease has expired is erased; its worker can no longer write."""
    channel.openai.fail_next("rate_limit_exceeded")
    channel.deliver(context())
    channel.set_fields(conversation_status="processing", lease_expires_at=int(NOW) - 1)

    assert ("conversation-1",) == erasure.erase(RECIPIENT, AUDIT).conversations
    assert 0 == records_of(channel)


def test_messages_in_flight_are_counted(channel: Channel, erasure: Erasure) -> None:
    """Messages in flight cannot be inspected and make the erasure incomplete."""
    channel.sqs.send_message(QueueUrl=channel.queue_url, MessageBody=context())
    channel.sqs.receive_message(QueueUrl=channel.queue_url)

    receipt = erasure.erase(RECIPIENT, AUDIT)

    assert (1, False) == (receipt.in_flight["whatsapp queue"], receipt.is_complete)


@pytest.mark.parametrize("has_consent", [True, False])
def test_later_copy_is_rejected(channel: Channel, erasure: Erasure, *, has_consent: bool) -> None:
    """A copy that was in flight is rejected without a record, at each of its deliveries."""
    erasure.erase(RECIPIENT, AUDIT)
    body = context(lambda d: recipient_data(d).update(comms_consent=has_consent))

    for receive_count in (1, 2):
        assert [body] == channel.deliver(body, receive_count=receive_count)
        assert "ERROR" == channel.events()["recipient_erased"]["level"]

    assert (0, 0) == (records_of(channel), channel.vendor_calls())


def test_later_request_is_sent(channel: Channel, erasure: Erasure) -> None:
    """A message that was requested after the erasure is sent."""
    erasure.erase(RECIPIENT, AuditContext(AUDIT.who, AUDIT.why, 1.0))
    later = json.loads(context())
    later["frontend_payload"]["request_data"]["initial_request_timestamp"] = "2026-11-22T10:00:00Z"

    assert [] == channel.deliver(json.dumps(later))
    assert 1 == len(channel.phone())


def test_suppression_survives_erasure(erasure: Erasure, suppressions: Suppressions) -> None:
    """A suppression is kept, identified by its digest, with its audit entries."""
    suppressions.add(RECIPIENT, AUDIT)

    receipt = erasure.erase(RECIPIENT, AUDIT)

    found = suppressions.find(RECIPIENT)
    assert found
    assert ("whatsapp",) == receipt.suppressed
    assert ["suppression added", "erasure begun", "erased: 0 records, 0 messages"] == [
        entry["what"] for entry in found.actions
    ]


def test_dead_letter_of_erased_person(
    operator: OperatorChannel, suppressions: Suppressions
) -> None:
    """A redrive leaves it in the queue; discarding it records its id and no phone number."""
    suppressions.mark_erased(RECIPIENT, AUDIT, "erased")
    operator.dead_letter(context())

    (row,) = operator.succeed("dlq", "redrive", "--yes")["planned"]
    assert "erased" in row["decision"]
    assert 0 == records_of(operator.channel)
    assert ([], [context()]) == (operator.queued(), operator.dead_letters())

    operator.succeed("dlq", "drop", "--cause", "no_record", "--reason", "request 17", "--yes")
    assert [] == operator.dead_letters()
    stored = items(operator.channel)
    assert RECIPIENT not in json.dumps(stored)
    assert "dead-letter" in {item["primary_channel"]["S"] for item in stored}
