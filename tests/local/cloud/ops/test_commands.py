"""Every command on the local cloud: done, refused and interrupted, also at a real terminal."""

import io
import json
import re
import signal
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pexpect
import pytest

from lambda_src.core.contract import Status
from local import paths
from local.emulator.queue_metrics import queued_messages
from local.fakes import Fault, Match
from local.lifecycle import wait_for
from ops.command import INTERRUPTED
from tests.local.cloud.messages import (
    TIMEOUT_SECONDS,
    UNDELIVERED_CODE,
    each_channel,
    several_waits,
)
from tests.local.cloud.ops.local_operator import Conversation, LocalOperator
from tests.ops.tool import commands
from tests.support.channel import OPENAI_SECRET, PREFIXES

pytestmark = several_waits
REDRIVE = ("dlq", "redrive", "--rate", "1000")
DROP = ("dlq", "drop", "--reason", "withdrawn by the tenant")
REASON = ("--reason", "request 17")
UNCHANGED = "nothing was changed"
AGAIN = "run the same command again"
RESUMABLE = f"completed work is kept: {AGAIN} to continue"
REQUESTS: Mapping[str, str] = {
    "status": "sqs.GetQueueAttributes",
    "conversation show": "dynamodb.Scan",
    "conversation list": "dynamodb.Scan",
    "conversation undelivered": "dynamodb.Scan",
    "dlq list": "dynamodb.GetItem",
    "dlq show": "dynamodb.GetItem",
    "unknown list": "dynamodb.Scan",
    "secrets check": "secrets-manager.GetSecretValue",
    "assistants check": "secrets-manager.GetSecretValue",
    "suppression list": "dynamodb.Query",
}
"""Each read-only command with a request that it makes."""
WITH_CONVERSATION = {"conversation show", "dlq show"}
PERSONAL = ("Amara", "Okafor", "Warehouse")
F = TypeVar("F", bound=Callable[..., object])
WAYS = {"done", "refused", "interrupted"}
"""How a command can end."""
covered: defaultdict[str, set[str]] = defaultdict(set)
"""The ways that the tests cover, by command."""


def exercises(way: str, *names: str) -> Callable[[F], F]:
    """Declare that a test covers commands, such as `dlq list`, in a way."""
    for name in names:
        covered[name].add(way)
    return lambda test: test


def test_every_command_is_covered_in_each_way() -> None:
    """It is done, refused and interrupted on the local cloud, and nothing else is."""
    assert dict.fromkeys(dict(commands()), WAYS) == covered


@exercises("refused", *REQUESTS, "watch")
@pytest.mark.parametrize("command", [*REQUESTS, "watch"])
def test_a_missing_channel_is_reported(operator: LocalOperator, command: str) -> None:
    """One message names the missing stack, or the missing channel, and what to check."""
    arguments = ["nowhere"] if command in WITH_CONVERSATION else []
    output = operator.refused(*command.split(), *arguments, "--channel", "fax")
    is_local = command == "assistants check"  # it first reads the channel's definitions
    missing = "fax: no channel of this" if is_local else "no stack ai-multi-comms-fax-dev"
    assert missing in output
    assert ("check --channel" if is_local else "--project, --channel, --env") in output


@exercises("interrupted", *REQUESTS)
@pytest.mark.parametrize("command", REQUESTS)
def test_an_interrupted_command_changes_nothing(operator: LocalOperator, command: str) -> None:
    """It ends immediately; record and message are unchanged, and the message is visible."""
    (conversation,) = operator.dead("waiting")
    before = conversation.record
    arguments = [conversation.id] if command in WITH_CONVERSATION else []
    output = operator.interrupted_at(REQUESTS[command], *command.split(), *arguments)
    assert f"interrupted: {UNCHANGED}" in output
    assert (before, [conversation.body]) == (conversation.record, operator.dead_letters())
    assert 0 == operator.dead_letters_in_flight()


