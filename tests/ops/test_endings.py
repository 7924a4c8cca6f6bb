"""Every command: done, refused, and interrupted by Ctrl-C or an error of AWS and then run again."""

import json

import pytest
from botocore.exceptions import ClientError

from lambda_src.core.contract import Status
from lambda_src.services.dynamodb import Update
from local.fakes import Fault, TwilioSettings
from ops.console import RESUMABLE, UNCHANGED
from ops.conversations import ConversationRepository
from tests.ops.conversation_states import DRAFT
from tests.ops.operator_channel import OperatorChannel, to
from tests.ops.tool import commands
from tests.support.channel import (
    ACCOUNT,
    OPENAI_SECRET,
    PREFIXES,
    RECIPIENT,
    TOKEN,
    TWILIO_CREDENTIALS,
    TWILIO_SECRET,
    context,
    expire_send_deadline,
    failing_call,
)

OTHER, OPTED_OUT = "+447700900999", "+447700900998"
REASON = ("--reason", "request 17")
SECRET = json.dumps(TWILIO_CREDENTIALS)
READS = {
    "status": ((), "GetQueueAttributes"),
    "watch": (("--times", "1"), "GetQueueAttributes"),
    "conversation show": (("waiting",), "Scan"),
    "conversation list": ((), "Scan"),
    "conversation undelivered": ((), "Scan"),
    "dlq list": ((), "GetItem"),
    "dlq show": (("waiting",), "GetItem"),
    "unknown list": ((), "Scan"),
    "approvals list": ((), "Query"),
    "approvals show": (("held",), "Scan"),
    "secrets check": ((OPENAI_SECRET,), "GetSecretValue"),
    "preview": (("-",), "GetSecretValue"),
    "assistants check": ((), "GetSecretValue"),
    "assistants test": ((), "GetSecretValue"),
    "suppression list": ((), "Query"),
}
"""The arguments of each command that changes nothing, and a call of AWS that it makes."""
CHANGES = {
    "dlq redrive": ((), "UpdateItem"),
    "dlq drop": (("--company", "demo-company", *REASON), "DeleteMessage"),
    "unknown resolve": (("unknown", "--not-sent", *REASON), "UpdateItem"),
    "unknown resolve-listed": ((), "UpdateItem"),
    "approvals approve": (("held", "--draft", DRAFT), "UpdateItem"),
    "approvals edit": (("held", "--draft", DRAFT, "--variable", "2=Hello"), "UpdateItem"),
    "approvals reject": (("held", "--draft", DRAFT), "UpdateItem"),
    "secrets set": ((TWILIO_SECRET,), "PutSecretValue"),
    "suppression add": ((OTHER, *REASON), "UpdateItem"),
    "suppression lift": ((OPTED_OUT, *REASON), "UpdateItem"),
    "erase": (("--recipient", RECIPIENT, *REASON), "DeleteItem"),
    "send": (("-",), "SendMessage"),
}
"""The same for each that changes something, and the call that does it."""
INPUTS = {"secrets set": SECRET} | dict.fromkeys(
    ("send", "preview"), context(conversation_id="by-hand")
)


@pytest.fixture
def prepared(operator: OperatorChannel, request: pytest.FixtureRequest) -> OperatorChannel:
    """Return a channel on which each command has something to do."""
    if "resolve-listed" in request.node.name:
        lose_answer(operator, "listed")
    operator.dead_letter(operator.conversation("waiting"))
    operator.conversation("unknown", OTHER)
    operator.conversation("held", OTHER)
    operator.succeed("suppression", "add", OPTED_OUT, *REASON, "--yes")
    return operator


def state(operator: OperatorChannel) -> tuple[object, ...]:
    """Return the table's content, the messages on both queues, and the secret."""
    channel = operator.channel
    secret = channel.secretsmanager.get_secret_value(SecretId=TWILIO_SECRET)["SecretString"]
    items = channel.dynamodb.scan(TableName=channel.table)["Items"]
    return items, operator.queued(), operator.dead_letters(), secret


def test_every_command_has_an_ending() -> None:
    """None is left out."""
    assert set(dict(commands())) == READS.keys() | CHANGES.keys()


def test_a_missing_channel_is_reported(operator: OperatorChannel) -> None:
    """One message names the missing stack, or the missing channel; `erase` needs none."""
    for command, (arguments, _) in (READS | CHANGES).items():
        if command != "erase":
            call = (*command.split(), *arguments, "--channel", "fax")
            output = operator.refused(*call, answer=INPUTS.get(command))
            is_local = command == "assistants check"  # it first reads the channel's definitions
            missing = "fax: no channel of this" if is_local else "no stack ai-multi-comms-fax-dev"
            assert missing in output, command
            assert ("check --channel" if is_local else "--project, --channel, --env") in output


