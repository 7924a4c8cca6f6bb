"""Commands that change something on the local cloud: messages, records, recipients and secrets."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lambda_src.core.contract import Status
from local.lifecycle import wait_for
from tests.local.cloud.messages import TIMEOUT_SECONDS, several_waits
from tests.local.cloud.ops.local_operator import Conversation, LocalOperator
from tests.local.cloud.ops.ways import exercises
from tests.support.channel import PREFIXES

pytestmark = several_waits
REDRIVE = ("dlq", "redrive", "--rate", "1000")
DROP = ("dlq", "drop", "--reason", "withdrawn by the tenant")
REASON = ("--reason", "request 17")
UNCHANGED = "nothing was changed"
AGAIN = "run the same command again"
RESUMABLE = f"completed work is kept: {AGAIN} to continue"
each_change = pytest.mark.parametrize("change", ["add", "lift"])


@exercises("done", "dlq redrive")
def test_redriven_messages_are_sent_once(operator: LocalOperator) -> None:
    """The deployed function sends what is due, and every record gets an audit entry."""
    conversations = operator.dead("untouched", "waiting", "fixed")
    (sent,) = operator.dead("sent")
    call = (*REDRIVE, "--company", operator.company, "--fixed-cause", "twilio_21612")

    assert 4 == operator.succeed(*call, "--reason", "fixed", "--yes")["acted"]
    operator.await_sent(*conversations)

    assert ([], []) == (operator.dead_letters(), sent.inbox)
    for conversation in (*conversations, sent):
        assert {"fixed"} == {entry["why"] for entry in conversation.actions}


@exercises("refused", "dlq redrive")
def test_a_redrive_leaves_unknown_and_failed_messages(operator: LocalOperator) -> None:
    """Both stay, and after a no everything stays."""
    conversations = operator.dead("unknown", "failed", "untouched")
    call = (*REDRIVE, "--company", operator.company)
    assert UNCHANGED in operator.refused(*call, answer="n\n")
    staying = ["--conversation", conversations[0].id, "--conversation", conversations[1].id]
    rows = operator.succeed(*call, *staying, "--yes")["planned"]

    assert [True, True] == [str(row["decision"]).startswith("stays: ") for row in rows]
    assert sorted(each.body for each in conversations) == sorted(operator.dead_letters())
    assert [[], [], []] == [each.actions for each in conversations]


@exercises("interrupted", "dlq redrive")
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


@exercises("done", "dlq drop")
@exercises("refused", "dlq drop")
def test_a_discard_closes_conversations_that_are_not_open(operator: LocalOperator) -> None:
    """Records say who discarded the messages and why; a send of unknown outcome stays."""
    (unknown,) = operator.dead("unknown")
    conversations = operator.dead("untouched", "waiting", "failed")
    call = (*DROP, "--company", operator.company)
    assert "select messages with" in operator.refused(*DROP, "--yes")
    no_reason = ("dlq", "drop", "--reason", " ", "--company", operator.company)
    assert "--reason is empty" in operator.refused(*no_reason)
    assert UNCHANGED in operator.refused(*call, answer="n\n")
    assert 4 == len(operator.dead_letters())

    assert 3 == operator.succeed(*call, "--yes")["acted"]
    assert [unknown.body] == operator.dead_letters()
    assert [Status.FAILED] * 3 == [each.status for each in conversations]
    whys = [entry["why"] for each in conversations for entry in each.actions]
    assert ["withdrawn by the tenant"] * 3 == whys


@exercises("interrupted", "dlq drop")
@pytest.mark.parametrize("request_", ["dynamodb.UpdateItem", "sqs.DeleteMessage"])
def test_an_interrupted_discard_continues(operator: LocalOperator, request_: str) -> None:
    """Interrupted at a record or at a message, the next run discards the rest."""
    conversations = operator.dead("waiting", "waiting", "failed")
    call = (*DROP, "--company", operator.company, "--yes")
    output = operator.interrupted_at(request_, *call)
    assert "done messages decision" in output
    assert RESUMABLE in output

    operator.succeed(*call)
    assert [] == operator.dead_letters()
    assert [Status.FAILED] * 3 == [each.status for each in conversations]
    assert all(each.actions for each in conversations)


def _resolve(conversation: Conversation, *options: str) -> tuple[str, ...]:
    reason = ("--reason", "looked at the console")
    return ("unknown", "resolve", conversation.id, *reason, *options)


@exercises("done", "unknown resolve")
def test_a_message_that_was_sent_is_recorded(operator: LocalOperator) -> None:
    """The message at Twilio is found and recorded; its dead letter is removed without a send."""
    (conversation,) = operator.dead("unknown")
    sid = operator.send_without_record(conversation)
    shown = operator.run("unknown", "resolve", conversation.id).stdout
    assert f"--sent {sid}" in shown

    assert operator.succeed(*_resolve(conversation, "--sent", sid, "--yes"))["changed"]
    operator.succeed("dlq", "redrive", "--conversation", conversation.id, "--yes")
    assert ([], Status.SENT) == (operator.dead_letters(), conversation.status)
    assert 1 == len(conversation.inbox)
    assert f"recorded as sent: {sid}" == conversation.actions[0]["what"]


@exercises("done", "unknown resolve")
@exercises("interrupted", "unknown resolve")
def test_a_message_that_was_not_sent_is_sent_once(operator: LocalOperator) -> None:
    """Interrupted or denied by AWS, the decision is not applied; repeated, it is."""
    (conversation,) = operator.dead("unknown")
    call = _resolve(conversation, "--not-sent", "--yes")
    output = operator.interrupted_at("secrets-manager.GetSecretValue", *call)
    assert f"interrupted: {UNCHANGED}" in output
    operator.deny_once("UpdateItem")
    assert AGAIN in operator.refused(*call)
    assert (Status.SEND_UNKNOWN, []) == (conversation.status, conversation.actions)

    assert operator.succeed(*call)["changed"]
    operator.succeed("dlq", "redrive", "--conversation", conversation.id, "--yes")
    operator.await_sent(conversation)
    whats = [entry["what"] for entry in conversation.actions]
    assert ["released to retry: it was not sent", "dead letter redriven"] == whats


@exercises("refused", "unknown resolve")
def test_a_decision_against_the_facts_is_refused(operator: LocalOperator) -> None:
    """Twilio lists the message, the sid is another recipient's, the answer is no, or too late."""
    conversation, other = operator.conversation("unknown"), operator.conversation("unknown")
    sid, others = (operator.send_without_record(each) for each in (conversation, other))
    assert sid in operator.refused(*_resolve(conversation, "--not-sent", "--yes"))
    wrong = _resolve(conversation, "--sent", others, "--yes")
    assert "another recipient" in operator.refused(*wrong)
    sent = _resolve(conversation, "--sent", sid)
    assert UNCHANGED in operator.refused(*sent, answer="n\n")
    assert (Status.SEND_UNKNOWN, []) == (conversation.status, conversation.actions)

    operator.succeed(*sent, "--yes")
    output = operator.refused(*sent, "--yes")
    assert "nothing to decide: the record is initial_message_sent" in output
    assert 1 == len(conversation.actions)