@exercises("done", "status", "watch")
@each_channel
def test_the_status_of_a_channel_is_shown(operator: LocalOperator, channel: str) -> None:
    """It has the mapping, all alarms and the age of the oldest message; a watch repeats it."""

    def status() -> Any:
        found = operator.succeed("status", "--channel", channel)
        return found if found["oldest_seconds"] is not None else None

    found = wait_for(status, TIMEOUT_SECONDS) or {}
    deployed = operator.cloud.aws.cloudwatch.describe_alarms()["MetricAlarms"]
    names = [alarm["AlarmName"] for alarm in deployed]
    assert "Enabled" == found["mapping"]
    assert {name for name in names if name.lower().startswith(f"{channel}processor")} == {
        alarm["name"] for alarm in found["alarms"]
    }
    result = operator.run("watch", "--channel", channel, "--times", "2", "--every", "0.2", "--json")
    assert (0, 2) == (result.exit_code, result.stdout.count('"dead_letters"'))


@exercises("done", "conversation show", "conversation list", "unknown list", "dlq show")
def test_conversations_are_shown_without_personal_data(operator: LocalOperator) -> None:
    """Status, reason and ids are shown; names, numbers and texts only on request."""
    (conversation,) = operator.dead("unknown")
    rows = operator.succeed("conversation", "list", "--company", operator.company)
    assert [(conversation.id, "send_unknown")] == [
        (row["conversation"], row["status"]) for row in rows
    ]
    assert conversation.id in {row["conversation"] for row in operator.succeed("unknown", "list")}

    (message,) = operator.succeed("dlq", "show", conversation.id)
    assert ("not_found_at_vendor", operator.company) == (message["cause"], message["company"])
    (record,) = operator.succeed("conversation", "show", conversation.id)
    shown = json.dumps([rows, message, record])
    assert not [word for word in (*PERSONAL, conversation.number) if word in shown]
    (record,) = operator.succeed("conversation", "show", conversation.id, "--show-personal-data")
    assert conversation.number == record["primary_channel"]


@exercises("done", "dlq list")
def test_dead_letters_are_grouped_by_cause(operator: LocalOperator) -> None:
    """Each cause has advice; afterwards all messages are visible again."""
    conversations = operator.dead("fixed", "waiting", "untouched")
    found = operator.succeed("dlq", "list", "--messages")
    assert all(cause["advice"] for cause in found["causes"])
    causes = {row["cause"] for row in found["messages"] if row["company"] == operator.company}
    assert {"twilio_21612", "openai_500", "no_record"} == causes
    assert sorted(each.body for each in conversations) == sorted(operator.dead_letters())
    assert 0 == operator.dead_letters_in_flight()


@exercises("done", "conversation undelivered")
@each_channel
def test_undelivered_messages_are_explained(operator: LocalOperator, channel: str) -> None:
    """Twilio's callback has reported one; the status counts it."""

    def causes() -> Any:
        return operator.succeed("conversation", "undelivered", "--channel", channel)["causes"]

    (cause,) = wait_for(causes, TIMEOUT_SECONDS) or [{}]
    assert (1, str(UNDELIVERED_CODE)) == (cause["messages"], cause["code"])
    assert cause["advice"]
    status = ("status", "--channel", channel)
    assert wait_for(
        lambda: operator.succeed(*status)["reports"]["MessagesUndelivered"] == 1, TIMEOUT_SECONDS
    )


@exercises("done", "dlq redrive", "dlq list")
def test_a_delivery_event_is_redriven(operator: LocalOperator) -> None:
    """The deployed worker drops one about no record; nothing is left on either queue."""
    deployment = operator._session.deployment
    dead_letters, sqs = deployment.events_dead_letter_queue_url, operator.cloud.aws.sqs
    lookup = {"primary_channel": "+447700900999", "conversation_id": operator.company}
    sqs.send_message(QueueUrl=dead_letters, MessageBody=json.dumps({"lookup": lookup}))
    (cause,) = operator.succeed("dlq", "list", "--events")["causes"]
    assert (1, "lookup") == (cause["messages"], cause["cause"])
    assert 1 == operator.succeed(*REDRIVE, "--events", "--yes")["acted"]
    urls = (dead_letters, deployment.events_queue_url)
    assert wait_for(
        lambda: not any(queued_messages(operator.cloud.aws, url) for url in urls), TIMEOUT_SECONDS
    )


