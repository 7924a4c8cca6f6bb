"""`dlq redrive` and `dlq drop` on the local cloud."""

import pytest

from lambda_src.core.contract import Status
from tests.local.cloud.tool.local_operator import LocalOperator
from tests.local.cloud.tool.terminal import ctrl_c
from tests.local.cloud.tool.ways import Way, exercises

REDRIVE = ("dlq", "redrive", "--rate", "1000")
DROP = ("dlq", "drop", "--reason", "withdrawn by the tenant")
RESUMABLE = "completed work is kept: run the same command again to continue"


@exercises(Way.DONE, "dlq redrive")
def test_redriven_messages_are_sent_once(operator: LocalOperator) -> None:
    """The deployed function sends what is due, and every record gets an audit entry."""
    conversations = operator.dead("untouched", "waiting", "fixed")
    (sent,) = operator.dead("sent")
    call = (*REDRIVE, "--company", operator.company, "--fixed-cause", "twilio_21606")

    assert 4 == operator.succeed(*call, "--reason", "fixed", "--yes")["acted"]
    operator.await_sent(*conversations)

    assert ([], []) == (operator.dead_letters(), operator.inbox(sent))
    for conversation in (*conversations, sent):
        assert {"fixed"} == {entry["why"] for entry in operator.actions(conversation)}


@exercises(Way.REFUSED, "dlq redrive")
def test_a_redrive_leaves_unknown_and_failed_messages(operator: LocalOperator) -> None:
    """Both stay, and after a no everything stays."""
    conversations = operator.dead("unknown", "failed", "untouched")
    call = (*REDRIVE, "--company", operator.company)
    assert "nothing was changed" in operator.refused(*call, answer="n\n")
    staying = ["--conversation", conversations[0].id, "--conversation", conversations[1].id]
    rows = operator.succeed(*call, *staying, "--yes")["planned"]

    assert [True, True] == [str(row["decision"]).startswith("stays: ") for row in rows]
    assert sorted(each.body for each in conversations) == sorted(operator.dead_letters())
    assert [[], [], []] == [operator.actions(each) for each in conversations]


@exercises(Way.INTERRUPTED, "dlq redrive")
def test_a_redrive_continues_after_an_error_of_aws(operator: LocalOperator) -> None:
    """What was done is shown; the next run does the rest, and nothing twice."""
    conversations = operator.dead("waiting", "waiting", "waiting")
    call = (*REDRIVE, "--company", operator.company, "--yes")
    operator.deny_once("UpdateItem", after=1)

    output = operator.refused(*call)
    assert "done messages decision" in output
    assert RESUMABLE in output
    assert 1 <= len(operator.dead_letters())
    operator.succeed(*call)
    operator.await_sent(*conversations)
    assert [] == operator.dead_letters()


@exercises(Way.DONE, "dlq drop")
@exercises(Way.REFUSED, "dlq drop")
def test_a_discard_closes_conversations_that_are_not_open(operator: LocalOperator) -> None:
    """Records say who discarded the messages and why; a send of unknown outcome stays."""
    (unknown,) = operator.dead("unknown")
    conversations = operator.dead("untouched", "waiting", "failed")
    call = (*DROP, "--company", operator.company)
    assert "select messages with" in operator.refused(*DROP, "--yes")
    no_reason = ("dlq", "drop", "--reason", " ", "--company", operator.company)
    assert "--reason is empty" in operator.refused(*no_reason)
    assert "nothing was changed" in operator.refused(*call, answer="n\n")
    assert 4 == len(operator.dead_letters())

    assert 3 == operator.succeed(*call, "--yes")["acted"]
    assert [unknown.body] == operator.dead_letters()
    assert [Status.FAILED] * 3 == [operator.status(each) for each in conversations]
    whys = [entry["why"] for each in conversations for entry in operator.actions(each)]
    assert ["withdrawn by the tenant"] * 3 == whys


@exercises(Way.INTERRUPTED, "dlq drop")
@pytest.mark.parametrize("request_", ["dynamodb.UpdateItem", "sqs.DeleteMessage"])
def test_an_interrupted_discard_continues(operator: LocalOperator, request_: str) -> None:
    """Interrupted at a record or at a message, the next run discards the rest."""
    conversations = operator.dead("waiting", "waiting", "failed")
    call = (*DROP, "--company", operator.company, "--yes")
    with ctrl_c(operator.session, request_):
        output = operator.interrupted(*call)
    assert "done messages decision" in output
    assert RESUMABLE in output

    operator.succeed(*call)
    assert [] == operator.dead_letters()
    assert [Status.FAILED] * 3 == [operator.status(each) for each in conversations]
    assert all(operator.actions(each) for each in conversations)