def _suppression(change: str, conversation: Conversation, *options: str) -> tuple[str, ...]:
    return ("suppression", change, conversation.number, *REASON, *options)


def _is_suppressed(operator: LocalOperator, conversation: Conversation) -> bool:
    return bool(operator.succeed("suppression", "list", "--recipient", conversation.number))


def _before_change(operator: LocalOperator, change: str) -> Conversation:
    conversation = operator.conversation()
    if change == "lift":
        operator.succeed(*_suppression("add", conversation, "--yes"))
    return conversation


@exercises("done", "suppression list", "suppression add", "suppression lift")
def test_a_suppressed_recipient_gets_nothing_until_it_is_lifted(operator: LocalOperator) -> None:
    """The deployed function fails their message; lifted and redriven, it is sent."""
    conversation = _before_change(operator, "lift")
    assert _is_suppressed(operator, conversation)
    operator.cloud.channel.send(conversation.body)
    assert wait_for(operator.dead_letters, TIMEOUT_SECONDS)
    assert "recipient_suppressed" == conversation.record["failure"]["code"]
    assert [] == conversation.inbox

    operator.succeed(*_suppression("lift", conversation, "--yes"))
    assert not _is_suppressed(operator, conversation)
    selected = ("--fixed-cause", "recipient_suppressed", "--conversation", conversation.id)
    operator.succeed("dlq", "redrive", *selected, "--yes")
    operator.await_sent(conversation)