@pytest.mark.parametrize("command", READS | CHANGES)
def test_an_interrupted_command_can_be_run_again(prepared: OperatorChannel, command: str) -> None:
    """It changes nothing, says so or what to do, and the next run does its work."""
    (arguments, operation), is_change = (READS | CHANGES)[command], command in CHANGES
    call = (*command.split(), *arguments, *(["--yes"] if is_change else []))
    before, answer = state(prepared), INPUTS.get(command)
    with failing_call(operation, KeyboardInterrupt()):
        output = prepared.interrupted(*call, answer=answer)
    assert f"interrupted: {RESUMABLE if is_change else UNCHANGED}" in output
    with failing_call(operation, ClientError({"Error": {"Code": "AccessDenied"}}, operation)):
        failed = prepared.refused(*call, answer=answer)
    assert ("AccessDenied" in failed, is_change) == (True, RESUMABLE in failed)
    assert TOKEN not in output + failed
    assert before[1:] == state(prepared)[1:]
    if command not in {"dlq drop", "erase"}:  # which mark what they are about to remove
        assert before == state(prepared)

    prepared.succeed(*call, answer=answer)
    assert is_change != (before == state(prepared))


@pytest.mark.parametrize("command", CHANGES)
def test_nothing_changes_without_a_yes(prepared: OperatorChannel, command: str) -> None:
    """Nor with a no, in a dry run, or without the reason that its audit entry needs."""
    arguments, _ = CHANGES[command]
    call, answer = (*command.split(), *arguments), INPUTS.get(command)
    before = state(prepared)
    document = prepared.succeed(*call, "--dry-run", answer=answer)
    assert not document.get("done")
    expected = "add --yes" if answer else UNCHANGED  # with an answer, standard input is taken
    assert expected in prepared.refused(*call, answer=answer or "n\n")
    if command in {"dlq drop", "suppression add", "suppression lift", "erase"}:
        assert "--reason is empty" in prepared.refused(*call, "--reason", " ", "--yes")
    assert before == state(prepared)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("conversation show nowhere", "no record of the conversation nowhere"),
        ("dlq show nowhere", "no such dead-letter message is visible"),
        ("dlq drop --reason fault --yes", "select messages with"),
        ("secrets check somebody/elses", "somebody/elses: the names of this channel's secrets"),
        ("secrets set somebody/elses", "the names of this channel's secrets begin with"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    operator: OperatorChannel, command: str, message: str
) -> None:
    """One message names it."""
    output = operator.refused(*command.split(), answer=SECRET)
    assert message.replace(" ", "") in output.replace(" ", "")


def test_an_invalid_context_object_is_not_sent(operator: OperatorChannel) -> None:
    """Its problems are reported with their fields, and no number is."""
    invalid = context().replace('"comms_consent": true', '"comms_consent": "yes"')
    output = operator.refused("send", "-", answer=invalid.replace('"active"', '"paused"'))
    for text in ("comms_consent", "project_status", "2 problem(s); nothing was sent"):
        assert text in output
    assert RECIPIENT not in output
    assert [] == operator.queued()


def test_a_context_object_that_is_sent_again_is_sent_once(operator: OperatorChannel) -> None:
    """The second run says what is recorded already; waiting for it fails, since nothing is sent."""
    for status in ("", Status.SENT):
        sent = operator.succeed("send", "-", "--yes", answer=context())
        assert status == sent["recorded_already"]
        operator.process_queue()
    assert "it was sent before" in operator.refused(
        "send", "-", "--yes", "--follow", answer=context()
    )
    assert 1 == len(operator.channel.phone())


def test_a_new_secret_is_created(operator: OperatorChannel) -> None:
    """Once, if it is asked for: a name may be misspelled. What is incomplete is not stored."""
    misspelled = ("secrets", "set", TWILIO_SECRET.replace("company", "compny"))
    assert f"(the nearest is {TWILIO_SECRET})" in operator.refused(
        *misspelled, "--yes", answer=SECRET
    )
    planned = operator.succeed(*misspelled, "--dry-run", answer=SECRET)
    assert (True, TWILIO_SECRET) == (planned["is_new"], planned["nearest"])
    call = ("secrets", "set", f"{PREFIXES[1]}new-tenant", "--yes", "--new")
    incomplete = json.dumps({"twilio_account_sid": ACCOUNT})
    for value in ("{", incomplete):
        assert "secret_malformed" in operator.refused(*call, answer=value)
    assert ["created", "stored"] == [operator.succeed(*call, answer=SECRET)["done"] for _ in "12"]


