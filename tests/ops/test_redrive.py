"""`dlq redrive`: which messages are redriven, and what their records say."""

import pytest

from lambda_src.core.contract import Status
from tests.ops.operator_channel import OperatorChannel
from tests.support.channel import context, recipient_data

REDRIVE = ("dlq", "redrive", "--yes", "--rate", "1000")


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
    """The first of three copies creates it; its audit entry names the operator and the reason."""
    operator.dead_letter(*[context(conversation_id="copied")] * 3)
    operator.succeed(*REDRIVE, "--reason", "the function could not start")
    created = operator.channel.record("copied")
    assert (Status.RETRY, "redriven_by_operator") == (
        created["conversation_status"],
        created["failure"]["code"],
    )
    assert 3 == operator.process_queue()

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
    assert ([body], [], before) == (
        operator.dead_letters(),
        operator.queued(),
        operator.channel.record("waited"),
    )
    assert 0 == operator.run("dlq", "redrive", answer="y\n").exit_code
    assert [body] == operator.queued()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--company", "demo-company"), ("--conversation", "chosen"), ("--cause", "no_record")],
)
def test_only_selected_messages_are_redriven(
    operator: OperatorChannel, option: str, value: str
) -> None:
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