@exercises("refused", "suppression add", "suppression lift")
@each_change
def test_a_change_needs_a_yes_a_reason_and_a_number(operator: LocalOperator, change: str) -> None:
    """Without one of them nothing changes, and the recipient is not shown."""
    conversation = _before_change(operator, change)
    assert UNCHANGED in operator.refused(*_suppression(change, conversation), answer="n\n")
    bare = conversation.number[1:]
    output = operator.refused("suppression", change, bare, *REASON, "--yes")
    assert "expected a phone number in E.164 form" in output
    assert bare not in output
    no_reason = ("suppression", change, conversation.number, "--reason", " ", "--yes")
    assert "--reason is empty" in operator.refused(*no_reason)
    assert (change == "lift") == _is_suppressed(operator, conversation)


@exercises("interrupted", "suppression add", "suppression lift")
@each_change
def test_a_failed_change_can_be_repeated(operator: LocalOperator, change: str) -> None:
    """Denied by AWS it is not made; the next run makes it, and one more changes nothing."""
    conversation = _before_change(operator, change)
    call = _suppression(change, conversation, "--yes")
    operator.deny_once("UpdateItem", containing="request 17")
    assert AGAIN in operator.refused(*call)
    assert (change == "lift") == _is_suppressed(operator, conversation)
    first, second = (operator.succeed(*call)["outcome"] for _ in range(2))
    assert first.startswith("suppress")
    assert second.startswith("was ")
    assert (change == "add") == _is_suppressed(operator, conversation)


@exercises("done", "erase")
@exercises("refused", "erase")
def test_everything_but_an_unknown_send_is_erased(operator: LocalOperator) -> None:
    """The receipt has no personal data; without a yes or a reason nothing is erased."""
    operator.await_empty_queues()
    sent = operator.conversation("sent")
    dead, unknown = (operator.conversation(each, sent.number) for each in ("waiting", "unknown"))
    operator.dead_letter(dead, replace(dead, body=f"not JSON: {sent.number}"))
    call = ("erase", "--recipient", sent.number)
    assert "--reason is empty" in operator.refused(*call, "--reason", " ", "--yes")
    assert UNCHANGED in operator.refused(*call, *REASON, answer="n\n")
    assert {sent.id, dead.id} == set(operator.succeed(*call, *REASON, "--dry-run")["conversations"])

    result = operator.run(*call, *REASON, "--yes", "--json")
    assert (1, AGAIN in result.stderr) == (result.exit_code, True)
    receipt = json.loads(result.stdout)
    assert {sent.id, dead.id} == set(receipt["conversations"])
    assert ([unknown.id], 2) == (receipt["open"], receipt["removed"]["whatsapp dead letters"])
    assert ({}, {}, []) == (sent.record, dead.record, operator.dead_letters())
    assert Status.SEND_UNKNOWN == unknown.status
    assert sent.number[1:] not in str({**receipt, "conversations": (), "open": ()})
    assert all(each["is_deleted"] for each in receipt["vendors"])


@exercises("interrupted", "erase")
@pytest.mark.parametrize("request_", ["dynamodb.DeleteItem", "sqs.DeleteMessage"])
def test_an_interrupted_erasure_continues(operator: LocalOperator, request_: str) -> None:
    """What was erased is shown as incomplete, and the next run erases the rest."""
    operator.await_empty_queues()
    first = operator.conversation("sent")
    second = operator.conversation("waiting", first.number)
    operator.dead_letter(second)
    call = ("erase", "--recipient", first.number, *REASON, "--yes")
    output = operator.interrupted_at(request_, *call)
    assert "erased before the interruption" in output
    assert output.endswith(f"interrupted: {RESUMABLE}")
    assert first.number not in output

    with operator.ctrl_c("dynamodb.UpdateItem"):
        interrupted = operator.run(*call, "--json")
    assert not json.loads(interrupted.stdout)["is_complete"]
    operator.succeed(*call)
    assert ({}, {}, []) == (first.record, second.record, operator.dead_letters())


