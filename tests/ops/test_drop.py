"""Dropping: a letter is given up only where its record says so, and never what may be sent."""

import boto3
import pytest

from lambda_src.core.contract import Status
from tests.ops.office import Office
from tests.ops.test_redrive import fail_for_a_while, fail_for_good
from tests.services.channel import RECIPIENT, context

DROP = ("dlq", "drop", "--reason", "withdrawn by the tenant", "--yes")


def test_what_waited_for_a_retry_ends_as_failed(office: Office) -> None:
    """The letter is gone, and a late duplicate is not sent: its conversation was closed."""
    body = fail_for_a_while(office.channel, "waited")
    office.bury(body)

    assert 1 == office.done(*DROP, "--conversation", "waited")["acted"]
    record = office.channel.record("waited")
    assert (Status.FAILED, "dropped_by_operator") == (
        record["conversation_status"],
        record["failure"]["code"],
    )
    assert "withdrawn by the tenant" == record["operator_actions"][0]["why"]
    assert [body] == office.channel.deliver(body)
    assert ([], []) == (office.dead_letters(), office.channel.phone())


def test_what_has_no_record_gets_one(office: Office) -> None:
    """A message that no worker got hold of is closed before its letter goes."""
    office.bury(context(conversation_id="untouched"))
    office.done(*DROP, "--cause", "no_record")
    assert Status.FAILED == office.channel.record("untouched")["conversation_status"]
    assert [] == office.dead_letters()


def test_what_tells_no_conversation_is_noted_under_the_letter(office: Office) -> None:
    """A letter that names nobody is dropped with a record of its own."""
    office.bury("no JSON")
    (row,) = office.done("dlq", "list", "--letters")["letters"]
    office.done(*DROP, "--letter", row["letter"])

    noted = office.channel.record(row["letter"], recipient="dead-letter")
    assert "withdrawn by the tenant" == noted["operator_actions"][0]["why"]
    assert [] == office.dead_letters()


def test_what_failed_is_noted_and_keeps_its_reason(office: Office) -> None:
    """Its record goes on saying why it failed."""
    office.bury(fail_for_good(office.channel, "wrong", "21211"))
    office.done(*DROP, "--cause", "twilio_21211")
    record = office.channel.record("wrong")
    assert ("twilio_21211", 1) == (record["failure"]["code"], len(record["operator_actions"]))


def test_what_may_be_sent_is_not_dropped(office: Office) -> None:
    """An unknown send is decided first; so is one that a worker is at."""
    office.lose_a_send()
    busy = fail_for_a_while(office.channel, "busy")
    office.channel.set_fields("busy", conversation_status="processing", lease_expires_at=1 << 40)
    letters = [context(conversation_id="lost"), busy]
    office.bury(*letters)

    document = office.done(*DROP, "--company", "demo-company")
    assert 0 == document["acted"]
    assert set(letters) == set(office.dead_letters())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--reason", "all of them"), "say which"),
        (("--reason", " ", "--cause", "no_record"), "--reason is empty"),
    ],
)
def test_a_drop_says_which_and_why(office: Office, arguments: tuple[str, ...], said: str) -> None:
    """Without a choice, or a reason, nothing is dropped."""
    assert said in office.refused("dlq", "drop", "--yes", *arguments)


def test_an_interrupted_drop_goes_on(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called off between the record and the letter, the next run removes the letter."""
    office.bury("no JSON", fail_for_a_while(office.channel, "waited"))

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ops.letters.Letters.remove", interrupt)
        assert 130 == office.run(*DROP, "--company", "demo-company").exit_code
        assert 130 == office.run(*DROP, "--cause", "body_not_json").exit_code
    assert 2 == len(office.dead_letters())
    office.done(*DROP, "--cause", "body_not_json")
    office.done(*DROP, "--cause", "dropped_by_operator")
    assert [] == office.dead_letters()
    rows = boto3.client("dynamodb").scan(TableName=office.channel.table)["Items"]
    assert 2 == len(rows)
    assert RECIPIENT in {row["primary_channel"]["S"] for row in rows}
