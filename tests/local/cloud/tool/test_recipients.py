"""`suppression` and `erase` on the local cloud."""

import json

import pytest

from lambda_src.core.contract import Status
from local.lifecycle import wait_for
from tests.local.cloud.messages import TIMEOUT_SECONDS
from tests.local.cloud.tool.local_operator import Conversation, LocalOperator
from tests.local.cloud.tool.terminal import ctrl_c
from tests.local.cloud.tool.ways import Way, exercises

REASON = ("--reason", "request 17")
each_change = pytest.mark.parametrize("change", ["add", "lift"])


def suppression(change: str, conversation: Conversation, *options: str) -> tuple[str, ...]:
    """Return a change of a conversation's recipient."""
    return ("suppression", change, conversation.number, *REASON, *options)


def is_suppressed(operator: LocalOperator, conversation: Conversation) -> bool:
    """Return whether the tool lists the recipient."""
    return bool(operator.succeed("suppression", "list", "--recipient", conversation.number))


def before_change(operator: LocalOperator, change: str) -> Conversation:
    """Return a conversation whose recipient the change affects."""
    conversation = operator.conversation()
    if change == "lift":
        operator.succeed(*suppression("add", conversation, "--yes"))
    return conversation


@exercises(Way.DONE, "suppression list", "suppression add", "suppression lift")
def test_a_suppressed_recipient_gets_nothing_until_it_is_lifted(operator: LocalOperator) -> None:
    """The deployed function fails their message; lifted and redriven, it is sent."""
    conversation = before_change(operator, "lift")
    assert is_suppressed(operator, conversation)
    operator.enqueue(conversation)
    assert wait_for(operator.dead_letters, TIMEOUT_SECONDS)
    assert ("recipient_suppressed", []) == (
        operator.record(conversation)["failure"]["code"],
        operator.inbox(conversation),
    )

    operator.succeed(*suppression("lift", conversation, "--yes"))
    assert not is_suppressed(operator, conversation)
    selected = ("--fixed-cause", "recipient_suppressed", "--conversation", conversation.id)
    operator.succeed("dlq", "redrive", *selected, "--yes")
    operator.await_sent(conversation)


@exercises(Way.REFUSED, "suppression add", "suppression lift")
@each_change
def test_a_change_needs_a_yes_a_reason_and_a_number(operator: LocalOperator, change: str) -> None:
    """Without one of them nothing changes, and the recipient is not shown."""
    conversation = before_change(operator, change)
    assert "nothing was changed" in operator.refused(
        *suppression(change, conversation), answer="n\n"
    )
    bare = conversation.number[1:]
    output = operator.refused("suppression", change, bare, *REASON, "--yes")
    assert "expected a phone number in E.164 form" in output
    assert bare not in output
    no_reason = ("suppression", change, conversation.number, "--reason", " ", "--yes")
    assert "--reason is empty" in operator.refused(*no_reason)
    assert (change == "lift") == is_suppressed(operator, conversation)


@exercises(Way.INTERRUPTED, "suppression add", "suppression lift")
@each_change
def test_a_failed_change_can_be_repeated(operator: LocalOperator, change: str) -> None:
    """Denied by AWS it is not made; the next run makes it, and one more changes nothing."""
    conversation = before_change(operator, change)
    operator.deny_once("UpdateItem", containing="request 17")
    output = operator.refused(*suppression(change, conversation, "--yes"))
    assert "run the same command again" in output
    assert (change == "lift") == is_suppressed(operator, conversation)
    first, second = (
        operator.succeed(*suppression(change, conversation, "--yes"))["outcome"] for _ in range(2)
    )
    assert first.startswith("suppress")
    assert second.startswith("was ")
    assert (change == "add") == is_suppressed(operator, conversation)


@exercises(Way.DONE, "erase")
@exercises(Way.REFUSED, "erase")
def test_everything_but_an_unknown_send_is_erased(operator: LocalOperator) -> None:
    """The receipt has no personal data; without a yes or a reason nothing is erased."""
    operator.await_empty_queues()
    sent = operator.conversation("sent")
    dead, unknown = (operator.conversation(each, sent.number) for each in ("waiting", "unknown"))
    operator.dead_letter(dead)
    call = ("erase", "--recipient", sent.number)
    assert "expected a value" in operator.refused(*call, "--reason", " ", "--yes")
    assert "nothing was changed" in operator.refused(*call, *REASON, answer="n\n")
    assert {sent.id, dead.id} == set(operator.succeed(*call, *REASON, "--dry-run")["conversations"])

    result = operator.run(*call, *REASON, "--yes", "--json")
    assert (1, "run the same command again" in result.stderr) == (result.exit_code, True)
    receipt = json.loads(result.stdout)
    assert ({sent.id, dead.id}, [unknown.id], 1) == (
        set(receipt["conversations"]),
        receipt["open"],
        receipt["removed"]["whatsapp dead letters"],
    )
    assert ({}, {}, []) == (operator.record(sent), operator.record(dead), operator.dead_letters())
    assert Status.SEND_UNKNOWN == operator.status(unknown)
    assert sent.number[1:] not in str({**receipt, "conversations": (), "open": ()})


@exercises(Way.INTERRUPTED, "erase")
@pytest.mark.parametrize("request_", ["dynamodb.DeleteItem", "sqs.DeleteMessage"])
def test_an_interrupted_erasure_continues(operator: LocalOperator, request_: str) -> None:
    """What was erased is shown as incomplete, and the next run erases the rest."""
    operator.await_empty_queues()
    first = operator.conversation("sent")
    second = operator.conversation("waiting", first.number)
    operator.dead_letter(second)
    call = ("erase", "--recipient", first.number, *REASON, "--yes")
    with ctrl_c(operator.session, request_):
        output = operator.interrupted(*call)
    assert "erased before the interruption" in output
    assert "run the same command again" in output

    with ctrl_c(operator.session, "dynamodb.UpdateItem"):
        interrupted = operator.run(*call, "--json")
    assert not json.loads(interrupted.stdout)["is_complete"]
    operator.succeed(*call)
    assert ({}, {}, []) == (
        operator.record(first),
        operator.record(second),
        operator.dead_letters(),
    )