@exercises("done", "secrets check", "assistants check")
def test_secrets_and_assistants_are_checked(operator: LocalOperator) -> None:
    """The vendors accept the deployed secrets and models."""
    rows = operator.succeed("secrets", "check", OPENAI_SECRET)
    assert [{"secret": OPENAI_SECRET, "vendor": "OpenAI", "problem": "", "note": ""}] == rows
    assert all(not row["problems"] for row in operator.succeed("assistants", "check"))


@exercises("refused", "assistants check", "conversation show", "dlq show", "secrets check")
def test_what_does_not_exist_is_reported(operator: LocalOperator, tmp_path: Path) -> None:
    """One message names it."""
    (tmp_path / "one.toml").write_text('model = "gpt-gone"\ninstructions = "Write."\n')
    for command, message in {
        f"assistants check --directory {tmp_path}": "openai_model_not_found",
        "conversation show nowhere": "no record of the conversation nowhere",
        "dlq show nowhere": "no such dead-letter message is visible",
        "secrets check somebody/elses": "somebody/elses: the names of this channel's secrets",
    }.items():
        output = operator.refused(*command.split())
        assert message.replace(" ", "") in output.replace(" ", "")


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


@exercises("done", "suppression list", "suppression add", "suppression lift")
def test_a_suppressed_recipient_gets_nothing_until_it_is_lifted(operator: LocalOperator) -> None:
    """The deployed function fails their message; lifted and redriven, it is sent."""
    conversation = operator.conversation()
    operator.succeed(*_suppression("add", conversation, "--yes"))
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
@exercises("interrupted", "suppression add", "suppression lift")
@pytest.mark.parametrize("change", ["add", "lift"])
def test_a_change_that_fails_can_be_repeated(operator: LocalOperator, change: str) -> None:
    """Without a yes, a reason, a number or AWS nothing changes; the next run makes the change."""
    conversation = operator.conversation()
    if change == "lift":
        operator.succeed(*_suppression("add", conversation, "--yes"))
    assert UNCHANGED in operator.refused(*_suppression(change, conversation), answer="n\n")
    bare = conversation.number[1:]
    output = operator.refused("suppression", change, bare, *REASON, "--yes")
    assert "expected a phone number in E.164 form" in output
    assert bare not in output
    no_reason = ("suppression", change, conversation.number, "--reason", " ", "--yes")
    assert "--reason is empty" in operator.refused(*no_reason)
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
@exercises("refused", "secrets set")
@exercises("interrupted", "secrets set")
def test_a_checked_secret_is_stored(operator: LocalOperator) -> None:
    """Not if its form, value or name is wrong, nor unconfirmed or interrupted, and never shown."""
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
    interrupted = "secrets-manager.PutSecretValue", *call, "--yes"
    output = operator.interrupted_at(*interrupted, answer=valid)
    assert AGAIN in output
    assert operator.fakes.credentials.twilio_auth_token not in output
    assert [] == _stored(operator)

    done = [operator.succeed(*call, "--yes", answer=valid)["done"] for _ in range(2)]
    assert ["created", "stored"] == done
    assert [json.loads(valid)] == [json.loads(text) for text in _stored(operator)]


LINES, COLUMNS = 40, 100
PROGRAM = "from ops import queues; queues.POLL_SECONDS = 0; import ops.__main__"
"""`python -m ops` without long polls: one process of the local cloud holds the whole queue."""