@exercises("refused", "send")
def test_only_a_confirmed_valid_context_is_sent(operator: LocalOperator, tmp_path: Path) -> None:
    """Problems are reported with their fields; a dry run and a no send nothing either."""
    conversation = operator.conversation()
    invalid = conversation.body.replace('"comms_consent": true', '"comms_consent": "yes"')
    output = operator.refused("send", "-", "--yes", answer=invalid.replace('"active"', '"paused"'))
    for text in ("comms_consent", "project_status", "2 problem(s); nothing was sent"):
        assert text in output
    assert conversation.number not in output
    file = tmp_path / "context.json"
    file.write_text(conversation.body)
    assert not operator.succeed("send", str(file), "--dry-run")["sent_to_queue"]
    assert UNCHANGED in operator.refused("send", str(file), answer="n\n")
    assert ({}, []) == (conversation.record, operator.queued())


@exercises("done", "send")
@exercises("interrupted", "send")
def test_a_message_is_sent_once_after_an_interruption(operator: LocalOperator) -> None:
    """Interrupted before the queue nothing is sent; repeated and repeated again, one message is."""
    conversation = operator.conversation()
    call = ("send", "-", "--yes")
    output = operator.interrupted_at("dynamodb.GetItem", *call, answer=conversation.body)
    assert f"interrupted: {UNCHANGED}" in output
    assert ({}, []) == (conversation.record, operator.queued())

    for name in ("status", "recorded_already"):
        outcome = operator.succeed(*call, "--follow", answer=conversation.body)
        assert Status.SENT == outcome[name]
        operator.await_sent(conversation)


def _secret_name(operator: LocalOperator) -> str:
    return f"{PREFIXES[1]}{operator.company}"


def _stored(operator: LocalOperator) -> list[str]:
    """Return the values of the tenant's secret, none if it does not exist."""
    client = operator.cloud.aws.secretsmanager
    try:
        return [client.get_secret_value(SecretId=_secret_name(operator))["SecretString"]]
    except client.exceptions.ResourceNotFoundException:
        return []


@exercises("done", "secrets set")
@exercises("interrupted", "secrets set")
def test_a_checked_secret_is_stored(operator: LocalOperator) -> None:
    """Interrupted it is not stored; repeated it is created, then replaced, and never shown."""
    valid = operator.fakes.credentials.twilio_secret
    call = ("secrets", "set", _secret_name(operator), "--yes")
    output = operator.interrupted_at("secrets-manager.PutSecretValue", *call, answer=valid)
    assert AGAIN in output
    assert operator.fakes.credentials.twilio_auth_token not in output
    assert [] == _stored(operator)

    done = [operator.succeed(*call, answer=valid)["done"] for _ in range(2)]
    assert ["created", "stored"] == done
    assert [json.loads(valid)] == [json.loads(text) for text in _stored(operator)]


@exercises("refused", "secrets set")
def test_an_invalid_secret_is_not_stored(operator: LocalOperator) -> None:
    """Neither a wrong schema, a refused value, a foreign name nor an unconfirmed value is."""
    valid = operator.fakes.credentials.twilio_secret
    call = ("secrets", "set", _secret_name(operator))
    wrong = json.dumps({**json.loads(valid), "twilio_auth_token": "a-wrong-token"})
    for value, message in (
        ("{", "secret_malformed"),
        ('{"twilio_account_sid": "AC1"}', "secret_malformed"),
        (wrong, "not stored: twilio_20003"),
    ):
        output = operator.refused(*call, "--yes", answer=value)
        assert message in output
        assert "a-wrong-token" not in output
    assert "add --yes" in operator.refused(*call, answer=valid)
    assert "secrets begin with" in operator.refused("secrets", "set", "x/y", answer=valid)
    assert [] == _stored(operator)
