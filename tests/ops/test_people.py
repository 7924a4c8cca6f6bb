"""Suppressions and erasure, as the person on duty asks for them."""

import pytest

from lambda_src.core.contract import Status
from tests.ops.office import Office
from tests.services.channel import RECIPIENT, context

BECAUSE = ("--reason", "request 17", "--yes")


def test_whom_a_person_suppresses_gets_nothing(office: Office) -> None:
    """Their messages fail before a vendor is asked; lifted and redriven, they arrive."""
    body = context(conversation_id="suppressed")
    office.done("suppression", "add", RECIPIENT, *BECAUSE)
    assert [body] == office.channel.deliver(body)
    assert (0, Status.FAILED) == (
        office.channel.vendor_calls(),
        office.channel.record("suppressed")["conversation_status"],
    )
    assert 1 == len(office.done("suppression", "list"))
    assert [] == office.done("suppression", "list", "--recipient", "+447700900999")

    office.bury(body)
    office.done("suppression", "lift", RECIPIENT, *BECAUSE)
    office.done("dlq", "redrive", "--mended", "recipient_suppressed", "--yes")
    office.work_off()
    record = office.channel.record("suppressed")
    assert (Status.SENT, "demo-company") == (record["conversation_status"], record["company_id"])
    assert [] == office.done("suppression", "list")


@pytest.mark.parametrize("number", ["447700900123", "nobody"])
def test_a_suppression_is_of_an_address(office: Office, number: str) -> None:
    """What is no number of the channel's form would suppress nobody, and is refused unquoted."""
    told = office.refused("suppression", "add", number, *BECAUSE)
    assert "expected a phone number in E.164 form" in told
    assert number not in told


def test_a_no_or_a_dry_run_suppresses_nobody(office: Office) -> None:
    """Nor does it lift anything."""
    call = ("suppression", "add", RECIPIENT, "--reason", "request 17")
    assert "nothing was changed" in office.refused(*call, answer="n\n")
    office.done(*call, "--dry-run")
    assert [] == office.done("suppression", "list")


def test_a_person_is_erased_with_a_receipt(office: Office) -> None:
    """Record, queued and dead message go; the receipt has ids, and not the number."""
    office.channel.deliver(context(conversation_id="sent"))
    office.bury(context(conversation_id="dead"))
    office.channel.sqs.send_message(QueueUrl=office.channel.queue_url, MessageBody=context())

    call = ("erase", "--recipient", RECIPIENT, "--reason", "request 17")
    assert ["sent"] == office.done(*call, "--dry-run")["conversations"]
    assert "nothing was changed" in office.refused(*call, answer="n\n")
    assert office.channel.record("sent")
    receipt = office.done(*call, "--yes")

    assert {"whatsapp queue": 1, "whatsapp dead letters": 1} == receipt["removed"]
    assert ([], [], None) == (
        office.queued(),
        office.dead_letters(),
        office.channel.record("sent"),
    )
    assert RECIPIENT[1:] not in str(receipt)


def test_what_may_be_on_its_way_is_erased_later(office: Office) -> None:
    """An unknown send stays, and the exit code says that the erasure is not complete."""
    office.lose_a_send()
    told = office.refused("erase", "--recipient", RECIPIENT, *BECAUSE)
    assert "run the same command in an hour" in told
    assert Status.SEND_UNKNOWN == office.channel.record("lost")["conversation_status"]