class Terminal:
    """A running command at a terminal."""

    def __init__(self, spawned: "pexpect.spawn[str]") -> None:
        self._spawned = spawned
        self._spawned.logfile_read = self._output = io.StringIO()

    def answer(self, prompt: str, text: str = "") -> None:
        """Wait until a text is shown, and then type an answer if there is one."""
        self._spawned.expect(re.escape(prompt).replace(r"\ ", r"\s+"))
        if text:
            self._spawned.sendline(text)

    def ctrl_c(self) -> str:
        """Press Ctrl-C and wait for the end; return what was shown, in one line and uncoloured."""
        self._spawned.sendintr()
        self._spawned.expect(pexpect.EOF)
        self._spawned.close()
        shown = " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._output.getvalue()).split())
        assert INTERRUPTED == self._spawned.exitstatus, shown
        return shown


@contextmanager
def terminal(operator: LocalOperator, *arguments: str) -> Iterator[Terminal]:
    """Run a command at a terminal; it ends with the `with` block at the latest."""
    spawned: pexpect.spawn[str] = pexpect.spawn(
        sys.executable,
        ["-c", PROGRAM, *arguments],
        timeout=TIMEOUT_SECONDS,
        cwd=str(paths.ROOT),
        env={**operator.environment(), "TERM": "xterm"},
        encoding="utf-8",
        dimensions=(LINES, COLUMNS),
        preexec_fn=_heed_ctrl_c,
    )
    try:
        yield Terminal(spawned)
    finally:
        spawned.close(force=True)


def _heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@exercises("interrupted", "watch")
def test_a_watch_ends(operator: LocalOperator) -> None:
    """It ends immediately and without a traceback."""
    with terminal(operator, "watch", "--every", "600") as watch:
        watch.answer("alarms:")
        watch.answer("next steps")
        assert watch.ctrl_c().endswith(f"interrupted: {UNCHANGED}")


@exercises("interrupted", "dlq redrive")
def test_a_redrive_is_interrupted_and_continues(operator: LocalOperator) -> None:
    """Of six messages some are redriven; the rest stays, and follows with the next run."""
    conversations = operator.dead(*["waiting"] * 6)
    call = ("dlq", "redrive", "--company", operator.company)
    with terminal(operator, *call, "--rate", "1") as redrive:
        redrive.answer("Continue with 6 messages? [y/N]:", "y")
        assert wait_for(lambda: len(operator.dead_letters()) < 6, TIMEOUT_SECONDS)
        shown = redrive.ctrl_c()
    assert "done messages decision" in shown
    assert shown.endswith(f"interrupted: {RESUMABLE}")
    left = len(operator.dead_letters())
    assert 0 < left < len(conversations)
    assert 0 == operator.dead_letters_in_flight()

    assert left == operator.succeed(*call, "--yes")["acted"]
    operator.await_sent(*conversations)


@exercises("interrupted", "secrets set")
def test_ctrl_c_at_a_prompt_is_an_interruption(operator: LocalOperator) -> None:
    """It is not an answer, and nothing was changed."""
    with terminal(operator, "secrets", "set", _secret_name(operator)) as prompt:
        prompt.answer("twilio_account_sid:", operator.fakes.credentials.twilio_account_sid)
        prompt.answer("twilio_api_key_sid")
        assert prompt.ctrl_c().endswith(f"interrupted: {UNCHANGED}")


@exercises("interrupted", "send")
def test_queued_message_is_sent_in_spite_of_ctrl_c(operator: LocalOperator, tmp_path: Path) -> None:
    """The terminal says how to see its progress."""
    conversation = operator.conversation()
    operator.fakes.openai.fail_next(Fault.slow(4), match=Match(contains=conversation.id))
    file = tmp_path / "context.json"
    file.write_text(conversation.body)
    with terminal(operator, "send", str(file), "--yes", "--follow") as send:
        send.answer("on the queue: message")
        assert f"conversation show '{conversation.id}'" in send.ctrl_c()
    operator.await_sent(conversation)