def test_a_lifted_suppression_lets_the_dead_letter_be_sent(operator: OperatorChannel) -> None:
    """Redriven as fixed; until then nothing is sent."""
    change = (RECIPIENT, *REASON, "--yes")
    outcomes = [operator.succeed("suppression", "add", *change)["outcome"] for _ in range(2)]
    assert ["suppressed", "was already suppressed"] == outcomes
    assert 1 == len(operator.succeed("suppression", "list"))
    operator.enqueue(context())
    operator.process_queue()
    assert ("failed", "recipient_suppressed") == operator.channel.status()

    outcomes = [operator.succeed("suppression", "lift", *change)["outcome"] for _ in range(2)]
    assert ["suppression lifted", "was not suppressed"] == outcomes
    operator.succeed("dlq", "redrive", "--fixed-cause", "recipient_suppressed", "--yes")
    assert [] == operator.channel.phone()
    operator.process_queue()
    assert 1 == len(operator.channel.phone())


def lose_answer(operator: OperatorChannel, conversation: str, recipient: str = RECIPIENT) -> str:
    """Let Twilio accept a message that it lists too late; return its sid."""
    channel, body = operator.channel, context(to(recipient), conversation_id=conversation)
    channel.twilio.fail_next(Fault.reset(effect_applied=True))
    channel.twilio.settings = TwilioSettings(list_lag_requests=9)
    channel.deliver(body)
    expire_send_deadline(channel, conversation)
    channel.deliver(body, receive_count=10)
    operator.dead_letter(body)
    operator.age_send(conversation)
    channel.twilio.settings = TwilioSettings()
    return str(channel.twilio.messages()[-1]["sid"])


def test_a_message_that_was_sent_is_recorded(operator: OperatorChannel) -> None:
    """Twilio lists it, so that it cannot be released; its dead letter is removed without a send."""
    sid = lose_answer(operator, "lost")
    assert "lost" in {row["conversation"] for row in operator.succeed("unknown", "list")}
    (message,) = operator.succeed("dlq", "show", "lost")
    assert ("not_found_at_vendor", "demo-company") == (message["cause"], message["company"])
    resolve = ("unknown", "resolve", "lost", *REASON)
    assert f"--sent {sid}" in operator.run(*resolve[:3]).stdout
    assert sid in operator.refused(*resolve, "--not-sent", "--yes")
    assert operator.succeed(*resolve, "--sent", sid, "--yes")["changed"]
    output = operator.refused(*resolve, "--sent", sid, "--yes")
    assert "nothing to decide: the record is initial_message_sent" in output

    operator.succeed("dlq", "redrive", "--conversation", "lost", "--yes")
    assert ([], []) == (operator.queued(), operator.dead_letters())
    assert 1 == len(operator.channel.phone())
    whats = [entry["what"] for entry in operator.channel.record("lost")["operator_actions"]]
    assert f"recorded as sent: {sid}" == whats[0]


def test_what_is_certain_is_recorded_at_once(
    operator: OperatorChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only that, by two operators at the same time, each of whom sees what Twilio lists by now."""
    sid = lose_answer(operator, "listed")
    operator.conversation("unknown", OTHER)
    rows = operator.succeed("unknown", "list")
    assert {"listed": sid, "unknown": "nothing"} == {
        row["conversation"]: row["vendor_lists"] for row in rows
    }
    offline = operator.succeed("unknown", "list", "--offline")
    assert {""} == {row["vendor_lists"] for row in offline}
    bulk, apply = ("unknown", "resolve-listed", *REASON), ConversationRepository.apply

    def race(self: ConversationRepository, update: Update, entry: dict[str, str]) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(ConversationRepository, "apply", apply)
            operator.succeed("unknown", "resolve", "listed", "--sent", sid, "--yes")
        apply(self, update, entry)

    monkeypatch.setattr(ConversationRepository, "apply", race)
    document = operator.succeed(*bulk, "--yes")
    assert (["listed"], {}, 1) == tuple(
        document[name] for name in ("recorded", "left", "undecided")
    )
    assert 1 == len(operator.channel.record("listed")["operator_actions"])
    assert "no unknown send is certain" in operator.refused(*bulk, "--yes")


def test_a_message_of_two_conversations_is_certain_for_neither(operator: OperatorChannel) -> None:
    """Both have the same text, and only one was sent."""
    sid = lose_answer(operator, "one")
    lose_answer(operator, "two")
    operator.channel.twilio.clear_state()
    assert "nothing" == operator.succeed("unknown", "list")[0]["vendor_lists"]
    operator.channel.deliver(context())
    (message,) = operator.channel.twilio.messages()
    operator.channel.set_fields(message_sid="")
    assert sid != message["sid"]
    assert {"1 that may be it"} == {
        row["vendor_lists"] for row in operator.succeed("unknown", "list")
    }
