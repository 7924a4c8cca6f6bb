"""`dlq drop`: a message is discarded only after its record says so."""

import boto3
import pytest

from lambda_src.core.contract import Status
from ops.queues import QueueScanner
from tests.ops.operator_channel import OperatorChannel
from tests.support.channel import RECIPIENT

DROP = ("dlq", "drop", "--reason", "withdrawn by the tenant", "--yes")


def test_a_late_duplicate_of_a_discarded_message_is_not_sent(operator: OperatorChannel) -> None:
    """Its conversation is closed with the operator's reason."""
    body = operator.fail_temporarily("waited")
    operator.dead_letter(body)

    assert 1 == operator.succeed(*DROP, "--conversation", "waited")["acted"]
    record = operator.channel.record("waited")
    assert (Status.FAILED, "dropped_by_operator", "withdrawn by the tenant") == (
        record["conversation_status"],
        record["failure"]["code"],
        record["operator_actions"][0]["why"],
    )
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


def test_an_interrupted_discard_can_be_repeated(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
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
